"""The daemon's own recording traded on paper: its boards and prices cycle by cycle, and other settings on them.

Between two cycles it knows nothing, so an order gets no more than what stood in the book before it and after it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from recio.errors import BadRecording
from recio.messages.markets import BookView, Market, MarketBoard, MarketView
from recio.messages.orders import PlaceOrder
from recio.messages.prices import Prices
from recio.recording.decode import EntryKept, Segment, segments_under
from recio.replay.findings import SessionFound, WindowFound
from recio.replay.integrity import BookRoom
from recio.replay.playback import ORDER_LATENCY_NS, OUTCOME_AFTER_NS
from recio.replay.spot import REMEMBERED, closing_minute
from recio.replay.taking import Taken, displayed, take
from recio.replay.trader import Look, Trader, trader
from recio.replay.windows import Window, decisive, judge
from recio.rules.market import market_board
from recio.rules.market.quotes import price_in_range
from recio.rules.pricing.model import AVERAGE, Model
from recio.settings.config import Config
from recio.units import Side, Ticker

LATENCY = timedelta(microseconds=ORDER_LATENCY_NS // 1_000)
OUTCOME_AFTER = timedelta(microseconds=OUTCOME_AFTER_NS // 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRecording:
    """The segments of one folder, in order."""

    name: str
    segments: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleSnapshot:
    """What the daemon saw at one of its cycles."""

    at: datetime
    board: MarketBoard
    prices: Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """An order under way, and the book that it was decided on."""

    order: PlaceOrder
    arrives_at: datetime
    book: BookView | None


@dataclass(slots=True, kw_only=True)
class OwnSession:
    """A trader at recorded boards."""

    trader: Trader
    windows: dict[Ticker, Window]
    look: Look | None
    taken: Taken = field(default_factory=Taken)
    sent: list[_Sent] = field(default_factory=list[_Sent])
    traded: dict[str, deque[tuple[int, Decimal]]] = field(
        default_factory=dict[str, "deque[tuple[int, Decimal]]"]
    )
    """By symbol: the last price of each second, ascending."""
    found: dict[Ticker, WindowFound] = field(default_factory=dict[Ticker, WindowFound])
    unsettled: list[Window] = field(default_factory=list[Window])
    """By close, the next one last."""
    began_at: datetime | None = None
    last_at: datetime | None = None
    longest_gap: timedelta = timedelta(0)

    def see(self, snapshot: CycleSnapshot) -> None:
        """Everything that happens at one cycle."""
        now = snapshot.at
        self.began_at = self.began_at or now
        self.longest_gap = max(self.longest_gap, now - (self.last_at or now))
        self.last_at = now
        self._hear(snapshot.prices)
        while self.unsettled and self.unsettled[-1].closes_at + OUTCOME_AFTER <= now:
            self.settle(self.unsettled.pop(), now)
        books = {ticker: view.book for ticker, view in snapshot.board.by_ticker.items()}
        for ticker, book in books.items():
            if book is not None:
                self.taken.view_is(ticker, book)
        self._let_arrive(books, now)
        board = self._board_for_us(snapshot.board)
        if self.look is not None:
            self.look(board, snapshot.prices, now)
        self.sent += [
            _Sent(order=order, arrives_at=now + LATENCY, book=books.get(order.ticker))
            for order in self.trader.look(board, market_board.everything(board), snapshot.prices, now)
        ]

    def _hear(self, prices: Prices) -> None:
        for symbol, view in prices.by_symbol.items():
            known = self.traded.setdefault(symbol, deque(maxlen=REMEMBERED))
            newest = known[-1][0] if known else 0
            known.extend(each for each in view.last_minute if each[0] > newest)

    def _board_for_us(self, board: MarketBoard) -> MarketBoard:
        if not self.taken.levels:
            return board
        left = {
            ticker: view if view.book is None else replace(view, book=self.taken.left_of(ticker, view.book))
            for ticker, view in board.by_ticker.items()
        }
        return replace(board, by_ticker=left)

    def _let_arrive(self, books: dict[Ticker, BookView | None], now: datetime) -> None:
        waiting, self.sent = self.sent, []
        for each in waiting:
            if each.arrives_at > now:
                self.sent.append(each)
            else:
                self._arrive(each, books.get(each.order.ticker), now)

    def _arrive(self, sent: _Sent, book: BookView | None, now: datetime) -> None:
        paper, order, window = self.trader.paper, sent.order, self.windows[sent.order.ticker]
        if sent.arrives_at >= window.closes_at:
            paper.refuse(order, "the market had closed when the order arrived", sent.arrives_at)
        elif not price_in_range(order.price, MarketView(market=window.open, book=None)):
            paper.refuse(order, "the price is not on the market's grid", sent.arrives_at)
        elif book is None or sent.book is None or now > order.send_before:
            paper.answer(order, (), "no book was recorded after the order had left", sent.arrives_at)
        else:
            got = take(displayed(sent.book, book), self.taken, order)
            short = sum(each.quantity for each in got) < order.quantity
            note = "less stood in the books before and after" if short else ""
            paper.answer(order, got, note, sent.arrives_at)

    def settle(self, window: Window, now: datetime) -> None:
        traded = self.traded.get(window.open.symbol, ())
        proxy = closing_minute(tuple(traded), int(window.closes_at.timestamp()), int(now.timestamp()))
        found = self.found[window.ticker] = judge(self.trader.session, window, proxy)
        result = decisive(window, found)
        if result is not None:
            self.trader.paper.settle(window.ticker, result, window.closes_at)

    def finish(self) -> None:
        """Orders that no cycle followed got nothing; what closed is settled as far as it is known."""
        for each in self.sent:
            note = "the recording ended before the order arrived"
            self.trader.paper.answer(each.order, (), note, each.arrives_at)
        for window in reversed(self.unsettled):
            if self.last_at is not None:
                self.settle(window, self.last_at)


def own_recordings(paths: Sequence[Path]) -> list[OwnRecording]:
    """The segments under these paths, by the folder that they are in."""
    folders: dict[Path, list[Path]] = {}
    for segment in segments_under(paths):
        folders.setdefault(segment.path.parent, []).append(segment.path)
    return [
        OwnRecording(name=folder.resolve().name, segments=tuple(segments))
        for folder, segments in folders.items()
    ]


def trade_own(
    recording: OwnRecording, config: Config, model: Model = AVERAGE, look: Look | None = None
) -> SessionFound:
    """Trade one recording from a fresh start, entries switched on and no halt of that day in force.

    Raises BadRecording.
    """
    windows = read_own_windows(recording)
    session = OwnSession(
        trader=trader(recording.name, config, model),
        windows={each.ticker: each for each in windows},
        look=look,
        unsettled=sorted(windows, key=lambda each: each.closes_at, reverse=True),
    )
    session.trader.paper.fee_multipliers = {each.ticker: each.open.fee_multiplier for each in windows}
    for snapshot in snapshots(recording):
        session.see(snapshot)
    session.finish()
    if session.began_at is None or session.last_at is None:
        raise BadRecording(f"{recording.segments[0].parent} holds no cycle that saw a board and a price")
    results = {each.ticker: decisive(each, session.found[each.ticker]) for each in windows}
    return SessionFound(
        name=recording.name,
        began_at=session.began_at,
        ended_at=session.last_at,
        clock_offset_ms=0,
        messages_behind_clock=0,
        longest_silence_ms=session.longest_gap // timedelta(milliseconds=1),
        spot_trades=0,
        integrity=BookRoom().figures(),
        own=True,
        decisions=session.trader.decisions,
        decision_reasons=dict(session.trader.reasons.most_common()),
        trades=session.trader.trades_found(results),
        windows=tuple(session.found[each.ticker] for each in windows),
    )


def snapshots(recording: OwnRecording) -> Iterator[CycleSnapshot]:
    """One for each decision of entry, ascending in time. Its board is changed in place by the next."""
    last: datetime | None = None
    for path in recording.segments:
        segment = Segment(path)
        for kept in segment.decisions():
            if not isinstance(kept, EntryKept):
                continue
            at, board, prices = kept.look.at, segment.board, kept.look.prices
            if board is None or prices is None or (last and at <= last):
                continue
            last = at
            yield CycleSnapshot(at=at, board=board, prices=prices)


def read_own_windows(recording: OwnRecording) -> tuple[Window, ...]:
    """Every market that was on a board, with the end that the venue told; by close."""
    markets: dict[Ticker, Market] = {}
    ends: dict[Ticker, Side] = {}
    for path in recording.segments:
        segment = Segment(path)
        for _ in segment.decisions():
            pass
        markets |= segment.markets
        ends |= {ticker: ended.result for ticker, ended in segment.ends.items()}
    strikes = _next_strikes(markets.values())
    ordered = sorted(markets.values(), key=lambda each: (each.close_time, each.ticker))
    return tuple(
        Window(
            listed=each,
            open=each,
            strike_known_at=each.open_time,
            recorded_result=ends.get(each.ticker),
            published_value=None,
            next_strike=strikes.get(each.ticker),
        )
        for each in ordered
    )


def _next_strikes(markets: Iterable[Market]) -> dict[Ticker, Decimal | None]:
    """Of each market alone at its close the strike of the one that opens then: the value that it settled on."""
    closing: dict[tuple[str, datetime], list[Market]] = defaultdict(list)
    opening: dict[tuple[str, datetime], list[Market]] = defaultdict(list)
    for each in markets:
        closing[each.series_ticker, each.close_time].append(each)
        opening[each.series_ticker, each.open_time].append(each)
    return {
        ended[0].ticker: opening[moment][0].floor_strike
        for moment, ended in closing.items()
        if len(ended) == len(opening.get(moment, ())) == 1
    }
