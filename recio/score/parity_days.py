"""The pairs of a day added up by strategy, and their text; it compares and judges nothing itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date

from recio.messages.orders import OrderPurpose
from recio.report.parity import ParityDay, ParitySpan
from recio.score.parity import Got, OrderPair, TradePair
from recio.units import (
    ONE_CONTRACT,
    ONE_DOLLAR,
    Money,
    Quantity,
    money_text,
    quantity_text,
)

SHOWN = 20
"""Orders that are told one by one; --json has all."""


def day_of(day: date, strategy: str, pairs: Sequence[TradePair]) -> ParityDay:
    """`pairs` are of this strategy and day."""
    orders = [each for pair in pairs for each in pair.orders]
    seen = [each for each in orders if each.paper is not None]
    entries = [each for each in seen if each.order.purpose is OrderPurpose.ENTRY]
    compared = [each for each in pairs if each.difference is not None]
    by_close: defaultdict[object, int] = defaultdict(int)
    for each in compared:
        by_close[each.trade.closes_at] += each.difference or 0
    return ParityDay(
        day=day,
        strategy=strategy,
        trades=len(pairs),
        orders=len(orders),
        unrecorded=len(orders) - len(seen),
        decisions=sum(each.decisions for each in pairs),
        decided_otherwise=sum(len(each.decided_otherwise) for each in pairs),
        live_contracts=Quantity(sum(each.order.got.quantity for each in entries)),
        paper_contracts=Quantity(sum(each.paper.quantity for each in entries if each.paper)),
        price_difference=Money(sum(map(price_difference, seen))),
        fee_difference=Money(sum(map(fee_difference, seen))),
        compared=len(compared),
        live_pnl=Money(sum(each.live_pnl or 0 for each in compared)),
        paper_pnl=Money(sum(each.paper_pnl or 0 for each in compared)),
        closes=len(by_close),
        squares=sum(each**2 for each in by_close.values()),
        luck=sum(map(_luck, compared)),
    )


def price_difference(pair: OrderPair) -> Money:
    """What live paid more, or was paid less, for the contracts that both got."""
    live, paper = pair.order.got, pair.paper
    if paper is None or not live.quantity or not paper.quantity:
        return Money(0)
    both = min(live.quantity, paper.quantity)
    more = round(both * live.value / live.quantity - both * paper.value / paper.quantity)
    return Money(more if pair.order.purpose is OrderPurpose.ENTRY else -more)


def fee_difference(pair: OrderPair) -> Money:
    live, paper = pair.order.got, pair.paper
    if paper is None or not live.quantity or not paper.quantity:
        return Money(0)
    both = min(live.quantity, paper.quantity)
    return Money(round(both * live.fees / live.quantity - both * paper.fees / paper.quantity))


def _luck(pair: TradePair) -> int:
    """By what only one held, at the price paid: a coin that is tossed for the one and not for the other."""
    got = [
        got
        for each in pair.orders
        for got in (each.order.got, each.paper)
        if got is not None and got.quantity
    ]
    if not pair.held_apart or not got:
        return 0
    share = min(1.0, got[0].value / got[0].quantity / ONE_DOLLAR)
    return round(share * (1 - share) * (pair.held_apart * ONE_DOLLAR) ** 2)


def lines(day: ParityDay, stands: ParitySpan, pairs: Sequence[TradePair]) -> Iterator[str]:
    """One strategy and day in words: its sums, what it stands at, and its orders one by one."""
    yield (
        f"{day.day} {day.strategy}: {day.trades} trades, {day.orders} orders ({day.unrecorded} without a recorded book),"
        f" {day.decisions} decisions made again, {day.decided_otherwise} of them otherwise"
    )
    yield (
        f"  contracts bought: live {quantity_text(day.live_contracts)}, paper {quantity_text(day.paper_contracts)}; of what both got"
        f" live paid {money_text(day.price_difference)} more in prices and {money_text(day.fee_difference)} in fees"
    )
    yield (
        f"  profit of {day.compared} compared trades: live {money_text(day.live_pnl)}, paper {money_text(day.paper_pnl)},"
        f" difference {money_text(day.difference)}; {day.trades - day.compared} could not be compared"
    )
    yield f"  {verdict(stands)}"
    for pair in [each for each in pairs if each.trade.strategy == day.strategy][:SHOWN]:
        yield from _pair_lines(pair)


def verdict(stands: ParitySpan) -> str:
    """Loud where it has to be."""
    told = (
        f"live less paper {money_text(stands.difference)} over {stands.closes} closes of {stands.days} days"
    )
    if stands.interval is None:
        return f"not known whether they part: {told}, too few closes"
    low, high = stands.interval.low, stands.interval.high
    if stands.parted:
        return f"LIVE AND PAPER PART BEYOND CHANCE: {told}, {low:+.2f} to {high:+.2f}; results on paper are off by so much"
    return f"no more apart than by chance: {told}, {low:+.2f} to {high:+.2f}"


def _pair_lines(pair: TradePair) -> Iterator[str]:
    for each in pair.orders:
        paper = (
            each.note or "?"
            if each.paper is None
            else f"{_got(each.paper)}{f' ({each.note})' if each.note else ''}"
        )
        yield (
            f"    {each.order.ordered_at:%H:%M:%S.%f} {pair.trade.ticker} {each.order.purpose.value} {pair.trade.side.value}"
            f" {quantity_text(each.order.quantity)}: live {_got(each.order.got)}; paper {paper}"
        )
    for each in pair.decided_otherwise:
        yield f"    DECIDED OTHERWISE: {each}"


def _got(got: Got) -> str:
    if not got.quantity:
        return "nothing"
    price = got.value * ONE_CONTRACT / got.quantity / 1e6
    return f"{quantity_text(got.quantity)} at {price:.4f}, fees {money_text(got.fees)}"
