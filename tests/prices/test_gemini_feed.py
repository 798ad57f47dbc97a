"""Gemini's feed: a book kept from its first message and its changes; what breaks it is found and given up."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import anyio
import pytest
import zstandard
from aiohttp import web

from recio.errors import Transient
from recio.prices import gemini
from recio.prices.feed import FeedError, Heard, Heartbeat, Parser, Quoted, Unpriced, open_feed
from tests.kalshi.local_venue import local_venue
from tests.kalshi.recordings import recorded
from tests.prices.wounds import mangled

NAMES = {"BTCUSD": "BTC", "ETHUSD": "ETH"}
LEVELS = [["buy", "84000", "1.5"], ["buy", "83990.5", "2"], ["sell", "84004", "0.1"], ["sell", "84010", "3"]]


def first(symbol: str = "BTCUSD", levels: list[list[str]] = LEVELS) -> str:
    return json.dumps(
        {"type": "l2_updates", "symbol": symbol, "changes": levels, "trades": [], "auction_events": []}
    )


def change(*levels: list[object], symbol: str = "BTCUSD") -> str:
    return json.dumps({"type": "l2_updates", "symbol": symbol, "changes": list(levels)})


def started() -> Parser:
    parse = gemini.parser(NAMES)
    assert price_of(parse(first())) == 84_002
    return parse


def price_of(heard: tuple[Heard, ...]) -> Decimal:
    (found,) = (each for each in heard if isinstance(each, Quoted))
    return found.price


def test_the_price_is_the_middle_of_the_book_and_follows_its_changes():
    parse = started()
    assert price_of(parse(change(["buy", "84001", "1"]))) == Decimal("84002.5")
    assert price_of(parse(change(["buy", "84001", "0.0"], ["buy", "84000", "0.0"]))) == Decimal("83997.25")
    assert price_of(parse(change(["sell", "84020", "1"]))) == Decimal("83997.25")
    assert price_of(parse(change(["sell", "84004", "0"]))) == Decimal("84000.25")


def test_whatever_comes_confirms_every_price_of_the_connection():
    parse = started()
    assert Heartbeat(at=None) in parse(change(["buy", "84001", "1"]))
    at = datetime(2026, 11, 23, 12, 0, 0, 331000, tzinfo=UTC)
    beat = {"type": "heartbeat", "timestamp": int(at.timestamp() * 1000)}
    assert parse(json.dumps(beat)) == (Heartbeat(at=at),)


def test_each_symbol_has_a_book_of_its_own():
    parse = started()
    other = parse(first("ETHUSD", [["buy", "2500", "1"], ["sell", "2501", "1"]]))
    assert price_of(other) == Decimal("2500.5")
    assert price_of(parse(change(["buy", "84001", "1"]))) == Decimal("84002.5")


def test_a_book_told_anew_forgets_the_one_before():
    parse = started()
    assert price_of(parse(first(levels=[["buy", "80000", "1"], ["sell", "80001", "1"]]))) == Decimal(
        "80000.5"
    )


def test_a_book_that_is_crossed_for_a_moment_has_no_price_and_one_that_stays_so_is_given_up():
    parse = started()
    crossing = parse(change(["buy", "84005", "1"]))
    assert any(isinstance(each, Unpriced) and "crossed" in each.why for each in crossing)
    assert price_of(parse(change(["sell", "84004", "0"]))) == Decimal("84007.5")
    with pytest.raises(FeedError, match="crossed"):
        for _ in range(30):
            parse(change(["buy", "84100", "1"]))


def test_trades_and_unknown_kinds_tell_nothing():
    parse = started()
    assert parse('{"type":"trade","symbol":"BTCUSD","price":"1.00"}') == ()
    assert parse('{"type":"candles_1m_updates"}') == ()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (change(["buy", "84001", "1"], symbol="ETHUSD"), "before its book"),
        (first("DOGEUSD"), "DOGEUSD"),
        (change(["bid", "84001", "1"]), "side"),
        (change(["buy", "abc", "1"]), "BTC: price"),
        (change(["buy", "0", "1"]), "BTC: price"),
        (change(["buy", "84001", "-1"]), "BTC: amount"),
        (change(["buy", "84001", "NaN"]), "BTC: amount"),
        (change(["buy", 84001.5, "1"]), "changes"),
        (change(["buy", "84001"]), "changes"),
        ('{"type":"heartbeat","timestamp":-1}', "timestamp"),
        ('{"type":"heartbeat","timestamp":1e300}', "timestamp"),
        ('{"type":"heartbeat"}', "timestamp"),
        ('{"result":"error","reason":"InvalidSymbol","message":"no such symbol"}', "InvalidSymbol"),
        ('{"type":7}', "type"),
        ('{"type":' + "[" * 100_000, "gemini"),
    ],
)
def test_what_cannot_be_is_refused_by_name(raw: str, words: str):
    with pytest.raises(FeedError, match=words):
        started()(raw)


def frames() -> Iterator[str]:
    path = recorded("exchange_ws_samples", "cryptofeed_GEMINI.jsonl.zst")
    with path.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as stream:
        for line in io.TextIOWrapper(stream, "utf-8"):
            row = json.loads(line)
            if row["t"] == "recv":
                yield row["data"]


def all_names() -> dict[str, str]:
    said = (json.loads(each) for each in frames())
    return {each["symbol"]: each["symbol"] for each in said if "symbol" in each}


@pytest.mark.recorded
def test_every_recorded_message_is_read_exactly():
    """Against books kept the plain way, level by level."""
    parse, kinds = gemini.parser(all_names()), Counter[str]()
    plain: dict[str, dict[str, dict[Decimal, Decimal]]] = {}
    for raw in frames():
        said, heard = json.loads(raw), parse(raw)
        kinds[said["type"]] += 1
        if said["type"] != "l2_updates":
            continue
        if "trades" in said:
            plain[said["symbol"]] = {"buy": {}, "sell": {}}
        book = plain[said["symbol"]]
        for side, price, amount in said["changes"]:
            book[side][Decimal(price)] = Decimal(amount)
        bids, asks = ([price for price, amount in book[side].items() if amount] for side in ("buy", "sell"))
        if max(bids) < min(asks):
            assert price_of(heard) == (max(bids) + min(asks)) / 2
        else:
            assert any(isinstance(each, Unpriced) for each in heard)
    assert kinds == {"l2_updates": 559, "trade": 2, "heartbeat": 2}


@pytest.mark.recorded
def test_two_thousand_mangled_recorded_messages_are_refused_or_believable():
    seeds = [each.encode() for each in frames() if len(each) < 5_000]
    names, dice, refused, priced = all_names(), random.Random(5), 0, 0
    for _ in range(2_000):
        parse = gemini.parser(names)
        for name in names:
            parse(first(name))
        try:
            found = parse(mangled(dice.choice(seeds), dice))
        except FeedError:
            refused += 1
            continue
        for each in found:
            if isinstance(each, Quoted):
                priced += 1
                assert 0 < each.price <= 100_000_000
    assert refused > 100
    assert priced > 30


async def test_all_symbols_are_subscribed_at_once_and_a_silent_connection_is_given_up():
    wanted: list[dict[str, Any]] = []

    async def feed_server(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        wanted.append(await socket.receive_json())
        await socket.send_str(first())
        await socket.receive()
        return socket

    async with local_venue(feed_server) as venue:
        source = gemini.source(venue.base_url.replace("http", "ws"), NAMES)
        async with open_feed(venue.session, source, idle_timeout_seconds=0.2) as feed:
            with anyio.fail_after(5):
                assert price_of(await feed.receive()) == 84_002
                with pytest.raises(Transient, match="silent"):
                    await feed.receive()
    assert wanted == [{"type": "subscribe", "subscriptions": [{"name": "l2", "symbols": list(NAMES)}]}]
