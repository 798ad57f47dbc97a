"""`python -m tests.score.simulated_closes 2000`: how often 95 % intervals of means over closes hold the mean that is true.

Closes are drawn of which the true mean is known: forecasts beside forecasts along a window, trades at every price, tenths of a
calibration. Nothing is told of them but what a recording would tell.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from recio.report.intervals import Close, interval, together
from recio.score.forecasts import Observation
from recio.score.losses import LOSSES, closes_of
from recio.units import Side

MANY = (10, 20, 36, 100)
"""Closes in a recording."""
SLOTS = 20
TRUTH_FROM = 3_000


@dataclass(frozen=True, slots=True)
class World:
    name: str
    draw: Callable[[random.Random], Close]
    expected: Callable[[random.Random], tuple[float, float]]
    """Of a close drawn anew: the total that is to be expected of it, and its weight."""


@cache
def truth(world: World) -> float:
    dice = random.Random(f"truth {world.name}")
    drawn = [world.expected(dice) for _ in range(TRUTH_FROM)]
    return math.fsum(total for total, _ in drawn) / math.fsum(weight for _, weight in drawn)


def cdf(value: float) -> float:
    return 0.5 * math.erfc(-value * math.sqrt(0.5))


def _window(dice: random.Random, coins: int) -> Iterator[tuple[int, float, float, float, bool]]:
    """(coin, truth, ours, theirs, outcome) at the moments of one close; coins go the same way for the most part."""
    shared = [dice.gauss(0, 1) for _ in range(SLOTS)]
    ours_wide, theirs_off = math.exp(dice.gauss(0, 0.1)), dice.gauss(0, 0.15)
    heard_from = dice.choice((0, 0, 0, 7, 15))
    for coin in range(coins):
        steps = [0.85 * each + 0.53 * dice.gauss(0, 1) for each in shared]
        away = dice.gauss(0, 0.5) * math.sqrt(SLOTS)
        yes = away + math.fsum(steps) > 0
        for slot, step in enumerate(steps):
            if slot >= heard_from:
                spread = math.sqrt(SLOTS - slot)
                moves = away / spread
                yield coin, cdf(moves), cdf(moves / ours_wide), cdf(moves + theirs_off), yes
            away += step


def certain(probability: float) -> float:
    """What a naive forecaster says in the last seconds, of which it knows nothing but the price."""
    return float(round(probability))


def _observations(
    dice: random.Random, coins: int, kept: Callable[[float], bool], other: Callable[[float], float]
) -> list[tuple[float, Observation]]:
    return [
        (
            true,
            Observation(
                market=f"M{coin}",
                symbol=f"C{coin}",
                event="E",
                seconds_to_close=1,
                spreads=1,
                probabilities={"ours": ours, "market": other(theirs)},
                yes=yes,
            ),
        )
        for coin, true, ours, theirs, yes in _window(dice, coins)
        if kept(true)
    ]


def compared(
    name: str,
    coins: int,
    loss: str,
    kept: Callable[[float], bool] = lambda _: True,
    other: Callable[[float], float] = lambda theirs: theirs,
) -> World:
    cost = LOSSES[loss]

    def draw(dice: random.Random) -> Close:
        held = [each for _, each in _observations(dice, coins, kept, other)]
        return next(iter(closes_of(held, "ours", "market", cost)), Close(0.0, 0.0))

    def expected(dice: random.Random) -> tuple[float, float]:
        total = 0.0
        held = _observations(dice, coins, kept, other)
        for true, each in held:
            ours, theirs = each.probabilities["ours"], each.probabilities["market"]
            total += true * (cost(ours, True) - cost(theirs, True))
            total += (1 - true) * (cost(ours, False) - cost(theirs, False))
        return total, len(held)

    return World(name, draw, expected)


def trades(name: str, price: float, stop: float | None = None, *, ladder: bool = False) -> World:
    """One to three coins bought a cent too dear; every other loser is sold before it ends, at `stop` of what was paid.

    Of a ladder they are four strikes of one coin instead, side by side.
    """

    def one(dice: random.Random) -> tuple[Close, float]:
        shared, total, weight, expected = dice.gauss(0, 1), 0.0, 0.0, 0.0
        deviations = list[tuple[Side, float]]()
        common = 1.0 if ladder else 0.7
        for _ in range(4 if ladder else dice.randint(1, 3)):
            paid = min(0.985, max(0.015, price + dice.uniform(-0.02, 0.02)))
            contracts = dice.choice((1, 2, 5, 10, 20))
            luck = cdf(common * shared + math.sqrt(1 - common**2) * dice.gauss(0, 1))
            won, saved = luck < paid, stop if stop is not None and dice.random() < 0.5 else 0.0
            total += contracts * ((1.0 if won else saved * paid) - paid - 0.01)
            expected += contracts * ((1 - paid) * (0.5 * stop if stop else 0.0) * paid - 0.01)
            weight += contracts
            deviations.append((Side.YES, contracts * math.sqrt(paid * (1 - paid))))
        return Close(total, weight, together(deviations)), expected

    def expected_of(dice: random.Random) -> tuple[float, float]:
        drawn, expected = one(dice)
        return expected, drawn.weight

    return World(name, lambda dice: one(dice)[0], expected_of)


WORLDS = (
    compared("Brier, one coin", 1, "Brier"),
    compared("log loss, one coin", 1, "log loss"),
    compared("log loss, four coins", 4, "log loss"),
    compared("log loss, surer than 98 %", 1, "log loss", lambda true: not 0.02 < true < 0.98),
    compared(
        "log loss, beside one that is certain", 1, "log loss", lambda true: not 0.1 < true < 0.9, certain
    ),
    trades("trades at 50 cents", 0.50),
    trades("trades at 90 cents", 0.90),
    trades("trades at 97 cents", 0.97),
    trades("trades at 5 cents", 0.05),
    trades("trades at 97 cents, four of one ladder", 0.97, ladder=True),
    trades("trades at 90 cents, half of the losers sold at half", 0.90, stop=0.5),
)


@dataclass(frozen=True, slots=True)
class Coverage:
    draws: int
    given: int
    """Recordings of which an interval was given at all."""
    held: int
    """Intervals that hold the truth."""

    @property
    def share(self) -> float | None:
        """None where hardly any interval is given."""
        return self.held / self.given if self.given > self.draws / 20 else None


def coverage(world: World, many: int, draws: int) -> Coverage:
    given, holding, true = 0, 0, truth(world)
    for seed in range(draws):
        dice = random.Random(f"{world.name} {many} {seed}")
        found = interval([world.draw(dice) for _ in range(many)])
        if found is not None:
            given += 1
            holding += found.low <= true <= found.high
    return Coverage(draws, given, holding)


def table(draws: int) -> Iterator[str]:
    """Markdown."""
    yield (
        f"| 95 % intervals, {draws:,} simulated recordings each | "
        + " | ".join(f"{many} closes" for many in MANY)
        + " |"
    )
    yield "|---" * (len(MANY) + 1) + "|"
    for world in WORLDS:
        shares = [coverage(world, many, draws).share for many in MANY]
        yield (
            f"| {world.name} | "
            + " | ".join("none given" if each is None else f"{each:.1%}" for each in shares)
            + " |"
        )


if __name__ == "__main__":
    for line in table(int(sys.argv[1])):
        sys.stdout.write(line + "\n")
