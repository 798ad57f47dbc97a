"""Books are exactly what the venue sent, or unusable."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from recio.rules.market.order_book import (
    DEPTH_SHOWN,
    Applied,
    BookDeltaSeen,
    BookSnapshotSeen,
    ImpossibleLevel,
    Ladder,
    NotListening,
    SequencedBooks,
    SequenceGap,
)
from recio.units import Price, Quantity, Side, Ticker

T, OTHER = Ticker("KX-1"), Ticker("KX-2")


def snapshot(seq: int, ticker: Ticker = T, sid: int = 2) -> BookSnapshotSeen:
    return BookSnapshotSeen(
        sid=sid,
        seq=seq,
        ticker=ticker,
        yes=((Price(4900), Quantity(100)), (Price(5000), Quantity(200))),
        no=((Price(4700), Quantity(300)),),
    )


def delta(seq: int, price: int, change: int, side: Side = Side.YES, ticker: Ticker = T) -> BookDeltaSeen:
    return BookDeltaSeen(
        sid=2, seq=seq, ticker=ticker, side=side, price=Price(price), change=Quantity(change), at_ms=None
    )


def test_best_ask_is_the_complement_of_the_best_no_bid():
    books = SequencedBooks()
    books.snapshot(snapshot(1))
    assert (books.books[T].best_bid, books.books[T].best_ask) == (5000, 5300)
    assert books.books[T].view().asks == ((5300, 300),)


def test_a_level_that_reaches_zero_is_gone_and_the_next_best_takes_over():
    books = SequencedBooks()
    books.snapshot(snapshot(1))
    assert books.delta(delta(2, 5000, -200)) == Applied(T)
    assert books.books[T].best_bid == 4900


def test_a_gap_makes_every_book_of_that_subscription_unusable_until_a_snapshot():
    books = SequencedBooks()
    books.snapshot(snapshot(1))
    books.snapshot(snapshot(2, OTHER))
    assert books.delta(delta(4, 5000, 10)) == SequenceGap(2, 3, 4)
    assert books.usable == set()
    assert books.delta(delta(5, 5000, 10)) == NotListening(T)
    books.snapshot(snapshot(6))
    assert books.usable == {T}
    assert books.delta(delta(7, 5000, 10)) == Applied(T)


def test_a_repeated_sequence_number_is_a_gap_and_not_applied():
    books = SequencedBooks()
    books.snapshot(snapshot(1))
    books.delta(delta(2, 5000, 10))
    assert isinstance(books.delta(delta(2, 5000, 10)), SequenceGap)
    assert books.books[T].yes.levels[Price(5000)] == 210


def test_a_level_below_zero_makes_the_book_unusable():
    books = SequencedBooks()
    books.snapshot(snapshot(1))
    assert books.delta(delta(2, 5000, -201)) == ImpossibleLevel(T, Price(5000), Quantity(-1))
    assert T not in books.usable


def test_a_price_outside_the_dollar_makes_the_book_unusable():
    books = SequencedBooks()
    books.snapshot(snapshot(1))
    assert isinstance(books.delta(delta(2, 10_000, 5)), ImpossibleLevel)
    assert T not in books.usable


def test_a_new_subscription_begins_its_sequence_anew_and_waits_for_a_snapshot():
    books = SequencedBooks()
    books.snapshot(snapshot(7))
    books.restart(2)
    assert T not in books.usable
    assert books.snapshot(snapshot(1)) == Applied(T)


def test_replies_take_their_place_in_the_sequence():
    books = SequencedBooks()
    books.snapshot(snapshot(1))
    assert books.count(2, 2) is None
    assert books.delta(delta(3, 5000, 10)) == Applied(T)


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(-20, 20), st.booleans()), max_size=200), st.booleans()
)
def test_the_prices_kept_in_order_and_the_levels_shown_are_always_those_of_the_book(
    changes: list[tuple[int, int, bool]], is_mirrored: bool
):
    ladder = Ladder(is_mirrored=is_mirrored)
    for price, by, is_looked_at in changes:
        before = dict(ladder.levels)
        if ladder.change(Price(price), Quantity(by)) < 0:
            assert ladder.levels == before
        assert ladder.best == max(ladder.levels, default=None)
        if is_looked_at:
            best = sorted(ladder.levels.items(), reverse=True)[:DEPTH_SHOWN]
            assert ladder.shown() == tuple((10_000 - at if is_mirrored else at, of) for at, of in best)


def test_a_gap_is_told_even_when_the_snapshot_after_it_is_impossible():
    books = SequencedBooks()
    books.snapshot(snapshot(1))
    books.snapshot(snapshot(2, OTHER))
    broken = BookSnapshotSeen(sid=2, seq=9, ticker=T, yes=((Price(0), Quantity(1)),), no=())
    assert books.snapshot(broken) == SequenceGap(2, 3, 9)
    assert books.usable == set()


def test_a_late_message_is_a_gap_and_does_not_set_the_count_back():
    books = SequencedBooks()
    books.snapshot(snapshot(1))
    assert books.delta(delta(3, 5000, 10)) == SequenceGap(2, 2, 3)
    assert books.delta(delta(2, 5000, 10)) == SequenceGap(2, 4, 2)
    assert books.snapshot(snapshot(4)) == Applied(T)
    assert books.delta(delta(5, 5000, 10)) == Applied(T)


def test_a_late_snapshot_is_not_whole():
    books = SequencedBooks()
    books.snapshot(snapshot(1))
    books.snapshot(snapshot(2, OTHER))
    books.delta(delta(3, 5000, 10))
    assert books.snapshot(snapshot(2)) == SequenceGap(2, 4, 2)
    assert books.usable == set()


def test_a_subscription_that_begins_anew_without_saying_so_is_followed():
    books = SequencedBooks()
    books.snapshot(snapshot(900))
    assert books.snapshot(snapshot(1, OTHER)) == SequenceGap(2, 901, 1)
    assert books.usable == {OTHER}
    assert books.delta(delta(2, 5000, 10, ticker=OTHER)) == Applied(OTHER)


def test_the_view_of_a_book_is_made_once_until_the_book_changes():
    books = SequencedBooks()
    books.snapshot(snapshot(1))
    first = books.view(T)
    assert first is not None
    assert books.view(T) is first
    books.delta(delta(2, 5000, 10))
    second = books.view(T)
    assert second is not None
    assert (first.bids[0], second.bids[0]) == ((5000, 200), (5000, 210))
    books.snapshot(snapshot(3))
    assert books.view(T) == first
    assert books.delta(delta(9, 5000, 10)) == SequenceGap(2, 4, 9)
    assert books.view(T) is None


def cost_of_deltas(markets: int) -> float:
    """Seconds of this process per delta, best of five rounds, when a subscription carries so many books."""
    books = SequencedBooks()
    tickers = [Ticker(f"KX-{number}") for number in range(markets)]
    for seq, ticker in enumerate(tickers, start=1):
        books.snapshot(snapshot(seq, ticker))
    rounds, seq = [], markets
    for _ in range(5):
        made = [delta(seq + n, 5000, 1, ticker=tickers[n % markets]) for n in range(1, 4_001)]
        seq += len(made)
        began = time.process_time()
        for each in made:
            books.delta(each)
        rounds.append((time.process_time() - began) / len(made))
    return min(rounds)


def test_a_delta_costs_about_the_same_however_many_markets_there_are():
    assert cost_of_deltas(580) < 4 * cost_of_deltas(1)


def test_a_level_of_nothing_in_a_snapshot_is_no_level():
    books = SequencedBooks()
    nothing = (Price(5200), Quantity(0))
    books.snapshot(replace(snapshot(1), yes=(*snapshot(1).yes, nothing), no=((Price(4790), Quantity(0)),)))
    shown = books.books[T].view()
    assert (shown.bids[0], shown.asks, books.books[T].best_bid) == ((5000, 200), (), 5000)
    assert books.delta(delta(2, 5200, 7)) == Applied(T)
    assert books.books[T].view().bids[0] == (5200, 7)
