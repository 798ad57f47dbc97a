"""The closing minute: what was printed is exact, what nobody saw is bridged with what it may have been, and nothing is copied."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.messages.prices import FinalMinute, PriceTick, PriceView
from recio.rules.pricing.average_fit import ANY_HOUR
from recio.rules.pricing.closing_minute import INDEX, ClosingMinute, closing_minute, walk_variance
from recio.rules.pricing.market_probability import probability
from recio.rules.pricing.model import Model, Reader
from tests.builders import market

CLOSES = datetime(2026, 11, 23, 12, 15, tzinfo=UTC)
T = int(CLOSES.timestamp())
FIRST = T - 60
LEVEL, SIGMA, BASIS = 100_000.0, 0.00006, 0.00014
Seconds = dict[int, float]


def told(seconds: Seconds) -> tuple[tuple[int, Decimal], ...]:
    return tuple((second, Decimal(f"{value:.4f}")) for second, value in sorted(seconds.items()))


def seen(
    left: float,
    level: float = LEVEL,
    *,
    by_index: bool = False,
    traded: Seconds | None = None,
    prints: Seconds | None = None,
    final: FinalMinute | None = None,
    error: float | None = None,
) -> PriceView:
    """The price so many seconds before the close, confirmed just now."""
    at = CLOSES - timedelta(seconds=left)
    usual = 0.0 if by_index else BASIS
    return PriceView(
        tick=PriceTick(
            symbol="BTC",
            source=INDEX if by_index else "coinbase",
            price=Decimal(f"{level:.4f}"),
            at=at,
            received_at=at,
        ),
        volatility=SIGMA,
        last_minute=told(traded or {}),
        prints=told(prints or {}),
        final_minute=final,
        error=usual if error is None else error,
        basis_error=BASIS,
        heard_at=at,
    )


def known(view: PriceView) -> ClosingMinute:
    return closing_minute(view, T, SIGMA, view.tick.at.timestamp())


def flat(left: int, level: float = LEVEL) -> Seconds:
    """Every second from half a minute before the closing minute on."""
    return dict.fromkeys(range(FIRST - 30, T - left), level)


def chance(view: PriceView, strike: float) -> float:
    asked = market(symbol="BTC", close_time=CLOSES, floor_strike=Decimal(f"{strike:.2f}"))
    found = probability(asked, view, view.tick.at, ANY_HOUR)
    assert isinstance(found, float)
    return found


def bounds(view: PriceView, strike: float) -> tuple[float, float]:
    asked = market(symbol="BTC", close_time=CLOSES, floor_strike=Decimal(f"{strike:.2f}"))
    found = Reader(Model(fit=ANY_HOUR)).bounds(asked, view, view.tick.at)
    assert isinstance(found, tuple)
    return found


@pytest.mark.parametrize("left", [30, 10, 3, 1])
def test_half_a_basis_point_on_an_exchange_is_never_a_certainty_however_near_the_close(left: int):
    view = seen(left, traded=flat(left))
    assert 0.55 < chance(view, LEVEL - 5) < 0.75
    low, high = bounds(view, LEVEL - 5)
    assert low < 0.2
    assert high > 0.9


def test_the_prints_of_the_index_itself_leave_no_doubt_about_what_was_made():
    prints = flat(2)
    view = seen(3, by_index=True, prints=prints)
    assert chance(view, LEVEL - 5) > 0.999
    assert known(view).error == 0.0


def test_an_index_that_repeats_itself_is_not_known_by_its_copies():
    """Its feed stands still for half a minute, and the sources are 20 bp below it: the settlement follows one of both."""
    stood = dict.fromkeys(range(FIRST + 29, T - 1), LEVEL)
    prints = {each: LEVEL + (each % 7) for each in range(FIRST - 5, FIRST + 29)} | stood
    view = seen(1, LEVEL * 0.998, prints=prints, error=0.0020)
    low, high = bounds(view, LEVEL - 50)
    assert (low, high) == (pytest.approx(0.0, abs=0.05), pytest.approx(1.0, abs=0.05))
    assert 0.55 < chance(view, LEVEL - 50) < 0.95


def test_of_copies_that_a_later_print_ended_nobody_knows_when_the_price_moved():
    """As of seconds that nobody saw, also where the exchanges told them: the index itself may have stood."""
    stood = dict.fromkeys(range(FIRST + 10, FIRST + 40), LEVEL)
    walked = {each: LEVEL + (each % 7) for each in range(FIRST - 5, FIRST + 10)}
    after = {FIRST + 40: LEVEL * 0.998, FIRST + 41: LEVEL * 0.998 + 3}
    told_by_exchanges = dict.fromkeys(range(FIRST + 15, FIRST + 42), LEVEL * 0.998)
    for traded in ({}, told_by_exchanges):
        view = seen(18, LEVEL * 0.998, by_index=True, prints=walked | stood | after, traded=traded)
        assert math.sqrt(known(view).bridged) == pytest.approx(28 / 60 * 200 / math.sqrt(12), rel=0.1)
        assert known(view).expected == pytest.approx(LEVEL - 200 * (14 + 20) / 60, abs=4.0)


def test_copies_are_no_prints_however_little_the_price_moved_meanwhile():
    """An index that lives does not say the same for half a minute: where the price was in between is not known."""
    stood = dict.fromkeys(range(FIRST + 10, FIRST + 40), LEVEL)
    walked = {each: LEVEL + (each % 7) for each in range(FIRST - 5, FIRST + 10)}
    after = {FIRST + 40: LEVEL + 10.0, FIRST + 41: LEVEL + 9.0}
    minute, alone = (
        known(seen(18, LEVEL + 9.0, by_index=True, prints=walked | before | after))
        for before in (stood, {FIRST + 10: LEVEL})
    )
    assert minute == alone
    assert math.sqrt(minute.bridged) == pytest.approx(LEVEL * SIGMA * math.sqrt(30**3 / 12) / 60, rel=0.1)


def test_an_index_too_coarse_for_the_move_of_a_second_may_stand_by_itself():
    """Its last place is a dollar, and a second moves it by a fifth of one."""
    coarse = tuple((each, Decimal(1000 + (each >= FIRST + 40))) for each in range(FIRST - 5, FIRST + 42))
    view = replace(seen(18, 1001.0, by_index=True), prints=coarse)
    minute = closing_minute(view, T, 0.0002, view.tick.at.timestamp())
    assert minute.bridged == 0.0


def test_what_the_venue_averages_itself_is_no_copy_however_long_it_repeats():
    prints = dict.fromkeys(range(FIRST - 5, T - 9), LEVEL)
    final = FinalMinute(closes_at=T, until=T - 10, count=50, mean=Decimal(100_000))
    minute = known(seen(10, by_index=True, prints=prints, final=final, error=0.0010))
    assert minute.error == pytest.approx(LEVEL * 0.0010 * 10 / 60, rel=0.12)
    assert minute.bridged == 0.0


def test_what_hangs_on_an_exchange_is_counted_print_by_print():
    """Thirty prints were heard; the index fell silent, and an exchange tells the rest."""
    view = seen(20, prints=dict.fromkeys(range(FIRST - 5, FIRST + 30), LEVEL), traded=flat(20))
    assert known(view).error == pytest.approx(LEVEL * BASIS * 30 / 60)


def test_seconds_that_nobody_saw_are_no_prints_that_were_made():
    """28 seconds without a word, and 20 bp lower after it: nobody knows when the price fell."""
    after = LEVEL * (1 - 0.0020)
    whole = dict.fromkeys(range(FIRST - 30, FIRST + 20), LEVEL) | {FIRST + 48: after, FIRST + 49: after}
    view = seen(10, after, traded=whole)
    minute = known(view)
    copied = (20 * LEVEL + 28 * LEVEL + 12 * after) / 60
    halfway = (20 * LEVEL + 28 * (LEVEL + after) / 2 + 12 * after) / 60
    assert minute.expected == pytest.approx(halfway, abs=1.0)
    assert math.sqrt(minute.bridged) == pytest.approx(28 / 60 * 200 / math.sqrt(12), rel=0.1)
    assert 0.1 < chance(view, copied - 20) < 0.4


def test_a_bridge_has_the_mean_and_the_spread_of_the_walks_that_fit_its_ends():
    dice, hole = random.Random(4), range(FIRST + 20, FIRST + 32)
    start, end, length = LEVEL, LEVEL + 12.0, len(hole) + 1
    sums = list[float]()
    for _ in range(6_000):
        steps = [dice.gauss(0, LEVEL * SIGMA) for _ in range(length)]
        drift = (end - start - sum(steps)) / length
        at, total = start, 0.0
        for step in steps[:-1]:
            at += step + drift
            total += at
        sums.append(total)
    prints = {each: start + each % 2 / 5 for each in range(FIRST - 5, FIRST + 19)} | {FIRST + 19: start}
    prints |= dict.fromkeys(range(FIRST + 32, T - 10), end)
    minute = known(seen(10, end, by_index=True, prints=prints))
    outside = 20 * start + (60 - 32) * end
    assert minute.expected == pytest.approx((outside + fmean(sums)) / 60, abs=0.3)
    assert math.sqrt(minute.bridged) == pytest.approx(pstdev(sums) / 60, rel=0.05)


@pytest.mark.parametrize("gap", [1, 3, 10, 25])
def test_silent_seconds_of_the_index_never_blind_the_probability(gap: int):
    prints = {s: v for s, v in flat(4).items() if not FIRST + 10 <= s < FIRST + 10 + gap}
    view = seen(5, by_index=True, prints=prints)
    assert chance(view, LEVEL - 20) > 0.95
    assert known(view).bridged > 0


def test_after_a_restart_within_the_last_minute_the_venues_own_mean_tells_what_was_missed():
    until = T - 21
    final = FinalMinute(closes_at=T, until=until, count=39, mean=Decimal(99_900))
    blind = seen(21, by_index=True, prints={until: LEVEL})
    told_so = replace(blind, final_minute=final)
    assert known(told_so).expected == pytest.approx((40 * 99_900 + 20 * LEVEL) / 60, abs=3)
    assert known(told_so).bridged < known(blind).bridged / 50
    assert chance(blind, 99_950) > 0.9
    assert chance(told_so, 99_950) < 0.05


@pytest.mark.parametrize("changes", [{"closes_at": T - 900}, {"count": 37}, {"count": 0}])
def test_a_mean_of_another_minute_or_with_prints_missing_is_not_used(changes: dict[str, int]):
    final = FinalMinute(closes_at=T, until=T - 21, count=39, mean=Decimal(99_900))
    view = seen(21, by_index=True, prints={T - 21: LEVEL}, final=replace(final, **changes))
    assert known(view).expected == LEVEL


def test_nothing_known_of_the_minute_is_an_answer_with_its_uncertainty():
    view = seen(5, by_index=True, prints={T - 5: LEVEL})
    spread = math.sqrt(known(view).bridged) / LEVEL
    assert spread == pytest.approx(SIGMA * math.sqrt(55 * 56 * 111 / 6) / 60, rel=0.05)


def test_a_price_that_is_old_is_as_uncertain_as_the_time_that_has_passed():
    view = seen(300)
    fresh, old = (closing_minute(view, T, SIGMA, T - 300 + after) for after in (0, 20))
    assert old.to_come == fresh.to_come
    assert (fresh.aged, old.aged) == (0.0, pytest.approx(20.0))


@pytest.mark.parametrize("edge", [FIRST, FIRST + 1, FIRST + 2, FIRST + 30, T - 1, T])
@pytest.mark.parametrize("by_index", [False, True])
def test_nothing_jumps_when_a_print_is_made_nor_at_the_minute_nor_at_the_close(edge: int, by_index: bool):
    def at(left: float) -> ClosingMinute:
        whole = flat(0)
        made = {s: v for s, v in whole.items() if s + (0 if by_index else 1) <= T - left}
        return known(
            seen(left, by_index=by_index, traded={} if by_index else made, prints=made if by_index else {})
        )

    before, after = at(T - edge + 1e-4), at(T - edge - 1e-4)
    assert before.expected == pytest.approx(after.expected)
    assert before.to_come == pytest.approx(after.to_come, abs=1e-3)
    assert before.error == pytest.approx(after.error)


@given(st.sets(st.integers(FIRST - 20, T - 11), max_size=80), st.integers(FIRST, T - 11), st.integers(0, 9))
def test_whoever_saw_less_is_never_surer(lost: set[int], also: int, seed: int):
    dice, level = random.Random(seed), LEVEL
    walk = Seconds()
    for second in range(FIRST - 30, T - 10):
        level += dice.gauss(0, 0.3)  # so small that no hole hides a jump
        walk[second] = level
    some = {s: v for s, v in walk.items() if s not in lost}
    fewer = {s: v for s, v in some.items() if s != also}
    more, less = (known(seen(10, level, traded=each)) for each in (some, fewer))
    assert less.bridged >= more.bridged - 1e-6
    assert less.error >= more.error - 1e-9


@pytest.mark.parametrize(("by_index", "to_come"), [(True, 29), (False, 30)])
def test_a_price_of_an_exchange_is_that_of_the_end_of_its_second_and_a_print_that_of_its_beginning(
    by_index: bool, to_come: int
):
    """Half a minute before the close the index has made one print more."""
    view = seen(30, by_index=by_index, traded=flat(30), prints=flat(30))
    assert known(view).to_come == pytest.approx(walk_variance(to_come, 1.0) / 60**2)


def test_prints_that_the_venues_mean_counts_are_made_however_old_the_price_is():
    """The price is of 40 seconds before the close, the venue's mean of 30."""
    final = FinalMinute(closes_at=T, until=T - 30, count=30, mean=Decimal(99_000))
    view = seen(40, by_index=True, prints=flat(40), final=final)
    later = closing_minute(view, T, SIGMA, T - 30.0)
    # The first of the sixty is not in the venue's mean, and its print was heard.
    assert later.expected == pytest.approx((30 * 99_000 + 30 * LEVEL) / 60, abs=3)
