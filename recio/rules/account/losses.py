"""How many of the last trades in a row lost; it never decides what follows from that.

schema.sql has the same rule as losses_in_a_row(); a test holds both against the same histories.
"""

from __future__ import annotations

from collections.abc import Iterable

from recio.units import Money


def losses_in_a_row(pnls: Iterable[Money]) -> int:
    """Losing trades since the last winning one, of profits newest first. A profit of zero changes nothing."""
    losses = 0
    for pnl in pnls:
        if pnl > 0:
            break
        losses += pnl < 0
    return losses
