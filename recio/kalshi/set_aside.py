"""Reads the rows of a list one by one: one that cannot be read is set aside, counted and told once, and hides no other.

It never completes a row and never guesses what one says; only the names in it are looked at, to know whom it may concern.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
import structlog

from recio.errors import Transient
from recio.kalshi.names import LONGEST_NAME, insist_on_writable
from recio.kalshi.responses import MOST_SAID, NOT_DECODABLE
from recio.texts import writable
from recio.units import ClientOrderId, Ticker, UnitError

B = TypeVar("B")
T = TypeVar("T")
log: structlog.stdlib.BoundLogger = structlog.get_logger()
REMEMBERED = 1_000
"""Rows that are not told again."""
UNREADABLE = (*NOT_DECODABLE, UnitError, Transient)


class _Names(msgspec.Struct):
    ticker: object = None
    client_order_id: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAsideRow:
    """What a row names; None where it does not say."""

    ticker: Ticker | None
    client_order_id: ClientOrderId | None
    is_object: bool
    """Otherwise it may concern anything."""


@dataclass(slots=True)
class SetAside:
    """The rows of each list that its last read could not make out, and how many there were since the start."""

    by_list: dict[str, tuple[SetAsideRow, ...]] = field(default_factory=dict[str, tuple[SetAsideRow, ...]])
    seen: dict[tuple[str, int], None] = field(default_factory=dict[tuple[str, int], None])

    def readable(
        self, what: str, rows: Iterable[msgspec.Raw], kind: type[B], turn: Callable[[B], T]
    ) -> list[T]:
        """Every row that could be read, in order."""
        found: list[T] = []
        aside: list[SetAsideRow] = []
        for raw in rows:
            try:
                body = msgspec.json.decode(raw, type=kind)
                insist_on_writable(body)
                found.append(turn(body))
            except UNREADABLE as error:
                aside.append(self._note(what, raw, error))
        self.by_list[what] = tuple(aside)
        return found

    def refuse(self, what: str, ticker: Ticker, why: str) -> None:
        """What the last read of a list says of a market cannot be used, though each of its rows could be read."""
        row = SetAsideRow(ticker=ticker, client_order_id=None, is_object=True)
        self.by_list[what] = (*self.by_list.get(what, ()), row)
        self._tell((what, zlib.crc32(f"{ticker}: {why}".encode())), ticker, why)

    def _note(self, what: str, raw: msgspec.Raw, error: Exception) -> SetAsideRow:
        body = bytes(raw)
        names = _named(body)
        self._tell((what, zlib.crc32(body)), names.ticker, str(error)[:MOST_SAID])
        return names

    def _tell(self, key: tuple[str, int], ticker: Ticker | None, why: str) -> None:
        if key not in self.seen:
            log.warning("row set aside", rows=key[0], ticker=ticker, why=why)
            self.seen[key] = None
            if len(self.seen) > REMEMBERED:
                del self.seen[next(iter(self.seen))]

    @property
    def count(self) -> int:
        """How many different rows were set aside, as far as they are remembered."""
        return len(self.seen)

    def hides(self, what: str) -> bool:
        """Whether the last read of a list could not make out all of its rows."""
        return bool(self.by_list.get(what))

    def may_name(self, what: str, client_order_id: ClientOrderId) -> bool:
        """Whether a row that was set aside may be about this order; ours always name themselves."""
        rows = self.by_list.get(what, ())
        return any(not each.is_object or each.client_order_id == client_order_id for each in rows)

    def tickers(self, what: str) -> frozenset[Ticker] | None:
        """The markets of the rows that were set aside; None where one may be about any market."""
        if any(each.ticker is None for each in self.by_list.get(what, ())):
            return None
        return self.named(what)

    def named(self, what: str) -> frozenset[Ticker]:
        """The markets that rows which were set aside name, whatever other rows do not say."""
        return frozenset(each.ticker for each in self.by_list.get(what, ()) if each.ticker is not None)


def _named(body: bytes) -> SetAsideRow:
    try:
        names = msgspec.json.decode(body, type=_Names)
    except NOT_DECODABLE:
        return SetAsideRow(ticker=None, client_order_id=None, is_object=False)
    return SetAsideRow(
        ticker=Ticker(_shown(names.ticker)) if isinstance(names.ticker, str) else None,
        client_order_id=ClientOrderId(_shown(names.client_order_id))
        if isinstance(names.client_order_id, str)
        else None,
        is_object=True,
    )


def _shown(name: str) -> str:
    """As a row can hold it: where it has to be changed it is the name of nothing of ours, before and after."""
    return writable(name[: LONGEST_NAME + 1])
