"""What each switch of the exchange changes, and that nothing changes without it."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from recio.commands.exchange import add_options
from recio.exchange_sim.engine.account import Correction, Settlement
from recio.exchange_sim.engine.fees import CENT_ALIGNMENT
from recio.exchange_sim.engine.order_entry import create
from recio.exchange_sim.engine.orders import Order
from recio.exchange_sim.faults.kinds import FaultKind
from recio.exchange_sim.market.events import StrikeSet
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.series import Timetable
from recio.exchange_sim.simulation import Simulation
from recio.exchange_sim.wire.market_fields import strike_json
from recio.exchange_sim.wire.rest.market_json import market_json
from recio.exchange_sim.wire.rest.portfolio_json import settlement_json
from recio.exchange_sim.wire.rest.reading import shown_settlements
from recio.exchange_sim.wire.rest.rules import RestRules
from recio.exchange_sim.wire.ws.rules import SocketRules, YesPrices
from tests.exchange_sim.conftest import WINDOW_START_MS, TradingSession


@pytest.mark.parametrize(("rules", "status"), [(RestRules(), 409), (RestRules(refusals_as_400=True), 400)])
async def test_a_pause_and_a_failed_fill_or_kill_are_refused_with_either_status(
    start_exchange: Any, rules: RestRules, status: int
) -> None:
    """An order that exists already stays what it is: that one is doubt."""
    client = await start_exchange(quiet_traders=True, rest=rules)
    ticker = await client.open_ticker()
    got, body = await client.order(ticker, "bid", "0.5000", "1", time_in_force="fill_or_kill")
    assert (got, body["error"]["code"]) == (status, "fill_or_kill_insufficient_resting_volume")
    assert (await client.order(ticker, "bid", "0.5000", "1", client_order_id="one"))[0] == 201
    assert (await client.order(ticker, "bid", "0.5000", "1", client_order_id="one"))[0] == 409
    await client.plain("POST", "/admin/faults", {"kind": "trading_pause", "seconds": 60})
    got, body = await client.order(ticker, "bid", "0.5000", "1")
    assert (got, body["error"]["code"]) == (status, "trading_is_paused")
    await client.plain("POST", "/admin/faults", {"kind": "exchange_pause", "seconds": 60})
    got, body = await client.request("DELETE", "/portfolio/events/orders")
    assert (got, body["error"]["code"]) == (status, "exchange_is_paused")


async def subscribed(client: Any, **params: Any) -> Any:
    socket = await client.socket()
    asked = {"channels": ["orderbook_delta"], "market_ticker": await client.open_ticker()} | params
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": asked})
    return socket


@pytest.mark.parametrize(
    ("when", "told"),
    [
        (YesPrices.ASKED, {None: "0.4000", False: "0.4000", True: "0.6000"}),
        (YesPrices.UNLESS_REFUSED, {None: "0.6000", False: "0.4000", True: "0.6000"}),
        (YesPrices.ALWAYS, {None: "0.6000", False: "0.6000", True: "0.6000"}),
    ],
)
async def test_asks_are_told_at_yes_prices_by_the_flag_by_default_or_always(
    start_exchange: Any, when: YesPrices, told: dict[bool | None, str]
) -> None:
    client = await start_exchange(quiet_traders=True, sockets=SocketRules(yes_prices=when))
    await client.order(await client.open_ticker(), "ask", "0.6000", "1")
    for asked, price in told.items():
        socket = await subscribed(client, **({} if asked is None else {"use_yes_price": asked}))
        await socket.receive_json()
        assert (await socket.receive_json())["msg"]["no_dollars_fp"] == [[price, "1.00"]]


async def test_every_envelope_says_when_it_was_sent_unless_that_is_switched_off(start_exchange: Any) -> None:
    for sockets, said in ((SocketRules(), True), (SocketRules(sending_times=False), False)):
        client = await start_exchange(quiet_traders=True, sockets=sockets)
        socket = await subscribed(client)
        await socket.send_json({"id": 2, "cmd": "nonsense"})
        frames = [await socket.receive_json() for _ in range(3)]
        assert [frame["type"] for frame in frames] == ["subscribed", "orderbook_snapshot", "error"]
        assert [abs(frame.get("sending_ts_ms", 0) - client.venue_ms()) < 5_000 for frame in frames] == [
            said
        ] * 3


async def test_the_status_lists_its_shards_unless_that_is_switched_off(start_exchange: Any) -> None:
    for rest, said in ((RestRules(), True), (RestRules(shard_list=False), False)):
        client = await start_exchange(quiet_traders=True, rest=rest)
        status = await client.get("/exchange/status")
        assert ("exchange_index_statuses" in status, status["trading_active"]) == (said, True)


async def test_a_books_clock_is_the_same_on_every_connection_and_only_grows(start_exchange: Any) -> None:
    """A snapshot holds every change up to its clock, and the changes behind it have higher ones."""
    client = await start_exchange()
    first = await subscribed(client)
    seen: list[list[Any]] = []
    for socket in (first, await subscribed(client)):
        await socket.receive_json()
        seen.append([(await socket.receive_json())["msg"] for _ in range(200)])
    for messages in seen:
        clocks = [message["clock"] for message in messages]
        assert clocks == sorted(clocks)
        assert clocks[0] < clocks[1]
    later = {message["clock"] for message in seen[1][1:]} & {message["clock"] for message in seen[0]}
    for clock in later - {max(later, default=0)}:
        one, other = ([each for each in messages if each["clock"] == clock] for messages in seen)
        assert one == other
    assert len(later) > 1


def simulation(*series: str, **timetable: Any) -> Simulation:
    return Simulation(
        seed=1,
        instance="test",
        now_ms=WINDOW_START_MS - 1_000,
        series=series or ("KXBTC15M",),
        timetable=Timetable(ladder_strikes=3, **timetable),
        balance=1_000_000_000,
        user_id="user",
        traders=False,
    )


def strikes_of(run: Simulation, until_ms: int) -> list[tuple[str, int]]:
    """Every strike of later windows that was set until then, and how long after the opening."""
    found: list[tuple[str, int]] = []
    while run.venue.now_ms < until_ms:
        run.advance(run.venue.now_ms + 50, most_steps=10)
        found += [
            (event.market.ticker, run.venue.now_ms - event.market.open_ms)
            for event in run.venue.collect()
            if isinstance(event, StrikeSet) and event.market.open_ms >= WINDOW_START_MS
        ]
    return found


def test_a_window_has_neither_strike_nor_its_kind_until_the_strike_comes() -> None:
    run = simulation(window_seconds=20, strike_delay_seconds=3.0)
    market = next(market for market in run.listings.markets.values() if market.open_ms == WINDOW_START_MS)
    assert strike_json(market) == {"custom_strike": {"round_digits": "2"}}
    assert strikes_of(run, WINDOW_START_MS + 2_900) == []
    assert strikes_of(run, WINDOW_START_MS + 3_100) == [(market.ticker, 3_000)]
    assert {"floor_strike", "strike_type"} < set(strike_json(market))


def test_strikes_come_late_by_a_jitter_of_each_window_by_a_fault_or_never() -> None:
    run = simulation(window_seconds=20, strike_jitter_seconds=4.0)
    run.interventions.delay_strikes(10_000, 1)
    delays = [delay for _, delay in strikes_of(run, WINDOW_START_MS + 100_000)]
    assert len(delays) == 5
    assert 10_500 <= delays[0] <= 14_550
    assert all(500 <= delay <= 4_550 for delay in delays[1:])
    assert len(set(delays[1:])) > 1
    run.interventions.withhold_strikes(1)
    begin = run.venue.now_ms
    assert len(strikes_of(run, begin + 60_000)) == 2
    without = [market for market in run.listings.markets.values() if market.result and market.strike is None]
    assert [market.result for market in without] == ["no"]


def holding(side: str, **how: Any) -> TradingSession:
    """A session that has bought ten contracts of one outcome at 40 cents."""
    session = TradingSession(**how)
    session.other("ask" if side == "bid" else "bid", 4_000 if side == "bid" else 6_000, 1_000)
    made = create(session.venue, session.order(side, 4_000 if side == "bid" else 6_000, 1_000))
    assert isinstance(made, Order)
    return session


def settled(session: TradingSession) -> Settlement:
    session.run_to(session.market.close_ms + 20_000)
    (row,) = session.venue.account.settlements
    return row


@pytest.mark.parametrize(
    ("side", "payout", "revenue"),
    [("bid", 5_000, 500), ("bid", 300, 30), ("ask", 300, 970), ("bid", 3_275, 327), ("ask", 3_275, 672)],
)
def test_a_scalar_result_pays_both_outcomes_their_shares(side: str, payout: int, revenue: int) -> None:
    session = holding(side)
    session.simulation.interventions.settle_scalar(payout, 1)
    before = session.venue.account.cash[2]
    shown = settlement_json(settled(session))
    assert (shown["market_result"], shown["value"], shown["revenue"]) == ("scalar", payout // 100, revenue)
    # The row tells whole cents; what is paid, and what the market says of itself, is exact.
    assert session.venue.account.cash[2] - before == 1_000 * (payout if side == "bid" else 10_000 - payout)
    assert market_json(session.market)["settlement_value_dollars"] == f"{payout / 10_000:.4f}"
    assert session.market.result == "scalar"


def test_a_wrong_winner_can_be_amended_into_a_scalar_result() -> None:
    session = holding("bid")
    session.simulation.interventions.settle_scalar(5_000, 1)
    session.simulation.interventions.settle_wrongly_first(1)
    assert (settled(session).result, settled(session).payout) == ("scalar", 5_000)


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_a_settlement_is_taken_back_after_it_was_paid_and_paid_at_the_right_result(side: str) -> None:
    session = holding(side)
    before = session.venue.account.cash[2]
    session.simulation.interventions.settle_and_revise(30_000, 1)
    wrong = settled(session)
    paid = session.venue.account.cash[2] - before
    session.venue.collect()
    session.run_to(session.market.close_ms + 60_000)
    (right,) = shown_settlements(session.venue.accounts.values())
    assert {wrong.result, right.result} == {"yes", "no"}
    assert {wrong.revenue, right.revenue} == {0, 10_000_000}
    assert right.settled_ms == wrong.settled_ms + 30_000
    assert right.sequence != wrong.sequence
    assert (paid, session.venue.account.cash[2] - before) == (wrong.revenue, right.revenue)
    assert session.venue.account.payouts == right.revenue
    assert (session.market.result, session.market.settled_ms) == (right.result, right.settled_ms)
    told = [type(event).__name__ for event in session.venue.collect()]
    assert [name for name in told if name in ("MarketDetermined", "PositionChanged", "MarketSettled")] == [
        "MarketDetermined",
        "PositionChanged",
        "MarketSettled",
    ]


@pytest.mark.parametrize("side", ["bid", "ask"])
@pytest.mark.parametrize("shape", Correction)
def test_a_correction_shows_in_the_shape_that_was_asked_for_and_the_money_is_the_same(
    shape: Correction, side: str
) -> None:
    session = holding(side)
    before = session.venue.account.cash[2]
    session.venue.floor.correction = shape
    session.simulation.interventions.settle_and_revise(30_000, 1)
    wrong = settled(session)
    session.run_to(session.market.close_ms + 60_000)
    rows = shown_settlements(session.venue.accounts.values())
    *first, right = rows
    assert (right.result, right.result == wrong.result) == (session.market.result, False)
    full = 10_000_000 - wrong.revenue
    assert session.venue.account.cash[2] - before == session.venue.account.payouts == full
    stays = shape in (Correction.BESIDE, Correction.DIFFERENCE)
    assert first == ([wrong] if stays else [])
    late = 0 if shape is Correction.IN_PLACE else 30_000
    assert right.settled_ms == wrong.settled_ms + late
    assert right.revenue == (full - wrong.revenue if shape is Correction.DIFFERENCE else full)
    session.venue.account.horizon.as_of_ms = wrong.settled_ms + 29_999
    assert [row.result for row in shown_settlements(session.venue.accounts.values())] == [wrong.result]


def test_a_read_that_lags_shows_the_settlement_that_stood_then() -> None:
    session = holding("bid")
    session.simulation.interventions.settle_and_revise(30_000, 1)
    wrong = settled(session)
    session.run_to(session.market.close_ms + 60_000)
    session.venue.account.horizon.as_of_ms = wrong.settled_ms + 29_999
    (shown,) = shown_settlements(session.venue.accounts.values())
    assert shown.result == wrong.result


def test_small_coins_tell_their_strikes_as_custom_ones_unless_that_is_switched_off() -> None:
    of = itertools.product((("KXDOGED", 7), ("KXSHIBD", 9)), ((False, "custom"), (True, "greater")))
    for (series, digits), (plain, kind) in of:
        run = simulation(series, plain_strikes=plain)
        market: Market = next(iter(run.listings.markets.values()))
        shown = strike_json(market)
        assert shown["strike_type"] == kind
        if not plain:
            lowest = f"0.{(market.strike or 0) + 1:0{digits}d}"
            assert shown == {
                "strike_type": "custom",
                "custom_strike": {"strike_type": "between", "floor_strike": lowest, "cap_strike": ""},
            }


def test_members_who_are_not_direct_ones_keep_whole_cents() -> None:
    """What is rounded off gathers, and is given back once it is a cent."""
    session = TradingSession()
    session.venue.floor.alignment = CENT_ALIGNMENT
    session.other("ask", 5_200, 10_000)
    for _ in range(7):
        assert isinstance(create(session.venue, session.order("bid", 5_200, 100)), Order)
        assert session.venue.account.cash[2] % CENT_ALIGNMENT == 0
    exact = TradingSession()
    exact.other("ask", 5_200, 10_000)
    create(exact.venue, exact.order("bid", 5_200, 130))
    assert exact.venue.account.cash[2] % CENT_ALIGNMENT


async def test_the_balance_has_a_bucket_of_its_own_at_any_speed(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True, rate_limits="advanced", speed=15)
    answers = await asyncio.gather(*(client.request("GET", "/portfolio/balance") for _ in range(4)))
    assert [status for status, _ in answers].count(429) >= 2
    others = itertools.repeat(client.request, 20)
    answers = await asyncio.gather(*(ask("GET", "/portfolio/positions") for ask in others))
    assert {status for status, _ in answers} == {200}


async def test_the_settlement_index_can_be_read_without_a_key_unless_that_is_switched_off(
    start_exchange: Any,
) -> None:
    """What the market settles at is the mean of the sixty points before its close."""
    for rules, status in ((RestRules(), 200), (RestRules(live_data=False), 404)):
        client = await start_exchange(quiet_traders=True, rest=rules)
        ticker = await client.open_ticker()
        got, text = await client.plain("GET", f"/trade-api/v2/live_data/events/{ticker.rpartition('-')[0]}")
        assert got == status, text
        if status == 200:
            points = json.loads(text)["live_data"]["details"]["timeseries"]
            assert len(points) == 900
            assert {later["t"] - one["t"] for one, later in itertools.pairwise(points)} == {1_000}
            strike = (await client.get(f"/markets/{ticker}"))["market"]["floor_strike"]
            opened = client.venue_ms() // 900_000 * 900_000
            before = [point["v"] for point in points if opened - 60_000 <= point["t"] < opened]
            assert len(before) == 60
            assert abs(sum(before) / 60 - strike) < 0.006


async def test_the_history_of_the_index_is_for_those_who_may_read_it(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True, rate_limits="basic")
    hour = datetime.fromtimestamp(client.venue_ms() // 1000, UTC).isoformat()
    asked = {"id": "BRTI", "timespan": "HOUR", "timestamp": hour}
    rows = (await client.get("/cfbenchmarks/history/values", **asked))["data"]["payload"]
    begin = client.venue_ms() // 3_600_000 * 3_600_000
    assert rows[0]["time"] == begin
    recent = (await client.get("/cfbenchmarks/values", id="BRTI"))["data"]["payload"]
    assert len(recent) == 600
    assert {row["time"]: row["value"] for row in rows}.items() >= {
        row["time"]: row["value"] for row in recent if begin <= row["time"] <= rows[-1]["time"]
    }.items()
    wrong = {"id": "BRTI", "timestamp": "yesterday"}
    assert (await client.request("GET", "/cfbenchmarks/history/values", **wrong))[0] == 400
    client = await start_exchange(quiet_traders=True, rest=RestRules(index_history=False))
    assert (await client.request("GET", "/cfbenchmarks/history/values", **asked))[0] == 403


async def test_free_money_is_spread_over_the_shards_and_what_backs_orders_stays(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True)
    await client.order(await client.open_ticker(), "bid", "0.5000", "200")
    path = "/portfolio/target_balance_allocation"
    for rows, status in (
        ([(0, 25), (2, 75)], 200),
        ([(0, 25), (2, 74)], 400),
        ([(0, 50), (0, 50)], 400),
        ([(9, 100)], 400),
    ):
        asked = {"allocations": [{"exchange_index": shard, "percent": percent} for shard, percent in rows]}
        for method in ("POST", "PUT"):
            assert (await client.request(method, path, asked))[0] == status, rows
    balances = (await client.get("/portfolio/balance"))["balance_breakdown"]
    assert balances == [
        {"exchange_index": 0, "balance": "225.0000"},
        {"exchange_index": 2, "balance": "675.0000"},
    ]
    ledger = await client.ledger()
    assert (ledger["cash"], ledger["reserved"]) == ("1000.000000", "100.000000")
    assert len((await client.get(path))["allocations"]) == 2


async def test_programmes_of_incentives_are_there_only_where_asked_for(start_exchange: Any) -> None:
    for rules, programmes in ((RestRules(), 0), (RestRules(incentives=True), 1)):
        client = await start_exchange(quiet_traders=True, rest=rules)
        ticker = await client.open_ticker()
        found = (await client.get("/incentive_programs", status="active"))["incentive_programs"]
        assert [each["market_ticker"] for each in found] == [ticker] * programmes
    assert (await client.get("/incentive_programs", type="volume"))["incentive_programs"] == []
    assert (await client.request("GET", "/incentive_programs", status="strange"))[0] == 400


def test_every_switch_and_every_fault_has_a_line_in_the_description() -> None:
    described = (Path(__file__).parents[2] / "docs" / "exchange.md").read_text()
    parser = argparse.ArgumentParser(add_help=False)
    add_options("exchange", parser)
    options = [name for action in parser._actions for name in action.option_strings]
    missing = [
        name for name in (*options, *(kind.value for kind in FaultKind)) if f"`{name}" not in described
    ]
    assert not missing
