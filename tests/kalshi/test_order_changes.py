"""Cancels, changes, batches and groups: named by shard and market, and never believed further than they say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from aiohttp import web

from recio.errors import Transient
from recio.kalshi import account, order_groups
from recio.kalshi.batches import cancel_batch, create_batch
from recio.kalshi.order_changes import (
    Amended,
    AmendOutcome,
    Cancelled,
    CancelOutcome,
    Resting,
    amend,
    cancel,
    cancel_all,
)
from recio.kalshi.orders import NewOrder, TimeInForce, create
from recio.kalshi.responses import VenueRefused
from recio.kalshi.writes import OutcomeUnknown, RequestRefused
from recio.messages.orders import OrderAccepted, OrderOutcome, OrderRejected, OrderUnknown
from recio.units import BookSide, ClientOrderId, Price, Quantity, Ticker, VenueOrderId
from tests.kalshi.local_venue import answers, local_venue

RESTING = Resting(venue_order_id=VenueOrderId("v-1"), ticker=Ticker("KX-1"), exchange_index=2)
OTHER = Resting(venue_order_id=VenueOrderId("v-2"), ticker=Ticker("KX-1"), exchange_index=None)
CANCELLED = '{"order_id":"v-1","reduced_by":"1.50","ts_ms":1}'
NOT_FOUND = '{"error":{"code":"not_found","message":"not found"}}'
ROWS: list[tuple[int, str, type[object]]] = [
    (404, NOT_FOUND, OutcomeUnknown),
    (404, "404 page not found", OutcomeUnknown),
    (400, '{"error":{"code":"MARKET_INACTIVE","message":"x"}}', RequestRefused),
    (401, '{"error":{"code":"authentication_error"}}', RequestRefused),
    (403, '{"msg":"no"}', RequestRefused),
    (429, '{"error":"too many requests"}', RequestRefused),
    (400, "<html>", OutcomeUnknown),
    (408, "{}", OutcomeUnknown),
    (409, '{"error":{"code":"trading_is_paused"}}', RequestRefused),
    (409, '{"error":{"code":"a_word_of_tomorrow"}}', RequestRefused),
    (409, '{"error":{"message":"conflict"}}', OutcomeUnknown),
    (400, '{"error":{"code":"not_found","message":"not found"}}', OutcomeUnknown),
    (500, '{"error":{"code":"internal_server_error"}}', OutcomeUnknown),
    (504, "", OutcomeUnknown),
    (302, "", OutcomeUnknown),
    (200, "", OutcomeUnknown),
    (200, "{}", OutcomeUnknown),
    (200, CANCELLED[:-5], OutcomeUnknown),
    (200, '{"order_id":"v-1","reduced_by":1.5}', OutcomeUnknown),
    (200, '{"order_id":"v-1","reduced_by":"1.505"}', OutcomeUnknown),
    (200, '{"order_id":"v-1","reduced_by":"-1.00"}', OutcomeUnknown),
    (200, '{"order_id":"another","reduced_by":"1.00"}', OutcomeUnknown),
    (200, '{"order_id":"v-1","reduced_by":"1.00","error":{"code":"not_found"}}', OutcomeUnknown),
    (200, '{"order_id":"v-1","reduced_by":"1.00","error":"no"}', OutcomeUnknown),
]


async def cancelled(status: int, body: str) -> CancelOutcome:
    async with local_venue(answers(status, body)) as venue:
        return await cancel(venue.rest(), RESTING)


async def test_a_cancel_tells_what_it_took_away():
    assert await cancelled(200, CANCELLED) == Cancelled(Quantity(150))


@pytest.mark.parametrize(("status", "body", "kind"), ROWS)
async def test_whatever_is_no_clear_yes_leaves_the_order_alive_or_unknown(
    status: int, body: str, kind: type[object]
):
    assert type(await cancelled(status, body)) is kind


async def test_a_cancel_names_its_shard_and_its_market():
    async with local_venue(answers(200, CANCELLED)) as venue:
        await cancel(venue.rest(), RESTING)
        await cancel(venue.rest(), OTHER)
        assert [asked for _, asked in venue.requests] == [
            "/trade-api/v2/portfolio/events/orders/v-1?market_ticker=KX-1&exchange_index=2",
            "/trade-api/v2/portfolio/events/orders/v-2?market_ticker=KX-1",
        ]


async def test_a_cancel_without_an_answer_is_unknown():
    async def hang(_request: web.Request) -> web.StreamResponse:
        await anyio.sleep_forever()
        raise AssertionError

    async with local_venue(hang) as venue:
        assert isinstance(await cancel(venue.rest(timeout_seconds=0.1), RESTING), OutcomeUnknown)


async def test_a_cancel_whose_connection_is_cut_is_unknown_and_not_sent_again():
    """Also on a kept-alive connection, where the library would send it a second time with the same signature."""

    async def cut(request: web.Request) -> web.StreamResponse:
        if request.method == "DELETE":
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"as_of_time": "2026-11-23T12:00:00Z"})

    async with local_venue(cut) as venue:
        rest = venue.rest()
        await account.as_of(rest)
        assert isinstance(await cancel(rest, RESTING), OutcomeUnknown)
        assert [method for method, _ in venue.requests] == ["GET", "DELETE"]


async def test_a_read_whose_connection_is_cut_is_asked_once_more_with_a_new_signature():
    signatures: list[str] = []

    async def cut(request: web.Request) -> web.StreamResponse:
        signatures.append(request.headers["KALSHI-ACCESS-SIGNATURE"])
        if len(signatures) == 1 or len(signatures) > 2:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"as_of_time": "2026-11-23T12:00:00Z"})

    async with local_venue(cut) as venue:
        assert await account.as_of(venue.rest()) == datetime(2026, 11, 23, 12, tzinfo=UTC)
        with pytest.raises(Transient, match="Disconnected"):
            await account.as_of(venue.rest())
    assert len(set(signatures)) == len(signatures) == 4


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (204, "", Cancelled),
        (200, '{"error":{"code":"x"}}', OutcomeUnknown),
        (403, '{"msg":"no"}', RequestRefused),
        (500, "", OutcomeUnknown),
        (404, "404 page not found", OutcomeUnknown),
    ],
)
async def test_cancelling_everything_is_done_only_when_the_venue_says_so(
    status: int, body: str, kind: type[object]
):
    async with local_venue(answers(status, body)) as venue:
        assert type(await cancel_all(venue.rest())) is kind
        assert venue.requests == [("DELETE", "/trade-api/v2/portfolio/events/orders")]


def recording(body: object, status: int = 200) -> tuple[Any, list[Any]]:
    seen: list[Any] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        text = await request.text()
        seen.append(
            (request.method, request.path_qs.removeprefix("/trade-api/v2"), json.loads(text or "null"))
        )
        return web.json_response(body, status=status)

    return serve, seen


async def changed(body: object, status: int = 200) -> AmendOutcome:
    serve, _ = recording(body, status)
    async with local_venue(serve) as venue:
        return await amend(
            venue.rest(), RESTING, book_side=BookSide.BID, price=Price(5200), total=Quantity(300)
        )


async def test_a_change_tells_what_is_left():
    said = {"order_id": "v-1", "remaining_count": "1.25", "fill_count": "0.75", "ts_ms": 1}
    assert await changed(said) == Amended(Quantity(125), Quantity(75))
    assert await changed({"order_id": "v-1", "ts_ms": 1}) == Amended(None, None)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, json.loads(NOT_FOUND), OutcomeUnknown),
        (400, {"error": {"code": "invalid_price"}}, RequestRefused),
        (400, {"code": "bad_request", "message": "m", "details": "d"}, RequestRefused),
        (500, {}, OutcomeUnknown),
        (200, {"order_id": "another", "remaining_count": "1.00"}, OutcomeUnknown),
        (200, {"order_id": "v-1", "remaining_count": 1}, OutcomeUnknown),
        (200, {"order_id": "v-1", "remaining_count": "-1.00"}, OutcomeUnknown),
        (200, {"order_id": "v-1", "error": {"code": "x"}}, OutcomeUnknown),
        (200, {}, OutcomeUnknown),
    ],
)
async def test_a_change_is_never_believed_further_than_it_says(status: int, body: object, kind: type[object]):
    assert type(await changed(body, status)) is kind


async def test_a_change_is_exact_and_names_its_shard():
    serve, seen = recording({"order_id": "v-1"})
    async with local_venue(serve) as venue:
        await amend(
            venue.rest(),
            RESTING,
            book_side=BookSide.ASK,
            price=Price(5250),
            total=Quantity(305),
            new_client_order_id=ClientOrderId("c-2"),
            expires_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
        )
    assert seen == [
        (
            "POST",
            "/portfolio/events/orders/v-1/amend",
            {
                "ticker": "KX-1",
                "side": "ask",
                "price": "0.5250",
                "count": "3.05",
                "updated_client_order_id": "c-2",
                "expiration_time": 1795435200,
                "exchange_index": 2,
            },
        ),
    ]


def new(number: int, **changes: Any) -> NewOrder:
    fields: dict[str, Any] = {
        "client_order_id": ClientOrderId(f"c-{number}"),
        "ticker": Ticker("KX-1"),
        "exchange_index": 2,
        "book_side": BookSide.BID,
        "quantity": Quantity(100),
        "price": Price(100),
    }
    return NewOrder(**(fields | changes))


async def test_a_resting_order_says_all_that_was_asked():
    serve, seen = recording({"order_id": "v-1", "fill_count": "0.00", "remaining_count": "1.00"}, 201)
    order = new(
        1,
        time_in_force=TimeInForce.GOOD_TILL_CANCELED,
        order_group_id="g-1",
    )
    async with local_venue(serve) as venue:
        outcome = await create(venue.rest(), order, wait_seconds=1)
    assert isinstance(outcome, OrderAccepted)
    assert (outcome.filled, outcome.remaining) == (0, 100)
    assert seen[0][2] == {
        "ticker": "KX-1",
        "client_order_id": "c-1",
        "side": "bid",
        "count": "1.00",
        "price": "0.0100",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
        "order_group_id": "g-1",
        "exchange_index": 2,
    }


def made(number: int, **changes: Any) -> dict[str, Any]:
    row = {
        "order_id": f"v-{number}",
        "client_order_id": f"c-{number}",
        "fill_count": "0.00",
        "remaining_count": "1.00",
    }
    return row | changes


async def batch(body: object, status: int = 201) -> tuple[OrderOutcome, ...]:
    serve, _ = recording(body, status)
    async with local_venue(serve) as venue:
        return await create_batch(venue.rest(), [new(1), new(2)], wait_seconds=1)


NO_MONEY = {"code": "insufficient_balance", "message": "no", "details": ""}
STRANGE = {"code": "internal_error", "message": "no", "details": ""}
A, R, U = OrderAccepted, OrderRejected, OrderUnknown


@pytest.mark.parametrize(
    ("status", "body", "kinds"),
    [
        (201, {"orders": [made(1), made(2)]}, [A, A]),
        (201, {"orders": [made(1), {"client_order_id": "c-2", "error": NO_MONEY}]}, [A, R]),
        (201, {"orders": [made(1), {"error": NO_MONEY}]}, [A, R]),
        (201, {"orders": [made(1), {"client_order_id": "c-2", "error": STRANGE}]}, [A, U]),
        (201, {"orders": [made(1), made(2, error=NO_MONEY)]}, [A, U]),
        (201, {"orders": [made(2), made(1)]}, [U, U]),
        (201, {"orders": [made(1)]}, [U, U]),
        (201, {"orders": [made(1, fill_count=0), 7]}, [U, U]),
        (201, {"orders": [made(1), made(2)], "error": {"code": "x"}}, [U, U]),
        (400, {"error": NO_MONEY}, [R, R]),
        (409, {"error": {"code": "order_already_exists"}}, [U, U]),
        (409, {"error": {"code": "trading_is_paused"}}, [R, R]),
        (409, {}, [U, U]),
        (201, {"orders": [made(1), {"error": {"code": "exchange_is_paused"}}]}, [A, R]),
        (201, {"orders": [made(1), {"error": {"code": "order_already_exists"}}]}, [A, U]),
        (429, {"error": "too many requests"}, [R, R]),
        (500, {}, [U, U]),
    ],
)
async def test_every_order_of_a_batch_has_an_outcome_of_its_own(
    status: int, body: object, kinds: list[type[object]]
):
    assert [type(each) for each in await batch(body, status)] == kinds


@pytest.mark.parametrize(
    ("status", "body", "kinds"),
    [
        (
            200,
            {
                "orders": [
                    {"order_id": "v-1", "reduced_by": "1.00"},
                    {"order_id": "v-2", "reduced_by": "0.50"},
                ]
            },
            [Cancelled, Cancelled],
        ),
        (
            200,
            {
                "orders": [
                    {"order_id": "v-1", "reduced_by": "0.00", "error": {"code": "not_found"}},
                    {"order_id": "v-2", "reduced_by": "0.00", "error": {"code": "MARKET_INACTIVE"}},
                ]
            },
            [OutcomeUnknown, RequestRefused],
        ),
        (200, {"orders": [{"order_id": "v-2", "reduced_by": "1.00"}, 7]}, [OutcomeUnknown, OutcomeUnknown]),
        (200, {"orders": []}, [OutcomeUnknown, OutcomeUnknown]),
        (404, json.loads(NOT_FOUND), [OutcomeUnknown, OutcomeUnknown]),
        (400, {"msg": "no"}, [RequestRefused, RequestRefused]),
    ],
)
async def test_every_cancel_of_a_batch_has_an_outcome_of_its_own(
    status: int, body: object, kinds: list[type[object]]
):
    serve, seen = recording(body, status)
    async with local_venue(serve) as venue:
        found = await cancel_batch(venue.rest(), [RESTING, OTHER])
    assert [type(each) for each in found] == kinds
    assert seen == [
        (
            "DELETE",
            "/portfolio/events/orders/batched",
            {
                "orders": [
                    {"order_id": "v-1", "market_ticker": "KX-1", "exchange_index": 2},
                    {"order_id": "v-2", "market_ticker": "KX-1"},
                ]
            },
        )
    ]


@pytest.mark.parametrize("strange", ["g\0", "g" * 3_000])
async def test_a_group_by_a_name_that_no_row_can_hold_is_none(strange: str):
    serve, _ = recording({"order_group_id": strange}, 201)
    async with local_venue(serve) as venue:
        with pytest.raises(Transient, match="order_group_id"):
            await order_groups.create_group(venue.rest(), limit=Quantity(1000), exchange_index=2)


async def test_a_group_lives_on_the_shard_that_is_named():
    serve, seen = recording({"order_group_id": "g"}, 201)
    async with local_venue(serve) as venue:
        rest = venue.rest()
        assert await order_groups.create_group(rest, limit=Quantity(1000), exchange_index=2) == "g"
        await order_groups.trigger_group(rest, "g", 2)
        await order_groups.reset_group(rest, "g", 2)
        await order_groups.limit_group(rest, "g", 2, limit=Quantity(2050))
        await order_groups.delete_group(rest, "g", 2)
    where = "/portfolio/order_groups"
    assert seen == [
        ("POST", f"{where}/create", {"contracts_limit_fp": "10.00", "exchange_index": 2}),
        ("PUT", f"{where}/g/trigger?exchange_index=2", {}),
        ("PUT", f"{where}/g/reset?exchange_index=2", {}),
        ("PUT", f"{where}/g/limit?exchange_index=2", {"contracts_limit_fp": "20.50"}),
        ("DELETE", f"{where}/g?exchange_index=2", None),
    ]


async def test_groups_are_read_exactly():
    one = {
        "is_auto_cancel_enabled": True,
        "contracts_limit_fp": "10.50",
        "orders": ["v-1"],
        "exchange_index": 2,
    }
    bare = {"is_auto_cancel_enabled": False, "orders": []}
    async with local_venue(recording(one)[0]) as venue:
        found = await order_groups.group(venue.rest(), "g")
    assert (found.limit, found.auto_cancel, found.orders, found.exchange_index) == (1050, True, ("v-1",), 2)
    async with local_venue(recording(bare)[0]) as venue:
        found = await order_groups.group(venue.rest(), "g")
    assert (found.limit, found.auto_cancel, found.orders, found.exchange_index) == (None, False, (), None)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, NOT_FOUND, VenueRefused),
        (500, "", Transient),
        (200, '{"error":{"code":"x"}}', Transient),
        (200, "", Transient),
        (429, '{"error":"too many requests"}', Transient),
    ],
)
async def test_a_group_that_may_not_have_been_triggered_is_never_taken_for_triggered(
    status: int, body: str, kind: type[Exception]
):
    async with local_venue(answers(status, body)) as venue:
        with pytest.raises(kind):
            await order_groups.trigger_group(venue.rest(), "g", 2)
