"""The REST wire: discovery, pages, filters, and the four shapes of error bodies."""

from __future__ import annotations

import pytest

from recio.exchange_sim.engine import orders, transfers
from recio.exchange_sim.wire.rest.replies import refusal

MARKET_REQUIRED = {
    "ticker", "event_ticker", "market_type", "yes_sub_title", "no_sub_title", "created_time", "updated_time",
    "open_time", "close_time", "latest_expiration_time", "settlement_timer_seconds", "status", "yes_bid_dollars",
    "yes_ask_dollars", "no_bid_dollars", "no_ask_dollars", "yes_bid_size_fp", "yes_ask_size_fp",
    "last_price_dollars", "previous_price_dollars", "previous_yes_bid_dollars", "previous_yes_ask_dollars",
    "volume_fp", "volume_24h_fp", "open_interest_fp", "notional_value_dollars", "result", "expiration_value",
    "settlement_bounds_type", "can_close_early", "rules_primary", "rules_secondary", "price_level_structure",
    "price_ranges", "strike_type", "custom_strike", "exchange_index",
}  # fmt: skip


async def test_markets_are_found_by_status_and_carry_every_required_field(start_exchange) -> None:
    client = await start_exchange()
    ticker = await client.open_ticker()
    market = (await client.get(f"/markets/{ticker}"))["market"]
    assert set(market) >= MARKET_REQUIRED | {"floor_strike"}
    assert market["rules_primary"].endswith("then the market resolves to Yes.")
    waiting = (await client.get("/markets", status="unopened"))["markets"]
    assert len(waiting) == 8
    assert all(
        not {"floor_strike", "strike_type"} & set(one) and one["status"] == "initialized" for one in waiting
    )
    event = await client.get(f"/events/{market['event_ticker']}", with_nested_markets="true")
    assert event["event"]["markets"][0]["ticker"] == ticker


async def test_pages_cover_everything_once(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    whole = [market["ticker"] for market in (await client.get("/markets"))["markets"]]
    seen: list[str] = []
    cursor = ""
    while True:
        page = await client.get("/markets", limit="4", cursor=cursor)
        seen += [market["ticker"] for market in page["markets"]]
        cursor = page["cursor"]
        if not cursor:
            break
    assert seen == whole
    nonsense = await client.get("/markets", limit="4", cursor="not-a-cursor")
    assert [market["ticker"] for market in nonsense["markets"]] == whole[:4]


async def test_errors_come_in_four_shapes(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    nested = await client.order(ticker, "bid", "0.5150", "1.00")
    assert nested == (400, {"error": {"code": "invalid_price", "message": "invalid price"}})
    status, flat = await client.request(
        "POST", "/portfolio/events/orders", {"ticker": ticker, "side": "bid", "count": 5, "price": "0.5"}
    )
    assert (status, flat["code"]) == (400, "bad_request")
    assert flat["details"] == (
        "json: cannot unmarshal number into Go struct field CreateOrderV2Request.count of type string"
    )
    status, bare = await client.request("GET", "/markets", limit="1001")
    assert status == 400
    assert bare == {
        "msg": "Parameter validation failed for GetMarkets: Key: 'GetMarketsParams.Limit' "
        "Error:Field validation for 'Limit' failed on the 'lte' tag"
    }
    status, text = await client.plain("GET", "/trade-api/v9/nothing")
    assert (status, text) == (404, "404 page not found\n")


async def test_the_old_order_endpoints_are_gone(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    status, body = await client.request("POST", "/portfolio/orders", {"ticker": "T"})
    assert (status, body["error"]["code"]) == (410, "deprecated_v1_order_endpoint")


async def test_an_order_can_be_followed_through_every_read(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    _, bid = await client.order(ticker, "bid", "0.4000", "3", client_order_id="mine")
    assert (bid["fill_count"], bid["remaining_count"]) == ("0.00", "3.00")
    assert "average_fill_price" not in bid
    assert (await client.order(ticker, "bid", "0.4000", "3", client_order_id="mine"))[0] == 409
    balance = await client.get("/portfolio/balance")
    assert balance["balance_dollars"] == "998.8000"
    assert {"exchange_index": 2, "balance": "998.8000"} in balance["balance_breakdown"]
    listed = (await client.get("/portfolio/orders", status="resting", ticker=ticker))["orders"]
    assert [order["order_id"] for order in listed] == [bid["order_id"]]
    book = (await client.get(f"/markets/{ticker}/orderbook"))["orderbook_fp"]
    assert book == {"yes_dollars": [["0.4000", "3.00"]], "no_dollars": []}
    path = f"/portfolio/events/orders/{bid['order_id']}"
    assert (await client.request("DELETE", path))[0] == 404
    single = (await client.get(f"/portfolio/orders/{bid['order_id']}"))["order"]
    assert single["status"] == "resting"
    status, ended = await client.request("DELETE", path, exchange_index="2")
    assert (status, set(ended), ended["reduced_by"]) == (200, {"order_id", "reduced_by", "ts_ms"}, "3.00")
    again = await client.request("DELETE", path, market_ticker=ticker)
    assert again == (404, {"error": {"code": "not_found", "message": "not found"}})


async def test_a_taker_sees_average_price_and_fee(start_exchange) -> None:
    client = await start_exchange()
    ticker = await client.open_ticker()
    body: dict[str, str] = {}
    while body.get("fill_count", "0.00") == "0.00":
        status, body = await client.order(ticker, "bid", "0.9900", "2", time_in_force="immediate_or_cancel")
        assert status == 201
    fills = (await client.get("/portfolio/fills", order_id=body["order_id"]))["fills"]
    assert sum(float(fill["count_fp"]) for fill in fills) == float(body["fill_count"])
    assert all(fill["is_taker"] and fill["fee_cost"] > "0" for fill in fills)
    order = (await client.get(f"/portfolio/orders/{body['order_id']}"))["order"]
    paid = sum(round(float(fill["fee_cost"]) * 1e6) for fill in fills)
    assert paid == round(float(order["taker_fees_dollars"]) * 1e6)
    assert 0 < float(body["average_fee_paid"]) < 0.02


async def test_a_body_that_is_no_json_of_the_right_kind_is_refused_in_flat_words(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    path = "/trade-api/v2/portfolio/events/orders"
    wrong = {
        b"": "EOF",
        b'{"ticker":': "invalid character",
        b'{"ticker":"\xff"}': "invalid character",
        b"[]": "json: ",
        b"[" * 100_000: "invalid character",
    }
    for raw, details in wrong.items():
        headers = client.headers("POST", path) | {"Content-Type": "application/json"}
        async with client.session.post(client.root + path, data=raw, headers=headers) as answer:
            said = await answer.json()
            assert (answer.status, said["code"]) == (400, "bad_request")
            assert said["details"].startswith(details)


async def test_a_body_that_may_be_left_out_is_one_without_fields(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True, rate_limits="advanced")
    assert await client.request("POST", "/portfolio/subaccounts") == (201, {"subaccount_number": 1})


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        (orders.NOT_FOUND, 404),
        (orders.MARKET_NOT_FOUND, 404),
        (orders.ALREADY_EXISTS, 409),
        (transfers.REPEATED, 409),
        (orders.FORBIDDEN, 403),
        (orders.MARKET_INACTIVE, 400),
        (orders.INSUFFICIENT_BALANCE, 400),
        (orders.INVALID_SIZE, 400),
        (orders.TRADING_PAUSED, 409),
        (orders.EXCHANGE_PAUSED, 409),
        (orders.GROUP_TRIGGERED, 400),
        (transfers.BAD_AMOUNT, 400),
    ],
)
def test_a_refusal_of_the_engine_gets_its_status_on_the_wire(refused: orders.Refused, status: int) -> None:
    assert refusal(refused).status == status
