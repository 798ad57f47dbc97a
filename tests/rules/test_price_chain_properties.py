"""The whole chain from sources to bounds: monotone, bounded, continuous, complementary, less sure the less is known, and right as often as it says."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recio.messages.markets import Market, StrikeType
from recio.messages.prices import PriceTick, PriceView
from recio.rules.pricing.closing_minute import INDEX
from recio.rules.pricing.model import Model, Reader
from tests.builders import market
from tests.rules.simulated_windows import (
    KINDS,
    SHOWS_IN_NOTHING,
    STATED_RATE,
    Row,
    T,
    Unhurried,
    Verdict,
    World,
    claim,
    mirrored,
    page,
    said,
    truth,
    whole,
)

CLOSES = datetime(2026, 11, 23, 12, 15, tzinfo=UTC)
LEVEL = 84_000.0
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MODEL = Model()
WINDOWS_OF_A_KIND = 80
MOST_HELD = 0.84
"""By kind, as measured of many."""
DISTRUSTED = {"silent_index", "frozen_index"}
"""The sources' distance from the index is known well there and trusted little: bounds are wider than they would have to be."""
NOT_CLAIMED = {"mirrored": 0.41}
"""How often they hold where every source goes the other way, as measured of many: nothing that is heard tells of it."""


def at(
    left: float,
    *,
    level: float = LEVEL,
    by_index: bool = False,
    error: float = 0.00014,
    lost: frozenset[int] = frozenset(),
    age: float = 0.0,
    unmeasured: tuple[tuple[int, int], ...] = (),
) -> tuple[PriceView, datetime]:
    """The price so long before the close, the seconds before it all alike but for those that nobody saw; and now."""
    now = CLOSES - timedelta(seconds=left)
    when = now - timedelta(seconds=age)
    until = math.floor(when.timestamp() - (0 if by_index else 1)) + 1
    seconds = tuple((each, Decimal(f"{level:.2f}")) for each in range(until - 90, until) if each not in lost)
    tick = PriceTick(
        symbol="BTC",
        source=INDEX if by_index else "coinbase",
        price=Decimal(f"{level:.2f}"),
        at=when,
        received_at=when,
    )
    usual = 0.0 if by_index else error
    view = PriceView(
        tick=tick,
        volatility=0.00007,
        last_minute=() if by_index else seconds,
        prints=seconds if by_index else (),
        unmeasured=unmeasured,
        error=usual,
        basis_error=error,
        heard_at=when,
    )
    return view, now


def of(strike: float, kind: StrikeType = StrikeType.GREATER_OR_EQUAL) -> Market:
    value = Decimal(f"{strike:.2f}")
    return market(symbol="BTC", close_time=CLOSES, strike_type=kind, floor_strike=value, cap_strike=value)


def chance(asked: Market, seen: tuple[PriceView, datetime]) -> float:
    found = Reader(MODEL).probability(asked, *seen)
    assert isinstance(found, float)
    return found


def bounds(asked: Market, seen: tuple[PriceView, datetime]) -> tuple[float, float]:
    found = Reader(MODEL).bounds(asked, *seen)
    assert isinstance(found, tuple)
    return found


LEFT = st.floats(0.0, 900.0)
ERROR = st.floats(0.00002, 0.002)
AWAY = st.floats(-300.0, 300.0)
HOLES = st.frozensets(st.integers(T - 70, T - 1), max_size=60)


@FEW
@given(LEFT, AWAY, st.floats(0.01, 200), ERROR, HOLES, st.booleans())
def test_a_higher_strike_is_never_likelier(
    left: float, away: float, further: float, error: float, lost: frozenset[int], by_index: bool
):
    seen = at(left, error=error, lost=lost, by_index=by_index)
    near, far = of(LEVEL + away), of(LEVEL + away + further)
    assert chance(far, seen) <= chance(near, seen) + 1e-12
    for lower, higher in zip(bounds(far, seen), bounds(near, seen), strict=True):
        assert lower <= higher + 1e-12


@FEW
@given(LEFT, AWAY, st.floats(0.01, 200), ERROR, HOLES, st.booleans())
def test_a_higher_price_never_makes_yes_less_likely(
    left: float, away: float, more: float, error: float, lost: frozenset[int], by_index: bool
):
    asked = of(LEVEL + away)
    low, high = (
        at(left, level=level, error=error, lost=lost, by_index=by_index) for level in (LEVEL, LEVEL + more)
    )
    assert chance(asked, high) >= chance(asked, low) - 1e-3


@FEW
@given(LEFT, AWAY, ERROR, HOLES, st.floats(0, 5), st.booleans())
def test_answers_lie_between_0_and_1_and_within_their_bounds(
    left: float, away: float, error: float, lost: frozenset[int], age: float, by_index: bool
):
    seen = at(left, error=error, lost=lost, age=age, by_index=by_index)
    low, high = bounds(of(LEVEL + away), seen)
    assert 0.0 <= low <= chance(of(LEVEL + away), seen) <= high <= 1.0


@FEW
@given(LEFT, AWAY, ERROR, HOLES, st.booleans())
def test_complements_sum_to_one(left: float, away: float, error: float, lost: frozenset[int], by_index: bool):
    seen = at(left, error=error, lost=lost, by_index=by_index)
    for kind, other in (
        (StrikeType.GREATER_OR_EQUAL, StrikeType.LESS),
        (StrikeType.GREATER, StrikeType.LESS_OR_EQUAL),
    ):
        yes, no = of(LEVEL + away, kind), of(LEVEL + away, other)
        assert chance(yes, seen) + chance(no, seen) == pytest.approx(1.0, abs=1e-9)
        low, high = bounds(yes, seen)
        assert bounds(no, seen) == (pytest.approx(1 - high, abs=1e-9), pytest.approx(1 - low, abs=1e-9))


@pytest.mark.parametrize("by_index", [False, True])
@pytest.mark.parametrize("edge", [60.0, 59.0, 30.0, 1.0])
def test_nothing_jumps_at_the_minute_nor_when_a_print_is_made(edge: float, by_index: bool):
    for away in (-20.0, -3.0, 4.0, 30.0):
        before, after = at(edge + 1e-4, by_index=by_index), at(edge - 1e-4, by_index=by_index)
        assert chance(of(LEVEL + away), before) == pytest.approx(chance(of(LEVEL + away), after), abs=2e-3)


def test_at_the_close_the_index_leaves_no_doubt_and_an_exchange_does():
    asked = of(LEVEL - 5.0)
    assert [chance(asked, at(left, by_index=True)) for left in (0.001, 0.0)] == [pytest.approx(1.0), 1.0]
    just_before, at_it = (chance(asked, at(left)) for left in (1e-4, 0.0))
    assert at_it == pytest.approx(just_before, abs=1e-3)
    assert 0.5 < at_it < 0.9


LESS: tuple[tuple[str, Callable[[float], tuple[PriceView, datetime]]], ...] = (
    ("further from the index", lambda left: at(left, error=0.0004)),
    ("seconds nobody saw", lambda left: at(left, lost=frozenset(range(T - 60, T - 30)))),
    ("an older price", lambda left: at(left, age=4.0)),
    ("little measured", lambda left: at(left, unmeasured=((0, T - 1_200),))),
)


@pytest.mark.parametrize(("kind", "worse"), LESS, ids=[kind for kind, _ in LESS])
@pytest.mark.parametrize("left", [300.0, 45.0, 15.0])
def test_with_every_kind_of_ignorance_the_bounds_are_no_narrower(
    kind: str, worse: Callable[[float], tuple[PriceView, datetime]], left: float
):
    for away in (-15.0, -4.0, 2.0, 10.0):
        whole, part = bounds(of(LEVEL + away), at(left)), bounds(of(LEVEL + away), worse(left))
        assert part[0] <= whole[0] + 1e-9, kind
        assert part[1] >= whole[1] - 1e-9, kind


@pytest.mark.timeout(240)
def test_the_bounds_hold_the_truth_as_often_as_they_say():
    """All kinds of windows, none excluded but from the claim; `make windows` has the figures of many."""
    assert {kind.__name__ for kind in SHOWS_IN_NOTHING} == set(NOT_CLAIMED)
    found = {kind.__name__: [said(kind, seed) for seed in range(WINDOWS_OF_A_KIND)] for kind in KINDS}
    assert not [name for name, all_said in found.items() if None in all_said]
    slack = 3 * math.sqrt(STATED_RATE * (1 - STATED_RATE) / WINDOWS_OF_A_KIND)
    for name, all_said in found.items():
        share = sum(each is not None and each.held for each in all_said) / len(all_said)
        assert share >= NOT_CLAIMED.get(name, STATED_RATE) - slack, name
        if name not in DISTRUSTED:
            assert share <= MOST_HELD + slack, name


def test_a_simulated_window_that_measures_only_when_asked_says_what_one_that_always_measures_says(
    monkeypatch: pytest.MonkeyPatch,
):
    asked = [said(kind, seed) for kind in KINDS for seed in range(2)]
    monkeypatch.setattr(Unhurried, "is_asked", True)
    assert [said(kind, seed) for kind in KINDS for seed in range(2)] == asked


def test_the_page_claims_the_stated_rate_where_the_interval_shows_it_and_nowhere_else():
    def came(kind: Callable[[World], None], held: float) -> Row:
        return Row(kind=kind, told=7_142, held=held, width=0.37)

    assert [came(whole, held).verdict for held in (0.78, 0.755, 0.72)] == [
        Verdict.YES,
        Verdict.UNKNOWN,
        Verdict.NO,
    ]
    rows = [came(whole, 0.78), came(KINDS[1], 0.755), came(KINDS[2], 0.72), came(mirrored, 0.40)]
    told = list(claim(rows))
    assert "1 of the 3 kinds that it is claimed for" in told[0]
    assert ["One source alone" in told[1], "is not known to" in told[1]] == [True, True]
    assert ["some seconds old" in told[2], "does not" in told[2]] == [True, True]
    assert ["the other way" in told[3], "no rule can see it" in told[3]] == [True, True]
    in_table = [line for line in page(rows, 7_142) if line.startswith("| All sources go")]
    assert [("not claimed" in line, "**no**" in line) for line in in_table] == [(True, True)]


def test_the_truth_of_a_simulated_window_is_that_of_the_prints_it_settles_on():
    """Those of the sixty seconds before the close; at the last of them nothing is left to come."""
    world = World(random.Random(1), left=1)
    prints = [world.path[second - 1] for second in range(T - 60, T)]
    assert truth(world) == (pytest.approx(sum(prints) / 60), 0.0)
