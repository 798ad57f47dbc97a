"""What an immediate order gets of the book that is shown when it arrives, and that nothing is taken twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from recio.messages.markets import BookView, MarketBoard, MarketStatus, MarketView
from recio.messages.orders import PlaceOrder
from recio.paper.marks import Marks
from recio.paper.matching import Answer, meet
from recio.rules.account.lifecycle import yes_price
from recio.rules.market.order_book import DEPTH_SHOWN
from recio.rules.market.taken import board_without
from recio.rules.pricing.fees import taker_fee
from recio.units import BookSide, ClientOrderId, Price, Quantity, Side
from tests.builders import NOW, TICKER, TRADING, board, market, view

LONGEST_AGE = 5.0
CLOSES = market().close_time
EMPTY = MarketBoard(venue=TRADING, heard_at=NOW)


def order(side: BookSide, price: int, quantity: int) -> PlaceOrder:
    return PlaceOrder(
        client_order_id=ClientOrderId("o"),
        ticker=TICKER,
        exchange_index=None,
        book_side=side,
        quantity=Quantity(quantity),
        price=Price(price),
        reduce_only=False,
        send_before=NOW + timedelta(seconds=2),
    )


def shown(bids: dict[int, int] | None = None, asks: dict[int, int] | None = None) -> MarketView:
    """Levels in YES terms, best first as a book shows them."""
    return view(
        levels=BookView(
            bids=tuple(
                (Price(at), Quantity(there)) for at, there in sorted((bids or {}).items(), reverse=True)
            ),
            asks=tuple((Price(at), Quantity(there)) for at, there in sorted((asks or {}).items())),
        )
    )


def got(of: MarketView, asked: PlaceOrder, marks: Marks | None = None) -> list[tuple[int, int]]:
    answer = meet(asked, CLOSES, board(of), marks or Marks(), NOW, LONGEST_AGE)
    return [(each.price, each.quantity) for each in answer.got]


def test_a_bid_takes_the_asks_level_by_level_up_to_its_limit_and_no_further():
    asks = shown(asks={6_000: 300, 6_100: 200, 6_200: 900})
    assert got(asks, order(BookSide.BID, 6_100, 1_000)) == [(6_000, 300), (6_100, 200)]


def test_an_ask_takes_the_bids_level_by_level_down_to_its_limit():
    bids = shown(bids={2_500: 100, 2_400: 100, 2_000: 900})
    assert got(bids, order(BookSide.ASK, 2_400, 1_000)) == [(2_500, 100), (2_400, 100)]


def test_what_was_taken_is_gone_for_the_next_order():
    asks, marks, asked = shown(asks={6_000: 300}), Marks(), order(BookSide.BID, 6_000, 200)
    assert [sum(each for _, each in got(asks, asked, marks)) for _ in range(3)] == [200, 100, 0]


@pytest.mark.parametrize(
    ("taken", "then", "left"),
    [
        (300, [350], 50),
        (100, [199], 199),
        (100, [200], 100),
        (300, [None, 300], 300),
    ],
    ids=[
        "size that was added is there for us",
        "fallen below what we left it is whole again",
        "fallen to what we left it keeps our mark",
        "gone and back it is new",
    ],
)
def test_a_mark_stands_until_its_level_has_fallen_below_what_we_left(
    taken: int, then: list[int | None], left: int
):
    marks = Marks()
    got(shown(asks={6_000: 300}), order(BookSide.BID, 6_000, taken), marks)
    now = shown()
    for there in then:
        now = shown(asks={} if there is None else {6_000: there})
        marks.view_is(now)
    assert sum(each for _, each in got(now, order(BookSide.BID, 6_000, 900), marks)) == left


def test_a_mark_behind_all_that_is_shown_stands():
    marks = Marks()
    got(shown(asks={6_000: 300}), order(BookSide.BID, 6_000, 300), marks)
    marks.view_is(shown(asks={4_000 + 100 * each: 10 for each in range(DEPTH_SHOWN)}))
    assert got(shown(asks={6_000: 300}), order(BookSide.BID, 6_000, 300), marks) == []


def test_decisions_see_the_book_without_what_was_taken():
    both, marks = shown({2_000: 100}, {6_000: 300, 6_100: 200}), Marks()
    got(both, order(BookSide.BID, 6_000, 300), marks)
    got(both, order(BookSide.ASK, 2_000, 40), marks)
    seen = board_without(board(both), marks.told())
    assert seen is not None
    left = seen.by_ticker[TICKER].book
    assert left is not None
    assert (left.bids, left.asks) == (((2_000, 60),), ((6_100, 200),))


def refused(answer: Answer) -> str:
    assert not answer.got
    return answer.note


@pytest.mark.parametrize(
    ("on", "seconds", "at", "why"),
    [
        (None, 0, 5_200, "not usable"),
        (changed(view(), book=None), 0, 5_200, "not usable"),
        (view(), 5.5, 5_200, "too old"),
        (view(market(close_time=NOW + timedelta(seconds=1))), 1, 5_200, "had closed"),
        (view(market(status=MarketStatus.INACTIVE)), 0, 5_200, "was inactive"),
        (view(), 0, 5_205, "grid"),
        (view(), 2.5, 5_200, "too late"),
    ],
    ids=["no market", "no book", "old book", "closed", "paused", "off the grid", "late"],
)
def test_what_a_real_order_would_not_have_been_given_is_refused_with_the_reason(
    on: MarketView | None, seconds: float, at: int, why: str
):
    now = NOW + timedelta(seconds=seconds)
    asked = order(BookSide.BID, at, 100)
    if why == "too old":
        asked = replace(asked, send_before=now)
    shown_then = EMPTY if on is None else board(on)
    assert why in refused(meet(asked, CLOSES, shown_then, Marks(), now, LONGEST_AGE))


def test_a_market_that_has_left_the_board_has_closed_by_its_own_time():
    gone = meet(order(BookSide.BID, 5_200, 100), NOW, EMPTY, Marks(), NOW, LONGEST_AGE)
    assert "had closed" in refused(gone)


LEVELS = st.dictionaries(st.integers(1, 99).map(lambda cents: cents * 100), st.integers(1, 5_000), max_size=8)


@given(LEVELS, st.integers(1, 6_000), st.integers(1, 99), st.sampled_from(list(Side)), st.booleans())
def test_each_level_is_paid_at_its_price_with_its_fee_never_beyond_the_limit_whoever_trades(
    own: dict[int, int], wanted: int, limit: int, side: Side, buys: bool
):
    """`own` are the offers to whoever buys a side, or the bids to whoever sells it, in that side's terms."""
    as_bid = buys == (side is Side.YES)
    yes: dict[int, int] = {yes_price(side, Price(at)): there for at, there in own.items()}
    of = shown(asks=yes) if as_bid else shown(bids=yes)
    asked = order(BookSide.BID if as_bid else BookSide.ASK, yes_price(side, Price(limit * 100)), wanted)
    answer = meet(asked, CLOSES, board(of), Marks(), NOW, LONGEST_AGE)
    best_first = sorted(own.items(), reverse=not buys)
    left, value, fees = wanted, 0, 0
    for at, there in best_first:
        if (at > limit * 100) if buys else (at < limit * 100):
            break
        taken = Quantity(min(left, there))
        value += at * taken
        fees += taker_fee(Price(at), taken, Decimal(1)) if taken else 0
        left -= taken
    assert (answer.quantity, answer.value(side), answer.fees) == (wanted - left, value, fees)
    assert bool(answer.note) is (left > 0)


@given(
    asks=LEVELS,
    orders=st.lists(
        st.tuples(st.integers(1, 99).map(lambda cents: cents * 100), st.integers(1, 800)), max_size=8
    ),
)
def test_however_often_one_orders_a_standing_book_yields_each_level_once_and_within_the_limit(
    asks: dict[int, int], orders: list[tuple[int, int]]
):
    of, marks, by_price = shown(asks=asks), Marks(), dict[int, int]()
    for limit, quantity in orders:
        taken = got(of, order(BookSide.BID, limit, quantity), marks)
        assert sum(each for _, each in taken) <= quantity
        for at, each in taken:
            assert at <= limit
            by_price[at] = by_price.get(at, 0) + each
    assert all(quantity <= asks[at] for at, quantity in by_price.items())
