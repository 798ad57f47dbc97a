"""Entry: each gate closes for its own reason, unknown never trades, and an intent is bounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace as changed

from recio.messages.controls import Block, Halt, TradingControls
from recio.messages.decisions import OpenIntent
from recio.messages.markets import BookView, MarketStatus, StrikeType
from recio.messages.orders import OrderState
from recio.messages.prices import Prices
from recio.rules.decision.entry import EntryInputs, Waits, decide, decide_on
from recio.settings.trading import EntrySection
from recio.units import EventTicker, Price, Quantity, Side, Ticker
from tests.builders import (
    NOW,
    TICKER,
    account,
    board,
    book,
    market,
    open_trades,
    order,
    price,
    prices,
    section,
    trade,
    view,
)

SETTINGS = EntrySection(enabled=True)


def seen(**changes: object) -> EntryInputs:
    """A world in which YES at 30 cents is worth about one half."""
    usual = EntryInputs(
        board=board(view(levels=book(bid=2800, ask=3000))),
        prices=prices(),
        trades=open_trades(),
        account=account(),
        controls=TradingControls(),
    )
    return changed(usual, **changes)


def gate(world: EntryInputs, settings: EntrySection = SETTINGS) -> str:
    outcome = decide(world, settings, NOW).outcome
    assert isinstance(outcome, Waits)
    return outcome.gate


def test_buys_the_cheap_side_and_follows_its_ask_by_no_more_than_the_slippage():
    outcome = decide(seen(), SETTINGS, NOW).outcome
    assert isinstance(outcome, OpenIntent)
    assert (outcome.side, outcome.limit, outcome.quantity) == (Side.YES, 3200, SETTINGS.contracts)


def test_buys_no_when_yes_is_dear_and_pays_its_own_sides_price():
    outcome = decide(seen(board=board(view(levels=book(bid=7000, ask=7200)))), SETTINGS, NOW).outcome
    assert isinstance(outcome, OpenIntent)
    assert (outcome.side, outcome.limit) == (Side.NO, 3200)


def test_never_follows_an_ask_beyond_the_wanted_edge():
    """At 46 cents the edge is 2.26 after the fee, at 47 it is 1.26: the order stops at 46."""
    outcome = decide(seen(board=board(view(levels=book(bid=4400, ask=4600)))), SETTINGS, NOW).outcome
    assert isinstance(outcome, OpenIntent)
    assert outcome.limit == 4600


def test_an_ask_that_no_order_can_meet_on_the_grid_is_left_alone():
    settings = section(EntrySection, enabled=True, max_slippage_dollars=Decimal(0))
    assert gate(seen(board=board(view(levels=book(2800, 3050)))), settings) == "price grid"


def test_never_asks_for_more_than_stands_there():
    outcome = decide(seen(board=board(view(levels=book(2800, 3000, size=137)))), SETTINGS, NOW).outcome
    assert isinstance(outcome, OpenIntent)
    assert outcome.quantity == 137


HALT = Halt(cause="difference", since=NOW, by="test", resolution="look")
BLOCK = Block(condition="price stale", detail="old", clears="a tick", since=NOW)
LATER = {TICKER: NOW - timedelta(seconds=5)}


@pytest.mark.parametrize(
    ("expected", "change"),
    [
        ("halt", lambda w: changed(w, controls=TradingControls(halts=(HALT,)))),
        ("block", lambda w: changed(w, controls=TradingControls(blocks=(BLOCK,)))),
        ("starting", lambda w: changed(w, controls=None)),
        ("starting", lambda w: changed(w, account=None)),
        ("starting", lambda w: changed(w, trades=None)),
        ("no price", lambda w: changed(w, prices=None)),
        ("price age", lambda w: changed(w, prices=prices(price(age=6.0)))),
        ("no price", lambda w: changed(w, prices=prices(symbol="ETH"))),
        (
            "price unreliable",
            lambda w: changed(w, prices=prices(replace(price(), unreliable="sources differ"))),
        ),
        (
            "price error",
            lambda w: changed(w, prices=prices(replace(price(), doubt="it may be 3.0 bp off"))),
        ),
        ("market untradable", lambda w: changed(w, board=board(view(market(untradable="another index"))))),
        ("no market", lambda w: changed(w, board=None)),
        ("no market", lambda w: changed(w, board=replace(board(), by_ticker={}))),
        ("probability", lambda w: changed(w, prices=prices(price(volatility=None)))),
        ("probability", lambda w: changed(w, prices=prices(price(volatility=0.0)))),
        ("already in", lambda w: changed(w, trades=open_trades(trades=(trade(),)))),
        ("unknown order", lambda w: changed(w, trades=open_trades(orders=(order(),)))),
        (
            "unknown order",
            lambda w: changed(w, trades=open_trades(orders=(order(state=OrderState.UNKNOWN),))),
        ),
        ("cooldown", lambda w: changed(w, trades=open_trades(last_entry_at=LATER))),
        ("edge", lambda w: changed(w, board=board(view(levels=book(4900, 5100))))),
        ("price bounds", lambda w: changed(w, board=board(view(levels=book(300, 500))))),
        ("empty book", lambda w: changed(w, board=board(view(levels=BookView(bids=(), asks=()))))),
        ("book", lambda w: changed(w, board=board(view(levels=book(3100, 3000))))),
    ],
)
def test_each_gate_closes_for_its_own_reason(expected: str, change: Callable[[EntryInputs], EntryInputs]):
    assert gate(change(seen())) == expected


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("market status", {"status": MarketStatus.CLOSED}),
        ("market status", {"status": MarketStatus.INITIALIZED}),
        ("too late", {"close_time": NOW + timedelta(seconds=74)}),
        ("too early", {"close_time": NOW + timedelta(seconds=841)}),
        ("probability", {"floor_strike": None}),
        ("probability", {"floor_strike": None, "strike_type": StrikeType.UNSET}),
        ("probability", {"strike_type": StrikeType.UNSET}),
    ],
)
def test_a_market_that_is_not_ready_is_left_alone(expected: str, changes: dict[str, object]):
    cheap = book(bid=2800, ask=3000)
    assert gate(seen(board=board(view(market(**changes), cheap)))) == expected


def test_an_unusable_book_is_no_book():
    blind = changed(view(), book=None, why_no_book="waits for a whole snapshot")
    assert gate(seen(board=board(blind))) == "book"


def test_an_old_book_is_no_book():
    stale = board(view(levels=book(2800, 3000)), heard_at=NOW - timedelta(seconds=6))
    assert gate(seen(board=stale)) == "book age"


def test_the_switch_is_asked_first():
    assert gate(seen(controls=TradingControls(halts=(HALT,))), EntrySection(enabled=False)) == "switch"


def test_the_fee_is_part_of_the_price():
    """At one half the taker fee is 1.75 cents: an edge of 3 cents before it is 1.26 after it."""
    world = seen(board=board(view(levels=book(bid=4500, ask=4700))))
    assert gate(world) == "edge"
    assert isinstance(
        decide(world, section(EntrySection, enabled=True, min_edge_dollars=Decimal("0.012")), NOW).outcome,
        OpenIntent,
    )


def test_an_unknown_probability_is_shown_as_unknown():
    assessed = decide(seen(prices=None), SETTINGS, NOW).assessments.strikes[0]
    assert (assessed.probability, assessed.yes_edge, assessed.no_edge) == (None, None, None)


def test_an_intent_carries_the_figures_it_was_made_from():
    outcome = decide(seen(), SETTINGS, NOW).outcome
    assert isinstance(outcome, OpenIntent)
    assert {"price", "volatility", "probability", "ask", "edge", "seconds_to_close", "strike"} <= set(
        outcome.inputs
    )
    assert outcome.fee_estimate > 0
    assert outcome.limit == Price(3200)
    assert outcome.quantity <= Quantity(10_000)


def test_of_a_whole_ladder_the_strike_that_came_furthest_gives_the_reason():
    far = view(market(ticker="KXBTCD-26NOV2307-T99999.99", floor_strike=Decimal("99999.99")), book(100, 200))
    closed = view(market(ticker="KXBTCD-26NOV2307-T80000", status=MarketStatus.CLOSED))
    near = view(levels=book(4900, 5100))
    assert gate(seen(board=board(closed, far, near))) == "edge"
    assert gate(seen(board=board(closed, closed))) == "market status"


def test_each_market_is_judged_by_the_price_of_its_own_coin():
    ether = view(market(symbol="ETH", ticker="KXETH15M-26NOV230715-15", floor_strike=Decimal("2500")))
    both = prices(price())
    assert gate(seen(board=board(ether), prices=both)) == "no price"
    known = Prices(by_symbol={**both.by_symbol, "ETH": price("2600.00")})
    decided = decide(seen(board=board(ether), prices=known), SETTINGS, NOW)
    assert isinstance(decided.outcome, OpenIntent)
    assert (decided.outcome.ticker, decided.outcome.inputs["price"]) == (ether.market.ticker, "2600.00")


# --- gates that are off unless they are set ------------------------------------------------------------------------

MINUTE = int(NOW.timestamp()) // 60
RAN = replace(price(), momentum_peaks=((MINUTE - 9, 36.0), *((MINUTE - n, 12.0) for n in range(8, -1, -1))))


@pytest.mark.parametrize(
    ("name", "settings", "change"),
    [
        ("spread", {"max_spread_dollars": Decimal("0.0199")}, {}),
        ("depth", {"min_depth_contracts": Decimal("100.01")}, {}),
        ("min probability", {"min_probability": 0.95}, {}),
        ("re-entry", {}, {"trades": open_trades(entries_by_market={TICKER: 1})}),
        (
            "spike",
            {"spike_trigger_bp": 36.0, "spike_resume_bp": 30.0, "spike_calm_minutes": 15},
            {"prices": prices(RAN)},
        ),
    ],
)
def test_each_further_gate_closes_for_its_own_reason_and_stands_open_unless_it_is_set(
    name: str, settings: dict[str, object], change: dict[str, object]
):
    world = seen(**change)
    assert gate(world, EntrySection.model_validate({"enabled": True, **settings})) == name
    off = EntrySection(enabled=True, max_entries_per_market=None)
    assert isinstance(decide(world, off, NOW).outcome, OpenIntent)


def test_a_pause_says_what_began_it_and_how_far_it_is():
    settings = EntrySection(enabled=True, spike_trigger_bp=36.0, spike_resume_bp=30.0, spike_calm_minutes=15)
    outcome = decide(seen(prices=prices(RAN)), settings, NOW).outcome
    assert isinstance(outcome, Waits)
    assert (
        outcome.sentence == "BTC ran: momentum reached 36.0 (trigger 36), calm below 30 for 8 of 15 minutes"
    )


def test_levels_of_a_pause_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="spike_resume_bp must be below spike_trigger_bp"):
        EntrySection(spike_trigger_bp=30.0, spike_resume_bp=30.0)


# Several markets at once.

NEAR, FAR = Ticker("KXBTCD-26NOV2312-T84000"), Ticker("KXBTCD-26NOV2312-T83900")


def two_strikes(**changes: object) -> EntryInputs:
    """YES at 30 cents on the near one has the most edge; on the far one there is some."""
    near = view(market(ticker=NEAR, event_ticker=EventTicker("E1")), book(bid=2800, ask=3000))
    far = view(
        market(ticker=FAR, event_ticker=EventTicker("E2"), floor_strike=Decimal("83900.00")),
        book(bid=6300, ask=6500),
    )
    return changed(seen(board=board(near, far)), **changes)


def refusing(*tickers: Ticker) -> Callable[[OpenIntent], OpenIntent | Waits]:
    return lambda intent: (
        Waits(gate="risk a_limit", sentence=f"no {intent.ticker}") if intent.ticker in tickers else intent
    )


def test_of_several_markets_the_one_with_the_most_edge_is_wanted():
    outcome = decide(two_strikes(), SETTINGS, NOW).outcome
    assert isinstance(outcome, OpenIntent)
    assert outcome.ticker == NEAR


def test_where_the_most_edge_is_refused_the_next_is_tried_and_the_refusal_counts():
    decided = decide(two_strikes(), SETTINGS, NOW, allowed=refusing(NEAR))
    assert isinstance(decided.outcome, OpenIntent)
    assert decided.outcome.ticker == FAR
    assert [(event, waits.gate) for event, waits in decided.refusals] == [("E1", "risk a_limit")]


def test_only_if_all_are_refused_the_first_reason_is_told():
    decided = decide(two_strikes(), SETTINGS, NOW, allowed=refusing(NEAR, FAR))
    assert decided.outcome == Waits(gate="risk a_limit", sentence=f"no {NEAR}")
    assert [event for event, _ in decided.refusals] == ["E1", "E2"]


def test_a_look_at_what_changed_tries_the_next_too():
    said = decide_on(two_strikes(), (FAR, NEAR), SETTINGS, NOW, allowed=refusing(NEAR))
    assert isinstance(said, OpenIntent)
    assert said.ticker == FAR


def test_with_kelly_a_strike_whose_lower_bound_has_no_edge_does_not_starve_the_others():
    """At its lower bound the near one is worth less than it costs; the far one is sure enough."""
    kelly = section(
        EntrySection,
        enabled=True,
        sizing="kelly",
        kelly_bankroll_dollars=Decimal(1_000),
        max_price_dollars=Decimal("0.97"),
    )
    near = view(market(ticker=NEAR, floor_strike=Decimal("84000.00")), book(bid=4200, ask=4300))
    far = view(market(ticker=FAR, floor_strike=Decimal("83600.00")), book(bid=9100, ask=9400))
    world = seen(board=board(near, far), prices=prices(replace(price(), error=0.0004, basis_error=0.0004)))
    alone = decide(seen(board=board(near), prices=world.prices), kelly, NOW).outcome
    assert isinstance(alone, Waits)
    assert alone.gate == "size"
    edges = {each.ticker: each.yes_edge for each in decide(world, kelly, NOW).assessments.strikes}
    outcome = decide(world, kelly, NOW).outcome
    assert isinstance(outcome, OpenIntent)
    assert (outcome.ticker, (edges[NEAR] or 0) > (edges[FAR] or 0)) == (FAR, True)


def test_a_word_of_the_failure_detector_that_has_run_out_holds_every_entry():
    vouched = TradingControls(vouched_until=NOW - timedelta(milliseconds=1))
    assert gate(seen(controls=vouched)) == "block"
    to_the_end = decide(seen(controls=TradingControls(vouched_until=NOW)), SETTINGS, NOW).outcome
    assert isinstance(to_the_end, OpenIntent)
