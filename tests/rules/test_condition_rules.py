"""Conditions: each sick thing blocks entries by name, and a healthy daemon is not blocked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from recio.config import Config
from recio.messages import OrderState, VenuePhase, VenueState
from recio.rules.conditions import Figures, conditions
from tests.builders import NOW, account, board, open_trades, order, price, prices

HEALTHY = Figures(
    now=NOW,
    speed=1.0,
    prices=prices(),
    board=board(),
    account=account(),
    trades=open_trades(),
    loop_lag=0.001,
    database_seconds=0.001,
    task_ages={"price_feed": 0.2},
)


def on_venue(figures: Figures, venue: VenueState) -> Figures:
    return replace(figures, board=replace(board(), venue=venue))


def pause_in(seconds: float) -> VenueState:
    """A pause of two hours that begins in so many seconds."""
    begins = NOW + timedelta(seconds=seconds)
    return VenueState(phase=VenuePhase.TRADING, next_pause=(begins, begins + timedelta(hours=2)))


def test_a_pause_that_is_far_off_or_over_blocks_nothing():
    for venue in (pause_in(301), pause_in(-7_201)):
        assert conditions(on_venue(HEALTHY, venue), Config()) == ()


def test_a_healthy_daemon_is_not_blocked():
    assert conditions(HEALTHY, Config()) == ()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("not reconciled", lambda f: replace(f, account=None)),
        ("not reconciled", lambda f: replace(f, trades=None)),
        (
            "reconciliation stale",
            lambda f: replace(f, account=account(reconciled_at=NOW - timedelta(seconds=61))),
        ),
        (
            "order unknown",
            lambda f: replace(f, trades=open_trades(orders=(order(state=OrderState.UNKNOWN),))),
        ),
        ("no price", lambda f: replace(f, prices=None)),
        ("price sources silent", lambda f: replace(f, prices=prices(price(age=16)))),
        ("no market", lambda f: replace(f, board=replace(board(), markets=()))),
        ("venue paused", lambda f: on_venue(f, VenueState(phase=VenuePhase.TRADING_PAUSED))),
        ("venue paused", lambda f: on_venue(f, VenueState(phase=VenuePhase.EXCHANGE_PAUSED))),
        ("venue paused", lambda f: on_venue(f, VenueState(phase=VenuePhase.UNKNOWN))),
        ("maintenance", lambda f: on_venue(f, pause_in(299))),
        ("maintenance", lambda f: on_venue(f, pause_in(-60))),
        ("clock off", lambda f: replace(f, board=replace(board(), clock_offset=1.1))),
        ("clock off", lambda f: replace(f, board=replace(board(), clock_offset=-1.1))),
        ("event loop late", lambda f: replace(f, loop_lag=0.6)),
        ("database slow", lambda f: replace(f, database_seconds=1.5)),
        ("entry stuck", lambda f: replace(f, task_ages={"entry": 31.0})),
    ],
)
def test_each_sick_thing_blocks_by_its_name(name: str, change: Callable[[Figures], Figures]):
    assert [each.name for each in conditions(change(HEALTHY), Config())] == [name]


def test_ages_are_judged_in_host_time_when_the_market_runs_faster():
    fast = replace(HEALTHY, speed=15.0, prices=prices(price(age=16)))
    assert conditions(fast, Config()) == ()
