"""Where the rows of each list of the past come from: one query for each list and kind, with its columns by name; it runs none.

Every query has a column `key`, which no two rows of it share, and takes no parameter. Rows of the old system have a `mode`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from recio.db import past_trades
from recio.db.paper_trades import PAYOUT
from recio.report.past_trades import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    query: str
    key: str = "text"
    """The type of `key`."""
    sorted_by: Mapping[str, str] = field(default_factory=dict[str, str])
    """Queries that have the same rows sooner where all of them are sorted by this column."""
    may_lack_time: bool = False
    """Rows without a time are held, or of an old row that does not say: they pass every bound."""


def _trades(kind: Kind) -> Rows:
    query = f"""
        SELECT '{kind}' AS kind, number AS key, mode, number, strategy, ticker, side, quantity, entry_cost, exit_proceeds,
            CASE WHEN ended_by <> '' THEN payout END AS payout,
            fees, opened_at, closed_at, nullif(ended_by, '') AS ended_by, nullif(exit_reason, '') AS exit_reason, why,
            round(probability::numeric, 4) AS probability, round(entry_cost / quantity, 4) AS entry_price, net_pnl,
            CASE WHEN ended_by = '' THEN 'held' WHEN net_pnl > 0 THEN 'won' WHEN net_pnl < 0 THEN 'lost' WHEN net_pnl = 0 THEN 'even'
                ELSE 'unknown' END AS outcome
        FROM (
            SELECT t.*, CASE WHEN ended_by <> '' THEN (exit_proceeds + payout - entry_cost - fees)::numeric(18, 6) END AS net_pnl
            FROM ({past_trades.ROWS[kind]}) AS t
        ) AS t
    """
    return Rows(query=query, key="text" if kind is Kind.IMPORTED else "bigint", may_lack_time=True)


# A page looks up the fees of its own orders; whoever sorts by them has them added up in one pass over the fills.
_FEES_OF_ONE = "(SELECT sum(f.fee) FROM fills AS f WHERE f.venue_order_id = o.venue_order_id)"
_FEES_OF_ALL = """
    LEFT JOIN (SELECT venue_order_id, sum(fee) AS fees FROM fills GROUP BY venue_order_id) AS paid
    ON paid.venue_order_id = o.venue_order_id
"""
_ORDERS = """
    SELECT o.client_order_id AS key, o.created_at AS written_at, o.ticker, o.trade_id AS trade, t.strategy, o.purpose, t.side,
        own_price(t.side, o.price) AS "limit", o.quantity, o.filled, o.state, o.ended_at, o.ask, o.model_value,
        {fees} AS fees, nullif(o.note, '') AS note, o.client_order_id, o.venue_order_id
    FROM orders AS o JOIN trades AS t ON t.trade_id = o.trade_id {joined}
"""
_IMPORTED_ORDERS = """
    SELECT mode, order_id AS key, at AS written_at, ticker, action, side, filled, status AS state, cost, fees,
        order_id AS venue_order_id
    FROM imported_orders
"""
# A fill of an order that recio did not place has no side of ours.
_FILLS = """
    SELECT f.fill_id AS key, f.at, f.ticker, o.trade_id AS trade, t.strategy, o.purpose, t.side, f.quantity,
        s.price, (s.price * f.quantity)::numeric(18, 6) AS amount, f.fee,
        CASE WHEN f.is_taker THEN 'taken' ELSE 'made' END AS liquidity, f.book_side, f.price AS yes_price, f.fill_id,
        o.client_order_id, f.venue_order_id
    FROM fills AS f LEFT JOIN orders AS o ON o.venue_order_id = f.venue_order_id LEFT JOIN trades AS t ON t.trade_id = o.trade_id
    CROSS JOIN LATERAL (SELECT CASE WHEN t.side IS NOT NULL THEN own_price(t.side, f.price) END AS price) AS s
"""
_IMPORTED_FILLS = """
    SELECT mode, fill_id AS key, at, ticker, action, side, quantity, price, (price * quantity)::numeric(18, 6) AS amount, fee,
        CASE WHEN doubtful THEN 'yes' ELSE 'no' END AS doubtful, fill_id, nullif(order_id, '') AS venue_order_id
    FROM imported_fills
"""
_SETTLEMENTS = """
    SELECT concat_ws(' ', s.ticker, t.trade_id) AS key, s.settled_at, s.ticker, s.result, s.value, t.trade_id AS trade, t.strategy,
        t.side, t.payout, (t.exit_proceeds + t.payout - t.entry_cost - t.fees)::numeric(18, 6) AS net_pnl,
        (s.revenue_cents / 100.0)::numeric(18, 6) AS revenue, CASE s.set_by WHEN '' THEN 'the venue' ELSE s.set_by END AS settled_by,
        s.revision
    FROM settlements AS s LEFT JOIN trades AS t ON t.ticker = s.ticker AND t.ended_by = 'settlement'
"""
_SHADOW_SETTLEMENTS = f"""
    SELECT paper_trade_id AS key, settled_at, ticker, result, coalesce(value, CASE result WHEN 'yes' THEN 1.0000 ELSE 0.0000 END) AS value,
        paper_trade_id AS trade, strategy, side, payout, (proceeds + payout - cost - fees)::numeric(18, 6) AS net_pnl
    FROM (SELECT *, {PAYOUT} AS payout FROM paper_trades) AS p
    WHERE result IS NOT NULL AND quantity > 0
"""
_IMPORTED_SETTLEMENTS = """
    SELECT mode, ticker || ' ' || extract(epoch FROM settled_at) AS key, settled_at, ticker, nullif(result, '') AS result, value,
        yes_quantity, yes_cost, no_quantity, no_cost, revenue, fees
    FROM imported_settlements
"""
# A message may tell of several alerts, and an alert's figures change while it lasts: what is found are those with its last words.
_ALERTS = """
    SELECT alert_id AS key, began_at, severity, cause, sentence, nullif(resolution, '') AS resolution, told, told_at, ended_at,
        CASE WHEN ended_at IS NOT NULL THEN 'over' WHEN acknowledged_by <> '' THEN 'looked after' ELSE 'on' END AS state,
        nullif(acknowledged_by, '') AS acknowledged_by, (
            SELECT string_agg(concat_ws(' ', d.channel, d.state), ', ' ORDER BY d.at) FROM alert_deliveries AS d
            WHERE d.at >= began_at AND d.at <= coalesce(ended_at + interval '10 min', 'infinity') AND position(sentence IN d.text) > 0
        ) AS messages, alert_id
    FROM alerts
"""
_MESSAGES = """
    SELECT delivery_id AS key, at, channel, severity, state, attempts, done_at, text, nullif(why, '') AS why, delivery_id
    FROM alert_deliveries
"""
# What people did, and what a start changed: the rest of the log are the steps of trades, which their stories tell.
_ACTIONS = """
    SELECT a.seq AS key, a.at, coalesce(a.detail ->> 'by', 'a start') AS by, a.kind AS what,
        coalesce(a.detail ->> 'name', a.detail ->> 'cause', a.detail ->> 'act', a.detail ->> 'login', a.detail ->> 'label',
            a.detail ->> 'side') || coalesce(' of ' || (a.detail ->> 'strategy'), '') AS subject,
        coalesce(a.detail ->> 'from', (
            SELECT string_agg(key || ' ' || coalesce(value ->> 0, 'unset'), '; ' ORDER BY key) FROM jsonb_each(a.detail -> 'changed')
        )) AS "from",
        coalesce(a.detail ->> 'to', a.detail ->> 'level', a.detail ->> 'floor', a.detail ->> 'value',
            (a.detail ->> 'quantity') || ' at ' || (a.detail ->> 'price'), (
            SELECT string_agg(key || ' ' || coalesce(value ->> 1, 'unset'), '; ' ORDER BY key) FROM jsonb_each(a.detail -> 'changed')
        )) AS "to",
        coalesce(nullif(a.detail ->> 'why', ''), nullif(a.detail -> 'asked' ->> 'why', '')) AS why, a.trade_id AS trade,
        coalesce(a.detail ->> 'ticker', t.ticker) AS ticker, (a.detail ->> 'run')::bigint AS run, a.detail::text AS detail, a.seq
    FROM audit_log AS a LEFT JOIN trades AS t ON t.trade_id = a.trade_id
    WHERE a.detail ?| ARRAY['by', 'run']
"""
ROWS: Mapping[tuple[str, Kind], Rows] = {
    **{("trades", kind): _trades(kind) for kind in Kind},
    ("orders", Kind.REAL): Rows(
        query=_ORDERS.format(fees=_FEES_OF_ONE, joined=""),
        sorted_by={"fees": _ORDERS.format(fees="paid.fees", joined=_FEES_OF_ALL)},
    ),
    ("orders", Kind.IMPORTED): Rows(query=_IMPORTED_ORDERS, may_lack_time=True),
    ("fills", Kind.REAL): Rows(query=_FILLS),
    ("fills", Kind.IMPORTED): Rows(query=_IMPORTED_FILLS),
    ("settlements", Kind.REAL): Rows(query=_SETTLEMENTS),
    ("settlements", Kind.SHADOW): Rows(query=_SHADOW_SETTLEMENTS, key="bigint"),
    ("settlements", Kind.IMPORTED): Rows(query=_IMPORTED_SETTLEMENTS),
    ("alerts", Kind.REAL): Rows(query=_ALERTS),
    ("messages", Kind.REAL): Rows(query=_MESSAGES),
    ("actions", Kind.REAL): Rows(query=_ACTIONS, key="bigint"),
}
"""By list and kind."""
