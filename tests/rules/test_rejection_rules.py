"""The count of rejections: each cycle's first closed gate by event, counted once, and nothing lost when it cannot be kept."""

from __future__ import annotations

from datetime import timedelta

from recio.messages.controls import Block, TradingControls
from recio.messages.decisions import OpenIntent
from recio.messages.markets import BookView, MarketView
from recio.rules.decision.entry import EntryInputs, decide
from recio.rules.decision.rejections import LONGEST_LOOK, Rejections
from recio.settings.trading import EntrySection
from recio.units import EventTicker, Ticker
from tests.builders import EVENT, NOW, account, board, book, market, open_trades, prices, view

OTHER = EventTicker("KXBTCD-26NOV2308")
ON = EntrySection(enabled=True)
FAIR, CHEAP, DEAR = book(4900, 5100), book(2800, 3000), book(9700, 9800)


def of(event: EventTicker, strike: int, levels: BookView | None = FAIR) -> MarketView:
    return view(market(event_ticker=event, ticker=Ticker(f"{event}-{strike}")), levels)


def decided(*views: MarketView, controls: TradingControls | None = None):
    seen = EntryInputs(
        board=board(*views),
        prices=prices(),
        trades=open_trades(),
        account=account(),
        controls=controls or TradingControls(),
    )
    return decide(seen, ON, NOW)


def test_each_event_has_the_reason_of_its_strike_that_came_furthest():
    found = decided(of(EVENT, 1), of(OTHER, 1, None), of(OTHER, 2))
    assert {(event, waits.gate) for event, waits in found.refusals} == {(EVENT, "edge"), (OTHER, "edge")}


def test_an_event_that_something_is_wanted_of_is_not_refused_and_the_others_are():
    found = decided(of(EVENT, 1, CHEAP), of(OTHER, 1))
    assert isinstance(found.outcome, OpenIntent)
    assert [event for event, _ in found.refusals] == [OTHER]


def test_a_gate_before_all_markets_counts_for_every_event():
    block = Block(condition="database slow", detail="", clears="", since=NOW)
    found = decided(of(EVENT, 1), of(OTHER, 1), controls=TradingControls(blocks=(block,)))
    assert [(event, waits.gate) for event, waits in found.refusals] == [(EVENT, "block"), (OTHER, "block")]


def test_turns_are_counted_with_their_last_words():
    counted = Rejections()
    for second in range(3):
        counted.note(EVENT, "edge", f"edge {second}", NOW + timedelta(seconds=second))
    counted.note(EVENT, "book", "none", NOW)
    first, second = counted.of([EVENT])
    assert (first.gate, first.cycles, first.sentence) == ("edge", 3, "edge 2")
    assert (first.first_at, first.last_at) == (NOW, NOW + timedelta(seconds=2))
    assert (second.gate, second.cycles) == ("book", 1)


def test_what_was_taken_and_could_not_be_kept_is_taken_again_with_what_came_since():
    counted = Rejections()
    counted.note(EVENT, "edge", "one", NOW)
    taken = counted.take_unkept()
    counted.note(EVENT, "edge", "two", NOW + timedelta(seconds=1))
    counted.give_back(taken)
    (again,) = counted.take_unkept()
    assert (again.cycles, again.sentence, again.first_at) == (2, "two", NOW)
    assert counted.take_unkept() == ()


def test_events_that_are_over_are_forgotten():
    counted = Rejections()
    counted.note(EVENT, "edge", "", NOW)
    counted.note(OTHER, "edge", "", NOW)
    assert [each.event for each in counted.of([OTHER])] == [OTHER]
    assert [each.event for each in counted.of([EVENT, OTHER])] == [OTHER]


def test_a_clock_that_is_set_back_leaves_a_first_time_that_is_not_after_the_last():
    counted = Rejections()
    counted.note(EVENT, "edge", "", NOW)
    counted.note(EVENT, "edge", "", NOW - timedelta(seconds=5))
    (both,) = counted.take_unkept()
    assert (both.first_at, both.last_at) == (NOW - timedelta(seconds=5), NOW)


def test_a_gate_counts_for_the_time_since_the_look_before_and_for_no_time_in_which_nobody_looked():
    counted = Rejections()
    for second, gate in ((0, "book"), (1, "book"), (1.25, "edge"), (3.25, "edge"), (603.25, "book")):
        counted.note(EVENT, gate, "", NOW + timedelta(seconds=second))
    counted.note(EVENT, "book", "", NOW)
    times = {each.gate: each.seconds for each in counted.of([EVENT])}
    assert times == {"book": 1.0 + LONGEST_LOOK, "edge": 2.25}
