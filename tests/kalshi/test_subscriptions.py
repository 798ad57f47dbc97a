"""Subscriptions: order is kept per subscription, and whatever breaks it makes every book of it unusable at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from recio.kalshi.commands import in_few, unsubscribe, update_books
from recio.kalshi.frame_kinds import BadFrame, LifecycleSeen
from recio.kalshi.frames import Acknowledged, Passed, Subscribed, VenueError
from recio.kalshi.subscriptions import (
    BOOKS,
    INDEX,
    LIFECYCLE,
    PRIVATE,
    TICKERS_PER_COMMAND,
    BookChanged,
    Broken,
    Command,
    Dead,
    InOrder,
    Opened,
    SubscriptionRefused,
    Subscriptions,
)
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen
from recio.units import Price, Quantity, Side, Ticker

A, B, C = Ticker("A"), Ticker("B"), Ticker("C")


def snapshot(seq: int, ticker: Ticker = A, sid: int = 7) -> BookSnapshotSeen:
    return BookSnapshotSeen(sid=sid, seq=seq, ticker=ticker, yes=((Price(5000), Quantity(100)),), no=())


def delta(seq: int, ticker: Ticker = A, sid: int = 7, change: int = 10) -> BookDeltaSeen:
    return BookDeltaSeen(
        sid=sid, seq=seq, ticker=ticker, side=Side.YES, price=Price(5000), change=Quantity(change), at_ms=None
    )


def opened(*tickers: Ticker) -> Subscriptions:
    """Books of these markets, whole."""
    subscriptions = Subscriptions(indexes=("BRTI",))
    for number, command in enumerate(subscriptions.want_books(set(tickers)), start=1):
        subscriptions.sent(number, command)
    subscriptions.feed(Subscribed(channel=BOOKS, sid=7, number=1))
    for seq, ticker in enumerate(tickers, start=1):
        assert subscriptions.feed(snapshot(seq, ticker)) == (BookChanged(ticker), ())
    return subscriptions


def asked(commands: Iterable[Command]) -> list[tuple[str, Any, Any]]:
    return [
        (each.name, each.params.get("action", each.params.get("channels")), each.params.get("market_tickers"))
        for each in commands
    ]


def test_a_fresh_socket_asks_for_every_channel_and_the_index_only_where_it_is_wanted():
    named = [each.channels for each in Subscriptions(indexes=("BRTI",)).opening()]
    assert named == [(LIFECYCLE,), ("fill", "user_orders"), (INDEX,)]
    assert len(Subscriptions(indexes=()).opening()) == 2


def test_books_in_order_are_usable_and_replies_count_in_the_order():
    subscriptions = opened(A, B)
    assert subscriptions.feed(Acknowledged(sid=7, seq=3)) == (InOrder(), ())
    assert subscriptions.feed(delta(4)) == (BookChanged(A), ())
    assert subscriptions.books.usable == {A, B}


def test_a_missing_a_repeated_and_a_swapped_message_break_every_book_of_the_subscription():
    for seq in (4, 2, 1):
        subscriptions = opened(A, B)
        outcome, commands = subscriptions.feed(delta(seq))
        assert isinstance(outcome, Broken)
        assert asked(commands) == [("update_subscription", "get_snapshot", [A, B])]
        assert subscriptions.books.usable == set()


def test_a_delta_is_never_applied_twice():
    subscriptions = opened(A)
    subscriptions.feed(delta(2))
    subscriptions.feed(delta(2))
    subscriptions.feed(snapshot(3))
    assert subscriptions.books.books[A].yes.levels == {5000: 100}


def test_after_a_gap_each_book_waits_for_its_own_snapshot():
    subscriptions = opened(A, B)
    subscriptions.feed(delta(9))
    assert subscriptions.feed(delta(10)) == (InOrder(), ())
    subscriptions.feed(snapshot(11, B))
    assert subscriptions.books.usable == {B}


def test_a_gap_in_another_channel_leaves_the_books_alone():
    subscriptions = opened(A)
    subscriptions.feed(Subscribed(channel=LIFECYCLE, sid=1, number=9))
    for seq in (1, 3):
        outcome, commands = subscriptions.feed(LifecycleSeen(sid=1, seq=seq, ticker=A, kind="settled"))
    assert (outcome, commands) == (Broken(LIFECYCLE, "message 3 came after 1"), ())
    assert subscriptions.books.usable == {A}


def test_a_subscription_that_the_venue_ends_is_made_anew_with_all_its_markets():
    for code in (10, 25):
        subscriptions = opened(A, B)
        outcome, commands = subscriptions.feed(VenueError(code=code, text="over", sid=7))
        assert outcome == Broken(BOOKS, f"{code} over")
        assert asked(commands) == [("subscribe", [BOOKS], [A, B])]
        assert subscriptions.books.usable == set()
        assert subscriptions.feed(delta(3)) == (InOrder(), ())  # what was still on its way is not believed
        subscriptions.feed(Subscribed(channel=BOOKS, sid=8, number=5))
        subscriptions.feed(snapshot(1, A, sid=8))
        assert subscriptions.books.usable == {A}


def test_another_channel_that_ends_is_made_anew_and_leaves_the_books_alone():
    subscriptions = opened(A)
    subscriptions.feed(Subscribed(channel=INDEX, sid=3, number=2))
    outcome, commands = subscriptions.feed(VenueError(code=25, text="over", sid=3))
    assert isinstance(outcome, Broken)
    assert [each.params for each in commands] == [{"channels": [INDEX], "index_ids": ["BRTI"]}]
    assert subscriptions.books.usable == {A}


def test_markets_are_added_before_they_open_and_dropped_when_they_are_over():
    subscriptions = opened(A, B)
    commands = subscriptions.want_books({B, C})
    assert asked(commands) == [
        ("update_subscription", "delete_markets", [A]),
        ("update_subscription", "add_markets", [C]),
    ]
    assert subscriptions.books.usable == {B}
    assert subscriptions.want_books({B, C}) == ()


def test_markets_wanted_before_the_first_answer_are_asked_for_after_it():
    subscriptions = Subscriptions(indexes=())
    assert len(subscriptions.want_books({A})) == 1
    assert subscriptions.want_books({A, B}) == ()
    outcome, commands = subscriptions.feed(Subscribed(channel=BOOKS, sid=7, number=1))
    assert outcome == Opened(BOOKS)
    assert asked(commands) == [("update_subscription", "add_markets", [B])]


def test_a_long_ladder_is_asked_for_in_parts():
    subscriptions = Subscriptions(indexes=())
    ladder = {Ticker(f"T{number:04}") for number in range(580)}
    (first,) = subscriptions.want_books(ladder)
    _, rest = subscriptions.feed(Subscribed(channel=BOOKS, sid=7, number=1))
    sizes = [len(tickers) for _, _, tickers in asked([first, *rest])]
    assert sizes == [TICKERS_PER_COMMAND, TICKERS_PER_COMMAND, 580 - 2 * TICKERS_PER_COMMAND]


def test_a_refused_command_is_told_with_its_channel_and_books_are_asked_for_again_later():
    subscriptions = Subscriptions(indexes=("BRTI",))
    for number, command in enumerate(subscriptions.opening(), start=1):
        subscriptions.sent(number, command)
    (books,) = subscriptions.want_books({A})
    subscriptions.sent(4, books)
    refused, _ = subscriptions.feed(VenueError(code=9, text="authentication required", sid=None, number=3))
    assert refused == SubscriptionRefused((INDEX,), "9 authentication required")
    refused, _ = subscriptions.feed(VenueError(code=18, text="timeout", sid=None, number=4))
    assert refused == SubscriptionRefused((BOOKS,), "18 timeout")
    assert asked(subscriptions.want_books({A})) == [("subscribe", [BOOKS], [A])]


def test_a_frame_that_may_have_been_of_any_book_costs_no_socket_and_every_book_until_its_snapshot():
    subscriptions = opened(A, B)
    for channel in (LIFECYCLE, *PRIVATE, INDEX):
        subscriptions.feed(Subscribed(channel=channel, sid=20 + len(channel)))
    outcome, commands = subscriptions.feed(BadFrame(why="cut off"))
    assert isinstance(outcome, Broken)
    assert asked(commands) == [("update_subscription", "get_snapshot", sorted((A, B)))]
    assert subscriptions.books.usable == set()
    assert subscriptions.feed(BadFrame(why="cut off"))[1] == (), "they are asked for already"
    subscriptions.feed(snapshot(3, A))
    subscriptions.feed(snapshot(4, B))
    assert subscriptions.books.usable == {A, B}


def test_a_frame_that_may_have_opened_a_channel_ends_the_socket():
    subscriptions = opened(A)
    assert subscriptions.opening()
    assert isinstance(subscriptions.feed(BadFrame(why="cut off"))[0], Dead)
    books = Subscriptions(indexes=())
    assert books.want_books({A})
    assert isinstance(books.feed(BadFrame(why="cut off"))[0], Dead)


def test_an_impossible_level_asks_for_that_book_alone():
    subscriptions = opened(A, B)
    outcome, commands = subscriptions.feed(delta(3, change=-500))
    assert isinstance(outcome, Broken)
    assert asked(commands) == [("update_subscription", "get_snapshot", [A])]
    assert subscriptions.books.usable == {B}


def test_frames_of_no_subscription_are_passed_over():
    subscriptions = opened(A)
    assert subscriptions.feed(Passed(kind="new", sid=None, seq=None)) == (InOrder(), ())
    assert subscriptions.feed(delta(1, sid=99)) == (InOrder(), ())
    assert subscriptions.books.usable == {A}


def test_an_error_that_shows_a_gap_breaks_the_books_as_any_other_message_does():
    subscriptions = opened(A, B)
    outcome, commands = subscriptions.feed(VenueError(code=18, text="timeout", sid=7, seq=5))
    assert outcome == Broken(BOOKS, "message 5 came instead of 3: 18 timeout")
    assert asked(commands) == [("update_subscription", "get_snapshot", ["A", "B"])]
    assert not subscriptions.books.usable


def test_an_answer_that_names_another_subscription_makes_every_book_wait_for_its_snapshot_there():
    subscriptions = opened(A, B)
    outcome, _ = subscriptions.feed(Subscribed(channel=BOOKS, sid=8, number=2))
    assert outcome == Opened(BOOKS)
    assert not subscriptions.books.usable
    assert subscriptions.feed(delta(3)) == (InOrder(), ())
    assert subscriptions.feed(snapshot(1, A, sid=8)) == (BookChanged(A), ())
    assert subscriptions.books.usable == {A}
    for second in (1.0, 7.0):
        outcome, commands = subscriptions.tick(second)
    assert outcome == Broken(BOOKS, "no snapshot of B for 5 s")
    assert ("update_subscription", "get_snapshot", ["B"]) in asked(commands)


def test_a_market_whose_book_is_refused_is_found_and_costs_no_other_its_book():
    """The venue refuses a command as a whole, and does not say for which of its markets."""
    markets = {Ticker(f"M{each:03}") for each in range(150)}
    bad, numbers = Ticker("M077"), iter(range(10, 10_000))
    subscriptions = opened(A)
    subscriptions.want_books({A})

    def answered(commands: Iterable[Command]) -> int:
        """Refuse whatever names the bad market, and take the rest."""
        refused = 0
        for command in commands:
            number = next(numbers)
            subscriptions.sent(number, command)
            if bad in command.tickers:
                refused += 1
                subscriptions.feed(VenueError(code=26, text="no more", sid=None, number=number))
        return refused

    refused = answered(subscriptions.want_books({A, *markets}))
    for second in range(30):
        subscriptions.feed(delta(2 + second))
        refused += answered(subscriptions.tick(float(second))[1])
    awaited = subscriptions._books.asked
    assert awaited == {A, *markets} - {bad}
    assert refused <= 5
    assert subscriptions.proof.unproven[bad] == "the venue refuses its book: 26 no more"
    assert bad in subscriptions.proof.wrong, "no other socket is opened for it"
    assert A in subscriptions.books.usable
    # It is asked for again after a while, and then like any other.
    commands: list[Command] = []
    for second in range(30, 100):
        subscriptions.feed(delta(2 + second))
        commands = [each for each in subscriptions.tick(float(second))[1] if bad in each.tickers]
        if commands:
            break
    assert [each.tickers for each in commands] == [(bad,)]
    assert bad not in subscriptions.proof.wrong


def test_a_refused_book_that_nobody_wants_any_more_is_forgotten():
    subscriptions = opened(A)
    for number in (10, 11):
        (command,) = subscriptions.want_books({A, B})
        subscriptions.sent(number, command)
        subscriptions.feed(VenueError(code=26, text="no more", sid=None, number=number))
    assert subscriptions.want_books({A, B}) == ()
    assert B in subscriptions.proof.wrong
    subscriptions.want_books({A})
    assert B not in subscriptions.proof.wrong
    assert [each.tickers for each in subscriptions.want_books({A, B})] == [(B,)]


def test_snapshots_asked_for_together_go_out_in_as_few_commands_as_the_venue_takes():
    names = [Ticker(f"T-{number:03}") for number in range(450)]
    each_alone = [command for name in names for command in update_books(4, "get_snapshot", [name])]
    few = in_few(each_alone)
    assert [len(each.tickers) for each in few] == [200, 200, 50]
    assert [name for each in few for name in each.tickers] == names
    assert [each.params["market_tickers"] for each in few] == [list(each.tickers) for each in few]
    assert {(each.name, each.action, str(each.params["sids"])) for each in few} == {
        ("update_subscription", "get_snapshot", "[4]")
    }


def test_requests_that_are_not_alike_keep_their_order_and_their_own_command():
    (one,), (other,) = update_books(4, "get_snapshot", [A]), update_books(5, "get_snapshot", [A])
    (gone,) = update_books(4, "delete_markets", [A])
    asked = [one, other, gone, unsubscribe(4, BOOKS), one, gone, gone]
    assert in_few(asked) == asked
