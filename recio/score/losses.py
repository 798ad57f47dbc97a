"""What a wrong probability costs: Brier score and log loss, and the difference to the market's with its uncertainty.

Moments of one event are not independent, so whole events are drawn again; how many moments there were says nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from recio.score.forecasts import Observation

CLIP = 0.001
"""The finest price of any market: nobody's forecast counts as surer than what can be quoted."""
DRAWS = 2_000
SEED = 1
CONFIDENCE = 0.95
FEWEST_EVENTS = 5
"""Of fewer no interval is given: drawn again and again they look surer than they are."""
POWER_Z = 1.645 + 0.842
"""One-sided 5 %, 80 % power."""
Loss = Callable[[float, bool], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A forecaster beside another one, where both said something."""

    name: str
    against: str
    observations: int
    events: int
    loss: float
    other: float
    difference: float
    """Below 0: better than the other."""
    interval: Interval | None
    """Of the difference, 95 %; None for too few events."""
    events_needed: int | None
    """To tell a difference of this size from none; None where none is seen."""


def brier(probability: float, yes: bool) -> float:
    return (probability - yes) ** 2


def log_loss(probability: float, yes: bool) -> float:
    held = min(1.0 - CLIP, max(CLIP, probability))
    return -math.log(held if yes else 1.0 - held)


LOSSES: Mapping[str, Loss] = {"Brier": brier, "log loss": log_loss}


def compare(observations: Iterable[Observation], name: str, against: str, loss: Loss) -> Comparison | None:
    """None where they never both said something."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for each in observations:
        if name in each.probabilities and against in each.probabilities:
            ours, theirs = (
                loss(each.probabilities[name], each.yes),
                loss(each.probabilities[against], each.yes),
            )
            pairs.setdefault(each.event, []).append((ours, theirs))
    if not pairs:
        return None
    every = [pair for event in pairs.values() for pair in event]
    blocks = [(math.fsum(ours - theirs for ours, theirs in event), len(event)) for event in pairs.values()]
    difference = fmean(ours - theirs for ours, theirs in every)
    return Comparison(
        name=name,
        against=against,
        observations=len(every),
        events=len(pairs),
        loss=fmean(ours for ours, _ in every),
        other=fmean(theirs for _, theirs in every),
        difference=difference,
        interval=block_interval(blocks),
        events_needed=events_needed([total / count for total, count in blocks]),
    )


def block_interval(blocks: Sequence[tuple[float, float]], seed: int = SEED) -> Interval | None:
    """Of the sum of the first over the sum of the second, by drawing whole blocks; None for too few."""
    if len(blocks) < FEWEST_EVENTS:
        return None
    dice = random.Random(seed)
    means = sorted(_ratio(dice.choices(blocks, k=len(blocks))) for _ in range(DRAWS))
    outside = (1 - CONFIDENCE) / 2
    return Interval(low=means[int(DRAWS * outside)], high=means[int(DRAWS * (1 - outside)) - 1])


def _ratio(drawn: Sequence[tuple[float, float]]) -> float:
    weight = math.fsum(count for _, count in drawn)
    return math.fsum(total for total, _ in drawn) / weight if weight else 0.0


def events_needed(means: Sequence[float]) -> int | None:
    """How many independent events it takes to tell a mean of this size from zero; None for too few or a mean of zero."""
    if len(means) < FEWEST_EVENTS:
        return None
    mean, spread = fmean(means), stdev(means)
    if mean == 0:
        return None
    return max(2, math.ceil((POWER_Z * spread / mean) ** 2))
