"""price_feed against real local sources: one that fails takes nothing with it, and the index comes first."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

import aiohttp
import anyio
import asyncpg
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from recio.clock import Clock
from recio.db import market_data
from recio.messages.prices import IndexHistory, IndexValue, Prices, PriceView, SourceState
from recio.settings.prices import PricesSection, SymbolSection
from recio.tasks import price_feed
from recio.tasks.price_feed import PriceFeed
from recio.wires import Wires
from tests.kalshi.local_venue import local_venue
from tests.prices.test_kraken_feed import body, checksum

SYMBOLS = {"BTC": SymbolSection(series=("KXBTC15M",)).named("BTC")}
SIZE = "1.00000000"


def fast(speed: float = 60) -> Clock:
    return Clock(speed=speed, host_origin=time.time(), venue_origin=time.time())


@dataclass(slots=True)
class TwoSources:
    """Coinbase and Kraken on one local server; each test says what they send."""

    coinbase: Decimal = Decimal("84000.00")
    kraken: Decimal | None = Decimal("84002.0")
    clock: Clock = field(default_factory=Clock)
    trade_id: int = 0
    sockets: dict[str, web.WebSocketResponse] = field(default_factory=dict[str, web.WebSocketResponse])
    connections: list[str] = field(default_factory=list[str])
    asked: list[str] = field(default_factory=list[str])

    async def serve(self, request: web.Request) -> web.StreamResponse:
        name = request.path.strip("/")
        self.connections.append(name)
        if name == "kraken" and self.kraken is None:
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets[name] = socket
        await socket.receive()
        await self.quote(name)
        async for message in socket:
            self.asked.append(json.loads(message.data)["method"])
            if self.asked[-1] == "subscribe":
                await self.quote(name)
        return socket

    def stamp(self) -> str:
        return self.clock.utc().isoformat().replace("+00:00", "Z")

    async def quote(self, name: str) -> None:
        """The price that the source has now."""
        if name == "coinbase":
            self.trade_id += 1
            said = {"type": "match", "product_id": "BTC-USD", "price": str(self.coinbase)}
            await self.sockets[name].send_json({**said, "time": self.stamp(), "trade_id": self.trade_id})
            return
        middle = self.kraken or Decimal(0)
        bids, asks = [(str(middle - 1), SIZE)], [(str(middle + 1), SIZE)]
        await self.sockets[name].send_str(body("snapshot", bids, asks, checksum(bids, asks)))

    async def beat(self, name: str) -> None:
        said: dict[str, object] = {"channel": "heartbeat"}
        if name == "coinbase":
            said = {"type": "heartbeat", "product_id": "BTC-USD", "last_trade_id": self.trade_id}
        await self.sockets[name].send_json({**said, "time": self.stamp()})

    async def break_book(self) -> None:
        """An update whose checksum does not fit."""
        await self.sockets["kraken"].send_str(body("update", [("1.0", SIZE)], [], 1))


@asynccontextmanager
async def feeding(
    venue: TwoSources, pool: asyncpg.Pool[asyncpg.Record], **settings: object
) -> AsyncIterator[Wires]:
    wires = Wires()
    async with (
        local_venue(venue.serve) as server,
        aiohttp.ClientSession() as session,
        anyio.create_task_group() as group,
    ):
        base = server.base_url.replace("http", "ws")
        task = PriceFeed(
            session=session,
            pool=pool,
            clock=venue.clock,
            settings=PricesSection.model_validate({"warmup_seconds": 20, **settings}),
            urls={"coinbase": f"{base}/coinbase", "kraken": f"{base}/kraken"},
            symbols=SYMBOLS,
            index=wires.index,
            prices=wires.prices,
        )
        group.start_soon(task.run, lambda _sentence: None)
        try:
            yield wires
        finally:
            group.cancel_scope.cancel()
            wires.close()


async def until(wires: Wires, holds: Callable[[Prices], bool]) -> Prices:
    """The first prices of which this holds."""
    version = 0
    with anyio.fail_after(20):
        while True:
            prices = wires.prices.get()
            if prices is not None and holds(prices):
                return prices
            version = await wires.prices.newer_than(version)


def states(prices: Prices) -> dict[str, SourceState]:
    return {each.source: each.state for each in prices.sources["BTC"] if each.source != "index"}


def note(prices: Prices, source: str) -> str:
    return next(each.note for each in prices.sources["BTC"] if each.source == source)


def are(**wanted: SourceState) -> Callable[[Prices], bool]:
    return lambda prices: states(prices) == wanted and "BTC" in prices.by_symbol


GOOD, DOWN, FROZEN, OUTLIER = SourceState.GOOD, SourceState.DOWN, SourceState.FROZEN, SourceState.OUTLIER
both_good = are(coinbase=GOOD, kraken=GOOD)


async def believed(wires: Wires, holds: Callable[[Prices], bool]) -> PriceView:
    return (await until(wires, holds)).by_symbol["BTC"]


@asynccontextmanager
async def meanwhile(act: Callable[[int], Awaitable[None]]) -> AsyncIterator[None]:
    """Do something every few milliseconds, counting, as long as the block lasts."""

    async def again() -> None:
        count = 0
        while True:
            count += 1
            await act(count)
            await anyio.sleep(0.02)

    async with anyio.create_task_group() as group:
        group.start_soon(again)
        yield
        group.cancel_scope.cancel()


# --- one price from two sources ----------------------------------------------------------------


async def test_two_sources_make_one_price_between_them(pool: asyncpg.Pool[asyncpg.Record]):
    async with feeding(TwoSources(), pool) as wires:
        view = await believed(wires, both_good)
    assert (view.tick.price, view.tick.source, view.unreliable) == (
        Decimal(84_001),
        "coinbase and kraken",
        "",
    )


async def test_two_sources_far_apart_make_the_price_unreliable_loudly(pool: asyncpg.Pool[asyncpg.Record]):
    with capture_logs() as said:
        async with feeding(TwoSources(kraken=Decimal("85000.0")), pool) as wires:
            view = await believed(
                wires, lambda prices: both_good(prices) and bool(prices.by_symbol["BTC"].unreliable)
            )
    assert "differ by" in view.unreliable
    assert [each["log_level"] for each in said if each["event"] == "price unreliable"] == ["warning"]


async def test_a_source_that_goes_off_by_one_percent_is_found_out_and_the_other_trades_on(
    pool: asyncpg.Pool[asyncpg.Record],
):
    sources = TwoSources(clock=fast())

    async def walk(count: int) -> None:
        sources.coinbase += 5 if count % 2 else -5
        await sources.quote("coinbase")
        await sources.quote("kraken")

    async with feeding(sources, pool) as wires:
        await until(wires, both_good)
        async with meanwhile(walk):
            sources.kraken = Decimal("84842.0")
            await until(wires, lambda prices: bool(prices.by_symbol["BTC"].unreliable))
            view = await believed(wires, are(coinbase=GOOD, kraken=OUTLIER))
    assert (view.tick.source, view.unreliable) == ("coinbase", "")


# --- each failure ------------------------------------------------------------------------------


async def test_a_source_that_is_away_is_shown_and_the_other_trades_on(pool: asyncpg.Pool[asyncpg.Record]):
    async with feeding(TwoSources(kraken=None), pool) as wires:
        prices = await until(wires, are(coinbase=GOOD, kraken=DOWN))
    view = prices.by_symbol["BTC"]
    assert (view.tick.price, view.tick.source) == (Decimal("84000.00"), "coinbase")
    assert "cannot connect" in note(prices, "kraken")


async def test_a_source_that_left_is_opened_again_by_itself(pool: asyncpg.Pool[asyncpg.Record]):
    sources = TwoSources()
    async with feeding(sources, pool) as wires:
        await until(wires, both_good)
        await sources.sockets["kraken"].close()
        await until(wires, are(coinbase=GOOD, kraken=DOWN))
        await until(wires, both_good)
    assert (sources.connections.count("kraken"), sources.connections.count("coinbase")) == (2, 1)


async def test_a_source_that_speaks_garbage_is_shown_and_opened_again(pool: asyncpg.Pool[asyncpg.Record]):
    sources = TwoSources()
    async with feeding(sources, pool) as wires:
        await until(wires, both_good)
        await sources.sockets["coinbase"].send_str('{"type":"match","product_id":"BTC-USD","price":"-1"}')
        prices = await until(wires, are(coinbase=DOWN, kraken=GOOD))
        assert prices.by_symbol["BTC"].tick.price == sources.kraken
        assert "price of BTC-USD" in note(prices, "coinbase")
        await until(wires, both_good)
    assert (sources.connections.count("coinbase"), sources.connections.count("kraken")) == (2, 1)


async def test_the_wait_before_a_source_is_opened_again_grows(
    pool: asyncpg.Pool[asyncpg.Record], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(price_feed, "FIRST_WAIT", 0.01)
    sources = TwoSources(kraken=None)
    with capture_logs() as said:
        async with feeding(sources, pool) as wires:
            await until(wires, lambda _: sources.connections.count("kraken") >= 5)
    waits = [each["again_in"] for each in said if each["event"] == "price source lost"]
    assert waits[:4] == [0.01, 0.02, 0.04, 0.08]


async def test_a_silent_socket_is_replaced_while_the_other_source_goes_on(pool: asyncpg.Pool[asyncpg.Record]):
    sources = TwoSources()
    async with feeding(sources, pool, idle_timeout_seconds=0.5) as wires:
        await until(wires, both_good)
        async with meanwhile(lambda _: sources.beat("coinbase")):
            prices = await until(wires, are(coinbase=GOOD, kraken=DOWN))
            await until(wires, both_good)
    assert "silent" in note(prices, "kraken")
    assert (sources.connections.count("kraken"), sources.connections.count("coinbase")) == (2, 1)


async def test_a_source_that_talks_and_stands_still_while_the_other_moves_is_found_out(
    pool: asyncpg.Pool[asyncpg.Record],
):
    sources = TwoSources(clock=fast())

    async def walk(_count: int) -> None:
        sources.coinbase += Decimal("0.50")
        await sources.quote("coinbase")
        await sources.beat("kraken")

    with capture_logs() as said:
        async with feeding(sources, pool) as wires:
            await until(wires, both_good)
            async with meanwhile(walk):
                view = await believed(wires, are(coinbase=GOOD, kraken=FROZEN))
    assert (view.tick.source, view.unreliable) == ("coinbase", "")
    assert any(each["event"] == "price source not believed" and each["source"] == "kraken" for each in said)


async def test_a_quiet_market_keeps_a_current_price_that_is_reliable(pool: asyncpg.Pool[asyncpg.Record]):
    sources = TwoSources(clock=fast())

    async def beat(_count: int) -> None:
        await sources.beat("coinbase")
        await sources.beat("kraken")

    began = sources.clock.utc()
    async with feeding(sources, pool) as wires:
        await until(wires, both_good)
        async with meanwhile(beat):
            view = await believed(
                wires, lambda prices: prices.by_symbol["BTC"].tick.at > began + timedelta(seconds=60)
            )
            prices = wires.prices.get()
    assert prices is not None
    assert both_good(prices)
    assert (view.tick.price, view.unreliable) == (Decimal(84_001), "")


async def test_a_heartbeat_after_a_trade_that_never_came_lets_the_price_age(
    pool: asyncpg.Pool[asyncpg.Record],
):
    sources = TwoSources(kraken=None)
    async with feeding(sources, pool) as wires:
        first = await believed(wires, are(coinbase=GOOD, kraken=DOWN))
        sources.trade_id += 1
        await sources.beat("coinbase")
        view = await believed(wires, lambda prices: prices.by_symbol["BTC"].heard_at > first.heard_at)
    assert view.tick.at == first.tick.at


async def test_a_broken_book_is_asked_for_anew_on_the_same_socket(pool: asyncpg.Pool[asyncpg.Record]):
    sources = TwoSources()
    async with feeding(sources, pool) as wires:
        await until(wires, both_good)
        sources.kraken = Decimal("84004.0")
        await sources.break_book()
        await until(wires, lambda prices: both_good(prices) and sources.asked == ["unsubscribe", "subscribe"])
        view = await believed(wires, lambda prices: prices.by_symbol["BTC"].tick.price == Decimal(84_002))
    assert view.unreliable == ""
    assert sources.connections.count("kraken") == 1


# --- the settlement index ----------------------------------------------------------------------


def history(clock: Clock, *values: int, missing: tuple[int, ...] = ()) -> IndexHistory:
    """A print a second, the last one of now."""
    now = clock.utc()
    prints = [
        IndexValue(
            sid=1,
            seq=number,
            index_id="BRTI",
            value=Decimal(value),
            at=now - timedelta(seconds=len(values) - 1 - number),
            received_at=now,
            final_minute_mean=None,
        )
        for number, value in enumerate(values)
        if number not in missing
    ]
    return IndexHistory(prints={"BRTI": tuple(prints)})


def from_index(prices: Prices) -> bool:
    return "BTC" in prices.by_symbol and prices.by_symbol["BTC"].tick.source == "index"


async def test_a_fresh_index_is_the_price_and_tells_which_source_is_wrong(pool: asyncpg.Pool[asyncpg.Record]):
    async with feeding(TwoSources(kraken=Decimal("85000.0")), pool) as wires:
        wires.index.set(history(Clock(), 84_000, 84_001, 84_002, 84_003))
        view = await believed(
            wires, lambda prices: from_index(prices) and are(coinbase=GOOD, kraken=OUTLIER)(prices)
        )
    assert (view.tick.price, view.unreliable) == (Decimal(84_003), "")


async def test_the_prints_are_the_indexs_own_and_no_others(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with feeding(TwoSources(), pool) as wires:
        wires.index.set(history(Clock(), *range(84_000, 84_070), missing=(65,)))
        view = await believed(wires, from_index)
    assert [price for _, price in view.prints] == [*range(84_000, 84_065), *range(84_066, 84_070)]
    seconds = [second for second, _ in view.prints]
    assert seconds == sorted(set(seconds))


async def test_the_index_alone_is_a_price(pool: asyncpg.Pool[asyncpg.Record]):
    async with feeding(TwoSources(kraken=None), pool, sources=["kraken"]) as wires:
        wires.index.set(history(Clock(), 84_000))
        view = await believed(wires, from_index)
    assert (view.tick.price, view.unreliable) == (Decimal(84_000), "")


async def test_an_index_that_every_source_contradicts_is_unreliable(pool: asyncpg.Pool[asyncpg.Record]):
    async with feeding(TwoSources(), pool) as wires:
        await until(wires, both_good)
        wires.index.set(history(Clock(), 80_000))
        view = await believed(wires, from_index)
    assert "from every source" in view.unreliable


async def test_an_index_that_falls_silent_gives_way_to_the_sources_and_says_so(
    pool: asyncpg.Pool[asyncpg.Record],
):
    sources = TwoSources(clock=fast())
    with capture_logs() as said:
        async with feeding(sources, pool) as wires:
            await until(wires, both_good)
            wires.index.set(history(sources.clock, 84_000, 84_010))
            await until(wires, from_index)
            prices = await until(wires, lambda prices: not from_index(prices))
    assert "s old" in note(prices, "index")
    gone = [each for each in said if each["event"] == "price taken from elsewhere"]
    assert [(each["was"], each["now"]) for each in gone][-1] == ("index", "coinbase and kraken")


async def test_a_print_from_the_future_is_none(pool: asyncpg.Pool[asyncpg.Record]):
    async with feeding(TwoSources(), pool) as wires:
        await until(wires, both_good)
        later = Clock(speed=1.0, host_origin=0.0, venue_origin=3_600.0)
        wires.index.set(history(later, 1))
        await until(wires, both_good)
        wires.index.set(history(Clock(), 84_000))
        view = await believed(wires, from_index)
    assert view.tick.price == Decimal(84_000)


async def test_an_index_that_is_switched_off_is_never_looked_at(pool: asyncpg.Pool[asyncpg.Record]):
    async with feeding(TwoSources(), pool, use_index=False) as wires:
        wires.index.set(history(Clock(), 84_000))
        prices = await until(wires, both_good)
        assert {each.source for each in prices.sources["BTC"]} == {"coinbase", "kraken"}
        assert not from_index(prices)


async def test_an_index_that_was_refused_says_why(pool: asyncpg.Pool[asyncpg.Record]):
    async with feeding(TwoSources(), pool) as wires:
        wires.index.set(IndexHistory(prints={}, why_none="the venue refused it: code 25"))
        prices = await until(wires, lambda prices: "refused" in note(prices, "index"))
    assert prices.sources["BTC"][-1].state is DOWN


# --- publishing and remembering ----------------------------------------------------------------


async def test_prices_are_published_every_second_and_never_more_often_than_every_fifty_milliseconds(
    pool: asyncpg.Pool[asyncpg.Record],
):
    sources = TwoSources()
    async with feeding(sources, pool) as wires:
        await until(wires, both_good)
        version, began = wires.prices.version, anyio.current_time()
        for _ in range(300):
            await sources.quote("coinbase")
        sources.coinbase = Decimal("84005.00")
        await sources.quote("coinbase")
        await until(wires, lambda prices: prices.by_symbol["BTC"].tick.price == Decimal("84003.5"))
        flooded = anyio.current_time()
        assert wires.prices.version - version <= (flooded - began) / 0.05 + 2
        quiet = await wires.prices.newer_than(wires.prices.version)
        await wires.prices.newer_than(quiet)
        assert anyio.current_time() - flooded < 5


async def test_seconds_are_stored_and_recalled_at_the_next_start(
    pool: asyncpg.Pool[asyncpg.Record], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(price_feed, "STORE_EVERY", 0.05)
    sources = TwoSources(clock=fast(20))

    async def stored() -> list[tuple[int, Decimal]]:
        async with pool.acquire() as connection:
            return await market_data.recall_seconds(connection, "BTC", 0)

    async def move(count: int) -> None:
        sources.coinbase = sources.kraken = Decimal(84_000 + count * count % 97)
        await sources.quote("coinbase")
        await sources.quote("kraken")

    async with feeding(sources, pool) as wires:
        await until(wires, both_good)
        async with meanwhile(move):
            with anyio.fail_after(20):
                while len(await stored()) < 40:
                    await wires.prices.newer_than(wires.prices.version)
    seconds = await stored()
    assert [second for second, _ in seconds] == list(range(seconds[0][0], seconds[0][0] + len(seconds)))
    assert all(84_000 <= price <= 84_096 for _, price in seconds)
    async with feeding(TwoSources(clock=sources.clock), pool) as wires:
        view = await believed(wires, both_good)
    assert view.volatility is not None


async def test_a_database_that_takes_no_prices_ends_no_source_and_gets_them_later(
    pool: asyncpg.Pool[asyncpg.Record], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(price_feed, "STORE_EVERY", 0.2)
    venue = TwoSources(clock=fast())
    async with pool.acquire() as other, feeding(venue, pool) as wires:
        await believed(wires, both_good)
        locked = other.transaction()
        await locked.start()
        await other.execute("LOCK TABLE price_seconds IN EXCLUSIVE MODE")
        with anyio.fail_after(10):
            while not await pool.fetchval(CUT):
                await venue.beat("coinbase")
                await anyio.sleep(0.02)
            await locked.rollback()
            while not await other.fetchval("SELECT count(*) FROM price_seconds"):
                await venue.beat("coinbase")
                await anyio.sleep(0.05)
    assert sorted(venue.connections) == ["coinbase", "kraken"]


CUT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%price_seconds%' LIMIT 1
"""
