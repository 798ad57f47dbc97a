"""One recorded session on a virtual clock: frames and trades in the order received, decisions when they were due.

Nothing is decided from anything that had not been received by then, and no order ever leaves.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter

from recio.kalshi.frames import Frame
from recio.replay.event_queue import Arrival, Due, EventQueue, Outcome
from recio.replay.findings import SessionFound
from recio.replay.session import Session
from recio.replay.session_files import (
    EPOCH,
    NS_PER_MS,
    Match,
    SessionFiles,
    clock_offset_ns,
    exchange_ms,
    read_frames,
    read_matches,
    utc,
)
from recio.replay.spot import LONGEST_HOLE, Spot
from recio.replay.trader import Look, trader
from recio.replay.windows import read_windows
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen
from recio.rules.price.volatility import PriceMemory
from recio.rules.pricing.model import AVERAGE, Model
from recio.settings.config import Config

NS = 1_000_000_000
SHORTEST_LOOK_NS = 1_000
ORDER_LATENCY_NS = 100 * NS_PER_MS
"""Market time between a decision and the arrival of its order at the venue."""
OUTCOME_AFTER_NS = (LONGEST_HOLE + 2) * NS
"""Market time from a window's close until its outcome is looked at: late trades are in by then."""


@dataclass(slots=True, kw_only=True)
class Clockwork:
    """The virtual clock of one session, and what it has measured of the streams."""

    session: Session
    event_queue: EventQueue = field(default_factory=EventQueue)
    now_ns: int = 0
    began_ns: int = 0
    heard_ns: int = 0
    """The newest time that the venue put on a frame, or the receipt of one that bears none."""
    framed_ns: int = 0
    """When the last frame was received."""
    longest_silence_ns: int = 0
    messages_behind_clock: int = 0
    spot_trades: int = 0
    is_new: bool = False
    """Something was heard at this moment that nobody has decided on."""
    next_look_ns: int = 0
    """When time alone asks for a decision."""

    def run(self, received: Iterator[tuple[int, Frame | Match]], offset_ns: int) -> None:
        """Replay the whole recording. Raises BadRecording."""
        for window in self.session.windows:
            self.event_queue.arrange(_unix_ns(window.closes_at) + OUTCOME_AFTER_NS, Outcome(window))
        for received_ns, message in received:
            self._advance(received_ns - offset_ns)
            self.is_new = True
            if isinstance(message, Match):
                self.spot_trades += 1
                self.session.spot.hear(message, utc(self.now_ns))
            else:
                self._frame(message)
        self._finish()

    def _advance(self, at_ns: int) -> None:
        """Move the clock on; everything due before this moment happens first, with what was known then."""
        if not self.began_ns:
            self.began_ns = self.next_look_ns = at_ns
        if self.is_new and at_ns > self.now_ns:
            self._decide()
        self._happen_before(at_ns)
        if at_ns < self.now_ns:
            self.messages_behind_clock += 1
        else:
            self.now_ns = at_ns

    def _happen_before(self, ns: int) -> None:
        while True:
            following = self.event_queue.next_before(min(ns, self.next_look_ns))
            if following is not None:
                at_ns, due = following
                self.now_ns = max(self.now_ns, at_ns)
                self._happen(due)
                self._decide()
            elif self.next_look_ns < ns:
                self.now_ns = max(self.now_ns, self.next_look_ns)
                self._decide()
            else:
                return

    def _decide(self) -> None:
        """What came at one moment is decided on once."""
        self.is_new = False
        now = utc(self.now_ns)
        for order in self.session.decide(now, utc(self.heard_ns)):
            self.event_queue.arrange(self.now_ns + ORDER_LATENCY_NS, Arrival(order))
        self.next_look_ns = max(self.now_ns + SHORTEST_LOOK_NS, _unix_ns(self.session.next_at(now)))

    def _happen(self, due: Due) -> None:
        match due:
            case Arrival(order=order):
                self.session.arrive(order, utc(self.now_ns))
            case Outcome(window=window):
                self.session.look_at_outcome(window, self.now_ns // NS)

    def _frame(self, frame: Frame) -> None:
        now_ns, session = self.now_ns, self.session
        if self.framed_ns:
            self.longest_silence_ns = max(self.longest_silence_ns, now_ns - self.framed_ns)
        self.framed_ns = now_ns
        at_ms = exchange_ms(frame)
        # Tickers may trail the deltas by seconds: the newest time heard is how far the venue got.
        self.heard_ns = max(self.heard_ns, now_ns if at_ms is None else min(now_ns, at_ms * NS_PER_MS))
        session.room.take(frame, now_ns)
        if isinstance(frame, BookDeltaSeen | BookSnapshotSeen):
            session.note(frame.ticker)
            if session.taken.levels:
                session.recall_taken(frame)

    def _finish(self) -> None:
        """What was due when the recording ended happens; what would have come later is not decided."""
        if self.is_new:
            self._decide()
        self._happen_before(self.now_ns + 1)
        later = self.event_queue.rest()
        for due in later:
            if isinstance(due, Arrival):
                note = "the recording ended before the order arrived"
                self.session.trader.paper.answer(due.order, (), note, utc(self.now_ns))
        for due in later:
            if isinstance(due, Outcome):
                self.session.look_at_outcome(due.window, self.now_ns // NS)


def replay_session(
    files: SessionFiles, config: Config, model: Model = AVERAGE, look: Look | None = None
) -> SessionFound:
    """Replay one session from a fresh start. Raises BadRecording."""
    session = _session(files, config, model, look)
    offset_ns = clock_offset_ns(files.frames)
    clockwork = Clockwork(session=session)
    clockwork.run(_received(files), offset_ns)
    return SessionFound(
        name=files.name,
        began_at=utc(clockwork.began_ns),
        ended_at=utc(clockwork.now_ns),
        clock_offset_ms=round(offset_ns / NS_PER_MS),
        messages_behind_clock=clockwork.messages_behind_clock,
        longest_silence_ms=clockwork.longest_silence_ns // NS_PER_MS,
        spot_trades=clockwork.spot_trades,
        integrity=session.room.figures(),
        decisions=session.trader.decisions,
        decision_reasons=dict(session.trader.reasons.most_common()),
        trades=session.trades_found(),
        windows=session.windows_found(),
    )


def _session(files: SessionFiles, config: Config, model: Model, look: Look | None) -> Session:
    windows = () if files.description is None else read_windows(files.description, _symbol(config))
    moments = {
        moment for each in windows for moment in (each.open.open_time, each.strike_known_at, each.closes_at)
    }
    return Session(
        session=files.name,
        look=look,
        windows=windows,
        boundaries=sorted(moments, reverse=True),
        spot=Spot(symbol=_symbol(config), memory=PriceMemory(warmup_seconds=config.prices.warmup_seconds)),
        trader=trader(files.name, config, model),
    )


def _symbol(config: Config) -> str:
    """Recordings hold one series; its coin is the first configured one."""
    return next(iter(config.symbols))


def _received(files: SessionFiles) -> Iterator[tuple[int, Frame | Match]]:
    """Both streams as one, in the order received."""
    matches = iter(()) if files.matches is None else read_matches(files.matches)
    return heapq.merge(matches, read_frames(files.frames), key=itemgetter(0))


def _unix_ns(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1) * 1000
