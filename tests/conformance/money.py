"""Prices on a market's own grid and what an account must hold after its fills, exactly; it talks to nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

FOUR = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """One fill as a client showed it."""

    ticker: str
    bid: bool
    count: Decimal
    price: Decimal
    fee: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One range of the price grid."""

    start: Decimal
    end: Decimal
    step: Decimal


def spans(rows: Iterable[tuple[str, str, str]]) -> list[Span]:
    return [Span(start=Decimal(a), end=Decimal(b), step=Decimal(c)) for a, b, c in rows]


def lowest(grid: list[Span]) -> Decimal:
    """The cheapest price that an order may name; 0 is none."""
    first = min(grid, key=lambda span: span.start)
    return first.start + first.step if first.start == 0 else first.start


def highest(grid: list[Span]) -> Decimal:
    """The dearest price that an order may name; 1 is none."""
    last = max(grid, key=lambda span: span.end)
    return last.end - last.step if last.end == 1 else last.end


def below(grid: list[Span], price: Decimal) -> Decimal:
    """The next price down."""
    span = next(span for span in grid if span.start < price <= span.end)
    return price - span.step


def snap(grid: list[Span], price: Decimal) -> Decimal:
    """The highest price of the grid that is not above this one, at least the lowest there is."""
    price = max(price, lowest(grid))
    return max(
        span.start + (price - span.start) // span.step * span.step
        for span in grid
        if span.start < price <= span.end
    )


def through(grid: list[Span], side: str, best: Decimal) -> Decimal:
    """A price that still meets the other side when the market moves ten cents before the order arrives."""
    far = best + Decimal("0.10") if side == "bid" else best - Decimal("0.10")
    return snap(grid, min(far, Decimal("0.99")))


def off_grid(grid: list[Span]) -> Decimal:
    """A price inside the grid's bounds that no range accepts."""
    return lowest(grid) + min(span.step for span in grid) / 10


def text(value: Decimal) -> str:
    """A dollar amount with four decimals, as prices go over the wire."""
    return str(value.quantize(FOUR))


def net(fills: Iterable[Traded]) -> dict[str, Decimal]:
    """Signed contracts of each market: bought YES less sold YES."""
    held: dict[str, Decimal] = defaultdict(Decimal)
    for fill in fills:
        held[fill.ticker] += fill.count if fill.bid else -fill.count
    return dict(held)


def cash_after(opening: Decimal, fills: Iterable[Traded], won: dict[str, bool]) -> Decimal:
    """Cash once every market is settled: what fills cost and earned, less fees, plus a dollar for each that won."""
    rows = list(fills)
    flow = sum(((-row.price if row.bid else row.price) * row.count for row in rows), Decimal(0))
    paid = sum((held for ticker, held in net(rows).items() if won[ticker]), Decimal(0))
    return opening + flow - sum((row.fee for row in rows), Decimal(0)) + paid
