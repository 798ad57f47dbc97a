"""Rows of every list of the past, of each kind, with gaps where the old system says nothing; for tests of the lists."""

from __future__ import annotations

from recio.db.connection import Connection, transaction
from tests.db.trigger_scenarios import insert
from tests.history import add_history
from tests.runs import begun
from tests.tasks.status_server import Pool

TRADES = 24
_OLD = """
    INSERT INTO imported_trades (mode, ticker, number, side, source, quantity, entry_cost, exit_proceeds, payout, fees,
        net_pnl, opened_at, closed_at, doubtful, ledger_key, disagreements)
    SELECT mode, 'KXBTCD-25AUG0117-T' || i / 2, 1 + i % 2, 'no', 'fills', 2, 0.8, i % 3 * 0.5, i % 2 * 2, 0.04,
        i % 3 * 0.5 + i % 2 * 2 - 0.84, TIMESTAMPTZ '2025-08-01 20:00Z' + i * interval '1 hour',
        CASE WHEN i % 4 > 0 THEN TIMESTAMPTZ '2025-08-01 21:00Z' + i / 3 * interval '1 hour' END, false, NULL, '[]'
    FROM generate_series(1, 12) AS i CROSS JOIN unnest(ARRAY['prod', 'demo']) AS mode;
    INSERT INTO imported_orders (mode, order_id, ticker, side, action, status, filled, cost, fees, at, trust)
    SELECT mode, 'old-' || i, 'KXBTCD-25AUG0117-T' || i / 2, 'no', 'buy', 'executed', 2, 0.8, CASE WHEN i % 2 = 0 THEN 0.04 END,
        CASE WHEN i % 3 > 0 THEN TIMESTAMPTZ '2025-08-01 20:00Z' + i / 2 * interval '1 hour' END, 3
    FROM generate_series(1, 12) AS i CROSS JOIN unnest(ARRAY['prod', 'demo']) AS mode;
    INSERT INTO imported_fills (mode, fill_id, order_id, ticker, side, action, quantity, price, fee, at, doubtful, trust)
    SELECT mode, 'oldfill-' || i, 'old-' || i, 'KXBTCD-25AUG0117-T' || i / 2, 'no', 'buy', 2, 0.4, CASE WHEN i % 2 = 0 THEN 0.04 END,
        TIMESTAMPTZ '2025-08-01 20:00Z' + i / 2 * interval '1 hour', i % 5 = 0, 3
    FROM generate_series(1, 12) AS i CROSS JOIN unnest(ARRAY['prod', 'demo']) AS mode;
    INSERT INTO imported_settlements (mode, ticker, settled_at, result, yes_quantity, yes_cost, no_quantity, no_cost, revenue, fees,
        value, trust)
    SELECT mode, 'KXBTCD-25AUG0117-T' || i / 2, TIMESTAMPTZ '2025-08-01 22:00Z' + i % 2 * interval '1 hour', 'no', 0, NULL, 2, 0.8, 2, 0,
        0, 2
    FROM generate_series(1, 12) AS i CROSS JOIN unnest(ARRAY['prod', 'demo']) AS mode;
"""
_ALERTS = """
    INSERT INTO alerts (alert_id, cause, severity, sentence, resolution, began_at, told, told_at, ended_at, acknowledged_by)
    SELECT lpad(i::text, 32, '0'), 'book ' || i, CASE WHEN i % 3 = 0 THEN 'critical' ELSE 'warning' END,
        'the book of KXBTC15M-' || i || ' is old', 'look at the venue', at, 1 + i % 2, at,
        CASE WHEN i > 3 THEN at + interval '5 min' END, CASE WHEN i % 5 = 0 THEN 'anna' ELSE '' END
    FROM (SELECT i, TIMESTAMPTZ '2026-11-20 12:00Z' + i / 2 * interval '1 hour' AS at FROM generate_series(1, 12) AS i) AS g;
    INSERT INTO alert_deliveries (delivery_id, channel, severity, text, at, state, attempts, done_at, why)
    SELECT lpad(i::text, 32, '0'), channel, 'warning', 'the book of KXBTC15M-' || i || ' is old. look at the venue', at,
        CASE channel WHEN 'mail' THEN 'failed' ELSE 'sent' END, 1, at, CASE channel WHEN 'mail' THEN 'the channel answered 503' ELSE '' END
    FROM (SELECT i, TIMESTAMPTZ '2026-11-20 12:00Z' + i / 2 * interval '1 hour' AS at, CASE WHEN i % 4 = 0 THEN 'mail' ELSE 'phone' END
        AS channel FROM generate_series(1, 12) AS i) AS g;
"""
_DEEDS = """
    INSERT INTO switches (name, is_on, at, set_by, why) VALUES ('entry', false, now(), 'anna', 'news'), ('entry', true, now(), 'bert', '');
    INSERT INTO halts (cause, since, set_by, resolution, after_trade) VALUES ('by hand', now(), 'anna', 'resume', 1);
    UPDATE halts SET cleared_at = now(), cleared_by = 'bert' WHERE cause = 'by hand';
    INSERT INTO page_acts (key, kind, asked, asked_by) VALUES ('12345678', 'halt', '{"why": "news"}', 'anna');
    INSERT INTO audit_log (at, kind, detail) VALUES (now(), 'order pending', '{"why": "model gives yes 61 %"}');
    INSERT INTO trade_closes (trade_id, floor, asked_by, why, asked_at) SELECT max(trade_id), 0.3, 'anna', 'enough', now() FROM trades;
"""
FOREIGN = {"fill_id": "foreign", "venue_order_id": "v-of-somebody", "ticker": "KXETHD-26NOV2312-T4000"}
"""A fill of an order that recio did not place."""


async def add_past(pool: Pool) -> None:
    """The rows of `tests.history`, a live trade, what people did, alerts, and two accounts of the old system."""
    async with transaction(pool) as connection:
        await begun(connection)
        await add_history(connection, 1, TRADES)
    async with transaction(pool) as connection:
        await _add_rest(connection)


async def _add_rest(connection: Connection) -> None:
    await insert(
        connection,
        "trades",
        {"trade_id": 10_000, "ticker": "KXBTC15M-LIVE", "entry_quantity": 10, "entry_cost": 5},
    )
    await insert(connection, "fills", FOREIGN)
    await connection.execute(_DEEDS)
    await connection.execute(_ALERTS)
    await connection.execute(_OLD)
