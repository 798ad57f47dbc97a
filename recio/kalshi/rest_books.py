"""Reads books over REST, to hold those of the socket against; it keeps none of them and trades on none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

import anyio
import msgspec

from recio import units
from recio.kalshi.answers import Round
from recio.kalshi.commands import chunks
from recio.kalshi.responses import NOT_DECODABLE
from recio.kalshi.rest import KalshiRest
from recio.messages.markets import RestBook
from recio.units import Price, Quantity, Ticker

TICKERS_PER_READ = 100
BURST = 0.05
"""Host seconds in which several markets that want to be compared are read together."""
LONGEST_WAIT = 15.0
"""Host seconds between two reads of what is wanted for long."""
NOT_A_BOOK = (*NOT_DECODABLE, units.UnitError)
Rows = list[tuple[str, str]] | None


class _Sides(msgspec.Struct):
    yes_dollars: Rows = None
    no_dollars: Rows = None


class _Book(msgspec.Struct):
    ticker: str
    orderbook_fp: _Sides


class _Books(msgspec.Struct):
    orderbooks: list[msgspec.Raw]


async def read_books(rest: KalshiRest, tickers: Iterable[Ticker]) -> dict[Ticker, RestBook]:
    """The books of these markets, each side's bids in its own terms. One that is strange is left out, as if it had not been read.

    Raises Transient for what a cache had kept: it would differ from a book of now, or look like its mirror.
    """
    found: dict[Ticker, RestBook] = {}
    for chunk in chunks(tickers, TICKERS_PER_READ):
        said = await rest.fresh_read("/markets/orderbooks", _Books, [("tickers", each) for each in chunk])
        found |= dict(book for raw in said.orderbooks if (book := _understood(raw)) is not None)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class BookReads:
    """Reads what is wanted, again and again as long as it is wanted; a read that fails is told once and made again later."""

    rest: KalshiRest
    wanted: Callable[[], frozenset[Ticker] | None]
    changes: Callable[[], int]
    """Grows with each change of what is wanted."""
    newer_than: Callable[[int], Awaitable[int]]
    tell: Callable[[Mapping[Ticker, RestBook]], None]

    async def keep(self) -> NoReturn:
        tried, reads = 0, Round("books to compare")
        while True:
            seen, wanted = self.changes(), self.wanted()
            if wanted:
                found = await reads.ask(read_books(self.rest, wanted))
                reads.end()
                tried += 1
                if found is not None:
                    self.tell(found)
            wait = min(LONGEST_WAIT, BURST * 2.0 ** min(tried, 10))
            with anyio.move_on_after(wait if wanted else None):
                await self.newer_than(seen)
                tried = 0
            await anyio.sleep(BURST)


def _understood(raw: msgspec.Raw) -> tuple[Ticker, RestBook] | None:
    try:
        body = msgspec.json.decode(raw, type=_Book)
        sides = body.orderbook_fp
        return Ticker(body.ticker), RestBook(yes=_levels(sides.yes_dollars), no=_levels(sides.no_dollars))
    except NOT_A_BOOK:
        return None


def _levels(rows: Rows) -> dict[Price, Quantity]:
    return {units.price(price): units.quantity(quantity) for price, quantity in rows or ()}
