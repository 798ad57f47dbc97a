"""The spot feeds: Kraken's protocol with its checksum, Coinbase's book, two venues round one index, their faults."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from recio.exchange_sim.faults.faults import Faults
from recio.exchange_sim.market.events import IndexTicked
from recio.exchange_sim.spot import coinbase_frames, kraken_frames
from recio.exchange_sim.spot.coinbase import coinbase_feed
from recio.exchange_sim.spot.feeds import Feeds
from recio.exchange_sim.spot.kraken import kraken_feed
from recio.exchange_sim.spot.spot_market import Listing, SpotMarket, SpotTrade
from recio.exchange_sim.wire.outbox import Outbox

BTC = {"channel": "book", "symbol": ["BTC/USD"]}
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def samples(name: str) -> list[str]:
    """The lines of a recorded file, or a skip that says what is missing."""
    root = Path(os.environ.get("RECIO_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
    path = root / "exchange_ws_samples" / name
    if not path.exists():
        pytest.skip(f"no recorded feed at {path}")
    with gzip.open(path, "rt") as stream:
        return [line for line in stream if line.strip()]


async def receive(socket: Any) -> Any:
    return json.loads(await asyncio.wait_for(socket.receive_str(), 10), parse_float=Decimal)


async def receive_until(socket: Any, wanted: Any) -> Any:
    while True:
        message = await receive(socket)
        if wanted(message):
            return message


async def kraken(client: Any) -> Any:
    socket = await client.session.ws_connect(client.credentials.kraken_url)
    status = await receive(socket)
    assert (status["channel"], status["data"][0]["system"]) == ("status", "online")
    return socket


async def coinbase(client: Any, *channels: str) -> Any:
    socket = await client.session.ws_connect(client.credentials.price_url)
    await socket.send_json({"type": "subscribe", "product_ids": ["BTC-USD"], "channels": list(channels)})
    assert (await receive(socket))["type"] == "subscriptions"
    return socket


async def arm(client: Any, kind: str, **how: Any) -> None:
    status, _ = await client.plain("POST", "/admin/faults", {"kind": kind, **how})
    assert status == 200


class Book:
    """What any client of the feed keeps: the ten best levels a side, and nothing it was not told."""

    def __init__(self) -> None:
        self.asks: dict[Decimal, Decimal] = {}
        self.bids: dict[Decimal, Decimal] = {}

    def apply(self, data: Any) -> None:
        for side in ("asks", "bids"):
            levels: dict[Decimal, Decimal] = getattr(self, side)
            for level in data[side]:
                levels[level["price"]] = level["qty"]
                if not level["qty"]:
                    del levels[level["price"]]
            kept = sorted(levels, reverse=side == "bids")[:10]
            setattr(self, side, {price: levels[price] for price in kept})

    def checksum(self) -> int:
        """From the digits as they were printed, the way the feed's documentation describes it."""
        levels = [*self.asks.items(), *self.bids.items()]
        digits = "".join(str(value).replace(".", "").lstrip("0") for level in levels for value in level)
        return crc32(digits.encode())

    def scaled(self, decimals: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        def ints(levels: dict[Decimal, Decimal]) -> list[tuple[int, int]]:
            return [(int(price.scaleb(decimals)), int(size.scaleb(8))) for price, size in levels.items()]

        return ints(self.asks), ints(self.bids)


def test_the_checksum_is_that_of_every_recorded_book_message() -> None:
    books: dict[str, Book] = {}
    verified = 0
    for line in samples("flashbook_kraken_ws_20260707.ndjson.gz"):
        message = json.loads(line, parse_float=Decimal)
        if message.get("channel") != "book":
            continue
        data = message["data"][0]
        if message["type"] == "snapshot":
            books[data["symbol"]] = Book()
        book = books[data["symbol"]]
        book.apply(data)
        decimals = {"BTC/USD": 1, "ETH/USD": 2}[data["symbol"]]
        assert kraken_frames.checksum(*book.scaled(decimals)) == data["checksum"] == book.checksum()
        verified += 1
    assert verified == 2_962


async def test_a_kept_book_has_the_checksum_of_every_message(start_exchange) -> None:
    client = await start_exchange(speed=20.0, quiet_traders=True)
    socket = await kraken(client)
    await socket.send_json({"method": "subscribe", "params": BTC | {"depth": 10}, "req_id": 7})
    reply = await receive(socket)
    assert STAMP.fullmatch(reply.pop("time_in"))
    assert STAMP.fullmatch(reply.pop("time_out"))
    assert reply == {
        "method": "subscribe",
        "result": {"channel": "book", "depth": 10, "snapshot": True, "symbol": "BTC/USD"},
        "success": True,
        "req_id": 7,
    }
    book, kinds = Book(), []
    while len(kinds) < 500:
        message = await receive(socket)
        if message["channel"] == "heartbeat":
            assert message == {"channel": "heartbeat"}
            continue
        book.apply(message["data"][0])
        assert book.checksum() == message["data"][0]["checksum"]
        assert max(book.bids) < min(book.asks)
        assert len(book.bids) == len(book.asks) == 10
        kinds.append(message["type"])
    assert kinds == ["snapshot", *["update"] * 499]


async def test_requests_that_the_feed_refuses_say_why(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    socket = await kraken(client)
    for request, error in (
        (
            {"method": "subscribe", "params": BTC | {"symbol": ["XBT/USD"]}},
            "Currency pair not supported XBT/USD",
        ),
        ({"method": "subscribe", "params": BTC | {"depth": 11}}, "Subscription depth not supported"),
        ({"method": "subscribe", "params": {"channel": "gossip"}}, "Channel field not recognized"),
        ({"method": "unsubscribe", "params": BTC}, "Subscription Not Found"),
        ({"method": "shout"}, "Unknown method"),
        ([1], "Malformed request"),
    ):
        await socket.send_json(request)
        reply = await receive(socket)
        assert (reply["success"], reply["error"]) == (False, error)
    await socket.send_json({"method": "ping", "req_id": 3})
    pong = await receive(socket)
    assert (pong["method"], pong["req_id"], set(pong)) == (
        "pong",
        3,
        {"method", "req_id", "time_in", "time_out"},
    )


@pytest.mark.parametrize("feed", ["kraken", "coinbase"])
async def test_a_request_that_is_nested_too_deep_is_refused_and_its_socket_goes_on(
    start_exchange, feed: str
) -> None:
    client = await start_exchange(quiet_traders=True)
    socket = await (kraken(client) if feed == "kraken" else coinbase(client, "heartbeat"))
    await socket.send_str(f'{{"method":"ping","x":{"[" * 5000}{"]" * 5000}}}')
    wrong = ("Malformed request", "Malformed JSON")
    await receive_until(socket, lambda answer: (answer.get("error") or answer.get("message")) in wrong)
    assert not socket.closed


async def test_trades_and_quotes_come_until_they_are_unsubscribed(start_exchange) -> None:
    client = await start_exchange(speed=20.0, quiet_traders=True)
    socket = await kraken(client)
    for channel in ("trade", "ticker"):
        await socket.send_json({"method": "subscribe", "params": {"channel": channel, "symbol": ["BTC/USD"]}})
    first = await receive_until(socket, lambda message: message.get("channel") == "ticker")
    assert first["type"] == "snapshot"
    trade = (await receive_until(socket, lambda message: message.get("channel") == "trade"))["data"][-1]
    quote = (await receive_until(socket, lambda message: message.get("channel") == "ticker"))["data"][0]
    assert set(trade) == {"symbol", "side", "price", "qty", "ord_type", "trade_id", "timestamp"}
    assert quote["bid"] < quote["ask"]
    assert quote["bid"] <= quote["last"] <= quote["ask"]
    for channel in ("trade", "ticker"):
        await socket.send_json(
            {"method": "unsubscribe", "params": {"channel": channel, "symbol": ["BTC/USD"]}}
        )
    ended = 0
    while ended < 2:
        ended += (await receive(socket)).get("method") == "unsubscribe"
    await socket.send_json({"method": "ping"})
    assert (await receive(socket))["method"] == "pong"


async def test_a_kept_coinbase_book_is_the_one_a_newcomer_gets(start_exchange) -> None:
    client = await start_exchange(speed=20.0, quiet_traders=True)
    socket = await coinbase(client, "level2_batch")
    levels: dict[str, dict[Decimal, Decimal]] = {"buy": {}, "sell": {}}
    snapshot = await receive(socket)
    for side, name in (("buy", "bids"), ("sell", "asks")):
        levels[side] = {Decimal(price): Decimal(size) for price, size in snapshot[name]}
    assert [Decimal(price) for price, _ in snapshot["bids"]] == sorted(levels["buy"], reverse=True)
    newcomer: Any = None
    fresh: Any = None
    while fresh is None or newcomer["time"] != fresh:
        update = await receive(socket)
        assert update["type"] == "l2update"
        for side, price, size in update["changes"]:
            levels[side][Decimal(price)] = Decimal(size)
            if not Decimal(size):
                del levels[side][Decimal(price)]
        assert max(levels["buy"]) < min(levels["sell"])
        fresh = update["time"]
        if newcomer is None or newcomer["time"] < fresh:
            other = await coinbase(client, "level2_batch")
            newcomer = await receive(other)
            await other.close()
    assert {Decimal(price): Decimal(size) for price, size in newcomer["bids"]} == levels["buy"]
    assert {Decimal(price): Decimal(size) for price, size in newcomer["asks"]} == levels["sell"]


def test_the_two_venues_stand_close_to_one_index_and_differ() -> None:
    level = 84_000 * 10**8
    coin = SpotMarket(coinbase_frames.LISTINGS[0], "1:coinbase", level=level, now_ms=0)
    krak = SpotMarket(kraken_frames.LISTINGS[0], "1:kraken", level=level, now_ms=0)
    apart: list[float] = []
    for step in range(1, 20_001):
        coin.step(step * 50, with_book=False)
        krak.step(step * 50, with_book=False)
        apart.append(coin.bid / 100 - krak.bid / 10)
    assert len(set(apart)) > 100
    assert 0 < sum(abs(one) for one in apart) / len(apart) < 84_000 * 2e-4
    assert abs(coin.bid / 100 - 84_000) < 84_000 * 5e-4


@pytest.mark.parametrize("listing", [*coinbase_frames.LISTINGS, *kraken_frames.LISTINGS])
def test_every_product_keeps_a_whole_uncrossed_book_as_its_index_moves(listing: Listing) -> None:
    level = {
        "BRTI": 84_000.0,
        "ETHUSD_RTI": 2_430.0,
        "SOLUSD_RTI": 74.0,
        "XRPUSD_RTI": 1.36,
        "DOGEUSD_RTI": 0.07,
        "SHIBUSD_RTI": 0.0000135,
    }[listing.index_id]
    market = SpotMarket(listing, "seed", level=round(level * 10**8), now_ms=0)
    market.open_book()
    for step in range(1, 2_001):
        market.level = round(level * 10**8 * (1 + 0.002 * (step % 100 - 50) / 50))
        market.step(step * 50, with_book=True)
        assert max(market.bids) == market.bid < market.ask == min(market.asks)
        assert 30 <= len(market.bids) <= 60
        assert 30 <= len(market.asks) <= 60
    assert abs(market.bid / 10**listing.decimals / level - 1) < 0.005


def test_a_book_that_nobody_watched_for_a_while_is_whole_for_the_next_listener() -> None:
    feed = coinbase_feed(Faults())
    feed.add(coinbase_frames.LISTINGS[0], 1, level=84_000 * 10**8, now_ms=0)
    market, steady, passing = feed.markets["BTC-USD"], Outbox(), Outbox()
    feed.subscribe(steady, "matches", "BTC-USD")
    for level in (84_000, 80_000, 88_000):
        feed.moved(IndexTicked("BRTI", level * 10**8, market.now_ms, float(level * 10**8)))
        feed.run_to(market.now_ms + 1_000)
        feed.subscribe(passing, "level2_batch", "BTC-USD")
        assert max(market.bids) == market.bid < market.ask == min(market.asks)
        assert abs(market.bid / 100 - level) < 100
        feed.run_to(market.now_ms + 1_000)
        feed.unsubscribe(passing, "level2_batch", "BTC-USD")
    assert len(passing.frames) > 20
    assert all(b'"match"' in frame for frame, *_ in steady.frames)


def test_a_recorded_trade_is_repeated_as_it_was() -> None:
    feed = coinbase_feed(Faults())
    feed.add(coinbase_frames.LISTINGS[0], 1, level=84_000 * 10**8, now_ms=0)
    feeds, listener = Feeds([feed, kraken_feed(Faults())]), Outbox()
    feed.subscribe(listener, "matches", "BTC-USD")
    recorded = SpotTrade(trade_id=77, sequence=5, price=8_123_456, size=10**8, buyer_is_maker=True, now_ms=40)
    feed.repeat("BTC-USD", recorded, 40)
    feeds.follow([], 60_000)
    match = json.loads(listener.take())
    assert not listener.frames
    assert (match["trade_id"], match["price"], match["size"], match["side"]) == (77, "81234.56", "1", "buy")
    assert match["time"] == "1970-01-01T00:00:00.040077Z"


async def prices(socket: Any) -> list[Decimal]:
    """Of the next twenty matches."""
    found: list[Decimal] = []
    while len(found) < 20:
        message = await receive(socket)
        if message["type"] == "match":
            found.append(Decimal(message["price"]))
    return found


async def test_a_frozen_feed_talks_and_its_price_stands_still(start_exchange) -> None:
    client = await start_exchange(speed=20.0, quiet_traders=True)
    socket = await coinbase(client, "matches")
    assert max(await prices(socket)) - min(await prices(socket)) > 1
    await arm(client, "feed_frozen", ticker="coinbase", seconds=30)
    seen = await prices(socket)
    while len(set(seen)) > 2:
        seen = await prices(socket)
    assert max(seen) - min(seen) < 2


async def test_a_feed_that_is_off_jumps_by_so_much_and_the_other_does_not(start_exchange) -> None:
    client = await start_exchange(speed=20.0, quiet_traders=True)
    socket = await coinbase(client, "matches")
    before = (await prices(socket))[-1]
    await arm(client, "feed_off", ticker="coinbase", seconds=30, percent=5.0)
    after = (await prices(socket))[-1]
    while after < before * Decimal("1.04"):
        after = (await prices(socket))[-1]
    assert abs(after / before - Decimal("1.05")) < Decimal("0.005")
    other = await kraken(client)
    await other.send_json({"method": "subscribe", "params": {"channel": "ticker", "symbol": ["BTC/USD"]}})
    quote = await receive_until(other, lambda message: message.get("channel") == "ticker")
    assert abs(quote["data"][0]["last"] / before - 1) < Decimal("0.005")


async def test_a_silent_feed_sends_heartbeats_only(start_exchange) -> None:
    client = await start_exchange(speed=20.0, quiet_traders=True)
    socket = await coinbase(client, "matches", "heartbeat")
    await arm(client, "feed_silent", ticker="coinbase", seconds=30)
    await receive_until(socket, lambda message: message["type"] == "heartbeat")
    while (await receive(socket))["type"] != "heartbeat":
        pass
    assert {(await receive(socket))["type"] for _ in range(10)} == {"heartbeat"}


async def test_a_dead_feed_stays_connected_and_says_nothing_until_it_is_over(start_exchange) -> None:
    client = await start_exchange(speed=20.0, quiet_traders=True)
    socket = await kraken(client)
    await arm(client, "feed_dead", ticker="kraken", seconds=0.5)
    await socket.send_json({"method": "ping", "req_id": 1})
    other = await coinbase(client, "heartbeat")
    for _ in range(12):
        assert (await receive(other))["type"] == "heartbeat"
    await socket.send_json({"method": "ping", "req_id": 2})
    answered = asyncio.create_task(receive(socket))
    while not answered.done():
        await socket.send_json({"method": "ping", "req_id": 3})
        await receive(other)
    assert (await answered)["req_id"] in (2, 3)


def shape(value: Any) -> Any:
    """Keys and JSON types, with numbers apart by whether they have a point."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, str):
        if STAMP.fullmatch(value):
            return "stamp"
        return "decimal" if re.fullmatch(r"\d+(\.\d+)?", value) else "text"
    return type(value).__name__


def merged(messages: Iterator[Any]) -> dict[str, Any]:
    """The shape of every kind of message, from the one with the fullest lists."""
    found: dict[str, Any] = {}
    for message in messages:
        kind = f"{message.get('channel') or message.get('method') or ''} {message.get('type') or ''}".strip()
        if message.get("channel") == "book" and not all(
            message["data"][0][side] for side in ("bids", "asks")
        ):
            continue
        found.setdefault(kind, shape(message))
    return found


async def test_messages_have_the_keys_and_types_of_the_recorded_kraken_feed(start_exchange) -> None:
    lines = samples("flashbook_kraken_ws_20260707.ndjson.gz")
    recorded = merged(json.loads(line, parse_float=Decimal) for line in lines)
    client = await start_exchange(speed=20.0, quiet_traders=True)
    socket = await client.session.ws_connect(client.credentials.kraken_url)
    for params in (BTC | {"depth": 10}, {"channel": "trade", "symbol": ["BTC/USD"], "snapshot": False}):
        await socket.send_json({"method": "subscribe", "params": params})
    own: dict[str, Any] = {}
    while set(own) < set(recorded):
        own |= merged(iter([await receive(socket)])) | own
    assert own == recorded


async def test_messages_have_the_keys_and_types_of_the_recorded_coinbase_feed(start_exchange) -> None:
    lines = samples("flashbook_coinbase_ws_20260707.ndjson.gz")
    recorded = merged(json.loads(line) for line in lines)
    client = await start_exchange(speed=20.0, quiet_traders=True)
    socket = await client.session.ws_connect(client.credentials.price_url)
    wanted = ["level2_batch", "matches", "heartbeat"]
    await socket.send_json({"type": "subscribe", "product_ids": ["BTC-USD"], "channels": wanted})
    own: dict[str, Any] = {}
    while set(own) < set(recorded):
        own |= merged(iter([await receive(socket)])) | own
    assert own == recorded
