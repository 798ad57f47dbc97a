"""Reads that lag show one whole earlier state, say honestly how old it is, and never go back in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any

import pytest

from recio.exchange_sim.clock import VenueClock
from recio.exchange_sim.engine.execution import take
from recio.exchange_sim.engine.order_change import amend, decrease
from recio.exchange_sim.engine.order_entry import SelfTradePrevention, TimeInForce, cancel_all, create
from recio.exchange_sim.engine.read_lag import ReadLag
from recio.exchange_sim.engine.versions import PRESENT
from recio.exchange_sim.wire.rest import reading
from recio.exchange_sim.wire.rest.portfolio_json import fill_json, order_json, position_json, settlement_json

MakeSession = Callable[..., Any]
State = dict[str, Any]


def lag_of(d: Any, *, resting: float = 0.0, speed: float = 1.0) -> ReadLag:
    clock = VenueClock(speed=speed, host_origin=0.0, venue_origin=0.0)
    return ReadLag(d.venue.account.horizon, clock, configured_seconds=resting, now_ms=d.venue.now_ms)


def shown(d: Any) -> State:
    """Everything that reads of the account show now."""
    venue = d.venue
    return {
        "orders": [order_json(order, "user") for order in reading.shown_orders(venue)],
        "positions": [position_json(row) for row in reading.shown_positions(venue.account)],
        "fills": [fill_json(fill) for fill in reading.shown_fills(venue)],
        "settlements": [settlement_json(row) for row in reading.shown_settlements([venue.account])],
        "free": reading.shown_free(venue, venue.account),
    }


def act(d: Any, random: Random) -> None:
    """One thing that can happen to the account."""
    choice = random.random()
    side = random.choice(["bid", "ask"])
    price = random.randrange(3_000, 7_000, 100)
    if choice < 0.5:
        lasting = random.choice([TimeInForce.GOOD_TILL_CANCELED, TimeInForce.IMMEDIATE_OR_CANCEL])
        mode = random.choice(list(SelfTradePrevention))
        asked = d.order(
            side, price, random.randrange(1, 900), time_in_force=lasting, self_trade_prevention=mode
        )
        create(d.venue, asked)
    elif choice < 0.7:
        take(d.venue, d.market, owner=3, bid=side == "bid", limit=price, quantity=random.randrange(1, 900))
    elif choice < 0.8:
        d.other(side, 2_900 if side == "bid" else 7_100, 50)
    elif choice < 0.82:
        cancel_all(d.venue)
    elif d.venue.open_of(d.market.ticker):
        change(d, random, price)


def change(d: Any, random: Random, price: int) -> None:
    order = random.choice(d.venue.open_of(d.market.ticker))
    if random.random() < 0.5:
        decrease(d.venue, order, reduce_by=random.randrange(1, 300), reduce_to=None)
        return
    side = "bid" if order.bid else "ask"
    asked = d.order(side, price, order.initial + random.randrange(-50, 200), client_order_id="")
    amend(d.venue, order.order_id, asked, new_client_id="", keep_expiry=True)


@pytest.mark.parametrize("seed", range(5))
def test_a_lagging_read_is_the_whole_state_of_the_moment_it_names(
    trading_session: MakeSession, seed: int
) -> None:
    d, random = trading_session(), Random(seed)
    lag = lag_of(d)
    states: list[tuple[int, State]] = []
    wanted = 0.0
    for _ in range(400):
        act(d, random)
        d.venue.account.horizon.as_of_ms, kept = PRESENT, d.venue.account.horizon.as_of_ms
        states.append((d.venue.now_ms, shown(d)))
        d.venue.account.horizon.as_of_ms = kept
        if random.random() < 0.05:
            wanted = random.choice([0.0, 0.2, 1.0, 3.0])
        lag.update(d.venue.now_ms, wanted)
        as_of = reading.shown_ms(d.venue)
        assert as_of >= d.venue.now_ms - 3_000
        expected = [state for moment, state in states if moment <= as_of][-1]
        assert shown(d) == expected
        if random.random() < 0.7:
            d.run_to(d.venue.now_ms + random.choice([50, 100, 400]))
            lag.update(d.venue.now_ms, wanted)
    assert len(d.venue.fills) > 15


def test_settlement_money_and_row_are_shown_together_and_late(trading_session: MakeSession) -> None:
    d = trading_session(window_seconds=15)
    lag = lag_of(d, resting=2.0)
    d.other("ask", 5_000, 100)
    create(d.venue, d.order("bid", 5_000, 100, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL))
    while not d.venue.account.settlements:
        d.run_to(d.venue.now_ms + 50)
        lag.update(d.venue.now_ms, 0.0)
    paid = dict(d.venue.account.cash)
    before = shown(d)
    assert before["settlements"] == []
    assert before["positions"][0]["position_fp"] == "1.00"
    d.run_to(d.venue.now_ms + 2_000)
    lag.update(d.venue.now_ms, 0.0)
    after = shown(d)
    assert len(after["settlements"]) == 1
    assert (after["free"], after["positions"][0]["position_fp"]) == (paid, "0.00")


def test_nothing_is_kept_that_nobody_can_ask_for(trading_session: MakeSession) -> None:
    d, random = trading_session(), Random(3)
    lag = lag_of(d)
    for number in range(300):
        act(d, random)
        d.run_to(d.venue.now_ms + 50)
        lag.update(d.venue.now_ms, 1.0 if 100 < number < 200 else 0.0)
        kept = [d.venue.account.cash_versions, *d.venue.order_versions.values()]
        most = max(len(versions.rows) for versions in kept)
        assert most <= (22 if 100 < number < 201 else 24)
    create(d.venue, d.order("bid", 100, 100))
    act(d, random)
    assert len(d.venue.account.cash_versions.rows) <= 24
    d.other("ask", 7_000, 100)
    create(d.venue, d.order("bid", 9_000, 100, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL))
    assert len(d.venue.account.cash_versions.rows) == 1


def test_the_moment_shown_never_goes_back(trading_session: MakeSession) -> None:
    d = trading_session()
    lag = lag_of(d, speed=10.0)
    seen: list[int] = []
    begun = d.venue.now_ms
    for seconds, wanted in ((1, 0.0), (2, 5.0), (30, 5.0), (60, 5.0), (61, 0.0), (62, 1.0), (80, 1.0)):
        d.run_to(begun + seconds * 1_000)
        lag.update(d.venue.now_ms, wanted)
        seen.append(reading.shown_ms(d.venue) - begun)
    # The lag is in host seconds: at ten times the speed one of them is ten of the venue's.
    assert seen == [1_000, 1_000, 1_000, 10_000, 61_000, 61_000, 70_000]


async def test_a_fault_makes_reads_lag_and_the_timestamp_says_so(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    _, first = await client.order(ticker, "bid", "0.1000", "1")
    await client.plain("POST", "/admin/faults", {"kind": "lag_reads", "seconds": 60, "lag_seconds": 3.0})
    shown_ms = as_of_ms(await client.get("/exchange/user_data_timestamp"))
    while client.venue_ms() <= shown_ms + 100:
        await client.get("/exchange/status")
    _, second = await client.order(ticker, "bid", "0.2000", "1")
    made_ms = second["ts_ms"]
    listed = (await client.get("/portfolio/orders"))["orders"]
    assert [order["order_id"] for order in listed] == [first["order_id"]]
    assert (await client.request("GET", f"/portfolio/orders/{second['order_id']}"))[0] == 404
    assert (await client.get("/portfolio/balance"))["balance_dollars"] == "999.9000"
    async with asyncio.timeout(10):
        while as_of_ms(await client.get("/exchange/user_data_timestamp")) < made_ms:
            pass
    listed = (await client.get("/portfolio/orders"))["orders"]
    assert [order["order_id"] for order in listed] == [second["order_id"], first["order_id"]]
    assert (await client.get("/portfolio/balance"))["balance_dollars"] == "999.7000"
    assert as_of_ms(await client.get("/exchange/user_data_timestamp")) <= client.venue_ms() - 3_000


async def test_an_order_list_that_claims_to_be_current_holds_every_order_before_it(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True, read_lag_seconds=0.15)
    ticker = await client.open_ticker()
    for price in ("0.1000", "0.1100", "0.1200"):
        _, made = await client.order(ticker, "bid", price, "1")
        seen = False
        async with asyncio.timeout(10):
            while not seen:
                claimed = as_of_ms(await client.get("/exchange/user_data_timestamp"))
                ids = {order["order_id"] for order in (await client.get("/portfolio/orders"))["orders"]}
                seen = made["order_id"] in ids
                assert seen or claimed < made["ts_ms"]


def as_of_ms(body: dict[str, str]) -> int:
    return round(datetime.fromisoformat(body["as_of_time"]).timestamp() * 1000)
