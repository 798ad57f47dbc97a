"""The settlement average as it was before the Student t, to stand beside it on the page of evidence; nothing trades by it.

A move was one of two normals: mostly a narrow one, now and then a wide one. Both are asked as models of their own and mixed
afterwards, which is the same: a mixture's probability is the mean of its parts' by their shares.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from recio.rules.pricing.average_fit import FITTED, Fit, Tails
from recio.rules.pricing.model import Model
from recio.score.forecasts import Observation

NAME = "two normals"
NARROW, WIDE = f"{NAME}, narrow", f"{NAME}, wide"


@dataclass(frozen=True, slots=True)
class Knot:
    """How moves over so many seconds were spread, in units of the spread expected; `often` is the narrow one's share."""

    seconds: float
    often: float
    narrow: float
    wide: float


KNOTS = (
    Knot(60, often=0.905, narrow=0.859, wide=2.539),
    Knot(300, often=0.924, narrow=0.913, wide=3.023),
    Knot(900, often=0.911, narrow=0.901, wide=3.045),
    Knot(3600, often=0.874, narrow=0.843, wide=3.131),
)
"""Fitted on the same candles as the t."""


def parts(trading: Model) -> dict[str, Model]:
    """Both normals, with the time of day that the model in use has."""
    return {
        NARROW: _normal(trading, ((each.seconds, each.narrow) for each in KNOTS)),
        WIDE: _normal(trading, ((each.seconds, each.wide) for each in KNOTS)),
    }


def _normal(trading: Model, scales: Iterable[tuple[float, float]]) -> Model:
    tails = tuple(Tails(seconds=seconds, scale=scale) for seconds, scale in scales)
    fit = Fit(
        tails=tails,
        time_of_day=trading.fit.time_of_day,
        is_fat=False,
        volatility_error=FITTED.volatility_error,
    )
    return Model(fit=fit)


def mixed(observations: Iterable[Observation]) -> Iterator[Observation]:
    """The observations with the mixture in place of its two parts; where a part says nothing, so does the mixture."""
    for each in observations:
        said = dict(each.probabilities)
        narrow, wide = said.pop(NARROW, None), said.pop(WIDE, None)
        if narrow is not None and wide is not None:
            often = share_of_narrow(each.seconds_to_close)
            said[NAME] = often * narrow + (1 - often) * wide
        yield replace(each, probabilities=said)


def share_of_narrow(seconds: float) -> float:
    """Between two knots linear in the logarithm of the seconds, beyond the outermost as there."""
    if seconds <= KNOTS[0].seconds:
        return KNOTS[0].often
    for earlier, later in itertools.pairwise(KNOTS):
        if seconds <= later.seconds:
            part = math.log(seconds / earlier.seconds) / math.log(later.seconds / earlier.seconds)
            return earlier.often + part * (later.often - earlier.often)
    return KNOTS[-1].often
