"""Carries out the faults that concern markets, pauses and settlements; what lasts is given in host seconds."""

from __future__ import annotations

from recio.exchange_sim.engine.pauses import Pauses
from recio.exchange_sim.engine.units import ONE_DOLLAR
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.faults.faults import Fault
from recio.exchange_sim.faults.kinds import FaultKind
from recio.exchange_sim.market.interventions import Interventions
from recio.exchange_sim.market.phases import LifecycleFaults

EVEN = 50.0
"""What a tie pays either side, in percent."""


def apply(fault: Fault, venue: Venue, interventions: Interventions, *, speed: float) -> bool:
    """Carry it out on a clock of this speed. False when the fault is not about markets.

    Raises NoSuchMarket when its market cannot suffer it, ValueError when its figures are none.
    """
    lasting_ms = round(fault.seconds * speed * 1000)
    return (
        _paused(fault, venue, venue.now_ms + lasting_ms)
        or _changed_market(fault, interventions, lasting_ms)
        or _changed_events(fault, interventions, lasting_ms)
    )


def _paused(fault: Fault, venue: Venue, until_ms: int) -> bool:
    match fault.kind:
        case FaultKind.TRADING_PAUSE:
            venue.pauses.pause_trading(until_ms)
        case FaultKind.EXCHANGE_PAUSE:
            venue.pauses.pause_exchange(until_ms)
        case _:
            return False
    return True


def _changed_market(fault: Fault, interventions: Interventions, lasting_ms: int) -> bool:
    """What happens to one market, now."""
    match fault.kind:
        case FaultKind.DEACTIVATE:
            interventions.deactivate(fault.ticker, lasting_ms)
        case FaultKind.EARLY_CLOSE:
            interventions.close_early(fault.ticker)
        case FaultKind.MOVE_CLOSE:
            interventions.close_later(fault.ticker, lasting_ms)
        case FaultKind.CHANGE_GRID:
            interventions.change_grid(fault.ticker)
        case _:
            return False
    return True


def _changed_events(fault: Fault, interventions: Interventions, lasting_ms: int) -> bool:
    """What the next events of any series will meet."""
    match fault.kind:
        case FaultKind.DELAY_SETTLEMENT:
            interventions.delay_settlement(lasting_ms, fault.count)
        case FaultKind.CORRECT_SETTLEMENT:
            interventions.settle_wrongly_first(fault.count)
        case FaultKind.REVISE_SETTLEMENT:
            interventions.settle_and_revise(lasting_ms, fault.count)
        case FaultKind.SCALAR_SETTLEMENT:
            interventions.settle_scalar(_share(EVEN if fault.percent is None else fault.percent), fault.count)
        case FaultKind.DELAY_STRIKE:
            interventions.delay_strikes(lasting_ms, fault.count)
        case FaultKind.WITHHOLD_STRIKE:
            interventions.withhold_strikes(fault.count)
        case _:
            return False
    return True


def _share(percent: float) -> int:
    """Of a dollar, in $0.0001."""
    if not 0 <= percent <= 100:
        raise ValueError(f"percent is what YES is paid of a dollar, 0 to 100, not {percent}")
    return round(percent * ONE_DOLLAR / 100)


def end(venue: Venue, lifecycle: LifecycleFaults) -> None:
    """End the pauses that were asked for and what settlements were still to meet; stopped markets come back alone."""
    venue.pauses = Pauses(weekly=venue.pauses.weekly)
    lifecycle.end()
