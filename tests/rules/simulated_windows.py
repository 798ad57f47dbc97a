"""`python -m tests.rules.simulated_windows 100000`: how often the stated bounds hold the probability that somebody would name who knew all.

The index walks; sources follow it at a distance of their own that wanders, late, frozen, silent or gone; prints come, stop or
are gone before a restart; now and then the price jumps. What the price feed's rules make of that is asked for bounds, one
standard error each way, and compared with the probability by the true path so far and the true volatility.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import repeat
from statistics import NormalDist, fmean

from recio.messages.prices import IndexHistory, IndexValue, Momentum, PriceView
from recio.report.intervals import Interval
from recio.rules.market.settlement import PRINTS
from recio.rules.price.coin_price import Coin, CoinMemory
from recio.rules.price.consensus import Panel, hears
from recio.rules.price.price_sources import Heard, Limits, confirmed, lost
from recio.rules.price.volatility import PriceMemory
from recio.rules.pricing.empirical import TableReading, counted_bounds
from recio.rules.pricing.model import Model, Reader
from recio.settings.prices import PricesSection
from tests.builders import NORMAL, market

CLOSES = datetime(2026, 11, 23, 12, 15, tzinfo=UTC)
T = int(CLOSES.timestamp())
SOURCES = ("coinbase", "kraken")
USUAL = 0.00014
LIMITS = Limits(
    silence_seconds=15,
    frozen_seconds=20,
    fresh_seconds=5,
    divergence_bp=Decimal(20),
    usual_basis=USUAL,
    largest_error=0.00021,
)
LATE = timedelta(seconds=PricesSection().unstamped_delay_seconds)
"""What is assumed of a source that never says of what time its word is."""
STATED_RATE = 0.75
"""How often the bounds state that they hold, at least (`recio/rules/pricing/bounds.py`)."""
WORKERS = 2
LEFT = (300, 150, 90, 61, 59, 45, 30, 20, 10, 5)
"""Seconds to the close at which it is asked."""
REMEMBERED = 1_500
"""Seconds of the past before what is simulated in full."""


class Unhurried(PriceMemory):
    """The rules' own memory of a price, which measures only what is asked about.

    Measuring is more than half of what a window costs, and what was measured in earlier seconds is in no bound.
    """

    is_asked = False

    def volatility(self) -> float | None:
        return PriceMemory.volatility(self) if self.is_asked else None

    def momentum(self) -> Momentum | None:
        return PriceMemory.momentum(self) if self.is_asked else None

    def last_minute(self) -> tuple[tuple[int, Decimal], ...]:
        return PriceMemory.last_minute(self) if self.is_asked else ()


@dataclass(slots=True)
class World:
    """One window: a path, and what is heard of it."""

    dice: random.Random
    left: int
    sigma: float = 0.0
    ahead: float = 0.0
    """The volatility to come: as far from the one before as the fit says that it usually is."""
    path: dict[int, float] = field(default_factory=dict[int, float])
    """By second the level at its end: what a source is last heard to say in it, and the index's print of the next second."""
    basis: dict[str, float] = field(default_factory=dict[str, float])
    no_mean: bool = False
    """The index comes without the venue's own mean, as it does over REST."""
    traded: Unhurried = field(default_factory=lambda: Unhurried(warmup_seconds=300))
    index: Unhurried = field(default_factory=lambda: Unhurried(warmup_seconds=300))
    coin: Coin = field(init=False)
    view: PriceView | None = None

    def __post_init__(self) -> None:
        dice = self.dice
        self.sigma = dice.uniform(0.00004, 0.00012)
        self.ahead = self.sigma * math.exp(dice.gauss(0, NORMAL.volatility_error))
        shared = dice.gauss(0, 0.81 * USUAL)
        self.basis = {name: shared + dice.gauss(0, 0.58 * USUAL) for name in SOURCES}
        level = 100_000.0
        for second in range(T - 400 - REMEMBERED, T):
            level *= math.exp(dice.gauss(0, self.sigma))
            self.path[second] = level
        self.coin = Coin(
            symbol="BTC",
            index_id="BRTI",
            use_index=False,
            limits=LIMITS,
            traded=CoinMemory(self.traded),
            index=CoinMemory(self.index),
            panel=Panel(sources={name: Heard(source=name, lag=LATE) for name in SOURCES}),
        )

    @property
    def now(self) -> int:
        return T - self.left

    @property
    def since(self) -> int:
        """What is simulated in full: the closing minute as far as it has come, and some seconds before."""
        return min(self.now - 40, T - 80)

    def past(self, until: int | None = None) -> None:
        """What was known long before."""
        for second in range(self.since - REMEMBERED, self.since if until is None else until):
            self.traded.complete(second, Decimal(f"{self.said('coinbase', second):.2f}"))

    def jump(self, second: int) -> None:
        factor = 1 + self.dice.choice((-1, 1)) * self.dice.uniform(0.0005, 0.002)
        for each in range(second, T):
            self.path[each] *= factor

    def said(self, source: str, second: int) -> float:
        return self.path[second] * (1 + self.basis[source])

    def hear(self, source: str, second: int, after: float = 0.9) -> None:
        self.hear_of(source, second, self.path[second], stamped=True, after=after)

    def hear_of(
        self, source: str, second: int, level: float, *, stamped: bool = False, after: float = 0.9
    ) -> None:
        """A source says in this second what it makes of such a level."""
        at = datetime.fromtimestamp(second + after, UTC)
        price = Decimal(f"{level * (1 + self.basis[source]):.2f}")
        self.coin.panel = hears(self.coin.panel, source, price, at if stamped else None, at, LIMITS)

    def hear_all(self, second: int) -> None:
        for source in SOURCES:
            self.hear(source, second)

    def confirm(self, source: str, second: int) -> None:
        at = datetime.fromtimestamp(second + 0.9, UTC)
        self.coin.panel = self.coin.panel.having(confirmed(self.coin.panel.sources[source], at, at))

    def lose(self) -> None:
        for source in SOURCES:
            self.coin.panel = self.coin.panel.having(lost(self.coin.panel.sources[source], "closed"))

    def print_(self, second: int, repeats: int | None = None) -> None:
        """The print of a second, or that of an earlier one again, of which the venue averages nothing."""
        at = datetime.fromtimestamp(second, UTC)
        began = T - 60
        made = [self.path[each] for each in range(began, second)]
        has_mean = bool(made) and repeats is None and not self.no_mean
        value = IndexValue(
            sid=1,
            seq=second,
            index_id="BRTI",
            value=Decimal(f"{self.path[(second if repeats is None else repeats) - 1]:.2f}"),
            at=at,
            received_at=at,
            final_minute_mean=Decimal(f"{sum(made) / len(made):.8f}") if has_mean else None,
            final_minute_count=len(made) if has_mean else None,
        )
        self.coin.hear_index(IndexHistory(prints={"BRTI": (value,)}), at)

    def measure(self) -> None:
        """From here on each second is measured, beginning with the newest."""
        for stream, memory in ((self.coin.traded, self.traded), (self.coin.index, self.index)):
            memory.is_asked = True
            stream.volatility, stream.minute = memory.volatility(), memory.last_minute()

    def judge(self, second: int) -> None:
        if second == self.now - 1:
            self.measure()
        self.view, _ = self.coin.judge(datetime.fromtimestamp(second + 0.95, UTC))


def _seconds(world: World, each: Callable[[int], None]) -> None:
    for second in range(world.since, world.now):
        each(second)
        world.judge(second)


def whole(world: World) -> None:
    """Two sources, heard every second."""
    world.past()
    _seconds(world, world.hear_all)


def alone(world: World) -> None:
    """One source alone."""
    world.past()
    _seconds(world, lambda second: world.hear("coinbase", second))


def late(world: World) -> None:
    """The newest word is some seconds old."""
    world.past()
    lag = world.dice.randint(1, 4)

    def each(second: int) -> None:
        if second < world.now - lag:
            world.hear_all(second)

    _seconds(world, each)


def all_late(world: World) -> None:
    """All sources say what was true some seconds ago, and not when."""
    world.past()
    lag = world.dice.randint(1, 4)

    def each(second: int) -> None:
        for source in SOURCES:
            world.hear_of(source, second, world.path[second - lag])

    _seconds(world, each)


def mirrored(world: World) -> None:
    """All sources go as far as the index, the other way, since some seconds."""
    world.past()
    since = world.now - world.dice.randint(2, 19)

    def each(second: int) -> None:
        turned = 2 * world.path[since - 1] - world.path[second]
        for source in SOURCES:
            world.hear_of(source, second, world.path[second] if second < since else turned, stamped=True)

    _seconds(world, each)


def frozen(world: World) -> None:
    """The second source lives and stands still."""
    world.past()
    since = world.now - world.dice.randint(2, 19)

    def each(second: int) -> None:
        world.hear("coinbase", second)
        (world.hear if second < since else world.confirm)("kraken", second)

    _seconds(world, each)


def gap(world: World) -> None:
    """Nothing is heard for a while, and then again."""
    world.past()
    ends = world.now - world.dice.randint(2, 5)
    begins = max(world.since + 2, ends - world.dice.randint(4, 28))

    def each(second: int) -> None:
        if begins <= second < ends:
            world.lose()
        else:
            world.hear_all(second)

    _seconds(world, each)


def jump(world: World) -> None:
    """A jump within a silence, or before it."""
    world.jump(world.now - world.dice.randint(1, 30))
    gap(world)


def restart(world: World) -> None:
    """What was known ends half a minute ago; since a few seconds everything is heard again."""
    back = world.now - world.dice.randint(2, 5)
    world.past(until=back - world.dice.randint(15, 40))

    def each(second: int) -> None:
        if second >= back:
            world.hear_all(second)

    _seconds(world, each)


def by_index(world: World) -> None:
    """Prints come, with some of them missing."""
    world.coin.use_index = True
    world.past()
    missing = {world.dice.randrange(world.since, world.now) for _ in range(world.dice.randint(0, 8))}

    def each(second: int) -> None:
        if second not in missing or second == world.now - 1:
            world.print_(second)
        world.hear_all(second)

    _seconds(world, each)


def silent_index(world: World) -> None:
    """Prints came until some seconds ago."""
    world.coin.use_index = True
    world.past()
    since = world.now - world.dice.randint(6, 30)

    def each(second: int) -> None:
        if second < since:
            world.print_(second)
        world.hear_all(second)

    _seconds(world, each)


def frozen_index(world: World) -> None:
    """Prints come, and say again what was printed some seconds ago."""
    world.coin.use_index = world.no_mean = True
    world.past()
    since = world.now - world.dice.randint(2, 40)

    def each(second: int) -> None:
        world.print_(second, repeats=min(second, since))
        world.hear_all(second)

    _seconds(world, each)


def thawed_index(world: World) -> None:
    """Prints said for a while what was printed before, and go on."""
    world.coin.use_index = world.no_mean = True
    world.past()
    ends = world.now - world.dice.randint(1, 5)
    since = ends - world.dice.randint(4, 30)

    def each(second: int) -> None:
        world.print_(second, repeats=since if since <= second < ends else None)
        world.hear_all(second)

    _seconds(world, each)


def index_after_restart(world: World) -> None:
    """Prints since a restart some seconds ago."""
    world.coin.use_index = True
    back = world.now - world.dice.randint(1, 4)
    world.past(until=back - world.dice.randint(15, 40))

    def each(second: int) -> None:
        if second >= back:
            world.print_(second)

    _seconds(world, each)


KINDS: tuple[Callable[[World], None], ...] = (
    whole,
    alone,
    late,
    all_late,
    mirrored,
    frozen,
    gap,
    jump,
    restart,
    by_index,
    silent_index,
    frozen_index,
    thawed_index,
    index_after_restart,
)


def truth(world: World) -> tuple[float, float]:
    """(mean expected, its standard deviation) for who knows the path until now and the volatility.

    A contract settles on the prints of the sixty seconds before the close, the first of which the venue's own mean leaves out: that of
    a second is the level at the end of the second before.
    """
    last = world.now - 1
    made = [world.path[each] for each in range(T - 61, last + 1)]
    m = PRINTS - len(made)
    before_first = max(1, T - 61 - last)
    variance = (m * m * before_first + (m - 1) * m * (2 * m - 1) / 6) / PRINTS**2
    level = world.path[last]
    return (sum(made) + level * m) / PRINTS, level * world.ahead * math.sqrt(variance)


@dataclass(frozen=True, slots=True)
class Said:
    """What came of one window."""

    held: bool
    """The bounds hold the probability of who knows all."""
    width: float
    """From the lower bound to the upper one."""


def said(kind: Callable[[World], None], seed: int) -> Said | None:
    """None where nothing is said."""
    dice = random.Random(f"{kind.__name__} {seed}")
    world = World(dice, left=dice.choice(LEFT))
    kind(world)
    if world.view is None:
        return None
    mean, spread = truth(world)
    strike = round(mean + dice.gauss(0, 1.0) * max(spread, 0.3 * USUAL * mean), 2)
    true = 0.5 * math.erfc((strike - 0.005 - mean) / spread / math.sqrt(2))
    asked = market(symbol="BTC", close_time=CLOSES, floor_strike=Decimal(f"{strike:.2f}"))
    found = Reader(Model(fit=NORMAL)).bounds(asked, world.view, CLOSES - timedelta(seconds=world.left))
    if isinstance(found, str):
        return None
    return Said(held=found[0] - 1e-6 <= true <= found[1] + 1e-6, width=found[1] - found[0])


SHOWS_IN_NOTHING: Mapping[Callable[[World], None], str] = {
    mirrored: "What the sources say is then as lively, as timely and as much of one mind as ever, so no rule can see it: "
    "the stated rate is not claimed there."
}
"""Kinds that the stated rate does not speak of, and why; they stand in the table as all others do."""


class Verdict(StrEnum):
    YES = "yes"
    NO = "**no**"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of all windows of one kind."""

    kind: Callable[[World], None]
    told: int
    held: float
    width: float

    @property
    def name(self) -> str:
        return (self.kind.__doc__ or self.kind.__name__).strip()

    @property
    def interval(self) -> Interval:
        """Wilson's, wide enough for all kinds at once."""
        reach = NormalDist().inv_cdf(1 - 0.05 / 2 / len(KINDS))
        return Interval(
            *counted_bounds(TableReading(probability=self.held, worth=self.told, clamped=()), reach)
        )

    @property
    def verdict(self) -> Verdict:
        if self.interval.high < STATED_RATE:
            return Verdict.NO
        return Verdict.YES if self.interval.low >= STATED_RATE else Verdict.UNKNOWN


def row(kind: Callable[[World], None], windows: int) -> Row:
    """None of them left out."""
    told = [found for seed in range(windows) if (found := said(kind, seed)) is not None]
    return Row(
        kind=kind,
        told=len(told),
        held=fmean(found.held for found in told),
        width=fmean(found.width for found in told),
    )


def claim(rows: Sequence[Row]) -> Iterator[str]:
    """Whether bounds hold as often as they state, as the figures have it, and of which kind that is not claimed."""
    asked = [each for each in rows if each.kind not in SHOWS_IN_NOTHING]
    yield (
        f"Bounds state that they hold in at least {STATED_RATE:.0%} of windows. "
        f"**Held at the stated rate: {sum(each.verdict is Verdict.YES for each in asked)} of the {len(asked)} kinds that it is claimed for.**"
    )
    for each in asked:
        if each.verdict is not Verdict.YES:
            yield f'"{each.name}" {"does not" if each.verdict is Verdict.NO else "is not known to"}: {_figures(each)}.'
    for each in rows:
        if each.kind in SHOWS_IN_NOTHING:
            yield f'Not claimed, and {_figures(each)}: "{each.name}" {SHOWS_IN_NOTHING[each.kind]}'


def _figures(of: Row) -> str:
    return f"{of.held:.1%} held ({of.interval.low:.1%} to {of.interval.high:.1%})"


def page(rows: Sequence[Row], each: int) -> Iterator[str]:
    """Markdown: the claim, and of each kind as many windows."""
    yield "\n".join(claim(rows))
    yield ""
    yield (
        f"| bounds of the probability, {each:,} simulated windows of a kind | said something "
        f"| held (95 % for all kinds at once) | stated: at least | held at its stated rate | width |"
    )
    yield "|---|---|---|---|---|---|"
    for of in rows:
        low, high = of.interval.low, of.interval.high
        stated, verdict = f"{STATED_RATE:.0%}", of.verdict
        if of.kind in SHOWS_IN_NOTHING:
            stated = "not claimed"
        yield (
            f"| {of.name} | {of.told:,} | {of.held:.1%} ({low:.1%} to {high:.1%}) "
            f"| {stated} | {verdict} | {of.width:.2f} |"
        )


def main(windows: int) -> None:
    each = windows // len(KINDS)
    with ProcessPoolExecutor(WORKERS) as pool:
        rows = list(pool.map(row, KINDS, repeat(each)))
    for line in page(rows, each):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
