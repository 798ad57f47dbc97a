"""Trades and their figures: one function per operation, each taking an open connection; written by trade_manager only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from asyncpg import Record

from recio.db.connection import Connection
from recio.messages.orders import GUARD, OWN, STOP_PRICE, TAKE_PROFIT, Guard, TradeState, TradeView
from recio.rules.account.reconcile import MarketLedger
from recio.units import (
    EventTicker,
    Money,
    Side,
    Ticker,
    TradeId,
    money_decimal,
    money_of,
    price,
    quantity_of,
)

_ONE = "SELECT * FROM trades WHERE trade_id = $1"
_LIVE_ON = "SELECT trade_id FROM trades WHERE ticker = $1 AND state NOT IN ('closed', 'void')"
_LIVE_AND_OF = "SELECT * FROM trades WHERE is_live OR trade_id = ANY($1::bigint[]) ORDER BY trade_id"
_MOVE = "UPDATE trades SET state = $2 WHERE trade_id = $1"
_END = "UPDATE trades SET state = $2, closed_at = $3, ended_by = $4, payout = $5 WHERE trade_id = $1"
_MOVE_CLOSE = """
    UPDATE trades SET closes_at = $2 WHERE ticker = $1 AND is_live AND closes_at <> $2 RETURNING trade_id
"""
_LEDGERS = """
    SELECT p.ticker, p.yes, p.no, s.ticker IS NOT NULL AS is_settled, p.yes - p.no
        - coalesce((t.entry_quantity - t.exit_quantity) * CASE t.side WHEN 'yes' THEN 1 ELSE -1 END, 0) AS external
    FROM market_positions AS p LEFT JOIN settlements AS s ON s.ticker = p.ticker
    LEFT JOIN trades AS t ON t.ticker = p.ticker AND t.state NOT IN ('closed', 'void')
    WHERE p.ticker = ANY($1::text[])
"""
_EVER_TRADED = "SELECT ticker FROM market_entries WHERE ticker = ANY($1::text[])"


async def one(connection: Connection, trade_id: TradeId) -> TradeView:
    """Raises KeyError for a trade that does not exist."""
    row = await connection.fetchrow(_ONE, trade_id)
    if row is None:
        raise KeyError(trade_id)
    return trade_view(row)


async def live_on(connection: Connection, ticker: Ticker) -> TradeId | None:
    """The live trade on a market; there is never more than one."""
    return await connection.fetchval(_LIVE_ON, ticker)


async def live_and_of(connection: Connection, trade_ids: Iterable[TradeId]) -> tuple[TradeView, ...]:
    """Every live trade, and those named that have ended meanwhile."""
    return tuple(trade_view(row) for row in await connection.fetch(_LIVE_AND_OF, list(trade_ids)))


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


async def was_traded(connection: Connection, ticker: Ticker) -> bool:
    """Whether recio ever ordered on this market."""
    return bool(await ever_traded(connection, [ticker]))


async def ever_traded(connection: Connection, tickers: list[Ticker]) -> frozenset[Ticker]:
    """Which of these markets recio ever traded."""
    return frozenset(Ticker(row["ticker"]) for row in await connection.fetch(_EVER_TRADED, tickers))


async def ledgers(connection: Connection, tickers: Iterable[Ticker]) -> dict[Ticker, MarketLedger]:
    """What the posted fills of these markets add up to, and what of it no live trade holds; none where nothing was posted."""
    return {
        Ticker(row["ticker"]): MarketLedger(
            yes=quantity_of(row["yes"]),
            no=quantity_of(row["no"]),
            external=quantity_of(row["external"]),
            is_settled=row["is_settled"],
        )
        for row in await connection.fetch(_LEDGERS, list(tickers))
    }


def trade_view(row: Record) -> TradeView:
    """From a whole row of trades."""
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
        exits_met=row["exits_met"],
        guard=guard_of(row["inputs"]),
    )


def guard_of(inputs: Mapping[str, str]) -> Guard | None:
    """Of what a trade was opened from: its own stops, where whoever asked for it gave it some, or wanted none."""
    if inputs.get(GUARD) != OWN:
        return None
    stop, goal = inputs.get(STOP_PRICE), inputs.get(TAKE_PROFIT)
    return Guard(stop_price=price(stop) if stop else None, take_profit=price(goal) if goal else None)
