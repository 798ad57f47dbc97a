"""Old prices of one second each into lines of PostgreSQL's COPY, every second once; it holds no prices in memory."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from recio.old_data import values

HOUR = 3600
LINES = 20_000


SECONDS = {f"{each // 60:02}:{each % 60:02}": each for each in range(HOUR)}
"""Of an hour, by how it is written."""


@dataclass(slots=True)
class PriceSpool:
    """The lines of this run, in a file, and which seconds they cover."""

    path: Path
    count: int = 0
    _seen: dict[tuple[str, int], bytearray] = field(default_factory=dict[tuple[str, int], bytearray])
    _hours: dict[str, tuple[int, bool] | None] = field(default_factory=dict[str, tuple[int, bool] | None])

    def add(
        self, symbol: str, rows: Iterable[Sequence[object]], time_at: int, price_at: int
    ) -> tuple[int, str | None]:
        """(rows read, newest time as written). This loop sees every second of years: what it does for each is the import's time."""
        counted, newest = 0, ""
        lines: list[str] = []
        hour, begins, seen, end = "", 0, bytearray(), ""
        with self.path.open("a", encoding="ascii", buffering=1 << 20) as file, self._counted(file, lines):
            for row in rows:
                counted += 1
                text, at = row[time_at], row[price_at]
                second = None
                if type(text) is str:
                    if text > newest:
                        newest = text
                    if text[:13] == hour:
                        second = SECONDS.get(text[14:])
                    elif len(text) == 19 and (known := self._hour(text[:13])):
                        hour, (begins, doubtful), second = text[:13], known, SECONDS.get(text[14:])
                        seen, end = self._seen_of(symbol, begins), f"\t{'t' if doubtful else 'f'}\n"
                if second is None:
                    lines += self._slow(symbol, text, at)
                elif not seen[second]:
                    price = _price_text(at)
                    if price is not None:
                        seen[second] = 1
                        lines.append(f"{symbol}\t{begins + second}\t{price}{end}")
                if len(lines) >= LINES:
                    self._write(file, lines)
        return counted, newest or None

    @contextmanager
    def _counted(self, file: TextIO, lines: list[str]) -> Generator[None]:
        """Also where it breaks off all lines are written, so that they can be taken back."""
        try:
            yield
        finally:
            self._write(file, lines)

    def _write(self, file: TextIO, lines: list[str]) -> None:
        file.writelines(lines)
        self.count += len(lines)
        lines.clear()

    def mark(self) -> tuple[int, int]:
        """How far it is, to take back what a source that breaks has given since."""
        return (self.path.stat().st_size if self.path.exists() else 0), self.count

    def back_to(self, mark: tuple[int, int]) -> None:
        size, count = mark
        if self.count == count:
            return
        self.count = count
        if self.path.exists():
            os.truncate(self.path, size)
        self._forget_unwritten()

    def _forget_unwritten(self) -> None:
        """Which seconds are covered, from the lines that stand."""
        self._seen.clear()
        for symbol, second in _seconds(self.path) if self.path.exists() else ():
            self._seen.setdefault((symbol, second - second % HOUR), bytearray(HOUR))[second % HOUR] = 1

    def _hour(self, text: str) -> tuple[int, bool] | None:
        """(where it begins, whether it is doubtful) of a date and an hour as written; None: it is none."""
        if text not in self._hours:
            self._hours[text] = _hour_of(text)
        return self._hours[text]

    def _seen_of(self, symbol: str, begins: int) -> bytearray:
        seen = self._seen.get((symbol, begins))
        if seen is None:
            seen = self._seen[symbol, begins] = bytearray(HOUR)
        return seen

    def _slow(self, symbol: str, text: object, at: object) -> tuple[str, ...]:
        """One line, or none: the second was there before, or the row says nothing."""
        found, price = values.moment(text), _price_text(at)
        if found is None or price is None:
            return ()
        moment = int(found.at.timestamp())
        seen, second = self._seen_of(symbol, moment - moment % HOUR), moment % HOUR
        if seen[second]:
            return ()
        seen[second] = 1
        return (f"{symbol}\t{moment}\t{price}\t{'t' if found.doubtful else 'f'}\n",)


def _seconds(path: Path) -> Iterator[tuple[str, int]]:
    with path.open("rb") as file:
        for line in file:
            symbol, second = line.decode("ascii").split("\t")[:2]
            yield symbol, int(second)


def _hour_of(hour: str) -> tuple[int, bool] | None:
    found = values.moment(f"{hour}:00:00")
    return None if found is None else (int(found.at.timestamp()), found.doubtful)


def _price_text(at: object) -> str | None:
    if type(at) is float and 0.001 < at < 1e9:
        return repr(at)
    text = at if isinstance(at, str) else str(at)
    if text.replace(".", "", 1).isdigit() and text.isascii() and len(text) < 24:
        return text if text.strip("0.") else None
    found = values.number(at)
    return f"{found:f}" if found is not None and found > Decimal(0) else None


def symbol_of(table: str, path: str) -> str:
    """The coin of a price log: its name says so, or the file's; the first versions knew only one."""
    for text in (table, Path(path).name.lower(), path.lower()):
        if "eth" in text:
            return "ETH"
        if "btc" in text:
            return "BTC"
    return "BTC"
