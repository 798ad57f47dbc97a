"""Faults of the stream, from a real exchange over a real socket: books are unusable, then whole and the exchange's own."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import aiohttp
import anyio
import pytest

from recio.daemon.venue import Venue
from recio.errors import Transient
from recio.exchange_sim.server import ExchangeSettings
from recio.kalshi import commands, markets
from recio.kalshi.fees import read_fees
from recio.kalshi.frame_kinds import BadFrame
from recio.kalshi.markets import Listing
from recio.kalshi.orders import NewOrder, TimeInForce, create
from recio.kalshi.rest import KalshiRest
from recio.kalshi.rest_books import read_books
from recio.kalshi.socket import KalshiSocket, open_socket
from recio.kalshi.subscriptions import (
    BOOKS,
    LIFECYCLE,
    Broken,
    Command,
    Dead,
    Opened,
    SubscriptionRefused,
    Subscriptions,
)
from recio.kalshi.venue_clock import VenueClock
from recio.messages.markets import Market
from recio.messages.orders import OrderAccepted
from recio.units import BookSide, ClientOrderId, Price, Quantity, Ticker
from tests.kalshi.running_exchange import client_of_exchange
from tests.kalshi.single_reads import one_book

HURRY = 20.0
"""How much faster than the clock the listener's patience ends."""


@dataclass(slots=True)
class Exchange:
    """An exchange of our own; while it is quiet, its book moves when we trade on it, and only then."""

    venue: Venue
    session: aiohttp.ClientSession
    rest: KalshiRest

    async def open_market(self) -> Market:
        fees = await read_fees(self.rest, "KXBTC15M")
        listing = Listing(series="KXBTC15M", symbol="BTC", index_id="BRTI", fees=fees)
        with anyio.fail_after(10):
            while True:
                listed = await markets.event_markets(self.rest, listing, self.rest.clock.utc())
                for market in listed.markets:
                    if market.status == "active" and market.floor_strike is not None:
                        return market

    async def bid(self, market: Market, *prices: int) -> None:
        """One resting bid at each price: one change of the book each."""
        for price in prices:
            order = NewOrder(
                client_order_id=ClientOrderId(str(uuid4())),
                ticker=market.ticker,
                exchange_index=market.exchange_index,
                book_side=BookSide.BID,
                quantity=Quantity(100),
                price=Price(price),
                time_in_force=TimeInForce.GOOD_TILL_CANCELED,
            )
            outcome = await create(self.rest, order, wait_seconds=5)
            assert isinstance(outcome, OrderAccepted), outcome

    async def arm(self, kind: str, **how: object) -> None:
        root = self.venue.rest_url.removesuffix("/trade-api/v2")
        async with self.session.post(f"{root}/admin/faults", json={"kind": kind, **how}) as answer:
            assert answer.status == 200, await answer.text()


@asynccontextmanager
async def exchange(directory: Path, *, quiet: bool = True) -> AsyncGenerator[Exchange]:
    settings = ExchangeSettings(credentials_dir=directory, align=True, quiet_traders=quiet, rate_limits=None)
    async with client_of_exchange(settings) as client:
        yield Exchange(venue=client.venue, session=client.session, rest=client.rest)


@dataclass(slots=True)
class Listener:
    """The least that a task does with a socket: send what is to be sent, feed what comes, begin anew when it ends."""

    exchange: Exchange
    wanted: set[Ticker]
    state: Subscriptions = field(default_factory=lambda: Subscriptions(indexes=()))
    seen: Counter[str] = field(default_factory=Counter[str])
    """Outcomes so far, by their class and channel, and how often a usable book was lost."""
    sockets: int = 0
    changed: anyio.Event = field(default_factory=anyio.Event)

    async def run(self) -> None:
        while True:
            self._note("lost" if self.state.books.usable else "began")
            self.state = Subscriptions(indexes=())
            try:
                await self._one_socket()
            except* Transient:
                pass

    async def until(self, holds: Callable[[], bool]) -> None:
        with anyio.fail_after(20):
            while not holds():
                await self.changed.wait()

    def is_whole(self) -> bool:
        return self.state.books.usable >= self.wanted

    async def _one_socket(self) -> None:
        venue = self.exchange.venue
        async with (
            open_socket(
                self.exchange.session,
                venue.ws_url,
                venue.signer,
                venue.clock,
                venue_clock=VenueClock(),
                idle_timeout_seconds=30,
            ) as socket,
            anyio.create_task_group() as group,
        ):
            self.sockets += 1
            await self._send(socket, self.state.opening())
            await self._send(socket, self.state.want_books(self.wanted))
            group.start_soon(self._tick, socket)
            await self._listen(socket)

    async def _listen(self, socket: KalshiSocket) -> None:
        while True:
            for frame in await socket.receive():
                assert not isinstance(frame, BadFrame), frame
                usable = set(self.state.books.usable)
                outcome, commands = self.state.feed(frame)
                if usable - self.state.books.usable:
                    self._note("lost")
                await self._send(socket, commands)
                self._judge(outcome)

    async def _tick(self, socket: KalshiSocket) -> None:
        while True:
            await anyio.sleep(0.05)
            outcome, commands = self.state.tick(time.monotonic() * HURRY)
            self._judge(outcome)
            if isinstance(outcome, Dead):
                raise Transient(outcome.why)
            await self._send(socket, commands)

    async def _send(self, socket: KalshiSocket, commands: tuple[Command, ...]) -> None:
        for command in commands:
            self.state.sent(await socket.send(command), command)

    def _judge(self, outcome: object) -> None:
        match outcome:
            case Broken(channel=channel) | Opened(channel=channel):
                self._note(f"{type(outcome).__name__} {channel}")
            case SubscriptionRefused(channels=channels):
                self._note(f"SubscriptionRefused {channels[0]}")
            case _:
                self._note(type(outcome).__name__)

    def _note(self, what: str) -> None:
        self.seen[what] += 1
        self.changed.set()
        self.changed = anyio.Event()


@asynccontextmanager
async def listening(venue: Exchange, *wanted: Ticker) -> AsyncGenerator[Listener]:
    listener = Listener(exchange=venue, wanted=set(wanted))
    task = asyncio.create_task(listener.run())
    try:
        yield listener
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def is_the_exchanges_own(venue: Exchange, listener: Listener, ticker: Ticker) -> bool:
    """Every level of both sides, not only the best."""
    theirs = await one_book(venue.rest, ticker)
    ours = listener.state.books.books[ticker]
    return (ours.yes.levels, ours.no.levels) == (theirs.yes, theirs.no)


async def whole_again(venue: Exchange, listener: Listener, market: Market, price: int) -> None:
    """Whole, and the next change arrives: nothing is owed any more."""
    await listener.until(listener.is_whole)
    await venue.bid(market, price)
    await listener.until(lambda: price in listener.state.books.books[market.ticker].yes.levels)
    await listener.until(listener.is_whole)
    assert await is_the_exchanges_own(venue, listener, market.ticker)


@pytest.mark.parametrize(
    ("kind", "heard"),
    [
        ("skip_seq", f"Broken {BOOKS}"),
        ("duplicate_frame", f"Broken {BOOKS}"),
        ("swap_frames", f"Broken {BOOKS}"),
        ("channel_error", f"Broken {BOOKS}"),
        ("buffer_overflow", f"Broken {BOOKS}"),
        ("drop_sockets", "began"),
    ],
)
async def test_a_fault_costs_the_books_and_is_mended(tmp_path: Path, kind: str, heard: str):
    async with exchange(tmp_path) as venue:
        market = await venue.open_market()
        await venue.bid(market, 100, 200)
        async with listening(venue, market.ticker) as listener:
            await listener.until(listener.is_whole)
            assert await is_the_exchanges_own(venue, listener, market.ticker)
            before = listener.seen["lost"]
            await venue.arm(kind)
            await venue.bid(market, 300, 400, 500)
            await listener.until(lambda: listener.seen["lost"] > before)
            assert heard == "began" or listener.seen[heard] > 0
            await whole_again(venue, listener, market, 600)
            assert listener.sockets == (2 if kind == "drop_sockets" else 1)


@pytest.mark.parametrize("venue_writes_yes_prices", [True, False])
async def test_a_venue_that_writes_no_prices_the_other_way_is_noticed_by_its_own_rest_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, venue_writes_yes_prices: bool
):
    """As on the day when the flag that is asked for has no effect: every frame is in order, and half of the book is wrong."""
    monkeypatch.setattr(commands, "NO_IN_YES_TERMS", venue_writes_yes_prices)
    async with exchange(tmp_path, quiet=False) as venue:
        market = await venue.open_market()
        async with listening(venue, market.ticker) as listener:
            proof = listener.state.proof
            with anyio.fail_after(20):
                while (market.ticker in proof.unproven) is venue_writes_yes_prices or not proof.unproven.get(
                    market.ticker, "mirror"
                ).count("mirror"):
                    await listener.until(listener.is_whole)
                    proof = listener.state.proof
                    (book,) = (await read_books(venue.rest, [market.ticker])).values()
                    listener.state.compare(market.ticker, book)
            assert proof.wrong == (set() if venue_writes_yes_prices else {market.ticker})


async def test_an_empty_snapshot_is_not_believed(tmp_path: Path):
    async with exchange(tmp_path) as venue:
        market = await venue.open_market()
        await venue.bid(market, 100, 200)
        await venue.arm("empty_snapshot")
        async with listening(venue, market.ticker) as listener:
            await listener.until(listener.is_whole)
            assert await is_the_exchanges_own(venue, listener, market.ticker)
            assert len(listener.state.books.books[market.ticker].yes.levels) == 2


async def test_a_book_that_really_is_empty_is_believed(tmp_path: Path):
    async with exchange(tmp_path) as venue:
        market = await venue.open_market()
        async with listening(venue, market.ticker) as listener:
            await listener.until(listener.is_whole)
            assert listener.state.books.books[market.ticker].yes.levels == {}
            await whole_again(venue, listener, market, 300)


async def test_a_resync_whose_own_snapshot_is_lost_is_mended_too(tmp_path: Path):
    async with exchange(tmp_path) as venue:
        market = await venue.open_market()
        await venue.bid(market, 100)
        async with listening(venue, market.ticker) as listener:
            await listener.until(listener.is_whole)
            await venue.arm("skip_seq")
            await venue.bid(market, 200)
            await venue.arm("duplicate_frame")
            await venue.arm("skip_seq", count=2)
            await venue.bid(market, 300, 400, 500)
            await listener.until(lambda: listener.seen["lost"] > 0)
            await whole_again(venue, listener, market, 600)


async def test_a_silence_that_still_pings_is_found_out(tmp_path: Path):
    async with exchange(tmp_path) as venue:
        market = await venue.open_market()
        await venue.bid(market, 100)
        async with listening(venue, market.ticker) as listener:
            await listener.until(listener.is_whole)
            await venue.arm("silence", seconds=1.0)
            await venue.bid(market, 200, 300)
            await listener.until(lambda: listener.seen["Dead"] > 0)
            await listener.until(lambda: listener.sockets > 1)
            await whole_again(venue, listener, market, 400)


@pytest.mark.parametrize("was_empty", [False, True], ids=["had levels", "was subscribed empty"])
async def test_a_book_channel_that_dies_alone_is_found_out_while_others_go_on(
    tmp_path: Path, was_empty: bool
):
    """The index comes every second: without a doubt of their own the books would look new for ever."""
    async with exchange(tmp_path) as venue:
        market = await venue.open_market()
        if not was_empty:
            await venue.bid(market, 100)
        async with listening(venue, market.ticker) as listener:
            await listener.until(listener.is_whole)
            await venue.bid(market, 150)
            await listener.until(lambda: 150 in listener.state.books.books[market.ticker].yes.levels)
            first = listener.state
            await venue.arm("channel_silent", channel=BOOKS, seconds=2.0)
            await venue.bid(market, 200, 300)
            await listener.until(lambda: first.books_silent(time.monotonic() * HURRY) > 0)
            await listener.until(lambda: listener.seen["lost"] + listener.seen[f"Broken {BOOKS}"] > 0)
            await whole_again(venue, listener, market, 400)
            assert listener.sockets == 1
            assert listener.state.books_silent(time.monotonic() * HURRY) == 0.0


async def test_a_quiet_book_is_asked_for_and_not_taken_for_dead(tmp_path: Path):
    async with exchange(tmp_path) as venue:
        market = await venue.open_market()
        await venue.bid(market, 100)
        async with listening(venue, market.ticker) as listener:
            await listener.until(listener.is_whole)
            changes = listener.seen["BookChanged"]
            await listener.until(lambda: listener.seen["BookChanged"] > changes + 3)
            assert listener.seen["lost"] == 0
            assert listener.seen[f"Broken {BOOKS}"] == 0
            assert await is_the_exchanges_own(venue, listener, market.ticker)


async def test_a_short_silence_leaves_a_gap(tmp_path: Path):
    async with exchange(tmp_path) as venue:
        market = await venue.open_market()
        await venue.bid(market, 100)
        async with listening(venue, market.ticker) as listener:
            await listener.until(listener.is_whole)
            await venue.arm("silence", seconds=0.2)
            await venue.bid(market, 200, 300)
            prices = itertools.cycle(range(400, 4_000, 100))
            with anyio.fail_after(20):
                while not listener.seen["lost"]:
                    await venue.bid(market, next(prices))
            await whole_again(venue, listener, market, 4_100)


async def test_refused_subscriptions_are_asked_for_again(tmp_path: Path):
    async with exchange(tmp_path) as venue:
        market = await venue.open_market()
        await venue.bid(market, 100)
        await venue.arm("refuse_subscribe", count=3)
        async with listening(venue, market.ticker) as listener:
            await listener.until(lambda: listener.seen[f"Opened {LIFECYCLE}"] > 0)
            await whole_again(venue, listener, market, 300)
            assert listener.seen[f"SubscriptionRefused {LIFECYCLE}"] == 1
            assert listener.seen[f"SubscriptionRefused {BOOKS}"] == 1
            assert listener.sockets == 1


async def test_what_nobody_has_seen_before_costs_nothing(tmp_path: Path):
    async with exchange(tmp_path) as venue:
        market = await venue.open_market()
        async with listening(venue, market.ticker) as listener:
            await listener.until(listener.is_whole)
            await venue.arm("strange_frame", count=2)
            await whole_again(venue, listener, market, 300)
            assert listener.seen["lost"] == 0


async def test_books_of_the_next_event_are_there_before_it_opens(tmp_path: Path):
    async with exchange(tmp_path) as venue:
        market = await venue.open_market()
        fees = await read_fees(venue.rest, "KXBTC15M")
        listing = Listing(series="KXBTC15M", symbol="BTC", index_id="BRTI", fees=fees)
        listed = await markets.event_markets(venue.rest, listing, venue.rest.clock.utc())
        tickers = {each.ticker for each in listed.markets}
        assert len({each.event_ticker for each in listed.markets}) == 2
        async with listening(venue, *tickers) as listener:
            await listener.until(listener.is_whole)
            await venue.arm("skip_seq")
            await venue.bid(market, 100, 200)
            await listener.until(lambda: listener.seen["lost"] > 0)
            await whole_again(venue, listener, market, 300)


async def test_a_busy_book_survives_one_fault_after_the_other(tmp_path: Path):
    async with exchange(tmp_path, quiet=False) as venue:
        market = await venue.open_market()
        async with listening(venue, market.ticker) as listener:
            for kind in (
                "skip_seq",
                "swap_frames",
                "duplicate_frame",
                "channel_error",
                "skip_seq",
                "buffer_overflow",
            ):
                await listener.until(listener.is_whole)
                before = listener.seen["lost"]
                await venue.arm(kind)
                await listener.until(lambda lost=before: listener.seen["lost"] > lost)
            await listener.until(listener.is_whole)
            with anyio.fail_after(10):
                while not await is_the_exchanges_own(venue, listener, market.ticker):
                    pass  # it moved between the two looks
            assert listener.sockets == 1
