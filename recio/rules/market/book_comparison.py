"""Compares one side of a book with the same side as the venue's REST book has it; it mends nothing and never says which is right.

The venue may write the prices of NO levels in YES terms or in their own. Who reads them the other way sees a book that is
whole and wrong: each level stands at one dollar less its price.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from recio.units import Price, Quantity, complement

Levels = Mapping[Price, Quantity]


class Likeness(StrEnum):
    AGREES = "agrees"
    """At least half of the levels are the same: the others moved between the two looks."""
    MIRRORED = "mirrored"
    """More levels are the same once they are turned than as they are."""
    DIFFERS = "differs"
    NOTHING = "nothing to compare"
    """Both are empty."""


def likeness(ours: Levels, rest: Levels) -> Likeness:
    """Of two readings of the same side, in its own terms, that were made shortly after each other."""
    if not ours and not rest:
        return Likeness.NOTHING
    same = sum(ours.get(price) == quantity for price, quantity in rest.items())
    turned = sum(ours.get(complement(price)) == quantity for price, quantity in rest.items())
    if turned > same:
        return Likeness.MIRRORED
    return Likeness.AGREES if 2 * same >= max(len(ours), len(rest)) else Likeness.DIFFERS
