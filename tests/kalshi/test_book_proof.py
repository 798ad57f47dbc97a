"""No book counts as proven before it was held against the REST book on its own subscription."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from recio.kalshi.book_channel import ASKED_AGAIN_AFTER, MOST_SPOILS, SNAPSHOT_LIMIT, BookChannel
from recio.kalshi.book_proof import DIFFERS, NOT_YET, NOTHING_YET, TOLD_AFTER
from recio.kalshi.commands import Command
from recio.kalshi.frame_kinds import Strange
from recio.kalshi.refused_books import LEFT_ALONE
from recio.kalshi.socket_outcomes import NO_CHANGE, BookChanged, Broken
from recio.messages.markets import RestBook
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen
from recio.units import Price, Quantity, Side, Ticker, complement

A, B = Ticker("K-A"), Ticker("K-B")
NO = {Price(4800): Quantity(300), Price(4700): Quantity(500)}
YES = {Price(5000): Quantity(200)}
REST = RestBook(yes=YES, no=NO)
EMPTY = RestBook(yes={}, no={})


def snapshot(ticker: Ticker, seq: int, book: RestBook, sid: int = 1) -> BookSnapshotSeen:
    return BookSnapshotSeen(
        sid=sid, seq=seq, ticker=ticker, yes=tuple(book.yes.items()), no=tuple(book.no.items())
    )


def opened(**books: RestBook) -> BookChannel:
    """A subscription to these markets with these books, an empty one told twice as it has to be."""
    channel, seq = BookChannel(), 0
    named = {Ticker(f"K-{name}"): book for name, book in books.items()}
    channel.commands_for(named)
    channel.opened(1)
    for ticker, book in named.items():
        for _ in range(1 if book.yes or book.no else 2):
            seq += 1
            channel.take(snapshot(ticker, seq, book))
    return channel


def wanted(channel: BookChannel) -> set[Ticker]:
    return set(channel.proof.wanted(channel.books))


def test_a_book_is_wanted_once_it_is_whole_and_proven_by_one_that_agrees():
    channel = BookChannel()
    channel.commands_for([A])
    assert (channel.proof.unproven, wanted(channel)) == ({A: NOT_YET}, set())
    channel.compare(A, REST)
    assert channel.proof.unproven == {A: NOT_YET}, "there is no book yet to be proven"
    channel.opened(1)
    channel.take(snapshot(A, 1, REST))
    assert (channel.proof.has_news, wanted(channel), channel.proof.has_news) == (True, {A}, False)
    assert channel.compare(A, REST) == ""
    assert (channel.proof.unproven, wanted(channel)) == ({}, set())


def test_a_mirrored_side_is_told_once_and_mended_only_by_a_book_that_agrees():
    channel = opened(A=RestBook(yes=YES, no={complement(price): size for price, size in NO.items()}))
    assert "NO side is the mirror" in channel.compare(A, REST)
    assert channel.compare(A, REST) == ""
    assert channel.proof.wrong == {A}
    for _ in range(2 * TOLD_AFTER):
        assert channel.compare(A, RestBook(yes={}, no={Price(100): Quantity(1)})) == ""
    assert channel.proof.wrong == {A}, "a book that merely differs takes nothing back"
    assert "mirror" in channel.proof.unproven[A]
    assert wanted(channel) == {A}
    channel.take(snapshot(A, 2, REST))
    assert channel.compare(A, REST) == ""
    assert (channel.proof.unproven, channel.proof.wrong) == ({}, set())


def test_the_yes_side_is_held_against_it_too():
    channel = opened(A=RestBook(yes={complement(price): size for price, size in YES.items()} | NO, no=NO))
    assert channel.compare(
        A, RestBook(yes={complement(price): size for price, size in NO.items()} | YES, no=NO)
    )
    assert channel.proof.wrong == {A}


def test_a_book_without_a_no_side_is_proven_by_anothers():
    """How NO prices are written is one thing for a whole subscription; an empty side shows nothing of it."""
    channel = opened(A=RestBook(yes=YES, no={}), B=REST)
    channel.compare(A, RestBook(yes=YES, no={}))
    assert channel.proof.unproven == {A: NOTHING_YET, B: NOT_YET}
    channel.compare(B, REST)
    assert channel.proof.unproven == {}


def test_an_empty_book_is_asked_for_again_once_something_stands_in_it():
    channel = opened(A=EMPTY)
    assert wanted(channel) == {A}
    channel.compare(A, EMPTY)
    assert wanted(channel) == set()
    channel.take(
        BookDeltaSeen(sid=1, seq=3, ticker=A, side=Side.NO, price=Price(4800), change=Quantity(1), at_ms=None)
    )
    assert wanted(channel) == {A}


def test_a_book_that_keeps_differing_is_told_once_and_stays_unproven():
    channel = opened(A=REST)
    strange = RestBook(yes={Price(100): Quantity(1)}, no=NO)
    told = [channel.compare(A, strange) for _ in range(TOLD_AFTER + 3)]
    assert told == ["", "", "", "", DIFFERS, "", "", ""]
    assert channel.proof.unproven == {A: DIFFERS}


def test_another_subscription_begins_anew_for_every_market_and_a_market_that_comes_later_has_its_own():
    channel = opened(A=REST, B=REST)
    for ticker in (A, B):
        channel.compare(ticker, REST)
    channel.commands_for([A, B, Ticker("K-C")])
    assert channel.proof.unproven == {Ticker("K-C"): NOT_YET}
    channel.opened(2)
    assert channel.proof.unproven == dict.fromkeys((A, B, Ticker("K-C")), NOT_YET)
    channel.take(snapshot(A, 1, RestBook(yes=YES, no={}), sid=2))
    channel.compare(A, RestBook(yes=YES, no={}))
    assert channel.proof.unproven[A] == NOTHING_YET, "what the subscription before showed is no proof"
    channel.lost()
    channel.commands_for([A])
    assert channel.proof.unproven == {A: NOT_YET}


def strange(seq: int, ticker: Ticker = A, sid: int = 1) -> Strange:
    return Strange(kind="orderbook_delta", sid=sid, seq=seq, ticker=ticker, why="price_dollars '0.48001'")


def change_of_b(seq: int) -> BookDeltaSeen:
    return BookDeltaSeen(
        sid=1, seq=seq, ticker=B, side=Side.NO, price=Price(4800), change=Quantity(1), at_ms=None
    )


def test_a_message_that_cannot_be_read_costs_its_own_book_which_is_read_anew():
    channel = opened(A=REST, B=REST)
    outcome, (again,) = channel.spoilt(strange(3), A)
    assert isinstance(outcome, Broken)
    assert (again.action, again.tickers) == ("get_snapshot", (A,))
    assert channel.books.usable == {B}
    outcome, _ = channel.take(change_of_b(4))
    assert isinstance(outcome, BookChanged), "it had its place in the sequence"
    channel.take(snapshot(A, 5, REST))
    assert channel.books.usable == {A, B}


def given_up(channel: BookChannel, first_seq: int) -> int:
    """A market whose messages cannot be read until it is left alone. Returns the next number of the subscription."""
    for seq in range(first_seq, first_seq + MOST_SPOILS):
        outcome, commands = channel.spoilt(strange(seq), A)
    assert (outcome, commands) == (BookChanged(A), ())
    return first_seq + MOST_SPOILS


def ticked(channel: BookChannel, ticks: int) -> list[tuple[str | None, tuple[Ticker, ...]]]:
    """What is asked for in so many ticks in which nothing else is late."""
    commands = [command for _ in range(ticks) for command in channel.overdue(0.0)[1]]
    return [(command.action, command.tickers) for command in commands]


def test_a_book_that_keeps_being_strange_is_given_up_and_asks_for_nothing_for_a_while():
    channel = opened(A=REST, B=REST)
    for ticker in (A, B):
        channel.compare(ticker, REST)
    seq = given_up(channel, 3)
    assert "cannot be read" in channel.proof.unproven[A]
    assert channel.proof.wrong == {A}
    assert channel.spoilt(strange(seq), A) == NO_CHANGE
    assert channel.take(snapshot(A, seq + 1, REST)) == NO_CHANGE
    assert ticked(channel, ASKED_AGAIN_AFTER - 1) == []
    assert (channel.books.usable, channel.books.last_seq) == ({B}, {1: seq + 1})
    channel.opened(2)
    channel.take(snapshot(A, 1, REST, sid=2))
    assert A in channel.books.usable, "another subscription is another chance"
    assert channel.proof.wrong == set()


def test_a_book_that_was_given_up_is_asked_for_again_and_is_whole_once_it_can_be_read():
    channel = opened(A=REST, B=REST)
    seq = given_up(channel, 3)
    assert ticked(channel, ASKED_AGAIN_AFTER) == [("get_snapshot", (A,))]
    assert channel.spoilt(strange(seq), A) == (BookChanged(A), ()), "it is as strange as it was"
    assert ticked(channel, ASKED_AGAIN_AFTER) == [("get_snapshot", (A,))]
    assert channel.take(snapshot(A, seq + 1, REST))[0] == BookChanged(A)
    assert channel.books.usable == {A, B}
    assert channel.proof.wrong == set()
    assert channel.proof.unproven[A] == NOT_YET
    assert ticked(channel, 3 * ASKED_AGAIN_AFTER) == []


def test_a_book_with_a_bad_message_now_and_then_is_read_anew_at_once_each_time():
    channel = opened(A=REST, B=REST)
    seq = given_up(channel, 3)
    ticked(channel, ASKED_AGAIN_AFTER)
    channel.take(snapshot(A, seq, REST))
    for bad in range(seq + 1, seq + 1 + 4 * MOST_SPOILS, 2):
        ticked(channel, LEFT_ALONE)
        outcome, (again,) = channel.spoilt(strange(bad), A)
        assert isinstance(outcome, Broken)
        assert (again.action, again.tickers) == ("get_snapshot", (A,))
        channel.take(snapshot(A, bad + 1, REST))
        assert A in channel.books.usable


def seconds_of(channel: BookChannel, seconds: int) -> Iterator[tuple[int, Command]]:
    """What is asked for in which second, while the book of B lives."""
    for second in range(seconds):
        channel.take(change_of_b(4 + second))
        for command in channel.overdue(float(second))[1]:
            yield second, command


def test_a_book_of_which_no_snapshot_came_twice_is_asked_for_again_later():
    channel = opened(A=REST, B=REST)
    channel.spoilt(strange(3), A)
    asked = [second for second, command in seconds_of(channel, 60) if command.action == "get_snapshot"]
    assert len(asked) > 2
    assert max(later - sooner for sooner, later in pairwise(asked)) <= ASKED_AGAIN_AFTER + SNAPSHOT_LIMIT + 3


def test_a_market_that_the_venue_does_not_show_is_asked_for_once_a_minute_and_no_more():
    channel = opened(A=REST, B=REST)
    channel.spoilt(strange(3), A)
    asked = 0
    for _, command in seconds_of(channel, 5 * LEFT_ALONE):
        asked += 1
        channel.refused(command, "16 no such market", may_pass=False, is_shown=False)
    assert 1 <= asked <= 6


def test_a_gap_before_a_strange_message_is_still_a_gap():
    channel = opened(A=REST, B=REST)
    _, commands = channel.spoilt(strange(9), A)
    assert channel.books.usable == set()
    assert {ticker for command in commands for ticker in command.tickers} == {A, B}
