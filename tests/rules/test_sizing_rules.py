"""Sizing: fixed is what it says; Kelly is nothing without an edge at the lower bound, grows with it, and never passes a cap."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.messages.controls import TradingControls
from recio.messages.decisions import OpenIntent
from recio.rules.decision.entry import EntryInputs, Waits, decide
from recio.rules.decision.sizing import contracts, kelly_part
from recio.rules.pricing.model import AVERAGE, Reader
from recio.settings.trading import EntrySection
from recio.units import Money, Price, Quantity
from tests.builders import NOW, account, board, book, market, open_trades, price, prices, section, view

PLENTY = Quantity(1_000_000)
FIXED = EntrySection()


def kelly(most: int = 1_000, bankroll: int = 1_000, fraction: float = 0.25) -> EntrySection:
    return section(
        EntrySection,
        enabled=True,
        contracts=Decimal(most),
        sizing="kelly",
        kelly_bankroll_dollars=Decimal(bankroll),
        kelly_fraction=fraction,
    )


def asked(
    lower: float | str,
    settings: EntrySection,
    limit: int = 5_000,
    fee: int = 17_500,
    there: Quantity = PLENTY,
) -> Quantity | str:
    return contracts(settings, Price(limit), Money(fee), lambda: lower, there)


def test_a_fixed_size_asks_no_model_and_stops_at_what_is_there():
    assert asked("nothing is known", FIXED) == 1_000
    assert asked("nothing is known", FIXED, there=Quantity(137)) == 137


def test_the_stake_is_the_part_of_the_bankroll_by_the_formula():
    # p = 0.60 at 0.5175: (0.60 - 0.5175) / (1 - 0.5175) = 0.17098..., a quarter of it of $1000 is $42.746..., 82.60 contracts.
    assert kelly_part(0.60, Decimal("0.5175")).quantize(Decimal("0.00001")) == Decimal("0.17098")
    assert asked(0.60, kelly()) == 8_260


@pytest.mark.parametrize("lower", [0.0, 0.5, 0.5175])
def test_without_an_edge_after_the_fee_at_the_lower_bound_nothing_is_asked_for(lower: float):
    said = asked(lower, kelly())
    assert isinstance(said, str)
    assert "has no edge" in said


def test_without_a_lower_bound_nothing_is_asked_for_and_its_reason_is_given():
    assert asked("volatility is not known yet", kelly()) == "volatility is not known yet"


@given(
    st.floats(0.0, 1.0),
    st.integers(10, 9_990),
    st.integers(1, 500),
    st.integers(1, 100_000),
    st.integers(0, 100_000),
)
def test_it_never_passes_the_cap_the_depth_or_the_bankroll(
    lower: float, limit: int, most: int, bankroll: int, there: int
):
    found = asked(lower, kelly(most, bankroll, 1.0), limit, 17_500, Quantity(there))
    if isinstance(found, str):
        return
    assert 0 < found <= min(most * 100, there)
    assert Decimal(found) / 100 * (Decimal(limit) / 10_000 + Decimal("0.0175")) <= bankroll


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.integers(10, 9_990))
def test_a_likelier_side_is_never_asked_for_less(one: float, other: float, limit: int):
    low, high = sorted((one, other))

    def number(lower: float) -> int:
        found = asked(lower, kelly(100_000, 10_000), limit)
        return 0 if isinstance(found, str) else found

    assert number(low) <= number(high)


def test_kelly_without_a_bankroll_is_refused():
    with pytest.raises(ValueError, match="needs kelly_bankroll_dollars"):
        section(EntrySection, sizing="kelly")


# --- in the rule ---------------------------------------------------------------------------------------------------


@given(st.floats(83_500, 84_500), st.floats(0.00001, 0.0005))
def test_the_bounds_of_the_settlement_average_hold_its_probability(spot: float, volatility: float):
    seen = price(f"{spot:.2f}", volatility)
    reader = Reader(AVERAGE)
    probability, bounds = reader.probability(market(), seen, NOW), reader.bounds(market(), seen, NOW)
    assert not isinstance(probability, str)
    assert not isinstance(bounds, str)
    assert 0.0 <= bounds[0] <= probability <= bounds[1] <= 1.0


def test_an_unknown_volatility_leaves_the_bounds_unknown():
    assert isinstance(Reader(AVERAGE).bounds(market(), price(volatility=None), NOW), str)


def test_an_entry_is_sized_by_the_lower_bound_of_the_side_it_buys():
    seen = EntryInputs(
        board=board(view(levels=book(2800, 3000, size=1_000_000))),
        prices=prices(replace(price("84020.00"))),
        trades=open_trades(),
        account=account(),
        controls=TradingControls(),
    )
    fixed, sized, poor = (
        decide(seen, settings, NOW).outcome
        for settings in (EntrySection(enabled=True), kelly(5_000, 100), kelly(5_000, 1, 0.0001))
    )
    assert isinstance(fixed, OpenIntent)
    assert isinstance(sized, OpenIntent)
    assert fixed.quantity == 1_000
    assert 0 < sized.quantity < 10_000
    assert isinstance(poor, Waits)
    assert poor.gate == "size"
