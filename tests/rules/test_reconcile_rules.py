"""Reconciliation: absence needs proof, and a difference is only one that time does not explain."""

from __future__ import annotations

from datetime import timedelta

from recio.messages import PositionDifference
from recio.rules.reconcile import Absence, absence_margin, compare
from recio.units import Quantity, Side, Ticker
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
