"""The own books beside the venue's own statement, fill by fill, settlement by settlement and day by day: equal, or each difference. Pure; it corrects neither."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from recio.messages.account import FillSeen
from recio.report.lots import Lot, Settled, lots_of
from recio.texts import counted
from recio.units import FillId, Money, Ticker, money_decimal, price_text, quantity_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What one of the two says."""

    fills: Mapping[FillId, FillSeen]
    settled: Mapping[Ticker, Settled]
    by_day: Mapping[date, Money]
    """Dollars by which cash changed on a day of UTC through trading: fills with fees, and settlements."""
    cash: Money | None
    """What there is now; None: the own books never agreed with the venue on where they began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    what: str
    """fill, settlement, day or cash."""
    name: str
    field: str
    ours: str | None
    """None: it is not there."""
    theirs: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    ours: Side
    theirs: Side
    older: int
    """Fills of the venue from before these books began."""
    differences: tuple[Difference, ...]


def statement(ours: Side, fills: Iterable[FillSeen], settled: Mapping[Ticker, Settled], cash: Money | None, begins: datetime | None) -> Statement:  # fmt: skip
    """`fills`, `settled` and `cash` are the venue's; what it says of markets that these books never held is nothing to them."""
    every = list(fills)
    told = {each.fill_id: each for each in every if each.fill_id in ours.fills or _is_ours(each, begins)}
    markets = {each.ticker for each in (*told.values(), *ours.fills.values())}
    held = {ticker: each for ticker, each in settled.items() if ticker in markets}
    theirs = Side(fills=told, settled=held, by_day=by_day(told.values(), held), cash=cash)
    found = (*_fills(ours, theirs), *_settlements(ours, theirs), *_days(ours, theirs), *_cash(ours, theirs))
    return Statement(ours=ours, theirs=theirs, older=len(every) - len(told), differences=found)


def _is_ours(fill: FillSeen, begins: datetime | None) -> bool:
    return begins is None or fill.at >= begins


def by_day(fills: Iterable[FillSeen], settled: Mapping[Ticker, Settled]) -> dict[date, Money]:
    """What lots cost and brought on each day."""
    of_market = defaultdict[Ticker, list[FillSeen]](list)
    for each in sorted(fills, key=lambda each: (each.at, each.fill_id)):
        of_market[each.ticker].append(each)
    sums = defaultdict[date, int](int)
    for ticker, ones in of_market.items():
        for at, amount in _moves(lots_of(ones, settled.get(ticker))):
            sums[at.astimezone(UTC).date()] += amount
    return {day: Money(amount) for day, amount in sums.items()}


def _moves(lots: Sequence[Lot]) -> Iterator[tuple[datetime, int]]:
    for each in lots:
        yield each.opened_at, -each.cost - each.opening_fee
        if each.closed_at is not None:
            yield each.closed_at, each.proceeds - each.closing_fee


def _fills(ours: Side, theirs: Side) -> Iterator[Difference]:
    for name in sorted(ours.fills.keys() | theirs.fills.keys()):
        yield from _apart("fill", name, _fill(ours.fills.get(name)), _fill(theirs.fills.get(name)))


def _fill(fill: FillSeen | None) -> dict[str, str] | None:
    if fill is None:
        return None
    return {
        "ticker": fill.ticker,
        "side": fill.book_side.value,
        "price": price_text(fill.price),
        "quantity": quantity_text(fill.quantity),
        "fee": _dollars(fill.fee),
    }


def _settlements(ours: Side, theirs: Side) -> Iterator[Difference]:
    for ticker in sorted(ours.settled.keys() | theirs.settled.keys()):
        yield from _apart(
            "settlement", ticker, _settled(ours.settled.get(ticker)), _settled(theirs.settled.get(ticker))
        )


def _settled(settled: Settled | None) -> dict[str, str] | None:
    if settled is None:
        return None
    return {"value": price_text(settled.value), "revenue": _dollars(settled.revenue)}


def _days(ours: Side, theirs: Side) -> Iterator[Difference]:
    for day in sorted(ours.by_day.keys() | theirs.by_day.keys()):
        here, there = (side.by_day.get(day, Money(0)) for side in (ours, theirs))
        yield from _apart("day", day.isoformat(), {"change": _dollars(here)}, {"change": _dollars(there)})


def _cash(ours: Side, theirs: Side) -> Iterator[Difference]:
    if ours.cash is not None and theirs.cash is not None:
        here, there = ({"balance": _dollars(each)} for each in (ours.cash, theirs.cash))
        yield from _apart("cash", "now", here, there)


def _apart(
    what: str, name: str, ours: Mapping[str, str] | None, theirs: Mapping[str, str] | None
) -> Iterator[Difference]:
    """One line for what only one has, and otherwise one for each field that differs."""
    if ours is None or theirs is None:
        here, there = (None if each is None else ", ".join(each.values()) for each in (ours, theirs))
        yield Difference(what=what, name=name, field="all of it", ours=here, theirs=there)
        return
    for field in ours:
        if ours[field] != theirs[field]:
            yield Difference(what=what, name=name, field=field, ours=ours[field], theirs=theirs[field])


def statement_row(found: Statement) -> dict[str, Any]:
    """As JSON: decimal strings of dollars."""
    days = sorted(found.ours.by_day.keys() | found.theirs.by_day.keys())
    return {
        "equal": not found.differences,
        "fills": len(found.theirs.fills),
        "settlements": len(found.theirs.settled),
        "older_fills": found.older,
        "cash": {
            name: None if side.cash is None else _dollars(side.cash)
            for name, side in (("ours", found.ours), ("theirs", found.theirs))
        },
        "by_day": [
            {
                "day": day.isoformat(),
                "ours": _dollars(found.ours.by_day.get(day, Money(0))),
                "theirs": _dollars(found.theirs.by_day.get(day, Money(0))),
            }
            for day in days
        ],
        "differences": [
            {"what": each.what, "name": each.name, "field": each.field, "ours": each.ours, "theirs": each.theirs}
            for each in found.differences
        ],
    }  # fmt: skip


def statement_text(found: Statement) -> str:
    told = statement_row(found)
    lines = [f"{'day (UTC)':<12}{'ours':>16}{'the venue':>16}"]
    lines += [f"{each['day']:<12}{each['ours']:>16}{each['theirs']:>16}" for each in told["by_day"]]
    lines.append(f"{'cash now':<12}{told['cash']['ours'] or '-':>16}{told['cash']['theirs'] or '-':>16}")
    if found.older:
        lines.append(
            f"{counted(found.older, 'fill of the venue is', 'fills of the venue are')} from before these books began"
        )
    lines += [
        f"{each['what']} {each['name']}: {each['field']} is {each['ours'] or 'missing'} here and {each['theirs'] or 'missing'}"
        " at the venue"
        for each in told["differences"]
    ]
    lines.append(
        f"{told['fills']} fills and {told['settlements']} settlements: "
        + (counted(len(found.differences), 'difference', 'differences') if found.differences else "equal to the last hundredth of a cent")
    )  # fmt: skip
    return "\n".join(lines)


def _dollars(amount: Money) -> str:
    return f"{money_decimal(amount):.6f}"
