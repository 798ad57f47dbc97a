"""Units, fees and settlement: exact to the micro-dollar."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio import units
from recio.exchange_sim.engine.fees import fill_fee, model_fee
from recio.messages.markets import StrikeType
from recio.rules.market.settlement import outcome, settlement_value
from recio.rules.pricing.fees import GRAIN, max_fee, taker_fee
from recio.units import Price, Quantity, Side, UnitError


@pytest.mark.parametrize(
    ("price", "quantity", "fee"),
    [
        (5200, 100, 17_500),
        (9900, 100, 700),
        (5200, 1000, 174_800),
        (1, 1, 99),
        (5000, 0, 0),
        (4700, 160, 27_900),  # of 27,899.20
    ],
)
def test_taker_fees_as_the_venue_charged_them(price: int, quantity: int, fee: int):
    assert taker_fee(Price(price), Quantity(quantity), Decimal(1)) == fee


@given(st.integers(1, 9999), st.integers(0, 10_000_000))
def test_a_fee_is_the_same_from_both_sides_and_never_below_the_model(price: int, quantity: int):
    fee = taker_fee(Price(price), Quantity(quantity), Decimal(1))
    assert fee == taker_fee(units.complement(Price(price)), Quantity(quantity), Decimal(1))
    model = Decimal("0.07") * quantity * price * (10_000 - price) / 10_000
    assert model <= fee < model + 100


@given(st.integers(1, 9999), st.integers(1, 100_000), st.sampled_from((1, -1)))
def test_no_fill_costs_a_higher_fee_than_is_expected_of_it_not_even_parts_of_contracts(
    price: int, quantity: int, sign: int
):
    """The venue takes what brings the balance to a whole $0.0001 with the fee, of a purchase and of a sale."""
    venue = fill_fee(
        revenue=sign * price * quantity, trade_fee=model_fee(price, quantity), accumulator=0
    ).cost
    assert venue <= taker_fee(Price(price), Quantity(quantity), Decimal(1))


@given(st.lists(st.tuples(st.integers(100, 9900), st.integers(10, 5_000)), min_size=1, max_size=40))
def test_no_order_costs_higher_fees_than_were_reserved_for_it_in_however_many_fills(
    fills: list[tuple[int, int]],
):
    total = accumulator = 0
    for price, quantity in fills:
        fee = fill_fee(
            revenue=-price * quantity, trade_fee=model_fee(price, quantity), accumulator=accumulator
        )
        total, accumulator = total + fee.cost, fee.accumulator
    prices, whole = [price for price, _ in fills], sum(quantity for _, quantity in fills)
    assert total <= max_fee(Price(min(prices)), Price(max(prices)), Quantity(whole), Decimal(1))


def test_a_series_without_fees_costs_nothing():
    assert taker_fee(Price(5000), Quantity(1000), Decimal(0)) == 0


@given(st.integers(0, 10_000))
def test_prices_survive_the_way_to_text_and_back(value: int):
    price = Price(value)
    assert units.price(units.price_text(price)) == price
    assert units.price_of(units.price_decimal(price)) == price


@pytest.mark.parametrize(
    "text", ["0.12345", "NaN", "Infinity", "", "x", "1e-9", "0x10", "1e9999999", "1_0", " 1", "٣", "9" * 30]
)
def test_a_text_that_is_not_an_exact_price_is_refused(text: str):
    with pytest.raises(UnitError, match="price"):
        units.price(text)


def test_price_times_quantity_is_money_without_rounding():
    assert units.notional(units.price("0.5213"), units.quantity("7.01")) == units.money("3.654313")


@pytest.mark.parametrize(
    ("prints", "value"),
    [(["84000.004"] * 60, "84000.00"), (["84000.005"] * 60, "84000.01"), (["1", "2"], "1.50")],
)
def test_the_mean_is_rounded_half_up_to_cents(prints: list[str], value: str):
    assert settlement_value([Decimal(each) for each in prints]) == Decimal(value)


@pytest.mark.parametrize(
    ("strike_type", "floor", "cap", "value", "result"),
    [
        (StrikeType.GREATER, "100.00", None, "100.00", Side.NO),
        (StrikeType.GREATER, "100.00", None, "100.01", Side.YES),
        (StrikeType.GREATER_OR_EQUAL, "100.00", None, "100.00", Side.YES),
        (StrikeType.LESS, None, "100.00", "100.00", Side.NO),
        (StrikeType.LESS_OR_EQUAL, None, "100.00", "100.00", Side.YES),
        (StrikeType.BETWEEN, "100.00", "199.99", "199.99", Side.YES),
        (StrikeType.BETWEEN, "100.00", "199.99", "200.00", Side.NO),
        (StrikeType.GREATER, None, None, "100.00", None),
    ],
)
def test_outcomes_at_the_very_strike(
    strike_type: StrikeType, floor: str | None, cap: str | None, value: str, result: Side | None
):
    floor_strike = None if floor is None else Decimal(floor)
    cap_strike = None if cap is None else Decimal(cap)
    assert outcome(Decimal(value), strike_type, floor_strike, cap_strike) is result


@given(st.decimals(-(10**9), 10**9, places=6))
def test_money_survives_the_way_to_the_database_and_back(value: Decimal):
    assert units.money_decimal(units.money_of(value)) == value


@pytest.mark.parametrize(
    ("lowest", "highest", "dearest"),
    [(7500, 9200, 7500), (800, 2500, 2500), (4000, 6500, 5000), (5000, 5000, 5000), (6100, 6100, 6100)],
)
def test_the_fee_that_is_reserved_is_that_of_the_price_nearest_to_one_half(
    lowest: int, highest: int, dearest: int
):
    reserved = max_fee(Price(lowest), Price(highest), Quantity(2000), Decimal(1))
    assert reserved == taker_fee(Price(dearest), Quantity(2000), Decimal(1)) + GRAIN
    whole = [taker_fee(Price(each), Quantity(2000), Decimal(1)) for each in range(lowest, highest + 1, 100)]
    assert reserved == max(whole) + GRAIN


def test_a_fee_that_is_reserved_in_figures():
    """20 contracts between 75 and 92 cents: 0.07 x 20 x 0.75 x 0.25, and $0.0001 for the rounding of many fills."""
    assert max_fee(Price(7500), Price(9200), Quantity(2000), Decimal(1)) == 262_600
    assert max_fee(Price(7500), Price(9200), Quantity(2000), Decimal(0)) == 0
