"""Reads a session once from end to end before anything is served: refuses what is broken, measures its clock.

The recorder's clock may be off by a constant, which is taken from the lower median of receive time minus the
venue's stamp over the first thousand stamped frames, delivery included. A message's moment is its receive time less
that, and never before its predecessor's: so every message has its recorded place and pace, while the venue's own
stamps in it stay what they are. An offline replay takes the quickest frame instead, and adds a delivery to each.
"""

from __future__ import annotations

import heapq
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from recio.exchange_sim.recorded.files import BadSession, SessionFiles, bad_line, find_files
from recio.exchange_sim.recorded.frames import (
    BOOK,
    NS_PER_MS,
    BookDelta,
    BookSnapshot,
    Frame,
    Subscribed,
    TickerUpdate,
    read_frames,
)
from recio.exchange_sim.recorded.spot_rows import SpotRow, read_spot
from recio.exchange_sim.recorded.windows import Window, read_windows

OFFSET_SAMPLE = 1_000

Served = BookDelta | BookSnapshot | TickerUpdate | SpotRow
Message = tuple[int, Served]
"""Its moment in venue milliseconds, and what it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A session that was read once without fault."""

    files: SessionFiles
    windows: tuple[Window, ...]
    offset_ns: int
    begin_ms: int
    end_ms: int
    frames: int
    spot_trades: int
    first_spot: SpotRow | None
    market_ids: dict[str, str]
    last_ms: dict[str, int]
    """The moment of each market's last message."""

    def messages(self) -> Iterator[Message]:
        """Everything to be served, in order, read anew and line by line."""
        latest = 0
        for received_ns, seen in _received(self.files):
            latest = max(latest, (received_ns - self.offset_ns) // NS_PER_MS)
            if not isinstance(seen, Frame):
                yield latest, seen
            elif isinstance(seen.fact, BookDelta | BookSnapshot | TickerUpdate):
                yield latest, seen.fact


@dataclass(slots=True, kw_only=True)
class _Checks:
    """What the frames so far say must come next."""

    path: Path
    tickers: frozenset[str]
    expected: dict[int, int] = field(default_factory=dict[int, int])
    books: dict[tuple[str, bool], dict[int, int]] = field(
        default_factory=dict[tuple[str, bool], dict[int, int]]
    )
    market_ids: dict[str, str] = field(default_factory=dict[str, str])
    last_ns: dict[str, int] = field(default_factory=dict[str, int])

    def take(self, frame: Frame) -> None:
        """Raises BadSession where something is missing before this frame, or it cannot be true."""
        match frame.fact:
            case Subscribed(channel=channel, sid=sid):
                if channel == BOOK:
                    self.expected[sid] = 1
                    self.books.clear()
            case BookSnapshot() | BookDelta() | TickerUpdate() as fact:
                if fact.ticker not in self.tickers:
                    raise self._bad(frame, f"{fact.ticker} is not among the markets of the description")
                self.market_ids.setdefault(fact.ticker, fact.market_id)
                self.last_ns[fact.ticker] = max(self.last_ns.get(fact.ticker, 0), frame.received_ns)
                self._count(frame)
                self._book(frame, fact)
            case _:
                self._count(frame)

    def _count(self, frame: Frame) -> None:
        if frame.sid is None or frame.seq is None:
            return
        begins = isinstance(frame.fact, BookSnapshot)
        expected = self.expected.get(frame.sid, frame.seq if begins else None)
        if expected is not None and frame.seq != expected:
            raise self._bad(frame, f"number {frame.seq} after {expected - 1}: frames are missing")
        if expected is not None:
            self.expected[frame.sid] = expected + 1

    def _book(self, frame: Frame, fact: BookSnapshot | BookDelta | TickerUpdate) -> None:
        if isinstance(fact, BookSnapshot):
            self.books[fact.ticker, True] = dict(fact.bids)
            self.books[fact.ticker, False] = dict(fact.asks)
        elif isinstance(fact, BookDelta):
            levels = self.books.get((fact.ticker, fact.bid))
            if levels is None:
                raise self._bad(frame, f"a change of {fact.ticker} before its snapshot")
            levels[fact.price] = levels.get(fact.price, 0) + fact.change
            if levels[fact.price] < 0:
                raise self._bad(frame, f"a level of {fact.ticker} falls below nothing")

    def _bad(self, frame: Frame, fault: str) -> BadSession:
        return bad_line(self.path, frame.line, fault)


def open_recording(folder: Path) -> Recording:
    """Read a session's folder whole. Raises BadSession."""
    files = find_files(folder)
    windows = read_windows(files.description)
    checks = _Checks(path=files.frames, tickers=frozenset(window.ticker for window in windows))
    offsets: list[int] = []
    received: list[int] = []
    count = 0
    for frame in read_frames(files.frames):
        checks.take(frame)
        count += 1
        received = _bounds(received, frame.received_ns)
        if len(offsets) < OFFSET_SAMPLE and isinstance(frame.fact, BookDelta | TickerUpdate):
            offsets.append(frame.received_ns - frame.fact.ts_ms * NS_PER_MS)
    first_spot: SpotRow | None = None
    trades = 0
    for row in iter(()) if files.matches is None else read_spot(files.matches):
        first_spot = first_spot or row
        trades += 1
        received = _bounds(received, row.received_ns)
    offset_ns = statistics.median_low(offsets) if offsets else 0
    return Recording(
        files=files,
        windows=windows,
        offset_ns=offset_ns,
        begin_ms=(received[0] - offset_ns) // NS_PER_MS,
        end_ms=(received[1] - offset_ns) // NS_PER_MS,
        frames=count,
        spot_trades=trades,
        first_spot=first_spot,
        market_ids={ticker: name for ticker, name in checks.market_ids.items() if name},
        last_ms={ticker: (last - offset_ns) // NS_PER_MS for ticker, last in checks.last_ns.items()},
    )


def _bounds(known: list[int], received_ns: int) -> list[int]:
    if not known:
        return [received_ns, received_ns]
    return [min(known[0], received_ns), max(known[1], received_ns)]


def _received(files: SessionFiles) -> Iterator[tuple[int, Frame | SpotRow]]:
    """Both streams as one, in the order received."""
    spot = iter(()) if files.matches is None else read_spot(files.matches)
    return heapq.merge(
        ((row.received_ns, row) for row in spot),
        ((frame.received_ns, frame) for frame in read_frames(files.frames)),
        key=itemgetter(0),
    )
