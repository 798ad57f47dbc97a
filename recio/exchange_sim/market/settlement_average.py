"""How far the average of the last sixty index prints has come, which markets settle on; plain figures."""

from __future__ import annotations

from dataclasses import dataclass

PRINTS = 60
"""How many prints, one a second, the average is of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixing:
    """How far the settlement average has come: what was printed and what is still to print."""

    printed_sum: float
    remaining: int
    wait_seconds: float
    """Seconds until the next print that counts."""
