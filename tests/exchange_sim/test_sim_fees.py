"""The fee rule against the examples that were seen on the real venue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.exchange_sim.matching.fees import fill_fee, model_fee
from recio.exchange_sim.matching.grid import LEVELS


@pytest.mark.parametrize(
    ("price", "quantity", "expected"),
    [(5_200, 100, 17_500), (9_900, 100, 700), (5_200, 1_000, 174_800)],
)
def test_a_taker_pays_what_the_venue_was_seen_to_charge(price: int, quantity: int, expected: int) -> None:
    fee = fill_fee(revenue=-price * quantity, trade_fee=model_fee(price, quantity), accumulator=0)
    assert fee.cost == expected


@given(st.lists(st.tuples(st.sampled_from(LEVELS), st.integers(1, 5_000), st.booleans()), max_size=30))
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
