"""The simulator's exact integers, against the daemon's: two modules written apart that must say the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recio import units
from recio.exchange_sim.engine import units as simulated

READERS: dict[str, tuple[Callable[[str], int], Callable[[str], int]]] = {
    "price": (units.price, simulated.read_price),
    "quantity": (units.quantity, simulated.read_quantity),
    "money": (units.money, simulated.read_money),
}
WRITERS: dict[str, tuple[Callable[[int], str], Callable[[int], str]]] = {
    "price": (lambda value: units.price_text(units.Price(value)), simulated.price_text),
    "quantity": (lambda value: units.quantity_text(units.Quantity(value)), simulated.quantity_text),
    "money": (lambda value: units.money_text(units.Money(value)), simulated.money_text),
}
DIGITS = st.text("0123456789", max_size=20)
NUMBERS = st.builds(
    lambda sign, whole, point, part: f"{sign}{whole}{point}{part}",
    st.sampled_from(["", "-", "+", "--"]),
    DIGITS,
    st.sampled_from(["", ".", "..", ","]),
    st.one_of(DIGITS, st.integers(0, 9).map(lambda digit: f"{digit}00000000")),
)
TEXTS = st.one_of(NUMBERS, st.text(max_size=6), st.text("-.0123456789eE_ \n٣", max_size=12))


def said(read: Callable[[str], int], text: str) -> int | str:
    try:
        return read(text)
    except ValueError:
        return "refused"


@pytest.mark.parametrize("unit", READERS)
@given(text=TEXTS)
@example(text="0.5200")
@example(text="-0.00")
@example(text="1.")
@example(text=".5")
@example(text="1.00000000")
@example(text="1.23456789")
@example(text="0.5\n")
@example(text="1e3")
@example(text="٣")
@example(text="9" * 18 + "." + "9" * 18)
@example(text="9" * 11 + ".99")
@example(text="1" + "0" * 11)
@example(text="0" * 7 + "9" * 11)
def test_both_read_a_text_alike_or_both_refuse_it(unit: str, text: str):
    daemon, exchange = READERS[unit]
    assert said(daemon, text) == said(exchange, text)


@pytest.mark.parametrize("unit", WRITERS)
@given(value=st.integers(-(10**13) + 1, 10**13 - 1))
def test_both_write_a_number_alike_and_the_other_reads_it_back(unit: str, value: int):
    daemon, exchange = WRITERS[unit]
    assert daemon(value) == exchange(value)
    assert READERS[unit][0](exchange(value)) == value == READERS[unit][1](daemon(value))


def test_the_units_fit_together():
    assert simulated.ONE_DOLLAR == units.ONE_DOLLAR
    assert simulated.PAYOUT_PER_UNIT == units.PAYOUT_PER_UNIT
    assert simulated.money_text(simulated.read_price("0.52") * simulated.read_quantity("13")) == "6.760000"
