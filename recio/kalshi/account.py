"""What Kalshi says about our account: balance, positions, fills, orders, settlements; whole reads or none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
import structlog

from recio import units
from recio.errors import Transient
from recio.kalshi.rest import Instant, KalshiRest
from recio.messages import FillSeen, OrderSeen, SettlementSeen, VenueOrderStatus
from recio.units import (
    BookSide,
    ClientOrderId,
    FillId,
    Money,
    Quantity,
    Side,
    Ticker,
    VenueOrderId,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger()
T = TypeVar("T")
PAGE = "1000"


class _Shard(msgspec.Struct):
    exchange_index: int
    balance: str


class _Balance(msgspec.Struct):
    balance_dollars: str
    balance_breakdown: list[_Shard] | None = None


class _Position(msgspec.Struct):
    ticker: str
    position_fp: str


class _Positions(msgspec.Struct):
    market_positions: list[_Position]
    cursor: str = ""


class _Fill(msgspec.Struct):
    trade_id: str
    order_id: str
    ticker: str
    book_side: BookSide
    yes_price_dollars: str
    count_fp: str
    fee_cost: str
    is_taker: bool
    created_time: Instant


class _Fills(msgspec.Struct):
    fills: list[_Fill]
    cursor: str = ""


class _Order(msgspec.Struct):
    order_id: str
    ticker: str
    status: VenueOrderStatus
    fill_count_fp: str
    remaining_count_fp: str
    client_order_id: str | None = None


class _Orders(msgspec.Struct):
    orders: list[_Order]
    cursor: str = ""


class _Settlement(msgspec.Struct):
    ticker: str
    market_result: str
    revenue: int
    settled_time: Instant


class _Settlements(msgspec.Struct):
    settlements: list[_Settlement]
    cursor: str = ""


class _AsOf(msgspec.Struct):
    as_of_time: Instant


async def as_of(rest: KalshiRest) -> datetime:
    """How current the venue's account reads are, by its own clock."""
    return (await rest.read("/exchange/user_data_timestamp", _AsOf)).as_of_time.astimezone(UTC)


async def balance(rest: KalshiRest, exchange_index: int | None) -> Money:
    """Cash on the shard; the sum of all shards only where the venue does not break it down."""
    found = await rest.read("/portfolio/balance", _Balance)
    for shard in found.balance_breakdown or ():
        if shard.exchange_index == exchange_index:
            return _exact(units.money, shard.balance, "balance")
    if exchange_index is not None and found.balance_breakdown:
        return Money(0)
    return _exact(units.money, found.balance_dollars, "balance_dollars")


async def positions(rest: KalshiRest) -> dict[Ticker, Quantity]:
    """Signed positions, + YES and - NO; markets without one are left out."""
    held: dict[Ticker, Quantity] = {}
    for page in await rest.pages("/portfolio/positions", _Positions, {"limit": PAGE}):
        for each in page.market_positions:
            quantity = _exact(units.quantity, each.position_fp, "position_fp")
            if quantity:
                held[Ticker(each.ticker)] = quantity
    return held


async def fills(rest: KalshiRest, since: datetime | None) -> tuple[FillSeen, ...]:
    """Every fill since a time, oldest first."""
    found: list[FillSeen] = []
    for page in await rest.pages("/portfolio/fills", _Fills, _since(since)):
        found.extend(_fill(each) for each in page.fills)
    return tuple(sorted(found, key=lambda fill: fill.at))


async def orders(rest: KalshiRest, *, ticker: Ticker | None, since: datetime | None) -> tuple[OrderSeen, ...]:
    """Every order since a time, of one market or of all."""
    params = _since(since) | ({"ticker": str(ticker)} if ticker else {})
    found: list[OrderSeen] = []
    for page in await rest.pages("/portfolio/orders", _Orders, params):
        found.extend(_order(each) for each in page.orders)
    return tuple(found)


async def settlements(rest: KalshiRest, since: datetime | None) -> tuple[SettlementSeen, ...]:
    """Every settlement since a time; one that is neither yes nor no is reported and left out."""
    found: list[SettlementSeen] = []
    for page in await rest.pages("/portfolio/settlements", _Settlements, _since(since)):
        for each in page.settlements:
            if each.market_result not in ("yes", "no"):
                log.warning("settlement not understood", ticker=each.ticker, result=each.market_result)
                continue
            found.append(
                SettlementSeen(
                    ticker=Ticker(each.ticker),
                    result=Side(each.market_result),
                    settled_at=each.settled_time.astimezone(UTC),
                    revenue_cents=each.revenue,
                )
            )
    return tuple(found)


def _since(since: datetime | None) -> dict[str, str]:
    return {"limit": PAGE} | ({} if since is None else {"min_ts": str(int(since.timestamp()))})


def _fill(each: _Fill) -> FillSeen:
    return FillSeen(
        fill_id=FillId(each.trade_id),
        venue_order_id=VenueOrderId(each.order_id),
        ticker=Ticker(each.ticker),
        book_side=each.book_side,
        price=_exact(units.price, each.yes_price_dollars, "yes_price_dollars"),
        quantity=_exact(units.quantity, each.count_fp, "count_fp"),
        fee=_exact(units.money, each.fee_cost, "fee_cost"),
        is_taker=each.is_taker,
        at=each.created_time.astimezone(UTC),
    )


def _order(each: _Order) -> OrderSeen:
    return OrderSeen(
        venue_order_id=VenueOrderId(each.order_id),
        client_order_id=ClientOrderId(each.client_order_id) if each.client_order_id else None,
        ticker=Ticker(each.ticker),
        status=each.status,
        filled=_exact(units.quantity, each.fill_count_fp, "fill_count_fp"),
        remaining=_exact(units.quantity, each.remaining_count_fp, "remaining_count_fp"),
    )


def _exact(unit: Callable[[str], T], text: str, field: str) -> T:
    try:
        return unit(text)
    except units.UnitError as error:
        raise Transient(f"the venue's field {field}: {error}") from error
