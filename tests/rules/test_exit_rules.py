"""Exit: sells below the stop, bounded, and never on a guess."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from recio.messages.controls import Halt, HaltLevel, Switch, SwitchedOff, TradingControls
from recio.messages.decisions import CloseIntent
from recio.messages.markets import BookView, MarketBoard, MarketStatus, VenuePhase, VenueState
from recio.messages.orders import TradeState, TradeView
from recio.messages.prices import Momentum, PriceView
from recio.rules.decision.exit import NOTHING, ExitDecision, ExitMemory, Holds, decide, next_moment, not_tried
from recio.rules.market.quotes import price_in_range, sellable_floor
from recio.settings.trading import ExitSection
from recio.units import Price, Quantity, Side, complement
from tests.builders import NOW, board, book, market, price, prices, section, trade, view

SETTINGS = ExitSection(stop_probability=0.25)
LOSING = price("83700.00")
"""300 dollars under the strike with ten minutes to go: YES is far below the stop."""


def cycle(of: TradeView, at: PriceView | None = LOSING, /, **changes: Any) -> CloseIntent | Holds:
    return decided(of, at, **changes).outcome


def decided(of: TradeView, at: PriceView | None = LOSING, /, **changes: Any) -> ExitDecision:
    fields: dict[str, Any] = {
        "board": board(view(levels=book(bid=500, ask=700))),
        "before": NOTHING,
        "settings": SETTINGS,
        "now": NOW,
    }
    return decide(of, prices=None if at is None else prices(at), **(fields | changes))


def test_sells_all_that_is_held_when_the_model_falls_below_the_stop():
    sale = cycle(trade(exit_quantity=Quantity(300)))
    assert isinstance(sale, CloseIntent)
    assert sale.quantity == 700


def test_the_floor_is_the_best_bid_less_the_slippage_and_never_zero():
    sale = cycle(
        trade(),
        settings=section(
            ExitSection,
            stop_probability=0.25,
            max_slippage_dollars=Decimal("0.05"),
            min_value_fraction="off",
        ),
    )
    assert isinstance(sale, CloseIntent)
    assert sale.floor == Price(10)


def test_a_no_trade_is_judged_by_the_probability_of_no():
    held_no = trade(side=Side.NO)
    assert isinstance(cycle(held_no), Holds)
    assert isinstance(
        cycle(held_no, price("84300.00"), board=board(view(levels=book(bid=9300, ask=9500)))), CloseIntent
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"board": None},
        {"board": board(view(market(status=MarketStatus.CLOSED)))},
        {"board": board(view(levels=BookView(bids=(), asks=())))},
        {"settings": ExitSection(enabled=False)},
        {"before": ExitMemory(reason="stop", last_attempt=NOW - timedelta(seconds=3))},
        {"now": NOW + timedelta(minutes=9, seconds=50)},
    ],
)
def test_holds_when_it_cannot_or_must_not_sell(changes: dict[str, object]):
    assert isinstance(cycle(trade(), **changes), Holds)


def test_never_judges_a_stop_by_an_old_or_unknown_price():
    assert isinstance(cycle(trade(), price("83700.00", age=11)), Holds)
    assert isinstance(cycle(trade(), None), Holds)
    assert isinstance(cycle(trade(), price("83700.00", volatility=None)), Holds)


@pytest.mark.parametrize("state", [TradeState.OPENING, TradeState.CLOSING, TradeState.CLOSED])
def test_only_an_open_trade_is_sold(state: TradeState):
    assert isinstance(cycle(replace(trade(), state=state)), Holds)


def test_holds_while_the_model_is_above_the_stop():
    held = cycle(trade(), price("84000.00"))
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
    assert sellable_floor(view().market.price_ranges, side, Price(floor)) == steps_to


@given(st.integers(1, 9990), st.sampled_from(list(Side)))
def test_a_floor_never_steps_up_and_always_lands_on_the_grid(floor: int, side: Side):
    found = sellable_floor(view().market.price_ranges, side, Price(floor))
    assert found <= max(floor, 10)
    assert price_in_range(found if side is Side.YES else complement(found), view())


@pytest.mark.parametrize("phase", [VenuePhase.TRADING_PAUSED, VenuePhase.EXCHANGE_PAUSED])
def test_waits_while_the_venue_takes_no_orders(phase: VenuePhase):
    paused = replace(board(), venue=VenueState(phase=phase))
    held = cycle(trade(), LOSING, board=paused)
    assert isinstance(held, Holds)
    assert phase.value in held.sentence


def test_never_judges_a_stop_by_an_unreliable_price():
    assert isinstance(cycle(trade(), replace(LOSING, unreliable="sources differ")), Holds)


FLATTEN = TradingControls(
    halts=(Halt(cause="by hand", since=NOW, by="x", resolution="y", level=HaltLevel.FLATTEN),)
)
EXIT_OFF = (SwitchedOff(switch=Switch.EXIT, since=NOW, by="me", why=""),)
HEALTHY = price("84300.00")


def test_a_flatten_sells_what_the_model_would_keep_and_asks_no_switch():
    assert isinstance(cycle(trade(), HEALTHY), Holds)
    sale = cycle(
        trade(),
        HEALTHY,
        controls=replace(FLATTEN, switched_off=EXIT_OFF),
        settings=SETTINGS.model_copy(update={"enabled": False}),
    )
    assert isinstance(sale, CloseIntent)
    assert (sale.quantity, sale.why) == (1000, "flatten: by hand, the model gives yes 96.4%; bid 0.0500")


def test_a_flatten_needs_no_price_but_an_open_market_with_a_bid():
    assert isinstance(cycle(trade(), None, controls=FLATTEN), CloseIntent)
    nobody = board(view(levels=BookView(bids=(), asks=((Price(700), Quantity(100)),))))
    assert isinstance(cycle(trade(), None, controls=FLATTEN, board=nobody), Holds)
    closed = cycle(trade(closes_at=NOW), None, controls=FLATTEN)
    assert isinstance(closed, Holds)
    assert "left to settlement" in closed.sentence


BLIND_BOARDS = {
    "no board": None,
    "another market only": board(view(market(ticker="KXBTC15M-26NOV230730-30"))),
    "no book": board(changed(view(), book=None)),
    "a book that fell silent": board(heard_at=NOW - timedelta(seconds=11)),
}


@pytest.mark.parametrize("seen", BLIND_BOARDS.values(), ids=BLIND_BOARDS)
@pytest.mark.parametrize("side", list(Side))
def test_a_flatten_that_sees_no_bid_sells_at_the_least_price_and_a_stop_does_not(
    seen: MarketBoard | None, side: Side
):
    held = trade(side=side, exit_quantity=Quantity(300))
    sale = cycle(held, None, controls=FLATTEN, board=seen)
    assert isinstance(sale, CloseIntent)
    known = seen is not None and any(each.market.ticker == held.ticker for each in seen.markets)
    assert (sale.quantity, sale.floor) == (700, 10 if known else 100)
    assert sale.exchange_index == held.exchange_index
    assert "no bid can be seen" in sale.why
    if seen is not BLIND_BOARDS["a book that fell silent"]:
        stops = section(ExitSection, time_stop_seconds_to_close=899)
        assert isinstance(cycle(held, None, board=seen, settings=stops), Holds)


def test_a_flatten_that_sees_no_bid_keeps_to_the_floor_the_pause_the_status_and_the_close():
    blind = board(changed(view(), book=None))
    least = section(ExitSection, min_floor_dollars=Decimal("0.2"))
    sale = cycle(trade(), None, controls=FLATTEN, board=blind, settings=least)
    assert isinstance(sale, CloseIntent)
    assert sale.floor == 2000
    paused = replace(blind, venue=VenueState(phase=VenuePhase.TRADING_PAUSED))
    stopped = board(changed(view(market(status=MarketStatus.INACTIVE)), book=None))
    for seen in (paused, replace(paused, by_ticker={}), stopped):
        assert isinstance(cycle(trade(), None, controls=FLATTEN, board=seen), Holds)
    assert isinstance(cycle(trade(closes_at=NOW), None, controls=FLATTEN, board=None), Holds)
    tried = ExitMemory(reason="flatten", last_attempt=NOW - timedelta(seconds=1))
    assert isinstance(cycle(trade(), None, controls=FLATTEN, board=blind, before=tried), Holds)


def test_where_it_is_unknown_whether_a_market_goes_on_a_stop_and_a_flatten_ask_the_venue():
    unknown = market(status=MarketStatus.UNKNOWN)
    below = price("83700.00")
    stopped = board(view(market(status=MarketStatus.INACTIVE)))
    assert isinstance(cycle(trade(), below, board=board(view(unknown))), CloseIntent)
    assert isinstance(cycle(trade(), below, board=stopped), Holds)
    blind = board(changed(view(unknown), book=None))
    assert isinstance(cycle(trade(), None, controls=FLATTEN, board=blind), CloseIntent)


@pytest.mark.parametrize("ours_is_ahead_by", [0.0, 40.0])
@pytest.mark.parametrize(
    "halts", [(), (Halt(level=HaltLevel.FLATTEN, cause="by hand", since=NOW, by="me", resolution="-"),)]
)
def test_a_sale_is_given_up_at_the_close_by_the_venues_clock_and_not_by_one_that_is_ahead_of_it(
    ours_is_ahead_by: float, halts: tuple[Halt, ...]
):
    at = NOW + timedelta(minutes=10, seconds=10)  # ten seconds after the close, by our clock
    seen = replace(
        board(view(levels=book(bid=500, ask=700)), heard_at=at),
        clock_offset=-ours_is_ahead_by if ours_is_ahead_by else 40.0,
    )
    falls = section(ExitSection, stop_price_dollars=Decimal("0.10"), stop_probability="off")
    sold = cycle(trade(), None, board=seen, settings=falls, controls=TradingControls(halts=halts), now=at)
    assert isinstance(sold, CloseIntent if ours_is_ahead_by else Holds)


@pytest.mark.parametrize(("venue_is_ahead_by", "sells"), [(40.0, True), (0.0, False), (-40.0, False)])
def test_a_time_stop_comes_in_time_by_the_venues_clock_where_ours_is_behind(
    venue_is_ahead_by: float, sells: bool
):
    at = NOW + timedelta(minutes=9)  # a minute before the close, by our clock
    seen = replace(board(view(), heard_at=at), clock_offset=venue_is_ahead_by)
    settings = section(ExitSection, time_stop_seconds_to_close=30, stop_probability="off")
    assert isinstance(cycle(trade(), None, board=seen, settings=settings, now=at), CloseIntent) is sells


def test_a_flatten_tries_again_after_a_while_and_not_at_every_turn():
    sale = cycle(trade(), None, controls=FLATTEN)
    assert isinstance(sale, CloseIntent)
    tried = ExitMemory(reason="flatten", last_attempt=NOW)
    assert isinstance(cycle(trade(), None, controls=FLATTEN, before=tried), Holds)
    later = NOW + timedelta(seconds=SETTINGS.retry_seconds)
    assert isinstance(cycle(trade(), None, controls=FLATTEN, before=tried, now=later), CloseIntent)


def test_a_halt_or_a_stop_sells_nothing_by_itself_and_holds_up_no_exit():
    for level in (HaltLevel.HALT, HaltLevel.STOP):
        halted = TradingControls(halts=(Halt(cause="x", since=NOW, by="x", resolution="y", level=level),))
        assert isinstance(cycle(trade(), HEALTHY, controls=halted), Holds)
        assert isinstance(cycle(trade(), controls=halted), CloseIntent)


def test_exits_that_a_person_switched_off_stay_off():
    off = cycle(trade(), controls=TradingControls(switched_off=EXIT_OFF))
    assert isinstance(off, Holds)
    assert off.sentence == "exit was switched off by me"


# --- the other stops --------------------------------------------------------------------------------------------------

NO_MODEL = replace(LOSING, volatility=None)
"""A price without volatility: no probability, and so no probability stop."""


def exits(**settings: object) -> ExitSection:
    return ExitSection.model_validate({"stop_probability": 0.25, **settings})


def why(sale: CloseIntent | Holds) -> str:
    assert isinstance(sale, CloseIntent)
    return sale.why.split(":")[0]


@pytest.mark.parametrize(
    ("name", "settings", "changes"),
    [
        ("price stop", exits(stop_price_dollars=Decimal("0.05")), {}),
        ("take profit", exits(take_profit_dollars=Decimal("0.05")), {}),
        ("time stop", exits(time_stop_seconds_to_close=120.0), {"now": NOW + timedelta(seconds=480)}),
        ("momentum stop", exits(momentum_stop_bp=36.0), {}),
    ],
)
def test_each_stop_sells_by_its_name_without_any_probability_and_is_off_unless_it_is_set(
    name: str, settings: ExitSection, changes: dict[str, object]
):
    spot = replace(NO_MODEL, momentum=Momentum(bp=-36.0, whole=False))
    if "now" in changes:
        spot = replace(spot, tick=replace(spot.tick, at=NOW + timedelta(seconds=479)))
    assert why(cycle(trade(), spot, settings=settings, **changes)) == name
    assert isinstance(cycle(trade(), spot, settings=exits(), **changes), Holds)


@pytest.mark.parametrize(
    ("settings", "bid", "sells"),
    [
        (exits(stop_price_dollars=Decimal("0.30")), 3010, False),
        (exits(stop_price_dollars=Decimal("0.30")), 3000, True),
        (exits(take_profit_dollars=Decimal("0.90")), 8900, False),
        (exits(take_profit_dollars=Decimal("0.90")), 9000, True),
    ],
)
def test_price_stop_and_take_profit_sell_at_their_price_and_not_before(
    settings: ExitSection, bid: int, sells: bool
):
    shown = board(view(levels=book(bid=bid, ask=bid + 100)))
    assert isinstance(cycle(trade(), NO_MODEL, settings=settings, board=shown), CloseIntent) is sells
    held_no = cycle(
        trade(side=Side.NO),
        NO_MODEL,
        settings=settings,
        board=board(view(levels=book(10_000 - bid - 100, 10_000 - bid))),
    )
    assert isinstance(held_no, CloseIntent) is sells


@pytest.mark.parametrize(
    ("side", "bp", "sells"),
    [
        (Side.YES, -36.0, True),
        (Side.YES, -35.9, False),
        (Side.YES, 50.0, False),
        (Side.NO, 36.0, True),
        (Side.NO, -50.0, False),
    ],
)
def test_momentum_stops_only_the_side_that_it_runs_against(side: Side, bp: float, sells: bool):
    spot = replace(NO_MODEL, momentum=Momentum(bp=bp, whole=True))
    sale = cycle(trade(side=side), spot, settings=exits(momentum_stop_bp=36.0))
    assert isinstance(sale, CloseIntent) is sells
    assert isinstance(
        cycle(
            trade(side=side),
            replace(spot, unreliable="sources differ"),
            settings=exits(momentum_stop_bp=36.0),
        ),
        Holds,
    )


def test_a_stop_that_is_to_be_verified_sells_only_after_it_held_throughout():
    settings, before, outcome = exits(stop_confirm_seconds=15.0), NOTHING, None
    for second in (0, 5, 10):
        now = NOW + timedelta(seconds=second)
        found = decided(trade(), at_second(second), settings=settings, before=before, now=now)
        assert isinstance(found.outcome, Holds)
        before = found.remembered
    healthy = replace(HEALTHY, tick=replace(HEALTHY.tick, at=NOW + timedelta(seconds=12)))
    recovered = decided(
        trade(), healthy, settings=settings, before=before, now=NOW + timedelta(seconds=12)
    ).remembered
    assert recovered.falling_since is None
    sells = decided(trade(), at_second(15), settings=settings, before=before, now=NOW + timedelta(seconds=15))
    assert isinstance(sells.outcome, CloseIntent)
    starts_anew = decided(
        trade(), at_second(15), settings=settings, before=recovered, now=NOW + timedelta(seconds=15)
    )
    assert isinstance(starts_anew.outcome, Holds)
    assert outcome is None


def at_second(second: int) -> PriceView:
    return replace(LOSING, tick=replace(LOSING.tick, at=NOW + timedelta(seconds=second)))


def test_a_turn_in_the_dark_begins_the_verification_anew():
    settings = exits(stop_confirm_seconds=15.0)
    before = decided(trade(), settings=settings).remembered
    assert before.falling_since == NOW
    assert decided(trade(), NO_MODEL, settings=settings, before=before).remembered.falling_since is None


def test_a_probability_stop_that_is_off_never_sells_and_leaves_the_other_stops():
    off = exits(stop_probability="off")
    held = cycle(trade(), settings=off)
    assert isinstance(held, Holds)
    assert held.sentence.endswith(", the probability stop is off")
    assert why(cycle(trade(), settings=exits(stop_probability="off", stop_price_dollars=1))) == "price stop"


def test_below_the_hard_stop_nothing_is_waited_for():
    settings = exits(stop_confirm_seconds=600.0, min_hold_seconds=600.0, hard_stop_probability=0.25)
    sale = cycle(trade(), settings=settings)
    assert isinstance(sale, CloseIntent)
    assert "hard stop" in sale.why


def test_a_minimum_hold_and_the_seconds_to_the_close_are_two_things():
    young = trade(opened_at=NOW - timedelta(seconds=59))
    assert isinstance(cycle(young, settings=exits(min_hold_seconds=60.0)), Holds)
    assert isinstance(
        cycle(replace(young, opened_at=NOW - timedelta(seconds=60)), settings=exits(min_hold_seconds=60.0)),
        CloseIntent,
    )


def test_each_attempt_that_met_a_book_lets_the_next_take_less_and_never_less_than_the_least():
    shown = board(view(levels=book(bid=5000, ask=5200)))
    settings = exits(
        max_slippage_dollars=Decimal("0.05"),
        floor_step_dollars=Decimal("0.10"),
        min_floor_dollars=Decimal("0.30"),
    )
    floors, before = [], NOTHING
    for attempt, met in enumerate((5, 6, 6, 7, 8)):
        now = NOW + timedelta(seconds=10 * attempt)
        held, spot = trade(exits_met=met), at_second(10 * attempt)
        found = decided(held, spot, settings=settings, before=before, board=shown, now=now)
        assert isinstance(found.outcome, CloseIntent)
        floors.append(found.outcome.floor)
        before = found.remembered
    assert floors == [4500, 3500, 3500, 3000, 3000]


def test_a_reason_that_ends_takes_its_attempts_with_it():
    shown, settings = board(view(levels=book(bid=5000, ask=5200))), exits(retry_seconds=0.0)
    first = decided(trade(exits_met=0), settings=settings, board=shown)
    kept = decided(trade(exits_met=3), HEALTHY, settings=settings, board=shown, before=first.remembered)
    assert isinstance(kept.outcome, Holds)
    again = decided(
        trade(exits_met=3),
        at_second(9),
        settings=settings,
        board=shown,
        before=kept.remembered,
        now=NOW + timedelta(seconds=9),
    )
    assert isinstance(again.outcome, CloseIntent)
    assert isinstance(first.outcome, CloseIntent)
    assert again.outcome.floor == first.outcome.floor == 4500


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("met", [0, 1, 30])
def test_a_profit_is_never_taken_below_its_goal_on_no_grid_and_after_no_attempt(side: Side, met: int):
    goal = Price(9050)
    settings = exits(take_profit_dollars=Decimal("0.905"), stop_probability="off", max_slippage_dollars=1)
    levels = book(bid=9060, ask=9100) if side is Side.YES else book(bid=900, ask=940)
    tried = ExitMemory(reason="take profit")
    sale = cycle(
        trade(side=side, exits_met=met), board=board(view(levels=levels)), settings=settings, before=tried
    )
    assert isinstance(sale, CloseIntent)
    assert sale.floor == goal


@pytest.mark.parametrize("side", list(Side))
def test_a_goal_between_two_prices_of_the_market_is_taken_at_the_better_one(side: Side):
    settings = exits(take_profit_dollars=Decimal("0.4505"), stop_probability="off", max_slippage_dollars=1)
    levels = book(bid=4700, ask=4800) if side is Side.YES else book(bid=5200, ask=5300)
    sale = cycle(trade(side=side), board=board(view(levels=levels)), settings=settings)
    assert isinstance(sale, CloseIntent)
    assert sale.floor == Price(4600)


def test_a_stop_sells_for_no_less_than_its_part_of_what_the_model_gives_and_a_flatten_for_anything():
    worth_24, cheap = price("83902.00"), board(view(levels=book(bid=100, ask=9900)))
    held = cycle(trade(), worth_24, board=cheap)
    assert isinstance(held, Holds)
    assert "bid 0.0100): that is below 0.1" in held.sentence
    assert isinstance(
        cycle(trade(), worth_24, board=board(view(levels=book(bid=1300, ask=9900)))), CloseIntent
    )
    flattened = cycle(trade(), worth_24, board=cheap, controls=FLATTEN)
    assert isinstance(flattened, CloseIntent)
    assert "the model gives yes 2" in flattened.why


def test_attempts_that_sell_nothing_for_too_long_call_somebody_though_each_was_sent():
    before, alarms = NOTHING, []
    for second in range(0, 45, 5):
        now = NOW + timedelta(seconds=second)
        found = decided(trade(), at_second(second), before=before, now=now)
        before = found.remembered
        alarms.append(isinstance(found.outcome, Holds) and found.outcome.alarm)
    assert alarms == [False] * 7 + [True, False]


BLIND = (None, replace(LOSING, volatility=None), replace(LOSING, unreliable="sources differ"), price(age=11))


@pytest.mark.parametrize("spot", BLIND, ids=["no price", "no model", "unreliable", "old"])
@pytest.mark.parametrize("side", list(Side))
def test_without_price_or_model_the_bid_stands_in_for_the_stop_and_that_is_said(
    spot: PriceView | None, side: Side
):
    def at(own_bid: int, seconds: float, before: ExitMemory) -> ExitDecision:
        levels = book(own_bid, 9900) if side is Side.YES else book(100, 10_000 - own_bid)
        shown = board(view(levels=levels))
        return decided(
            trade(side=side), spot, board=shown, before=before, now=NOW + timedelta(seconds=seconds)
        )

    above = at(2700, 0, NOTHING)
    assert isinstance(above.outcome, Holds)
    assert "blind stop at 0.2600" in above.outcome.sentence
    waits = at(2600, 9, above.remembered)
    assert isinstance(waits.outcome, Holds)
    assert "blind for 9.0 of 10 s" in waits.outcome.sentence
    sale = at(2600, 10, waits.remembered)
    assert isinstance(sale.outcome, CloseIntent)
    assert why(sale.outcome) == "blind stop"
    off = exits(blind_stop_fraction="off")
    assert isinstance(cycle(trade(), None, settings=off, before=waits.remembered), Holds)


def test_where_neither_model_nor_bid_can_judge_a_stop_somebody_is_called_once():
    before, alarms = NOTHING, []
    for second in (0, 29, 30, 60):
        now = NOW + timedelta(seconds=second)
        found = decided(trade(), None, board=board(changed(view(), book=None)), before=before, now=now)
        assert isinstance(found.outcome, Holds)
        assert "nothing judges the stop" in found.outcome.sentence
        before = found.remembered
        alarms.append(found.outcome.alarm)
    assert alarms == [False, False, True, False]


def test_what_cannot_be_sold_for_too_long_calls_somebody_once_and_again_only_after_it_could_be():
    nobody, settings = (
        board(view(levels=BookView(bids=(), asks=((Price(700), Quantity(100)),)))),
        exits(alarm_after_seconds=30.0),
    )
    alarms, before = [], NOTHING
    for second in (0, 29, 30, 31, 60):
        now = NOW + timedelta(seconds=second)
        found = decided(trade(), at_second(second), settings=settings, before=before, board=nobody, now=now)
        assert isinstance(found.outcome, Holds)
        assert "to be sold (stop: model gives yes" in found.outcome.sentence
        alarms.append(found.outcome.alarm)
        before = found.remembered
    assert alarms == [False, False, True, False, False]
    sold = decided(trade(), at_second(60), settings=settings, before=before, now=NOW + timedelta(seconds=60))
    assert isinstance(sold.outcome, CloseIntent)
    assert (sold.remembered.unsold_since, sold.remembered.alarmed) == (NOW + timedelta(seconds=60), False)


def test_a_sale_that_became_no_order_was_no_attempt_and_somebody_is_called_if_that_goes_on():
    settings, before = exits(alarm_after_seconds=30.0, retry_seconds=10.0), NOTHING
    for second in (0, 1, 29):
        now = NOW + timedelta(seconds=second)
        sold = decided(trade(), at_second(second), settings=settings, before=before, now=now)
        assert isinstance(sold.outcome, CloseIntent)
        before = not_tried(sold.remembered, before)
    assert (before.last_attempt, before.unsold_since) == (None, NOW)
    tried = decided(
        trade(), at_second(29), settings=settings, before=before, now=NOW + timedelta(seconds=29)
    ).remembered
    waits = decided(trade(), at_second(30), settings=settings, before=tried, now=NOW + timedelta(seconds=30))
    assert isinstance(waits.outcome, Holds)
    assert waits.outcome.alarm


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("hard_stop_probability", 0.3, "hard_stop_probability must not be above stop_probability"),
        ("time_stop_seconds_to_close", 10.0, "time_stop_seconds_to_close must be above min_seconds_to_close"),
        ("stop_price_dollars", Decimal("0.12345"), "more than 4 decimals"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(key: str, value: object, said: str):
    with pytest.raises(ValueError, match=said):
        exits(**{key: value})


def test_no_halt_and_no_block_holds_up_any_of_them():
    halted = TradingControls(halts=(Halt(cause="x", since=NOW, by="x", resolution="y"),))
    assert (
        why(cycle(trade(), NO_MODEL, settings=exits(stop_price_dollars=Decimal("0.05")), controls=halted))
        == "price stop"
    )


@pytest.mark.parametrize(("age", "sells"), [(10, True), (11, False)])
def test_a_bid_of_a_book_that_fell_silent_judges_no_price_stop(age: int, sells: bool):
    old = board(view(levels=book(bid=500, ask=700)), heard_at=NOW - timedelta(seconds=age))
    sale = cycle(trade(), NO_MODEL, settings=exits(stop_price_dollars=Decimal("0.05")), board=old)
    assert isinstance(sale, CloseIntent) is sells


@pytest.mark.parametrize(
    ("remembered", "settings", "seconds"),
    [
        (NOTHING, exits(), 0.25),
        (ExitMemory(falling_since=NOW - timedelta(seconds=1.9)), exits(stop_confirm_seconds=2), 0.1),
        (ExitMemory(blind_since=NOW - timedelta(seconds=9.95)), exits(blind_stop_after_seconds=10), 0.05),
        (ExitMemory(last_attempt=NOW - timedelta(seconds=9.8)), exits(retry_seconds=10), 0.2),
        (ExitMemory(unsold_since=NOW - timedelta(seconds=29.95)), exits(alarm_after_seconds=30), 0.05),
        (NOTHING, exits(min_hold_seconds=120.1), 0.1),
        (NOTHING, exits(time_stop_seconds_to_close=599.9), 0.1),
    ],
)
def test_exit_looks_again_at_the_very_moment_at_which_time_alone_sells(
    remembered: ExitMemory, settings: ExitSection, seconds: float
):
    assert next_moment(trade(), remembered, settings, NOW) == NOW + timedelta(seconds=seconds)


def test_a_clock_that_is_set_back_holds_up_no_sale_longer_than_if_it_had_just_been_tried():
    earlier = NOW - timedelta(minutes=3)
    tried = ExitMemory(reason="flatten", last_attempt=NOW, falling_since=NOW, unsold_since=NOW)
    waits = decided(trade(), None, controls=FLATTEN, before=tried, now=earlier)
    assert isinstance(waits.outcome, Holds)
    again = earlier + timedelta(seconds=SETTINGS.retry_seconds)
    assert isinstance(
        decided(trade(), None, controls=FLATTEN, before=waits.remembered, now=again).outcome, CloseIntent
    )
    assert waits.remembered == changed(
        tried, falling_since=earlier, last_attempt=earlier, unsold_since=earlier
    )
