"""Live beside paper, a row for each day and strategy, and live's own orders to be compared; the rows are written by `recio score --parity` only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from asyncpg import Record

from recio.db.connection import Connection
from recio.messages.orders import OrderPurpose
from recio.report.parity import ParityDay, ParitySpan
from recio.units import (
    BookSide,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    TradeId,
    money_decimal,
    money_of,
    price_of,
    quantity_decimal,
    quantity_of,
)

_COLUMNS = """day, strategy, trades, orders, unrecorded, decisions, decided_otherwise, live_contracts, paper_contracts,
    price_difference, fee_difference, compared, live_pnl, paper_pnl, closes, squares, luck"""
_KEEP = f"""
    INSERT INTO parity_days ({_COLUMNS}, span_closes, span_difference, span_low, span_high, parted, made_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
    ON CONFLICT (day, strategy) DO UPDATE SET ({_COLUMNS}, span_closes, span_difference, span_low, span_high, parted, made_at) =
        ROW (EXCLUDED.*)
"""
_SINCE = f"SELECT {_COLUMNS} FROM parity_days WHERE strategy = $1 AND day > $2 AND day < $3 ORDER BY day"
_NEWEST = f"""
    SELECT {_COLUMNS}, span_closes, span_difference, span_low, span_high, parted FROM parity_days
    ORDER BY day DESC, strategy LIMIT $1
"""
# The newest row of each strategy, of the last four weeks that have rows: however long the past is.
PARTED = """
    SELECT strategy FROM (
        SELECT DISTINCT ON (strategy) strategy, parted FROM parity_days
        WHERE day > (SELECT max(day) FROM parity_days) - 28 ORDER BY strategy, day DESC
    ) AS newest WHERE parted ORDER BY strategy
"""
_TRADES = """
    SELECT t.trade_id, t.strategy, t.ticker, t.side, t.opened_at, t.closes_at, t.closed_at, t.payout, t.entry_cost,
           t.exit_proceeds, t.fees, s.result, s.value
    FROM trades AS t LEFT JOIN settlements AS s USING (ticker)
    WHERE t.opened_at >= $1 AND t.opened_at < $2 AND t.strategy <> $3 ORDER BY t.trade_id
"""
_ORDERS = """
    SELECT o.trade_id, o.purpose, o.book_side, o.price, o.quantity, o.created_at, min(f.at) AS filled_at,
           coalesce(sum(f.quantity), 0) AS filled, coalesce(sum(f.quantity * own_price(t.side, f.price)), 0) AS value,
           coalesce(sum(f.fee), 0) AS fees
    FROM orders AS o JOIN trades AS t USING (trade_id) LEFT JOIN fills AS f USING (venue_order_id)
    WHERE o.trade_id = ANY ($1) GROUP BY o.client_order_id, t.side ORDER BY o.created_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    trade_id: TradeId
    purpose: OrderPurpose
    book_side: BookSide
    price: Price
    quantity: Quantity
    created_at: datetime
    filled_at: datetime | None
    filled: Quantity
    value: Money
    """In prices of the trade's own side."""
    fees: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRow:
    trade_id: TradeId
    strategy: str
    ticker: Ticker
    side: Side
    opened_at: datetime
    closes_at: datetime
    pnl: Money | None
    """None while it is held."""
    result: Side | None
    """None also where neither side won."""
    value: Price | None
    """What one contract of YES paid; None while its market is not settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDay:
    """A row with what it stood at."""

    day: ParityDay
    span_closes: int
    span_difference: Money
    low: Decimal | None
    high: Decimal | None
    parted: bool


async def live_trades(
    connection: Connection, since: datetime, until: datetime, manual: str
) -> tuple[list[TradeRow], list[OrderRow]]:
    """Trades that strategies decided on in this time, not those of a person's, with all their orders."""
    trades = [_trade(row) for row in await connection.fetch(_TRADES, since, until, manual)]
    orders = await connection.fetch(_ORDERS, [each.trade_id for each in trades])
    return trades, [_order(row) for row in orders]


async def before(connection: Connection, strategy: str, since: date, until: date) -> list[ParityDay]:
    """After the one and before the other, ascending."""
    return [_day(row) for row in await connection.fetch(_SINCE, strategy, since, until)]


async def keep(connection: Connection, day: ParityDay, stands: ParitySpan, made_at: datetime) -> None:
    """Take the place of what was kept of the same day and strategy."""
    low, high = _to_the_micro_dollar(stands)
    await connection.execute(
        _KEEP,
        day.day,
        day.strategy,
        day.trades,
        day.orders,
        day.unrecorded,
        day.decisions,
        day.decided_otherwise,
        quantity_decimal(day.live_contracts),
        quantity_decimal(day.paper_contracts),
        money_decimal(day.price_difference),
        money_decimal(day.fee_difference),
        day.compared,
        money_decimal(day.live_pnl),
        money_decimal(day.paper_pnl),
        day.closes,
        Decimal(day.squares).scaleb(-12),
        Decimal(day.luck).scaleb(-12),
        stands.closes,
        money_decimal(stands.difference),
        low,
        high,
        low is not None and high is not None and (low > 0 or high < 0),
        made_at,
    )


def _to_the_micro_dollar(stands: ParitySpan) -> tuple[Decimal | None, Decimal | None]:
    """The interval as the row can hold it; what it says is said of these figures."""
    if stands.interval is None:
        return None, None
    return round(Decimal(stands.interval.low), 6), round(Decimal(stands.interval.high), 6)


async def newest(connection: Connection, most: int) -> list[KeptDay]:
    """The last rows, newest first."""
    return [
        KeptDay(
            day=_day(row),
            span_closes=row["span_closes"],
            span_difference=money_of(row["span_difference"]),
            low=row["span_low"],
            high=row["span_high"],
            parted=row["parted"],
        )
        for row in await connection.fetch(_NEWEST, most)
    ]


def _day(row: Record) -> ParityDay:
    return ParityDay(
        day=row["day"],
        strategy=row["strategy"],
        trades=row["trades"],
        orders=row["orders"],
        unrecorded=row["unrecorded"],
        decisions=row["decisions"],
        decided_otherwise=row["decided_otherwise"],
        live_contracts=quantity_of(row["live_contracts"]),
        paper_contracts=quantity_of(row["paper_contracts"]),
        price_difference=money_of(row["price_difference"]),
        fee_difference=money_of(row["fee_difference"]),
        compared=row["compared"],
        live_pnl=money_of(row["live_pnl"]),
        paper_pnl=money_of(row["paper_pnl"]),
        closes=row["closes"],
        squares=int(row["squares"].scaleb(12)),
        luck=int(row["luck"].scaleb(12)),
    )


def _trade(row: Record) -> TradeRow:
    pnl = row["exit_proceeds"] + row["payout"] - row["entry_cost"] - row["fees"]
    return TradeRow(
        trade_id=TradeId(row["trade_id"]),
        strategy=row["strategy"],
        ticker=Ticker(row["ticker"]),
        side=Side(row["side"]),
        opened_at=row["opened_at"],
        closes_at=row["closes_at"],
        pnl=None if row["closed_at"] is None else money_of(pnl),
        result=Side(row["result"]) if row["result"] in ("yes", "no") else None,
        value=None if row["value"] is None else price_of(row["value"]),
    )


def _order(row: Record) -> OrderRow:
    return OrderRow(
        trade_id=TradeId(row["trade_id"]),
        purpose=OrderPurpose(row["purpose"]),
        book_side=BookSide(row["book_side"]),
        price=price_of(row["price"]),
        quantity=quantity_of(row["quantity"]),
        created_at=row["created_at"],
        filled_at=row["filled_at"],
        filled=quantity_of(row["filled"]),
        value=money_of(row["value"]),
        fees=money_of(row["fees"]),
    )
