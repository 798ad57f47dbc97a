"""Coinbase's feed: trades and heartbeats read exactly, silence and nonsense are faults."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from decimal import Decimal

import anyio
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from recio.errors import Transient
from recio.prices import coinbase
from recio.prices.feed import Feed, FeedError, Heard, Heartbeat, Quoted, Unpriced, open_feed
from tests.kalshi.local_venue import LocalVenue, answers, local_venue
from tests.kalshi.recordings import recorded
from tests.prices.wounds import mangled

PRODUCTS = {"BTC-USD": "BTC", "ETH-USD": "ETH"}
AT = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
MATCH = {
    "type": "match",
    "product_id": "BTC-USD",
    "price": "84013.20",
    "size": "0.01",
    "time": "2026-11-23T12:00:00.123456Z",
    "trade_id": 71,
    "sequence": 1,
}
BEAT = {
    "type": "heartbeat",
    "product_id": "BTC-USD",
    "last_trade_id": 71,
    "time": "2026-11-23T12:00:01.000000Z",
    "sequence": 2,
}
BEAT_AT = datetime(2026, 11, 23, 12, 0, 1, tzinfo=UTC)


def parsed(**changes: object) -> tuple[Heard, ...]:
    return coinbase.parser(PRODUCTS)(json.dumps({**MATCH, **changes}))


@pytest.mark.parametrize("kind", ["match", "last_match"])
def test_a_trade_is_read_exactly(kind: str):
    assert parsed(type=kind) == (Quoted(symbol="BTC", price=Decimal("84013.20"), at=AT),)


def test_each_product_is_its_own_symbol():
    assert parsed(product_id="ETH-USD", price="2500.01") == (
        Quoted(symbol="ETH", price=Decimal("2500.01"), at=AT),
    )


def after(*messages: Mapping[str, object]) -> tuple[Heard, ...]:
    """What the last of these messages tells."""
    parse = coinbase.parser(PRODUCTS)
    heard: tuple[Heard, ...] = ()
    for message in messages:
        heard = parse(json.dumps(message))
    return heard


def test_a_heartbeat_that_names_the_newest_trade_confirms_its_price():
    assert after(MATCH, BEAT) == (Heartbeat(at=BEAT_AT, symbol="BTC", unchanged=True),)


def test_a_heartbeat_that_names_a_trade_we_never_saw_confirms_nothing():
    assert after(MATCH, {**BEAT, "last_trade_id": 72}) == (
        Heartbeat(at=BEAT_AT, symbol="BTC", unchanged=False),
    )
    assert after(BEAT) == (Heartbeat(at=BEAT_AT, symbol="BTC", unchanged=False),)


def test_a_trade_that_comes_late_is_not_the_last_one():
    assert after(MATCH, {**MATCH, "trade_id": 70, "price": "1.00"}) == ()


@pytest.mark.parametrize("said", [{"type": "subscriptions"}, {"type": "ticker", "price": 1.5, "time": 7}])
def test_other_kinds_are_passed_over_whatever_they_hold(said: dict[str, object]):
    assert after(said) == ()


def test_a_refusal_that_names_one_product_is_about_that_one_only():
    said = {"type": "error", "message": "Failed to subscribe", "reason": "ETH-USD is not a valid product"}
    (heard,) = after(said)
    assert isinstance(heard, Unpriced)
    assert (heard.symbol, heard.why) == ("ETH", "Failed to subscribe ETH-USD is not a valid product")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"price": ""}, "price"),
        ({"price": None}, "price"),
        ({"price": "0"}, "price"),
        ({"price": "-1"}, "price"),
        ({"price": "NaN"}, "price"),
        ({"price": "1_000"}, "price"),
        ({"price": "1e5"}, "price"),
        ({"price": "100000001"}, "price"),
        ({"price": "0.0000000000001"}, "price"),
        ({"price": " 5 "}, "price"),
        ({"price": 84013.2}, "price"),
        ({"time": None}, "time"),
        ({"time": "yesterday"}, "time"),
        ({"time": "2026-11-23T12:00:00"}, "time"),
        ({"product_id": "DOGE-USD"}, "product_id"),
        ({"product_id": None}, "product_id"),
        ({"trade_id": None}, "trade_id"),
        ({"trade_id": -1}, "trade_id"),
        ({"type": "heartbeat"}, "last_trade_id"),
        ({"type": 7}, "type"),
        ({"type": "error", "message": "no such channel"}, "no such channel"),
    ],
)
def test_nonsense_is_refused_with_the_field_named(changes: dict[str, object], field: str):
    with pytest.raises(FeedError, match=field):
        parsed(**changes)


def test_a_message_without_a_needed_field_is_refused():
    for field in ("price", "time", "product_id", "trade_id"):
        with pytest.raises(FeedError, match=field):
            after({name: value for name, value in MATCH.items() if name != field})


@settings(max_examples=1000, deadline=None)
@given(st.integers(0, 170), st.binary(max_size=4), st.integers(0, 6))
def test_a_mangled_message_is_refused_or_says_what_its_json_says(at: int, new: bytes, drop: int):
    raw = json.dumps(MATCH).encode()
    wounded = raw[:at] + new + raw[at + drop :]
    try:
        heard = coinbase.parser(PRODUCTS)(wounded)
    except FeedError:
        return
    for each in heard:
        if isinstance(each, Quoted):
            assert each.price == Decimal(json.loads(wounded.decode("utf-8", "replace"))["price"])


def test_json_nested_too_deep_is_refused():
    with pytest.raises(FeedError):
        coinbase.parser(PRODUCTS)(b'{"type":' + b"[" * 100_000)


@pytest.mark.recorded
def test_every_recorded_message_is_understood_and_every_heartbeat_finds_no_trade_missing():
    parse = coinbase.parser(PRODUCTS)
    with gzip.open(recorded("exchange_ws_samples", "flashbook_coinbase_ws_20260707.ndjson.gz")) as lines:
        told = [(json.loads(line), parse(line)) for line in lines]
    kinds = Counter(said["type"] for said, _ in told)
    assert kinds == {
        "subscriptions": 1,
        "snapshot": 2,
        "l2update": 1898,
        "match": 435,
        "last_match": 2,
        "heartbeat": 118,
    }
    assert Counter(type(each) for _, heard in told for each in heard) == {Quoted: 437, Heartbeat: 118}
    for said, heard in told:
        for each in heard:
            if isinstance(each, Quoted):
                assert (each.price, each.symbol) == (Decimal(said["price"]), PRODUCTS[said["product_id"]])
            else:
                assert isinstance(each, Heartbeat)
                assert each.unchanged


@pytest.mark.recorded
def test_two_thousand_mangled_recorded_messages_are_refused_or_say_what_their_json_says():
    with gzip.open(recorded("exchange_ws_samples", "flashbook_coinbase_ws_20260707.ndjson.gz")) as lines:
        seeds = [line for line in lines if line.startswith((b'{"type":"match"', b'{"type":"heartbeat"'))]
    dice, understood, refused = random.Random(20260707), 0, 0
    for _ in range(2_000):
        raw = mangled(dice.choice(seeds), dice)
        try:
            heard = coinbase.parser(PRODUCTS)(raw)
        except FeedError:
            refused += 1
            continue
        for each in heard:
            if isinstance(each, Quoted):
                said = json.loads(raw.decode("utf-8", "replace"))
                assert (each.price, each.symbol) == (Decimal(said["price"]), PRODUCTS[said["product_id"]])
                understood += 1
    assert understood > 100
    assert refused > 100


def feed_of(
    venue: LocalVenue, silence: float = 5, products: Mapping[str, str] = PRODUCTS
) -> AbstractAsyncContextManager[Feed]:
    source = coinbase.source(venue.base_url.replace("http", "ws"), products)
    return open_feed(venue.session, source, idle_timeout_seconds=silence)


async def test_each_product_is_subscribed_by_a_message_of_its_own_and_silence_is_noticed():
    wanted: list[dict[str, object]] = []

    async def feed_server(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        wanted.extend([await socket.receive_json(), await socket.receive_json()])
        await socket.send_json(MATCH)
        await socket.receive()
        return socket

    async with local_venue(feed_server) as venue, feed_of(venue, silence=0.2) as feed:
        with anyio.fail_after(5):
            assert len(await feed.receive()) == 1
            with pytest.raises(Transient, match="silent"):
                await feed.receive()
    channels = ["matches", "heartbeat"]
    assert wanted == [
        {"type": "subscribe", "product_ids": [product], "channels": channels}
        for product in ("BTC-USD", "ETH-USD")
    ]


async def test_a_source_that_talks_of_other_things_only_is_silent():
    async def feed_server(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        while not socket.closed:
            await socket.send_json({"type": "subscriptions", "channels": []})
            with anyio.move_on_after(0.05):
                await socket.receive()
        return socket

    async with local_venue(feed_server) as venue, feed_of(venue, silence=0.3) as feed:
        with anyio.fail_after(5), pytest.raises(Transient, match="silent"):
            await feed.receive()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({**MATCH, "product_id": "DOGE-USD"}, "DOGE-USD"),
        ({"type": "error", "message": "Failed to subscribe", "reason": "no such product"}, "no such product"),
        ({**MATCH, "price": "0"}, "price"),
        (None, "closed"),
    ],
)
async def test_a_feed_that_says_nonsense_or_leaves_is_transient(said: dict[str, object] | None, words: str):
    async def feed_server(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        if said is not None:
            await socket.send_json(said)
            await socket.receive()
        return socket

    async with local_venue(feed_server) as venue, feed_of(venue) as feed:
        with anyio.fail_after(5), pytest.raises(Transient, match=words):
            await feed.receive()


async def test_a_feed_that_is_away_is_transient():
    async with local_venue(answers(503, "")) as venue:
        with pytest.raises(Transient, match="cannot connect"):
            async with feed_of(venue):
                pass
