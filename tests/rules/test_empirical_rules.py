"""Empirical tables are read from the right side, between their cells, and never beyond what they know without saying so."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.messages.markets import StrikeType
from recio.messages.prices import Momentum
from recio.rules.pricing.empirical import (
    BUCKETS,
    COLUMNS,
    FEWEST,
    FURTHEST,
    HORIZONS,
    STEP,
    Bucket,
    EmpiricalTable,
    Slice,
    TableReading,
    bucket_of,
    counted_bounds,
    ends_above,
    slice_at,
    yes_probability,
)
from recio.rules.pricing.model import Model, Reader
from recio.settings.trading import ModelKind
from tests.builders import NOW, market, price

PRICE = 100_000.0
SPOT = Decimal(100_000)
CALM = Momentum(bp=0.0, whole=True)
MINUTES = st.floats(0.0, 90.0)
MOVES = st.floats(-0.03, 0.03)
WORTH = (1_000.0,) * HORIZONS


def bucket(up_share: float = 0.5, samples: int = FEWEST, reach: float = 1.0) -> Bucket:
    """Shares that fall with distance and grow with time, the two sides by their own weight."""

    def rows(share: float) -> tuple[tuple[float, ...], ...]:
        return tuple(
            tuple(
                share * (1 - column / COLUMNS) ** (1 + 3 * reach * (HORIZONS - minute) / HORIZONS)
                for column in range(COLUMNS)
            )
            for minute in range(1, HORIZONS + 1)
        )

    return Bucket(samples=samples, worth=WORTH, up=rows(up_share), down=rows(1 - up_share))


EVERY = {number: bucket() for number in range(-BUCKETS, BUCKETS + 1)}
LEANING = bucket(0.6), bucket(0.4)


def table(**buckets: Bucket) -> EmpiricalTable:
    return EmpiricalTable(
        digest="d",
        symbol="BTC",
        buckets=EVERY | {int(name[1:].replace("m", "-")): each for name, each in buckets.items()},
    )


def at(seconds: float = 900, momentum: Momentum = CALM, of: EmpiricalTable | None = None) -> Slice:
    found = slice_at(of or table(), momentum, seconds)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("bp", "number"),
    [(0.4, 0), (0.6, 1), (-7.4, -7), (29.6, 30), (30.4, 30), (250.0, 30), (-99.0, -30)],
)
def test_momentum_falls_into_its_bucket_and_beyond_the_outermost_into_that(bp: float, number: int):
    assert bucket_of(Momentum(bp=bp, whole=True)) == number


@given(MINUTES, MOVES, MOVES)
def test_a_higher_threshold_is_never_likelier(minutes: float, one: float, other: float):
    here = at(minutes * 60)
    low, high = sorted((one, other))
    assert ends_above(here, PRICE, PRICE * (1 + low)) >= ends_above(here, PRICE, PRICE * (1 + high)) - 1e-12


@given(st.floats(1.0, 60.0), st.floats(1.0, 60.0), st.floats(0.0, FURTHEST))
def test_more_time_makes_a_given_distance_likelier_where_the_table_says_so(
    one: float, other: float, move: float
):
    short, long = sorted((one, other))
    threshold = PRICE * (1 + move)
    assert ends_above(at(long * 60), PRICE, threshold) >= ends_above(at(short * 60), PRICE, threshold) - 1e-12


@given(MINUTES, MOVES)
def test_ending_above_and_below_add_up_and_a_mirrored_table_mirrors_the_answer(minutes: float, move: float):
    there = at(minutes * 60, of=table(b0=LEANING[0]))
    mirrored = at(minutes * 60, of=table(b0=LEANING[1]))
    up = ends_above(there, PRICE, PRICE * (1 + move))
    assert 0.0 <= up <= 1.0
    assert ends_above(mirrored, PRICE, PRICE * (1 - move)) == pytest.approx(1.0 - up, abs=1e-9)


def test_a_strike_above_reads_the_upward_moves_and_one_below_the_downward_ones():
    rising = bucket(0.9)
    here = at(of=table(b0=rising))
    column = 10
    assert ends_above(here, PRICE, PRICE * (1 + column * STEP)) == pytest.approx(rising.up[14][column])
    assert ends_above(here, PRICE, PRICE * (1 - column * STEP)) == pytest.approx(1 - rising.down[14][column])


def test_between_cells_it_is_linear_in_time_and_distance():
    here, rows = at(12.5 * 60), EVERY[0].up
    expected = (rows[11][4] + rows[11][5] + rows[12][4] + rows[12][5]) / 4
    assert ends_above(here, PRICE, PRICE * (1 + 4.5 * STEP)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("seconds", "bp", "word"),
    [(20, 0.0, "0.3 minutes count as 1"), (4000, 0.0, "count as 60"), (900, 44.0, "counts as +30")],
)
def test_what_lies_outside_the_table_takes_its_edge_and_says_so(seconds: float, bp: float, word: str):
    here = at(seconds, Momentum(bp=bp, whole=True))
    assert any(word in each for each in here.clamped)
    edge = at(min(max(seconds, 60), 3600), Momentum(bp=min(bp, 30.0), whole=True))
    assert here.above == edge.above


def test_a_distance_beyond_the_table_counts_as_its_furthest_and_says_so():
    far = yes_probability(at(), StrikeType.GREATER_OR_EQUAL, Decimal(110_000), None, SPOT)
    edge = yes_probability(at(), StrikeType.GREATER_OR_EQUAL, Decimal("101999.99"), None, SPOT)
    assert far is not None
    assert edge is not None
    assert far.probability == pytest.approx(edge.probability, abs=1e-6)
    assert (bool(far.clamped), bool(edge.clamped)) == (True, False)


@pytest.mark.parametrize("momentum", [None, Momentum(bp=3.0, whole=False)])
def test_without_the_whole_momentum_there_is_no_answer(momentum: Momentum | None):
    assert slice_at(table(), momentum, 900) is None


def test_a_bucket_that_saw_too_little_gives_no_answer():
    assert slice_at(table(b5=bucket(samples=FEWEST - 1)), Momentum(bp=5.0, whole=True), 900) is None
    assert slice_at(EmpiricalTable(digest="d", symbol="BTC", buckets={}), CALM, 900) is None


@pytest.mark.parametrize("strike_type", [each for each in StrikeType if each is not StrikeType.UNSET])
def test_every_type_of_contract_is_read_and_a_missing_strike_is_unknown(strike_type: StrikeType):
    here, low, high = at(), Decimal("99900"), Decimal("100100")
    reading = yes_probability(here, strike_type, low, high, SPOT)
    assert reading is not None
    assert 0.0 <= reading.probability <= 1.0
    assert yes_probability(here, strike_type, None, None, SPOT) is None


def test_a_range_is_what_its_ends_leave_and_less_is_the_rest_of_greater():
    here, low, high = at(), Decimal("99900"), Decimal("100100")
    above, below, between = (
        yes_probability(here, kind, low, high, SPOT)
        for kind in (StrikeType.GREATER_OR_EQUAL, StrikeType.LESS_OR_EQUAL, StrikeType.BETWEEN)
    )
    assert above is not None
    assert below is not None
    assert between is not None
    assert between.probability == pytest.approx(above.probability + below.probability - 1, abs=1e-9)


# Bounds of a count.


def counted(share: float, draws: float) -> TableReading:
    return TableReading(probability=share, worth=draws, clamped=())


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_none_or_all_is_no_certainty(share: float):
    low, high = counted_bounds(counted(share, 33))
    assert high - low == pytest.approx(1 / 34)
    assert low <= share <= high


@given(st.floats(0, 1), st.floats(0, 100_000))
def test_bounds_of_a_count_hold_it_and_narrow_with_more_of_it(share: float, draws: float):
    low, high = counted_bounds(counted(share, draws))
    lower, higher = counted_bounds(counted(share, 2 * draws))
    assert 0.0 <= low <= share <= high <= 1.0
    assert higher - lower <= high - low + 1e-12


def test_a_probability_is_as_sure_as_the_horizon_that_is_known_worse():
    rising = tuple(100.0 * (1 + minute) for minute in range(HORIZONS))
    of = table(b0=replace(EVERY[0], worth=rising))
    assert [at(minutes * 60, of=of).worth for minutes in (5, 5.5, 60)] == [500, 500, 5_900]


@pytest.mark.parametrize(("reach", "least", "most"), [(1.0, 0.64, 0.80), (1.96, 0.93, 0.99)])
@pytest.mark.parametrize("count", [8, 33, 200])
def test_bounds_of_a_count_hold_the_truth_as_often_as_they_say(
    count: int, reach: float, least: float, most: float
):
    dice, held, draws = random.Random(count), 0, 0
    for true in (0.02, 0.1, 0.3, 0.5, 0.8, 0.97):
        for _ in range(400):
            share = sum(dice.random() < true for _ in range(count)) / count
            low, high = counted_bounds(counted(share, count), reach)
            held, draws = held + (low <= true <= high), draws + 1
    assert least <= held / draws <= most


def test_bounds_of_the_tables_widen_with_the_error_of_the_price():
    rows = tuple(tuple(max(0.0, 0.5 - 0.05 * column) for column in range(COLUMNS)) for _ in range(HORIZONS))
    bucket = Bucket(samples=100_000, worth=WORTH, up=rows, down=rows)
    table = EmpiricalTable(digest="d", symbol="BTC", buckets={0: bucket})
    reader = Reader(Model(kind=ModelKind.EMPIRICAL, tables={"BTC": table}))
    near, far = (
        replace(price(), momentum=Momentum(bp=0.0, whole=True), error=error) for error in (0.0, 0.0003)
    )
    narrow, wide = (Reader(reader.model).bounds(market(), each, NOW) for each in (near, far))
    assert isinstance(narrow, tuple)
    assert isinstance(wide, tuple)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
