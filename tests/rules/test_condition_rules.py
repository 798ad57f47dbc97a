"""Conditions: each sick thing blocks entries by name, and a healthy daemon is not blocked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace as changed

from recio.messages.account import ForgottenOrder, PositionDifference
from recio.messages.markets import Listings, MarketStatus, VenuePhase, VenueRead, VenueState
from recio.messages.orders import OrderState
from recio.messages.prices import Prices, SourceState, SourceView
from recio.rules.health.conditions import Figures, conditions, overdue
from recio.settings.config import Config
from recio.settings.venue import KalshiSection
from recio.units import ClientOrderId, Quantity
from tests.builders import NOW, TICKER, account, board, market, open_trades, order, price, prices, view

LOST = SourceView(
    source="coinbase", state=SourceState.DOWN, price=None, at=None, heard_at=None, note="connection refused"
)
FORGOTTEN = ForgottenOrder(client_order_id=ClientOrderId("recio-0123abcd-9-entry-1"), ticker=TICKER)
HEALTHY = Figures(
    now=NOW,
    speed=1.0,
    prices=prices(),
    board=board(),
    account=account(),
    trades=open_trades(),
    loop_lag=0.001,
    database_seconds=0.001,
    database_fault="",
    database_read_only=False,
    task_ages={"price_feed": 0.2},
    tasks_down={},
    depths={"orders": (0, 16)},
    free_bytes=10_000_000_000,
)


def on_venue(figures: Figures, venue: VenueState) -> Figures:
    return replace(figures, board=replace(board(), venue=venue))


def reading(figures: Figures, confirmed_at: datetime | None, **changes: object) -> Figures:
    """Markets that are listed every five seconds, and were at this time for the last time."""
    read = VenueRead(name="markets of X", every=5.0, confirmed_at=confirmed_at, fault="GET /markets: 503")
    found = Listings(
        markets={}, settled={}, venue=VenueState(phase=VenuePhase.TRADING), reads=(replace(read, **changes),)
    )
    return replace(figures, listings=found)


def test_a_read_is_overdue_by_its_own_rhythm_and_says_what_fails():
    assert conditions(reading(HEALTHY, NOW - timedelta(seconds=35)), Config()) == ()
    (found,) = conditions(reading(HEALTHY, NOW - timedelta(seconds=36)), Config())
    assert found.detail == "markets of X: last read 36 s ago (limit 35 s): GET /markets: 503"
    (found,) = conditions(reading(HEALTHY, None), Config())
    assert found.detail == "markets of X: not read yet: GET /markets: 503"
    assert conditions(reading(HEALTHY, None, may_be_missing=True), Config()) == ()
    assert conditions(reading(HEALTHY, NOW - timedelta(seconds=300), every=300.0), Config()) == ()


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
        ("no market", lambda f: replace(f, board=replace(board(), by_ticker={}))),
        ("venue not read", lambda f: reading(f, NOW - timedelta(seconds=36))),
        ("venue not read", lambda f: reading(f, None)),
        ("venue paused", lambda f: on_venue(f, VenueState(phase=VenuePhase.TRADING_PAUSED))),
        ("venue paused", lambda f: on_venue(f, VenueState(phase=VenuePhase.EXCHANGE_PAUSED))),
        ("venue paused", lambda f: on_venue(f, VenueState(phase=VenuePhase.UNKNOWN))),
        ("maintenance", lambda f: on_venue(f, pause_in(299))),
        ("maintenance", lambda f: on_venue(f, pause_in(-60))),
        ("clock off", lambda f: replace(f, board=replace(board(), clock_offset=1.1))),
        ("clock off", lambda f: replace(f, board=replace(board(), clock_offset=-1.1))),
        ("event loop late", lambda f: replace(f, loop_lag=0.6)),
        ("database slow", lambda f: replace(f, database_seconds=1.5)),
        ("entry frozen", lambda f: replace(f, task_ages={"entry": 12.1})),
        ("account_sync restarting", lambda f: replace(f, tasks_down={"account_sync": "the venue is away"})),
        ("database away", lambda f: replace(f, database_fault="database: TimeoutError")),
        ("database read-only", lambda f: replace(f, database_read_only=True)),
        ("disk nearly full", lambda f: replace(f, free_bytes=499_999_999)),
        ("queue orders nearly full", lambda f: replace(f, depths={"orders": (12, 16)})),
        (
            "order unanswered",
            lambda f: replace(f, trades=open_trades(orders=(order(created_at=NOW - timedelta(seconds=6)),))),
        ),
        (
            "position differs",
            lambda f: replace(
                f,
                account=account(
                    differences=(PositionDifference(ticker=TICKER, venue=Quantity(1), ours=Quantity(0)),)
                ),
            ),
        ),
        (
            "cash not agreed",
            lambda f: replace(f, account=account(cash_agreed=False)),
        ),
        (
            "order unrecorded",
            lambda f: replace(f, account=account(unrecorded=(FORGOTTEN,))),
        ),
        (
            "books silent",
            lambda f: replace(f, board=board(heard_at=NOW - timedelta(seconds=16))),
        ),
        ("no book", lambda f: replace(f, board=board(changed(view(), book=None, why_no_book="a gap")))),
        (
            "price sources silent",
            lambda f: replace(f, prices=Prices(by_symbol={"BTC": price()}, sources={"BTC": (LOST,)})),
        ),
    ],
)
def test_each_sick_thing_blocks_by_its_name(name: str, change: Callable[[Figures], Figures]):
    assert [each.name for each in conditions(change(HEALTHY), Config())] == [name]


def test_ages_are_judged_in_host_time_when_the_market_runs_faster():
    fast = replace(HEALTHY, speed=15.0, prices=prices(price(age=16)))
    assert conditions(fast, Config()) == ()


def test_what_is_just_within_its_limit_blocks_nothing():
    near = replace(
        HEALTHY,
        depths={"orders": (11, 16)},
        free_bytes=500_000_000,
        task_ages={"entry": 11.9},
        loop_lag=0.5,
        database_seconds=1.0,
        trades=open_trades(orders=(order(created_at=NOW - timedelta(seconds=5)),)),
    )
    assert conditions(near, Config()) == ()


def test_a_task_that_waits_for_the_venue_is_not_frozen_before_its_answer_is_overdue():
    patient = Config(kalshi=KalshiSection(request_timeout_seconds=20))
    assert conditions(replace(HEALTHY, task_ages={"account_sync": 21.9}), patient) == ()
    late = conditions(replace(HEALTHY, task_ages={"account_sync": 22.1}), patient)
    assert [each.name for each in late] == ["account_sync frozen"]


def test_one_market_without_its_book_does_not_close_the_others():
    blind = changed(view(), book=None, why_no_book="a gap")
    assert conditions(replace(HEALTHY, board=board(blind, view())), Config()) == ()


def test_a_database_that_does_not_answer_at_all_is_not_called_slow_as_well():
    gone = replace(HEALTHY, database_fault="database: ConnectionError", database_seconds=30.0)
    assert [each.name for each in conditions(gone, Config())] == ["database away"]


@pytest.mark.parametrize("state", [OrderState.PENDING, OrderState.UNKNOWN, OrderState.RESTING])
def test_an_order_that_nobody_can_resolve_or_whose_fills_do_not_come_is_called_out(state: OrderState):
    unresolved = order(state=state, created_at=NOW - timedelta(seconds=61))
    without_fills = order(state=OrderState.FILLED, created_at=NOW - timedelta(seconds=61))
    seen = replace(HEALTHY, trades=open_trades(orders=(unresolved, without_fills)))
    assert overdue(seen, 60.0) == (unresolved, without_fills)
    assert overdue(seen, 62.0) == ()


@pytest.mark.parametrize("status", [MarketStatus.CLOSED, MarketStatus.FINALIZED, MarketStatus.INACTIVE])
def test_a_board_on_which_no_market_trades_is_no_fault(status: MarketStatus):
    """Between two windows there is nothing to have a book of."""
    over = changed(view(market(status=status)), book=None, why_no_book="not subscribed")
    assert conditions(replace(HEALTHY, board=board(over, heard_at=NOW)), Config()) == ()


def test_a_price_is_silent_after_its_limit_and_not_at_it():
    limit = Config().prices.idle_timeout_seconds
    assert conditions(replace(HEALTHY, prices=prices(price(age=limit))), Config()) == ()
    assert conditions(replace(HEALTHY, prices=prices(price(age=limit + 0.01))), Config()) != ()


def test_a_clock_that_is_off_is_told_also_while_no_market_is_known():
    """By one that is an hour ahead every market has ended."""
    unlisted = replace(HEALTHY, board=replace(board(), by_ticker={}, clock_offset=-3_600.0))
    assert {"no market", "clock off"} <= {each.name for each in conditions(unlisted, Config())}
