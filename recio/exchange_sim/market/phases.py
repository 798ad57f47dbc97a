"""The steps that every market takes to its end, simulated or recorded; whose result it is, others know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from recio.exchange_sim.engine.execution import pay_out
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.market.event_queue import EventQueue
from recio.exchange_sim.market.events import MarketDetermined
from recio.exchange_sim.market.markets import Market

STRIKE_DELAY_MS = 500

Move = Callable[[Market], None]


class Verdict(NamedTuple):
    """How a market ended: 'yes' or 'no', and the settlement value where it is known."""

    result: str
    value: int | None


@dataclass(slots=True, kw_only=True)
class SettlementFaults:
    """What settlements will meet because a fault asked for it: (extra time, events left), and wrong events left."""

    delay_ms: int = 0
    delayed_events: int = 0
    wrong_events: int = 0


class MarketPhases:
    """Changes the state of markets, now or when a later step is due."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.event_queue = EventQueue()

    def step(self) -> None:
        """Apply every move that is due by now."""
        self.event_queue.run_to(self._venue.now_ms)

    def at(self, due_ms: int, move: Move, market: Market) -> None:
        self.event_queue.add(due_ms, partial(move, market))

    def change(self, market: Market, status: Status) -> None:
        market.status = status
        market.updated_ms = self._venue.now_ms

    def close(self, market: Market) -> bool:
        """False when it is closed already, or closes at a later time than was planned."""
        if market.status not in (Status.ACTIVE, Status.INACTIVE) or self._venue.now_ms < market.close_ms:
            return False
        self.change(market, Status.CLOSED)
        return True

    def determine(
        self, market: Market, right: Verdict, wrong: Verdict | None, *, timer_ms: int, settle: Move
    ) -> None:
        """Announce the result and settle after the timer; a wrong one first is disputed and amended before that."""
        now_ms = self._venue.now_ms
        self._announce(market, wrong or right, Status.DETERMINED)
        if wrong is None:
            self.at(now_ms + timer_ms, settle, market)
            return
        self.at(now_ms + timer_ms // 2, self._dispute, market)
        self.event_queue.add(now_ms + timer_ms, partial(self._amend, market, right, timer_ms, settle))

    def settle(self, market: Market) -> None:
        """Pay, once and on the final result, and let go of what only a living market needs."""
        market.settled_ms = self._venue.now_ms
        self.change(market, Status.FINALIZED)
        pay_out(self._venue, market)
        market.holdings.clear()

    def _dispute(self, market: Market) -> None:
        self.change(market, Status.DISPUTED)

    def _amend(self, market: Market, right: Verdict, timer_ms: int, settle: Move) -> None:
        """The right result at last; the time to settlement begins anew."""
        self._announce(market, right, Status.AMENDED)
        self.at(self._venue.now_ms + timer_ms, settle, market)

    def _announce(self, market: Market, verdict: Verdict, status: Status) -> None:
        market.result, market.value = verdict
        market.determined_ms = self._venue.now_ms
        self.change(market, status)
        self._venue.emit(MarketDetermined(market))
