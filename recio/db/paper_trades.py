"""Paper trades: what strategies in stage shadow would have bought and sold; written by the task shadow only, never ordered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from asyncpg import Record

from recio.db.connection import Connection
from recio.messages.decisions import OpenIntent, ShadowScore
from recio.paper.rows import PaperFill, PaperTrade
from recio.rules.account.lifecycle import COUNTED
from recio.rules.account.risk import RATE_SPAN
from recio.units import (
    ONE_DOLLAR,
    EventTicker,
    Price,
    Side,
    Ticker,
    TradeId,
    money_decimal,
    money_of,
    price_decimal,
    price_of,
    quantity_decimal,
    quantity_of,
)

_COLUMNS = """
    SELECT paper_trade_id, strategy, ticker, event_ticker, side, quantity, cost, fees, probability, why, decided_at, closes_at,
           result, value, settled_at, sold, proceeds, sold_at, exit_orders_at FROM paper_trades
"""
_INSERT = """
    INSERT INTO paper_trades (paper_trade_id, strategy, ticker, event_ticker, side, quantity, cost, fees, probability, why,
                              decided_at, closes_at)
    OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT DO NOTHING
"""
_COUNTED = (
    _COLUMNS
    + """
    WHERE (result IS NULL AND quantity > 0) OR closes_at > $1::timestamptz - $3::interval OR settled_at >= $2
       OR sold_at >= $2 OR decided_at > $1::timestamptz - interval '1 day'
    ORDER BY paper_trade_id
"""
)
_NEWEST = "SELECT coalesce(max(paper_trade_id), 0) FROM paper_trades"
_SETTLE = """
    UPDATE paper_trades SET result = $2, value = $3, settled_at = $4 WHERE ticker = $1 AND result IS NULL AND quantity > 0
"""
PAYOUT = """
    (quantity - sold) * CASE WHEN result = side THEN 1 WHEN result = 'scalar' AND side = 'yes' THEN value
                             WHEN result = 'scalar' THEN 1 - value ELSE 0 END
"""
"""SQL: dollars that what is held of a row of paper_trades was paid."""
_SELL = """
    UPDATE paper_trades SET sold = sold + $2, proceeds = proceeds + $3, fees = fees + $4,
           sold_at = CASE WHEN sold + $2 = quantity THEN $5::timestamptz END
    WHERE paper_trade_id = $1 AND result IS NULL AND sold + $2 <= quantity
"""
_EXIT_ORDER = """
    UPDATE paper_trades SET exit_orders_at = array_append(ARRAY(
        SELECT at FROM unnest(exit_orders_at) AS at WHERE at > $2::timestamptz - $3::interval), $2)
    WHERE paper_trade_id = $1
"""
_SUMS = f"""
    SELECT strategy, count(*) AS trades, count(*) FILTER (WHERE pnl > 0) AS won, sum(pnl) AS pnl,
           avg(probability) FILTER (WHERE result <> 'scalar') AS probability,
           avg((probability - CASE WHEN result = side THEN 1 ELSE 0 END) ^ 2) FILTER (WHERE result <> 'scalar') AS brier
    FROM (SELECT *, {PAYOUT} + proceeds - cost - fees AS pnl
          FROM paper_trades WHERE result IS NOT NULL OR sold_at IS NOT NULL) AS ended
    GROUP BY strategy
"""


async def insert(
    connection: Connection, trade_id: TradeId, intent: OpenIntent, filled: PaperFill | None
) -> bool:
    """Whether it was taken: a second live paper trade of a strategy on a market is not."""
    done = await connection.execute(
        _INSERT,
        trade_id,
        intent.strategy,
        intent.ticker,
        intent.event_ticker,
        intent.side.value,
        quantity_decimal(filled.quantity) if filled else 0,
        money_decimal(filled.value) if filled else 0,
        money_decimal(filled.fees) if filled else 0,
        intent.probability,
        intent.why,
        intent.decided_at,
        intent.closes_at,
    )
    return done == "INSERT 0 1"


async def newest(connection: Connection) -> int:
    """The id of the newest row; 0 before the first."""
    return await connection.fetchval(_NEWEST)


async def counted(connection: Connection, now: datetime) -> Sequence[PaperTrade]:
    """All that is live, and what the gates of the present still count."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return [_trade(row) for row in await connection.fetch(_COUNTED, now, midnight, COUNTED)]


async def settle(connection: Connection, ticker: Ticker, value: Price, at: datetime) -> None:
    """As one contract of YES pays `value`: all of the dollar or none of it is a side's, and anything between is neither's."""
    result = {0: Side.NO, ONE_DOLLAR: Side.YES}.get(value)
    word, kept = ("scalar", price_decimal(value)) if result is None else (result.value, None)
    await connection.execute(_SETTLE, ticker, word, kept, at)


async def record_exit_order(connection: Connection, trade_id: TradeId, decided_at: datetime) -> None:
    """An exit was tried, whatever it got: it counts towards the orders per minute; older times are dropped."""
    await connection.execute(_EXIT_ORDER, trade_id, decided_at, RATE_SPAN)


async def sell(connection: Connection, trade_id: TradeId, got: PaperFill, at: datetime) -> bool:
    """Whether so much was still held; `trade_id` is the paper_trade_id."""
    done = await connection.execute(
        _SELL, trade_id, quantity_decimal(got.quantity), money_decimal(got.value), money_decimal(got.fees), at
    )
    return done == "UPDATE 1"


async def scores(connection: Connection) -> dict[str, ShadowScore]:
    """Of all ended trades, by strategy."""
    return {
        row["strategy"]: ShadowScore(
            trades=row["trades"],
            won=row["won"],
            pnl=money_of(row["pnl"]),
            probability=row["probability"],
            brier=row["brier"],
        )
        for row in await connection.fetch(_SUMS)
    }


def _trade(row: Record) -> PaperTrade:
    return PaperTrade(
        paper_trade_id=row["paper_trade_id"],
        strategy=row["strategy"],
        ticker=Ticker(row["ticker"]),
        event_ticker=EventTicker(row["event_ticker"]),
        side=Side(row["side"]),
        quantity=quantity_of(row["quantity"]),
        cost=money_of(row["cost"]),
        fees=money_of(row["fees"]),
        probability=row["probability"],
        why=row["why"],
        decided_at=row["decided_at"],
        closes_at=row["closes_at"],
        result=Side(row["result"]) if row["result"] in ("yes", "no") else None,
        value=None if row["value"] is None else price_of(row["value"]),
        settled_at=row["settled_at"],
        sold=quantity_of(row["sold"]),
        proceeds=money_of(row["proceeds"]),
        sold_at=row["sold_at"],
        exit_orders_at=tuple(row["exit_orders_at"]),
    )
