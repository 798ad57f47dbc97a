"""One recorded session on a virtual clock: frames and trades in the order received, decisions when they were due.

Nothing is decided from anything that had not been received by then, and no order ever leaves.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from pathlib import Path

from recio.kalshi.frames import Frame
from recio.paper.engine import Engine, on_paper
from recio.replay.doubts import Heard, refuse_strangers, symbol_of, told
from recio.replay.findings import SessionFound
from recio.replay.session import Look, Session
from recio.replay.session_files import (
    EPOCH,
    NS_PER_MS,
    Match,
    SessionFiles,
    check_times,
    clock_offset_ns,
    exchange_ms,
    read_frames,
    read_matches,
    utc,
)
from recio.replay.spot import Spot
from recio.replay.tally import Tally
from recio.replay.windows import Window, read_windows
from recio.rules.decision.strategy import Strategy
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen
from recio.rules.price.momentum import BASIS_POINTS
from recio.rules.price.volatility import PriceMemory
from recio.rules.pricing.model import AVERAGE, Model
from recio.settings.config import Config

NS = 1_000_000_000
SHORTEST_LOOK_NS = 1_000


@dataclass(slots=True, kw_only=True)
class Clockwork:
    """The virtual clock of one session, and what it has measured of the streams."""

    session: Session
    outcomes: list[tuple[int, Window]] = field(default_factory=list[tuple[int, Window]])
    """When the outcome of each window is looked at, the next one last."""
    now_ns: int = 0
    began_ns: int = 0
    heard_ns: int = 0
    """The newest time that the venue put on a frame, or the receipt of one that bears none."""
    first_frame_ns: int = 0
    framed_ns: int = 0
    """When the last frame was received."""
    first_trade_ns: int = 0
    traded_ns: int = 0
    """When the last trade of the spot exchange was received."""
    quietest_ns: int = 0
    """The longest time without one."""
    untimely: int = 0
    longest_silence_ns: int = 0
    messages_behind_clock: int = 0
    spot_trades: int = 0
    is_new: bool = False
    """Something was heard at this moment that nobody has decided on."""
    next_ns: int = 0
    """When time alone asks for a decision, or an outcome is due."""
    next_at: datetime = EPOCH
    timed_ns: int = 0
    """`next_at` in nanoseconds."""

    def run(self, messages: Iterator[tuple[int, Frame | Match]], offset_ns: int) -> None:
        """Replay the whole recording. Raises BadRecording."""
        due = ((_unix_ns(each.known_at), each) for each in self.session.windows)
        self.outcomes = sorted(due, key=itemgetter(0), reverse=True)
        for received_ns, message in messages:
            at_ns = received_ns - offset_ns
            if at_ns > self.now_ns:
                self._pass_until(at_ns)
                self.now_ns = at_ns
            elif at_ns < self.now_ns:
                self.messages_behind_clock += 1
            if isinstance(message, Match):
                self._trade(message)
            else:
                self._frame(message)
        self._finish()

    def _pass_until(self, at_ns: int) -> None:
        """Everything due before this moment happens first, with what was known then."""
        if not self.began_ns:
            self.began_ns = self.next_ns = at_ns
        if self.is_new:
            self._decide()
        while self.next_ns < at_ns:
            self.now_ns = max(self.now_ns, self.next_ns)
            while self.outcomes and self.outcomes[-1][0] <= self.now_ns:
                self.session.look_at_outcome(self.outcomes.pop()[1], self.now_ns // NS)
            self._decide()

    def _decide(self) -> None:
        """What came at one moment is decided on once."""
        self.is_new = False
        now = utc(self.now_ns)
        self.session.decide(now, utc(self.heard_ns))
        next_at = self.session.next_at(now)
        if next_at is not self.next_at:
            self.next_at, self.timed_ns = next_at, _unix_ns(next_at)
        next_ns = self.timed_ns
        if self.outcomes:
            next_ns = min(next_ns, self.outcomes[-1][0])
        self.next_ns = max(self.now_ns + SHORTEST_LOOK_NS, next_ns)

    def _trade(self, match: Match) -> None:
        self.is_new, received = True, utc(self.now_ns)
        self.spot_trades += 1
        self.untimely += match.is_untimely(received)
        if self.traded_ns:
            self.quietest_ns = max(self.quietest_ns, self.now_ns - self.traded_ns)
        else:
            self.first_trade_ns = self.now_ns
        self.traded_ns = self.now_ns
        self.session.spot.hear(match, received)

    def heard(self) -> Heard:
        """What was received when, once the recording has ended."""
        quietest_ns = max(self.quietest_ns, self.now_ns - self.traded_ns) if self.traded_ns else 0
        return Heard(
            began_at=utc(self.began_ns),
            ended_at=utc(self.now_ns),
            frames=(utc(self.first_frame_ns), utc(self.framed_ns)) if self.framed_ns else None,
            trades=(utc(self.first_trade_ns), utc(self.traded_ns)) if self.traded_ns else None,
            quietest=timedelta(microseconds=quietest_ns // 1_000),
            untimely=self.untimely,
        )

    def _frame(self, frame: Frame) -> None:
        now_ns, session = self.now_ns, self.session
        if not self.framed_ns:
            self.first_frame_ns = now_ns
        elif now_ns - self.framed_ns > self.longest_silence_ns:
            self.longest_silence_ns = now_ns - self.framed_ns
        self.framed_ns = now_ns
        at_ms = exchange_ms(frame)
        # Tickers may trail the deltas by seconds: the newest time heard is how far the venue got.
        heard_ns = now_ns if at_ms is None else min(now_ns, at_ms * NS_PER_MS)
        if heard_ns > self.heard_ns:
            self.heard_ns = heard_ns
        session.room.take(frame, now_ns)
        if (
            isinstance(frame, BookDeltaSeen | BookSnapshotSeen)
            and frame.ticker not in session.room.books.views
        ):
            # Behind the best levels nothing changes that anybody looks at.
            session.dirty[frame.ticker], self.is_new = None, True
        elif session.losses != session.room.losses:
            self.is_new = True

    def _finish(self) -> None:
        """What was due when the recording ended happens; what would have come later is not decided."""
        self._pass_until(self.now_ns + 1)
        self.session.give_up(utc(self.now_ns))
        while self.outcomes:
            self.session.look_at_outcome(self.outcomes.pop()[1], self.now_ns // NS)


def replay_session(
    files: SessionFiles, config: Config, model: Model = AVERAGE, look: Look | None = None
) -> SessionFound:
    """Replay one session from a fresh start. Raises BadRecording."""
    session = session_of(files, config, model, look)
    offset_ns = clock_offset_ns(files.frames)
    if files.matches is not None:
        check_times(files.matches, offset_ns)
    clockwork = Clockwork(session=session)
    clockwork.run(received(files, _strikes(session.windows)), offset_ns)
    heard, booked = clockwork.heard(), session.room.checks.keys()
    refuse_strangers(files, session.windows, booked, heard)
    windows = session.windows_found()
    return SessionFound(
        name=files.name,
        began_at=utc(clockwork.began_ns),
        ended_at=utc(clockwork.now_ns),
        clock_offset_ms=round(offset_ns / NS_PER_MS),
        messages_behind_clock=clockwork.messages_behind_clock,
        longest_silence_ms=clockwork.longest_silence_ns // NS_PER_MS,
        spot_trades=clockwork.spot_trades,
        integrity=session.room.figures(),
        decisions=session.tally.decisions,
        decision_reasons=dict(session.tally.reasons.most_common()),
        trades=session.trades_found(),
        windows=windows,
        warnings=tuple(told(session.windows, windows, booked, heard)),
    )


def session_of(files: SessionFiles, config: Config, model: Model, look: Look | None) -> Session:
    windows, symbol = _described(files.description, config)
    moments = {
        moment for each in windows for moment in (each.open.open_time, each.strike_known_at, each.closes_at)
    }
    tally = Tally()
    return Session(
        session=files.name,
        look=look,
        tally=tally,
        windows=windows,
        boundaries=sorted(moments, reverse=True),
        spot=_spot(config, symbol),
        engine=engine_of(config, model, tally),
    )


def _described(description: Path | None, config: Config) -> tuple[tuple[Window, ...], str]:
    """The windows, and the coin that they are of."""
    first = next(iter(config.symbols))
    if description is None:
        return (), first
    windows = read_windows(description, first)
    symbol = symbol_of(description, windows, config)
    return (windows if symbol == first else read_windows(description, symbol)), symbol


def _strikes(windows: Sequence[Window]) -> list[Decimal]:
    every = (strike for each in windows for strike in (each.open.floor_strike, each.open.cap_strike))
    return sorted(strike for strike in every if strike is not None)


def _spot(config: Config, symbol: str) -> Spot:
    section = config.symbols[symbol]
    return Spot(
        symbol=symbol,
        memory=PriceMemory(warmup_seconds=config.prices.warmup_seconds),
        usual_basis=section.usual_basis_bp / BASIS_POINTS,
        largest_error=section.max_price_error_bp / BASIS_POINTS,
    )


def engine_of(config: Config, model: Model, tally: Tally) -> Engine:
    """With a fresh account, and entries switched on whatever the config says."""
    strategy = Strategy(entry=config.entry, exit=config.exit, model=model)
    return Engine(strategies=(on_paper(strategy),), limits=config.risk, told=tally.told)


def received(files: SessionFiles, strikes: Sequence[Decimal] = ()) -> Iterator[tuple[int, Frame | Match]]:
    """Both streams as one, in the order received."""
    matches = iter(()) if files.matches is None else read_matches(files.matches, strikes)
    return heapq.merge(matches, read_frames(files.frames), key=itemgetter(0))


def _unix_ns(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1) * 1000
