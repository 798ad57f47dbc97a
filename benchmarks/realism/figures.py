"""What is measured of every market, the same on both sides of the table; it reads no file and prints nothing."""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from statistics import fmean, median

from benchmarks.realism.tapes import Levels, Tape, played

DELAYS_MS = (0, 50, 100, 200, 500)
LOTS = (1, 100)
"""Contracts that a taker asks for."""
LOOK_MS = 1_000.0
LAST_MS = 120_000.0
LAG_STEP_MS = 100
LAGS = range(-10, 21)
"""Steps by which the book may be behind spot."""
SHOWN_LAGS = (-5, -1, 0, 1, 2, 5, 10)
ACTIVITY_EDGES = (30, 60, 120, 300, 600, 900)
MOVE_SECONDS = (1, 10)
SETTLING_MS = 5_000.0
"""What comes so soon after a tape begins is left out: a simulated window is filling its empty book."""


@dataclass(slots=True)
class Figures:
    """Sums over markets, so that markets of different length count by what was seen of them."""

    least_middle: int = 0
    """Books nearer to 0 or to 1 than this, in $0.0001, are not looked at."""
    filled: Counter[tuple[int, int]] = field(default_factory=Counter[tuple[int, int]])
    tried: Counter[tuple[int, int]] = field(default_factory=Counter[tuple[int, int]])
    seconds: int = 0
    unchanged: int = 0
    spreads: list[float] = field(default_factory=list[float])
    last_spreads: list[float] = field(default_factory=list[float])
    """Of the last two minutes, while the middle lies between 10 and 90 cents: beyond them prices are finer."""
    moves: dict[int, list[float]] = field(default_factory=lambda: {each: [] for each in MOVE_SECONDS})
    """How far the middle went in so many seconds, in cents."""
    gaps: list[int] = field(default_factory=list[int])
    """Between one change and the next, in whole milliseconds."""
    at_once: int = 0
    """Changes that share their moment with the one before."""
    peaks: list[int] = field(default_factory=list[int])
    rates: Counter[int] = field(default_factory=Counter[int])
    """Changes by the edge of the time left, in seconds."""
    rate_seconds: Counter[int] = field(default_factory=Counter[int])
    moved_together: list[Counter[int]] = field(default_factory=list[Counter[int]])
    orders: int = 0
    through: int = 0
    order_seconds: float = 0.0
    """Takers' orders, and those of them that traded at more than one price."""
    covariance: list[float] = field(default_factory=lambda: [0.0] * len(LAGS))
    spot_square: float = 0.0
    book_square: float = 0.0
    cancelled_ahead: list[float] = field(default_factory=list[float])

    def looks_at(self, book: Levels) -> bool:
        return book.two_sided and self.least_middle <= book.middle <= 10_000 - self.least_middle

    def fill_share(self, lots: int, delay_ms: int) -> float:
        return self.filled[lots, delay_ms] / max(1, self.tried[lots, delay_ms])

    def correlations(self) -> list[float]:
        scale = (self.spot_square * self.book_square) ** 0.5 or 1.0
        return [each / scale for each in self.covariance]

    def followed(self, lag: int) -> float:
        """Which part of what the book does together with spot it has done so many steps after spot."""
        seen = self.correlations()
        return sum(seen[: lag - LAGS[0] + 1]) / (sum(seen) or 1.0)


def add(figures: Figures, tape: Tape) -> None:
    """Take in one market."""
    if len(tape.changes) <= tape.whole_from:
        return
    begin = tape.changes[0].at_ms + SETTLING_MS
    end = min(tape.close_ms - 1_000.0, tape.changes[-1].at_ms)
    if end - begin < 10_000:
        return
    _pace(figures, tape, begin, end)
    _takers(figures, tape, begin, end)
    _seconds(figures, tape, begin, end)
    _with_spot(figures, tape, begin, end)
    figures.cancelled_ahead += tape.cancelled_ahead
    add_orders(figures, tape)


def add_orders(figures: Figures, tape: Tape) -> None:
    """Takers' orders: prints of one moment and side are one."""
    prices: dict[tuple[float, bool], set[int]] = {}
    for take in tape.takes:
        prices.setdefault((take.at_ms, take.taker_bid), set()).add(take.price)
    figures.orders += len(prices)
    if tape.takes:
        figures.order_seconds += (tape.takes[-1].at_ms - tape.takes[0].at_ms) / 1000
    figures.through += sum(len(each) > 1 for each in prices.values())


def _pace(figures: Figures, tape: Tape, begin: float, end: float) -> None:
    moments = [int(each.at_ms) for each in tape.changes[tape.whole_from :] if begin <= each.at_ms < end]
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    figures.at_once += sum(gap == 0 for gap in gaps)
    figures.gaps += gaps
    per_second = Counter(int(at // 1000) for at in moments)
    figures.peaks.append(max(per_second.values(), default=0))
    for second in range(int(begin // 1000) + 1, int(end // 1000)):
        left = tape.close_ms / 1000 - second
        edge = next((edge for edge in ACTIVITY_EDGES if left <= edge), ACTIVITY_EDGES[-1])
        figures.rates[edge] += per_second[second]
        figures.rate_seconds[edge] += 1


def _takers(figures: Figures, tape: Tape, begin: float, end: float) -> None:
    """Orders that are sent on seeing the best price and come so much later; both outcomes are bought alike."""
    random = Random(tape.ticker)
    waiting: list[tuple[float, int, int, bool, int]] = []
    at = begin
    while at < end - max(DELAYS_MS):
        waiting.append((at, -1, 0, False, 0))
        at += random.uniform(0.5, 1.5) * LOOK_MS
    heapq.heapify(waiting)

    def stops() -> Iterator[float]:
        while waiting:
            yield waiting[0][0]

    def look(at_ms: float, book: Levels) -> None:
        _, delay, lots, bid, limit = heapq.heappop(waiting)
        if delay >= 0:
            figures.tried[lots, delay] += 1
            figures.filled[lots, delay] += book.within(bid=bid, limit=limit, wanted=100 * lots)
        elif figures.looks_at(book):
            for asked in LOTS:
                for side, price in ((True, book.best_ask), (False, book.best_bid)):
                    for after in DELAYS_MS:
                        heapq.heappush(waiting, (at_ms + after, after, asked, side, price))

    played(tape, stops(), look)


def _seconds(figures: Figures, tape: Tape, begin: float, end: float) -> None:
    middles: list[float | None] = []

    def look(at_ms: float, book: Levels) -> None:
        seen = figures.looks_at(book)
        middles.append(book.middle if seen else None)
        if seen:
            spread = (book.best_ask - book.best_bid) / 100
            figures.spreads.append(spread)
            if at_ms > tape.close_ms - LAST_MS and 1_000 < book.middle < 9_000:
                figures.last_spreads.append(spread)

    played(tape, _every(begin, end, 1_000), look)
    pairs = [(a, b) for a, b in itertools.pairwise(middles) if a is not None and b is not None]
    figures.seconds += len(pairs)
    figures.unchanged += sum(a == b for a, b in pairs)
    for seconds, moves in figures.moves.items():
        apart = zip(middles, middles[seconds:], strict=False)
        moves += [abs(b - a) / 100 for a, b in apart if a is not None and b is not None]


def _with_spot(figures: Figures, tape: Tape, begin: float, end: float) -> None:
    """Changes of the middle against changes of spot, each over one step, at every lag."""
    if not tape.spot:
        return
    begin, end = max(begin, tape.spot[0].at_ms), min(end, tape.close_ms - LAST_MS)
    stops = list(_every(begin, end, LAG_STEP_MS))
    middles: list[float] = []
    played(tape, iter(stops), lambda _, book: middles.append(book.middle if book.two_sided else 5_000.0))
    moments = [each.at_ms for each in tape.spot]
    prices = [tape.spot[max(0, bisect_right(moments, at) - 1)].dollars for at in stops[: len(middles)]]
    book_moves = [b - a for a, b in itertools.pairwise(middles)]
    spot_moves = [b - a for a, b in itertools.pairwise(prices)]
    figures.spot_square += sum(each * each for each in spot_moves)
    figures.book_square += sum(each * each for each in book_moves)
    size = len(book_moves)
    for place, lag in enumerate(LAGS):
        figures.covariance[place] += sum(
            spot_moves[at] * book_moves[at + lag] for at in range(max(0, -lag), min(size, size - lag))
        )


def _every(begin: float, end: float, step: float) -> Iterator[float]:
    at = begin
    while at < end:
        yield at
        at += step


def summary(figures: Figures) -> list[tuple[str, float, int]]:
    """Every figure by its name, with the decimals that it deserves; times are in milliseconds, spreads in cents."""
    apart = [gap for gap in figures.gaps if gap]
    rows: list[tuple[str, float, int]] = [
        (
            f"{lots} lot{'s' * (lots > 1)} at the displayed ask after {delay} ms",
            figures.fill_share(lots, delay),
            2,
        )
        for lots in LOTS
        for delay in DELAYS_MS
    ]
    rows += [
        ("mid unchanged over a second", figures.unchanged / max(1, figures.seconds), 2),
        ("takers that touch more than one price", figures.through / max(1, figures.orders), 3),
        ("takers' orders a second", figures.orders / max(1.0, figures.order_seconds), 1),
        ("ms between moments of change, median", median(apart or [0]), 0),
        ("changes at the moment of another", figures.at_once / max(1, len(figures.gaps)), 2),
        ("most changes in a second, median of markets", median(figures.peaks or [0]), 0),
        ("spread, cents, mean", fmean(figures.spreads or [0.0]), 2),
        ("spread of the last two minutes, 10 to 90 cents, mean", fmean(figures.last_spreads or [0.0]), 1),
    ]
    rows += [
        (
            f"of what it does with spot, the book has done by {lag * LAG_STEP_MS:+} ms",
            figures.followed(lag),
            2,
        )
        for lag in SHOWN_LAGS
    ]
    rows += [
        (f"move of the mid in {seconds} s, cents, mean", fmean(moves or [0.0]), 2)
        for seconds, moves in figures.moves.items()
    ]
    rows += [
        (
            f"changes a second, up to {edge} s left",
            figures.rates[edge] / max(1, figures.rate_seconds[edge]),
            0,
        )
        for edge in ACTIVITY_EDGES
    ]
    if figures.cancelled_ahead:
        rows.append(("queue before a cancelled order, mean (newest: 1)", fmean(figures.cancelled_ahead), 2))
    return rows
