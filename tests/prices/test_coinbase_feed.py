"""Coinbase's feed: trades and heartbeats read exactly, silence and nonsense are faults."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import anyio
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from recio.clock import Clock
from recio.errors import Transient
from recio.messages import PriceTick
from recio.prices.coinbase import FeedError, Heartbeat, open_feed, parse_message
from tests.kalshi.local_venue import answers, local_venue

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MATCH = {
    "type": "match",
    "product_id": "BTC-USD",
    "price": "84013.20",
    "size": "0.01",
    "time": "2026-11-23T12:00:00.123456Z",
    "sequence": 1,
}


def parsed(**changes: object) -> PriceTick | Heartbeat | None:
    return parse_message(json.dumps({**MATCH, **changes}), symbol="BTC", received_at=NOW)


@pytest.mark.parametrize("kind", ["match", "last_match", "ticker"])
def test_a_trade_is_read_exactly(kind: str):
    tick = parsed(type=kind)
    assert isinstance(tick, PriceTick)
    assert (tick.price, tick.at.microsecond, tick.symbol) == (Decimal("84013.20"), 123456, "BTC")


def test_a_heartbeat_is_life_and_no_price():
    assert isinstance(parsed(type="heartbeat", price=None), Heartbeat)


def test_other_kinds_are_passed_over():
    assert parsed(type="subscriptions") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"price": None},
        {"price": "0"},
        {"price": "-1"},
        {"price": "NaN"},
        {"price": "x"},
        {"price": "1_000"},
        {"price": "1e5"},
        {"price": "9" * 40},
        {"price": " 5 "},
        {"price": 84013.2},
        {"time": None},
        {"time": "yesterday"},
        {"time": "2026-11-23T12:00:00"},
        {"type": "error", "message": "no such product"},
    ],
)
def test_nonsense_is_refused(changes: dict[str, object]):
    with pytest.raises(FeedError):
        parsed(**changes)


def test_the_price_of_another_product_is_refused():
    raw = json.dumps({**MATCH, "product_id": "ETH-USD"})
    with pytest.raises(FeedError, match="ETH-USD"):
        parse_message(raw, symbol="BTC", received_at=NOW, product="BTC-USD")


@settings(max_examples=1000, deadline=None)
@given(st.integers(0, 170), st.binary(max_size=4), st.integers(0, 6))
def test_a_mangled_message_is_understood_or_refused_and_nothing_else(at: int, new: bytes, drop: int):
    raw = json.dumps(MATCH).encode()
    with contextlib.suppress(FeedError):
        parse_message(raw[:at] + new + raw[at + drop :], symbol="BTC", received_at=NOW)


def test_json_nested_too_deep_is_refused():
    with pytest.raises(FeedError):
        parse_message(b'{"type":' + b"[" * 100_000, symbol="BTC", received_at=NOW)


@pytest.mark.recorded
def test_every_recorded_message_is_understood():
    data = Path(os.environ.get("RECIO_DATA") or Path(__file__).parents[3] / "shared" / "data")
    path = data / "exchange_ws_samples" / "flashbook_coinbase_ws_20260707.ndjson.gz"
    if not path.exists():
        pytest.skip("recorded markets are not on this machine (RECIO_DATA)")
    with gzip.open(path) as lines:
        kinds = [type(parse_message(line, symbol="BTC", received_at=NOW)).__name__ for line in lines]
    assert (kinds.count("PriceTick"), kinds.count("Heartbeat")) == (437, 118)


async def test_the_feed_subscribes_skips_and_notices_silence():
    wanted: list[dict[str, object]] = []

    async def feed_server(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        wanted.append(await socket.receive_json())
        await socket.send_json({"type": "subscriptions", "channels": []})
        await socket.send_json(MATCH)
        await socket.receive()
        return socket

    async with (
        local_venue(feed_server) as venue,
        open_feed(
            venue.session,
            venue.base_url.replace("http", "ws"),
            "BTC-USD",
            "BTC",
            Clock(),
            silence_limit_seconds=0.2,
        ) as feed,
    ):
        with anyio.fail_after(5):
            assert isinstance(await feed.receive(), PriceTick)
            with pytest.raises(Transient, match="silent"):
                await feed.receive()
    assert wanted[0]["product_ids"] == ["BTC-USD"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({**MATCH, "product_id": "ETH-USD"}, "ETH-USD"),
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

    async with (
        local_venue(feed_server) as venue,
        open_feed(
            venue.session,
            venue.base_url.replace("http", "ws"),
            "BTC-USD",
            "BTC",
            Clock(),
            silence_limit_seconds=5,
        ) as feed,
    ):
        with anyio.fail_after(5), pytest.raises(Transient, match=words):
            await feed.receive()


async def test_a_feed_that_is_away_is_transient():
    async with local_venue(answers(503, "")) as venue:
        with pytest.raises(Transient, match="cannot connect"):
            async with open_feed(
                venue.session,
                venue.base_url.replace("http", "ws"),
                "BTC-USD",
                "BTC",
                Clock(),
                silence_limit_seconds=5,
            ):
                pass
