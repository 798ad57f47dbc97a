"""The wire of the board: one value changed in place, whose readers learn what changed; it copies no market that did not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from recio.bells import Bell, Bells
from recio.messages.markets import BoardChange, MarketBoard, MarketView, VenuePhase, VenueState
from recio.units import Ticker


class Watch:
    """Which markets changed since one reader looked last."""

    def __init__(self) -> None:
        self.changed: dict[Ticker, None] = {}
        """In the order of their first change."""
        self.is_laid_out_anew = True

    def take(self, board: MarketBoard) -> BoardChange:
        """What is new on the board, and from here on nothing is."""
        tickers = board.by_ticker if self.is_laid_out_anew else self.changed
        views = tuple(view for ticker in tickers if (view := board.by_ticker.get(ticker)) is not None)
        order = tuple(board.by_ticker) if self.is_laid_out_anew else None
        self.changed, self.is_laid_out_anew = {}, False
        return BoardChange(
            views=views,
            tickers=order,
            venue=board.venue,
            heard_at=board.heard_at,
            clock_offset=board.clock_offset,
        )


class BoardWire:
    """The board, changed in place: a reader learns which markets changed, and nobody copies the others."""

    def __init__(self) -> None:
        self._board = MarketBoard(venue=VenueState(phase=VenuePhase.UNKNOWN))
        self._version = 0
        self._bells = Bells()
        self._watches: list[Watch] = []

    @property
    def version(self) -> int:
        """Grows by one with each `publish`; 0 = never published."""
        return self._version

    def get(self) -> MarketBoard | None:
        """The board itself, as it is now; None before the first `publish`."""
        return self._board if self._version else None

    def lay_out(self, views: Iterable[MarketView]) -> None:
        """Exactly these markets are on the board, in this order."""
        self._board.by_ticker = {view.market.ticker: view for view in views}
        for watch in self._watches:
            watch.is_laid_out_anew = True

    def put(self, view: MarketView) -> None:
        """One market that is on the board may have changed; one that shows the same as before has not."""
        ticker = view.market.ticker
        if self._board.by_ticker.get(ticker) == view:
            return
        self._board.by_ticker[ticker] = view
        for watch in self._watches:
            watch.changed[ticker] = None

    def publish(
        self, *, venue: VenueState, heard_at: datetime | None, clock_offset: float | None
    ) -> MarketBoard:
        """Wake the readers: everything that was put since the last time belongs together."""
        board = self._board
        board.venue, board.heard_at, board.clock_offset = venue, heard_at, clock_offset
        self._version += 1
        self._bells.ring()
        return board

    async def newer_than(self, version: int) -> int:
        """Wait until it is published again; returns the version."""
        while self._version <= version:
            await self._bells.wait()
        return self._version

    def wake(self, bell: Bell) -> None:
        """Ring this bell at each `publish` from now on."""
        self._bells.wake(bell)

    def let_sleep(self, bell: Bell) -> None:
        self._bells.let_sleep(bell)

    def watch(self) -> Watch:
        """For a reader that wants to know what changed; at first everything has."""
        watch = Watch()
        self._watches.append(watch)
        return watch

    def unwatch(self, watch: Watch) -> None:
        self._watches.remove(watch)
