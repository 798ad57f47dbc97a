"""How many of the last trades in a row lost; it never decides what follows from that.

schema.sql has the same rule as losses_in_a_row(); a test holds both against the same histories.
"""

from __future__ import annotations

from recio.units import Money, TradeId


def losing_after(losing: tuple[TradeId, ...], trade_id: TradeId, pnl: Money) -> tuple[TradeId, ...]:
    """The losing trades since the last gain, after one more has closed. A profit of zero changes nothing."""
    if pnl > 0:
        return ()
    return (*losing, trade_id) if pnl < 0 else losing
