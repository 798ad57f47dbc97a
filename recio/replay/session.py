"""The daemon's own rules in a replay, at each change as live they decide, and what becomes of the orders they lead to.

It sees the board as the daemon would have built it at that moment; where live an order goes to the
venue, here it meets the recorded book.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from recio.messages.markets import BoardChange, Market, MarketBoard, MarketView, VenuePhase, VenueState
from recio.messages.orders import PlaceOrder
from recio.replay.findings import TradeFound, WindowFound
from recio.replay.integrity import BookRoom
from recio.replay.spot import Spot, closing_minute
from recio.replay.taking import Taken, take
from recio.replay.trader import Look, Trader
from recio.replay.windows import Window, current, decisive, judge
from recio.rules.market import market_board
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
    board: MarketBoard = field(default_factory=lambda: MarketBoard(venue=TRADING))
    dirty: dict[Ticker, None] = field(default_factory=dict[Ticker, None])
    boundaries: list[datetime] = field(default_factory=list[datetime])
    """Moments at which a market of the recording becomes another, the next one last."""
    is_laid_out: bool = False
    losses: int = 0
    """Of books, as far as they are on the board."""
    found: dict[Ticker, WindowFound] = field(default_factory=dict[Ticker, WindowFound])

    def note(self, ticker: Ticker) -> None:
        """The book of this market has changed."""
        self.dirty[ticker] = None

    def decide(self, now: datetime, heard_at: datetime) -> list[PlaceOrder]:
        """Let exit and entry decide on what is new; returns the orders that left."""
        change, prices = self._change(now, heard_at), self.spot.prices()
        if self.look is not None:
            self.look(self.board, prices, now)
        return self.trader.look(self.board, change, prices, now)

    def next_at(self, now: datetime) -> datetime:
        """When there is something to decide even if nothing is heard."""
        return min((self.trader.next_at(now), *self.boundaries[-1:]))

    def _change(self, now: datetime, heard_at: datetime) -> BoardChange:
        """What is new since the decision before."""
        self.board.heard_at = heard_at
        changed, self.dirty = self.dirty, {}
        if self._passes_boundary(now) or self.losses != self.room.losses:
            self.losses = self.room.losses
            views = [self._view(window.market_at(now)) for window in current(self.windows, now)]
            self.board.by_ticker = {view.market.ticker: view for view in views}
            return market_board.everything(self.board)
        on_board, fresh = self.board.by_ticker, list[MarketView]()
        for ticker in changed:
            before = on_board.get(ticker)
            if before is not None and (view := self._view(before.market)).book != before.book:
                on_board[ticker] = view
                fresh.append(view)
        return BoardChange(
            views=tuple(fresh), tickers=None, venue=TRADING, heard_at=heard_at, clock_offset=None
        )

    def _passes_boundary(self, now: datetime) -> bool:
        """Whether a market has opened, got its strike or closed since the last look."""
        passed, self.is_laid_out = not self.is_laid_out, True
        while self.boundaries and self.boundaries[-1] <= now:
            self.boundaries.pop()
            passed = True
        return passed

    def _view(self, market: Market) -> MarketView:
        book = self.room.usable(market.ticker)
        return MarketView(
            market=market,
            book=None if book is None else self.taken.left_of(market.ticker, book.view()),
            why_no_book=NO_BOOK if book is None else "",
        )

    def arrive(self, order: PlaceOrder, now: datetime) -> None:
        """Match an order against the book as it is now, by the rules of the venue."""
        window = next(each for each in self.windows if each.ticker == order.ticker)
        book = self.room.usable(order.ticker)
        if now >= window.closes_at:
            self.trader.paper.refuse(order, "the market had closed when the order arrived", now)
        elif not price_in_range(order.price, MarketView(market=window.open, book=None)):
            self.trader.paper.refuse(order, "the price is not on the market's grid", now)
        elif book is None:
            self.trader.paper.answer(order, (), "the book was not usable when the order arrived", now)
        else:
            got = take(book, self.taken, order)
            self.note(order.ticker)
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
