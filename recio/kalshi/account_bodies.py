"""Turns rows of the account's lists into messages, exactly; a row that is not understood is never completed."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from recio import units
from recio.errors import Transient
from recio.kalshi.amounts import contract_count, from_unix_ms, trade_price
from recio.kalshi.responses import Instant, read_amount
from recio.messages.account import FillSeen, OrderSeen, VenueOrderStatus
from recio.units import (
    PAYOUT_PER_UNIT,
    BookSide,
    ClientOrderId,
    FillId,
    Money,
    Quantity,
    Ticker,
    VenueOrderId,
)

ROWS_PER_PAGE = "1000"


class PositionBody(msgspec.Struct):
    ticker: str
    position_fp: str
    market_exposure_dollars: str | None = None


class Positions(msgspec.Struct):
    market_positions: list[msgspec.Raw]
    cursor: str | None = None


class FillBody(msgspec.Struct):
    trade_id: str
    order_id: str
    ticker: str
    book_side: BookSide
    yes_price_dollars: str
    count_fp: str
    fee_cost: str
    is_taker: bool
    created_time: Instant | None = None
    ts: int | None = None
    """The same in whole seconds; either may be missing."""
    subaccount_number: int | None = None


class Fills(msgspec.Struct):
    fills: list[msgspec.Raw]
    cursor: str | None = None


class OrderBody(msgspec.Struct):
    order_id: str
    ticker: str
    status: VenueOrderStatus
    fill_count_fp: str
    remaining_count_fp: str
    client_order_id: str | None = None


class Orders(msgspec.Struct):
    orders: list[msgspec.Raw]
    cursor: str | None = None


def fill_from_row(each: FillBody) -> FillSeen:
    """Raises UnitError or Transient naming a field that is out of its unit."""
    return FillSeen(
        fill_id=FillId(each.trade_id),
        venue_order_id=VenueOrderId(each.order_id),
        ticker=Ticker(each.ticker),
        book_side=each.book_side,
        price=trade_price(each.yes_price_dollars),
        quantity=contract_count(each.count_fp, "count_fp", least=1),
        fee=read_amount(units.money, each.fee_cost, "fee_cost"),
        is_taker=each.is_taker,
        at=_happened(each),
        subaccount=each.subaccount_number or 0,
    )


def _happened(each: FillBody) -> datetime:
    if each.created_time is not None:
        return each.created_time.astimezone(UTC)
    if each.ts is None:
        raise Transient("a fill has neither created_time nor ts: without its time it cannot be booked")
    return from_unix_ms(each.ts * 1000, "ts")


def order_from_row(each: OrderBody) -> OrderSeen:
    """Raises UnitError naming a field that is out of its unit."""
    return OrderSeen(
        venue_order_id=VenueOrderId(each.order_id),
        client_order_id=ClientOrderId(each.client_order_id) if each.client_order_id else None,
        ticker=Ticker(each.ticker),
        status=each.status,
        filled=contract_count(each.fill_count_fp, "fill_count_fp"),
        remaining=contract_count(each.remaining_count_fp, "remaining_count_fp"),
    )


def position_from_row(each: PositionBody) -> tuple[Ticker, Quantity, Money]:
    """Market, signed position, + YES and - NO, and its cost: the venue's own figure, or the whole payout where it gives none,
    or one below nothing, which would free what limits bound."""
    quantity = read_amount(units.quantity, each.position_fp, "position_fp")
    return Ticker(each.ticker), quantity, _cost(each, quantity)


def list_params(since: datetime | None, ticker: Ticker | None = None) -> dict[str, str]:
    """The query of a list: all of it since a time, of one market or of all."""
    params = {"limit": ROWS_PER_PAGE}
    if since is not None:
        params["min_ts"] = str(int(since.timestamp()))
    return params | ({} if ticker is None else {"ticker": str(ticker)})


def _cost(each: PositionBody, quantity: Quantity) -> Money:
    told = each.market_exposure_dollars
    cost = None if told is None else read_amount(units.money, told, "market_exposure_dollars")
    return Money(abs(quantity) * PAYOUT_PER_UNIT) if cost is None or cost < 0 else cost
