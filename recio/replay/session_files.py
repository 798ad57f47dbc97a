"""Reads recorded sessions line by line, strictly: what is broken is refused with its file, line and field.

A session is a folder with the frames of the venue's socket and, where they were recorded, the trades
of the spot exchange and a session.json that names the windows. It never guesses what a line meant.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, NamedTuple

import msgspec

from recio.errors import BadRecording
from recio.kalshi.frame_kinds import TickerSeen
from recio.kalshi.frames import NOT_A_FRAME, Frame, FrameError, FrequentFrame, parse_frame, seen_in
from recio.paper.matching import DELIVERY
from recio.rules.market.order_book import BookDeltaSeen

FRAMES = "kalshi_ws.jsonl"
MATCHES = "coinbase_matches.csv"
DESCRIPTION = "session.json"
MATCH_COLUMNS = ("recv_ns", "exchange_ts", "price")
MATCH_TYPES = ("match", "last_match")
OFFSET_SAMPLE = 1_000
"""Dated frames from the start that tell how far the recorder's clock is off. Not all of them: what
happens late in a recording must not move the decisions before it."""
NS_PER_MS = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST_MS, LATEST_MS = 946_684_800_000, 4_102_444_800_000
"""Years 2000 to 2100: a time outside is in the wrong unit."""
HIGHEST_PRICE = 10**9
"""Dollars: beyond it a number is damage, and may be too long to compute with."""
FURTHEST_OFF = Decimal("0.25")
"""Of a strike: within an hour no coin moves so far. A price further away is of another coin, or cents beside dollars."""
LATEST_TRADE = timedelta(seconds=5)
"""A trade is heard within three seconds, and the clocks of exchange and venue agree to a hundredth."""
BUFFER_BYTES = 1 << 20


class _Line(msgspec.Struct):
    recv_ns: Annotated[int, msgspec.Meta(ge=EARLIEST_MS * NS_PER_MS, le=LATEST_MS * NS_PER_MS)]
    m: msgspec.Raw


class _FrequentLine(msgspec.Struct, gc=False):
    recv_ns: Annotated[int, msgspec.Meta(ge=EARLIEST_MS * NS_PER_MS, le=LATEST_MS * NS_PER_MS)]
    m: FrequentFrame


BROKEN_LINE = (msgspec.MsgspecError, FrameError, UnicodeDecodeError, RecursionError, ArithmeticError)
"""Arithmetic: a number like 1e9999999 is no frame either."""

_line = msgspec.json.Decoder(_Line)
_frequent_line = msgspec.json.Decoder(_FrequentLine)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFiles:
    name: str
    frames: Path
    matches: Path | None
    description: Path | None


class Match(NamedTuple):
    """One recorded trade of the spot exchange."""

    price: Decimal
    at: datetime
    is_old: bool = False
    """Told at the subscription: it may have been made long before."""

    def is_untimely(self, received: datetime) -> bool:
        """Whether it cannot have been made when it says, if it was received then."""
        return not self.is_old and abs(received - self.at) > LATEST_TRADE


def find_sessions(paths: Sequence[Path]) -> list[SessionFiles]:
    """The sessions under these paths, each once, in order. Raises BadRecording."""
    if not paths:
        raise BadRecording("no recording was named: give a session folder, or a folder of session folders")
    folders: dict[Path, Path] = {}
    for path in paths:
        for folder in _session_folders(path):
            folders.setdefault(folder.resolve(), folder)
    return [_session_files(folder) for folder in folders.values()]


def _session_folders(path: Path) -> list[Path]:
    if not path.exists():
        raise BadRecording(f"{path} does not exist: give a session folder, or a folder of session folders")
    if not path.is_dir():
        raise BadRecording(f"{path} is a file: give the folder that holds {FRAMES}.gz or {FRAMES}")
    if _looks_like_session(path):
        return [path]
    folders = sorted(each for each in path.iterdir() if each.is_dir() and _looks_like_session(each))
    if not folders:
        raise BadRecording(
            f"{path} holds no recording: neither it nor a folder in it has {FRAMES}.gz or {FRAMES}"
        )
    return folders


def _looks_like_session(folder: Path) -> bool:
    return any(_either(folder, name) for name in (FRAMES, MATCHES)) or (folder / DESCRIPTION).exists()


def _either(folder: Path, name: str) -> list[Path]:
    return [path for path in (folder / f"{name}.gz", folder / name) if path.exists()]


def _session_files(folder: Path) -> SessionFiles:
    frames, matches = _only(folder, FRAMES), _only(folder, MATCHES)
    if frames is None:
        raise BadRecording(f"{folder} has no {FRAMES}.gz and no {FRAMES}: a session needs the venue's frames")
    description = folder / DESCRIPTION
    return SessionFiles(
        name=folder.resolve().name,
        frames=frames,
        matches=matches,
        description=description if description.exists() else None,
    )


def _only(folder: Path, name: str) -> Path | None:
    found = _either(folder, name)
    if len(found) > 1:
        raise BadRecording(f"{folder} has both {name}.gz and {name}: keep the one that is to be replayed")
    return found[0] if found else None


def read_frames(path: Path) -> Iterator[tuple[int, Frame]]:
    """(receive time in ns, frame) in the order received. Raises BadRecording at the first bad line."""
    decode = _frequent_line.decode
    number = 0
    for raw in _lines(path):
        number += 1
        try:
            line = decode(raw)
            received_ns, frame = line.recv_ns, seen_in(line.m)
        except NOT_A_FRAME:
            # Another kind, or a fault: this way tells which, and names the field.
            received_ns, frame = _read_line(path, number, raw)
        at_ms = exchange_ms(frame)
        if at_ms is not None and not EARLIEST_MS <= at_ms <= LATEST_MS:
            raise _bad(path, number, f"ts_ms {at_ms} is not a time in Unix milliseconds")
        yield received_ns, frame
    if number == 0:
        raise BadRecording(f"{path} is empty: there is nothing to replay")


def _read_line(path: Path, number: int, raw: bytes) -> tuple[int, Frame]:
    try:
        line = _line.decode(raw)
        return line.recv_ns, parse_frame(bytes(line.m))
    except BROKEN_LINE as error:
        raise _bad(path, number, _explained(error, raw)) from error


def exchange_ms(frame: Frame) -> int | None:
    """When the venue made a market data frame, where it says so."""
    return frame.at_ms if isinstance(frame, BookDeltaSeen | TickerSeen) else None


def clock_offset_ns(path: Path) -> int:
    """How far the recorder's clock is ahead of the venue's; 0 if no frame is dated.

    Nothing is heard before it was made, and the quickest frame took what a delivery takes: the rest of its lead is the clock's.
    What other frames took longer stays: they are heard as late as they were.
    """
    leads = (
        recv_ns - at_ms * NS_PER_MS
        for recv_ns, frame in read_frames(path)
        if (at_ms := exchange_ms(frame)) is not None
    )
    quickest = min(islice(leads, OFFSET_SAMPLE), default=None)
    return 0 if quickest is None else quickest - DELIVERY // timedelta(microseconds=1) * 1_000


def check_times(path: Path, offset_ns: int) -> None:
    """Whether trades were received when they were made, by the clock of the venue's frames. Raises BadRecording."""
    trades = (each for each in read_matches(path) if not each[1].is_old)
    sample = [
        (utc(received_ns - offset_ns), match.at) for received_ns, match in islice(trades, OFFSET_SAMPLE)
    ]
    received, at = min(sample, key=lambda each: abs(each[0] - each[1]), default=(EPOCH, EPOCH))
    if abs(received - at) > LATEST_TRADE:
        raise BadRecording(
            f"{path}: exchange_ts and recv_ns do not fit: the trade of {at:%Y-%m-%d %H:%M:%S} UTC was received at"
            f" {received:%Y-%m-%d %H:%M:%S} by the venue's clock, and none of the first {len(sample):,} fits better:"
            " one of the columns, or the recv_ns of the frames, is in another time zone or of another day"
        )


def read_matches(path: Path, strikes: Sequence[Decimal] = ()) -> Iterator[tuple[int, Match]]:
    """(receive time in ns, trade) in the order received. Raises BadRecording at the first bad row.

    A price that lies nowhere near any of the strikes is refused too.
    """
    rows = csv.reader(_text_lines(path), strict=True)
    columns: list[str] | None = None
    try:
        for row in rows:
            if columns is None:
                columns = _match_columns(path, row)
            else:
                received, match = _match(path, rows.line_num, columns, row)
                if strikes and not is_near(match.price, strikes):
                    raise _bad(path, rows.line_num, far_off(match.price, strikes))
                yield received, match
    except csv.Error as error:
        raise _bad(path, rows.line_num, f"not a CSV row: {error}") from error
    if columns is None:
        raise BadRecording(
            f"{path} is empty: it needs at least a header; remove the file if there were no trades"
        )


def _text_lines(path: Path) -> Iterator[str]:
    for number, raw in enumerate(_lines(path), 1):
        try:
            yield raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _bad(path, number, f"not UTF-8: {error}") from error


def _match_columns(path: Path, header: list[str]) -> list[str]:
    missing = [name for name in MATCH_COLUMNS if name not in header]
    if missing:
        raise _bad(path, 1, f"the header lacks {', '.join(missing)}; it has {','.join(header)!r}")
    return header


def _match(path: Path, number: int, columns: list[str], row: list[str]) -> tuple[int, Match]:
    if len(row) != len(columns):
        raise _bad(path, number, f"{len(row)} fields where the header names {len(columns)}")
    fields = dict(zip(columns, row, strict=True))
    if fields.get("type", "match") not in MATCH_TYPES:
        raise _bad(path, number, f"type {fields['type']!r} is none of {', '.join(MATCH_TYPES)}")
    name = ""
    try:
        name = "recv_ns"
        received = int(fields[name])
        _within_era(received // NS_PER_MS)
        name = "exchange_ts"
        at = aware(fields[name])
        name = "price"
        match = Match(positive(fields[name]), at, fields.get("type") == "last_match")
    except (ValueError, OverflowError, InvalidOperation) as error:
        raise _bad(path, number, f"{name} {fields[name]!r} is refused: {_reason(error)}") from error
    return received, match


def _reason(error: Exception) -> str:
    return "not a decimal number" if isinstance(error, InvalidOperation) else str(error)


def utc(ns: int) -> datetime:
    """Unix nanoseconds as an aware time, to the microsecond."""
    return EPOCH + timedelta(microseconds=ns // 1000)


def _within_era(unix_ms: float) -> None:
    if not EARLIEST_MS <= unix_ms <= LATEST_MS:
        raise ValueError("not a time between the years 2000 and 2100")


def aware(text: str) -> datetime:
    """An ISO time as UTC. Raises ValueError without a zone, or of another era."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("it has no time zone")
    _within_era(at.timestamp() * 1000)
    return at.astimezone(UTC)


def positive(text: str) -> Decimal:
    """A recorded price or strike. Raises ValueError, InvalidOperation."""
    price = Decimal(text)
    if not is_price(price):
        raise ValueError("not a positive price")
    return price


def is_price(value: Decimal) -> bool:
    """Whether a recorded spot price, strike or settlement value can be one at all."""
    return value.is_finite() and 0 < value < HIGHEST_PRICE


def is_near(price: Decimal, strikes: Sequence[Decimal]) -> bool:
    """Whether a price can be of the coin and in the unit of these strikes, the lowest first."""
    return strikes[0] * (1 - FURTHEST_OFF) <= price <= strikes[-1] * (1 + FURTHEST_OFF)


def far_off(price: Decimal, strikes: Sequence[Decimal]) -> str:
    return (
        f"price {price} is further than a quarter from all strikes ({strikes[0]} to {strikes[-1]}): prices or"
        " strikes are of another coin, or one is in cents and the other in dollars"
    )


def without_mark(raw: bytes) -> bytes:
    """The beginning of a file without the mark of its encoding, which editors and spreadsheets put there."""
    return raw.removeprefix(codecs.BOM_UTF8)


def _lines(path: Path) -> Iterator[bytes]:
    number = 0
    try:
        with _opened(path) as stream:
            for raw in stream:
                number += 1
                yield raw if number > 1 else without_mark(raw)
    except EOFError as error:
        raise _bad(
            path, number + 1, "the gzip stream ends early: the file is truncated, copy it again"
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _bad(path, number + 1, f"not a whole gzip stream ({error}): copy the file again") from error
    except OSError as error:
        raise BadRecording(f"{path} cannot be read: {error.strerror or error}") from error


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        # A large buffer above the decompressor makes short lines cheap.
        return io.BufferedReader(gzip.GzipFile(path, "rb"), BUFFER_BYTES)
    return path.open("rb", buffering=BUFFER_BYTES)


def _explained(error: Exception, raw: bytes) -> str:
    if isinstance(error, FrameError | ArithmeticError):
        return f"m is not a frame that can be trusted: {error!s:.300}"
    shown = raw[:120].decode("utf-8", "replace").rstrip()
    return f"not a line of {{recv_ns, m}}: {error}; it begins {shown!r}"


def _bad(path: Path, number: int, fault: str) -> BadRecording:
    return BadRecording(f"{path} line {number}: {fault}")
