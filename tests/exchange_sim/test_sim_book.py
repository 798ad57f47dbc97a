"""Matching on one book: price first, time second, the resting price, and orders of one owner."""

from __future__ import annotations

import pytest

from recio.exchange_sim.engine.book import Book, Resting

ME, YOU = 0, 5


def book_of(*orders: tuple[int, bool, int, int]) -> Book:
    book = Book()
    for key, (owner, bid, price, quantity) in enumerate(orders):
        book.place(Resting(key, owner, bid, price, quantity))
    book.collect()
    return book


def test_the_best_price_comes_first_and_the_oldest_within_it() -> None:
    book = book_of((YOU, False, 5_200, 100), (YOU, False, 5_100, 100), (YOU, False, 5_100, 300))
    sweep = book.sweep(owner=ME, bid=True, limit=5_200, quantity=250, stop_at_own=True)
    assert [(match.resting.key, match.price, match.quantity) for match in sweep.matches] == [
        (1, 5_100, 100),
        (2, 5_100, 150),
    ]
    assert sweep.left == 0
    assert book.asks.totals == {5_100: 150, 5_200: 100}


def test_an_ask_takes_bids_down_to_its_limit_and_no_further() -> None:
    book = book_of((YOU, True, 4_800, 100), (YOU, True, 4_700, 100), (YOU, True, 4_600, 100))
    sweep = book.sweep(owner=ME, bid=False, limit=4_700, quantity=1_000, stop_at_own=True)
    assert [match.price for match in sweep.matches] == [4_800, 4_700]
    assert sweep.left == 800


@pytest.mark.parametrize(
    ("stop_at_own", "matched", "left", "stopped", "own_left_in_book"),
    [(True, [100], 400, True, True), (False, [100, 200], 200, False, False)],
)
def test_own_orders_stop_the_taker_or_leave_the_book(
    stop_at_own: bool, matched: list[int], left: int, stopped: bool, own_left_in_book: bool
) -> None:
    book = book_of((YOU, False, 5_000, 100), (ME, False, 5_100, 50), (YOU, False, 5_200, 200))
    sweep = book.sweep(owner=ME, bid=True, limit=5_300, quantity=500, stop_at_own=stop_at_own)
    assert [match.quantity for match in sweep.matches] == matched
    assert (sweep.left, sweep.stopped_by_own) == (left, stopped)
    assert (5_100 in book.asks.totals) is own_left_in_book


def test_changes_add_up_to_the_levels() -> None:
    book = Book()
    orders = [Resting(key, YOU, key % 2 == 0, 4_000 + 100 * (key % 3), 100 + key) for key in range(2)]
    orders += [Resting(9, YOU, False, 6_000, 70)]
    for order in orders:
        book.place(order)
    book.reduce(orders[0], 40)
    book.cancel(orders[2])
    seen: dict[tuple[bool, int], int] = {}
    for change in book.collect():
        seen[change.bid, change.price] = seen.get((change.bid, change.price), 0) + change.delta
    levels = {(True, price): total for price, total in book.bids.totals.items()}
    levels |= {(False, price): total for price, total in book.asks.totals.items()}
    assert {key: total for key, total in seen.items() if total} == levels
