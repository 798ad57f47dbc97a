"""What every step of pykalshi's day shares: the client, its feed, the market in use, refusals; no step is here."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from day import until
from money import Span, below, lowest, snap, spans, text, through
from pykalshi import AsyncKalshiClient
from pykalshi.enums import MarketStatus, OrderStatus, TimeInForce
from pykalshi.exceptions import KalshiAPIError, ResourceNotFoundError
from pykalshi_ear import Ear

CRYPTO_SHARD = 2
SECONDS_TO_TRADE = 30.0
FAIR = (Decimal("0.05"), Decimal("0.95"))
"""Both sides of the market in use lie between these, so that every kind of order finds room."""


@dataclass(slots=True, kw_only=True)
class Session:
    client: AsyncKalshiClient
    ear: Ear
    series: str
    market: Any = None
    grid: list[Span] = field(default_factory=list)
    opening: Decimal = Decimal(0)
    listening: Any = None
    """The task that hears the feed."""
    orders: dict[str, Any] = field(default_factory=dict)
    """Orders of earlier steps, by what they are."""

    @property
    def ticker(self) -> str:
        return self.market.ticker

    @property
    def portfolio(self) -> Any:
        return self.client.portfolio

    async def tops(self) -> tuple[Decimal, Decimal]:
        """Best bid and best ask, waiting for a moment that has both."""

        async def both() -> tuple[Decimal, Decimal] | None:
            book = await self.market.get_orderbook()
            if book.best_yes_bid is None or book.best_yes_ask is None:
                return None
            return Decimal(book.best_yes_bid), Decimal(book.best_yes_ask)

        return await until(both, "a book with both sides")

    async def place(self, side: str, price: Decimal, count: str, **more: Any) -> Any:
        options = {"client_order_id": str(uuid4())} | more
        return await self.portfolio.place_order(
            self.ticker, book_side=side, price_dollars=text(price), count_fp=count, **options
        )

    async def rest(self, count: str = "3.00", **more: Any) -> Any:
        """A bid at the bottom of the grid, where nobody sells."""
        return await self.place("bid", lowest(self.grid), count, **more)

    async def take(self, side: str, count: str, *, time_in_force: TimeInForce) -> Any:
        """An order that was filled whole at once; sent anew while the book has less than it wants."""

        async def whole() -> Any:
            bid, offer = await self.tops()
            price = self.through(side, offer if side == "bid" else bid)
            try:
                made = await self.place(side, price, count, time_in_force=time_in_force)
            except KalshiAPIError as error:
                if error.error_code != "fill_or_kill_insufficient_resting_volume":
                    raise
                return None
            return made if Decimal(made.fill_count_fp) == Decimal(count) else None

        return await until(whole, f"{count} contracts to take at once")

    async def withdraw(self, order: Any) -> None:
        """Cancel an order that others may fill; the one who came first is not an error."""
        try:
            await order.cancel()
        except ResourceNotFoundError:
            await order.refresh()
            assert order.status is OrderStatus.EXECUTED

    async def free_cash(self) -> Decimal:
        # The client's balance model shows whole cents only.
        return Decimal((await self.client.get("/portfolio/balance"))["balance_dollars"])

    def under(self, price: Decimal) -> Decimal:
        return below(self.grid, price)

    def through(self, side: str, best: Decimal) -> Decimal:
        return through(self.grid, side, best)

    def snap(self, price: Decimal) -> Decimal:
        return snap(self.grid, price)


def open_session(credentials: Path, series: str) -> Session:
    told = json.loads((credentials / "credentials.json").read_text())
    client = AsyncKalshiClient(
        api_key_id=told["key_id"], private_key_path=told["key_path"], api_base=told["rest_url"]
    )
    feed = client.feed()
    feed._ws_url = told["ws_url"]  # the only door this client has to another host
    return Session(client=client, ear=Ear(feed=feed), series=series)


async def refused(kind: type[KalshiAPIError], status: int, code: str | None, call: Awaitable[Any]) -> Any:
    """The client's own exception of a call that must be refused with this status and code."""
    error = await caught(call)
    assert type(error) is kind, f"{type(error).__name__} instead of {kind.__name__}: {error}"
    assert (error.status_code, error.error_code) == (status, code), error
    return error


async def caught(call: Awaitable[Any]) -> KalshiAPIError:
    """The exception of a call that must not succeed."""
    try:
        answer = await call
    except KalshiAPIError as error:
        return error
    raise AssertionError(f"accepted: {answer}")


async def tradable(session: Session) -> Any:
    """An open market with time left and prices away from 0 and 1 on both sides; None while there is none."""
    listed = await session.client.get_markets(
        status=MarketStatus.OPEN, series_ticker=session.series, limit=1000
    )
    for market in listed:
        left = (moment(market.close_time) - datetime.now(UTC)).total_seconds()
        bid, offer = Decimal(market.yes_bid_dollars), Decimal(market.yes_ask_dollars)
        if left > SECONDS_TO_TRADE and FAIR[0] <= bid and offer <= FAIR[1]:
            return market
    return None


async def choose_market(session: Session) -> None:
    session.market = await until(lambda: tradable(session), "a market to trade in", seconds=150.0)
    raw = (await session.client.get(f"/markets/{session.ticker}"))["market"]
    session.grid = spans((row["start"], row["end"], row["step"]) for row in raw["price_ranges"])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
