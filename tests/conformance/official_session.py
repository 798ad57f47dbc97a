"""What every step of the official client's day shares: the client, the market in use, refusals; no step is here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from day import until
from kalshi_python_async import Configuration, KalshiClient
from kalshi_python_async.exceptions import ApiException, BadRequestException, NotFoundException
from money import Span, below, lowest, snap, spans, text, through

CRYPTO_SHARD = 2
SECONDS_TO_TRADE = 30.0
FAIR = (Decimal("0.05"), Decimal("0.95"))
"""Both sides of the market in use lie between these, so that every kind of order finds room."""


@dataclass(slots=True, kw_only=True)
class Session:
    client: KalshiClient
    series: str
    market: Any = None
    grid: list[Span] = field(default_factory=list)
    opening: Decimal = Decimal(0)
    ids: dict[str, str] = field(default_factory=dict)
    """Order ids of earlier steps, by what they are."""

    @property
    def ticker(self) -> str:
        return self.market.ticker

    async def book(self) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
        """Bids and asks in YES prices with their sizes."""
        shown = (await ask(self.client.get_market_orderbook, self.ticker)).orderbook_fp
        bids = {Decimal(price): Decimal(size) for price, size in shown.yes_dollars}
        asks = {1 - Decimal(price): Decimal(size) for price, size in shown.no_dollars}
        return bids, asks

    async def tops(self) -> tuple[Decimal, Decimal]:
        """Best bid and best ask, waiting for a moment that has both."""

        async def both() -> tuple[Decimal, Decimal] | None:
            bids, asks = await self.book()
            return (max(bids), min(asks)) if bids and asks else None

        return await until(both, "a book with both sides")

    async def place(self, side: str, price: Decimal, count: str, **more: Any) -> Any:
        """Good till cancelled unless told otherwise, always with an id of its own."""
        order = {
            "ticker": self.ticker,
            "side": side,
            "price": text(price),
            "count": count,
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "taker_at_cross",
            "client_order_id": str(uuid4()),
            "exchange_index": CRYPTO_SHARD,
        } | more
        return await ask(self.client.create_order_v2, **order)

    async def rest(self, count: str = "3.00", **more: Any) -> Any:
        """A bid at the bottom of the grid, where nobody sells."""
        return await self.place("bid", lowest(self.grid), count, **more)

    async def take(self, side: str, count: str, *, time_in_force: str) -> Any:
        """An order that was filled whole at once; sent anew while the book has less than it wants."""

        async def whole() -> Any:
            bid, offer = await self.tops()
            price = self.through(side, offer if side == "bid" else bid)
            try:
                made = await self.place(side, price, count, time_in_force=time_in_force)
            except BadRequestException as error:
                if "fill_or_kill_insufficient_resting_volume" not in str(error.body):
                    raise
                return None
            return made if Decimal(made.fill_count) == Decimal(count) else None

        return await until(whole, f"{count} contracts to take at once")

    async def order(self, order_id: str) -> Any:
        return (await ask(self.client.get_order, order_id)).order

    async def cancel(self, order_id: str) -> Any:
        return await ask(self.client.cancel_order_v2, order_id, exchange_index=CRYPTO_SHARD)

    async def withdraw(self, order_id: str) -> None:
        """Cancel an order that others may fill; the one who came first is not an error."""
        try:
            await self.cancel(order_id)
        except NotFoundException:
            assert (await self.order(order_id)).status.value == "executed"

    async def free_cash(self) -> Decimal:
        return Decimal((await ask(self.client.get_balance)).balance_dollars)

    def under(self, price: Decimal) -> Decimal:
        return below(self.grid, price)

    def through(self, side: str, best: Decimal) -> Decimal:
        return through(self.grid, side, best)

    def snap(self, price: Decimal) -> Decimal:
        return snap(self.grid, price)


def open_session(credentials: Path, series: str) -> Session:
    told = json.loads((credentials / "credentials.json").read_text())
    configuration = Configuration(host=told["rest_url"])
    configuration.api_key_id = told["key_id"]
    configuration.private_key_pem = Path(told["key_path"]).read_text()
    return Session(client=KalshiClient(configuration), series=series)


async def ask(call: Callable[..., Awaitable[Any]], *arguments: Any, **named: Any) -> Any:
    """Call the client; where the exchange says too many requests, wait as the account's bucket refills."""
    for _ in range(40):
        try:
            return await call(*arguments, **named)
        except ApiException as error:
            if error.status != 429:
                raise
            await asyncio.sleep(0.25)
    raise AssertionError("too many requests for ten seconds")


async def refused(kind: type[ApiException], call: Awaitable[Any]) -> Any:
    """The error object of a call that must be refused with one of the client's own exceptions."""
    error = await caught(call)
    assert type(error) is kind, f"{type(error).__name__} instead of {kind.__name__}: {error.body}"
    body = json.loads(error.body)
    return body.get("error", body)


async def caught(call: Awaitable[Any]) -> ApiException:
    """The exception of a call that must not succeed."""
    try:
        answer = await call
    except ApiException as error:
        return error
    raise AssertionError(f"accepted: {answer}")


async def pages(call: Callable[..., Awaitable[Any]], rows: str, **query: Any) -> AsyncIterator[list[Any]]:
    """Every page of a list, following the cursor to the end."""
    cursor = None
    while True:
        answer = await ask(call, cursor=cursor, **query)
        yield getattr(answer, rows)
        cursor = answer.cursor
        if not cursor:
            return


async def tradable(session: Session) -> Any:
    """An open market with time left and prices away from 0 and 1 on both sides; None while there is none."""
    listed = await ask(session.client.get_markets, status="open", series_ticker=session.series, limit=1000)
    for market in listed.markets:
        left = (market.close_time - datetime.now(UTC)).total_seconds()
        bid, offer = Decimal(market.yes_bid_dollars), Decimal(market.yes_ask_dollars)
        if left > SECONDS_TO_TRADE and FAIR[0] <= bid and offer <= FAIR[1]:
            return market
    return None


async def choose_market(session: Session) -> None:
    session.market = await until(lambda: tradable(session), "a market to trade in", seconds=150.0)
    session.grid = spans((row.start, row.end, row.step) for row in session.market.price_ranges)
