"""Bitstamp's feed: each message is a whole book, read exactly; silence, refusals and nonsense are faults."""

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
from recio.prices import bitstamp
from recio.prices.feed import FeedError, Heard, Heartbeat, Quoted, Unpriced, open_feed
from tests.kalshi.local_venue import local_venue
from tests.kalshi.recordings import recorded
from tests.prices.wounds import mangled

PAIRS = {"btcusd": "BTC", "ethusd": "ETH"}
AT = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
STAMP = str(int(AT.timestamp()) * 1_000_000 + 123_456)
BOOK: dict[str, Any] = {
    "timestamp": STAMP[:10],
    "microtimestamp": STAMP,
    "bids": [["84000", "0.50000000"], ["84001", "0.10000000"]],
    "asks": [["84004", "0.20000000"], ["84003", "0.10000000"]],
}


def said(channel: str = "order_book_btcusd", /, **changes: object) -> str:
    return json.dumps({"event": "data", "channel": channel, "data": BOOK | changes})


def heard(raw: str | bytes) -> tuple[Heard, ...]:
    return bitstamp.parser(PAIRS)(raw)


def test_the_price_is_the_middle_of_the_best_orders_whatever_their_order():
    assert heard(said()) == (Quoted(symbol="BTC", price=Decimal(84_002), at=AT),)
    assert heard(said("order_book_ethusd", asks=[["84001.01", "1"]])) == (
        Quoted(symbol="ETH", price=Decimal("84001.005"), at=AT),
    )


def test_an_order_without_an_amount_does_not_stand():
    assert heard(said(bids=[["84002.99", "0.00000000"], ["83999", "1"]])) == (
        Quoted(symbol="BTC", price=Decimal(84_001), at=AT),
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"bids": []}, "one side"), ({"asks": []}, "one side"), ({"bids": [["84003", "1"]]}, "crossed")],
)
def test_a_book_that_names_no_price_says_why(changes: dict[str, object], why: str):
    (found,) = heard(said(**changes))
    assert isinstance(found, Unpriced)
    assert found.symbol == "BTC"
    assert why in found.why


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (said("order_book_dogeusd"), "order_book_dogeusd"),
        (said("diff_order_book_btcusd"), "diff_order_book_btcusd"),
        (said(microtimestamp="soon"), "microtimestamp"),
        (said(microtimestamp="9" * 30), "microtimestamp"),
        (said(microtimestamp=7), "microtimestamp"),
        (said(bids=[["nine", "1"]]), "BTC: price"),
        (said(bids=[["-1", "1"]]), "BTC: price"),
        (said(bids=[["84000", "-1"]]), "BTC: amount"),
        (said(bids=[["84000", "1e3"]]), "BTC: amount"),
        (said(bids=[["84000"]]), "bids"),
        (said(bids=[["84000", "1"]] * 2_001), "too many"),
        ('{"event":"bts:request_reconnect","channel":"","data":""}', "new connection"),
        (
            '{"event":"bts:error","channel":"","data":{"code":null,"message":"Bad subscription string."}}',
            "Bad",
        ),
        ('{"event":7}', "event"),
        ('{"event":' + "[" * 100_000, "bitstamp"),
    ],
)
def test_what_cannot_be_is_refused_by_name(raw: str, words: str):
    with pytest.raises(FeedError, match=words):
        heard(raw)


def test_a_refusal_that_names_one_pair_is_about_that_one_only():
    error = {"event": "bts:error", "channel": "order_book_ethusd", "data": {"message": "no such pair"}}
    assert heard(json.dumps(error)) == (Unpriced(symbol="ETH", why="no such pair"),)


def test_a_heartbeat_confirms_no_price_and_other_kinds_tell_nothing():
    beat = '{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}'
    assert heard(beat) == (Heartbeat(at=None, unchanged=False),)
    assert heard('{"event":"bts:subscription_succeeded","channel":"order_book_btcusd","data":{}}') == ()


def frames() -> Iterator[dict[str, Any]]:
    """Every received message of the recording; its books are of the channel of changes."""
    path = recorded("exchange_ws_samples", "cryptofeed_BITSTAMP.jsonl.zst")
    with path.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as stream:
        for line in io.TextIOWrapper(stream, "utf-8"):
            row = json.loads(line)
            if row["t"] == "recv":
                yield json.loads(row["data"])


@pytest.mark.recorded
def test_every_recorded_message_is_read_exactly():
    """The recorded channel of changes has the very form of the channel that is subscribed, and smaller books."""
    kinds: Counter[str] = Counter()
    for frame in frames():
        kinds[frame["event"]] += 1
        name = frame["channel"].rpartition("_")[2]
        if frame["event"] != "data":
            assert bitstamp.parser({name: "X"})(json.dumps(frame)) == ()
            continue
        whole = json.dumps(frame | {"channel": "order_book_" + name})
        (found,) = bitstamp.parser({name: "X"})(whole)
        bids, asks = (
            [Decimal(price) for price, amount in frame["data"][side] if Decimal(amount)]
            for side in ("bids", "asks")
        )
        if bids and asks and max(bids) < min(asks):
            assert isinstance(found, Quoted)
            assert found.price == (max(bids) + min(asks)) / 2
            assert found.at is not None
            assert str(round(found.at.timestamp() * 1e6)) == frame["data"]["microtimestamp"]
        else:
            assert isinstance(found, Unpriced)
    assert kinds == {"bts:subscription_succeeded": 20, "data": 717, "trade": 10}


@pytest.mark.recorded
def test_two_thousand_mangled_recorded_messages_are_refused_or_believable():
    seeds = [json.dumps(each).replace("diff_", "").encode() for each in frames() if each["event"] == "data"]
    pairs = {json.loads(each)["channel"].rpartition("_")[2]: "X" for each in seeds}
    dice, refused, priced = random.Random(5), 0, 0
    for _ in range(2_000):
        try:
            found = bitstamp.parser(pairs)(mangled(dice.choice(seeds), dice))
        except FeedError:
            refused += 1
            continue
        for each in found:
            if isinstance(each, Quoted):
                priced += 1
                assert 0 < each.price <= 100_000_000
    assert refused > 100
    assert priced > 30


async def test_each_pair_is_subscribed_and_a_silent_connection_is_given_up():
    wanted: list[dict[str, object]] = []

    async def feed_server(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        wanted.extend([await socket.receive_json(), await socket.receive_json()])
        await socket.send_str(said())
        await socket.receive()
        return socket

    async with local_venue(feed_server) as venue:
        source = bitstamp.source(venue.base_url.replace("http", "ws"), PAIRS)
        async with open_feed(venue.session, source, idle_timeout_seconds=0.2) as feed:
            with anyio.fail_after(5):
                assert len(await feed.receive()) == 1
                with pytest.raises(Transient, match="silent"):
                    await feed.receive()
    assert wanted == [{"event": "bts:subscribe", "data": {"channel": f"order_book_{pair}"}} for pair in PAIRS]
