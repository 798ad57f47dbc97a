-- A database of schema version 12 in use: rows of every kind, in every state that they can be in.
INSERT INTO identity (mode, environment, account, tag) VALUES ('demo', 'sim', 'account', 'abcd1234');
INSERT INTO daemon_lives (version, pid) VALUES ('0.1', 1), ('0.1', 2);
INSERT INTO risk_limits (fencing, name, amount)
SELECT life, name, 1000 FROM generate_series(1, 2) AS life, unnest(ARRAY[
    'max_contracts_per_order', 'max_contracts_per_strike', 'max_entries_per_event', 'max_event_cost_dollars',
    'max_open_trades', 'max_open_cost_dollars', 'max_daily_loss_dollars', 'max_orders_per_minute',
    'max_consecutive_losses', 'price_collar_dollars']) AS name;
INSERT INTO limit_grants (name, amount, granted_by, after_life) VALUES ('max_open_trades', 2000, 'me', 2);
INSERT INTO markets (ticker, event_ticker, series_ticker, strike_type, open_time, close_time, status, rules_primary,
    fee_multiplier, doubt)
SELECT 'M' || number, 'E', 'S', 'greater', '2026-11-23 11:00Z', '2026-11-23 12:15Z', 'active', 'a rule', 1,
    CASE number WHEN 1 THEN 'the wording is new' ELSE '' END FROM generate_series(1, 9) AS number;
INSERT INTO price_seconds VALUES ('BTC', 1795435200, 84000), ('BTC', 1795435201, 84001.5);

-- Trades: opening with a pending, an unknown and a resting order; open; closing; closed twice; void twice.
INSERT INTO trades (strategy, ticker, event_ticker, exchange_index, side, state, opened_at, closes_at, why, inputs)
SELECT CASE number WHEN 4 THEN 'manual' ELSE 'average' END, 'M' || number, 'E', 2, CASE number WHEN 7 THEN 'no' ELSE 'yes' END,
    'opening', '2026-11-23 11:30Z', '2026-11-23 12:15Z', 'a reason',
    CASE number WHEN 4 THEN '{"request": "1"}'::jsonb ELSE '{"probability": "0.550000"}' END
FROM generate_series(1, 9) AS number;
INSERT INTO orders (client_order_id, trade_id, purpose, attempt, ticker, exchange_index, book_side, price, quantity, reserved,
    state, fencing, created_at, ask, fair)
SELECT 'recio-abcd1234-' || trade_id || '-entry-1', trade_id, 'entry', 1, ticker, 2, CASE side WHEN 'yes' THEN 'bid' ELSE 'ask' END,
    0.52, 10, 5.4, 'intended', 2, '2026-11-23 11:30Z', 0.52, 0.55 FROM trades ORDER BY trade_id;
INSERT INTO journal (at, kind, trade_id, client_order_id, detail)
SELECT created_at, 'order intended', trade_id, client_order_id, '{"purpose": "entry"}' FROM orders ORDER BY trade_id;
UPDATE orders SET state = 'unknown', note = 'no answer' WHERE trade_id = 2;
UPDATE orders SET state = 'resting', venue_order_id = 'v3' WHERE trade_id = 3;
UPDATE orders SET state = 'filled', filled = 10, venue_order_id = 'v' || trade_id, ended_at = '2026-11-23 11:31Z'
WHERE trade_id IN (4, 5, 6);
UPDATE orders SET state = 'cancelled', filled = 4, venue_order_id = 'v7', ended_at = '2026-11-23 11:31Z' WHERE trade_id = 7;
UPDATE orders SET state = 'rejected', ended_at = '2026-11-23 11:31Z' WHERE trade_id = 8;
UPDATE orders SET state = 'unknown' WHERE trade_id = 9;
UPDATE orders SET state = 'absent', ended_at = '2026-11-23 11:31Z' WHERE trade_id = 9;
INSERT INTO journal (at, kind, trade_id, client_order_id, detail)
SELECT '2026-11-23 11:31Z', 'order ' || state, trade_id, client_order_id, '{"note": ""}' FROM orders
WHERE state <> 'intended' ORDER BY trade_id;
INSERT INTO fills
SELECT 'f' || trade_id, venue_order_id, ticker, book_side, price, filled, 0.1748, true, '2026-11-23 11:31Z' FROM orders
WHERE filled > 0;
UPDATE trades SET state = 'open' WHERE trade_id BETWEEN 4 AND 7;
UPDATE trades SET state = 'void', closed_at = '2026-11-23 11:31Z', ended_by = 'no fill' WHERE trade_id IN (8, 9);
-- An exit that is on its way, and one that sold everything at a loss.
INSERT INTO orders (client_order_id, trade_id, purpose, attempt, ticker, exchange_index, book_side, price, quantity, reserved,
    state, fencing, created_at)
SELECT 'recio-abcd1234-' || trade_id || '-exit-1', trade_id, 'exit', 1, ticker, 2, 'ask', 0.40, 10, 0, 'intended', 2,
    '2026-11-23 11:40Z' FROM trades WHERE trade_id IN (5, 6);
UPDATE trades SET state = 'closing' WHERE trade_id IN (5, 6);
UPDATE orders SET state = 'filled', filled = 10, venue_order_id = 'x6', ended_at = '2026-11-23 11:40Z'
WHERE trade_id = 6 AND purpose = 'exit';
INSERT INTO fills VALUES ('x6', 'x6', 'M6', 'ask', 0.40, 10, 0.1680, true, '2026-11-23 11:40Z'),
    ('external', 'of another program', 'M1', 'bid', 0.30, 2, 0.03, false, '2026-11-23 11:41Z');
SELECT post_fill(fill_id) FROM fills ORDER BY at, fill_id;
UPDATE trades SET state = 'closed', closed_at = '2026-11-23 11:40Z', ended_by = 'exit' WHERE trade_id = 6;
INSERT INTO settlements VALUES ('M7', 'no', '2026-11-23 11:45Z', 400);
SELECT post_settlement('M7');
UPDATE trades SET state = 'closed', closed_at = '2026-11-23 11:45Z', ended_by = 'settlement', payout = 4 WHERE trade_id = 7;
INSERT INTO journal (at, kind, trade_id, detail)
VALUES ('2026-11-23 11:45Z', 'trade settled', 7, '{"result": "no", "payout": "4.000000"}');

INSERT INTO halts (brake, cause, since, set_by, way_out, cleared_at, cleared_by) VALUES
    ('halt', 'before the cash was ever compared', '2026-11-22 09:00Z', 'me', 'recio resume', '2026-11-22 09:01Z', 'me');
INSERT INTO cash_openings (at, balance, booked, halts_before) VALUES ('2026-11-22 10:00Z', 1000, 0, 1);
INSERT INTO halts (brake, cause, since, set_by, way_out, cleared_at, cleared_by, after_trade) VALUES
    ('halt', 'cash at the venue differs by +5.000000 dollars from the books: no fill or settlement explains it',
        '2026-11-23 11:00Z', 'failure_detector', 'compare', '2026-11-23 11:10Z', 'me', NULL),
    ('stop', 'order recio-abcd1234-2-entry-1 has no proven end', '2026-11-23 11:50Z', 'me', 'look', '2026-11-23 11:51Z', 'me', 5),
    ('flatten', 'flatten by hand', '2026-11-23 11:55Z', 'me', 'recio resume --by NAME', NULL, NULL, 9);
INSERT INTO brake_checks VALUES (4, 3, clock_timestamp(), NULL);
INSERT INTO order_groups (group_id, exchange_index) VALUES ('group', 2);
INSERT INTO switches (name, is_on, at, set_by, why) VALUES ('entry', false, '2026-11-23 11:56Z', 'me', 'lunch');
INSERT INTO why_not VALUES ('E', 'average', 'spread', 7, '2026-11-23 11:00Z', '2026-11-23 11:30Z', 'the spread is wide');
INSERT INTO trade_requests (ticker, side, quantity, price, asked_by, why, expires_at) VALUES
    ('M4', 'yes', 10, 0.52, 'me', 'a hunch', clock_timestamp() + interval '1 day'),
    ('M4', 'yes', 20, 0.52, 'me', 'another', clock_timestamp() + interval '1 day');
INSERT INTO trade_answers (request_id, wished, sentence) VALUES (1, true, 'handed on');
INSERT INTO shadow_trades (strategy, ticker, event_ticker, side, quantity, cost, fees, chance, why, decided_at, closes_at, result,
    settled_at, sold, proceeds, sold_at) VALUES
    ('bold', 'M1', 'E', 'yes', 10, 5, 0.17, 0.8, 'w', '2026-11-23 11:30Z', '2026-11-23 12:15Z', NULL, NULL, 4, 2.4, NULL),
    ('bold', 'M2', 'E', 'yes', 10, 5, 0.17, 0.7, 'w', '2026-11-23 11:31Z', '2026-11-23 12:15Z', NULL, NULL, 10, 6,
        '2026-11-23 11:40Z'),
    ('bold', 'M3', 'E', 'no', 10, 5, 0.17, 0.6, 'w', '2026-11-23 11:32Z', '2026-11-23 11:45Z', 'yes', '2026-11-23 11:46Z', 0, 0, NULL),
    ('bold', 'M4', 'E', 'no', 0, 0, 0, 0.6, 'w', '2026-11-23 11:33Z', '2026-11-23 12:15Z', NULL, NULL, 0, 0, NULL);
INSERT INTO fingerprint_models (symbol, digest, candles_from, candles_to, minutes, parameters)
VALUES ('BTC', repeat('a', 64), '2026-01-01Z', '2026-02-01Z', 44640, '{"window": 30}');
INSERT INTO fingerprint_buckets VALUES (1, 0, 100, array_fill(0.25::float8, ARRAY[2460]), array_fill(0.75::float8, ARRAY[2460]));
UPDATE schema_version SET version = 12;
