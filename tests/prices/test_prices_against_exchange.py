"""The price feed against the spot feeds of the exchange that runs here, at fifteen times the speed, fault by fault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import aiohttp
import anyio
import asyncpg

from recio.daemon.venue import read_credentials, simulated
from recio.exchange_sim.credentials import Credentials
from recio.exchange_sim.server import ExchangeSettings, serve
from recio.messages.prices import Prices, SourceState
from recio.rules.price.price_sources import apart_bp
from recio.settings.prices import PricesSection, SymbolSection
from recio.tasks.price_feed import PriceFeed
from recio.wires import Wires

SPEED = 15.0
SYMBOLS = {name: SymbolSection(series=(f"KX{name}15M",)).named(name) for name in ("BTC", "ETH")}
GOOD = SourceState.GOOD


@asynccontextmanager
async def exchange(directory: Path) -> AsyncIterator[Credentials]:
    ready: asyncio.Future[Credentials] = asyncio.get_running_loop().create_future()
    settings = ExchangeSettings(
        credentials_dir=directory,
        speed=SPEED,
        align=True,
        quiet_traders=True,
        series=("KXBTC15M", "KXETH15M"),
    )
    task = asyncio.create_task(serve(settings, started=ready.set_result))
    try:
        await asyncio.wait([ready, task], return_when=asyncio.FIRST_COMPLETED, timeout=20)
        yield ready.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    credentials: Credentials
    session: aiohttp.ClientSession
    wires: Wires

    async def arm(self, kind: str, feed: str, **fields: float) -> None:
        url = self.credentials.rest_url.removesuffix("/trade-api/v2") + "/admin/faults"
        asked = {"kind": kind, "ticker": feed, "seconds": 30.0, **fields}
        async with self.session.post(url, json=asked) as answer:
            assert answer.status == 200, await answer.text()

    async def disarm(self) -> None:
        url = self.credentials.rest_url.removesuffix("/trade-api/v2") + "/admin/faults"
        async with self.session.delete(url) as answer:
            assert answer.status == 200, await answer.text()

    async def until(self, holds: Callable[[Prices], bool]) -> Prices:
        version = 0
        with anyio.fail_after(30):
            while True:
                prices = self.wires.prices.get()
                if prices is not None and holds(prices):
                    return prices
                version = await self.wires.prices.newer_than(version)


@asynccontextmanager
async def running(
    directory: Path, pool: asyncpg.Pool[asyncpg.Record], **settings: object
) -> AsyncIterator[Running]:
    wires = Wires()
    async with (
        exchange(directory) as credentials,
        aiohttp.ClientSession() as session,
        anyio.create_task_group() as group,
    ):
        venue = simulated(read_credentials(directory))
        task = PriceFeed(
            session=session,
            pool=pool,
            clock=venue.clock,
            settings=PricesSection.model_validate({"warmup_seconds": 20, **settings}),
            urls=venue.price_urls,
            symbols=SYMBOLS,
            index=wires.index,
            prices=wires.prices,
        )
        group.start_soon(task.run, lambda _sentence: None)
        yield Running(credentials=credentials, session=session, wires=wires)
        group.cancel_scope.cancel()
        wires.close()


def good(prices: Prices) -> bool:
    """Both sources of both coins are believed."""
    return all(
        state(prices, name, source) is GOOD for name in SYMBOLS for source in ("coinbase", "kraken")
    ) and (
        set(prices.by_symbol) == set(SYMBOLS)
        and not any(view.unreliable for view in prices.by_symbol.values())
    )


def state(prices: Prices, symbol: str, source: str) -> SourceState:
    return next(view.state for view in prices.sources[symbol] if view.source == source)


def warm(prices: Prices) -> bool:
    return good(prices) and all(view.volatility is not None for view in prices.by_symbol.values())


async def test_both_feeds_make_prices_of_both_coins_that_stay_current(
    tmp_path: Path, pool: asyncpg.Pool[asyncpg.Record]
):
    async with running(tmp_path, pool) as feed:
        prices = await feed.until(warm)
        clock = simulated(read_credentials(tmp_path)).clock
        for view in prices.by_symbol.values():
            assert (clock.utc() - view.tick.at).total_seconds() < 5 * SPEED
            said = [each.price for each in view.sources if each.price is not None]
            assert min(said) <= view.tick.price <= max(said)
            assert apart_bp(max(said), min(said)) < 20


async def test_a_feed_that_falls_silent_is_replaced_and_comes_back(
    tmp_path: Path, pool: asyncpg.Pool[asyncpg.Record]
):
    async with running(tmp_path, pool, idle_timeout_seconds=1.0) as feed:
        await feed.until(good)
        await feed.arm("feed_dead", "kraken")
        prices = await feed.until(lambda prices: state(prices, "BTC", "kraken") is SourceState.DOWN)
        assert prices.by_symbol["BTC"].unreliable == ""
        assert state(prices, "BTC", "coinbase") is GOOD
        await feed.disarm()
        await feed.until(good)


async def test_a_feed_that_only_beats_while_the_other_moves_is_frozen(
    tmp_path: Path, pool: asyncpg.Pool[asyncpg.Record]
):
    async with running(tmp_path, pool) as feed:
        await feed.until(good)
        await feed.arm("feed_frozen", "kraken")
        prices = await feed.until(lambda prices: state(prices, "BTC", "kraken") is SourceState.FROZEN)
        assert prices.by_symbol["BTC"].tick.source == "coinbase"
        await feed.disarm()
        await feed.until(good)


async def test_a_feed_off_by_one_percent_never_makes_the_price(
    tmp_path: Path, pool: asyncpg.Pool[asyncpg.Record]
):
    async with running(tmp_path, pool) as feed:
        before = (await feed.until(good)).by_symbol["BTC"].tick.price
        await feed.arm("feed_off", "kraken", percent=1.0)
        apart = await feed.until(lambda prices: bool(prices.by_symbol["BTC"].unreliable))
        assert "differ by" in apart.by_symbol["BTC"].unreliable
        prices = await feed.until(lambda prices: state(prices, "BTC", "kraken") is SourceState.OUTLIER)
        view = prices.by_symbol["BTC"]
        assert (view.tick.source, view.unreliable) == ("coinbase", "")
        assert apart_bp(view.tick.price, before) < Decimal(60)
        await feed.disarm()
        await feed.until(good)
