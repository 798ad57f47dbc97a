"""The own books beside the venue's statement: equal to the last hundredth of a cent, or each difference by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from recio.messages.account import FillSeen
from recio.report.lots import Settled
from recio.report.statement import Side, Statement, by_day, statement, statement_text
from recio.texts import counted
from recio.units import BookSide, FillId, Money, Price, Quantity, Ticker, VenueOrderId

FIRST = datetime(2026, 11, 28, 23, tzinfo=UTC)
TICKER = Ticker("KXBTCD-26NOV2819-T90000")
DOLLAR = 1_000_000


def fill(number: int, side: BookSide, price: int, contracts: int, hours: int = 0) -> FillSeen:
    """`price` in hundredths of a dollar of YES."""
    return FillSeen(
        fill_id=FillId(f"f-{number}"), venue_order_id=VenueOrderId(f"o-{number}"), ticker=TICKER, book_side=side,
        price=Price(price * 100), quantity=Quantity(contracts * 100), fee=Money(20_000), is_taker=True,
        at=FIRST + timedelta(hours=hours),
    )  # fmt: skip


BOUGHT, SOLD = fill(1, BookSide.BID, 40, 10), fill(2, BookSide.ASK, 55, 4, hours=2)
END = Settled(value=Price(10_000), at=FIRST + timedelta(hours=3), revenue=Money(6 * DOLLAR))
DAYS = {date(2026, 11, 28): Money(-4_020_000), date(2026, 11, 29): Money(2_180_000 + 6 * DOLLAR)}


def ours(fills: Sequence[FillSeen] = (BOUGHT, SOLD), end: Settled | None = END) -> Side:
    return Side(
        fills={each.fill_id: each for each in fills}, settled={} if end is None else {TICKER: end}, by_day=DAYS,
        cash=Money(104_160_000),
    )  # fmt: skip


def beside(
    *fills: FillSeen, end: Settled = END, cash: int = 104_160_000, side: Side | None = None
) -> Statement:
    return statement(side or ours(), fills, {TICKER: end}, Money(cash), FIRST)


def test_what_is_the_same_is_equal_by_day_as_well():
    found = beside(BOUGHT, SOLD)
    assert found.differences == ()
    assert by_day((SOLD, BOUGHT), {TICKER: END}) == DAYS
    assert "2 fills and 1 settlements: equal" in statement_text(found)


@pytest.mark.parametrize(
    ("found", "named"),
    [
        (beside(BOUGHT), {("fill", "f-2", "all of it"), ("day", "2026-11-29", "change")}),
        (beside(BOUGHT, SOLD, side=ours((BOUGHT,))), {("fill", "f-2", "all of it")}),
        (
            beside(BOUGHT, replace(SOLD, fee=Money(20_100))),
            {("fill", "f-2", "fee"), ("day", "2026-11-29", "change")},
        ),
        (beside(BOUGHT, SOLD, end=replace(END, revenue=Money(5_990_000))), {("settlement", TICKER, "revenue")}),
        (beside(BOUGHT, SOLD, side=ours(end=None)), {("settlement", TICKER, "all of it")}),
        (beside(BOUGHT, SOLD, cash=104_160_100), {("cash", "now", "balance")}),
        (
            beside(BOUGHT, replace(SOLD, at=BOUGHT.at)),
            {("day", "2026-11-28", "change"), ("day", "2026-11-29", "change")},
        ),
    ],
)  # fmt: skip
def test_each_difference_is_named(found: Statement, named: set[tuple[str, str, str]]):
    assert {(each.what, each.name, each.field) for each in found.differences} == named
    assert counted(len(named), "difference", "differences") in statement_text(found)


def test_what_the_venue_did_before_these_books_began_is_counted_and_left_out():
    before = replace(fill(9, BookSide.BID, 30, 1, hours=-48), ticker=Ticker("KXBTCD-26NOV2619-T1"))
    found = beside(before, BOUGHT, SOLD)
    assert (found.older, found.differences) == (1, ())
