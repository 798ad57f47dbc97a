"""What a taker would have made who believes the simplest model of spot: whether a market is easier than it should be."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import erfc, log, sqrt
from random import Random
from statistics import fmean

from benchmarks.realism.tapes import Levels, Tape, played

LOOK_MS = 5_000.0
MARK_MS = 10_000.0
EDGE_CENTS = 2.0
"""What a contract must seem to be worth beyond its price and its fee."""
HISTORY_MS = 300_000.0
LEAST_HISTORY_MS = 120_000.0
LAST_MS = 60_000.0
"""So long before the close the taker stops: the average that decides has begun."""
DRAWS = 2_000


@dataclass(slots=True)
class Takings:
    """In cents a contract: held to the result after the fee, and against the middle ten seconds later."""

    by_window: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    marked: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    windows: set[str] = field(default_factory=set[str])

    def trades(self) -> int:
        return sum(len(each) for each in self.by_window.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean over contracts with its 95 % interval; whole windows are drawn, since trades of one stand together."""

    mean: float
    low: float
    high: float


def interval(groups: dict[str, list[float]]) -> Interval:
    rows = [(sum(each), len(each)) for each in groups.values()]
    if not rows:
        return Interval(mean=0.0, low=0.0, high=0.0)
    random = Random(1)
    means: list[float] = []
    for _ in range(DRAWS):
        drawn = random.choices(rows, k=len(rows))
        means.append(sum(total for total, _ in drawn) / sum(count for _, count in drawn))
    means.sort()
    mean = sum(total for total, _ in rows) / sum(count for _, count in rows)
    return Interval(mean=mean, low=means[int(0.025 * DRAWS)], high=means[int(0.975 * DRAWS)])


def add(takings: Takings, tape: Tape) -> None:
    """Let the taker trade one market, one contract at a look."""
    if tape.yes is None or not tape.spot:
        return
    moments = [each.at_ms for each in tape.spot]
    prices = [each.dollars for each in tape.spot]
    begin = max(tape.changes[0].at_ms, moments[0]) + LEAST_HISTORY_MS
    end = min(tape.close_ms - LAST_MS, tape.changes[-1].at_ms - MARK_MS)
    if end <= begin:
        return
    takings.windows.add(tape.ticker)
    open_marks: list[tuple[float, bool, float]] = []

    def stops() -> Iterator[float]:
        at = begin
        while at < end + MARK_MS:
            yield at
            at += LOOK_MS

    def look(at_ms: float, book: Levels) -> None:
        while open_marks and open_marks[0][0] <= at_ms:
            _, yes, paid = open_marks.pop(0)
            if book.two_sided:
                worth = book.middle / 100 if yes else 100 - book.middle / 100
                takings.marked.setdefault(tape.ticker, []).append(worth - paid)
        if at_ms >= end or not book.two_sided:
            return
        fair = _fair(moments, prices, at_ms, tape)
        bought = None if fair is None else _bought(100 * fair, book)
        if bought is not None:
            yes, paid = bought
            won = 100.0 if yes == tape.yes else 0.0
            takings.by_window.setdefault(tape.ticker, []).append(won - paid - fee_cents(paid))
            open_marks.append((at_ms + MARK_MS, yes, paid))

    played(tape, stops(), look)


def fee_cents(price_cents: float) -> float:
    """A taker's, before rounding."""
    share = price_cents / 100
    return 7.0 * share * (1 - share)


def _bought(fair_cents: float, book: Levels) -> tuple[bool, float] | None:
    ask, other = book.best_ask / 100, 100 - book.best_bid / 100
    if fair_cents - ask - fee_cents(ask) >= EDGE_CENTS:
        return True, ask
    if 100 - fair_cents - other - fee_cents(other) >= EDGE_CENTS:
        return False, other
    return None


def _fair(moments: list[float], prices: list[float], at_ms: float, tape: Tape) -> float | None:
    """P(the mean of the last minute reaches the strike) for a driftless normal with the volatility of late."""
    seen = [
        prices[place - 1]
        for step in range(int(min(HISTORY_MS, at_ms - moments[0]) // LOOK_MS), -1, -1)
        if (place := bisect_right(moments, at_ms - step * LOOK_MS))
    ]
    if len(seen) < 2:
        return None
    variance = fmean(log(b / a) ** 2 for a, b in itertools.pairwise(seen)) / (LOOK_MS / 1000)
    seconds = (tape.close_ms - at_ms) / 1000 - 40.0
    spread = seen[-1] * sqrt(max(variance, 1e-12) * seconds)
    return 0.5 * erfc((tape.strike - seen[-1]) / spread / sqrt(2.0))
