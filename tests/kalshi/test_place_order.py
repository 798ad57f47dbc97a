"""Placing an order: one request, and an outcome that never claims more than is known."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp
import anyio
import pytest
from aiohttp import web

from recio.clock import Clock
from recio.kalshi.orders import place
from recio.kalshi.rest import KalshiRest
from recio.messages.orders import OrderAccepted, OrderOutcome, OrderRejected, OrderUnknown, PlaceOrder
from recio.texts import writable
from recio.units import BookSide, ClientOrderId, Price, Quantity, Ticker
from tests.conftest import unused_port
from tests.kalshi.local_venue import SIGNER, answers, local_venue

ORDER = PlaceOrder(
    client_order_id=ClientOrderId("recio-0123abcd-1-entry-1"),
    ticker=Ticker("KX-1"),
    exchange_index=2,
    book_side=BookSide.BID,
    quantity=Quantity(1050),
    price=Price(5200),
    reduce_only=False,
    send_before=datetime.now(UTC),
)
CREATED = '{"order_id":"v-1","fill_count":"4.50","remaining_count":"0.00","ts_ms":1}'


def _rest(session: aiohttp.ClientSession, port: int) -> KalshiRest:
    return KalshiRest(
        session=session,
        base_url=f"http://127.0.0.1:{port}/trade-api/v2",
        signer=SIGNER,
        clock=Clock(),
        timeout_seconds=5,
    )


@pytest.mark.parametrize("status", [200, 201])
async def test_an_order_with_an_id_is_accepted_with_its_exact_counts(status: int):
    async with local_venue(answers(status, CREATED)) as venue:
        outcome = await place(venue.rest(), ORDER)
    assert isinstance(outcome, OrderAccepted)
    assert (outcome.venue_order_id, outcome.filled, outcome.remaining) == ("v-1", 450, 0)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, '{"error":{"code":"insufficient_balance","message":"no"}}', "insufficient_balance"),
        (400, '{"code":"bad_request","message":"x","details":"y"}', "bad_request"),
        (
            401,
            '{"error":{"code":"authentication_error","message":"x","details":"NOT_FOUND"}}',
            "authentication_error",
        ),
        (404, '{"error":{"code":"market_not_found","message":"x"}}', "market_not_found"),
        (
            410,
            '{"error":{"code":"deprecated_v1_order_endpoint","message":"x"}}',
            "deprecated_v1_order_endpoint",
        ),
        *(
            (status, f'{{"error":{{"code":"{code}","message":"x","details":{details}}}}}', code)
            for status in (400, 409)
            for code in (
                "trading_is_paused",
                "exchange_is_paused",
                "fill_or_kill_insufficient_resting_volume",
                "market_closed",
                "a_word_of_tomorrow",
                "market_does_not_exist",
            )
            for details in ("null", '{"until":1}')
        ),
        (409, '{"code":"market_closed","message":null}', "market_closed"),
        (429, '{"error":"too many requests"}', "too_many_requests"),
        (400, '{"msg":"Parameter validation failed"}', "400"),
    ],
)
async def test_a_refusal_with_an_error_body_is_a_rejection(status: int, body: str, code: str):
    async with local_venue(answers(status, body)) as venue:
        outcome = await place(venue.rest(), ORDER)
    assert isinstance(outcome, OrderRejected)
    assert outcome.code == code


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (409, '{"error":{"code":"order_already_exists","message":"order already exists"}}'),
        (400, '{"error":{"code":"order_already_exists","details":null}}'),
        *(
            (status, f'{{"error":{{"code":"{code}","message":"{text}"}}}}')
            for status in (400, 409)
            for code, text in (
                ("ORDER_ALREADY_EXISTS", "x"),
                ("duplicate_order", "x"),
                ("client_order_id_exists", "x"),
                ("conflict", "x"),
                ("invalid_order", "client_order_id already exists"),
                ("a_word_of_tomorrow", "duplicate client order id"),
            )
        ),
        (409, '{"error":{"message":"conflict"}}'),
        (409, '{"error":{"code":7,"message":"conflict"}}'),
        (409, "<html>conflict</html>"),
        (409, ""),
        (408, "{}"),
        (500, '{"error":{"code":"internal_server_error"}}'),
        (502, "<html>bad gateway</html>"),
        (503, ""),
        (504, ""),
        (201, '{"error":{"code":"deprecated_v1_order_endpoint"}}'),
        (201, '{"order_id":"v-1","fill_count":"4.50"'),
        (201, ""),
        (201, '{"order_id":"v-1","fill_count":4.5,"remaining_count":"0.00"}'),
        (201, '{"order_id":"v-1","fill_count":"4.505","remaining_count":"0.00"}'),
        (302, ""),
        (418, '{"error":{"code":"teapot"}}'),
        (400, ""),
        (400, "{}"),
        (403, "<html>request blocked</html>"),
        (404, "404 page not found"),
        (415, '{"error":{"code":"invalid_content_type"}}'),
        (202, CREATED),
        (201, '{"order_id":"","fill_count":"0.00","remaining_count":"0.00"}'),
        (201, '{"order_id":"v-1","fill_count":"0.00","remaining_count":"0.00","error":{"code":"x"}}'),
        (
            201,
            '{"order_id":"v-1","client_order_id":"of-another","fill_count":"0.00","remaining_count":"0.00"}',
        ),
        (201, '{"order_id":"v-1","fill_count":"-1.00","remaining_count":"0.00"}'),
        (201, '{"order_id":"v-1","fill_count":"10.00","remaining_count":"0.51"}'),
        (400, '{"error":' + "[" * 50_000),
        (201, '{"order_id":"v\\u0000","fill_count":"0.00","remaining_count":"0.00"}'),
        (201, f'{{"order_id":"{"v" * 3_000}","fill_count":"0.00","remaining_count":"0.00"}}'),
        (
            201,
            '{"order_id":"v","client_order_id":"o\\u0000","fill_count":"0.00","remaining_count":"0.00"}',
        ),
    ],
)
async def test_whatever_is_not_clearly_yes_or_no_is_unknown(status: int, body: str):
    async with local_venue(answers(status, body, "text/plain")) as venue:
        outcome = await place(venue.rest(), ORDER)
        assert isinstance(outcome, OrderUnknown)
        assert outcome.why == writable(outcome.why)
        assert len(venue.requests) == 1


async def test_an_answer_that_never_comes_is_unknown():
    async def hang(_request: web.Request) -> web.StreamResponse:
        await anyio.sleep_forever()
        raise AssertionError

    async with local_venue(hang) as venue:
        outcome = await place(venue.rest(timeout_seconds=0.2), ORDER)
        assert isinstance(outcome, OrderUnknown)
        assert len(venue.requests) == 1


async def test_a_connection_cut_after_the_request_is_unknown_and_never_sent_again():
    """Also on a kept-alive connection, where HTTP clients like to try once more on their own."""

    async def cut(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"as_of_time": "2026-11-23T12:00:00Z"})

    async with local_venue(cut) as venue:
        rest = venue.rest()
        await rest.get("/exchange/user_data_timestamp")
        outcome = await place(rest, ORDER)
        assert isinstance(outcome, OrderUnknown)
        assert [method for method, _ in venue.requests] == ["GET", "POST"]


async def test_an_order_is_not_sent_on_to_where_a_redirect_points():
    async def redirect(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async with local_venue(redirect) as venue:
        assert isinstance(await place(venue.rest(), ORDER), OrderUnknown)
        assert len(venue.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
    ],
)
async def test_an_answer_that_breaks_off_or_is_no_http_is_unknown(answer: bytes):
    connections: list[bytes] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(await reader.readuntil(b"}"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server, aiohttp.ClientSession() as session:
        outcome = await place(_rest(session, server.sockets[0].getsockname()[1]), ORDER)
    assert isinstance(outcome, OrderUnknown)
    assert len(connections) == 1


async def test_a_fault_of_our_own_while_placing_is_unknown_and_no_exception():
    async with local_venue(answers(201, CREATED)) as venue:
        await venue.session.close()
        assert isinstance(await place(venue.rest(), ORDER), OrderUnknown)
        assert venue.requests == []


async def test_a_cancelled_placing_ends_at_once_and_claims_nothing():
    arrived = anyio.Event()
    outcomes: list[OrderOutcome] = []

    async def hang(_request: web.Request) -> web.StreamResponse:
        arrived.set()
        await anyio.sleep_forever()
        raise AssertionError

    async def placing(rest: KalshiRest) -> None:
        outcomes.append(await place(rest, ORDER))

    async with local_venue(hang) as venue:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                group.start_soon(placing, venue.rest(timeout_seconds=60))
                await arrived.wait()
                group.cancel_scope.cancel()
        assert outcomes == []
        assert len(venue.requests) == 1


async def test_a_venue_that_cannot_be_reached_is_a_rejection_because_nothing_left():
    async with aiohttp.ClientSession() as session:
        rest = _rest(session, unused_port())
        outcome = await place(rest, ORDER)
    assert isinstance(outcome, OrderRejected)
    assert outcome.code == "not_sent"


async def test_the_body_is_exact_bounded_and_never_rests():
    bodies: list[dict[str, object]] = []

    async def record(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.json())
        return web.Response(status=201, text=CREATED)

    async with local_venue(record) as venue:
        await place(venue.rest(), ORDER)
        await place(venue.rest(), replace(ORDER, reduce_only=True, exchange_index=None))
    assert (bodies[1]["reduce_only"], "exchange_index" in bodies[1]) == (True, False)
    assert bodies[1]["self_trade_prevention_type"] == "maker"
    assert bodies[:1] == [
        {
            "ticker": "KX-1",
            "client_order_id": "recio-0123abcd-1-entry-1",
            "side": "bid",
            "count": "10.50",
            "price": "0.5200",
            "time_in_force": "immediate_or_cancel",
            "self_trade_prevention_type": "taker_at_cross",
            "exchange_index": 2,
        }
    ]
