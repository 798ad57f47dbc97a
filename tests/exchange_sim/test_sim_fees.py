"""The fee rule against the examples that were seen on the real venue."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.exchange_sim.engine.execution import take
from recio.exchange_sim.engine.fees import WHOLE, FeeTerms, fill_fee, model_fee
from recio.exchange_sim.engine.order_entry import create
from recio.exchange_sim.engine.orders import Order
from recio.exchange_sim.engine.price_grids import TAPERED_DECI_CENT


@pytest.mark.parametrize(
    ("price", "quantity", "expected"),
    [(5_200, 100, 17_500), (9_900, 100, 700), (5_200, 1_000, 174_800)],
)
def test_a_taker_pays_what_the_venue_was_seen_to_charge(price: int, quantity: int, expected: int) -> None:
    fee = fill_fee(revenue=-price * quantity, trade_fee=model_fee(price, quantity), accumulator=0)
    assert fee.cost == expected


@given(
    st.lists(
        st.tuples(st.sampled_from(TAPERED_DECI_CENT.levels), st.integers(1, 5_000), st.booleans()),
        max_size=30,
    )
)
def test_rounding_never_overcharges_an_order_by_a_whole_unit_nor_pays_it(
    fills: list[tuple[int, int, bool]],
) -> None:
    accumulator = charged = owed = cash = 0
    for price, quantity, taker in fills:
        trade_fee = model_fee(price, quantity) if taker else 0
        fee = fill_fee(revenue=-price * quantity, trade_fee=trade_fee, accumulator=accumulator)
        accumulator = fee.accumulator
        assert fee.cost >= 0
        charged += fee.cost
        owed += trade_fee
        cash -= price * quantity + fee.cost
    assert charged - owed == accumulator
    assert cash % 100 == 0


@pytest.mark.parametrize(
    ("fee_type", "multiplier", "taker", "maker"),
    [
        ("quadratic", WHOLE, 17_472, 0),
        ("quadratic_with_maker_fees", WHOLE, 17_472, 4_368),
        ("quadratic_with_combo_maker_fees", WHOLE, 17_472, 8_736),
        ("quadratic_with_maker_fees", WHOLE // 2, 8_736, 2_184),
        ("quadratic_with_maker_fees", 0, 0, 0),
        ("quadratic_with_maker_fees", 2 * WHOLE, 34_944, 8_736),
    ],
)
def test_makers_pay_by_the_fee_type_and_everybody_by_the_multiplier(
    fee_type: str, multiplier: int, taker: int, maker: int
) -> None:
    terms = FeeTerms(fee_type=fee_type, multiplier=multiplier)
    assert model_fee(5_200, 100, terms, taker=True) == taker
    assert model_fee(5_200, 100, terms, taker=False) == maker


def test_a_part_of_a_millionth_is_rounded_up() -> None:
    assert model_fee(1, 1) == 1
    assert model_fee(5_000, 1, FeeTerms(fee_type="quadratic_with_maker_fees"), taker=False) == 44


def test_a_market_charges_its_makers_what_its_series_says(trading_session) -> None:
    d = trading_session()
    d.market.spec = replace(d.market.spec, fee_type="quadratic_with_maker_fees", fee_multiplier=0.5)
    order = create(d.venue, d.order("bid", 5_200, 1_000))
    assert isinstance(order, Order)
    take(d.venue, d.market, owner=3, bid=False, limit=5_200, quantity=1_000)
    assert (order.maker_fees, order.taker_fees) == (21_900, 0)
    assert d.venue.fills[0].fee == 21_900
    assert d.venue.account.cash[2] == 1_000_000_000 - 5_200_000 - 21_900
