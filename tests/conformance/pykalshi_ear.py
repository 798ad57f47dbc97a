"""Listens to pykalshi's feed: keeps what was heard, rebuilds the book with the client's own tool, waits; it asserts nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pykalshi.afeed import AsyncFeed
from pykalshi.feed import OrderbookDeltaMessage, OrderbookSnapshotMessage
from pykalshi.orderbook import OrderbookManager

Sides = tuple[frozenset[tuple[Decimal, Decimal]], frozenset[tuple[Decimal, Decimal]]]


@dataclass(slots=True, kw_only=True)
class Ear:
    feed: AsyncFeed
    heard: list[Any] = field(default_factory=list)
    books: dict[str, OrderbookManager] = field(default_factory=dict)
    states: list[Sides] = field(default_factory=list)
    """Every state of the followed book since `follow` was called."""
    following: str = ""
    complaints: list[str] = field(default_factory=list)
    """What the client itself logged as wrong: a frame its model refused, a lost connection."""
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def listen(self) -> None:
        """Take in every message until cancelled."""
        watch_log(self.complaints)
        async for message in self.feed:
            self.heard.append(message)
            self._keep_book(message)
            async with self.news:
                self.news.notify_all()

    def _keep_book(self, message: Any) -> None:
        if isinstance(message, OrderbookSnapshotMessage):
            book = self.books.setdefault(message.market_ticker, OrderbookManager(message.market_ticker))
            book.apply_snapshot(message.yes_dollars, message.no_dollars)
        elif isinstance(message, OrderbookDeltaMessage):
            book = self.books[message.market_ticker]
            book.apply_delta(message.side, message.price_dollars, message.delta_fp)
        else:
            return
        if message.market_ticker == self.following:
            self.states.append(sides(book.yes, book.no))

    def follow(self, ticker: str) -> None:
        """Remember every state of this book from now on."""
        self.following = ticker
        book = self.books[ticker]
        self.states = [sides(book.yes, book.no)]

    async def wait(self, wanted: Callable[[Any], bool], what: str, *, seconds: float = 15.0) -> Any:
        """The first message heard that is wanted, past ones included."""
        looked = 0
        try:
            async with asyncio.timeout(seconds), self.news:
                while True:
                    for message in self.heard[looked:]:
                        if wanted(message):
                            return message
                    looked = len(self.heard)
                    await self.news.wait()
        except TimeoutError:
            raise AssertionError(f"not heard within {seconds:.0f} s: {what}") from None

    async def wait_for_change(self, *, seconds: float = 10.0) -> None:
        """Return once the followed book has moved on."""
        known = len(self.states)
        async with asyncio.timeout(seconds), self.news:
            while len(self.states) == known:
                await self.news.wait()

    async def wait_for_state(self, state: Sides, *, seconds: float = 5.0) -> None:
        """Return once the followed book is, or was, exactly this."""
        async with asyncio.timeout(seconds), self.news:
            while state not in self.states:
                await self.news.wait()


def sides(yes: dict[str, str], no: dict[str, str]) -> Sides:
    return levels(yes.items()), levels(no.items())


def levels(rows: Any) -> frozenset[tuple[Decimal, Decimal]]:
    return frozenset((Decimal(price), Decimal(size)) for price, size in rows)


def watch_log(complaints: list[str]) -> None:
    """Collect the feed's own warnings."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            complaints.append(record.getMessage())

    for name in ("pykalshi.feed", "pykalshi.afeed"):
        logging.getLogger(name).addHandler(Collector(logging.WARNING))
