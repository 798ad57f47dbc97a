"""Lots first in, first out: which contracts a sale or a settlement closed, with their cost and fees; it chooses no tax treatment for anyone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from recio.messages.account import FillSeen
from recio.times import time_text
from recio.units import (
    BookSide,
    FillId,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    complement,
    money_decimal,
    notional,
    quantity_text,
)

COLUMNS: tuple[str, ...] = (
    "ticker", "side", "quantity", "opened_at", "cost", "opening_fee", "closed_at", "closed_by", "proceeds",
    "closing_fee", "net", "opening_fill", "closing_fill",
)  # fmt: skip


NOTHING = Money(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How a market ended, by the venue's last word."""

    value: Price
    """What one contract of YES paid."""
    at: datetime
    revenue: Money
    """What the venue says that it paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Contracts that were bought by one fill and closed by one sale or settlement, or are held."""

    ticker: Ticker
    side: Side
    quantity: Quantity
    opened_at: datetime
    cost: Money
    opening_fee: Money
    opening_fill: FillId
    closed_at: datetime | None = None
    proceeds: Money = NOTHING
    closing_fee: Money = NOTHING
    closing_fill: FillId | None = None
    """None where a settlement closed it, or nothing yet."""

    @property
    def net(self) -> Money:
        """Of one that is held: what it has cost so far, negative."""
        return Money(self.proceeds - self.cost - self.opening_fee - self.closing_fee)


@dataclass(slots=True)
class _Held:
    """What is left of one fill. Its fee is spread so that the parts add up to it exactly."""

    fill: FillSeen
    left: int

    @property
    def side(self) -> Side:
        return Side.YES if self.fill.book_side is BookSide.BID else Side.NO

    @property
    def price(self) -> Price:
        """Of its own side."""
        return self.fill.price if self.side is Side.YES else complement(self.fill.price)

    def take(self, contracts: int) -> Money:
        """The fee of the next contracts."""
        fee, whole = self.fill.fee, self.fill.quantity
        before = whole - self.left
        self.left -= contracts
        return Money(fee * (before + contracts) // whole - fee * before // whole)


def lots_of(fills: Sequence[FillSeen], settled: Settled | None) -> list[Lot]:
    """Of one market, its fills in their order. A purchase of the other side sells what is held, at a dollar for the pair."""
    held: deque[_Held] = deque()
    lots: list[Lot] = []
    for fill in fills:
        coming = _Held(fill=fill, left=fill.quantity)
        while coming.left and held and held[0].side is not coming.side:
            lots.append(_sold(held[0], coming))
            if not held[0].left:
                held.popleft()
        if coming.left:
            held.append(coming)
    lots.extend(_ended(each, settled) for each in held)
    return lots


def _sold(old: _Held, coming: _Held) -> Lot:
    contracts = Quantity(min(old.left, coming.left))
    return Lot(
        ticker=old.fill.ticker,
        side=old.side,
        quantity=contracts,
        opened_at=old.fill.at,
        cost=notional(old.price, contracts),
        opening_fee=old.take(contracts),
        opening_fill=old.fill.fill_id,
        closed_at=coming.fill.at,
        proceeds=notional(complement(coming.price), contracts),
        closing_fee=coming.take(contracts),
        closing_fill=coming.fill.fill_id,
    )


def _ended(old: _Held, settled: Settled | None) -> Lot:
    contracts = Quantity(old.left)
    paid = Price(0)
    if settled is not None:
        paid = settled.value if old.side is Side.YES else complement(settled.value)
    return Lot(
        ticker=old.fill.ticker,
        side=old.side,
        quantity=contracts,
        opened_at=old.fill.at,
        cost=notional(old.price, contracts),
        opening_fee=old.take(contracts),
        opening_fill=old.fill.fill_id,
        closed_at=None if settled is None else max(settled.at, old.fill.at),
        proceeds=notional(paid, contracts),
    )


def differs(lots: Sequence[Lot], settled: Settled) -> Money:
    """How far the payout of a market's lots is from the venue's own statement."""
    paid = sum(each.proceeds for each in lots if each.closed_at is not None and each.closing_fill is None)
    return Money(paid - settled.revenue)


def totals(lots: Iterable[Lot]) -> tuple[Money, Money]:
    """(cash, fees) of all lots, held ones included: what the ledger must have too."""
    cash, fees = 0, 0
    for each in lots:
        cash += each.net
        fees += each.opening_fee + each.closing_fee
    return Money(cash), Money(fees)


def lot_row(lot: Lot) -> dict[str, str | None]:
    """By COLUMNS: decimal strings, times of UTC; None for what is not yet."""
    is_held = lot.closed_at is None
    return {
        "ticker": lot.ticker,
        "side": lot.side.value,
        "quantity": quantity_text(lot.quantity),
        "opened_at": time_text(lot.opened_at),
        "cost": _text(lot.cost),
        "opening_fee": _text(lot.opening_fee),
        "closed_at": None if lot.closed_at is None else time_text(lot.closed_at),
        "closed_by": None if is_held else "settlement" if lot.closing_fill is None else "sale",
        "proceeds": None if is_held else _text(lot.proceeds),
        "closing_fee": None if is_held else _text(lot.closing_fee),
        "net": None if is_held else _text(lot.net),
        "opening_fill": lot.opening_fill,
        "closing_fill": lot.closing_fill,
    }


def _text(value: Money) -> str:
    return f"{money_decimal(value):f}"
