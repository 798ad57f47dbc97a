"""Lots first in, first out: exact to the last millionth, whatever is bought, sold, netted and settled."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from recio.messages.account import FillSeen
from recio.report.lots import COLUMNS, Settled, differs, lot_row, lots_of, totals
from recio.units import BookSide, FillId, Money, Price, Quantity, VenueOrderId, complement, notional
from tests.builders import NOW, TICKER


def fill(number: int, bid: bool, price: int, quantity: int, fee: int) -> FillSeen:
    return FillSeen(
        fill_id=FillId(f"f{number}"),
        venue_order_id=VenueOrderId("v"),
        ticker=TICKER,
        book_side=BookSide.BID if bid else BookSide.ASK,
        price=Price(price),
        quantity=Quantity(quantity),
        fee=Money(fee),
        is_taker=True,
        at=NOW + timedelta(seconds=number),
    )


def settled(value: int = 10_000, revenue: int = 0) -> Settled:
    return Settled(value=Price(value), at=NOW + timedelta(minutes=15), revenue=Money(revenue))


def test_a_sale_closes_the_oldest_contracts_first_and_takes_their_cost_and_their_part_of_each_fee():
    lots = lots_of(
        [
            fill(1, True, 4_000, 1_000, 100_001),
            fill(2, True, 6_000, 1_000, 60_000),
            fill(3, False, 7_000, 1_500, 90_000),
        ],
        None,
    )
    assert [lot_row(each) for each in lots] == [
        dict(zip(COLUMNS, values, strict=True))
        for values in (
            (TICKER, "yes", "10.00", "2026-11-23T12:00:01.000Z", "4.000000", "0.100001", "2026-11-23T12:00:03.000Z", "sale",
             "7.000000", "0.060000", "2.839999", "f1", "f3"),
            (TICKER, "yes", "5.00", "2026-11-23T12:00:02.000Z", "3.000000", "0.030000", "2026-11-23T12:00:03.000Z", "sale",
             "3.500000", "0.030000", "0.440000", "f2", "f3"),
            (TICKER, "yes", "5.00", "2026-11-23T12:00:02.000Z", "3.000000", "0.030000", None, None, None, None, None, "f2", None),
        )
    ]  # fmt: skip


def test_what_is_held_is_closed_by_the_settlement_at_what_its_side_pays():
    fills = [fill(1, False, 4_000, 1_000, 0)]
    (lot,) = lots_of(fills, settled(value=2_500, revenue=7_500_000))
    assert (lot.side.value, lot.cost, lot.proceeds, lot.closing_fill) == ("no", 6_000_000, 7_500_000, None)
    assert differs([lot], settled(value=2_500, revenue=7_500_000)) == 0
    assert differs([lot], settled(value=2_500, revenue=7_000_000)) == 500_000


def test_a_fill_that_arrives_after_the_settlement_is_closed_when_it_came():
    late = fill(1_000, True, 4_000, 100, 0)
    (lot,) = lots_of([late], settled())
    assert lot.closed_at == late.at > settled().at


FILLS = st.lists(
    st.tuples(st.booleans(), st.integers(1, 9_999), st.integers(1, 5_000), st.integers(-5_000, 90_000)),
    max_size=15,
)


@given(FILLS, st.none() | st.integers(0, 10_000))
def test_every_contract_and_every_fee_is_in_exactly_one_lot_and_the_cash_is_that_of_the_fills(
    drawn: list[tuple[bool, int, int, int]], value: int | None
):
    fills = [fill(number, *each) for number, each in enumerate(drawn)]
    end = None if value is None else settled(value)
    lots = lots_of(fills, end)
    cash, fees = totals(lots)
    assert fees == sum(each.fee for each in fills)
    net = sum(each.quantity if each.book_side is BookSide.BID else -each.quantity for each in fills)
    paid = pairs = yes = no = 0
    for each in fills:
        is_yes = each.book_side is BookSide.BID
        paid += notional(each.price if is_yes else complement(each.price), each.quantity)
        yes, no = yes + each.quantity * is_yes, no + each.quantity * (not is_yes)
        pairs = min(yes, no)
    payout = 0
    if value is not None:
        payout = notional(Price(value if net > 0 else 10_000 - value), Quantity(abs(net)))
    assert cash == notional(Price(10_000), Quantity(pairs)) + payout - paid - fees
    assert sum(each.quantity for each in lots if each.closing_fill is None) == abs(net)
