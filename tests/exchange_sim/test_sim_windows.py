"""Windows by the venue clock: names, strikes, settlement and the index average behind them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from recio.exchange_sim.engine.order_entry import TimeInForce, create
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.market.descriptions import rules_primary
from recio.exchange_sim.market.events import MarketDetermined, MarketSettled, StrikeSet
from recio.exchange_sim.market.index import IndexPath
from recio.exchange_sim.market.markets import new_event
from recio.exchange_sim.market.series import Timetable, chosen
from recio.exchange_sim.market.settlement_average import Fixing
from recio.exchange_sim.order_flow.fair_value import mean_variance_seconds, probability

MakeSession = Callable[..., Any]


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("open_at", "close_at", "expected"),
    [
        ("2026-09-25T18:45:00", "2026-09-25T19:00:00", "KXBTC15M-26SEP251500-00"),
        ("2026-12-01T04:45:00", "2026-12-01T05:00:00", "KXBTC15M-26DEC010000-00"),
        ("2026-09-25T18:45:00", "2026-09-25T18:45:20", "KXBTC15M-26SEP25144520-20"),
    ],
)
def test_a_ticker_names_the_close_in_new_york(open_at: str, close_at: str, expected: str) -> None:
    seconds = (moment(close_at) - moment(open_at)) // 1000
    (spec,) = chosen(("KXBTC15M",), Timetable(window_seconds=seconds))
    (market,) = new_event(spec, moment(open_at), moment(open_at), 8_400_000)
    assert market.ticker == expected
    assert market.event_ticker == expected.rpartition("-")[0]


def test_short_windows_never_share_a_ticker(trading_session: MakeSession) -> None:
    d = trading_session(window_seconds=20)
    d.run_to(d.venue.now_ms + 400_000)
    assert len(d.venue.markets) >= 20 + 8
    assert len({market.event_ticker for market in d.venue.markets.values()}) == len(d.venue.markets)


@pytest.mark.parametrize(
    ("prints", "expected"),
    [([100] * 60, 100), ([100] * 30 + [101] * 30, 101), ([100] * 31 + [101] * 29, 100)],
)
def test_the_settlement_mean_is_rounded_half_up(prints: list[int], expected: int) -> None:
    path = IndexPath(1, start_second=1_000, history_seconds=200)
    path._prints[-61:-1] = prints
    assert path.mean_before(1_000) == expected


def test_settlement_averages_the_sixty_prints_before_the_close_and_not_the_one_at_it() -> None:
    path = IndexPath(1, start_second=1_000, history_seconds=200)
    prints = [path.print_at(second) for second in range(940, 1_000)]
    assert path.mean_before(1_000) == (2 * sum(prints) + 60) // 120


def test_a_window_opens_gets_its_strike_closes_and_settles_on_time(trading_session: MakeSession) -> None:
    d = trading_session()
    first = d.market
    following = list(d.venue.markets.values())[1]
    assert following.status is Status.INITIALIZED
    assert following.strike is None
    d.venue.collect()
    seen: list[tuple[str, int]] = []
    while d.venue.now_ms < first.close_ms + 8_000:
        d.run_to(d.venue.now_ms + 50)
        told = [e for e in d.venue.collect() if isinstance(e, StrikeSet | MarketDetermined | MarketSettled)]
        seen += [(type(event).__name__, d.venue.now_ms - first.close_ms) for event in told]
    assert seen == [("StrikeSet", 500), ("MarketDetermined", 1_000), ("MarketSettled", 7_000)]
    assert following.status is Status.ACTIVE
    assert (
        following.strike
        == first.value
        == d.simulation.listings.indices["BRTI"].mean_before(first.close_second)
    )
    assert first.result == ("yes" if first.value >= first.strike else "no")


def test_the_rules_compare_the_closing_minute_with_the_opening_one_also_once_the_strike_is_known(
    trading_session: MakeSession,
) -> None:
    d = trading_session()
    assert d.market.strike is not None
    text = rules_primary(d.market)
    assert text.startswith("If the simple average of the sixty seconds of CF Benchmarks' BRTI before ")
    assert " is at least the simple average of the sixty seconds of CF Benchmarks' BRTI before " in text
    assert text.endswith(", then the market resolves to Yes.")


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_the_winning_side_is_paid_a_dollar_a_contract(trading_session: MakeSession, side: str) -> None:
    d = trading_session()
    d.other("ask" if side == "bid" else "bid", 5_000, 250)
    create(d.venue, d.order(side, 5_000, 250, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL))
    before = d.venue.account.cash[2]
    d.run_to(d.market.close_ms + 7_000)
    won = (d.market.result == "yes") == (side == "bid")
    assert d.venue.account.cash[2] - before == (2_500_000 if won else 0)
    assert d.venue.account.settlements[0].revenue == (2_500_000 if won else 0)


def test_fair_value_knows_that_an_average_moves_less_than_a_price() -> None:
    assert mean_variance_seconds(60, 840.0) == pytest.approx(840 + 19.504, abs=0.01)
    decided = Fixing(printed_sum=59 * 101.0, remaining=1, wait_seconds=1.0)
    certain = probability(level=101.0, strike=100.0, fixing=decided, variance_per_second=1e-8)
    assert certain > 0.999
    open_race = Fixing(printed_sum=0.0, remaining=60, wait_seconds=100.0)
    assert probability(
        level=100.0, strike=100.0, fixing=open_race, variance_per_second=1e-8
    ) == pytest.approx(0.5)
