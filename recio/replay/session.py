"""One recorded session as the engine sees it: the board as the daemon would have built it, and the end of each window.

Where live an order goes to the venue, here it meets the recorded book.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from recio.messages.markets import BoardChange, MarketBoard, MarketView, VenuePhase, VenueState
from recio.messages.prices import Prices
from recio.paper.engine import Engine
from recio.replay.findings import TradeFound, WindowFound
from recio.replay.integrity import BookRoom
from recio.replay.spot import Spot, closing_minute
from recio.replay.tally import Tally
from recio.replay.windows import Window, current, judge
from recio.rules.market import market_board
from recio.units import Ticker

TRADING = VenueState(phase=VenuePhase.TRADING)
NOTHING_NEW = BoardChange(views=(), tickers=None, venue=TRADING, heard_at=None, clock_offset=None)
Look = Callable[[MarketBoard, Prices, datetime], None]
"""Told what each cycle sees; it decides nothing."""


@dataclass(slots=True, kw_only=True)
class Session:
    """Everything that decisions are made from, and everything that came of them."""

    session: str
    windows: tuple[Window, ...]
    spot: Spot
    engine: Engine
    tally: Tally
    look: Look | None = None
    room: BookRoom = field(default_factory=BookRoom)
    board: MarketBoard = field(default_factory=lambda: MarketBoard(venue=TRADING))
    dirty: dict[Ticker, None] = field(default_factory=dict[Ticker, None])
    """Markets whose shown levels may have changed since the look before."""
    boundaries: list[datetime] = field(default_factory=list[datetime])
    """Moments at which a market of the recording becomes another, the next one last."""
    is_laid_out: bool = False
    losses: int = 0
    """Of books, as far as they are on the board."""
    found: dict[Ticker, WindowFound] = field(default_factory=dict[Ticker, WindowFound])

    def decide(self, now: datetime, heard_at: datetime) -> None:
        """Let exit and entry decide on what is new."""
        change, prices, engine = self._change(now, heard_at), self.spot.prices(), self.engine
        if self.look is not None:
            self.look(self.board, prices, now)
        engine.look(prices, change, now)
        if engine.happened:
            self.tally.take(engine.happened)

    def next_at(self, now: datetime) -> datetime:
        """When there is something to decide even if nothing is heard."""
        at = self.engine.next_at(now)
        return min(at, self.boundaries[-1]) if self.boundaries else at

    def _change(self, now: datetime, heard_at: datetime) -> BoardChange:
        """What is new since the decision before."""
        self.board.heard_at = heard_at
        if self._passes_boundary(now) or self.losses != self.room.losses:
            self.losses, self.dirty = self.room.losses, {}
            shown = (window.market_at(now) for window in current(self.windows, now))
            views = [market_board.market_view(market, self.room.books.view) for market in shown]
            self.board.by_ticker = {view.market.ticker: view for view in views}
            self.engine.board = self.board
            return market_board.everything(self.board)
        if not self.dirty:
            return NOTHING_NEW
        changed, self.dirty = self.dirty, {}
        return self._of(changed, heard_at)

    def _of(self, changed: dict[Ticker, None], heard_at: datetime) -> BoardChange:
        on_board, fresh = self.board.by_ticker, list[MarketView]()
        for ticker in changed:
            before = on_board.get(ticker)
            if before is None or (book := self.room.books.view(ticker)) is before.book or book == before.book:
                continue
            view = on_board[ticker] = market_board.market_view(before.market, self.room.books.view)
            fresh.append(view)
        if not fresh:
            return NOTHING_NEW
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

    def look_at_outcome(self, window: Window, listened_until: int) -> None:
        """Judge a window, and settle what is held of it if its result is known from anywhere."""
        closes_at = int(window.closes_at.timestamp())
        proxy = closing_minute(self.spot.traded, closes_at, listened_until, window.places)
        found = self.found[window.ticker] = judge(self.session, window, proxy)
        if found.yes_value is not None:
            self.engine.settle(window.ticker, found.yes_value, window.known_at)
            self.tally.take(self.engine.happened)

    def give_up(self, now: datetime) -> None:
        """The recording ends: what is under way got nothing that anybody knows of."""
        self.engine.give_up("the recording ended before the order arrived", now)
        self.tally.take(self.engine.happened)

    def windows_found(self) -> tuple[WindowFound, ...]:
        return tuple(self.found[window.ticker] for window in self.windows)

    def trades_found(self) -> tuple[TradeFound, ...]:
        return self.tally.trades_found(self.session, self.found)
