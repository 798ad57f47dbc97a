"""`python -m tests.rules.simulated_freezes 2000`: how often the stated error of a price holds the index while sources freeze.

The index walks, and three sources follow it, each at a distance of its own. Then some of them, or all, go wrong in one way while
their connections live. Nothing but what the sources say is told to the rules of the price.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import combinations

from recio.messages.prices import PriceView
from recio.rules.price.coin_price import Coin, CoinMemory
from recio.rules.price.consensus import Panel, hears
from recio.rules.price.price_sources import Heard, Limits, confirmed
from recio.rules.price.volatility import PriceMemory

BEGAN = datetime(2026, 11, 23, 12, 15, tzinfo=UTC)
SOURCES = ("bitstamp", "coinbase", "kraken")
USUAL = 0.00014
LIMITS = Limits(
    silence_seconds=15,
    frozen_seconds=20,
    fresh_seconds=5,
    divergence_bp=Decimal(20),
    usual_basis=USUAL,
    largest_error=0.00021,
)
HEALTHY, LONGEST = 60, 90
"""Seconds before anything goes wrong, and for which it is wrong at most."""
LATEST = 12
"""Seconds by which one that is late is late at most."""
TWITCH = 0.00001
"""How far one that twitches goes to either side of where it stands: a tenth of a basis point."""


@dataclass(slots=True)
class World:
    """One path, and what three sources make of it."""

    dice: random.Random
    frozen: frozenset[str]
    seconds: int
    """For which they have been wrong when it is asked."""
    late: int = 0
    path: list[float] = field(default_factory=list[float])
    basis: dict[str, float] = field(default_factory=dict[str, float])
    coin: Coin = field(init=False)
    view: PriceView | None = None

    def __post_init__(self) -> None:
        sigma, level = self.dice.uniform(0.00004, 0.00012), 100_000.0
        self.late = self.dice.randint(1, LATEST)
        shared = self.dice.gauss(0, 0.81 * USUAL)
        self.basis = {name: shared + self.dice.gauss(0, 0.58 * USUAL) for name in SOURCES}
        for _ in range(LATEST + HEALTHY + self.seconds + 1):
            level *= math.exp(self.dice.gauss(0, sigma))
            self.path.append(level)
        self.coin = Coin(
            symbol="BTC",
            index_id="",
            use_index=False,
            limits=LIMITS,
            traded=CoinMemory(PriceMemory(warmup_seconds=30)),
            index=CoinMemory(PriceMemory(warmup_seconds=30)),
            panel=Panel(sources={name: Heard(source=name) for name in SOURCES}),
        )

    def true(self, second: int) -> float:
        """Seconds from the first at which something is wrong."""
        return self.path[LATEST + HEALTHY + second]

    def say(self, source: str, second: int, level: float, stamp: int | None = None) -> None:
        now = _at(second)
        price = Decimal(f"{level * (1 + self.basis[source]):.2f}")
        said = now if stamp is None else _at(stamp)
        self.coin.panel = hears(self.coin.panel, source, price, said, now, LIMITS)

    def live(self, wrong: Callable[[World, str, int], None]) -> None:
        for second in range(-HEALTHY, self.seconds):
            for source in SOURCES:
                if second >= 0 and source in self.frozen:
                    wrong(self, source, second)
                else:
                    self.say(source, second, self.true(second))
            self.view, _ = self.coin.judge(_at(second))


def _at(second: int) -> datetime:
    return BEGAN + timedelta(seconds=second)


def exact(world: World, source: str, second: int) -> None:
    """They repeat their last price."""
    heard = world.coin.panel.sources[source]
    world.coin.panel = world.coin.panel.having(confirmed(heard, _at(second), _at(second)))


def twitching(world: World, source: str, second: int) -> None:
    """They repeat their last price, give or take a tenth of a basis point."""
    world.say(source, second, world.true(-1) * (1 + world.dice.uniform(-TWITCH, TWITCH)))


def swinging(world: World, source: str, second: int) -> None:
    """They go back and forth between two prices a fifth of a basis point apart."""
    world.say(source, second, world.true(-1) * (1 + TWITCH * (-1) ** second))


def late(world: World, source: str, second: int) -> None:
    """They say what was true some seconds ago, as if it were now."""
    world.say(source, second, world.true(second - world.late))


def mirrored(world: World, source: str, second: int) -> None:
    """They go as far as the index, the other way."""
    world.say(source, second, 2 * world.true(-1) - world.true(second))


def late_and_stamped(world: World, source: str, second: int) -> None:
    """They say what was true some seconds ago, and when."""
    world.say(source, second, world.true(second - world.late), stamp=second - world.late)


KINDS = (exact, twitching, swinging, late, mirrored, late_and_stamped)
SHOWS_IN_NOTHING = (late, mirrored)
"""Where every source does it alike: the index is then further away than the stated error says it usually is."""

Case = tuple[Callable[[World, str, int], None], frozenset[str]]


def cases() -> Iterator[Case]:
    for kind in KINDS:
        for many in (1, 2, 3):
            yield from ((kind, frozenset(names)) for names in combinations(SOURCES, many))


@dataclass(frozen=True, slots=True)
class Said:
    """What came of one world, at its end."""

    stopped: bool
    """No entry is opened at such a price."""
    away: float = 0.0
    """From the index; relative."""
    error: float = 0.0
    """As it is stated, and for the price's age."""

    @property
    def inside(self) -> bool:
        return self.away <= self.error

    @property
    def right(self) -> bool:
        return self.stopped or self.inside


def said(case: Case, seed: int) -> Said:
    kind, frozen = case
    dice = random.Random(f"{kind.__name__} {sorted(frozen)} {seed}")
    world = World(dice, frozen, seconds=dice.randint(1, LONGEST))
    world.live(kind)
    view, last = world.view, world.seconds - 1
    if view is None:
        return Said(stopped=True)
    aged = (_at(last) - view.tick.at).total_seconds()
    return Said(
        stopped=bool(view.doubt or view.unreliable),
        away=abs(float(view.tick.price) / world.true(last) - 1),
        error=math.hypot(view.error, (view.volatility or 0.0) * math.sqrt(max(0.0, aged))),
    )


def table(draws: int) -> Iterator[str]:
    """Markdown."""
    yield f"| {draws:,} draws of each subset | entries stopped | of the others held | held or stopped |"
    yield "|---|---|---|---|"
    for kind in KINDS:
        for many in (1, 2, 3):
            held = [
                said(case, seed)
                for case in cases()
                if case[0] is kind and len(case[1]) == many
                for seed in range(draws)
            ]
            open_ = [each.inside for each in held if not each.stopped]
            yield (
                f"| {many} of 3: {(kind.__doc__ or '').strip()} | {1 - len(open_) / len(held):.0%} "
                f"| {sum(open_) / max(1, len(open_)):.0%} | {sum(each.right for each in held) / len(held):.0%} |"
            )


if __name__ == "__main__":
    for line in table(int(sys.argv[1])):
        sys.stdout.write(line + "\n")
