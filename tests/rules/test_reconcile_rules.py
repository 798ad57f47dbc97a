"""Reconciliation: absence needs proof, and a difference is only one that time does not explain."""

from __future__ import annotations

from datetime import timedelta

from recio.messages.account import PositionDifference
from recio.rules.account.reconcile import (
    CASH_COMPARISONS,
    Absence,
    CashMismatch,
    absence_margin,
    cash_cause,
    compare,
)
from recio.units import Money, Quantity, Side, Ticker
from tests.builders import NOW, TICKER, trade

SENT_BY = NOW + timedelta(seconds=15)
FRESH, FRESHER = SENT_BY + timedelta(seconds=1), SENT_BY + timedelta(seconds=2)


def test_a_read_as_of_before_the_last_possible_arrival_proves_nothing():
    absence = Absence().after(found=False, as_of=SENT_BY, sent_by=SENT_BY)
    assert absence == Absence()


def test_one_read_is_not_proof_and_the_same_data_twice_is_one_read():
    absence = Absence().after(found=False, as_of=FRESH, sent_by=SENT_BY)
    assert not absence.proven
    assert not absence.after(found=False, as_of=FRESH, sent_by=SENT_BY).proven


def test_two_fresh_reads_that_agree_are_proof():
    absence = Absence().after(found=False, as_of=FRESH, sent_by=SENT_BY)
    assert absence.after(found=False, as_of=FRESHER, sent_by=SENT_BY).proven


def test_being_found_once_begins_anew():
    absence = Absence().after(found=False, as_of=FRESH, sent_by=SENT_BY)
    absence = absence.after(found=True, as_of=FRESHER, sent_by=SENT_BY)
    assert not absence.after(found=False, as_of=FRESHER + timedelta(seconds=1), sent_by=SENT_BY).proven


def test_the_margin_outlasts_the_request_at_any_speed():
    assert absence_margin(10, 1) == timedelta(seconds=15)
    assert absence_margin(10, 15) == timedelta(seconds=225)
    assert absence_margin(10, 15, 60) == timedelta(seconds=285)


def test_equal_positions_do_not_differ_and_no_counts_negative():
    assert compare({TICKER: Quantity(1000)}, [trade()], frozenset(), NOW) == ()
    assert compare({TICKER: Quantity(-1000)}, [trade(side=Side.NO)], frozenset(), NOW) == ()


def test_a_position_that_only_one_side_knows_differs():
    assert compare({}, [trade()], frozenset(), NOW) == (
        PositionDifference(ticker=TICKER, venue=Quantity(0), ours=Quantity(1000)),
    )
    stranger = Ticker("KX-HAND")
    assert compare({stranger: Quantity(5)}, [], frozenset(), NOW) == (
        PositionDifference(ticker=stranger, venue=Quantity(5), ours=Quantity(0)),
    )


def test_an_order_in_motion_or_a_closed_market_explains_a_difference():
    assert compare({}, [trade()], frozenset({TICKER}), NOW) == ()
    assert compare({}, [trade(closes_at=NOW)], frozenset(), NOW) == ()


def test_cash_is_in_mismatch_only_after_it_was_the_same_so_often_with_nothing_in_motion():
    mismatch = CashMismatch()
    for _ in range(CASH_COMPARISONS - 1):
        mismatch = mismatch.after(Money(5), quiet=True)
        assert not mismatch.is_steady
    assert mismatch.after(Money(5), quiet=True).is_steady
    assert not mismatch.after(Money(6), quiet=True).is_steady
    assert not mismatch.after(Money(5), quiet=False).is_steady


def test_the_cause_of_a_cash_difference_names_the_amount_to_its_last_digit():
    assert "+0.000001 dollars" in cash_cause(Money(1))
    assert "-12.500000 dollars" in cash_cause(Money(-12_500_000))
