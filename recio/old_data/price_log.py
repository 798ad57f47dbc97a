"""Old prices of one second each into lines of PostgreSQL's COPY, every second once; it holds no prices in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from recio.old_data import values

HOUR = 3600
LINES = 20_000


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
        """(rows read, newest time as written)."""
        counted, newest = 0, ""
        lines: list[str] = []
        with self.path.open("a", encoding="ascii", buffering=1 << 20) as file:
            for row in rows:
                counted += 1
                text = row[time_at]
                line = self._line(symbol, text, row[price_at])
                if isinstance(text, str) and text > newest:
                    newest = text
                if line:
                    lines.append(line)
                    if len(lines) == LINES:
                        file.writelines(lines)
                        lines.clear()
            file.writelines(lines)
        return counted, newest or None

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

    def _line(self, symbol: str, text: object, at: object) -> str | None:
        """None: the second was there before, or the row says nothing."""
        if not isinstance(text, str) or len(text) != 19:
            return self._slow(symbol, text, at)
        hour = text[:13]
        known = self._hours.get(hour, ())
        if known == ():
            known = self._hours[hour] = _hour_of(hour)
        if not known:
            return None
        begins, doubtful = known
        try:
            second = int(text[14:16]) * 60 + int(text[17:19])
        except ValueError:
            return None
        return self._new(symbol, begins, second, at, doubtful)

    def _slow(self, symbol: str, text: object, at: object) -> str | None:
        found = values.moment(text)
        if found is None:
            return None
        second = int(found.at.timestamp())
        return self._new(symbol, second - second % HOUR, second % HOUR, at, found.doubtful)

    def _new(self, symbol: str, begins: int, second: int, at: object, doubtful: bool) -> str | None:
        seen = self._seen.get((symbol, begins))
        if seen is None:
            seen = self._seen[symbol, begins] = bytearray(HOUR)
        price = _price_text(at)
        if price is None or not 0 <= second < HOUR or seen[second]:
            return None
        seen[second] = 1
        self.count += 1
        return f"{symbol}\t{begins + second}\t{price}\t{'t' if doubtful else 'f'}\n"


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
