"""Trades and their figures: one function per operation, each taking an open connection; written by trade_manager only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from asyncpg import Record

from recio.db.connection import Connection
from recio.messages.decisions import OpenIntent
from recio.messages.orders import TradeState, TradeView
from recio.rules.account.lifecycle import COUNTED
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.units import (
    EventTicker,
    Money,
    Side,
    Ticker,
    TradeId,
    money_decimal,
    money_of,
    quantity_of,
)

_COLUMNS = """
    SELECT t.trade_id, t.strategy, t.ticker, t.event_ticker, t.exchange_index, t.side, t.state, t.opened_at,
           t.closes_at, t.closed_at, t.ended_by, t.payout, t.why,
           f.entry_quantity, f.entry_cost, f.exit_quantity, f.exit_proceeds, f.fees
    FROM trades t JOIN trade_figures f USING (trade_id)
"""
_INSERT = """
    INSERT INTO trades (strategy, ticker, event_ticker, exchange_index, side, state, opened_at, closes_at,
                        why, inputs)
    VALUES ($1, $2, $3, $4, $5, 'opening', $6, $7, $8, $9)
    RETURNING trade_id
"""
_LIVE = _COLUMNS + " WHERE NOT has_ended(t.state) ORDER BY t.trade_id"
_ONE = _COLUMNS + " WHERE t.trade_id = $1"
_RECENT = _COLUMNS + " WHERE has_ended(t.state) ORDER BY t.closed_at DESC, t.trade_id DESC LIMIT $1"
_LIVE_ON = "SELECT trade_id FROM trades WHERE ticker = $1 AND NOT has_ended(state)"
_MOVE = "UPDATE trades SET state = $2 WHERE trade_id = $1"
_END = "UPDATE trades SET state = $2, closed_at = $3, ended_by = $4, payout = $5 WHERE trade_id = $1"
_MOVE_CLOSE = """
    UPDATE trades SET closes_at = $2 WHERE ticker = $1 AND NOT has_ended(state) AND closes_at <> $2 RETURNING trade_id
"""
_TODAY = """
    SELECT coalesce(sum(f.pnl), 0) AS realised, coalesce(sum(f.fees), 0) AS fees,
           count(*) FILTER (WHERE f.pnl > 0) AS wins, count(*) FILTER (WHERE f.pnl < 0) AS losses
    FROM trades t JOIN trade_figures f USING (trade_id)
    WHERE t.state = 'closed' AND t.closed_at >= $1
"""
_ENTRIES = """
    SELECT event_ticker, count(*) AS entries FROM trades
    WHERE state <> 'void' AND closes_at > $1 GROUP BY event_ticker
"""
_BY_MARKET = """
    SELECT ticker, count(*) AS entries FROM trades
    WHERE state <> 'void' AND closes_at > $1 GROUP BY ticker
"""
_LAST_ENTRY = """
    SELECT ticker, max(opened_at) AS at FROM trades
    WHERE closes_at > $1 GROUP BY ticker
"""
_IN_A_ROW = "SELECT losses_in_a_row()"
_EVER_TRADED = "SELECT DISTINCT ticker FROM trades WHERE ticker = ANY($1::text[])"


async def insert(connection: Connection, intent: OpenIntent) -> TradeId:
    """A new trade in state opening. The database refuses a second live one on the same market."""
    trade_id = await connection.fetchval(
        _INSERT,
        intent.strategy,
        intent.ticker,
        intent.event_ticker,
        intent.exchange_index,
        intent.side.value,
        intent.decided_at,
        intent.closes_at,
        intent.why,
        dict(intent.inputs),
    )
    reached(CrashPoint.ENTRY_TRADE_WRITTEN)
    return TradeId(trade_id)


async def live(connection: Connection) -> tuple[TradeView, ...]:
    return tuple(_view(row) for row in await connection.fetch(_LIVE))


async def recent(connection: Connection, limit: int) -> tuple[TradeView, ...]:
    """The last ended trades, newest first."""
    return tuple(_view(row) for row in await connection.fetch(_RECENT, limit))


async def one(connection: Connection, trade_id: TradeId) -> TradeView:
    """Raises KeyError for a trade that does not exist."""
    row = await connection.fetchrow(_ONE, trade_id)
    if row is None:
        raise KeyError(trade_id)
    return _view(row)


async def live_on(connection: Connection, ticker: Ticker) -> TradeId | None:
    """The live trade on a market; there is never more than one."""
    return await connection.fetchval(_LIVE_ON, ticker)


async def move(connection: Connection, trade_id: TradeId, state: TradeState) -> None:
    await connection.execute(_MOVE, trade_id, state.value)


async def move_close(connection: Connection, ticker: Ticker, closes_at: datetime) -> TradeId | None:
    """The live trade whose close this changed, if there is one."""
    return await connection.fetchval(_MOVE_CLOSE, ticker, closes_at)


async def end(
    connection: Connection,
    trade_id: TradeId,
    state: TradeState,
    at: datetime,
    ended_by: str,
    payout: Money = Money(0),  # noqa: B008 - an immutable integer
) -> None:
    await connection.execute(_END, trade_id, state.value, at, ended_by, money_decimal(payout))


async def today(connection: Connection, midnight: datetime) -> tuple[Money, Money, int, int]:
    """(realised profit, fees, wins, losses) of the trades that ended since `midnight`."""
    row = await connection.fetchrow(_TODAY, midnight)
    if row is None:
        return Money(0), Money(0), 0, 0
    return money_of(row["realised"]), money_of(row["fees"]), row["wins"], row["losses"]


async def losses_in_a_row(connection: Connection) -> int:
    """Losses since the last gain, and since the last halt that somebody cleared."""
    return await connection.fetchval(_IN_A_ROW)


async def entries_by_event(connection: Connection, now: datetime) -> Mapping[EventTicker, int]:
    """How many entries each event of the last hour or later has seen, void ones left out."""
    rows = await connection.fetch(_ENTRIES, now - COUNTED)
    return {EventTicker(row["event_ticker"]): row["entries"] for row in rows}


async def entries_by_market(connection: Connection, now: datetime) -> Mapping[Ticker, int]:
    """How many entries each market of the last hour or later has seen, void ones left out."""
    rows = await connection.fetch(_BY_MARKET, now - COUNTED)
    return {Ticker(row["ticker"]): row["entries"] for row in rows}


async def last_entries(connection: Connection, now: datetime) -> Mapping[Ticker, datetime]:
    """When an entry was last sent on each market of the last hour or later, void ones included."""
    rows = await connection.fetch(_LAST_ENTRY, now - COUNTED)
    return {Ticker(row["ticker"]): row["at"] for row in rows}


async def ever_traded(connection: Connection, tickers: list[Ticker]) -> frozenset[Ticker]:
    """Which of these markets recio ever traded."""
    return frozenset(Ticker(row["ticker"]) for row in await connection.fetch(_EVER_TRADED, tickers))


def _view(row: Record) -> TradeView:
    return TradeView(
        trade_id=TradeId(row["trade_id"]),
        strategy=row["strategy"],
        ticker=Ticker(row["ticker"]),
        event_ticker=EventTicker(row["event_ticker"]),
        exchange_index=row["exchange_index"],
        side=Side(row["side"]),
        state=TradeState(row["state"]),
        opened_at=row["opened_at"],
        closes_at=row["closes_at"],
        closed_at=row["closed_at"],
        entry_quantity=quantity_of(row["entry_quantity"]),
        entry_cost=money_of(row["entry_cost"]),
        exit_quantity=quantity_of(row["exit_quantity"]),
        exit_proceeds=money_of(row["exit_proceeds"]),
        fees=money_of(row["fees"]),
        payout=money_of(row["payout"]),
        why=row["why"],
        ended_by=row["ended_by"],
    )
