"""What explains the venue's cash, to the last digit, and what does not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recio.messages.account import CashMovement
from recio.rules.account.cash import (
    CASH_COMPARISONS,
    MOST_TRIED,
    CashComparison,
    CashMismatch,
    cash_cause,
    explained_by,
)
from recio.units import Money
from tests.builders import NOW

DOLLAR = 1_000_000
HUNDREDTH = 10_000


def comparison(unexplained: int, in_ledger: int = 0, has_opening: bool = True) -> CashComparison:
    return CashComparison(unexplained=Money(unexplained), in_ledger=Money(in_ledger), has_opening=has_opening)


def moved(name: str, *amounts: int) -> CashMovement:
    return CashMovement(name=name, at=NOW - timedelta(hours=1), amounts=tuple(map(Money, amounts)))


DEPOSIT, WITHDRAWAL = moved("deposit 1", 50 * DOLLAR), moved("withdrawal 1", -8 * DOLLAR)
EITHER = moved("transfer 1", 3 * DOLLAR, -3 * DOLLAR)


def test_cash_is_in_mismatch_only_after_it_was_the_same_so_often_with_nothing_in_motion():
    mismatch = CashMismatch()
    for _ in range(CASH_COMPARISONS - 1):
        mismatch = mismatch.after(comparison(5), quiet=True)
        assert mismatch.comparisons < CASH_COMPARISONS
    assert mismatch.after(comparison(5), quiet=True).comparisons >= CASH_COMPARISONS
    assert mismatch.after(comparison(6), quiet=True).comparisons < CASH_COMPARISONS
    assert mismatch.after(comparison(5), quiet=False).comparisons < CASH_COMPARISONS


def test_a_balance_that_is_always_one_trade_ahead_of_the_ledger_is_no_mismatch():
    """Somebody who buys the same each second: the difference is the same, and not the same money."""
    mismatch = CashMismatch()
    for trades in range(5 * CASH_COMPARISONS):
        mismatch = mismatch.after(comparison(-537_500, in_ledger=-537_500 * trades), quiet=True)
        assert mismatch.comparisons < CASH_COMPARISONS


@pytest.mark.parametrize(
    ("found", "agreed"),
    [
        (comparison(0), True),
        (comparison(HUNDREDTH), False),
        (comparison(100 * DOLLAR, has_opening=False), True),
        (comparison(100 * DOLLAR, in_ledger=1, has_opening=False), False),
    ],
    ids=["explained", "a hundredth", "never traded", "traded and never agreed"],
)
def test_cash_has_agreed_once_it_was_explained_or_there_was_nothing_to_explain(
    found: CashComparison, agreed: bool
):
    assert CashMismatch().after(found, quiet=True).agreed is agreed
    # Who has agreed once need not again: a difference is a halt by then.
    assert CashMismatch(agreed=True).after(comparison(7), quiet=False).agreed


def test_the_cause_of_a_cash_difference_names_the_amount_to_its_last_digit():
    assert "+0.000001 dollars" in cash_cause(Money(1))
    assert "-12.500000 dollars" in cash_cause(Money(-12_500_000))


@pytest.mark.parametrize(
    ("unexplained", "names"),
    [
        (50 * DOLLAR, {"deposit 1"}),
        (-8 * DOLLAR, {"withdrawal 1"}),
        (42 * DOLLAR, {"deposit 1", "withdrawal 1"}),
        (39 * DOLLAR, {"deposit 1", "withdrawal 1", "transfer 1"}),
        (3 * DOLLAR, {"transfer 1"}),
        (-3 * DOLLAR, {"transfer 1"}),
    ],
)
def test_those_movements_explain_it_that_add_up_to_it(unexplained: int, names: set[str]):
    found = explained_by(Money(unexplained), [DEPOSIT, WITHDRAWAL, EITHER], Money(0))
    assert found is not None
    assert {each.name for each, _ in found} == names
    assert sum(amount for _, amount in found) == unexplained


@pytest.mark.parametrize("off", [1, -1, HUNDREDTH, -HUNDREDTH])
def test_a_true_difference_beside_a_deposit_is_found_to_the_last_millionth(off: int):
    assert explained_by(Money(50 * DOLLAR + off), [DEPOSIT, WITHDRAWAL], Money(0)) is None


def test_orders_at_rest_may_hold_back_a_part_of_what_came():
    at_rest = Money(2 * DOLLAR)
    assert explained_by(Money(48 * DOLLAR), [DEPOSIT], at_rest) == ((DEPOSIT, 50 * DOLLAR),)
    assert explained_by(Money(48 * DOLLAR - 1), [DEPOSIT], at_rest) is None
    assert explained_by(Money(50 * DOLLAR + 1), [DEPOSIT], at_rest) is None


def test_of_many_movements_all_of_them_are_tried_whatever_the_number():
    many = [moved(f"deposit {each}", DOLLAR + each) for each in range(10 * MOST_TRIED)]
    total = Money(sum(each.amounts[0] for each in many))
    assert explained_by(total, many, Money(0)) is not None
    assert explained_by(Money(total + 1), many, Money(0)) is None


@settings(max_examples=300, deadline=None)
@given(
    amounts=st.lists(st.integers(-(10**9), 10**9).filter(bool), max_size=MOST_TRIED),
    chosen=st.sets(st.integers(0, MOST_TRIED - 1)),
)
def test_whatever_part_of_the_movements_it_was_is_found(amounts: list[int], chosen: set[int]):
    listed = [moved(str(number), amount) for number, amount in enumerate(amounts)]
    total = sum(amount for number, amount in enumerate(amounts) if number in chosen)
    found = explained_by(Money(total), listed, Money(0))
    assert found is not None
    assert sum(amount for _, amount in found) == total
