"""The rows as trade_manager holds them: read whole at its start and to compare, and one transaction's at its end.

Each is one statement that costs the same however much has been traded before. It changes no row.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from asyncpg import Record

from recio.db.connection import Connection
from recio.db.orders import order_view
from recio.db.own_connection import Asks
from recio.db.trades import trade_view
from recio.rules.account.held import (
    SENT_KEPT,
    SLACK,
    DayFigures,
    EventEntries,
    Held,
    MarketEntries,
    Written,
)
from recio.rules.account.lifecycle import COUNTED, RECENT
from recio.units import ClientOrderId, EventTicker, Ticker, TradeId, money_of

LOAD = """
    SELECT ARRAY(SELECT t FROM trades AS t WHERE is_live ORDER BY trade_id) AS trades,
        ARRAY(SELECT o FROM orders AS o WHERE is_unfinished ORDER BY created_at, client_order_id) AS orders,
        ARRAY(SELECT t FROM trades AS t WHERE NOT is_live ORDER BY closed_at DESC, trade_id DESC LIMIT $4) AS ended,
        ARRAY(SELECT o FROM orders AS o ORDER BY created_at DESC, client_order_id DESC LIMIT $4) AS recent,
        ARRAY(SELECT d FROM day_figures AS d WHERE day >= $1::date) AS days,
        ARRAY(SELECT e FROM event_entries AS e WHERE closes_at > $2) AS events,
        ARRAY(SELECT m FROM market_entries AS m WHERE closes_at > $2) AS markets,
        losing_trades() AS losing, forgiven_up_to() AS forgiven,
        ARRAY(SELECT client_order_id FROM orders WHERE created_at > $3 ORDER BY created_at, client_order_id) AS sent,
        ARRAY(SELECT created_at FROM orders WHERE created_at > $3 ORDER BY created_at, client_order_id) AS sent_at
"""
_WRITTEN = """
    SELECT t AS trade, o AS placed, d AS day, e AS event, m AS market, losing_trades() AS losing
    FROM trades AS t
    LEFT JOIN orders AS o ON o.client_order_id = $2
    LEFT JOIN day_figures AS d ON d.day = (t.closed_at AT TIME ZONE 'UTC')::date
    LEFT JOIN event_entries AS e ON e.event_ticker = t.event_ticker
    LEFT JOIN market_entries AS m ON m.ticker = t.ticker
    WHERE t.trade_id = $1
"""


async def load(asks: Asks, now: datetime) -> Held:
    """All that is unfinished, what was finished last, and every counter that a limit or a gate may ask for."""
    row = await asks.fetchrow(LOAD, (now - SLACK).date(), now - COUNTED - SLACK, now - SENT_KEPT, RECENT)
    assert row is not None, "a SELECT without FROM has one row"
    return Held(
        trades={each.trade_id: each for each in map(trade_view, row["trades"])},
        orders={each.client_order_id: each for each in map(order_view, row["orders"])},
        recent_trades={each.trade_id: each for each in map(trade_view, row["ended"])},
        recent_orders={each.client_order_id: each for each in map(order_view, row["recent"])},
        days={each.day: each for each in map(_day, row["days"])},
        events={each.event_ticker: each for each in map(event_entries, row["events"])},
        markets={each.ticker: each for each in map(market_entries, row["markets"])},
        losing=_trade_ids(row["losing"]),
        forgiven=TradeId(row["forgiven"]),
        sent={ClientOrderId(name): at for name, at in zip(row["sent"], row["sent_at"], strict=True)},
    )


async def written(connection: Connection, trade_id: TradeId, touched: ClientOrderId | None) -> Written:
    """What this transaction has made of a trade, of one of its orders, and of what counts them."""
    row = await connection.fetchrow(_WRITTEN, trade_id, touched)
    if row is None:
        raise KeyError(trade_id)
    return Written(
        trade=trade_view(row["trade"]),
        order=None if row["placed"] is None else order_view(row["placed"]),
        is_unfinished=row["placed"] is not None and row["placed"]["is_unfinished"],
        day=None if row["day"] is None else _day(row["day"]),
        event=event_entries(row["event"]),
        market=market_entries(row["market"]),
        losing=_trade_ids(row["losing"]),
    )


def event_entries(row: Record) -> EventEntries:
    return EventEntries(
        event_ticker=EventTicker(row["event_ticker"]), closes_at=row["closes_at"], entries=row["entries"]
    )


def market_entries(row: Record) -> MarketEntries:
    return MarketEntries(
        ticker=Ticker(row["ticker"]),
        closes_at=row["closes_at"],
        entries=row["entries"],
        last_entry_at=row["last_entry_at"],
    )


def _day(row: Record) -> DayFigures:
    return DayFigures(
        day=row["day"],
        realised=money_of(row["realised"]),
        fees=money_of(row["fees"]),
        wins=row["wins"],
        losses=row["losses"],
    )


def _trade_ids(numbers: Iterable[int]) -> tuple[TradeId, ...]:
    return tuple(TradeId(each) for each in numbers)
