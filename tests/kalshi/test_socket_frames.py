"""The socket and its frames: signed, strict, and silence is a fault."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from aiohttp import WSMsgType, web

from recio.clock import Clock
from recio.errors import BadConfig, Transient
from recio.kalshi.frame_kinds import BadFrame, TickerSeen
from recio.kalshi.frames import (
    Acknowledged,
    FrameError,
    Listed,
    Passed,
    Subscribed,
    VenueError,
    parse_frame,
)
from recio.kalshi.signing import KeyProof
from recio.kalshi.socket import open_socket
from recio.kalshi.subscriptions import Command, Subscriptions
from recio.kalshi.venue_clock import VenueClock
from recio.rules.health.clock_offset import Offset
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen
from recio.units import Side, Ticker
from tests.kalshi.local_venue import SIGNER, LocalVenue, answers, local_venue

DELTA = {
    "type": "orderbook_delta",
    "sid": 2,
    "seq": 3,
    "msg": {"market_ticker": "K", "price_dollars": "0.2600", "delta_fp": "-54.25", "side": "no", "ts_ms": 5},
}


def frame(**changes: object) -> bytes:
    return json.dumps({**DELTA, **changes}).encode()


def test_a_delta_is_read_exactly():
    seen = parse_frame(frame())
    assert isinstance(seen, BookDeltaSeen)
    assert (seen.sid, seen.seq, seen.side, seen.price, seen.change, seen.at_ms) == (
        2,
        3,
        Side.NO,
        2600,
        -5425,
        5,
    )


@pytest.mark.parametrize("empty", [{}, {"no_dollars_fp": None}, {"no_dollars_fp": []}])
def test_an_empty_side_may_be_left_out_of_a_snapshot_or_be_null(empty: dict[str, object]):
    body = {"market_ticker": "K", "yes_dollars_fp": [["0.0010", "1502.00"]], **empty}
    seen = parse_frame(frame(type="orderbook_snapshot", msg=body))
    assert isinstance(seen, BookSnapshotSeen)
    assert (seen.yes, seen.no) == (((10, 150_200),), ())


def test_an_empty_quote_is_none_and_never_zero():
    body = {"market_ticker": "K", "yes_bid_dollars": "0.0000", "yes_ask_dollars": "1.0000", "ts_ms": 1}
    seen = parse_frame(frame(type="ticker", seq=None, msg=body))
    assert isinstance(seen, TickerSeen)
    assert (seen.yes_bid, seen.yes_ask) == (None, None)


def test_replies_and_errors_are_told_apart():
    assert parse_frame(b'{"type":"subscribed","id":1,"msg":{"channel":"fill","sid":4}}') == Subscribed(
        channel="fill", sid=4, number=1
    )
    assert parse_frame(b'{"type":"ok","id":2,"sid":1,"seq":7,"msg":{"market_tickers":[]}}') == Acknowledged(
        sid=1, seq=7, number=2
    )
    assert parse_frame(b'{"type":"unsubscribed","id":4,"sid":1,"seq":8}') == Acknowledged(
        sid=1, seq=8, number=4, ended=True
    )
    assert parse_frame(b'{"type":"ok","id":2,"msg":[{"channel":"fill","sid":4}]}') == Listed(
        subscriptions=(("fill", 4),), number=2
    )
    assert parse_frame(b'{"type":"error","id":2,"msg":{"code":25,"msg":"overflow"}}') == VenueError(
        code=25, text="overflow", sid=None, number=2
    )
    assert parse_frame(b'{"type":"of next year","sid":1,"seq":2,"msg":{}}') == Passed(
        kind="of next year", sid=1, seq=2
    )


@pytest.mark.parametrize(
    ("msg", "code", "text"),
    [
        ({"code": "25", "msg": "overflow"}, 25, "overflow"),
        ({"code": 25, "msg": None}, 25, "code"),
        ({"code": 25}, 25, "25"),
        ({"code": None, "msg": "of next year"}, 0, "of next year"),
        ({"code": "of next year", "msg": {"a": 1}}, 0, "of next year"),
        ("of next year", 0, "of next year"),
        (None, 0, "null"),
        ([], 0, r"\[\]"),
    ],
)
def test_an_error_is_one_however_it_is_written(msg: object, code: int, text: str):
    found = parse_frame(json.dumps({"type": "error", "sid": 4, "id": 2, "msg": msg}))
    assert isinstance(found, VenueError)
    assert (found.code, found.sid, found.number) == (code, 4, 2)
    assert re.search(text, found.text)
    assert isinstance(parse_frame('{"type":"error"}'), VenueError)


@pytest.mark.parametrize(
    ("broken", "word"),
    [
        (frame(seq=None), "seq"),
        (frame(sid="2"), "sid"),
        (frame(msg={**DELTA["msg"], "side": "maybe"}), "side"),
        (frame(msg={**DELTA["msg"], "price_dollars": "0.26001"}), "0.26001"),
        (frame(msg={**DELTA["msg"], "delta_fp": 1}), "delta_fp"),
        (frame(msg={"market_ticker": "K"}), "price_dollars"),
        (frame()[:-9], "truncated"),
        (b"\xff\xfe", "frame"),
        (b"[]", "object"),
    ],
)
def test_a_frame_that_is_not_understood_is_refused_with_its_field_named(broken: bytes, word: str):
    with pytest.raises(FrameError, match=word):
        parse_frame(broken)


async def _speak(venue: LocalVenue, limit: float = 5.0, key_proof: KeyProof | None = None):
    return open_socket(
        venue.session,
        venue.base_url.replace("http", "ws") + "/trade-api/ws/v2",
        SIGNER,
        Clock(),
        venue_clock=VenueClock(),
        idle_timeout_seconds=limit,
        key_proof=key_proof,
    )


async def test_subscriptions_are_signed_numbered_and_explicit_about_prices():
    heard: list[dict[str, object]] = []
    signed: list[str | None] = []

    async def venue_socket(request: web.Request) -> web.StreamResponse:
        signed.append(request.headers.get("KALSHI-ACCESS-SIGNATURE"))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            heard.append(json.loads(message.data))
            await socket.send_str(frame().decode())
        return socket

    async with local_venue(venue_socket) as venue, await _speak(venue) as socket:
        (command,) = Subscriptions(indexes=()).want_books({Ticker("K")})
        assert [await socket.send(command), await socket.send(command)] == [1, 2]
        with anyio.fail_after(5):
            frames = list(await socket.receive())
            while len(frames) < 2:
                frames += await socket.receive()
            assert [type(each) for each in frames] == [BookDeltaSeen, BookDeltaSeen]
    assert signed[0]
    assert heard[0] == {
        "id": 1,
        "cmd": "subscribe",
        "params": {"channels": ["orderbook_delta"], "market_tickers": ["K"], "use_yes_price": True},
    }
    assert heard[1] == {**heard[0], "id": 2}


async def test_a_socket_that_says_nothing_is_a_fault():
    async def silent(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        return socket

    async with local_venue(silent) as venue, await _speak(venue, 0.1) as socket:
        with anyio.fail_after(5), pytest.raises(Transient, match="no frame and no ping"):
            await socket.receive()


async def test_a_ping_is_life_and_is_answered():
    pongs: list[bytes] = []

    async def pinging(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        await socket.ping(b"heartbeat")
        answer = await socket.receive()
        if answer.type is WSMsgType.PONG:
            pongs.append(answer.data)
        await socket.send_str(frame().decode())
        await socket.receive()
        return socket

    async with local_venue(pinging) as venue, await _speak(venue) as socket:
        before = socket.last_heard
        with anyio.fail_after(5):
            assert [type(each) for each in await socket.receive()] == [BookDeltaSeen]
        assert socket.last_heard > before
    assert [bytes(pong) for pong in pongs] == [b"heartbeat"]


async def test_a_closed_socket_and_a_refused_key_are_told_apart():
    async def closing(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close()
        return socket

    async with local_venue(closing) as venue, await _speak(venue) as socket:
        with anyio.fail_after(5), pytest.raises(Transient, match="closed"):
            await socket.receive()


async def test_an_upgrade_without_a_reason_is_a_refused_key():
    async with local_venue(answers(401, "")) as venue:
        with pytest.raises(BadConfig, match="key-1"):
            async with await _speak(venue):
                pass


async def test_a_key_that_was_taken_before_by_socket_or_read_is_never_a_bad_one():
    taken = {"balance": True}

    async def venue_of_moods(request: web.Request) -> web.StreamResponse:
        if not taken["balance"]:
            return web.Response(status=401)
        if request.path.endswith("/balance"):
            return web.json_response({})
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close()
        return socket

    async with local_venue(venue_of_moods) as venue:
        by_socket, rest = KeyProof(), venue.rest()
        async with await _speak(venue, key_proof=by_socket):
            pass
        await rest.get("/markets-of-nobody/balance")
        assert not rest.key_proof.accepted
        await rest.get("/portfolio/balance")
        taken["balance"] = False
        for proof in (by_socket, rest.key_proof):
            with pytest.raises(Transient, match="key-1"):
                async with await _speak(venue, key_proof=proof):
                    pass


@pytest.mark.parametrize(
    ("code", "kind"),
    [("header_timestamp_expired", Transient), ("authentication_error", BadConfig)],
)
async def test_a_clock_that_is_off_is_no_bad_key_at_the_upgrade_either(code: str, kind: type[Exception]):
    body = json.dumps({"error": {"code": code, "message": code, "details": "X"}})
    async with local_venue(answers(401, body)) as venue:
        with pytest.raises(kind, match=code):
            async with await _speak(venue):
                pass


async def test_a_venue_that_is_away_is_transient():
    async with local_venue(answers(503, "")) as venue:
        with pytest.raises(Transient, match="503"):
            async with await _speak(venue):
                pass


async def test_a_command_that_nobody_reads_is_a_fault_and_no_wait_for_ever():
    heard = anyio.Event()
    leave = anyio.Event()

    async def deaf(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        heard.set()
        await leave.wait()
        return socket

    async with local_venue(deaf) as venue, await _speak(venue, 0.2) as socket:
        await heard.wait()
        with anyio.fail_after(10), pytest.raises(Transient, match="could not be sent"):
            while True:
                await socket.send(Command(name="subscribe", params={"x": "K" * 4_000_000}, channels=()))
        leave.set()


async def test_a_bad_frame_is_handed_over_as_such():
    async def garbling(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("{")
        await socket.receive()
        return socket

    async with local_venue(garbling) as venue, await _speak(venue) as socket:
        with anyio.fail_after(5):
            assert [type(each) for each in await socket.receive()] == [BadFrame]


async def test_a_stream_that_lags_behind_shows_how_old_its_data_is():
    stamp = int((datetime.now(UTC) - timedelta(seconds=8)).timestamp() * 1000)

    async def lagging(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        body = {"market_ticker": "K", "yes_bid_dollars": "0.5", "yes_ask_dollars": "0.6", "ts_ms": stamp}
        await socket.send_str(frame(type="ticker", seq=None, msg=body).decode())
        await socket.receive()
        return socket

    async with local_venue(lagging) as venue, await _speak(venue) as socket:
        assert socket.delay == timedelta(0)
        with anyio.fail_after(5):
            await socket.receive()
        assert timedelta(seconds=8) <= socket.delay < timedelta(seconds=13)
        assert socket.last_frame == socket.last_heard
        assert socket.stamp == datetime.fromtimestamp(stamp // 1000, UTC).replace(
            microsecond=stamp % 1000 * 1000
        )


@pytest.mark.parametrize(("venue_is_ahead_by", "stamped_ago", "old"), [(-40.0, 41.0, 1.0), (40.0, 0.0, 40.0)])
async def test_how_old_data_is_goes_by_the_venues_clock_where_ours_is_known_to_be_wrong(
    venue_is_ahead_by: float, stamped_ago: float, old: float
):
    stamp = int((datetime.now(UTC) - timedelta(seconds=stamped_ago)).timestamp() * 1000)

    async def stamping(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        change = {
            "market_ticker": "K",
            "price_dollars": "0.5",
            "delta_fp": "1",
            "side": "yes",
            "ts_ms": stamp,
        }
        await socket.send_str(frame(type="orderbook_delta", seq=1, msg=change).decode())
        await socket.receive()
        return socket

    async with local_venue(stamping) as venue, await _speak(venue) as socket:
        socket.venue_clock.offset = Offset(nearest=venue_is_ahead_by, uncertainty=0.2)
        with anyio.fail_after(30):
            await socket.receive()
        assert timedelta(seconds=old - 0.3) <= socket.delay < timedelta(seconds=old + 25)


async def test_a_ping_is_life_but_no_frame():
    async def pinging(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        await socket.ping(b"heartbeat")
        await socket.receive()
        await socket.close()
        return socket

    async with local_venue(pinging) as venue, await _speak(venue) as socket:
        before = socket.last_heard
        with anyio.fail_after(5), pytest.raises(Transient, match="closed"):
            await socket.receive()
        assert socket.last_heard > before
        assert socket.last_frame is None


def test_a_quote_outside_the_dollar_is_refused_and_no_empty_side():
    body = {"market_ticker": "K", "yes_bid_dollars": "-0.1000", "yes_ask_dollars": "1.0000", "ts_ms": 1}
    with pytest.raises(FrameError, match=r"yes_bid_dollars -0\.1000"):
        parse_frame(frame(type="ticker", seq=None, msg=body))


async def test_books_that_are_late_alone_are_not_made_fresh_by_another_channel_until_what_was_on_its_way_has_come():
    """Index and tickers come in time on the same socket."""

    def ago(seconds: float) -> int:
        return int((datetime.now(UTC) - timedelta(seconds=seconds)).timestamp() * 1000)

    def quote() -> str:
        body = {"market_ticker": "K", "yes_bid_dollars": "0.5", "yes_ask_dollars": "0.6", "ts_ms": ago(0)}
        return frame(type="ticker", seq=None, msg=body).decode()

    async def late_books(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        change = {"market_ticker": "K", "price_dollars": "0.5", "delta_fp": "1", "side": "yes"}
        await socket.send_str(frame(type="orderbook_delta", seq=1, msg=change | {"ts_ms": ago(2)}).decode())
        async for _ in socket:
            await socket.send_str(quote())
        return socket

    async with local_venue(late_books) as venue, await _speak(venue) as socket:
        with anyio.fail_after(20):
            await socket.receive()
            await socket.send(Command(name="more", params={}, channels=()))
            await socket.receive()
            assert timedelta(seconds=2) <= socket.delay
            while socket.delay >= timedelta(seconds=2):
                await socket.send(Command(name="more", params={}, channels=()))
                await socket.receive()
