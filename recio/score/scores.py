"""The scores of some observations and trades, as plain figures: every number with how many events stand behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from recio.replay.findings import TradeFound
from recio.report.calibration import Bin
from recio.score.forecasts import MARKET, TERMINAL, Observation
from recio.score.groups import by_distance, by_time, calibrated
from recio.score.losses import LOSSES, Comparison, compare
from recio.score.trades import Edge, edge

EVERYTHING = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One comparison by one loss within one group."""

    group: str
    loss: str
    comparison: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    observations: int
    events: int
    """Closes, over all series and coins."""
    yes: float
    """Share of observations whose market ended YES."""
    names: tuple[str, ...]
    compared: tuple[Compared, ...]
    calibration: Mapping[str, Sequence[Bin]]
    edge: Edge | None
    without_outcome: int
    """Observations of markets whose end nobody told. In no figure."""
    warnings: tuple[str, ...] = ()
    """What in the recordings does not fit together."""


def score(
    observations: Sequence[Observation],
    trades: Sequence[TradeFound] = (),
    without_outcome: int = 0,
    *,
    beside: Sequence[tuple[str, str]] = (),
) -> Scores:
    """Everybody against the market, every model against the naive one, and the pairs in `beside` (name, against)."""
    names = tuple(dict.fromkeys(chain.from_iterable(each.probabilities for each in observations)))
    return Scores(
        observations=len(observations),
        events=len({each.event for each in observations}),
        yes=sum(each.yes for each in observations) / max(1, len(observations)),
        names=names,
        compared=tuple(_compared(observations, names, beside)),
        calibration={name: calibrated(observations, name) for name in names},
        edge=edge(trades),
        without_outcome=without_outcome,
    )


def _compared(
    observations: Sequence[Observation], names: Sequence[str], beside: Sequence[tuple[str, str]]
) -> Iterable[Compared]:
    groups = [
        (EVERYTHING, list(observations)),
        *by_time(observations),
        *by_distance(observations),
    ]
    pairs = [(name, MARKET) for name in names if name != MARKET]
    pairs += [(name, TERMINAL) for name in names if name not in (MARKET, TERMINAL)]
    pairs += beside
    for group, held in groups:
        for name, against in pairs:
            for loss_name, loss in LOSSES.items():
                found = compare(held, name, against, loss)
                if found is not None:
                    yield Compared(group=group, loss=loss_name, comparison=found)
