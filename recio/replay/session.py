"""One cycle of the daemon's own rules in a replay, and what becomes of the orders they lead to.

It sees the board as the daemon would have built it at that moment; where live an order goes to the
venue, here it meets the recorded book.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from recio.messages.markets import MarketBoard, MarketView, VenuePhase, VenueState
from recio.messages.orders import PlaceOrder
from recio.replay.findings import TradeFound, WindowFound
from recio.replay.integrity import BookRoom
from recio.replay.spot import Spot, closing_minute
from recio.replay.taking import Taken, take
from recio.replay.trader import Look, Trader
from recio.replay.windows import Window, current, decisive, judge
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen
from recio.rules.market.quotes import price_in_range
from recio.units import Quantity, Ticker

TRADING = VenueState(phase=VenuePhase.TRADING)
NO_BOOK = "waits for a whole snapshot"


@dataclass(slots=True, kw_only=True)
class Session:
    """Everything that decisions are made from, and everything that came of them."""

    session: str
    windows: tuple[Window, ...]
    spot: Spot
    trader: Trader
    look: Look | None = None
    """Told what each cycle sees; it decides nothing."""
    room: BookRoom = field(default_factory=BookRoom)
    taken: Taken = field(default_factory=Taken)
    found: dict[Ticker, WindowFound] = field(default_factory=dict[Ticker, WindowFound])

    def cycle(self, now: datetime, heard_at: datetime) -> list[PlaceOrder]:
        """Let exit and entry decide; returns the orders that left."""
        board, prices = self._board(now, heard_at), self.spot.prices()
        if self.look is not None:
            self.look(board, prices, now)
        return self.trader.cycle(board, prices, now)

    def _board(self, now: datetime, heard_at: datetime) -> MarketBoard:
        shown = (self._view(window, now, heard_at) for window in current(self.windows, now))
        return MarketBoard(markets=tuple(shown), venue=TRADING)

    def _view(self, window: Window, now: datetime, heard_at: datetime) -> MarketView:
        book = self.room.usable(window.ticker)
        return MarketView(
            market=window.market_at(now),
            book=None if book is None else self.taken.left_of(window.ticker, book.view()),
            book_at=None if book is None else heard_at,
            why_no_book=NO_BOOK if book is None else "",
        )

    def arrive(self, order: PlaceOrder, now: datetime) -> None:
        """Match an order against the book as it is now, by the rules of the venue."""
        window = next(each for each in self.windows if each.ticker == order.ticker)
        book = self.room.usable(order.ticker)
        if now >= window.closes_at:
            self.trader.paper.refuse(order, "the market had closed when the order arrived", now)
        elif not price_in_range(order.price, MarketView(market=window.open, book=None, book_at=None)):
            self.trader.paper.refuse(order, "the price is not on the market's grid", now)
        elif book is None:
            self.trader.paper.answer(order, (), "the book was not usable when the order arrived", now)
        else:
            got = take(book, self.taken, order)
            short = sum(each.quantity for each in got) < order.quantity
            self.trader.paper.answer(
                order, got, "less was there when the order arrived" if short else "", now
            )

    def recall_taken(self, frame: BookDeltaSeen | BookSnapshotSeen) -> None:
        """A book changed: what we took of a level may not matter any more."""
        book = self.room.usable(frame.ticker)
        if book is None:
            return
        if isinstance(frame, BookSnapshotSeen):
            self.taken.book_is(frame.ticker, book)
        else:
            displayed = book.ladder(frame.side).levels.get(frame.price, Quantity(0))
            self.taken.level_is((frame.ticker, frame.side, frame.price), displayed)

    def look_at_outcome(self, window: Window, listened_until: int) -> None:
        """Judge a window, and settle what is held of it if its result is known from anywhere."""
        proxy = closing_minute(self.spot.traded, int(window.closes_at.timestamp()), listened_until)
        found = self.found[window.ticker] = judge(self.session, window, proxy)
        result = decisive(window, found)
        if result is not None:
            self.trader.paper.settle(window.ticker, result, window.closes_at)

    def windows_found(self) -> tuple[WindowFound, ...]:
        return tuple(self.found[window.ticker] for window in self.windows)

    def trades_found(self) -> tuple[TradeFound, ...]:
        return self.trader.trades_found(
            {each.ticker: decisive(each, self.found[each.ticker]) for each in self.windows}
        )
