"""The simulated window beside the recorded ones: each figure near what was recorded, and measured as it is meant."""

from __future__ import annotations

import pytest

from benchmarks.realism import ladders, naive_taker, simulated
from benchmarks.realism.figures import Figures, add, summary
from benchmarks.realism.naive_taker import Interval, Takings, interval
from benchmarks.realism.tapes import Change, Spot, Take, Tape

CLOSE_MS = 900_000


def tape(changes: list[Change], **rest: object) -> Tape:
    how: dict[str, object] = {"ticker": "T", "close_ms": CLOSE_MS, "strike": 100.0, "yes": True} | rest
    return Tape(changes=changes, whole_from=2, **how)  # pyright: ignore[reportArgumentType]


def measured(*tapes: Tape) -> dict[str, float]:
    figures = Figures()
    for each in tapes:
        add(figures, each)
    return {name: value for name, value, _ in summary(figures)}


@pytest.fixture(scope="module")
def window() -> dict[str, float]:
    return measured(*simulated.tapes(seed=5, windows=4))


@pytest.mark.parametrize(
    ("name", "recorded", "off"),
    [
        ("1 lot at the displayed ask after 50 ms", 0.96, 0.03),
        ("1 lot at the displayed ask after 500 ms", 0.85, 0.06),
        ("100 lots at the displayed ask after 0 ms", 0.72, 0.06),
        ("100 lots at the displayed ask after 500 ms", 0.67, 0.06),
        ("mid unchanged over a second", 0.48, 0.10),
        ("takers that touch more than one price", 0.145, 0.05),
        ("ms between moments of change, median", 7, 3),
        ("most changes in a second, median of markets", 400, 130),
        ("spread of the last two minutes, 10 to 90 cents, mean", 1.9, 0.6),
        ("of what it does with spot, the book has done by +200 ms", 0.73, 0.22),
        ("changes a second, up to 600 s left", 96, 25),
        ("queue before a cancelled order, mean (newest: 1)", 0.5, 0.05),
    ],
)
def test_the_simulated_market_is_like_the_recorded_ones(
    window: dict[str, float], name: str, recorded: float, off: float
) -> None:
    assert window[name] == pytest.approx(recorded, abs=off)


def test_the_open_strikes_of_a_ladder_are_like_recorded_ones_and_its_traders_keep_no_common_beat() -> None:
    ladder = {name: value for name, value, _ in ladders.simulated(seed=5, minutes=3)}
    assert ladder[ladders.SPREAD] == pytest.approx(2.8, abs=0.7)
    assert ladder[ladders.UNCHANGED] == pytest.approx(0.74, abs=0.10)
    assert ladder[ladders.GAP] < 20
    assert 0.85 < ladder[ladders.FILLED.format(500)] < 0.97


def standing(changes: list[Change]) -> list[Change]:
    """A bid of 50 at 40 cents, an ask of 200 at 42, and a last change that ends what was recorded."""
    first = [Change(0, True, 4_000, 5_000), Change(0, False, 4_200, 20_000)]
    return [*first, *changes, Change(CLOSE_MS, True, 100, 100)]


def test_a_hundred_lots_are_filled_where_the_best_price_has_them_and_fifty_are_not() -> None:
    """YES and NO are bought alike: the ask is deep enough, the bid is not."""
    figures = measured(tape(standing([])))
    assert figures["100 lots at the displayed ask after 500 ms"] == 0.5
    assert figures["1 lot at the displayed ask after 500 ms"] == 1.0
    assert figures["mid unchanged over a second"] == 1.0


def test_prints_of_one_moment_and_side_are_one_taker() -> None:
    takes = [
        Take(10_000, 4_200, 100, True),
        Take(10_000, 4_300, 100, True),
        Take(10_000, 4_000, 100, False),
        Take(10_001, 4_200, 100, True),
    ]
    assert measured(tape(standing([]), takes=takes))["takers that touch more than one price"] == 1 / 3


def test_a_book_that_follows_spot_by_a_while_is_seen_to() -> None:
    """Spot jumps every ten seconds, the ask goes with it 300 ms later."""
    spot, changes, high = [Spot(0, 100.0)], list[Change](), False
    for at in range(10_000, 700_000, 10_000):
        high = not high
        spot.append(Spot(at + 10, 101.0 if high else 100.0))
        old, new = (4_200, 4_400) if high else (4_400, 4_200)
        changes += [Change(at + 310, False, new, 20_000), Change(at + 310, False, old, -20_000)]
    figures = measured(tape(standing(changes), spot=spot))
    assert figures["of what it does with spot, the book has done by +200 ms"] == pytest.approx(0.0, abs=0.05)
    assert figures["of what it does with spot, the book has done by +500 ms"] == pytest.approx(1.0, abs=0.05)


def test_the_naive_taker_buys_what_spot_says_is_cheap_and_pays_the_fee() -> None:
    """Spot far above the strike and YES at 42 cents: every look buys, and each wins 58 less the fee of 1.7."""
    takings = Takings()
    spot = [Spot(at, 200.0 + at % 2_000 / 1_000) for at in range(0, 900_000, 1_000)]
    naive_taker.add(takings, tape(standing([]), spot=spot))
    assert takings.trades() > 100
    assert interval(takings.by_window).mean == pytest.approx(58.0 - 7 * 0.42 * 0.58)
    assert interval(takings.marked).mean == pytest.approx(-1.0)


def test_an_interval_draws_whole_windows() -> None:
    """A hundred equal trades of one window are one observation, not a hundred."""
    found = interval({"one": [10.0] * 100, "other": [-10.0] * 100})
    assert found == Interval(mean=0.0, low=-10.0, high=10.0)
