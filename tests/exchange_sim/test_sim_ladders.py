"""Ladders, ranges and windows of several symbols side by side: names, strikes, settlement and who trades where."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from recio.exchange_sim.engine.events import BookChanged, Event
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.market.descriptions import (
    event_subtitle,
    event_title,
    no_sub_title,
    rules_primary,
    rules_secondary,
    title,
    yes_sub_title,
)
from recio.exchange_sim.market.events import IndexPrinted
from recio.exchange_sim.market.index import IndexPath
from recio.exchange_sim.market.markets import Market, new_event
from recio.exchange_sim.market.series import (
    ASSETS,
    CATALOGUE,
    Kind,
    Timetable,
    UnknownSeries,
    chosen,
    spec_of,
)
from recio.exchange_sim.market.strikes import Strike, StrikeType
from recio.exchange_sim.simulation import Simulation
from recio.messages import markets as messages
from recio.rules.market.contract_terms import why_untradable

HOUR_MS = 3_600_000
START_MS = 1_779_000_300_000 // HOUR_MS * HOUR_MS + 3_000


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def simulation(*series: str, seed: int = 3, traders: bool = True, **table: Any) -> Simulation:
    return Simulation(
        seed=seed,
        instance="test",
        now_ms=START_MS,
        series=series,
        timetable=Timetable(**table),
        balance=10**9,
        user_id="user",
        traders=traders,
    )


def run(sim: Simulation, seconds: float) -> list[Event]:
    assert sim.advance(sim.venue.now_ms + round(seconds * 1000), most_steps=10_000_000)
    return sim.venue.collect()


def there(edge: int | None) -> int:
    """The floor or cap that this kind of strike has to have."""
    assert edge is not None
    return edge


def event_of(series: str, open_at: str, level: int, **table: Any) -> list[Market]:
    (spec,) = chosen((series,), Timetable(**table))
    return new_event(spec, moment(open_at), moment(open_at), level)


@pytest.mark.parametrize(
    ("series", "open_at", "level", "tickers"),
    [
        ("KXBTCD", "2026-09-25T19:00:00", 92_790_00, ["KXBTCD-26SEP2516-T92799.99"]),
        ("KXBTCD", "2026-12-01T04:00:00", 92_790_00, ["KXBTCD-26DEC0100-T92799.99"]),
        ("KXBTC", "2026-10-03T21:00:00", 84_640_00, ["KXBTC-26OCT0318-B84650"]),
        ("KXETHD", "2026-09-25T19:00:00", 2_440_00, ["KXETHD-26SEP2516-T2439.99"]),
        ("KXSOLD", "2026-09-25T19:00:00", 73_7500, ["KXSOLD-26SEP2516-T73.7499"]),
        ("KXSOLE", "2026-09-25T19:00:00", 76_3700, ["KXSOLE-26SEP2516-B76.375"]),
        ("KXXRPD", "2026-09-25T19:00:00", 1_3600, ["KXXRPD-26SEP2516-T1.3599"]),
        ("KXDOGED", "2026-09-25T19:00:00", 700000, ["KXDOGED-26SEP2516-T0.0699999"]),
        ("KXSHIBD", "2026-09-25T19:00:00", 13_500, ["KXSHIBD-26SEP2516-T0.000013499"]),
        ("KXSHIB", "2026-09-25T19:00:00", 13_500, ["KXSHIB-26SEP2516-B0.00001375"]),
    ],
)
def test_strikes_are_named_as_on_the_real_venue(
    series: str, open_at: str, level: int, tickers: list[str]
) -> None:
    named = {market.ticker for market in event_of(series, open_at, level)}
    assert named >= set(tickers)
    assert len(named) == len(event_of(series, open_at, level))


def test_every_series_of_the_catalogue_can_be_listed_and_its_rules_are_understood() -> None:
    assert set(CATALOGUE) >= {"KXBTC15M", "KXBTCD", "KXBTC", "KXETH15M", "KXETHD", "KXETH", "KXSOL15M", "KXSOLD", "KXSOLE"}  # fmt: skip
    for spec in CATALOGUE.values():
        for market in new_event(
            spec, moment("2026-09-25T19:00:00"), START_MS, round(spec.asset.level * spec.asset.scale)
        ):
            assert Decimal(market.strike or market.cap or 1) > 0
            scale = Decimal(1).scaleb(-spec.asset.digits)
            untradable = why_untradable(
                rules_primary(market),
                index_id=spec.asset.index_id,
                strike_type=messages.StrikeType(market.strike_type.value),
                floor=None if market.strike is None else market.strike * scale,
                cap=None if market.cap is None else market.cap * scale,
                open_time=datetime.fromtimestamp(market.open_ms / 1000, UTC),
                close_time=datetime.fromtimestamp(market.close_ms / 1000, UTC),
            )
            assert untradable == "", market.ticker


def test_an_unknown_series_and_too_many_strikes_are_refused() -> None:
    with pytest.raises(UnknownSeries, match="KXNONE"):
        spec_of("KXNONE")
    with pytest.raises(ValueError, match="290"):
        Timetable(ladder_strikes=291)


def test_a_ladder_has_186_strikes_a_hundred_dollars_apart_round_the_index() -> None:
    markets = event_of("KXBTCD", "2026-09-25T19:00:00", 84_012_34)
    floors = [there(market.strike) for market in markets]
    assert len(floors) == 186
    assert {later - sooner for sooner, later in pairwise(floors)} == {100_00}
    assert floors[0] < 84_012_34 - 9_000_00
    assert floors[-1] > 84_012_34 + 9_000_00
    assert all(floor % 100_00 == 99_99 for floor in floors)
    assert len(event_of("KXBTCD", "2026-09-25T19:00:00", 84_012_34, ladder_strikes=290)) == 290


@pytest.mark.parametrize("count", [3, 4, 186])
def test_exactly_one_range_wins_whatever_the_value(count: int) -> None:
    markets = event_of("KXBTC", "2026-09-25T19:00:00", 84_012_34, ladder_strikes=count)
    assert len(markets) == count
    assert [market.strike_type for market in (markets[0], markets[-1])] == [
        StrikeType.LESS,
        StrikeType.GREATER,
    ]
    edges = [there(market.cap) + 1 for market in markets[1:-1]]
    for value in {1, 84_000_00, 83_999_99, *edges, *(edge - 1 for edge in edges), 10**8}:
        assert sum(market.wins(value) for market in markets) == 1, value


@pytest.mark.parametrize(
    ("strike", "winning", "losing"),
    [
        (Strike(kind=StrikeType.GREATER, floor=99), 100, 99),
        (Strike(kind=StrikeType.GREATER_OR_EQUAL, floor=99), 99, 98),
        (Strike(kind=StrikeType.LESS, cap=100), 99, 100),
        (Strike(kind=StrikeType.BETWEEN, floor=100, cap=199), 100, 99),
        (Strike(kind=StrikeType.BETWEEN, floor=100, cap=199), 199, 200),
    ],
)
def test_every_kind_of_strike_wins_up_to_its_own_edge(strike: Strike, winning: int, losing: int) -> None:
    assert strike.holds(winning)
    assert not strike.holds(losing)


def test_texts_of_a_ladder_are_worded_like_the_venues() -> None:
    market = next(
        one for one in event_of("KXBTCD", "2025-06-20T16:00:00", 95_500_00) if one.strike == 95_499_99
    )
    assert rules_primary(market) == (
        "If the simple average of the sixty seconds of CF Benchmarks' Bitcoin Real-Time Index (BRTI) before 1 PM "
        "EDT is above 95499.99 at 1 PM EDT on Jun 20, 2025, then the market resolves to Yes."
    )
    assert "rounded half up to 2 decimals" in rules_secondary(market.spec)
    assert (yes_sub_title(market), no_sub_title(market)) == ("$95,500 or above", "$95,500 or above")
    assert title(market) == "Bitcoin price on Jun 20, 2025?"
    assert event_title(market) == "Bitcoin price on Jun 20, 2025 at 1pm EDT?"
    assert event_subtitle(market) == "On Jun 20, 2025 at 1pm EDT"


def test_texts_of_ranges_and_windows_are_worded_like_the_venues() -> None:
    below, *middle, above = event_of("KXBTC", "2026-12-03T18:00:00", 84_612_00, ladder_strikes=5)
    assert yes_sub_title(below) == "$84,399.99 or below"
    assert yes_sub_title(above) == "$84,700 or above"
    assert yes_sub_title(middle[2]) == "$84,600 to 84,699.99"
    assert "is between 84600-84699.99 at 2 PM EST on Dec 3, 2026" in rules_primary(middle[2])
    assert "is below 84400 at" in rules_primary(below)
    (window,) = event_of("KXETH15M", "2026-09-25T18:45:00", 2_430_00)
    assert yes_sub_title(window) == "Target price: TBD"
    window.strike = 2_431_50
    assert yes_sub_title(window) == "Target Price: $2,431.50"
    assert rules_primary(window) == (
        "If the simple average of the sixty seconds of CF Benchmarks' ETHUSDRTI before 3:00 PM EDT on Sep 25, 2026 "
        "is at least the simple average of the sixty seconds of CF Benchmarks' ETHUSDRTI before 2:45 PM EDT on "
        "September 25, 2026, then the market resolves to Yes."
    )


def test_the_next_event_is_listed_before_this_one_closes_and_its_strikes_lie_round_the_index() -> None:
    sim = simulation("KXBTCD", "KXBTC", traders=False, ladder_seconds=120, ladder_strikes=20)
    for _ in range(5):
        for series in ("KXBTCD", "KXBTC"):
            event = sim.calendar.open_event(series)
            assert event is not None
            assert all(market.status is Status.ACTIVE for market in event.markets)
            waiting = [
                market
                for market in sim.listings.markets.values()
                if market.series == series and market.status is Status.INITIALIZED
            ]
            assert len(waiting) == 20
            assert {market.open_ms for market in waiting} == {event.open_ms + 120_000}
            edges = [edge for market in waiting for edge in market.edges if edge is not None]
            assert min(edges) < sim.listings.indices["BRTI"].level * 100 < max(edges)
        run(sim, 120)


def test_one_clock_settles_windows_and_ladders_on_their_own_symbols_prints() -> None:
    sim = simulation(
        "KXBTC15M", "KXBTCD", "KXETHD", "KXSOLE", traders=False,
        window_seconds=60, ladder_seconds=120, ladder_strikes=30, settlement_factor=0.2,
    )  # fmt: skip
    run(sim, 400)
    settled = [market for market in sim.listings.markets.values() if market.status is Status.FINALIZED]
    assert {market.series for market in settled} == {"KXBTC15M", "KXBTCD", "KXETHD", "KXSOLE"}
    for market in settled:
        path = sim.listings.indices[market.spec.asset.index_id]
        prints = [path.print_at(market.close_second - back) for back in range(1, 61)]
        value = (2 * sum(prints) + 60) // 120
        assert market.value == value
        assert market.result == ("yes" if market.wins(value) else "no")
    by_event: dict[str, list[str]] = {}
    for market in settled:
        if market.spec.kind is Kind.RANGE:
            by_event.setdefault(market.event_ticker, []).append(market.result)
    assert by_event
    assert all(results.count("yes") == 1 for results in by_event.values())


@pytest.mark.parametrize("night", ["2026-11-01T04:40:00", "2026-03-08T06:10:00"])
def test_no_ticker_is_used_twice_when_the_clocks_change(night: str) -> None:
    sim = Simulation(
        seed=3,
        instance="night",
        now_ms=moment(night),
        series=("KXBTC15M", "KXBTCD"),
        timetable=Timetable(ladder_strikes=3),
        balance=0,
        user_id="user",
        traders=False,
    )
    run(sim, 2.5 * 3_600)
    settled = [market for market in sim.listings.markets.values() if market.status is Status.FINALIZED]
    assert len({market.close_ms for market in settled if market.series == "KXBTC15M"}) == 10
    assert len({market.close_ms for market in settled if market.series == "KXBTCD"}) >= 2
    assert len({(market.series, market.close_ms) for market in settled}) == len(
        {market.event_ticker for market in settled}
    )


def test_a_symbols_path_does_not_depend_on_which_others_run() -> None:
    def prints(*series: str) -> list[tuple[int, int]]:
        events = run(simulation(*series, traders=False), 30)
        return [(e.second, e.cents) for e in events if isinstance(e, IndexPrinted) and e.index_id == "BRTI"]

    assert prints("KXBTC15M") == prints("KXETHD", "KXBTC15M", "KXBTCD")
    paths = [IndexPath(3, start_second=1_000, history_seconds=100, asset=asset) for asset in ASSETS]
    moves = {round(path.level / path.asset.level, 12) for path in paths}
    assert len(moves) == len(ASSETS)


def test_other_series_do_not_change_a_windows_book() -> None:
    def book(*series: str) -> str:
        sim = simulation(*series)
        events = run(sim, 20)
        changes = [
            (e.bid, e.price, e.delta, e.now_ms)
            for e in events
            if isinstance(e, BookChanged) and sim.listings.markets[e.market.ticker].series == "KXBTC15M"
        ]
        assert len(changes) > 500
        return hashlib.sha256(repr(changes).encode()).hexdigest()

    assert book("KXBTC15M") == book("KXBTC15M", "KXBTCD", "KXETH15M")


def test_the_same_seed_gives_the_same_ladder() -> None:
    def shown(seed: int) -> list[tuple[object, ...]]:
        sim = simulation("KXBTCD", seed=seed)
        run(sim, 60)
        return [
            (market.ticker, sorted(market.book.bids.totals.items()), sorted(market.book.asks.totals.items()))
            for market in sim.listings.markets.values()
        ]

    assert shown(3) == shown(3)
    assert shown(3) != shown(4)


def test_near_strikes_have_two_sides_and_far_ones_a_lone_cheap_offer() -> None:
    sim = simulation("KXBTCD")
    run(sim, 120)
    event = sim.calendar.open_event("KXBTCD")
    assert event is not None
    level = sim.listings.indices["BRTI"].level * 100
    near = [market for market in event.markets if abs(there(market.strike) - level) < 300_00]
    assert len(near) >= 5
    for market in near:
        bid, ask = market.book.best_bid(), market.book.best_ask()
        assert bid is not None
        assert ask is not None
        assert 0 < ask - bid <= 500
        assert len(market.book.bids.prices) + len(market.book.asks.prices) >= 10
    above = [market for market in event.markets if there(market.strike) > level + 3_000_00]
    below = [market for market in event.markets if there(market.strike) < level - 3_000_00]
    assert len(above) > 50
    assert len(below) > 50
    for market in above:
        assert (market.book.bids.prices, market.book.asks.prices) == ([], [100])
        assert market.book.asks.totals[100] >= 10_000_00
    for market in below:
        assert (market.book.bids.prices, market.book.asks.prices) == ([9_900], [])


def test_higher_strikes_are_never_worth_clearly_more() -> None:
    sim = simulation("KXBTCD", ladder_seconds=600)
    run(sim, 10)
    for _ in range(60):
        run(sim, 9)
        event = sim.calendar.open_event("KXBTCD")
        assert event is not None
        if sim.venue.now_ms - event.open_ms < 10_000:
            continue
        bids = [market.book.best_bid() or 0 for market in event.markets]
        asks = [market.book.best_ask() or 10_000 for market in event.markets]
        for place in range(len(bids) - 1):
            assert bids[place + 1] <= asks[place] + 400, event.markets[place].ticker


def test_the_order_flows_work_does_not_grow_with_the_number_of_strikes() -> None:
    def changes(strikes: int) -> int:
        sim = simulation("KXBTCD", ladder_strikes=strikes)
        run(sim, 60)
        return sum(isinstance(event, BookChanged) for event in run(sim, 120))

    assert changes(290) < 1.25 * changes(60)
