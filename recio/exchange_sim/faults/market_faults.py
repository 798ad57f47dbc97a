"""Carries out the faults that concern markets, pauses and settlements; what lasts is given in host seconds."""

from __future__ import annotations

from recio.exchange_sim.engine.pauses import Pauses
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.faults.faults import Fault
from recio.exchange_sim.faults.kinds import FaultKind
from recio.exchange_sim.market.interventions import Interventions
from recio.exchange_sim.market.phases import SettlementFaults


def apply(fault: Fault, venue: Venue, interventions: Interventions, *, speed: float) -> bool:
    """Carry it out on a clock of this speed. False when the fault is not about markets. Raises NoSuchMarket when its market cannot suffer it."""
    lasting_ms = round(fault.seconds * speed * 1000)
    until_ms = venue.now_ms + lasting_ms
    match fault.kind:
        case FaultKind.TRADING_PAUSE:
            venue.pauses.pause_trading(until_ms)
        case FaultKind.EXCHANGE_PAUSE:
            venue.pauses.pause_exchange(until_ms)
        case FaultKind.DEACTIVATE:
            interventions.deactivate(fault.ticker, lasting_ms)
        case FaultKind.EARLY_CLOSE:
            interventions.close_early(fault.ticker)
        case FaultKind.MOVE_CLOSE:
            interventions.close_later(fault.ticker, lasting_ms)
        case FaultKind.DELAY_SETTLEMENT:
            interventions.delay_settlement(lasting_ms, fault.count)
        case FaultKind.CORRECT_SETTLEMENT:
            interventions.settle_wrongly_first(fault.count)
        case FaultKind.CHANGE_GRID:
            interventions.change_grid(fault.ticker)
        case _:
            return False
    return True


def end(venue: Venue, settlement_faults: SettlementFaults) -> None:
    """End the pauses that were asked for and what settlements were still to meet; stopped markets come back alone."""
    venue.pauses = Pauses(weekly=venue.pauses.weekly)
    settlement_faults.delayed_events = settlement_faults.wrong_events = 0
