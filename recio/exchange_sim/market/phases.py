"""The steps that every market takes to its end, simulated or recorded; whose result it is, others know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import NamedTuple

from recio.exchange_sim.engine.execution import pay_again, pay_out
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.engine.units import ONE_DOLLAR
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.market.event_queue import EventQueue
from recio.exchange_sim.market.events import MarketDetermined, MarketSettled
from recio.exchange_sim.market.markets import Market

Move = Callable[[Market], None]


class Verdict(NamedTuple):
    """How a market ended: 'yes', 'no' or 'scalar', the settlement value where it is known, and what YES is paid."""

    result: str
    value: int | None
    payout: int
    """In $0.0001."""


def verdict(result: str, value: int | None) -> Verdict:
    """All of a dollar to one side."""
    return Verdict(result, value, ONE_DOLLAR if result == "yes" else 0)


@dataclass(slots=True, kw_only=True)
class LifecycleFaults:
    """What the life of markets will meet because a fault asked for it: how many events or windows are left of each."""

    delay_ms: int = 0
    delayed_events: int = 0
    wrong_events: int = 0
    revision_ms: int = 0
    revised_events: int = 0
    scalar_payout: int = 0
    scalar_events: int = 0
    strike_delay_ms: int = 0
    delayed_strikes: int = 0
    withheld_strikes: int = 0

    def end(self) -> None:
        """Nothing is left of anything."""
        self.delayed_events = self.wrong_events = self.scalar_events = self.revised_events = 0
        self.delayed_strikes = self.withheld_strikes = 0

    def strike_due_ms(self, market: Market) -> int | None:
        """When a window gets its strike; None for never."""
        if self.withheld_strikes:
            self.withheld_strikes -= 1
            return None
        due_ms = market.open_ms + market.spec.strike_delay_ms
        due_ms += round(Random(market.ticker).random() * market.spec.strike_jitter_ms)
        if self.delayed_strikes:
            self.delayed_strikes -= 1
            due_ms += self.strike_delay_ms
        return due_ms


class MarketPhases:
    """Changes the state of markets, now or when a later step is due."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.event_queue = EventQueue()
        self._revisions: dict[str, tuple[Verdict, int]] = {}
        """Of markets that are paid wrongly: what is right, and how long after their payment it is found."""

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

    def pay_wrongly_first(self, market: Market, right: Verdict, *, after_ms: int) -> None:
        """What the market is about to be determined at is corrected so long after it was paid."""
        self._revisions[market.ticker] = right, after_ms

    def settle(self, market: Market) -> None:
        """Pay, once and on the final result, and let go of what only a living market needs."""
        market.settled_ms = self._venue.now_ms
        self.change(market, Status.FINALIZED)
        pay_out(self._venue, market)
        market.holdings.clear()
        if market.ticker in self._revisions:
            right, after_ms = self._revisions.pop(market.ticker)
            self.event_queue.add(self._venue.now_ms + after_ms, partial(self._revise, market, right))

    def _revise(self, market: Market, right: Verdict) -> None:
        """The right result after all: what was paid is taken back, and paid anew."""
        self._announce(market, right, Status.FINALIZED)
        market.settled_ms = self._venue.now_ms
        pay_again(self._venue, market)
        self._venue.emit(MarketSettled(market))

    def _dispute(self, market: Market) -> None:
        self.change(market, Status.DISPUTED)

    def _amend(self, market: Market, right: Verdict, timer_ms: int, settle: Move) -> None:
        """The right result at last; the time to settlement begins anew."""
        self._announce(market, right, Status.AMENDED)
        self.at(self._venue.now_ms + timer_ms, settle, market)

    def _announce(self, market: Market, verdict: Verdict, status: Status) -> None:
        market.result, market.value, market.payout = verdict
        market.determined_ms = self._venue.now_ms
        self.change(market, status)
        self._venue.emit(MarketDetermined(market))
