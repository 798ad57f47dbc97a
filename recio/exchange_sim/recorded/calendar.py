"""Walks the recorded windows through their states by the clock, to the results that were recorded.

Every window is listed from the start, opens and closes at its own times, gets its strike as usual after it
opened, and is determined and settled at the usual delays to its recorded result. One whose result is not
known stays closed for ever: nothing is made up. It makes no prices, and
of the books it only empties those that the recording left with levels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import NAMESPACE_URL, uuid5

from recio.exchange_sim.engine.book import OrderBook
from recio.exchange_sim.engine.events import BookCleared
from recio.exchange_sim.engine.execution import cancel_order
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.market.events import MarketCreated, MarketSettled, StrikeSet
from recio.exchange_sim.market.listings import Listings
from recio.exchange_sim.market.markets import CREATED_BEFORE_MS, Market
from recio.exchange_sim.market.phases import LifecycleFaults, MarketPhases, Verdict, verdict
from recio.exchange_sim.market.retention import Retention
from recio.exchange_sim.market.series import Delays
from recio.exchange_sim.recorded.windows import Window


class RecordedCalendar:
    """The windows of one session as markets."""

    def __init__(
        self,
        venue: Venue,
        listings: Listings,
        windows: Iterable[Window],
        retention: Retention,
        *,
        delays: Delays,
        books: Mapping[str, OrderBook],
        market_ids: dict[str, str],
        last_ms: dict[str, int],
    ) -> None:
        self._venue = venue
        self._listings = listings
        self._retention = retention
        self._delays = delays
        self._last_ms = last_ms
        self._known: dict[str, Window] = {}
        self._phases = MarketPhases(venue)
        self.event_queue = self._phases.event_queue
        self.faults = LifecycleFaults()
        for window in windows:
            self._known[window.ticker] = window
            market_id = market_ids.get(window.ticker) or str(uuid5(NAMESPACE_URL, window.ticker))
            self._list(window, books[window.ticker], market_id)

    def step(self) -> None:
        """Apply every move that is due by now."""
        self._phases.step()

    def close_moved(self, market: Market) -> None:
        """The market's close is another one than was planned."""
        self._phases.at(market.close_ms, self._close, market)

    def all_settled(self) -> bool:
        """Whether every window has come to the end that it can come to."""
        markets = self._listings.markets
        return all(
            markets[ticker].status is Status.FINALIZED
            or (not window.result and markets[ticker].status is Status.CLOSED)
            for ticker, window in self._known.items()
            if ticker in markets
        )

    def _list(self, window: Window, book: OrderBook, market_id: str) -> None:
        created = window.open_ms - CREATED_BEFORE_MS
        market = Market(
            ticker=window.ticker,
            event_ticker=window.event_ticker,
            series=window.spec.ticker,
            market_id=market_id,
            open_ms=window.open_ms,
            close_ms=window.close_ms,
            created_ms=created,
            updated_ms=created,
            spec=window.spec,
            grid=window.spec.grid,
            book=book,
        )
        self._listings.markets[market.ticker] = market
        self._venue.emit(MarketCreated(market))
        self._phases.at(window.open_ms, self._open, market)

    def _open(self, market: Market) -> None:
        self._phases.change(market, Status.ACTIVE)
        due_ms = self.faults.strike_due_ms(market)
        if due_ms is not None:
            self._phases.at(due_ms, self._set_strike, market)
        self._phases.at(market.close_ms, self._close, market)

    def _set_strike(self, market: Market) -> None:
        market.strike = self._known[market.ticker].strike
        if market.strike is not None:
            market.updated_ms = self._venue.now_ms
            self._venue.emit(StrikeSet(market))

    def _close(self, market: Market) -> None:
        if not self._phases.close(market):
            return
        self._phases.at(market.close_ms + self._delays.book_cleared_ms, self._end_orders, market)
        if self._known[market.ticker].result:
            delay_ms = self._take_delay()
            self._phases.at(market.close_ms + self._delays.determined_ms + delay_ms, self._determine, market)

    def _take_delay(self) -> int:
        armed = self.faults
        if not armed.delayed_events:
            return 0
        armed.delayed_events -= 1
        return armed.delay_ms

    def _end_orders(self, market: Market) -> None:
        for member in self._venue.members:
            for order in member.open_of(market.ticker):
                cancel_order(member, market, order, "CloseCancel")
        market.cleared = True

    def _determine(self, market: Market) -> None:
        known, armed = self._known[market.ticker], self.faults
        timer_ms = self._delays.settled_ms - self._delays.determined_ms
        wrong: Verdict | None = None
        if armed.wrong_events:
            armed.wrong_events -= 1
            wrong = verdict(_other(known.result), None)
        right = verdict(known.result, known.value)
        if armed.scalar_events:
            armed.scalar_events -= 1
            right = Verdict("scalar", known.value, armed.scalar_payout)
        if armed.revised_events:
            armed.revised_events -= 1
            self._phases.pay_wrongly_first(market, right, after_ms=armed.revision_ms)
            right, wrong = verdict(_other(known.result), None), None
        self._phases.determine(market, right, wrong, timer_ms=timer_ms, settle=self._settle)

    def _settle(self, market: Market) -> None:
        self._phases.settle(market)
        if market.settled_ms > self._last_ms.get(market.ticker, 0):
            clear_shown(self._venue, market)
        self._venue.emit(MarketSettled(market))
        self._retention.settled(market)


def clear_shown(venue: Venue, market: Market) -> None:
    """Empty a book that the recording left with levels, with one empty snapshot."""
    if market.book.bids.prices or market.book.asks.prices:
        for book_side in (market.book.bids, market.book.asks):
            for level in list(book_side.levels.values()):
                for resting in list(level.values()):
                    book_side.shrink(resting, resting.remaining)
        venue.emit(BookCleared(market))


def _other(result: str) -> str:
    return "no" if result == "yes" else "yes"
