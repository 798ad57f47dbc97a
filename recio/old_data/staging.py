"""Records of all sources outside of memory, in a file that lives as long as the import: what was known, what each source adds, and who wins.

It is sorted by SQLite, which needs no memory for it. It decides nothing that a record does not say, and it is never kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import msgspec

from recio.old_data.compare import Disagreement
from recio.old_data.harvest import clash, is_better
from recio.old_data.rebuild import Part, Records
from recio.old_data.records import Fill, LedgerRow, Order, Record, Settlement

BATCH = 2_000
_TABLES = """
    PRAGMA journal_mode = off;
    PRAGMA synchronous = off;
    PRAGMA temp_store = file;
    CREATE TABLE told (n INTEGER PRIMARY KEY, kind INTEGER, user TEXT, known INTEGER, key TEXT, ticker TEXT, body BLOB,
        rounded INTEGER DEFAULT 0);
    CREATE TABLE won (kind INTEGER, ticker TEXT, key TEXT, fresh INTEGER, hidden INTEGER, body BLOB);
    CREATE TABLE parts (ticker TEXT, number INTEGER, fill_id TEXT, body BLOB);
    BEGIN;
"""
_ADD = "INSERT INTO told (kind, user, known, key, ticker, body) VALUES (?, ?, ?, ?, ?, ?)"
_WIN = "INSERT INTO won VALUES (?, ?, ?, ?, ?, ?)"
_ALL = """
    SELECT kind, key, ticker, known, rounded, body FROM told WHERE kind < ? AND (known OR user IN ('', ?))
    ORDER BY kind, key, known DESC, n
"""
_BAD = "SELECT body FROM told WHERE kind = ? AND user IN ('', ?) ORDER BY n"
_TOUCHED = "SELECT DISTINCT ticker FROM told WHERE kind < ? AND NOT known AND user IN ('', ?)"
_KEYS = "SELECT kind, key FROM told WHERE kind < ? AND NOT known AND user IN ('', ?)"
_PART = "INSERT INTO parts VALUES (?, ?, ?, ?)"
_OF_THE_VENUE = "SELECT DISTINCT ticker FROM told WHERE kind < ? AND (known OR user IN ('', ?))"
_BY_TICKER = "SELECT ticker, kind, body FROM won WHERE NOT hidden ORDER BY ticker, kind, key"
_encode = msgspec.msgpack.Encoder().encode


class Shelf(IntEnum):
    """Kinds of records. Those of the venue come first."""

    FILLS = 0
    ORDERS = 1
    SETTLEMENTS = 2
    LEDGER = 3
    BAD = 4
    LASTING = 5
    """Disagreements that are kept because no trade tells them."""


SHELVES: dict[type[Record], Shelf] = {
    Fill: Shelf.FILLS,
    Order: Shelf.ORDERS,
    Settlement: Shelf.SETTLEMENTS,
    LedgerRow: Shelf.LEDGER,
}
_DECODE = {shelf: msgspec.msgpack.Decoder(kind).decode for kind, shelf in SHELVES.items()}
_decode_bad = msgspec.msgpack.Decoder(Disagreement).decode
_decode_part = msgspec.msgpack.Decoder(Part).decode


def key_of(record: Record) -> str:
    """What makes it the same thing in two sources."""
    match record:
        case Fill():
            return record.fill_id
        case Order():
            return record.order_id
        case Settlement():
            return f"{record.ticker}|{record.settled_at.isoformat()}"
        case LedgerRow():
            return record.key


@dataclass(slots=True)
class Staging:
    path: Path
    counts: dict[Shelf, int] = field(default_factory=dict[Shelf, int])
    """How many of each there are in all, once it was decided."""
    _waiting: list[tuple[int, str, int, str, str, bytes]] = field(
        default_factory=list[tuple[int, str, int, str, str, bytes]]
    )
    _opened: sqlite3.Connection | None = None

    @property
    def _file(self) -> sqlite3.Connection:
        if self._opened is None:
            # One thread at a time: who reads has ended before anybody decides.
            self._opened = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            self._opened.executescript(_TABLES)
        return self._opened

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def add(self, user: str, record: Record) -> None:
        """Of a source."""
        self._keep(SHELVES[type(record)], user, 0, key_of(record), record.ticker, _encode(record))

    def add_bad(self, user: str, told: Disagreement) -> None:
        """A row that could not be read."""
        self._keep(Shelf.BAD, user, 0, "", told.ticker, _encode(told))

    def add_lasting(self, told: Disagreement) -> None:
        """One that no trade tells, or that is seen only while both records are read."""
        self._keep(Shelf.LASTING, "", 0, "", told.ticker, _encode(told))

    def add_known(self, record: Record) -> None:
        """Of an earlier import."""
        self._keep(SHELVES[type(record)], "", 1, key_of(record), record.ticker, _encode(record))

    def _keep(self, shelf: Shelf, user: str, known: int, key: str, ticker: str, body: bytes) -> None:
        self._waiting.append((int(shelf), user, known, key, ticker, body))
        if len(self._waiting) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._file.executemany(_ADD, self._waiting)
            self._waiting.clear()

    def mark(self) -> int:
        """How far it is, to take back what a source that breaks has given since."""
        self._flush()
        return self._file.execute("SELECT coalesce(max(n), 0) FROM told").fetchone()[0]

    def back_to(self, mark: int) -> None:
        self._flush()
        self._file.execute("DELETE FROM told WHERE n > ?", (mark,))

    def mark_rounded(self, since: int, user: str) -> None:
        """Ledger rows that came since: their figures were rounded on some way here."""
        self._flush()
        self._file.execute(
            "UPDATE told SET rounded = 1 WHERE n > ? AND kind = ? AND user = ?", (since, Shelf.LEDGER, user)
        )

    def touched(self, user: str, elsewhere: Collection[str]) -> Iterator[str]:
        """Tickers of which anything came, or that the other account mode traded, each once."""
        self._flush()
        yield from elsewhere
        for (ticker,) in self._file.execute(_TOUCHED, (Shelf.BAD, user)):
            if ticker not in elsewhere:
                yield ticker

    def keys(self, user: str) -> Iterator[tuple[int, str]]:
        """(shelf, key) of all that came."""
        self._flush()
        yield from self._file.execute(_KEYS, (Shelf.LEDGER, user))

    def decide(self, user: str, elsewhere: Collection[str]) -> None:
        """Of all that tell of one thing the best stands: of this user, and of no ticker that only the other account mode traded."""
        self._flush()
        hidden = self._hidden(set(elsewhere), user)
        self.counts = dict.fromkeys(SHELVES.values(), 0)
        won: list[tuple[int, str, str, int, int, bytes]] = []
        rows = self._file.execute(_ALL, (Shelf.BAD, user))
        for (kind, key), same in groupby(rows, itemgetter(0, 1)):
            shelf = Shelf(kind)
            ticker, is_fresh, body = self._best(shelf, list(same))
            is_hidden = shelf is Shelf.LEDGER and ticker in hidden
            self.counts[shelf] += not is_hidden
            won.append((kind, ticker, key, is_fresh, is_hidden, body))
            if len(won) >= BATCH:
                self._file.executemany(_WIN, won)
                won.clear()
        self._file.executemany(_WIN, won)

    def _hidden(self, elsewhere: set[str], user: str) -> set[str]:
        """Those without a record of the venue."""
        if elsewhere:
            for (ticker,) in self._file.execute(_OF_THE_VENUE, (Shelf.LEDGER, user)):
                elsewhere.discard(ticker)
        return elsewhere

    def _best(
        self, shelf: Shelf, same: list[tuple[int, str, str, int, int, bytes]]
    ) -> tuple[str, bool, bytes]:
        """(ticker, whether it is new or better than what was known, the record)."""
        _, _, ticker, known, rounded, body = same[0]
        if not rounded and all(each[5] == body and not each[4] for each in same):
            return ticker, not known, body
        records = [self._record(shelf, each[5], rounded=bool(each[4])) for each in same]
        best = records[0]
        for each in records[1:]:
            if is_better(each, best):
                best = each
            elif told := clash(each, best):
                self.add_lasting(told)
        is_fresh = not known or best != records[0]
        return best.ticker, is_fresh, _encode(best)

    def _record(self, shelf: Shelf, body: bytes, *, rounded: bool) -> Record:
        found = _DECODE[shelf](body)
        return replace(found, whole=False) if rounded and isinstance(found, LedgerRow) else found

    def fresh(self, shelf: Shelf) -> Iterator[Record]:
        """Those that are new or better than what was known."""
        decode = _DECODE[shelf]
        for (body,) in self._file.execute("SELECT body FROM won WHERE kind = ? AND fresh", (shelf,)):
            yield decode(body)

    def bad(self, user: str) -> Iterator[Disagreement]:
        """Rows that could not be read."""
        return self._disagreements(Shelf.BAD, user)

    def lasting(self) -> Iterator[Disagreement]:
        return self._disagreements(Shelf.LASTING, "")

    def _disagreements(self, shelf: Shelf, user: str) -> Iterator[Disagreement]:
        self._flush()
        for (body,) in self._file.execute(_BAD, (shelf, user)):
            yield _decode_bad(body)

    def add_parts(self, ticker: str, number: int, parts: Iterable[Part]) -> None:
        """Which fills a trade is of."""
        self._file.executemany(_PART, [(ticker, number, each.fill_id, _encode(each)) for each in parts])

    def parts(self) -> Iterator[tuple[str, int, Part]]:
        for ticker, number, body in self._file.execute("SELECT ticker, number, body FROM parts"):
            yield ticker, number, _decode_part(body)

    def by_ticker(self) -> Iterator[Records]:
        """Once it was decided."""
        rows = self._file.execute(_BY_TICKER)
        for ticker, told in groupby(rows, itemgetter(0)):
            yield _sorted_out(ticker, ((Shelf(kind), body) for _, kind, body in told))


def _sorted_out(ticker: str, told: Iterator[tuple[Shelf, bytes]]) -> Records:
    found = Records(ticker)
    for shelf, body in told:
        match _DECODE[shelf](body):
            case Fill() as each:
                found.fills.append(each)
            case Order() as each:
                found.orders.append(each)
            case Settlement() as each:
                found.settlements.append(each)
            case LedgerRow() as each:
                found.ledger.append(each)
    return found
