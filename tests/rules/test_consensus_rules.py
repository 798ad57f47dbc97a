"""Consensus: each bad source is found out by name, a quiet market is not, and a wild one never moves the price."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.messages.prices import SourceState
from recio.rules.price.consensus import Anchor, Consensus, Panel, agree, carried, hears
from recio.rules.price.price_error import apart_of, usually_off
from recio.rules.price.price_sources import (
    FAR,
    Basis,
    Heard,
    Limits,
    alive,
    confirmed,
    learnt,
    lost,
    quoted,
    unpriced,
)
from tests.builders import NOW

LIMITS = Limits(
    silence_seconds=15,
    frozen_seconds=20,
    fresh_seconds=5,
    divergence_bp=Decimal(20),
    usual_basis=0.00014,
    largest_error=0.00025,
)
PRICE = Decimal(84_000)
GOOD, OUTLIER, FROZEN = SourceState.GOOD, SourceState.OUTLIER, SourceState.FROZEN


def source(name: str, price: str | Decimal = PRICE, age: float = 0.5, **changes: object) -> Heard:
    when = NOW - timedelta(seconds=age)
    usual = Heard(
        source=name,
        connected=True,
        price=Decimal(price),
        at=when,
        heard_at=when,
        moved_at=when,
    )
    return replace(usual, **changes)


def panel(*sources: Heard, anchor: Anchor | None = None) -> Panel:
    return Panel(sources={each.source: each for each in sources}, anchor=anchor)


def agreed(*sources: Heard, index: str | None = None) -> Consensus:
    return agree(panel(*sources), LIMITS, NOW, None if index is None else Decimal(index))


def states(*sources: Heard, index: str | None = None) -> list[SourceState]:
    return [view.state for view in agreed(*sources, index=index).sources]


def ago(seconds: float):
    return NOW - timedelta(seconds=seconds)


def cycle(known: Panel, seconds: float = 0, index: Decimal | None = None) -> tuple[Panel, Consensus]:
    """One look at the panel, and what it leaves behind."""
    now = NOW + timedelta(seconds=seconds)
    found = agree(known, LIMITS, now, index)
    return carried(known, found, now, index), found


def says(known: Panel, name: str, price: str, seconds: float) -> Panel:
    at = NOW + timedelta(seconds=seconds)
    return hears(known, name, Decimal(price), at, at, LIMITS)


# --- who is believed ---------------------------------------------------------------------------


def test_two_that_agree_make_the_price_between_them():
    found = agreed(source("a", "84000"), source("b", "84010"))
    assert (found.price, found.unreliable, found.believed) == (Decimal(84_005), "", ("a", "b"))


def test_of_three_the_one_far_away_is_left_out_by_name():
    found = agreed(source("a"), source("b", "84010"), source("c", "85000"))
    assert [view.state for view in found.sources] == [GOOD, GOOD, OUTLIER]
    assert (found.price, found.unreliable) == (Decimal(84_005), "")


def test_of_four_without_a_majority_nobody_is_believed():
    found = agreed(source("a"), source("b"), source("c", "85000"), source("d", "85000"))
    assert found.unreliable == "the sources do not agree"
    assert agreed(source("a"), source("b"), source("c", "85000"), source("d", "83000")).unreliable


def test_of_two_that_differ_nobody_can_say_who_is_right_unless_the_index_does():
    pair = (source("a"), source("b", "85000"))
    assert "differ by 117.6 bp" in agreed(*pair).unreliable
    told = agreed(*pair, index="84002")
    assert (told.price, told.unreliable) == (PRICE, "")
    assert states(*pair, index="84002") == [GOOD, OUTLIER]


def test_an_index_that_every_source_contradicts_is_unreliable():
    assert "index" in agreed(source("a"), source("b"), index="80000").unreliable


def test_one_alone_is_enough():
    found = agreed(source("a"))
    assert (found.price, found.unreliable) == (PRICE, "")


def test_without_a_believable_source_there_is_no_price():
    found = agreed(lost(source("a"), "closed"), Heard(source="b"))
    assert (found.price, found.at, found.unreliable) == (None, None, "no source has a price")
    assert [view.state for view in found.sources] == [SourceState.DOWN, SourceState.CONNECTING]
    assert agree(Panel(), LIMITS, NOW).price is None


def test_the_price_is_as_young_as_the_newest_word_of_those_who_make_it():
    found = agreed(source("a", age=3), source("b", age=1), source("c", "85000", age=0))
    assert found.at == ago(1)


def test_a_price_much_older_than_the_newest_is_kept_but_not_counted():
    found = agreed(source("a", "84000", age=6), source("b", "84010", age=0))
    assert (found.price, found.believed) == (Decimal(84_010), ("a", "b"))


# --- who is found out --------------------------------------------------------------------------


def test_a_source_that_is_connected_and_silent_is_found_out():
    assert states(source("a", age=16), source("b")) == [SourceState.SILENT, GOOD]


def test_a_source_that_talks_of_the_past_is_found_out():
    late = agreed(source("a", at=ago(60)), source("b")).sources[0]
    assert (late.state, late.note) == (SourceState.SILENT, "what it says of its price is 60 s old")


def still(name: str, others_then: dict[str, str], seconds: float = 21, price: str = "84000") -> Heard:
    then = {other: Decimal(at) for other, at in others_then.items()}
    return source(name, price, moved_at=ago(seconds), others_then=then)


def test_a_source_that_talks_and_stands_still_while_the_others_move_is_found_out():
    frozen = still("a", {"b": "83950"})
    assert states(frozen, source("b")) == [FROZEN, GOOD]
    assert agreed(frozen, source("b", "84001")).price == Decimal(84_001)
    assert states(still("a", {"b": "83950"}, seconds=19), source("b")) == [GOOD, GOOD]


def test_a_quiet_market_where_all_stand_still_is_no_reason_to_halt():
    then = dict.fromkeys("abc", "84000")
    quiet = [still(name, then, seconds=300) for name in "abc"]
    found = agreed(*quiet)
    assert [view.state for view in found.sources] == [GOOD, GOOD, GOOD]
    assert (found.price, found.unreliable) == (PRICE, "")


def test_one_that_goes_wild_in_a_quiet_market_does_not_make_the_others_frozen():
    then = dict.fromkeys("abc", "84000")
    found = agreed(still("a", then), still("b", then), source("c", "85000"))
    assert [view.state for view in found.sources] == [GOOD, GOOD, OUTLIER]
    assert found.price == PRICE


def test_of_two_in_a_quiet_market_a_jump_of_one_does_not_make_the_other_frozen():
    known = panel(still("a", {"b": "84000"}), source("b"))
    known = says(known, "b", "85000", 0)
    _, found = cycle(known, 12)
    assert "differ by" in found.unreliable
    assert [view.state for view in found.sources] == [GOOD, GOOD]


def test_a_frozen_source_left_alone_is_not_believed_until_it_moves():
    known, _ = cycle(panel(still("a", {"b": "83950"}), source("b")))
    known = known.having(lost(known.sources["b"], "closed"))
    known, found = cycle(known, 1)
    assert found.unreliable == "a, the only source left, was frozen"
    known = says(known, "a", "84003", 2)
    assert cycle(known, 2)[1].unreliable == ""


# --- continuity --------------------------------------------------------------------------------


def both(known: Panel, first: str, second: str, seconds: float) -> tuple[Panel, Consensus]:
    return cycle(says(says(known, "a", first, seconds), "b", second, seconds), seconds)


def test_of_two_that_agreed_the_one_that_left_by_a_jump_is_found_out_once_the_other_has_gone_on():
    known, found = both(panel(source("a"), source("b")), "84001", "84002", 1)
    assert found.unreliable == ""
    known, found = both(known, "84002", "84842", 2)
    assert "differ by" in found.unreliable
    known, found = both(known, "84003", "84843", 11)
    assert "differ by" in found.unreliable
    known, found = both(known, "84004", "84844", 13)
    assert (found.price, found.unreliable, found.believed) == (Decimal(84_004), "", ("a",))
    assert found.sources[1].state is OUTLIER
    known, found = both(known, "84005", "84845", 14)
    assert (found.price, found.unreliable) == (Decimal(84_005), "")


def test_a_market_that_really_jumps_is_believed_as_soon_as_the_second_source_follows():
    known, _ = both(panel(source("a"), source("b")), "84001", "84002", 1)
    known, found = cycle(says(known, "b", "84842", 2), 2)
    assert "differ by" in found.unreliable
    known, found = cycle(says(known, "a", "84840", 2.5), 2.5)
    assert (found.price, found.unreliable) == (Decimal(84_841), "")
    assert known.sources["a"].jumped_at is None


def test_the_other_is_not_believed_while_it_has_not_moved_since():
    known, _ = both(panel(source("a"), source("b")), "84001", "84002", 1)
    known = says(known, "b", "84842", 2)
    for seconds in (13, 14):
        known = says(says(known, "b", f"848{seconds}", seconds), "a", "84001", seconds)
        known, found = cycle(known, seconds)
        assert "differ by" in found.unreliable


def test_two_that_both_jumped_to_different_places_stay_unreliable():
    known, _ = both(panel(source("a"), source("b")), "84001", "84002", 1)
    known = says(says(known, "b", "84842", 2), "a", "83000", 3)
    for seconds in (14, 15):
        known, found = both(known, f"830{seconds}", f"848{seconds}", seconds)
        assert "differ by" in found.unreliable


def test_one_that_was_far_is_back_only_well_within_the_limit():
    known, _ = cycle(panel(source("a"), source("b", "85000")), index=PRICE)
    for price, quarantined in (("84151", FAR), ("84126", "")):  # 18 and 15 bp
        known, found = both(known, "84000", price, 1)
        assert (known.sources["b"].quarantined, found.unreliable) == (quarantined, "")
    assert agreed(source("a"), source("b", "84151")).believed == ("a", "b")


def test_an_unreliable_price_is_reliable_again_only_well_within_the_limit():
    known, found = cycle(panel(source("a"), source("b", "84176")))  # 21 bp
    assert found.unreliable
    known, found = both(known, "84000", "84151", 1)
    assert found.unreliable
    known, found = both(known, "84000", "84126", 2)
    assert found.unreliable == ""
    known, found = both(known, "84000", "84151", 3)
    assert found.unreliable == ""


def test_two_that_walked_apart_stay_unreliable():
    known = panel(source("a"), source("b"))
    found = None
    for step in range(1, 30):
        known, found = both(known, f"{84_000 + step}", f"{84_000 + 20 * step}", step)
    assert found is not None
    assert "differ by" in found.unreliable


def test_one_that_was_found_out_stays_out_until_it_agrees_again():
    known, _ = cycle(panel(source("a"), source("b", "85000")), index=PRICE)
    assert known.sources["b"].quarantined == FAR
    known, found = cycle(known, 1)
    assert (found.price, found.unreliable) == (PRICE, "")
    alone, found = cycle(known.having(lost(known.sources["a"], "closed")), 1)
    assert found.unreliable == "b, the only source left, was far from the others"
    back = alone.having(source("a"))
    back, found = cycle(says(back, "b", "84002", 2), 2)
    assert (found.price, found.unreliable) == (Decimal(84_001), "")
    assert back.sources["b"].quarantined == ""


def test_a_newcomer_far_from_what_two_agreed_on_is_the_one_that_jumped():
    known, _ = both(panel(source("a"), source("b")), "84001", "84002", 1)
    known = known.having(lost(known.sources["b"], "closed"))
    known = says(known, "b", "85000", 5)
    assert known.sources["b"].jumped_at is not None
    known, found = both(known, "84003", "85001", 16)
    assert (found.believed, found.unreliable) == (("a",), "")


def test_two_that_differ_from_the_start_stay_unreliable():
    known = says(panel(Heard(source="a", connected=True), Heard(source="b", connected=True)), "a", "84000", 0)
    known, _ = cycle(known, 0)
    known = says(known, "b", "85000", 1)
    for seconds in range(2, 30):
        known, found = both(known, f"{84_000 + seconds}", f"{85_000 + seconds}", seconds)
        assert "differ by" in found.unreliable


def test_a_jump_of_the_only_source_is_believed_after_it_has_stood():
    known = says(panel(source("a")), "a", "80000", 1)
    known, found = cycle(known, 2)
    assert "jumped" in found.unreliable
    known, found = cycle(known, 12)
    assert (found.price, found.unreliable) == (Decimal(80_000), "")


# --- what one source leaves behind -------------------------------------------------------------


def test_a_heartbeat_confirms_the_price_until_its_own_time():
    old = source("a", age=9)
    beaten = confirmed(old, ago(1), NOW)
    assert (beaten.price, beaten.at, beaten.heard_at) == (PRICE, ago(1), NOW)
    assert beaten.moved_at == old.moved_at
    assert confirmed(Heard(source="b"), NOW, NOW).at is None


def test_a_heartbeat_that_confirms_nothing_lets_the_price_age():
    old = source("a", age=9)
    assert (alive(old, NOW).at, alive(old, NOW).heard_at) == (old.at, NOW)


def test_a_source_that_never_said_a_time_is_taken_to_be_as_late_as_assumed():
    silent = Heard(source="a", lag=timedelta(seconds=3))
    assert quoted(silent, PRICE, None, NOW, {}, jumped=False).at == ago(3)
    stamped = quoted(silent, PRICE, ago(1), NOW, {}, jumped=False)
    assert confirmed(stamped, None, NOW + timedelta(seconds=2)).at == NOW + timedelta(seconds=1)


def test_how_late_a_source_is_outlives_its_connection():
    late = quoted(source("a", age=30), PRICE, ago(10), NOW, {}, jumped=False)
    back = quoted(lost(late, "closed"), PRICE, None, NOW + timedelta(seconds=5), {}, jumped=False)
    assert back.at == ago(5)


def test_a_clock_that_runs_ahead_does_not_make_a_price_younger_than_now():
    ahead = NOW + timedelta(hours=1)
    assert confirmed(source("a"), ahead, NOW).at == NOW
    assert quoted(source("a"), PRICE, ahead, NOW, {}, jumped=False).at == NOW


def test_a_heartbeat_without_a_time_is_as_late_as_the_newest_word_with_one():
    late = quoted(source("a", age=30), PRICE, ago(10), NOW, {}, jumped=False)
    assert confirmed(late, None, NOW + timedelta(seconds=2)).at == ago(8)
    punctual = confirmed(late, NOW, NOW)
    assert confirmed(punctual, None, NOW + timedelta(seconds=2)).at == NOW + timedelta(seconds=2)


def test_the_same_price_again_is_no_move():
    first = quoted(source("a", age=30), PRICE, NOW, NOW, {"b": PRICE}, jumped=False)
    assert (first.moved_at, first.others_then) == (ago(30), {"b": PRICE})
    again = quoted(first, PRICE, NOW, NOW, {"b": Decimal(84_100)}, jumped=False)
    assert again.others_then == {"b": PRICE}
    moved = quoted(again, Decimal(84_001), NOW, NOW, {"b": Decimal(84_100)}, jumped=False)
    assert (moved.moved_at, moved.others_then) == (NOW, {"b": Decimal(84_100)})


def test_a_lost_connection_leaves_no_price_behind():
    gone = lost(source("a", quarantined=FAR), "closed")
    assert (gone.price, gone.at, gone.connected, gone.note, gone.quarantined) == (
        None,
        None,
        False,
        "closed",
        FAR,
    )


def test_a_source_without_a_price_is_shown_with_its_reason():
    (view,) = agreed(unpriced(source("a"), "its book is crossed", NOW)).sources
    assert (view.state, view.price, view.note) == (SourceState.CONNECTING, None, "its book is crossed")


# --- the index teaches -------------------------------------------------------------------------


def taught(heard: Heard, index: str, seconds: int) -> Heard:
    for second in range(seconds):
        now = NOW + timedelta(seconds=second)
        heard = learnt(replace(heard, moved_at=now), Decimal(index), now, LIMITS)
    return heard


def test_a_usual_distance_from_the_index_is_learnt_slowly_and_taken_off():
    heard = source("a", "84042.00")  # 5 bp above
    assert taught(heard, "84000", 2).basis.ratio < Decimal("0.00002")
    known = taught(heard, "84000", 900)
    assert known.basis.ratio == pytest.approx(Decimal("0.0005"), rel=Decimal("0.1"))
    assert known.level is not None
    assert abs(known.level - PRICE) < 5
    (view,) = agreed(known).sources
    assert (view.price, view.note) == (Decimal("84042.00"), "usually +4.9 bp from the index")


def test_what_is_learnt_is_bounded_and_a_wrong_source_teaches_nothing():
    assert taught(source("a", "84151.00"), "84000", 3_000).basis.ratio == LIMITS.largest_basis
    assert taught(source("a", "84840.00"), "84000", 900).basis == Basis()


def test_a_source_that_repeats_itself_teaches_nothing_more():
    once = taught(source("a", "84042.00"), "84000", 2)
    again = learnt(once, Decimal(84_000), NOW + timedelta(seconds=9), LIMITS)
    assert again is once


def test_what_was_learnt_of_a_source_makes_its_error_smaller_and_is_forgotten_within_an_hour():
    unknown = source("a", "84042.00")
    known = taught(unknown, "84000", 3_000)
    errors = [
        usually_off(each.basis, LIMITS, NOW + timedelta(seconds=after))
        for each, after in ((unknown, 0), (known, 3_000), (known, 4_800), (known, 6_600))
    ]
    assert errors[0] == errors[3] == LIMITS.usual_basis
    assert errors[1] < errors[2] < errors[3]
    assert errors[1] == pytest.approx(0.3 * LIMITS.usual_basis, rel=0.1)


def test_going_from_the_index_to_sources_that_usually_lie_above_it_does_not_jump():
    above = [taught(source(name, "84042.00"), "84000", 900) for name in "ab"]
    found = agreed(*above)
    assert found.price is not None
    assert abs(found.price - PRICE) < 5


# --- whatever is said --------------------------------------------------------------------------

near = st.lists(st.decimals(83_990, 84_010, places=2), min_size=2, max_size=5)
anything = st.builds(
    source,
    st.sampled_from("abcdefg"),
    st.decimals(83_000, 85_000, places=2),
    age=st.floats(0, 30),
    connected=st.booleans(),
    quarantined=st.sampled_from(["", FAR]),
    moved_at=st.sampled_from([ago(1), ago(60)]),
    jumped_at=st.sampled_from([None, ago(5), ago(30)]),
    others_then=st.sampled_from([{}, {name: Decimal(83_500) for name in "abcdefg"}]),
)


def named(prices: list[Decimal], **changes: Any) -> list[Heard]:
    return [source(f"s{number}", price, **changes) for number, price in enumerate(prices)]


@given(st.lists(anything, max_size=6, unique_by=lambda heard: heard.source), st.integers())
def test_the_order_of_the_sources_does_not_matter(sources: list[Heard], seed: int):
    shuffled = sources.copy()
    Random(seed).shuffle(shuffled)
    first, second = agreed(*sources), agreed(*shuffled)
    assert (first.price, first.at, first.unreliable) == (second.price, second.at, second.unreliable)
    assert {view.source: view for view in first.sources} == {view.source: view for view in second.sources}


@given(st.lists(anything, max_size=6, unique_by=lambda heard: heard.source))
def test_a_price_lies_among_its_sources_and_without_a_talking_source_there_is_none(sources: list[Heard]):
    found = agreed(*sources)
    talking = [each for each in sources if each.connected and each.heard_at and each.heard_at >= ago(15)]
    trusted = [view for view in found.sources if view.state in (GOOD, OUTLIER)]
    assert (found.price is None) == (not trusted)
    assert {view.source for view in trusted} <= {each.source for each in talking}
    if found.price is not None:
        prices = [each.price for each in talking if each.price is not None]
        assert min(prices) <= found.price <= max(prices)


@given(near)
def test_sources_that_agree_make_a_reliable_price(prices: list[Decimal]):
    found = agreed(*named(prices))
    assert found.unreliable == ""
    assert found.price is not None
    assert min(prices) <= found.price <= max(prices)


@given(near, st.decimals("0.01", 1_000_000, places=2), st.booleans(), st.floats(0, 14))
def test_one_wild_source_never_moves_the_price_out_of_the_range_of_the_others(
    prices: list[Decimal], wild: Decimal, quiet: bool, age: float
):
    then = {"wild": PRICE} | {f"s{number}": price for number, price in enumerate(prices)}
    others = named(prices, moved_at=ago(60), others_then=then) if quiet else named(prices)
    found = agreed(*others, source("wild", wild, age=age))
    assert found.price is not None
    assert found.unreliable == ""
    assert min(prices) <= found.price <= max(prices)


def test_how_far_the_sources_are_apart_is_half_of_what_two_differ_by_and_what_most_of_more_stay_within():
    assert apart_of([Decimal(99_990), Decimal(100_010)]) == pytest.approx(0.0001)
    assert apart_of([Decimal(99_990), Decimal(100_000), Decimal(100_500)]) == pytest.approx(0.0001)
    assert apart_of([Decimal(100_000)]) == 0.0
