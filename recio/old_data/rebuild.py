"""The trades of one ticker from its fills, orders and settlement, and from the old ledger where those say nothing.

Pure: it reads no file and no clock. A trade is what one entry order bought; exits reduce the oldest contracts first. The
old system sold by buying the other side, and the venue nets the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from heapq import heappop, heappush

from recio.old_data.matching import matched, was_held
from recio.old_data.records import Fill, LedgerRow, Order, Settlement
from recio.old_data.steps import ZERO, Step, steps_of
from recio.old_data.values import MONEY_STEP

HIGHEST_FEE = Decimal("0.03")
"""Dollars per contract and fill that the venue's fee never reached, its rounding up to a cent for an order aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What of one fill belongs to one trade: one fill may end a trade and begin another."""

    fill_id: str
    is_exit: bool
    quantity: Decimal
    price: Decimal
    """Dollars that one contract of the trade's side cost, or brought."""
    fee: Decimal | None
    """Dollars; the parts of a fill add up to its fee."""


@dataclass(slots=True)
class Trade:
    """What one entry bought and what became of it. None: the old data cannot say."""

    ticker: str
    side: str
    order_id: str
    source: str
    """fills, orders, settlement or ledger."""
    quantity: Decimal = ZERO
    entry_cost: Decimal | None = ZERO
    sold: Decimal = ZERO
    exit_proceeds: Decimal | None = ZERO
    payout: Decimal | None = None
    fees: Decimal | None = ZERO
    result: str = ""
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    doubtful: bool = False
    row: LedgerRow | None = None
    parts: list[Part] = field(default_factory=list[Part])

    @property
    def held(self) -> Decimal:
        return self.quantity - self.sold

    @property
    def net_pnl(self) -> Decimal | None:
        parts = (self.entry_cost, self.exit_proceeds, self.payout, self.fees)
        if any(each is None for each in parts):
            return None
        cost, proceeds, payout, fees = (each or ZERO for each in parts)
        return proceeds + payout - cost - fees


@dataclass(slots=True)
class Records:
    """All that the sources say of one ticker."""

    ticker: str
    fills: list[Fill] = field(default_factory=list[Fill])
    orders: list[Order] = field(default_factory=list[Order])
    settlements: list[Settlement] = field(default_factory=list[Settlement])
    ledger: list[LedgerRow] = field(default_factory=list[LedgerRow])


def rebuilt(of: Records) -> list[Trade]:
    """The trades of a ticker in the order of their entries, each with the ledger row that tells of it."""
    settled = newest_settlement(of)
    fills = steps_of(of.fills, of.orders)
    trades = _walk(of.ticker, fills) if fills else []
    source = "fills" if of.fills else "orders"
    for trade in trades:
        trade.source = source
    if not trades and settled is not None:
        trades = _by_settlement(of, settled)
    if not trades:
        trades = [_by_ledger(row) for row in of.ledger if was_held(row)]
    for trade, row in matched(trades, of.ledger):
        _told_by(trade, row)
    _settle(trades, settled)
    _fees_of_the_market(trades, settled)
    return trades


def newest_settlement(of: Records) -> Settlement | None:
    """The last word that names a result: a settlement may be corrected."""
    return max(
        of.settlements, key=lambda each: (bool(each.result), each.settled_at, each.trust), default=None
    )


# --- fills --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Book:
    """The trades of one ticker so far. One market may have thousands: nothing looks through all of them."""

    trades: list[Trade] = field(default_factory=list[Trade])
    held: dict[str, list[int]] = field(default_factory=lambda: {"yes": list[int](), "no": list[int]()})
    """By side, places of trades that may still hold something, as a heap: the oldest is closed first."""
    by_order: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """The newest of a side and an order."""

    def oldest_held(self, side: str) -> Trade | None:
        places = self.held[side]
        while places:
            if self.trades[places[0]].held > 0:
                return self.trades[places[0]]
            heappop(places)
        return None

    def add(self, trade: Trade) -> int:
        self.trades.append(trade)
        place = self.by_order[trade.side, trade.order_id] = len(self.trades) - 1
        return place

    def of_order(self, side: str, order_id: str) -> int | None:
        """Without order ids whatever is held together is one trade."""
        place = self.by_order.get((side, order_id))
        return None if place is None or not (order_id or self.trades[place].held > 0) else place


def _walk(ticker: str, steps: Sequence[Step]) -> list[Trade]:
    book = _Book()
    for step in steps:
        bought = _other(step.side) if step.is_sale else step.side
        at = 1 - step.price if step.is_sale else step.price
        left = step.quantity
        while left > 0 and (trade := book.oldest_held(_other(bought))):
            closing = min(left, trade.held)
            trade.sold += closing
            trade.exit_proceeds = _plus(trade.exit_proceeds, closing * (1 - at))
            _pay(trade, step, closing, 1 - at, is_exit=True)
            trade.closed_at = step.at if trade.held == 0 else None
            left -= closing
        if left > 0 and step.is_sale:
            book.add(_sold_without_entry(ticker, step, left))
        elif left > 0:
            _enter(ticker, book, step, left)
    for trade in book.trades:
        _round(trade)
    return book.trades


def _enter(ticker: str, book: _Book, step: Step, quantity: Decimal) -> None:
    """To the trade of the same order, or a new one."""
    place = book.of_order(step.side, step.order_id)
    if place is None:
        place = book.add(Trade(ticker, step.side, step.order_id, "fills", opened_at=step.at))
    found = book.trades[place]
    if found.held <= 0:
        heappush(book.held[step.side], place)
    found.quantity += quantity
    found.entry_cost = _plus(found.entry_cost, quantity * step.price)
    found.closed_at = None
    _pay(found, step, quantity, step.price, is_exit=False)


def _sold_without_entry(ticker: str, step: Step, quantity: Decimal) -> Trade:
    found = Trade(
        ticker,
        step.side,
        step.order_id,
        "fills",
        quantity=quantity,
        entry_cost=None,
        sold=quantity,
        closed_at=step.at,
    )
    found.exit_proceeds = quantity * step.price
    _pay(found, step, quantity, step.price, is_exit=True)
    return found


def _pay(trade: Trade, step: Step, quantity: Decimal, price: Decimal, *, is_exit: bool) -> None:
    fee = step.take(quantity)
    if step.fill_id:
        trade.parts.append(
            Part(fill_id=step.fill_id, is_exit=is_exit, quantity=quantity, price=price, fee=fee)
        )
    trade.fees = None if fee is None or trade.fees is None else trade.fees + fee
    trade.doubtful = trade.doubtful or step.doubtful


def _plus(so_far: Decimal | None, more: Decimal) -> Decimal | None:
    return None if so_far is None else so_far + more


def _round(trade: Trade) -> None:
    """Shares of sums come to whole millionths of a dollar."""
    trade.entry_cost = None if trade.entry_cost is None else trade.entry_cost.quantize(MONEY_STEP)
    trade.exit_proceeds = None if trade.exit_proceeds is None else trade.exit_proceeds.quantize(MONEY_STEP)
    trade.fees = None if trade.fees is None else trade.fees.quantize(MONEY_STEP)


def _other(side: str) -> str:
    return "no" if side == "yes" else "yes"


# --- without fills --------------------------------------------------------------------------------------


def _by_settlement(of: Records, settled: Settlement) -> list[Trade]:
    """From the counts and costs that the venue settled: it knows how much of each side was bought, and for how much."""
    counts = {"yes": settled.yes_quantity or ZERO, "no": settled.no_quantity or ZERO}
    costs = {"yes": settled.yes_cost, "no": settled.no_cost}
    hint = next((each.side for each in of.ledger if was_held(each)), None)
    side = hint or max(counts, key=lambda each: counts[each])
    if counts[side] == 0:
        return []
    other = _other(side)
    closed = min(counts["yes"], counts["no"])
    opposite = costs[other]
    paid = None if opposite is None or not counts[other] else opposite * closed / counts[other]
    found = Trade(
        of.ticker, side, "", "settlement", quantity=counts[side], entry_cost=costs[side], sold=closed
    )
    found.exit_proceeds = ZERO if not closed else None if paid is None else closed - paid
    fees = [each.fees for each in of.orders if each.filled]
    found.fees = sum((each for each in fees if each is not None), ZERO) if fees and None not in fees else None
    if found.entry_cost is not None:
        _round(found)
    return [found]


def _by_ledger(row: LedgerRow) -> Trade:
    quantity = row.quantity or ZERO
    found = Trade(
        row.ticker, row.side, "", "ledger", quantity=quantity, opened_at=row.opened_at, doubtful=row.doubtful
    )
    found.entry_cost = None if row.buy_price is None else quantity * row.buy_price
    found.fees = row.fees if row.whole and _is_plausible(row.fees, quantity) else None
    if row.status != "closed":
        return found
    found.closed_at = row.closed_at
    if row.close_method == "expired" or row.sell_price in (0, 1):
        found.payout = None if row.sell_price is None else quantity * row.sell_price
    else:
        found.sold = quantity
        found.exit_proceeds = None if row.sell_price is None else quantity * row.sell_price
    return found


def _is_plausible(fees: Decimal | None, quantity: Decimal) -> bool:
    """One build of the old system kept cents where dollars belong."""
    return fees is not None and 0 <= fees <= HIGHEST_FEE * 2 * quantity + Decimal("0.02")


# --- the end ----------------------------------------------------------------------------------------------


def _told_by(trade: Trade, row: LedgerRow) -> None:
    trade.row = row
    if trade.source == "settlement":
        trade.opened_at, trade.doubtful = row.opened_at, row.doubtful


def _settle(trades: Sequence[Trade], settled: Settlement | None) -> None:
    held = [each for each in trades if each.held > 0]
    for trade in trades:
        if trade.held <= 0:
            trade.payout = ZERO
        elif settled is not None:
            trade.closed_at = settled.settled_at
            trade.result = settled.result
            trade.payout = _payout(trade, settled, alone=len(held) == 1)
        elif trade.payout is None and trade.row is not None and trade.source != "ledger":
            _by_old_outcome(trade, trade.row)


def _payout(trade: Trade, settled: Settlement, *, alone: bool) -> Decimal | None:
    if settled.result in ("yes", "no"):
        return trade.held if settled.result == trade.side else ZERO
    if settled.result and settled.value is not None:
        return trade.held * (settled.value if trade.side == "yes" else 1 - settled.value)
    if not alone or settled.revenue is None:
        return None
    if settled.result or settled.revenue in (0, trade.held):
        return settled.revenue
    # A layout without the result keeps a bare amount: the whole payout, in cents or in dollars.
    return trade.held if settled.revenue == trade.held * 100 else None


def _by_old_outcome(trade: Trade, row: LedgerRow) -> None:
    """Without a settlement the ledger's word for won or lost is all there is."""
    if row.status == "closed" and row.sell_price in (0, 1) and trade.sold == 0:
        trade.payout = trade.held * (row.sell_price or ZERO)
        trade.closed_at = row.closed_at


def _fees_of_the_market(trades: Sequence[Trade], settled: Settlement | None) -> None:
    """Where fills and orders name no fees: the settlement's, or the ledger's if they can be true."""
    if len(trades) != 1 or trades[0].fees is not None:
        return
    trade = trades[0]
    if settled is not None and settled.fees is not None:
        trade.fees = settled.fees
    elif trade.row is not None and trade.row.whole and _is_plausible(trade.row.fees, trade.quantity):
        trade.fees = trade.row.fees
