"""What the venue does to markets out of their usual course, when a fault asks for it; it moves no money."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from recio.exchange_sim.engine.price_grids import LINEAR_CENT, TAPERED_DECI_CENT
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.market.event_queue import EventQueue
from recio.exchange_sim.market.events import CloseDateChanged, GridChanged, MarketActivated, MarketDeactivated
from recio.exchange_sim.market.lifecycle import cancel_resting
from recio.exchange_sim.market.listings import Listings
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.phases import LifecycleFaults


class NoSuchMarket(Exception):
    """No market of that ticker is in a state in which this could happen to it."""


class Calendar(Protocol):
    """What moves the markets along, simulated or recorded."""

    @property
    def event_queue(self) -> EventQueue: ...

    @property
    def faults(self) -> LifecycleFaults: ...

    def close_moved(self, market: Market) -> None: ...

    def step(self) -> None: ...


class Interventions:
    """Stops, closes and changes markets. Times are venue milliseconds."""

    def __init__(self, venue: Venue, listings: Listings, calendar: Calendar) -> None:
        self._venue = venue
        self._listings = listings
        self._calendar = calendar

    def deactivate(self, ticker: str, for_ms: int) -> None:
        """The market stops, and goes on after this time unless it closes before. Raises NoSuchMarket."""
        market = self._market(ticker, Status.ACTIVE)
        self._change(market, Status.INACTIVE)
        self._venue.emit(MarketDeactivated(market))
        self._calendar.event_queue.add(self._venue.now_ms + for_ms, partial(self._activate, market))

    def close_early(self, ticker: str) -> None:
        """The market closes at the second that has just begun. Raises NoSuchMarket."""
        market = self._market(ticker, Status.ACTIVE, Status.INACTIVE)
        market.close_ms = self._venue.now_ms // 1000 * 1000
        market.updated_ms = self._venue.now_ms
        self._venue.emit(CloseDateChanged(market))
        self._calendar.close_moved(market)
        self._calendar.step()

    def close_later(self, ticker: str, by_ms: int) -> None:
        """The market closes so much later than it would, by whole seconds. Raises NoSuchMarket."""
        market = self._market(ticker, Status.ACTIVE, Status.INACTIVE)
        market.close_ms += by_ms // 1000 * 1000
        market.updated_ms = self._venue.now_ms
        self._venue.emit(CloseDateChanged(market))
        self._calendar.close_moved(market)

    def delay_settlement(self, by_ms: int, events: int) -> None:
        """The next events to close are determined so much later."""
        self._calendar.faults.delay_ms = by_ms
        self._calendar.faults.delayed_events += events

    def settle_wrongly_first(self, events: int) -> None:
        """The next events to be determined get a wrong result, which is disputed and amended."""
        self._calendar.faults.wrong_events += events

    def settle_and_revise(self, after_ms: int, events: int) -> None:
        """The next events to be determined are paid on a wrong result, which is corrected so long after."""
        self._calendar.faults.revision_ms = after_ms
        self._calendar.faults.revised_events += events

    def settle_scalar(self, payout: int, events: int) -> None:
        """The next events to be determined have no winner: YES is paid so much, in $0.0001."""
        self._calendar.faults.scalar_payout = payout
        self._calendar.faults.scalar_events += events

    def delay_strikes(self, by_ms: int, windows: int) -> None:
        """The next windows to open get their strikes so much later."""
        self._calendar.faults.strike_delay_ms = by_ms
        self._calendar.faults.delayed_strikes += windows

    def withhold_strikes(self, windows: int) -> None:
        """The next windows to open never get a strike."""
        self._calendar.faults.withheld_strikes += windows

    def change_grid(self, ticker: str) -> None:
        """Whole cents become the tapered grid, any other whole cents; what rests stays. Raises NoSuchMarket."""
        market = self._market(ticker, Status.ACTIVE, Status.INACTIVE, Status.INITIALIZED)
        market.grid = TAPERED_DECI_CENT if market.grid is LINEAR_CENT else LINEAR_CENT
        market.updated_ms = self._venue.now_ms
        self._venue.emit(GridChanged(market))

    def _activate(self, market: Market) -> None:
        if market.status is not Status.INACTIVE:
            return
        cancel_resting(self._venue, market, "HaltCancel")
        self._change(market, Status.ACTIVE)
        self._venue.emit(MarketActivated(market))

    def _change(self, market: Market, status: Status) -> None:
        market.status = status
        market.updated_ms = self._venue.now_ms

    def _market(self, ticker: str, *allowed: Status) -> Market:
        market = self._listings.markets.get(ticker)
        if market is None or market.status not in allowed:
            raise NoSuchMarket(f"no market {ticker!r} that is {' or '.join(allowed)}")
        return market
