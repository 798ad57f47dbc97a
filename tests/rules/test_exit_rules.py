"""Exit: sells below the stop, bounded, and never on a guess."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.messages import (
    BookView,
    Brake,
    CloseIntent,
    Halt,
    MarketStatus,
    PriceView,
    Restraints,
    Switch,
    SwitchedOff,
    TradeState,
    TradeView,
    VenuePhase,
    VenueState,
)
from recio.rules.exit import Holds, decide
from recio.rules.strikes import price_in_range, sellable_floor
from recio.sections import ExitSection
from recio.units import Price, Quantity, Side, TradeId, complement
from tests.builders import NOW, board, book, market, price, prices, trade, view

SETTINGS = ExitSection(stop_probability=0.25)
LOSING = price("83700.00")
"""300 dollars under the strike with ten minutes to go: YES is far below the stop."""
NO_ATTEMPT: dict[TradeId, datetime] = {}


def turn(of: TradeView, at: PriceView | None = LOSING, **changes: object) -> CloseIntent | Holds:
    fields: dict[str, object] = {
        "board": board(view(levels=book(bid=500, ask=700))),
        "last_attempt": NO_ATTEMPT,
        "settings": SETTINGS,
        "now": NOW,
    }
    return decide(of, prices=None if at is None else prices(at), **(fields | changes))  # pyright: ignore[reportArgumentType]


def test_sells_all_that_is_held_when_the_model_falls_below_the_stop():
    wish = turn(trade(exit_quantity=Quantity(300)))
    assert isinstance(wish, CloseIntent)
    assert wish.quantity == 700


def test_the_floor_is_the_best_bid_less_the_slippage_and_never_zero():
    wish = turn(
        trade(),
        settings=ExitSection(stop_probability=0.25, max_slippage_dollars=SETTINGS.max_slippage_dollars),
    )
    assert isinstance(wish, CloseIntent)
    assert wish.floor == Price(10)


def test_a_no_trade_is_judged_by_the_probability_of_no():
    held_no = trade(side=Side.NO)
    assert isinstance(turn(held_no), Holds)
    assert isinstance(
        turn(held_no, price("84300.00"), board=board(view(levels=book(bid=9300, ask=9500)))), CloseIntent
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"board": None},
        {"board": board(view(market(status=MarketStatus.CLOSED)))},
        {"board": board(view(levels=BookView(bids=(), asks=())))},
        {"settings": ExitSection(enabled=False)},
        {"last_attempt": {TradeId(1): NOW - timedelta(seconds=3)}},
        {"now": NOW + timedelta(minutes=9, seconds=50)},
    ],
)
def test_holds_when_it_cannot_or_must_not_sell(changes: dict[str, object]):
    assert isinstance(turn(trade(), **changes), Holds)


def test_never_judges_a_stop_by_an_old_or_unknown_price():
    assert isinstance(turn(trade(), price("83700.00", age=11)), Holds)
    assert isinstance(turn(trade(), None), Holds)
    assert isinstance(turn(trade(), price("83700.00", volatility=None)), Holds)


@pytest.mark.parametrize("state", [TradeState.OPENING, TradeState.CLOSING, TradeState.CLOSED])
def test_only_an_open_trade_is_sold(state: TradeState):
    assert isinstance(turn(replace(trade(), state=state)), Holds)


def test_holds_while_the_model_is_above_the_stop():
    held = turn(trade(), price("84000.00"))
    assert isinstance(held, Holds)
    assert "stop below" in held.sentence


@pytest.mark.parametrize(
    ("side", "floor", "steps_to"),
    [
        (Side.YES, 8650, 8600),
        (Side.YES, 8600, 8600),
        (Side.YES, 987, 980),
        (Side.YES, 9155, 9150),
        (Side.YES, 1, 10),
        (Side.NO, 8650, 8600),
        (Side.NO, 9155, 9150),
        (Side.NO, 987, 980),
        (Side.NO, 1, 10),
    ],
)
def test_a_floor_steps_down_to_a_price_that_the_market_knows(side: Side, floor: int, steps_to: int):
    assert sellable_floor(view(), side, Price(floor)) == steps_to


@given(st.integers(1, 9990), st.sampled_from(list(Side)))
def test_a_floor_never_steps_up_and_always_lands_on_the_grid(floor: int, side: Side):
    found = sellable_floor(view(), side, Price(floor))
    assert found <= max(floor, 10)
    assert price_in_range(found if side is Side.YES else complement(found), view())


@pytest.mark.parametrize("phase", [VenuePhase.TRADING_PAUSED, VenuePhase.EXCHANGE_PAUSED])
def test_waits_while_the_venue_takes_no_orders(phase: VenuePhase):
    paused = replace(board(), venue=VenueState(phase=phase))
    held = turn(trade(), LOSING, board=paused)
    assert isinstance(held, Holds)
    assert phase.value in held.sentence


def test_never_judges_a_stop_by_a_price_in_doubt():
    assert isinstance(turn(trade(), replace(LOSING, doubt="sources differ")), Holds)


FLATTEN = Restraints(halts=(Halt(cause="by hand", since=NOW, by="x", way_out="y", brake=Brake.FLATTEN),))
EXIT_OFF = (SwitchedOff(switch=Switch.EXIT, since=NOW, by="me", why=""),)
HEALTHY = price("84300.00")


def test_a_flatten_sells_what_the_model_would_keep_and_asks_no_switch():
    assert isinstance(turn(trade(), HEALTHY), Holds)
    wish = turn(
        trade(),
        HEALTHY,
        restraints=replace(FLATTEN, switched_off=EXIT_OFF),
        settings=SETTINGS.model_copy(update={"enabled": False}),
    )
    assert isinstance(wish, CloseIntent)
    assert (wish.quantity, wish.why) == (1000, "flatten: by hand; bid 0.0500")


def test_a_flatten_needs_no_price_but_an_open_market_with_a_bid():
    assert isinstance(turn(trade(), None, restraints=FLATTEN), CloseIntent)
    nobody = board(view(levels=BookView(bids=(), asks=((Price(700), Quantity(100)),))))
    assert isinstance(turn(trade(), None, restraints=FLATTEN, board=nobody), Holds)
    closed = turn(trade(closes_at=NOW), None, restraints=FLATTEN)
    assert isinstance(closed, Holds)
    assert "left to settlement" in closed.sentence


def test_a_flatten_tries_again_after_a_while_and_not_at_every_turn():
    wish = turn(trade(), None, restraints=FLATTEN)
    assert isinstance(wish, CloseIntent)
    tried = {wish.trade_id: NOW}
    assert isinstance(turn(trade(), None, restraints=FLATTEN, last_attempt=tried), Holds)
    later = NOW + timedelta(seconds=SETTINGS.retry_seconds)
    assert isinstance(turn(trade(), None, restraints=FLATTEN, last_attempt=tried, now=later), CloseIntent)


def test_a_halt_or_a_stop_sells_nothing_by_itself_and_holds_up_no_exit():
    for brake in (Brake.HALT, Brake.STOP):
        halted = Restraints(halts=(Halt(cause="x", since=NOW, by="x", way_out="y", brake=brake),))
        assert isinstance(turn(trade(), HEALTHY, restraints=halted), Holds)
        assert isinstance(turn(trade(), restraints=halted), CloseIntent)


def test_exits_that_a_person_switched_off_stay_off():
    off = turn(trade(), restraints=Restraints(switched_off=EXIT_OFF))
    assert isinstance(off, Holds)
    assert off.sentence == "exit was switched off by me"
