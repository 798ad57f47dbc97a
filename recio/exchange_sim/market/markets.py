"""A window's market and its life by the venue clock: names, times, states; it moves no money and sends nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from recio.exchange_sim.matching.book import Book

SHARD = 2
STRIKE_DELAY_MS = 500
BOOK_CLEAR_DELAY_MS = 200
DETERMINED_DELAY_MS = 1_000
SETTLED_DELAY_MS = 7_000
CREATED_BEFORE_MS = 86_400_000

_NEW_YORK = ZoneInfo("America/New_York")


class Status(StrEnum):
    INITIALIZED = "initialized"
    ACTIVE = "active"
    CLOSED = "closed"
    DETERMINED = "determined"
    FINALIZED = "finalized"


@dataclass(slots=True, eq=False)
class Market:
    """One threshold contract. Strike and settlement value are integer cents of the index."""

    ticker: str
    event_ticker: str
    series: str
    market_id: str
    open_ms: int
    close_ms: int
    created_ms: int
    updated_ms: int
    status: Status = Status.INITIALIZED
    book: Book = field(default_factory=Book)
    strike: int | None = None
    result: str = ""
    value: int | None = None
    determined_ms: int = 0
    settled_ms: int = 0
    cleared: bool = False
    volume: int = 0
    open_interest: int = 0
    last_price: int = 0
    last_size: int = 0
    quotes_changed: bool = False
    holdings: dict[int, int] = field(default_factory=dict[int, int])
    """Signed position of every participant, for the open interest."""

    @property
    def close_second(self) -> int:
        return self.close_ms // 1000


def tickers(series: str, open_ms: int, close_ms: int) -> tuple[str, str]:
    """Event and market ticker: the close in New York time; seconds only where minutes would not be unique."""
    close = datetime.fromtimestamp(close_ms // 1000, UTC).astimezone(_NEW_YORK)
    whole_minutes = close_ms % 60_000 == 0 and (close_ms - open_ms) % 60_000 == 0
    stamp = close.strftime("%y%b%d%H%M" if whole_minutes else "%y%b%d%H%M%S").upper()
    event = f"{series}-{stamp}"
    return event, f"{event}-{stamp[-2:]}"


def new_market(series: str, open_ms: int, window_ms: int, now_ms: int) -> Market:
    close_ms = open_ms + window_ms
    event, ticker = tickers(series, open_ms, close_ms)
    created = min(open_ms - CREATED_BEFORE_MS, now_ms)
    return Market(
        ticker=ticker,
        event_ticker=event,
        series=series,
        market_id=str(uuid5(NAMESPACE_URL, ticker)),
        open_ms=open_ms,
        close_ms=close_ms,
        created_ms=created,
        updated_ms=created,
    )


def record_trade(market: Market, *, price: int, quantity: int, buyer: int, seller: int) -> None:
    """Volume, last price and open interest after a trade."""
    market.volume += quantity
    market.last_price = price
    market.last_size = quantity
    market.quotes_changed = True
    market.open_interest += _moved(market.holdings, buyer, quantity) + _moved(
        market.holdings, seller, -quantity
    )


def _moved(holdings: dict[int, int], owner: int, quantity: int) -> int:
    """Change of the longs' total when this owner's signed position moves."""
    before = holdings.get(owner, 0)
    after = before + quantity
    holdings[owner] = after
    return max(after, 0) - max(before, 0)


def rules_text(market: Market) -> str:
    """The rule as the venue words it; the strike is still to be announced before the window opens."""
    close = datetime.fromtimestamp(market.close_second, UTC).astimezone(_NEW_YORK)
    at = close.strftime("%H:%M" if market.close_ms % 60_000 == 0 else "%H:%M:%S")
    strike = "the target price" if market.strike is None else cents_text(market.strike)
    return (
        f"If the simple average of the sixty seconds of CF Benchmarks' Bitcoin Real-Time Index (BRTI) before "
        f"{at} ET is at least {strike}, then the market resolves to Yes."
    )


def cents_text(cents: int) -> str:
    """8395599 -> '83955.99'."""
    return f"{cents // 100}.{cents % 100:02d}"
