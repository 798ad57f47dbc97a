"""Momentum: how far the price has moved over six horizons, weighted, in basis points; it fills no gap longer than half a minute.

score = sum of w_n x delta_n, delta_n the change of the newest price against that of n minutes before, in basis
points (hundredths of a percent). One basis point is one bucket of the empirical tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from recio.messages.prices import Momentum

WEIGHTS = ((1, 0.30), (2, 0.25), (3, 0.20), (4, 0.15), (15, 0.05), (30, 0.05))
"""(minutes, weight); the weights sum to one."""
LONGEST_MINUTES = WEIGHTS[-1][0]
ENOUGH = 4
"""Horizons, from the shortest on, without which nothing is said: they carry nine tenths of the weight."""
BASIS_POINTS = 10_000.0
LONGEST_HOLE = 30
"""Seconds by which the price of so many minutes ago may be older."""

MINUTES_REMEMBERED = 60
"""Peaks further back cannot be asked about; a pause's calm minutes may not be longer."""

Peak = tuple[int, float]
"""(Unix minute, highest absolute momentum of it in basis points)."""


def score(newest: float, past: Callable[[int], float | None]) -> Momentum | None:
    """Momentum of `newest` against the prices `past(minutes)` before; None if one of the short horizons is unknown.

    While the long ones are unknown the known weights are scaled to one, and the figure is not whole.
    """
    deltas: list[tuple[float, float]] = []
    for nth, (minutes, weight) in enumerate(WEIGHTS):
        before = past(minutes)
        if before is not None and before > 0:
            deltas.append((weight, newest / before - 1.0))
        elif nth < ENOUGH:
            return None
    total = sum(weight for weight, _ in deltas)
    moved = sum(weight * delta for weight, delta in deltas) / total
    return Momentum(bp=moved * BASIS_POINTS, whole=len(deltas) == len(WEIGHTS))


def of_levels(levels: Mapping[int, float], newest: int) -> Momentum | None:
    """Momentum of remembered seconds: price by Unix second, of which some may be missing."""

    def past(minutes: int) -> float | None:
        at = newest - 60 * minutes
        return next((levels[each] for each in range(at, at - LONGEST_HOLE, -1) if each in levels), None)

    return score(levels[newest], past)


def of_minutes(closes: Sequence[float], index: int) -> Momentum | None:
    """Momentum at one of the closes of consecutive minutes, of which zero is a missing one."""
    if not closes[index]:
        return None

    def past(minutes: int) -> float | None:
        before = index - minutes
        return closes[before] if before >= 0 else None

    return score(closes[index], past)


def with_peak(peaks: Sequence[Peak], minute: int, momentum: float) -> tuple[Peak, ...]:
    """The peaks with one more figure of a minute, the oldest forgotten."""
    height = abs(momentum)
    if peaks and peaks[-1][0] == minute:
        before = peaks[-1][1]
        return tuple(peaks) if height <= before else (*peaks[:-1], (minute, height))
    return (*peaks, (minute, height))[-MINUTES_REMEMBERED - 1 :]
