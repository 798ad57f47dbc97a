"""What can happen to a market between its opening and its settlement, and what the account gets at the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from recio.exchange_sim.engine.events import OrderChanged, Trade
from recio.exchange_sim.engine.execution import publish_book, rest
from recio.exchange_sim.engine.order_entry import NewOrder, SelfTradePrevention, TimeInForce, create
from recio.exchange_sim.engine.orders import Order, OrderStatus, Refused
from recio.exchange_sim.engine.pauses import Pauses, weekly_pause_end
from recio.exchange_sim.engine.price_grids import LINEAR_CENT, TAPERED_DECI_CENT
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.market.events import (
    CloseDateChanged,
    GridChanged,
    MarketActivated,
    MarketCreated,
    MarketDeactivated,
    MarketDetermined,
    MarketSettled,
)
from recio.exchange_sim.market.interventions import NoSuchMarket
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.series import Timetable
from recio.exchange_sim.simulation import Simulation

MakeSession = Callable[..., Any]
HOUR_MS = 3_600_000
START_MS = 1_779_000_300_000 // HOUR_MS * HOUR_MS + 3_000


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def simulation(*series: str, now_ms: int = START_MS, traders: bool = False, **table: Any) -> Simulation:
    return Simulation(
        seed=5,
        instance="test",
        now_ms=now_ms,
        series=series,
        timetable=Timetable(**table),
        balance=10**9,
        user_id="user",
        traders=traders,
    )


def bid(sim: Simulation, market: Market, price: int, quantity: int, name: str) -> Order | Refused:
    asked = NewOrder(
        ticker=market.ticker,
        bid=True,
        price=price,
        quantity=quantity,
        time_in_force=TimeInForce.GOOD_TILL_CANCELED,
        self_trade_prevention=SelfTradePrevention.TAKER_AT_CROSS,
        client_order_id=name,
    )
    return create(sim.venue, asked)


def bought(sim: Simulation, market: Market, quantity: int) -> None:
    """The account buys Yes at half a dollar from somebody."""
    rest(sim.venue, market, owner=7, bid=False, price=5_000, quantity=quantity)
    publish_book(sim.venue, market)
    made = bid(sim, market, 5_000, quantity, f"buy {market.ticker}")
    assert isinstance(made, Order)
    assert made.filled == quantity


def watch(sim: Simulation, market: Market, until_ms: int) -> list[tuple[int, Status]]:
    """Every status of a market from now on, with the time since its close at which it came."""
    seen = [(sim.venue.now_ms - market.close_ms, market.status)]
    while sim.venue.now_ms < until_ms:
        assert sim.advance(sim.venue.now_ms + 50, most_steps=10)
        if market.status is not seen[-1][1]:
            seen.append((sim.venue.now_ms - market.close_ms, market.status))
    return seen


def open_market(sim: Simulation, series: str, place: int = 0) -> Market:
    event = sim.calendar.open_event(series)
    assert event is not None
    return event.markets[place]


@pytest.mark.parametrize(
    ("series", "determined", "settled"), [("KXBTC15M", 1_000, 7_000), ("KXBTCD", 90_000, 153_000)]
)
def test_every_kind_settles_after_its_own_delays(series: str, determined: int, settled: int) -> None:
    sim = simulation(series, window_seconds=60, ladder_seconds=60, ladder_strikes=3)
    market = open_market(sim, series)
    assert watch(sim, market, market.close_ms + settled + 1_000)[1:] == [
        (0, Status.CLOSED),
        (determined, Status.DETERMINED),
        (settled, Status.FINALIZED),
    ]


def test_the_delays_can_be_shortened_by_a_factor() -> None:
    sim = simulation("KXBTCD", ladder_seconds=60, ladder_strikes=3, settlement_factor=0.1)
    market = open_market(sim, "KXBTCD")
    assert watch(sim, market, market.close_ms + 16_000)[2:] == [
        (9_000, Status.DETERMINED),
        (15_300, Status.FINALIZED),
    ]


def test_an_event_announces_itself_once_and_every_market_of_it() -> None:
    sim = simulation("KXBTCD", ladder_seconds=60, ladder_strikes=5)
    told = [event for event in sim.venue.collect() if isinstance(event, MarketCreated)]
    assert [one.with_event for one in told] == [True, False, False, False, False] * 2


def test_a_market_that_stops_takes_no_orders_and_loses_what_rests_when_it_goes_on() -> None:
    sim = simulation("KXBTC15M")
    market = open_market(sim, "KXBTC15M")
    order = bid(sim, market, 4_000, 100, "rests")
    assert isinstance(order, Order)
    rest(sim.venue, market, owner=7, bid=True, price=3_000, quantity=500)
    sim.venue.collect()
    sim.interventions.deactivate(market.ticker, 2_000)
    assert market.status is Status.INACTIVE
    refused = bid(sim, market, 4_000, 100, "too late")
    assert isinstance(refused, Refused)
    assert order.status is OrderStatus.RESTING
    watch(sim, market, sim.venue.now_ms + 2_000)
    assert market.status is Status.ACTIVE
    assert order.status is OrderStatus.CANCELED
    assert market.book.bids.prices == []
    told = [
        type(event).__name__
        for event in sim.venue.collect()
        if isinstance(event, MarketDeactivated | MarketActivated | OrderChanged)
    ]
    assert told == ["MarketDeactivated", "OrderChanged", "MarketActivated"]
    assert isinstance(bid(sim, market, 4_000, 100, "again"), Order)


def test_a_market_that_stops_still_closes_and_settles() -> None:
    sim = simulation("KXBTC15M", window_seconds=60)
    market = open_market(sim, "KXBTC15M")
    sim.interventions.deactivate(market.ticker, 10_000_000)
    watch(sim, market, market.close_ms + 8_000)
    assert market.status is Status.FINALIZED


def test_a_market_that_closes_early_settles_on_the_minute_before_its_new_close() -> None:
    sim = simulation("KXBTC15M")
    market = open_market(sim, "KXBTC15M")
    planned = market.close_ms
    order = bid(sim, market, 4_000, 100, "rests")
    watch(sim, market, sim.venue.now_ms + 90_250)
    sim.venue.collect()
    sim.interventions.close_early(market.ticker)
    assert market.status is Status.CLOSED
    assert sim.venue.now_ms - 1_000 < market.close_ms <= sim.venue.now_ms
    assert any(isinstance(event, CloseDateChanged) for event in sim.venue.collect())
    watch(sim, market, market.close_ms + 7_000)
    assert market.status is Status.FINALIZED
    assert market.value == sim.listings.indices["BRTI"].mean_before(market.close_second)
    assert isinstance(order, Order)
    assert order.status is OrderStatus.CANCELED
    following = next(one for one in sim.listings.markets.values() if one.open_ms == planned)
    watch(sim, following, planned + 1_000)
    assert following.status is Status.ACTIVE
    assert following.strike == sim.listings.indices["BRTI"].mean_before(planned // 1000)


def test_a_delay_holds_back_every_market_of_one_event_and_only_that_event() -> None:
    sim = simulation("KXBTCD", ladder_seconds=60, ladder_strikes=4, settlement_factor=0.1)
    first = sim.calendar.open_event("KXBTCD")
    assert first is not None
    sim.interventions.delay_settlement(5_000, 1)
    following = [one for one in sim.listings.markets.values() if one.open_ms == first.markets[0].close_ms]
    watch(sim, first.markets[0], first.markets[0].close_ms + 90_000)
    delayed = {one.determined_ms - one.close_ms for one in first.markets}
    usual = {one.determined_ms - one.close_ms for one in following}
    assert (delayed, usual) == ({14_000}, {9_000})


@pytest.mark.parametrize("series", ["KXBTC15M", "KXBTCD"])
def test_a_corrected_settlement_pays_once_at_the_end_and_on_the_right_result(series: str) -> None:
    sim = simulation(series, window_seconds=60, ladder_seconds=60, ladder_strikes=8, settlement_factor=0.1)
    sim.advance(sim.venue.now_ms + 1_000, most_steps=100)
    event = sim.calendar.open_event(series)
    assert event is not None
    for market in event.markets:
        bought(sim, market, 100)
    cash = sim.venue.account.cash[2]
    sim.interventions.settle_wrongly_first(1)
    sim.venue.collect()
    delays = event.spec.delays
    timer = delays.settled_ms - delays.determined_ms
    first = event.markets[0]
    seen = watch(sim, first, first.close_ms + delays.determined_ms + 2 * timer - 50)
    assert [status for _, status in seen] == [
        Status.ACTIVE,
        Status.CLOSED,
        Status.DETERMINED,
        Status.DISPUTED,
        Status.AMENDED,
    ]
    assert sim.venue.account.cash[2] == cash
    watch(sim, first, first.close_ms + delays.determined_ms + 2 * timer + 50)
    right = sim.listings.indices["BRTI"].mean_before(first.close_second)
    told: dict[str, list[str]] = {}
    for said in sim.venue.collect():
        if isinstance(said, MarketDetermined) and said.market in event.markets:
            told.setdefault(said.market.ticker, []).append(said.market.result)
    assert all(len(results) == 2 for results in told.values())
    assert all(one.result == ("yes" if one.wins(right) else "no") for one in event.markets)
    won = sum(one.result == "yes" for one in event.markets)
    assert sim.venue.account.cash[2] == cash + won * 1_000_000
    assert len(sim.venue.account.settlements) == len(event.markets)


def test_the_first_word_of_a_corrected_settlement_is_really_wrong() -> None:
    sim = simulation("KXBTC15M", window_seconds=60)
    market = open_market(sim, "KXBTC15M")
    sim.interventions.settle_wrongly_first(1)
    results: list[str] = []
    while market.status is not Status.FINALIZED:
        sim.advance(sim.venue.now_ms + 50, most_steps=10)
        if market.result and (not results or results[-1] != market.result):
            results.append(market.result)
    assert len(results) == 2
    assert results[1] == (
        "yes" if market.wins(sim.listings.indices["BRTI"].mean_before(market.close_second)) else "no"
    )


def test_orders_off_a_new_grid_stay_and_new_ones_are_judged_by_it(trading_session: MakeSession) -> None:
    d = trading_session()
    kept = create(d.venue, d.order("bid", 550, 100))
    assert isinstance(kept, Order)
    d.simulation.interventions.change_grid(d.market.ticker)
    assert d.market.grid is LINEAR_CENT
    assert any(isinstance(event, GridChanged) for event in d.venue.collect())
    assert kept.status is OrderStatus.RESTING
    refused = create(d.venue, d.order("bid", 560, 100))
    assert isinstance(refused, Refused)
    assert refused.code == "invalid_price"
    assert isinstance(create(d.venue, d.order("bid", 600, 100)), Order)
    d.simulation.interventions.change_grid(d.market.ticker)
    assert isinstance(create(d.venue, d.order("bid", 560, 100)), Order)


def test_grids_hold_what_their_ranges_say() -> None:
    assert all(grid.holds(price) for grid in (LINEAR_CENT, TAPERED_DECI_CENT) for price in (100, 9_900))
    assert [TAPERED_DECI_CENT.holds(price) for price in (10, 1_010, 8_990, 9_010, 0, 10_000)] == [
        True, False, False, True, False, False,
    ]  # fmt: skip
    assert not LINEAR_CENT.holds(150)
    assert LINEAR_CENT.levels[LINEAR_CENT.at_or_below(199)] == 100
    assert LINEAR_CENT.levels[LINEAR_CENT.at_or_above(101)] == 200


def test_what_no_market_is_in_a_state_to_suffer_is_refused() -> None:
    sim = simulation("KXBTC15M")
    for act in (sim.interventions.close_early, sim.interventions.change_grid):
        with pytest.raises(NoSuchMarket):
            act("KXBTC15M-NONE")
    waiting = next(one for one in sim.venue.markets.values() if one.status is Status.INITIALIZED)
    with pytest.raises(NoSuchMarket, match="active"):
        sim.interventions.deactivate(waiting.ticker, 1_000)


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        ("2026-10-08T07:00:00", "2026-10-08T09:00:00"),
        ("2026-10-08T08:59:59", "2026-10-08T09:00:00"),
        ("2026-10-08T06:59:59", None),
        ("2026-10-08T09:00:00", None),
        ("2026-12-03T08:30:00", "2026-12-03T10:00:00"),
        ("2026-10-07T07:30:00", None),
        ("2026-10-09T07:30:00", None),
    ],
)
def test_the_weekly_pause_is_thursday_three_to_five_in_new_york(at: str, ends: str | None) -> None:
    assert weekly_pause_end(moment(at)) == (0 if ends is None else moment(ends))
    paused = Pauses(weekly=True)
    assert paused.trading_paused(moment(at)) == (ends is not None)
    assert not paused.exchange_paused(moment(at))
    assert not Pauses(weekly=False).trading_paused(moment(at))


def test_a_pause_of_the_exchange_is_one_of_trading_too_and_ends() -> None:
    pauses = Pauses(weekly=False)
    pauses.pause_exchange(1_000)
    assert (pauses.trading_paused(999), pauses.exchange_paused(999)) == (True, True)
    assert (pauses.trading_paused(1_000), pauses.exchange_paused(1_000)) == (False, False)
    pauses.pause_trading(3_000)
    assert (pauses.trading_paused(2_000), pauses.exchange_paused(2_000)) == (True, False)


def test_nobody_trades_in_the_weekly_pause_and_windows_settle_all_the_same() -> None:
    sim = simulation(
        "KXBTC15M", now_ms=moment("2026-10-08T06:58:00"), traders=True, window_seconds=60, weekly_pause=True
    )
    assert sim.advance(moment("2026-10-08T07:05:00"), most_steps=100_000)
    events = sim.venue.collect()
    assert max(event.now_ms for event in events if isinstance(event, Trade)) < moment("2026-10-08T07:00:00")
    settled = [event.market for event in events if isinstance(event, MarketSettled)]
    assert len(settled) == 6
    refused = bid(sim, open_market(sim, "KXBTC15M"), 4_000, 100, "in the pause")
    assert isinstance(refused, Refused)
