"""One-minute candles from CSV files, plain or gzipped, into the closes of consecutive minutes; a gap stays a gap.

It reads the two columns it needs by their names and refuses what it cannot read with file, line and value. Raises BadConfig.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recio.errors import BadConfig

TIME_COLUMNS = ("t_unix", "timestamp", "open_time", "time")
CLOSE_COLUMN = "close"
MINUTE = 60
MILLISECONDS_FROM = 100_000_000_000
"""A number of this size is milliseconds: as seconds it would be the year 5138."""
LONGEST_SPAN = 20 * 366 * 24 * 60
HIGHEST_STEP = 3.0
"""From one minute to the next: a close so many times the other is of another coin, or in cents beside dollars."""
ENDINGS = (".csv", ".csv.gz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candles:
    """Closes of consecutive minutes; 0.0 where none is known."""

    first_minute: int
    """Unix minute of the first close."""
    closes: list[float]
    known: int
    digest: str
    """Of every (minute, close), in order."""


def read_candles(paths: Iterable[Path]) -> Candles:
    """All candles of some files and folders; the same minute twice must say the same."""
    found: dict[int, float] = {}
    for path in _files(paths):
        for line, minute, close in _rows(path):
            before = found.setdefault(minute, close)
            if before != close:
                raise BadConfig(
                    f"{path}, line {line}: minute {minute * MINUTE} closes at {close:g} here and at {before:g} elsewhere:"
                    " give candles of one market only"
                )
    if not found:
        raise BadConfig("no candle was found: give CSV files with a time and a close, or folders of them")
    first, last = min(found), max(found)
    if last - first > LONGEST_SPAN:
        raise BadConfig(
            f"the candles span {(last - first) // 525_600} years, from {first * MINUTE} to {last * MINUTE} (Unix seconds):"
            " one of the times is wrong"
        )
    digest = hashlib.sha256()
    for minute in sorted(found):
        _refuse_leap(minute, found.get(minute - 1, found[minute]), found[minute])
        digest.update(f"{minute} {found[minute]!r}\n".encode())
    return Candles(
        first_minute=first,
        closes=[found.get(minute, 0.0) for minute in range(first, last + 1)],
        known=len(found),
        digest=digest.hexdigest(),
    )


def _refuse_leap(minute: int, before: float, close: float) -> None:
    if not 1 / HIGHEST_STEP < close / before < HIGHEST_STEP:
        raise BadConfig(
            f"the candles leap from {before:g} to {close:g} at minute {minute * MINUTE}: give candles of one coin, all of"
            " them in dollars"
        )


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.name.endswith(ENDINGS))
            if not inside:
                raise BadConfig(f"{path} holds no file that ends in {' or '.join(ENDINGS)}")
            yield from inside
        else:
            yield path


def _rows(path: Path) -> Iterator[tuple[int, int, float]]:
    """(line, Unix minute, close) of one file."""
    try:
        with _opened(path) as lines:
            rows = csv.reader(lines)
            head = next(rows, list[str]())
            time_at, close_at = _columns(path, head)
            for row in rows:
                if row:
                    yield rows.line_num, *_candle(path, rows.line_num, row, time_at, close_at)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise BadConfig(f"{path} cannot be read: {error}") from error


def _opened(path: Path) -> io.TextIOBase:
    if path.name.endswith(".gz"):
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _columns(path: Path, head: Sequence[str]) -> tuple[int, int]:
    names = [name.strip().lower() for name in head]
    times = [names.index(name) for name in TIME_COLUMNS if name in names]
    if not times or CLOSE_COLUMN not in names:
        raise BadConfig(
            f"{path}, line 1: needs a column {CLOSE_COLUMN!r} and one of {', '.join(TIME_COLUMNS)};"
            f" it has {', '.join(names[:8]) or 'nothing'}"
        )
    return times[0], names.index(CLOSE_COLUMN)


def _candle(path: Path, line: int, row: Sequence[str], time_at: int, close_at: int) -> tuple[int, float]:
    try:
        at, close = float(row[time_at]), float(row[close_at])
    except (ValueError, IndexError) as error:
        raise BadConfig(
            f"{path}, line {line}: {','.join(row)[:80]!r} has no time and close in numbers"
        ) from error
    seconds = at / 1000 if at >= MILLISECONDS_FROM else at
    if not math.isfinite(seconds) or seconds <= 0 or seconds % MINUTE:
        raise BadConfig(
            f"{path}, line {line}: {row[time_at]!r} is not the beginning of a minute in Unix time"
        )
    if not math.isfinite(close) or close <= 0:
        raise BadConfig(f"{path}, line {line}: {row[close_at]!r} is no price")
    return int(seconds) // MINUTE, close
