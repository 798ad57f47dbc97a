"""What a wrong probability costs: Brier score and log loss, and the difference to another's with its uncertainty by closes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from recio.report.intervals import Close, Interval, Mean, closes_needed, mean_of
from recio.score.forecasts import Observation

CLIP = 0.001
"""The finest price of any market: nobody's forecast counts as surer than what can be quoted."""
Loss = Callable[[float, bool], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A forecaster beside another one, where both said something."""

    name: str
    against: str
    observations: int
    events: int
    """Closes, over all series and coins."""
    loss: float
    other: float
    difference: float
    """Below 0: better than the other."""
    mean: Mean | None
    """The difference with its error; None for too few closes."""
    interval: Interval | None
    """Of the difference, 95 %; None for too few closes."""
    events_needed: int | None
    """To tell a difference of this size from none by the test of the interval; None where none is seen."""


def brier(probability: float, yes: bool) -> float:
    return (probability - yes) ** 2


def log_loss(probability: float, yes: bool) -> float:
    held = min(1.0 - CLIP, max(CLIP, probability))
    return -math.log(held if yes else 1.0 - held)


LOSSES: Mapping[str, Loss] = {"Brier": brier, "log loss": log_loss}


def compare(observations: Iterable[Observation], name: str, against: str, loss: Loss) -> Comparison | None:
    """None where they never both said something."""
    both = [each for each in observations if name in each.probabilities and against in each.probabilities]
    if not both:
        return None
    ours, theirs = (
        fmean(loss(each.probabilities[who], each.yes) for each in both) for who in (name, against)
    )
    closes = list(closes_of(both, name, against, loss))
    mean = mean_of(closes)
    return Comparison(
        name=name,
        against=against,
        observations=len(both),
        events=len(closes),
        loss=ours,
        other=theirs,
        difference=ours - theirs,
        mean=mean,
        interval=None if mean is None else mean.interval(),
        events_needed=closes_needed(closes),
    )


def closes_of(observations: Iterable[Observation], name: str, against: str, loss: Loss) -> Iterator[Close]:
    """The differences of each close. Both must have said something at every moment."""
    events = by_event(observations).values()
    rarest = 1 / (len(events) + 2)
    for held in events:
        yield Close(
            total=math.fsum(_difference(each, name, against, loss, each.yes) for each in held),
            weight=len(held),
            deviation=_deviation(held, name, against, loss, rarest),
        )


def by_event(observations: Iterable[Observation]) -> dict[str, list[Observation]]:
    events: dict[str, list[Observation]] = {}
    for each in observations:
        events.setdefault(each.event, []).append(each)
    return events


def _difference(seen: Observation, name: str, against: str, loss: Loss, yes: bool) -> float:
    return loss(seen.probabilities[name], yes) - loss(seen.probabilities[against], yes)


def _deviation(held: Iterable[Observation], name: str, against: str, loss: Loss, rarest: float) -> float:
    """How far chance alone moves the sum of a close, if one of both is right: the one by which it moves less.

    Markets of one coin go together; how far coins do is left to what the closes show.
    """
    coins: dict[str, dict[str, list[Observation]]] = {}
    for each in held:
        coins.setdefault(each.symbol, {}).setdefault(each.market, []).append(each)
    of_coins = (
        math.fsum(_of_market(each, name, against, loss, rarest) for each in markets.values())
        for markets in coins.values()
    )
    return math.hypot(*of_coins)


def _of_market(held: list[Observation], name: str, against: str, loss: Loss, rarest: float) -> float:
    ordered = sorted(held, key=lambda seen: -seen.seconds_to_close)
    at_stake = [
        _difference(each, name, against, loss, True) - _difference(each, name, against, loss, False)
        for each in ordered
    ]
    variances = (
        _variance([each.probabilities[who] for each in ordered], at_stake, rarest) for who in (name, against)
    )
    return math.sqrt(max(0.0, min(variances)))


def _variance(said: Sequence[float], at_stake: Sequence[float], rarest: float) -> float:
    """The moments of a market end alike: two of them share what was not known yet at the later one.

    Nobody is taken to be surer than so many closes can show (the rule of succession): by one who is certain nothing would be left
    to chance, and whoever doubts it would be worse for sure until it has been wrong once.
    """
    variance = before = 0.0
    for each, stake in zip(said, at_stake, strict=True):
        probability = min(max(each, rarest), 1 - rarest)
        variance += probability * (1 - probability) * stake * (stake + 2 * before)
        before += stake
    return variance
