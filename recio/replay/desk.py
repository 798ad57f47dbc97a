"""One turn of the daemon's own rules in a replay, and what becomes of the orders they lead to.

It sees the board as the daemon would have built it at that moment; where live an order goes to the
venue, here it meets the recorded book.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from recio.config import Config
from recio.messages import (
    BookDeltaSeen,
    BookSnapshotSeen,
    CloseIntent,
    MarketBoard,
    MarketView,
    OpenIntent,
    PlaceOrder,
    Prices,
    Restraints,
    TradeState,
    VenuePhase,
    VenueState,
)
from recio.replay.findings import TradeFound, WindowFound
from recio.replay.integrity import BookRoom
from recio.replay.paper import Paper
from recio.replay.spot import Spot, closing_minute
from recio.replay.taking import Taken, take, visible
from recio.replay.windows import Window, current, judge
from recio.rules import entry, risk
from recio.rules import exit as exit_rule
from recio.rules.model import AVERAGE, Model
from recio.rules.strikes import ask_on, price_in_range
from recio.sections import EntrySection
from recio.units import Quantity, Side, Ticker, TradeId

TRADING = VenueState(phase=VenuePhase.TRADING)
Look = Callable[[MarketBoard, Prices, datetime], None]
NO_BOOK = "waits for a whole snapshot"


@dataclass(slots=True, kw_only=True)
class Desk:
    """Everything that decisions are made from, and everything that came of them."""

    session: str
    config: Config
    entry_settings: EntrySection
    windows: tuple[Window, ...]
    spot: Spot
    paper: Paper
    model: Model = AVERAGE
    look: Look | None = None
    """Told what each turn sees; it decides nothing."""
    room: BookRoom = field(default_factory=BookRoom)
    taken: Taken = field(default_factory=Taken)
    decisions: int = 0
    reasons: Counter[str] = field(default_factory=Counter[str])
    exits: dict[TradeId, exit_rule.Remembered] = field(default_factory=dict[TradeId, exit_rule.Remembered])
    found: dict[Ticker, WindowFound] = field(default_factory=dict[Ticker, WindowFound])

    def turn(self, now: datetime, heard_at: datetime) -> list[PlaceOrder]:
        """Let exit and entry decide; returns the orders that left."""
        board, prices = self._board(now, heard_at), self.spot.prices()
        if self.look is not None:
            self.look(board, prices, now)
        return [*self._exit_turn(board, prices, now), *self._entry_turn(board, prices, now)]

    def _board(self, now: datetime, heard_at: datetime) -> MarketBoard:
        window = current(self.windows, now)
        if window is None:
            return MarketBoard(markets=(), venue=TRADING)
        book = self.room.usable(window.ticker)
        view = MarketView(
            market=window.market_at(now),
            book=None if book is None else visible(window.ticker, book, self.taken),
            book_at=None if book is None else heard_at,
            why_no_book=NO_BOOK if book is None else "",
        )
        return MarketBoard(markets=(view,), venue=TRADING)

    def _exit_turn(self, board: MarketBoard, prices: Prices, now: datetime) -> list[PlaceOrder]:
        orders: list[PlaceOrder] = []
        for trade in self.paper.live():
            if trade.state is not TradeState.OPEN:
                continue
            before = self.exits.get(trade.trade_id, exit_rule.NOTHING)
            decided = exit_rule.decide(trade, board, prices, before, self.config.exit, now, model=self.model)
            self.exits[trade.trade_id] = decided.remembered
            if isinstance(decided.outcome, CloseIntent):
                order = self.paper.intend_exit(decided.outcome, now)
                orders += [] if order is None else [order]
        return orders

    def _entry_turn(self, board: MarketBoard, prices: Prices, now: datetime) -> list[PlaceOrder]:
        trades, account = self.paper.open_trades(now), self.paper.account(now)
        seen = entry.Seen(board=board, prices=prices, trades=trades, account=account, restraints=Restraints())
        outcome = entry.decide(seen, self.entry_settings, now, self.model).outcome
        self.decisions += 1
        if not isinstance(outcome, OpenIntent):
            self.reasons[outcome.gate] += 1
            return []
        ask = ask_on(board, outcome.ticker, outcome.side)
        standing = risk.Standing(trades=trades, account=account, ask=ask)
        match risk.approve(outcome, standing, self.config.risk, now):
            case risk.Refused(limit=limit):
                self.reasons[f"risk {limit}"] += 1
                return []
            case risk.Approved() as approved:
                self.reasons["order"] += 1
                return [self.paper.intend_entry(approved, now)]

    def arrive(self, order: PlaceOrder, now: datetime) -> None:
        """Match an order against the book as it is now, by the rules of the venue."""
        window = next(each for each in self.windows if each.ticker == order.ticker)
        book = self.room.usable(order.ticker)
        if now >= window.closes_at:
            self.paper.refuse(order, "the market had closed when the order arrived", now)
        elif not price_in_range(order.price, MarketView(market=window.open, book=None, book_at=None)):
            self.paper.refuse(order, "the price is not on the market's grid", now)
        elif book is None:
            self.paper.answer(order, (), "the book was not usable when the order arrived", now)
        else:
            got = take(book, self.taken, order)
            short = sum(each.quantity for each in got) < order.quantity
            self.paper.answer(order, got, "less was there when the order arrived" if short else "", now)

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
        result = _decisive(window, found)
        if result is not None:
            self.paper.settle(window.ticker, result, window.closes_at)

    def windows_found(self) -> tuple[WindowFound, ...]:
        return tuple(self.found[window.ticker] for window in self.windows)

    def trades_found(self) -> tuple[TradeFound, ...]:
        results = {each.ticker: _decisive(each, self.found[each.ticker]) for each in self.windows}
        return tuple(
            TradeFound(
                session=self.session,
                trade=trade,
                intent=self.paper.intents[trade.trade_id],
                result=results[trade.ticker],
                notes=self.paper.notes(trade.trade_id),
            )
            for trade in self.paper.trades.values()
        )


def _decisive(window: Window, found: WindowFound) -> Side | None:
    return window.recorded_result if window.recorded_result is not None else found.result
