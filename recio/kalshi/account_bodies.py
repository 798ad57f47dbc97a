"""Rows of the account as the venue writes them, and their exact conversion; a row that is not understood is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from recio import units
from recio.kalshi.answers import Instant, exact
from recio.messages.account import FillSeen, OrderSeen, VenueOrderStatus
from recio.units import (
    PAYOUT_PER_UNIT,
    BookSide,
    ClientOrderId,
    FillId,
    Money,
    Price,
    Quantity,
    Ticker,
    VenueOrderId,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDetail:
    """Everything about one order; money is what it has cost so far."""

    seen: OrderSeen
    book_side: BookSide
    price: Price
    """YES terms."""
    initial: Quantity
    fill_cost: Money
    fees: Money
    created_at: datetime | None
    expires_at: datetime | None
    order_group_id: str | None
    exchange_index: int | None


class PositionBody(msgspec.Struct):
    ticker: str
    position_fp: str
    market_exposure_dollars: str | None = None


class Positions(msgspec.Struct):
    market_positions: list[PositionBody]
    cursor: str = ""


class FillBody(msgspec.Struct):
    trade_id: str
    order_id: str
    ticker: str
    book_side: BookSide
    yes_price_dollars: str
    count_fp: str
    fee_cost: str
    is_taker: bool
    created_time: Instant


class Fills(msgspec.Struct):
    fills: list[FillBody]
    cursor: str = ""


class OrderBody(msgspec.Struct):
    order_id: str
    ticker: str
    status: VenueOrderStatus
    fill_count_fp: str
    remaining_count_fp: str
    client_order_id: str | None = None


class Orders(msgspec.Struct):
    orders: list[OrderBody]
    cursor: str = ""


class DetailBody(msgspec.Struct):
    order_id: str
    ticker: str
    status: VenueOrderStatus
    book_side: BookSide
    yes_price_dollars: str
    initial_count_fp: str
    fill_count_fp: str
    remaining_count_fp: str
    taker_fill_cost_dollars: str
    maker_fill_cost_dollars: str
    taker_fees_dollars: str
    maker_fees_dollars: str
    client_order_id: str | None = None
    created_time: Instant | None = None
    expiration_time: Instant | None = None
    order_group_id: str | None = None
    exchange_index: int | None = None


def fill(each: FillBody) -> FillSeen:
    return FillSeen(
        fill_id=FillId(each.trade_id),
        venue_order_id=VenueOrderId(each.order_id),
        ticker=Ticker(each.ticker),
        book_side=each.book_side,
        price=exact(units.price, each.yes_price_dollars, "yes_price_dollars"),
        quantity=exact(units.quantity, each.count_fp, "count_fp"),
        fee=exact(units.money, each.fee_cost, "fee_cost"),
        is_taker=each.is_taker,
        at=each.created_time.astimezone(UTC),
    )


def order(each: OrderBody | DetailBody) -> OrderSeen:
    return OrderSeen(
        venue_order_id=VenueOrderId(each.order_id),
        client_order_id=ClientOrderId(each.client_order_id) if each.client_order_id else None,
        ticker=Ticker(each.ticker),
        status=each.status,
        filled=exact(units.quantity, each.fill_count_fp, "fill_count_fp"),
        remaining=exact(units.quantity, each.remaining_count_fp, "remaining_count_fp"),
    )


def detail(each: DetailBody) -> OrderDetail:
    cost, fees = (
        Money(
            exact(units.money, getattr(each, f"taker_{kind}_dollars"), f"taker_{kind}_dollars")
            + exact(units.money, getattr(each, f"maker_{kind}_dollars"), f"maker_{kind}_dollars")
        )
        for kind in ("fill_cost", "fees")
    )
    return OrderDetail(
        seen=order(each),
        book_side=each.book_side,
        price=exact(units.price, each.yes_price_dollars, "yes_price_dollars"),
        initial=exact(units.quantity, each.initial_count_fp, "initial_count_fp"),
        fill_cost=cost,
        fees=fees,
        created_at=_utc(each.created_time),
        expires_at=_utc(each.expiration_time),
        order_group_id=each.order_group_id or None,
        exchange_index=each.exchange_index,
    )


def held(pages: list[Positions]) -> dict[Ticker, Quantity]:
    """Signed positions, + YES and - NO; markets without one are left out."""
    found: dict[Ticker, Quantity] = {}
    for each in (row for page in pages for row in page.market_positions):
        quantity = exact(units.quantity, each.position_fp, "position_fp")
        if quantity:
            found[Ticker(each.ticker)] = quantity
    return found


def held_cost(pages: list[Positions]) -> dict[Ticker, Money]:
    """What each open position has cost by the venue's word, and its whole payout where the venue does not say."""
    found: dict[Ticker, Money] = {}
    for each in (row for page in pages for row in page.market_positions):
        quantity = exact(units.quantity, each.position_fp, "position_fp")
        if quantity:
            said = each.market_exposure_dollars
            worst = Money(abs(quantity) * PAYOUT_PER_UNIT)
            found[Ticker(each.ticker)] = (
                worst if said is None else exact(units.money, said, "market_exposure_dollars")
            )
    return found


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)
