"""Reconciliation: absence needs proof, and a difference is only one that time does not explain."""

from __future__ import annotations

from datetime import timedelta

import pytest

from recio.messages.account import FillSeen, PositionDifference
from recio.rules.account.reconcile import (
    Absence,
    MarketLedger,
    absence_margin,
    compare,
    confirmed,
    difference_cause,
    is_ours,
    may_be_of,
    suspected,
)
from recio.units import BookSide, ClientOrderId, FillId, Money, Price, Quantity, Side, Ticker, VenueOrderId
from tests.builders import NOW, TICKER, open_trades, order, trade

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
    assert compare({TICKER: Quantity(1000)}, [trade(closes_at=NOW)], frozenset(), NOW) == ()


def ledger(yes: int = 0, no: int = 0, external: int = 0, *, is_settled: bool = False) -> MarketLedger:
    return MarketLedger(
        yes=Quantity(yes), no=Quantity(no), external=Quantity(external), is_settled=is_settled
    )


def test_fills_that_are_not_ours_explain_what_they_made_and_not_a_hundredth_more():
    by_hand = {TICKER: ledger(yes=1300, external=300)}
    assert compare({TICKER: Quantity(1300)}, [trade()], frozenset(), NOW, by_hand) == ()
    (found,) = compare({TICKER: Quantity(1301)}, [trade()], frozenset(), NOW, by_hand)
    assert (found.ours, found.is_external) == (1300, False)


@pytest.mark.parametrize(("side", "sign"), [(Side.YES, 1), (Side.NO, -1)])
def test_what_somebody_sold_of_a_trades_contracts_is_told_as_their_doing(side: Side, sign: int):
    netted = {TICKER: ledger(external=-400 * sign)}
    (found,) = compare({TICKER: Quantity(600 * sign)}, [trade(side=side)], frozenset(), NOW, netted)
    assert (found.venue, found.ours, found.is_external) == (600 * sign, 1000 * sign, True)
    assert "without recio" in difference_cause(found)


def test_a_settled_market_and_one_that_could_not_be_read_differ_in_nothing():
    assert compare({}, [trade()], frozenset(), NOW, {TICKER: ledger(is_settled=True)}) == ()
    assert compare({}, [trade()], frozenset(), NOW, {}, frozenset({TICKER})) == ()
    assert compare({Ticker("KX"): Quantity(1)}, [trade()], frozenset(), NOW, {}, None) == ()


def test_a_difference_is_one_only_if_nothing_happened_on_its_market_between_two_reads_of_it():
    found = compare({TICKER: Quantity(100)}, [], frozenset(), NOW, {TICKER: ledger(yes=500, no=500)})
    noted = suspected(found, {TICKER: ledger(yes=500, no=500)}, NOW, {}, frozenset())
    still = {TICKER: ledger(yes=500, no=500)}
    assert confirmed(found, noted, still, NOW) == found
    assert confirmed(found, noted, still, NOW - timedelta(microseconds=1)) == ()
    assert confirmed(found, noted, {TICKER: ledger(yes=600, no=600)}, NOW) == ()
    assert confirmed(found, {}, still, NOW) == ()


def test_a_sale_that_is_tried_in_vain_again_and_again_hides_no_difference():
    """Each try is an order in motion; of what was sold elsewhere nothing is left to be sold by it."""
    ledgers = {TICKER: ledger(yes=1000, no=1000, external=-1000)}
    found = compare({}, [trade()], frozenset(), NOW, ledgers)
    noted = suspected(found, ledgers, NOW, {}, frozenset())
    meanwhile = suspected((), ledgers, NOW, noted, frozenset({TICKER}))
    assert confirmed(found, meanwhile, ledgers, NOW) == found
    assert suspected((), ledgers, NOW, noted, frozenset()) == {}


def test_a_fill_that_may_be_of_our_order_is_never_left_out_whatever_subaccount_it_names():
    """A key that was misjudged would otherwise leave what was bought without a stop."""

    def fill(of: str, ticker: Ticker = TICKER) -> FillSeen:
        return FillSeen(
            fill_id=FillId("f"),
            venue_order_id=VenueOrderId(of),
            ticker=ticker,
            book_side=BookSide.BID,
            price=Price(5_000),
            quantity=Quantity(100),
            fee=Money(0),
            is_taker=True,
            at=NOW,
            subaccount=3,
        )

    answered = open_trades(recent_orders=(order(venue_order_id=VenueOrderId("ours")),))
    assert may_be_of(fill("ours"), answered)
    assert not may_be_of(fill("theirs"), answered)
    under_way = open_trades(orders=(order(venue_order_id=None),))
    assert may_be_of(fill("nobody knows"), under_way)
    assert not may_be_of(fill("theirs", Ticker("KX-OTHER")), under_way)
    assert not may_be_of(fill("theirs"), None)


def test_an_order_is_ours_by_the_family_of_its_tag_which_no_restore_changes():
    """What was ordered after a backup carries the tag of before, and nobody else cancels it."""
    name = ClientOrderId("recio-0000000a-1-entry-1")
    assert is_ours(name, "00004321", None)
    assert not is_ours(name, "00014321", None)
    assert not is_ours(ClientOrderId("recio-0000"), "00004321", None)
    assert not is_ours(ClientOrderId("other-0000000a-1"), "00004321", None)


def test_an_order_with_a_row_is_ours_though_a_restore_has_drawn_another_tag():
    """Otherwise it is neither found nor proven absent, and what it bought has no stop."""
    name = ClientOrderId("recio-0000000a-1-entry-1")
    assert is_ours(name, "0000000a", None)
    assert not is_ours(name, "1000000a", open_trades())
    assert is_ours(name, "1000000a", open_trades(orders=(order(client_order_id=name),)))
    assert not is_ours(None, "0000000a", None)
