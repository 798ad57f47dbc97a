"""Plays a recorded session to the exchange's clients on the venue's clock, and matches the account against it.

Time. No stamp is ever shifted: venue time is the recording's own time, so a client that takes its clock from
credentials.json sees every frame, trade, open and close at the market time at which it took place, whatever
the speed. The clock therefore starts before the recording by a lead that is given in host seconds, and its
mapping never changes once a client is there (see `waiting`).

Frames. The bodies of recorded book and ticker messages go out byte for byte (a subscription with
use_yes_price gets NO prices turned), in recorded order, with the sid and the numbers of the live
subscription; who subscribes at any moment first gets the book as it is then. Where the recorder was deaf,
between two windows, nothing is sent and no number is missed. One second after the last recorded message
the books that still have levels are emptied with one empty snapshot: what nobody recorded is not offered.

Matching. `liquidity` says what an order of the account takes, `queue_position` what fills one that rests. Fees,
collateral, positions, fills and settlements are the engine's own. None of it shows in public frames: no
level changes, no trade is reported, no ticker moves.
"""

from __future__ import annotations

from typing import Protocol

from recio.exchange_sim.engine.account import Account
from recio.exchange_sim.engine.execution import take
from recio.exchange_sim.engine.order_entry import expire
from recio.exchange_sim.engine.pauses import Pauses
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.engine.units import ONE_DOLLAR
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.market.candle_recorder import CandleRecorder
from recio.exchange_sim.market.interventions import Interventions
from recio.exchange_sim.market.listings import Listings
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.retention import Retention
from recio.exchange_sim.market.series import SHARD, Timetable
from recio.exchange_sim.recorded.calendar import RecordedCalendar, clear_shown
from recio.exchange_sim.recorded.events import FrameRecorded
from recio.exchange_sim.recorded.frames import BOOK, TICKER, BookDelta, BookSnapshot, TickerUpdate
from recio.exchange_sim.recorded.inspection import Message, Recording, Served
from recio.exchange_sim.recorded.liquidity import RECORDED_OWNER, RecordedBook
from recio.exchange_sim.recorded.queue_position import Hit
from recio.exchange_sim.recorded.spot_rows import SpotRow
from recio.exchange_sim.recorded.yes_prices import delta_in_yes_prices, snapshot_in_yes_prices

STEP_MS = 50
SECOND_MS = 1_000
EMPTIED_AFTER_MS = 1_000


class SpotListener(Protocol):
    """Who repeats recorded spot trades."""

    def repeat(self, row: SpotRow, now_ms: int) -> None: ...


class Playback:
    """Everything that moves in a recorded session except its clients; it runs where a `Simulation` would."""

    def __init__(
        self,
        recording: Recording,
        *,
        instance: str,
        now_ms: int,
        timetable: Timetable,
        balance: int,
        user_id: str,
    ) -> None:
        spec = recording.windows[0].spec
        account = Account(user_id=user_id, cash={0: 0, SHARD: balance}, deposits=balance)
        # No index was recorded, so none is published.
        self.listings = Listings(markets={}, indices={})
        self.venue = Venue(account=account, markets=self.listings.markets, instance=instance, now_ms=now_ms)
        self.venue.pauses = Pauses(weekly=timetable.weekly_pause)
        self.specs = (spec,)
        self.started_ms = now_ms
        self.retention = Retention(self.venue, self.listings, history_ms=timetable.history_seconds * 1000)
        self.candle_recorder = CandleRecorder(self.venue, self.listings)
        self.recording = recording
        self.spot: SpotListener | None = None
        """Who repeats the recorded spot trades; nobody does until it is set."""
        self._books = {window.ticker: RecordedBook(self._now) for window in recording.windows}
        self.calendar = RecordedCalendar(
            self.venue,
            self.listings,
            recording.windows,
            self.retention,
            delays=spec.delays.stretched(timetable.settlement_factor),
            books=self._books,
            market_ids=recording.market_ids,
            last_ms=recording.last_ms,
        )
        self.interventions = Interventions(self.venue, self.listings, self.calendar)
        self._messages = recording.messages()
        self._next: Message | None = next(self._messages, None)
        self.calendar.event_queue.add(recording.end_ms + EMPTIED_AFTER_MS, self._empty_books)
        self.calendar.step()

    def advance(self, to_ms: int, *, most_steps: int) -> bool:
        """Play what is due, at most so many messages. True when the session has caught up."""
        for _ in range(most_steps):
            if self._next is None or self._next[0] > to_ms:
                self._move(to_ms)
                return True
            due_ms, seen = self._next
            self._move(due_ms)
            self._play(seen)
            self._next = next(self._messages, None)
        return False

    def over(self) -> bool:
        """Whether everything was played and every window has come to its end."""
        emptied = self.venue.now_ms > self.recording.end_ms + EMPTIED_AFTER_MS
        return self._next is None and emptied and self.calendar.all_settled()

    def _now(self) -> int:
        return self.venue.now_ms

    def _move(self, to_ms: int) -> None:
        """Let time pass without a message."""
        venue = self.venue
        while venue.now_ms < to_ms:
            before = venue.now_ms
            venue.now_ms = min(to_ms, (before // STEP_MS + 1) * STEP_MS)
            self.calendar.step()
            expire(venue)
            if before // SECOND_MS != venue.now_ms // SECOND_MS:
                self.retention.step()
                self.candle_recorder.catch_up()

    def _play(self, seen: Served) -> None:
        match seen:
            case SpotRow():
                if self.spot is not None:
                    self.spot.repeat(seen, self.venue.now_ms)
            case BookDelta():
                self._delta(self.listings.markets[seen.ticker], seen)
            case BookSnapshot():
                self._snapshot(self.listings.markets[seen.ticker], seen)
            case TickerUpdate():
                self._quote(self.listings.markets[seen.ticker], seen)

    def _delta(self, market: Market, seen: BookDelta) -> None:
        book = self._books[seen.ticker]
        size = max(0, book.displayed(bid=seen.bid, price=seen.price) + seen.change)
        book.show(bid=seen.bid, price=seen.price, size=size)
        self.venue.emit(
            FrameRecorded(BOOK, b"orderbook_delta", seen.ticker, seen.body, lambda: delta_in_yes_prices(seen))
        )
        if book.has_orders():
            book.evidence.saw_change(seen)
            if seen.change > 0 and self._trades(market):
                self._fill(market, book.crossing_hits(bid=not seen.bid))

    def _snapshot(self, market: Market, seen: BookSnapshot) -> None:
        book = self._books[seen.ticker]
        book.show_all(seen.bids, seen.asks)
        self.venue.emit(
            FrameRecorded(
                BOOK, b"orderbook_snapshot", seen.ticker, seen.body, lambda: snapshot_in_yes_prices(seen)
            )
        )
        if self._trades(market):
            for bid in (True, False):
                self._fill(market, book.crossing_hits(bid=bid))

    def _quote(self, market: Market, seen: TickerUpdate) -> None:
        self.venue.emit(FrameRecorded(TICKER, b"ticker", seen.ticker, seen.body))
        hits = self._books[seen.ticker].ticker_hits(seen)
        if self._trades(market):
            self._fill(market, hits)
        _take_figures(market, seen)
        self.candle_recorder.quote(market)

    def _fill(self, market: Market, hits: list[Hit]) -> None:
        """Fill orders of the account that rested, at their own prices."""
        if not hits:
            return
        bid = not hits[0][0].bid
        quantity = self._books[market.ticker].prepare(hits)
        limit = ONE_DOLLAR if bid else 0
        take(self.venue, market, owner=RECORDED_OWNER, bid=bid, limit=limit, quantity=quantity)

    def _trades(self, market: Market) -> bool:
        return market.status is Status.ACTIVE and not self.venue.trading_paused(self.venue.now_ms)

    def _empty_books(self) -> None:
        for market in self.listings.markets.values():
            clear_shown(self.venue, market)


def _take_figures(market: Market, seen: TickerUpdate) -> None:
    """Volume, last price and open interest as the venue gave them."""
    if seen.last_price is not None:
        market.last_price = seen.last_price
    if seen.last_size is not None:
        market.last_size = seen.last_size
    if seen.volume is not None:
        market.volume = seen.volume
    if seen.open_interest is not None:
        market.open_interest = seen.open_interest
