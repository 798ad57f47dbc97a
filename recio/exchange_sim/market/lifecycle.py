"""Moves markets along the venue clock: open, strike, close, determination, settlement; it makes no prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from recio.exchange_sim.engine.events import BookCleared
from recio.exchange_sim.engine.execution import cancel_order, publish_book, publish_ticker
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.market.events import MarketCreated, MarketSettled, StrikeSet
from recio.exchange_sim.market.listings import Listings
from recio.exchange_sim.market.markets import Market, new_event
from recio.exchange_sim.market.phases import LifecycleFaults, MarketPhases, Verdict, verdict
from recio.exchange_sim.market.retention import Retention
from recio.exchange_sim.market.series import Kind, SeriesSpec


@dataclass(slots=True, kw_only=True)
class ListedEvent:
    """One event of a series from its creation until all its markets are settled."""

    ticker: str
    spec: SeriesSpec
    open_ms: int
    markets: list[Market]
    delay_ms: int | None = None
    """How much later than usual it is determined; unknown until it closes."""
    wrong: bool | None = None
    """Whether its first determination is a wrong one; unknown until then."""
    revised: bool | None = None
    """Whether it is paid on a wrong result at first; unknown until it is determined."""
    scalar_decided: bool = False
    scalar_payout: int | None = None
    """What YES is paid where the result is scalar; unknown until it is determined."""
    unsettled: int = 0


class MarketCalendar:
    """Lists one event after another of every series and walks every living market through its states."""

    def __init__(
        self, venue: Venue, listings: Listings, specs: Iterable[SeriesSpec], retention: Retention
    ) -> None:
        self._venue = venue
        self._listings = listings
        self._retention = retention
        self._phases = MarketPhases(venue)
        self.event_queue = self._phases.event_queue
        self.faults = LifecycleFaults()
        self.specs = tuple(specs)
        self._living: dict[str, dict[str, ListedEvent]] = {spec.ticker: {} for spec in self.specs}
        for spec in self.specs:
            period_ms = spec.period_seconds * 1000
            self._list_from(spec, venue.now_ms // period_ms * period_ms)
        self.step()

    def step(self) -> None:
        """Apply every move that is due by now."""
        self._phases.step()

    def open_event(self, series: str) -> ListedEvent | None:
        """The event of a series whose time it is."""
        now = self._venue.now_ms
        for event in self._living[series].values():
            if event.open_ms <= now < event.open_ms + event.spec.period_seconds * 1000:
                return event
        return None

    def open_market(self) -> Market | None:
        """The first market that is trading, if one is."""
        for spec in self.specs:
            event = self.open_event(spec.ticker)
            for market in event.markets if event else ():
                if market.status is Status.ACTIVE:
                    return market
        return None

    def close_moved(self, market: Market) -> None:
        """The market's close is another one than was planned."""
        self._phases.at(market.close_ms, self._close, market)

    def _list_from(self, spec: SeriesSpec, open_ms: int) -> None:
        """List what is due and come again when the next event is."""
        period_ms = spec.period_seconds * 1000
        while open_ms <= self._venue.now_ms + spec.listed_ahead * period_ms:
            self._list(spec, open_ms)
            open_ms += period_ms
        self.event_queue.add(open_ms - spec.listed_ahead * period_ms, partial(self._list_from, spec, open_ms))

    def _list(self, spec: SeriesSpec, open_ms: int) -> None:
        venue = self._venue
        level = round(self._listings.indices[spec.asset.index_id].level * spec.asset.scale)
        markets = new_event(spec, open_ms, venue.now_ms, level)
        event = ListedEvent(
            ticker=markets[0].event_ticker,
            spec=spec,
            open_ms=open_ms,
            markets=markets,
            unsettled=len(markets),
        )
        self._living[spec.ticker][event.ticker] = event
        for market in markets:
            self._listings.markets[market.ticker] = market
            venue.emit(MarketCreated(market, with_event=market is markets[0]))
            self._phases.at(open_ms, self._open, market)

    def _open(self, market: Market) -> None:
        if market.status is not Status.INITIALIZED:
            return
        self._phases.change(market, Status.ACTIVE)
        if market.spec.kind is Kind.WINDOW:
            due_ms = self.faults.strike_due_ms(market)
            if due_ms is not None:
                self._phases.at(due_ms, self._set_strike, market)
        self._phases.at(market.close_ms, self._close, market)

    def _set_strike(self, market: Market) -> None:
        """The target is what the window before settles at, known from the prints up to the open."""
        if market.status not in (Status.ACTIVE, Status.INACTIVE):
            return
        index = self._listings.indices[market.spec.asset.index_id]
        market.strike = index.mean_before(market.open_ms // 1000)
        market.updated_ms = self._venue.now_ms
        self._venue.emit(StrikeSet(market))

    def _close(self, market: Market) -> None:
        if not self._phases.close(market):
            return
        delays = market.spec.delays
        value = self._listings.indices[market.spec.asset.index_id].mean_before(market.close_second)
        self._phases.at(market.close_ms + delays.book_cleared_ms, self._clear_book, market)
        self.event_queue.add(
            market.close_ms + delays.determined_ms + self._delay_of(market),
            partial(self._determine, market, value),
        )

    def _delay_of(self, market: Market) -> int:
        """One armed delay serves a whole event."""
        event, armed = self._event_of(market), self.faults
        if event.delay_ms is None:
            event.delay_ms = armed.delay_ms if armed.delayed_events else 0
            armed.delayed_events = max(0, armed.delayed_events - 1)
        return event.delay_ms

    def _clear_book(self, market: Market) -> None:
        """The account's orders end with a reason, the others' just leave the book."""
        if market.cleared:
            return
        cancel_resting(self._venue, market, "CloseCancel")
        market.cleared = True
        publish_ticker(self._venue, market)

    def _determine(self, market: Market, value: int) -> None:
        self._clear_book(market)
        delays = market.spec.delays
        timer_ms = delays.settled_ms - delays.determined_ms
        wrong = _verdict(market, _wrong_value(market, value)) if self._is_wrong(market) else None
        payout = self._scalar_payout(market)
        right = _verdict(market, value) if payout is None else Verdict("scalar", value, payout)
        if self._is_revised(market):
            self._phases.pay_wrongly_first(market, right, after_ms=self.faults.revision_ms)
            right, wrong = _verdict(market, _wrong_value(market, value)), None
        self._phases.determine(market, right, wrong, timer_ms=timer_ms, settle=self._settle)

    def _scalar_payout(self, market: Market) -> int | None:
        """What YES is paid where one armed scalar result serves a whole event; None where there is a winner."""
        event, armed = self._event_of(market), self.faults
        if not event.scalar_decided:
            event.scalar_decided = True
            if armed.scalar_events:
                armed.scalar_events -= 1
                event.scalar_payout = armed.scalar_payout
        return event.scalar_payout

    def _is_wrong(self, market: Market) -> bool:
        """One armed mistake serves a whole event."""
        event, armed = self._event_of(market), self.faults
        if event.wrong is None:
            event.wrong = armed.wrong_events > 0
            armed.wrong_events = max(0, armed.wrong_events - 1)
        return event.wrong

    def _is_revised(self, market: Market) -> bool:
        """One armed revision serves a whole event."""
        event, armed = self._event_of(market), self.faults
        if event.revised is None:
            event.revised = armed.revised_events > 0
            armed.revised_events = max(0, armed.revised_events - 1)
        return event.revised

    def _settle(self, market: Market) -> None:
        venue = self._venue
        self._phases.settle(market)
        venue.emit(BookCleared(market))
        venue.emit(MarketSettled(market))
        event = self._event_of(market)
        event.unsettled -= 1
        if not event.unsettled:
            del self._living[market.series][event.ticker]
        self._retention.settled(market)

    def _event_of(self, market: Market) -> ListedEvent:
        return self._living[market.series][market.event_ticker]


def cancel_resting(venue: Venue, market: Market, reason: str) -> None:
    """End everything that rests in a market; only members' orders hear why."""
    for member in venue.members:
        for order in member.open_of(market.ticker):
            cancel_order(member, market, order, reason)
    for book_side in (market.book.bids, market.book.asks):
        for level in list(book_side.levels.values()):
            for resting in list(level.values()):
                market.book.cancel(resting)
    publish_book(venue, market)


def _verdict(market: Market, value: int) -> Verdict:
    return verdict("yes" if market.wins(value) else "no", value)


def _wrong_value(market: Market, value: int) -> int:
    """A value on the other side of a window's strike, or one strike away on a ladder."""
    if market.spec.kind is not Kind.WINDOW or market.strike is None:
        return value + market.spec.asset.spacing
    return market.strike - 1 if market.wins(value) else market.strike
