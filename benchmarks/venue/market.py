"""The markets of the stand-in: one that is traded, the rest of its ladder around it, and their books; it sends nothing.

On the traded market nothing is worth buying or selling until a scene makes it so. On every other one nothing ever is.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

SERIES = "KXBTCD"
STRIKE = 84_000
STEP = 250
LASTS = timedelta(minutes=25)
"""From the start to the close: longer than any measurement takes."""
TOP = "0.3000"
"""The best bid of both sides of the traded market, so that either side costs 70 cents."""
SIZE = 50_000
"""Hundredths of a contract on every level of the first snapshot."""
GRID = (("0.0000", "0.1000", "0.0010"), ("0.1000", "0.9000", "0.0100"), ("0.9000", "1.0000", "0.0010"))

Side = str
"""yes or no."""


@dataclass(slots=True)
class BookOfMarket:
    ticker: str
    strike: int
    levels: dict[Side, dict[str, int]]
    """Hundredths of a contract by price, in each side's own terms."""
    given: list[tuple[Side, str, int]] = field(default_factory=list[tuple[Side, str, int]])
    """What background changes have added, to be taken away again."""

    def change(self, side: Side, price: str, amount: int) -> None:
        left = self.levels[side].get(price, 0) + amount
        self.levels[side].pop(price, None)
        if left > 0:
            self.levels[side][price] = left

    def snapshot(self) -> dict[str, object]:
        sides = {
            f"{side}_dollars_fp": [[in_yes_terms(side, price), fixed(size)] for price, size in levels.items()]
            for side, levels in self.levels.items()
        }
        return {"market_ticker": self.ticker, **sides}

    def read(self) -> dict[str, object]:
        """As REST tells it: each side's bids in its own terms."""
        sides = {
            f"{side}_dollars": [[price, fixed(size)] for price, size in sorted(levels.items())]
            for side, levels in self.levels.items()
        }
        return {"ticker": self.ticker, "orderbook_fp": sides}


def in_yes_terms(side: Side, price: str) -> str:
    """As the daemon asks for it with use_yes_price."""
    return price if side == "yes" else f"{1 - Decimal(price):.4f}"


def fixed(hundredths: int) -> str:
    sign = "-" if hundredths < 0 else ""
    return f"{sign}{abs(hundredths) // 100}.{abs(hundredths) % 100:02d}"


class Ladder:
    """All markets. The first in `books` is the traded one."""

    def __init__(self, strikes: int) -> None:
        self.opened = datetime.now(UTC).replace(second=0, microsecond=0)
        self.closes = self.opened + LASTS
        local = self.closes.astimezone(ZoneInfo("America/New_York"))
        self.event = f"{SERIES}-{local:%y%b%d%H%M}".upper()
        self._when = f"{local.hour % 12 or 12}:{local:%M %p} ET"
        self._date = f"{local:%b} {local.day}, {local.year}"
        offsets = sorted(range(-(strikes // 2), strikes - strikes // 2), key=abs)
        self.books = [self._book(STRIKE + STEP * each) for each in offsets]
        self._dice = random.Random(1)

    def _book(self, strike: int) -> BookOfMarket:
        if strike == STRIKE:
            prices = [TOP, *(f"{cent / 100:.4f}" for cent in range(1, 21))]
        else:
            prices = [f"{mill / 1000:.4f}" for mill in range(1, 11)]
        levels: dict[Side, dict[str, int]] = {side: dict.fromkeys(prices, SIZE) for side in ("yes", "no")}
        return BookOfMarket(ticker=f"{self.event}-T{strike}", strike=strike, levels=levels)

    @property
    def traded(self) -> BookOfMarket:
        return self.books[0]

    def background(self) -> tuple[BookOfMarket, Side, str, int]:
        """A change far below the best price: something is laid there, and taken away again by the next on that market."""
        book = self._dice.choice(self.books)
        if book.given:
            side, price, amount = book.given.pop()
            return book, side, price, -amount
        side, price, amount = self._deep(book)
        book.given.append((side, price, amount))
        return book, side, price, amount

    def there_and_back(self, changes: int) -> list[bytes]:
        """Bodies of so many changes that lay something, and of as many that take it away: in all, nothing."""
        laid = [(book, *self._deep(book)) for book in self._dice.choices(self.books, k=changes)]
        return [
            delta_body(book, side, price, sign * amount)
            for sign in (1, -1)
            for book, side, price, amount in laid
        ]

    def _deep(self, book: BookOfMarket) -> tuple[Side, str, int]:
        side = self._dice.choice(("yes", "no"))
        price = self._dice.choice([each for each in book.levels[side] if each < "0.1500"])
        return side, price, self._dice.choice((5_000, 725, 100))

    def listed(self) -> list[dict[str, object]]:
        return [self._listed(each) for each in self.books]

    def _listed(self, book: BookOfMarket) -> dict[str, object]:
        index = "CF Benchmarks' Bitcoin Real-Time Index (BRTI)"
        return {
            "ticker": book.ticker,
            "event_ticker": self.event,
            "open_time": stamp(self.opened),
            "close_time": stamp(self.closes),
            "status": "active",
            "strike_type": "greater",
            "floor_strike": book.strike,
            "exchange_index": 0,
            "price_ranges": [{"start": low, "end": high, "step": step} for low, high, step in GRID],
            "rules_primary": f"If the simple average of the sixty seconds of {index} before {self._when}"
            f" is above {book.strike:,} at {self._when} on {self._date}, then the market resolves to Yes.",
            "rules_secondary": "",
        }


def stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def delta_frame(book: BookOfMarket, side: Side, price: str, amount: int, sid: int, seq: int) -> bytes:
    return numbered(delta_body(book, side, price, amount), sid, seq)


def delta_body(book: BookOfMarket, side: Side, price: str, amount: int) -> bytes:
    body = {
        "market_ticker": book.ticker,
        "price_dollars": in_yes_terms(side, price),
        "delta_fp": fixed(amount),
        "side": side,
        "ts_ms": int(time.time() * 1000),
    }
    return json.dumps(body).encode()


def numbered(body: bytes, sid: int, seq: int) -> bytes:
    return b'{"type": "orderbook_delta", "sid": %d, "seq": %d, "msg": %b}' % (sid, seq, body)
