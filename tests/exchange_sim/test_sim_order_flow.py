"""The simulated traders: the same seed gives the same market, and it looks like the recorded ones."""

from __future__ import annotations

import hashlib
from statistics import mean, median

import pytest

from recio.exchange_sim.engine.events import BookChanged, Event, Trade
from recio.exchange_sim.engine.execution import take
from recio.exchange_sim.order_flow.window_order_flow import WindowOrderFlow
from recio.exchange_sim.simulation import Simulation

START_MS = 1_779_000_300_000 // 900_000 * 900_000 + 3_000


def simulation(seed: int, series: str = "KXBTC15M") -> Simulation:
    return Simulation(
        seed=seed,
        instance=f"run of {seed}",
        now_ms=START_MS,
        series=(series,),
        balance=10**9,
        user_id="user",
        traders=True,
    )


def fingerprint(events: list[Event]) -> str:
    changes = [(e.bid, e.price, e.delta, e.now_ms) for e in events if isinstance(e, BookChanged)]
    return hashlib.sha256(repr(changes).encode()).hexdigest()


def run(sim: Simulation, seconds: int, *, most_steps: int = 100_000) -> list[Event]:
    until = sim.venue.now_ms + seconds * 1000
    while not sim.advance(until, most_steps=most_steps):
        pass
    return sim.venue.collect()


def test_the_same_seed_gives_the_same_book_whatever_the_pace_of_the_host() -> None:
    first = fingerprint(run(simulation(3), 120))
    assert fingerprint(run(simulation(3), 120, most_steps=7)) == first
    assert fingerprint(run(simulation(4), 120)) != first


def test_the_book_keeps_the_measured_size_and_pace() -> None:
    sim = simulation(2)
    run(sim, 5)
    market = sim.calendar.open_market()
    assert market is not None
    spreads: list[int] = []
    levels: list[int] = []
    changes = trades = 0
    for _ in range(200):
        events = run(sim, 1)
        changes += sum(isinstance(event, BookChanged) for event in events)
        trades += sum(isinstance(event, Trade) for event in events)
        best_bid, best_ask = market.book.best_bid(), market.book.best_ask()
        assert best_bid is not None
        assert best_ask is not None
        assert best_bid < best_ask
        spreads.append(best_ask - best_bid)
        levels += [len(market.book.bids.prices), len(market.book.asks.prices)]
    assert 80 < changes / 200 < 160
    assert 2 < trades / 200 < 12
    assert median(spreads) == 100
    assert 70 < mean(levels) < 140


def test_the_traders_go_on_on_another_grid_and_back_again() -> None:
    """Places on the one grid mean nothing on the other, which has fewer."""
    sim = simulation(2)
    run(sim, 5)
    market = sim.calendar.open_market()
    assert market is not None
    for _ in range(4):
        sim.interventions.change_grid(market.ticker)
        changes = [event for event in run(sim, 10) if isinstance(event, BookChanged)]
        assert len(changes) > 300
        best_bid, best_ask = market.book.best_bid(), market.book.best_ask()
        assert best_bid is not None
        assert best_ask is not None
        assert best_ask - best_bid <= 400


def test_liquidity_comes_back_after_somebody_took_it() -> None:
    sim = simulation(5)
    run(sim, 10)
    market = sim.calendar.open_market()
    assert market is not None
    best = market.book.best_ask()
    assert best is not None
    left, _ = take(sim.venue, market, owner=0, bid=True, limit=best + 300, quantity=10**9)
    assert left > 0
    assert (market.book.best_ask() or 10_000) > best + 300
    run(sim, 5)
    again = market.book.best_ask()
    assert again is not None
    assert again <= best + 300
    assert sum(market.book.asks.totals[price] for price in market.book.asks.prices[:4]) > 10_000


def test_the_makers_price_strays_from_the_fair_one_and_comes_back() -> None:
    sim = simulation(6)
    order_flow = sim.order_flows["KXBTC15M"]
    assert isinstance(order_flow, WindowOrderFlow)
    errors: list[float] = []
    for _ in range(800):
        run(sim, 1)
        if 0.3 < order_flow.fair < 0.7:
            errors.append(100 * (order_flow.quote / 10_000 - order_flow.fair))
    assert len(errors) > 100
    assert min(errors) < -0.5 < 0.5 < max(errors)
    assert max(abs(error) for error in errors) < 12


@pytest.mark.parametrize("series", ["KXBTC15M", "KXBTCD"])
def test_what_nobody_could_do_during_a_pause_is_not_made_up_for_at_its_end(series: str) -> None:
    sim = simulation(3, series)
    run(sim, 10)
    sim.venue.pauses.pause_trading(sim.venue.now_ms + 30_000)
    assert not [event for event in run(sim, 29) if isinstance(event, BookChanged)]
    assert 0 < sum(isinstance(event, BookChanged) for event in run(sim, 2)) < 600
