"""What a socket's subscriptions make of faults that no single message shows: silence, emptiness, repetition, refusal."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from recio.kalshi.book_channel import SNAPSHOT_LIMIT
from recio.kalshi.commands import BOOKS, INDEX, LIFECYCLE, PRIVATE, Command
from recio.kalshi.frames import Acknowledged, Listed, Passed, Subscribed, VenueError
from recio.kalshi.subscriptions import (
    DEAD_LIMIT,
    QUIET_LIMIT,
    BookChanged,
    Broken,
    Dead,
    InOrder,
    Opened,
    Stray,
    SubscriptionRefused,
    Subscriptions,
)
from recio.messages.prices import IndexValue
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen
from recio.units import Price, Quantity, Side, Ticker

A, B = Ticker("A"), Ticker("B")


def snapshot(seq: int, ticker: Ticker = A, sid: int = 7, quantity: int = 100) -> BookSnapshotSeen:
    levels = ((Price(5000), Quantity(quantity)),) if quantity else ()
    return BookSnapshotSeen(sid=sid, seq=seq, ticker=ticker, yes=levels, no=())


def delta(seq: int, ticker: Ticker = A, sid: int = 7, change: int = 10) -> BookDeltaSeen:
    return BookDeltaSeen(
        sid=sid, seq=seq, ticker=ticker, side=Side.YES, price=Price(5000), change=Quantity(change), at_ms=None
    )


def index_print(seq: int, sid: int = 3) -> IndexValue:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    return IndexValue(
        sid=sid, seq=seq, index_id="BRTI", value=Decimal(1), at=at, received_at=at, final_minute_mean=None
    )


class Line:
    """A socket whose other end is the test: it numbers what is sent, as a socket does."""

    def __init__(self, *tickers: Ticker, indexes: tuple[str, ...] = ("BRTI",)) -> None:
        self.state = Subscriptions(indexes=indexes)
        self.numbers = 0
        self.send(*self.state.opening())
        for sid, channel in enumerate((LIFECYCLE, *PRIVATE, INDEX), start=1):
            self.state.feed(Subscribed(channel=channel, sid=sid, number=None))
        self.send(*self.state.want_books(tickers))
        self.books_open(7)
        for seq, ticker in enumerate(tickers, start=1):
            self.state.feed(snapshot(seq, ticker))

    def send(self, *commands: Command) -> None:
        for command in commands:
            self.numbers += 1
            self.state.sent(self.numbers, command)

    def books_open(self, sid: int) -> None:
        self.send(*self.state.feed(Subscribed(channel=BOOKS, sid=sid, number=self.numbers))[1])

    def tick(self, now: float) -> tuple[object, list[str]]:
        outcome, commands = self.state.tick(now)
        self.send(*commands)
        return outcome, [" ".join((each.name, each.action, *each.tickers)).strip() for each in commands]


def test_a_message_that_comes_late_costs_the_books_but_is_asked_about_once():
    line = Line(A, B)
    _, first = line.state.feed(delta(4))
    late, second = line.state.feed(delta(3))
    assert isinstance(late, Broken)
    assert [each.tickers for each in first] == [(A, B)]
    assert second == ()
    assert line.state.feed(delta(5)) == (InOrder(), ())
    line.state.feed(snapshot(6, A))
    line.state.feed(snapshot(7, B))
    assert line.state.books.usable == {A, B}


def test_a_snapshot_that_comes_late_is_not_whole():
    line = Line(A)
    line.state.feed(delta(2))
    outcome, _ = line.state.feed(snapshot(1))
    assert isinstance(outcome, Broken)
    assert line.state.books.usable == set()


def test_an_index_print_that_comes_twice_is_stray_and_one_that_is_missing_breaks_nothing_else():
    line = Line(A)
    sid = 4
    assert line.state.feed(index_print(1, sid)) == (InOrder(), ())
    assert isinstance(line.state.feed(index_print(1, sid))[0], Stray)
    assert line.state.feed(index_print(2, sid)) == (InOrder(), ())
    assert line.state.feed(index_print(5, sid)) == (Broken(INDEX, "message 5 came after 2"), ())
    assert isinstance(line.state.feed(index_print(4, sid))[0], Stray)
    assert isinstance(line.state.feed(index_print(1, 99))[0], Stray)
    assert line.state.books.usable == {A}


def test_an_empty_snapshot_is_believed_only_when_it_comes_twice():
    line = Line(A, B)
    outcome, commands = line.state.feed(snapshot(3, quantity=0))
    assert outcome == BookChanged(A)
    assert [(each.action, each.tickers) for each in commands] == [("get_snapshot", (A,))]
    assert line.state.books.usable == {B}
    assert line.state.feed(snapshot(4, quantity=0)) == (BookChanged(A), ())
    assert line.state.books.usable == {A, B}


def test_an_empty_snapshot_that_was_a_fault_is_mended_by_the_next_one():
    line = Line(A)
    line.state.feed(snapshot(2, quantity=0))
    assert line.state.feed(delta(3)) == (InOrder(), ())
    line.state.feed(snapshot(4, quantity=50))
    view = line.state.books.view(A)
    assert view is not None
    assert view.bids == ((5000, 50),)


def empty_at_first(line: Line, ticker: Ticker = A) -> None:
    """A book that was subscribed before its market opened, and was believed to be empty."""
    line.send(*line.state.feed(snapshot(2, ticker, quantity=0))[1])
    line.state.feed(snapshot(3, ticker, quantity=0))
    assert line.state.books.usable == {ticker}


def test_a_book_that_began_empty_and_was_filled_is_asked_for_where_nothing_is_heard():
    """Each next window is subscribed before it opens: its channel may die alone like any other."""
    line = Line(A)
    empty_at_first(line)
    line.state.feed(delta(4))
    asked: list[str] = []
    for now in range(1, 10):
        line.state.feed(index_print(now, 4))
        outcome, commands = line.tick(float(now))
        asked += commands
        if isinstance(outcome, Broken):
            break
    assert asked == ["update_subscription get_snapshot A", "unsubscribe", "subscribe  A"]


def test_a_book_that_is_empty_now_is_not_asked_for():
    line = Line(A)
    empty_at_first(line)
    line.state.feed(delta(4))
    line.state.feed(delta(5, change=-10))
    view = line.state.books.view(A)
    assert view is not None
    assert view.bids == view.asks == ()
    for now in range(1, 10):
        line.state.feed(index_print(now, 4))
        assert line.tick(float(now)) == (InOrder(), [])


def test_a_book_that_was_filled_since_is_not_believed_empty_by_one_snapshot():
    line = Line(A)
    empty_at_first(line)
    line.state.feed(delta(4))
    outcome, commands = line.state.feed(snapshot(5, quantity=0))
    assert outcome == BookChanged(A)
    assert [(each.action, each.tickers) for each in commands] == [("get_snapshot", (A,))]
    assert line.state.books.usable == set()


def test_a_book_that_was_empty_on_the_subscription_before_is_asked_about_again():
    line = Line(A)
    empty_at_first(line)
    line.send(*line.state.feed(VenueError(code=25, text="over", sid=7))[1])
    line.books_open(8)
    _, commands = line.state.feed(snapshot(1, A, 8, quantity=0))
    assert [(each.action, each.tickers) for each in commands] == [("get_snapshot", (A,))]
    assert line.state.books.usable == set()


def test_a_refused_snapshot_of_a_book_that_was_filled_since_leaves_it_waited_for():
    line = Line(A, B)
    line.send(*line.state.feed(snapshot(3, quantity=0))[1])
    line.state.feed(snapshot(4, quantity=0))
    line.state.feed(delta(5))
    line.send(*line.state.feed(delta(9))[1])
    line.state.feed(snapshot(10, B))
    line.state.feed(VenueError(code=11, text="Invalid parameter", sid=7, number=line.numbers))
    line.tick(0.0)
    assert "update_subscription get_snapshot A" in line.tick(SNAPSHOT_LIMIT + 1)[1]


def test_a_market_that_is_shown_no_more_is_no_sign_of_a_dead_channel_and_costs_no_other_its_book():
    """It has closed with levels in its book, and the other one is quiet."""
    line = Line(A, B)
    asked: list[str] = []
    seq = 2
    for now in range(1, 60):
        line.state.feed(index_print(now, 4))
        outcome, commands = line.tick(float(now))
        assert outcome == InOrder()
        asked += commands
        for each in commands:
            if each.endswith(" A"):
                line.state.feed(VenueError(code=11, text="Invalid parameter", sid=None, number=line.numbers))
            else:
                seq += 1
                line.state.feed(snapshot(seq, B))
    assert line.state.books.usable == {A, B}
    assert asked[:3] == [
        "update_subscription get_snapshot A",
        "update_subscription get_snapshot B",
        "update_subscription get_snapshot B",
    ]
    assert set(asked[1:]) == {"update_subscription get_snapshot B"}


def test_one_market_of_which_no_snapshot_comes_costs_no_other_its_book():
    """The venue may leave such a request without any answer."""
    line = Line(A, B)
    seq, asked = 2, list[str]()
    for now in range(1, 60):
        line.state.feed(index_print(now, 4))
        outcome, commands = line.tick(float(now))
        assert outcome == InOrder()
        asked += commands
        if commands and commands[-1].endswith(" B"):
            seq += 1
            line.state.feed(snapshot(seq, B))
    assert line.state.books.usable == {A, B}
    assert asked.count("update_subscription get_snapshot A") == 1
    assert asked.count("update_subscription get_snapshot B") > 10


def test_where_neither_of_two_books_is_answered_the_channel_is_dead():
    line = Line(A, B)
    asked: list[str] = []
    for now in range(1, 12):
        line.state.feed(index_print(now, 4))
        outcome, commands = line.tick(float(now))
        asked += commands
        if isinstance(outcome, Broken):
            break
    assert asked == [
        "update_subscription get_snapshot A",
        "update_subscription get_snapshot B",
        "unsubscribe",
        "subscribe  A B",
    ]


def test_a_question_that_was_overtaken_by_changes_costs_nothing():
    """The book is whole; that it was asked for and did not come is no fault of it."""
    line = Line(A)
    seq = 1
    for now in range(1, 40):
        line.state.feed(index_print(now, 4))
        if now > 4:
            seq += 1
            line.state.feed(delta(seq))
        assert line.tick(float(now))[0] == InOrder()
    assert line.state.books.usable == {A}


def test_where_no_market_is_shown_any_more_nothing_is_asked_for():
    line = Line(A)
    for now in range(1, 60):
        line.state.feed(index_print(now, 4))
        outcome, commands = line.tick(float(now))
        assert outcome == InOrder()
        if commands:
            line.state.feed(VenueError(code=11, text="Invalid parameter", sid=None, number=line.numbers))
    assert line.state.books.usable == {A}
    assert line.numbers == Line(A).numbers + 1
    assert line.state.books_silent(60.0) == 0.0


def test_a_market_that_is_over_and_has_no_snapshot_any_more_costs_nobody_else_the_book():
    line = Line(A, B)
    line.send(*line.state.feed(snapshot(3, quantity=0))[1])
    line.state.feed(VenueError(code=11, text="Invalid parameter", sid=7, number=line.numbers))
    assert line.tick(0.0) == (InOrder(), [])
    assert line.tick(SNAPSHOT_LIMIT + 1)[0] == InOrder()
    assert line.state.books.usable == {B}


def test_snapshots_that_never_come_lead_to_a_new_subscription():
    line = Line(A, B)
    line.state.feed(delta(9))
    line.tick(0.0)
    outcome, commands = line.tick(SNAPSHOT_LIMIT + 0.1)
    assert isinstance(outcome, Broken)
    assert commands[:2] == ["unsubscribe", "subscribe  A B"]
    assert line.state.feed(snapshot(10)) == (InOrder(), ())
    line.books_open(8)
    line.state.feed(snapshot(1, A, 8))
    line.state.feed(snapshot(2, B, 8))
    assert line.state.books.usable == {A, B}


def test_one_market_without_a_snapshot_does_not_cost_the_others_theirs():
    line = Line(A, B)
    line.state.feed(delta(9))
    line.state.feed(snapshot(10, B))
    line.tick(0.0)
    assert line.tick(SNAPSHOT_LIMIT + 1)[1][0] == "update_subscription get_snapshot A"
    for seq in range(11, 20):
        line.state.feed(delta(seq, B))
        assert line.tick(SNAPSHOT_LIMIT * (seq - 8)) == (InOrder(), [])
    assert line.state.books.usable == {B}


def test_a_quiet_socket_is_asked_for_a_sign_of_life_and_a_dead_one_is_told():
    line = Line(A)
    line.tick(0.0)
    whole = "update_subscription get_snapshot A"
    assert line.tick(QUIET_LIMIT + 0.1) == (InOrder(), [whole, "list_subscriptions"])
    line.state.feed(snapshot(10, A))
    line.state.feed(
        Listed(
            subscriptions=(
                *((each, sid) for sid, each in enumerate((LIFECYCLE, *PRIVATE, INDEX), start=1)),
                (BOOKS, 7),
            ),
            number=line.numbers,
        )
    )
    assert line.tick(DEAD_LIMIT + 1) == (InOrder(), [])
    assert line.tick(DEAD_LIMIT + 1 + QUIET_LIMIT)[1] == [whole, "list_subscriptions"]
    assert isinstance(line.tick(2 * DEAD_LIMIT + 2)[0], Dead)


def test_a_channel_that_the_venue_does_not_list_any_more_is_made_anew():
    line = Line(A)
    listed = tuple((each, sid) for sid, each in enumerate((LIFECYCLE, *PRIVATE, INDEX), start=1))
    outcome, commands = line.state.feed(Listed(subscriptions=listed, number=None))
    assert outcome == Broken(BOOKS, "the venue does not list it any more")
    assert [each.channels for each in commands] == [(BOOKS,)]
    assert line.state.books.usable == set()


def test_a_subscription_that_the_venue_takes_away_is_made_anew():
    line = Line(A)
    outcome, commands = line.state.feed(Acknowledged(sid=4, seq=9, ended=True))
    assert outcome == Broken(INDEX, "the venue unsubscribed it")
    assert [each.params for each in commands] == [{"channels": [INDEX], "index_ids": ["BRTI"]}]


def test_a_channel_that_keeps_ending_is_made_anew_once_a_tick():
    line = Line(A)
    again = 0
    line.state.feed(Acknowledged(sid=4, seq=9, ended=True))
    line.tick(0.0)
    line.state.feed(Subscribed(channel=INDEX, sid=100, number=None))
    for sid in range(100, 120):
        _, commands = line.state.feed(VenueError(code=10, text="Channel error", sid=sid))
        again += len(commands)
        line.state.feed(Subscribed(channel=INDEX, sid=sid + 1, number=None))
    assert again == 1
    line.state.feed(VenueError(code=10, text="Channel error", sid=120))
    assert line.tick(0.1)[1] == ["subscribe"]


@pytest.mark.parametrize(("code", "again"), [(18, 1), (9, 0)])
def test_a_refused_channel_is_asked_for_again_only_if_that_may_help(code: int, again: int):
    state = Subscriptions(indexes=("BRTI",))
    for number, command in enumerate(state.opening(), start=1):
        state.sent(number, command)
    refused, _ = state.feed(VenueError(code=code, text="no", sid=None, number=3))
    assert refused == SubscriptionRefused((INDEX,), f"{code} no")
    assert [each.channels for each in state.tick(0.0)[1]] == [(INDEX,)] * again


def test_an_error_that_answers_nothing_is_told_and_a_refused_update_keeps_its_place_in_the_order():
    line = Line(A)
    assert line.state.feed(VenueError(code=1, text="odd", sid=None)) == (SubscriptionRefused((), "1 odd"), ())
    line.send(*line.state.want_books([A, B]))
    refused, _ = line.state.feed(VenueError(code=26, text="too many", sid=7, seq=2, number=line.numbers))
    assert refused == SubscriptionRefused((BOOKS,), "26 too many")
    assert line.state.feed(delta(3)) == (BookChanged(A), ())


def test_markets_dropped_before_the_subscription_is_made_are_deleted_after_it():
    state = Subscriptions(indexes=())
    state.want_books({A, B})
    assert state.want_books({B}) == ()
    outcome, commands = state.feed(Subscribed(channel=BOOKS, sid=7, number=None))
    assert outcome == Opened(BOOKS)
    assert [(each.action, each.tickers) for each in commands] == [("delete_markets", (A,))]
    assert state.feed(snapshot(1, A)) == (InOrder(), ())
    assert state.feed(snapshot(2, B)) == (BookChanged(B), ())
    assert set(state.books.books) == {B}


def test_frames_of_unknown_kinds_take_their_place_in_the_order():
    line = Line(A)
    assert line.state.feed(Passed(kind="of next year", sid=7, seq=2)) == (InOrder(), ())
    assert line.state.feed(delta(3)) == (BookChanged(A), ())
