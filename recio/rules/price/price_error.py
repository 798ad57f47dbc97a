"""How far a price may lie from the settlement index: one standard error, relative; it never says less than is known to be unknown.

Four kinds of ignorance add up as independent errors do: what a source usually is away from the index, how far the sources
are apart now, how long nobody has seen the price move, and what contradicts an index that repeats itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import median

from recio.rules.price.price_sources import BASIS_SECONDS, Basis, Limits
from recio.texts import beside

SHARED, OWN = 0.81, 0.58
"""Of a source's usual distance from the index: what all sources have in common, and what is each one's own.

On recorded books two exchanges were 1.15 bp apart where one of them was 1.4 bp from the index; the squares add up to one."""
UNMEASURED_VOLATILITY = 0.0001
"""Per square-root second, while none is known."""
GRAIN = 1e6
FORGOTTEN_SECONDS = 3_600.0
"""Market seconds after which what was learnt of a source's distance is worth nothing."""
LEAST_OFF = 0.3
"""Of the usual distance: nobody is known to be nearer than this, however well it looked for five minutes."""
USUAL = 3.0
"""Usual distances by which an index that moves may lie from the sources before that counts as doubt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceError:
    """Relative, each one standard error."""

    basis: float
    apart: float = 0.0
    still: float = 0.0

    @property
    def whole(self) -> float:
        return math.hypot(self.basis, self.apart, self.still)


def stated(error: float) -> float:
    """The error as it is told: in hundredths of a basis point, rounded up."""
    return math.ceil(error * GRAIN) / GRAIN


def relative(basis_points: Decimal) -> float:
    return float(basis_points) / 1e4


def usually_off(basis: Basis, limits: Limits, now: datetime) -> float:
    """How far its level may lie from the index, relative: what was learnt, and what may have changed since."""
    usual = limits.usual_basis**2
    if basis.square is None or basis.learnt_at is None:
        return limits.usual_basis
    known = float(basis.known_for / BASIS_SECONDS)
    aged = min(1.0, max(0.0, (now - basis.learnt_at).total_seconds()) / FORGOTTEN_SECONDS)
    learnt = max(float(basis.square), usual * LEAST_OFF * LEAST_OFF)
    trusted = known * (1.0 - aged)
    return (trusted * learnt + (1.0 - trusted) * max(usual, learnt)) ** 0.5


def basis_of(usual: Sequence[float]) -> float:
    """Of the middle of some sources, given how far each usually is from the index."""
    mean_square = math.fsum(each * each for each in usual) / len(usual)
    return math.sqrt(mean_square * (SHARED * SHARED + OWN * OWN / len(usual)))


def apart_of(levels: Sequence[Decimal]) -> float:
    """How far the sources are from their middle now: of two half of what they differ by, of more what most of them stay within."""
    middle = median(levels)
    return float(median([abs(each - middle) for each in levels]) / middle)


def contradiction(furthest: Decimal, limits: Limits) -> float:
    """What the furthest of three and more voices says against the others: how far it is away beyond what two usually differ by."""
    usual = limits.usual_basis * OWN * math.sqrt(2)
    away = relative(min(furthest, limits.divergence_bp / 2))
    return math.sqrt(max(0.0, away * away - usual * usual))


def still_for(volatility: float | None, seconds: float) -> float:
    """How far the market may have gone while a price stood still."""
    return (UNMEASURED_VOLATILITY if volatility is None else volatility) * math.sqrt(max(0.0, seconds))


def contradicted(index: Decimal, level: Decimal | None, basis: float, *, repeats: bool) -> float:
    """How far the sources are from an index: all of it where the index repeats itself, else what is more than usual."""
    if level is None:
        return 0.0
    away = abs(float(index / level) - 1.0)
    return away if repeats else max(0.0, away - USUAL * basis)


def doubt_of(error: PriceError, largest: float) -> str:
    """Why nothing may be opened at such an error; empty while it is small enough."""
    if error.whole <= largest:
        return ""
    parts = (
        (error.apart, "sources, or source and index, are too far apart"),
        (error.still, "it has not moved for too long"),
        (error.basis, "its sources are usually so far from the index"),
    )
    return f"it may be {beside(largest * 1e4, error.whole * 1e4, 1)} bp off (at most {largest * 1e4:g} bp wanted): {max(parts)[1]}"
