"""Moves markets along the venue clock: open, strike, close, determination, settlement; it makes no prices."""

from __future__ import annotations

from copy import copy

from recio.exchange_sim.events import (
    BookCleared,
    MarketCreated,
    MarketDetermined,
    MarketSettled,
    PositionChanged,
    StrikeSet,
)
from recio.exchange_sim.market.markets import (
    BOOK_CLEAR_DELAY_MS,
    DETERMINED_DELAY_MS,
    SETTLED_DELAY_MS,
    STRIKE_DELAY_MS,
    Market,
    Status,
    new_market,
)
from recio.exchange_sim.matching.account import settle
from recio.exchange_sim.matching.execution import cancel_order, publish_book, publish_ticker
from recio.exchange_sim.venue import Venue

WINDOWS_AHEAD = 8


class MarketCalendar:
    """Creates one window after another and walks every living one through its states."""

    def __init__(self, venue: Venue, *, series: str, window_seconds: int) -> None:
        self._venue = venue
        self._series = series
        self._window_ms = window_seconds * 1000
        self._next_open_ms = venue.now_ms // self._window_ms * self._window_ms
        self._living: list[Market] = []
        self.step()

    def step(self) -> None:
        """Apply every move that is due by now."""
        self._create_ahead()
        for market in self._living[:]:
            if market.open_ms <= self._venue.now_ms:
                self._move(market)
        if self._living[0].status is Status.FINALIZED:
            self._living.pop(0)

    def open_market(self) -> Market | None:
        """The market that is trading, if one is."""
        return next((market for market in self._living if market.status is Status.ACTIVE), None)

    def _create_ahead(self) -> None:
        while self._next_open_ms <= self._venue.now_ms + WINDOWS_AHEAD * self._window_ms:
            market = new_market(self._series, self._next_open_ms, self._window_ms, self._venue.now_ms)
            self._venue.markets[market.ticker] = market
            self._living.append(market)
            self._next_open_ms += self._window_ms
            self._venue.emit(MarketCreated(market))

    def _move(self, market: Market) -> None:
        now = self._venue.now_ms
        if market.status is Status.INITIALIZED:
            self._change(market, Status.ACTIVE)
        if market.strike is None and now >= market.open_ms + STRIKE_DELAY_MS:
            self._set_strike(market)
        if market.status is Status.ACTIVE and now >= market.close_ms:
            self._change(market, Status.CLOSED)
        if (
            market.status is Status.CLOSED
            and not market.cleared
            and now >= market.close_ms + BOOK_CLEAR_DELAY_MS
        ):
            self._clear_book(market)
        if market.status is Status.CLOSED and now >= market.close_ms + DETERMINED_DELAY_MS:
            self._determine(market)
        if market.status is Status.DETERMINED and now >= market.close_ms + SETTLED_DELAY_MS:
            self._settle(market)

    def _change(self, market: Market, status: Status) -> None:
        market.status = status
        market.updated_ms = self._venue.now_ms

    def _set_strike(self, market: Market) -> None:
        """The target is what the window before settles at, known from the prints up to the open."""
        market.strike = self._venue.index.mean_before(market.open_ms // 1000)
        market.updated_ms = self._venue.now_ms
        self._venue.emit(StrikeSet(market))

    def _clear_book(self, market: Market) -> None:
        """The account's orders end with a reason, the others' just leave the book."""
        for order in self._venue.open_of(market.ticker):
            cancel_order(self._venue, market, order, "CloseCancel")
        for ladder in (market.book.bids, market.book.asks):
            for level in list(ladder.levels.values()):
                for resting in list(level.values()):
                    market.book.cancel(resting)
        publish_book(self._venue, market)
        market.cleared = True
        publish_ticker(self._venue, market)

    def _determine(self, market: Market) -> None:
        if not market.cleared:
            self._clear_book(market)
        value = self._venue.index.mean_before(market.close_second)
        market.value = value
        market.result = "yes" if market.strike is not None and value >= market.strike else "no"
        market.determined_ms = self._venue.now_ms
        self._change(market, Status.DETERMINED)
        self._venue.emit(MarketDetermined(market))

    def _settle(self, market: Market) -> None:
        market.settled_ms = self._venue.now_ms
        self._change(market, Status.FINALIZED)
        position = self._venue.account.positions.get(market.ticker)
        if position is not None:
            settle(self._venue.account, position, result=market.result, now_ms=self._venue.now_ms)
            self._venue.emit(PositionChanged(copy(position)))
        market.holdings.clear()
        self._venue.emit(BookCleared(market))
        self._venue.emit(MarketSettled(market))
