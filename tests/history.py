"""Years of trading made by SQL: rows of every kind that a timer or an order's path might wade through, older than two days."""

from __future__ import annotations

from datetime import timedelta

from recio.db.connection import Connection
from tests.builders import NOW

LAST = NOW - timedelta(days=2)
STEPS = (
    """
    INSERT INTO trades (strategy, ticker, event_ticker, exchange_index, side, state, opened_at, closes_at, closed_at,
                        ended_by, payout, why, inputs)
    SELECT 'average', 'T-' || i, 'E-' || i / 2, 2, 'yes', CASE WHEN i % 5 = 0 THEN 'void' ELSE 'closed' END, at,
        at + interval '10 min', at + interval '11 min',
        CASE WHEN i % 5 = 0 THEN 'no fill' WHEN i % 2 = 0 THEN 'exit' ELSE 'settlement' END,
        CASE WHEN i % 5 <> 0 AND i % 2 = 1 AND i % 3 = 0 THEN 10 ELSE 0 END, 'why', '{"price": "84000.00"}'
    FROM (SELECT i, $3::timestamptz - (800000 - i) * interval '30 seconds' AS at FROM generate_series($1::int, $2::int) AS i) AS g
    """,
    """
    INSERT INTO orders (client_order_id, trade_id, purpose, attempt, ticker, exchange_index, book_side, price, quantity,
                        filled, reserved, ask, model_value, state, venue_order_id, fencing, created_at, ended_at, note)
    SELECT 'recio-old-' || t.ticker || '-' || purpose, trade_id, purpose, 1, t.ticker, 2,
        CASE purpose WHEN 'entry' THEN 'bid' ELSE 'ask' END, 0.52, 10, CASE t.state WHEN 'void' THEN 0 ELSE 10 END,
        5.4, 0.52, 0.55, CASE t.state WHEN 'void' THEN 'cancelled' ELSE 'filled' END, 'v-' || t.ticker || '-' || purpose,
        (SELECT min(fencing) FROM runs), opened_at, opened_at, 'accepted'
    FROM trades AS t CROSS JOIN unnest(ARRAY['entry', 'exit']) AS purpose
    WHERE t.ticker = ANY (SELECT 'T-' || i FROM generate_series($1::int, $2::int) AS i) AND $3::timestamptz IS NOT NULL
        AND (purpose = 'entry' OR ended_by = 'exit')
    """,
    """
    INSERT INTO fills (fill_id, venue_order_id, ticker, book_side, price, quantity, fee, is_taker, at)
    SELECT o.venue_order_id || '-' || k, o.venue_order_id, o.ticker, o.book_side, o.price, 5, 0.0874, true, o.created_at
    FROM orders AS o CROSS JOIN generate_series(1, 2) AS k
    WHERE o.ticker = ANY (SELECT 'T-' || i FROM generate_series($1::int, $2::int) AS i) AND $3::timestamptz IS NOT NULL
        AND o.filled > 0
    """,
    """
    INSERT INTO settlements (ticker, result, value, settled_at, revenue_cents) SELECT ticker, 'yes', 1, closed_at, 1000 FROM trades
    WHERE ticker = ANY (SELECT 'T-' || i FROM generate_series($1::int, $2::int) AS i) AND $3::timestamptz IS NOT NULL
        AND ended_by = 'settlement'
    """,
    """
    INSERT INTO ledger_transactions (at, kind, ticker, fill_id)
    SELECT at, 'fill', ticker, fill_id FROM fills AS f
    WHERE ticker = ANY (SELECT 'T-' || i FROM generate_series($1::int, $2::int) AS i) AND $3::timestamptz IS NOT NULL
    """,
    """
    INSERT INTO ledger_transactions (at, kind, ticker, settled_ticker)
    SELECT settled_at, 'settlement', ticker, ticker FROM settlements AS s
    WHERE ticker = ANY (SELECT 'T-' || i FROM generate_series($1::int, $2::int) AS i) AND $3::timestamptz IS NOT NULL
    """,
    """
    INSERT INTO postings (transaction_id, account, amount)
    SELECT l.transaction_id, a.account, a.amount FROM ledger_transactions AS l
    CROSS JOIN (VALUES ('cash', -2.6874), ('contracts', 2.6), ('fees', 0.0874)) AS a (account, amount)
    WHERE l.ticker = ANY (SELECT 'T-' || i FROM generate_series($1::int, $2::int) AS i) AND $3::timestamptz IS NOT NULL
    """,
    """
    INSERT INTO halts (cause, since, set_by, resolution, cleared_at, cleared_by, after_trade)
    SELECT CASE WHEN i % 2 = 0 THEN 'order ' ELSE 'halt ' END || i, $3, 'test', 'resume', $3, 'test', i - 1000000
    FROM generate_series($1::int, $2::int) AS i
    """,
    """
    INSERT INTO halt_verifications SELECT halt_id, 0, $3, NULL FROM halts
    WHERE cause = ANY (SELECT 'halt ' || i FROM generate_series($1::int, $2::int) AS i)
    """,
    """
    INSERT INTO switches (name, is_on, at, set_by)
    SELECT CASE WHEN i % 4 < 2 THEN 'entry' ELSE 'exit' END, i % 10 <> 5, $3, 'test'
    FROM generate_series($1::int, $2::int) AS i
    """,
    """
    INSERT INTO order_groups (group_id, exchange_index, made_at, gone_at) SELECT 'g-' || i, 2, $3, $3
    FROM generate_series($1::int, $2::int) AS i
    """,
    """
    INSERT INTO opening_balances (at, venue_balance, ledger_cash, halts_before) SELECT $3, 1000, 0, 0
    FROM generate_series($1::int, $2::int) AS i
    """,
    """
    INSERT INTO limit_grants (name, amount, granted_by, at, after_run)
    SELECT 'max_open_trades', 1, 'test', $3, (SELECT min(fencing) FROM runs) FROM generate_series($1::int, $2::int) AS i
    """,
    """
    WITH asked AS (
        INSERT INTO trade_requests (ticker, side, quantity, price, asked_by, why, asked_at, expires_at)
        SELECT 'T-' || i, 'yes', 1, 0.5, 'test', 'why', $3, $3::timestamptz + interval '1 min'
        FROM generate_series($1::int, $2::int) AS i RETURNING request_id)
    INSERT INTO trade_answers (request_id, accepted, sentence) SELECT request_id, false, 'no' FROM asked
    """,
    """
    WITH asked AS (
        INSERT INTO settlement_requests (ticker, value, asked_by, why, asked_at)
        SELECT 'T-' || i, 0.5, 'test', 'why', $3 FROM generate_series($1::int, $2::int) AS i RETURNING request_id)
    INSERT INTO settlement_answers (request_id, accepted, sentence) SELECT request_id, false, 'no' FROM asked
    """,
    """
    INSERT INTO paper_trades (strategy, ticker, event_ticker, side, quantity, cost, fees, probability, why, decided_at,
                              closes_at, result, settled_at)
    SELECT 'bold', 'T-' || i, 'E-' || i / 2, 'yes', 1, 0.5, 0, 0.5, 'why', at, at + interval '10 min', 'yes',
        at + interval '11 min'
    FROM (SELECT i, $3::timestamptz - (800000 - i) * interval '30 seconds' AS at FROM generate_series($1::int, $2::int) AS i) AS g
    """,
)


async def add_history(connection: Connection, first: int, last: int) -> None:
    """Trades `first` to `last` with all that they left; a run has begun. Triggers rest meanwhile, counters are made anew."""
    await connection.execute("SET statement_timeout = 0")
    await connection.execute("SET session_replication_role = replica")
    for step in STEPS:
        await connection.execute(step, first, last, LAST, timeout=600)
        await connection.execute(
            "ANALYZE trades, orders, fills, settlements, ledger_transactions", timeout=600
        )
    await connection.execute("SET session_replication_role = origin")
    await connection.execute("SELECT count_anew()", timeout=600)
    await connection.execute("ANALYZE", timeout=600)
