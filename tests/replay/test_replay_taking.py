"""What an immediate order gets from a displayed book, and that nothing is taken twice."""

from hypothesis import given
from hypothesis import strategies as st

from recio.messages.orders import PlaceOrder
from recio.replay.playback import utc
from recio.replay.taking import Taken, Taking, take
from recio.rules.market.order_book import OrderBook
from recio.units import BookSide, ClientOrderId, Price, Quantity, Side, Ticker

TICKER = Ticker("T")


def order(side: BookSide, price: int, quantity: int) -> PlaceOrder:
    return PlaceOrder(
        client_order_id=ClientOrderId("o"),
        ticker=TICKER,
        exchange_index=None,
        book_side=side,
        quantity=Quantity(quantity),
        price=Price(price),
        reduce_only=False,
        send_before=utc(0),
    )


def book(yes: dict[int, int], no: dict[int, int]) -> OrderBook:
    made = OrderBook()
    made.yes.replace(tuple((Price(p), Quantity(q)) for p, q in yes.items()))
    made.no.replace(tuple((Price(p), Quantity(q)) for p, q in no.items()))
    return made


def test_a_bid_takes_the_asks_level_by_level_up_to_its_limit_and_no_further():
    asks = book({}, {4_000: 300, 3_900: 200, 3_800: 900})

    got = take(asks, Taken(), order(BookSide.BID, 6_100, 1_000))

    assert got == [
        Taking(price=Price(6_000), quantity=Quantity(300)),
        Taking(price=Price(6_100), quantity=Quantity(200)),
    ]


def test_an_ask_takes_the_bids_level_by_level_down_to_its_limit():
    bids = book({2_500: 100, 2_400: 100, 2_000: 900}, {})

    got = take(bids, Taken(), order(BookSide.ASK, 2_400, 1_000))

    assert [(each.price, each.quantity) for each in got] == [(2_500, 100), (2_400, 100)]


def test_an_order_takes_no_more_than_it_asks_for():
    assert (
        sum(each.quantity for each in take(book({}, {4_000: 900}), Taken(), order(BookSide.BID, 6_000, 5)))
        == 5
    )


def test_what_was_taken_is_gone_for_the_next_order():
    shown, taken = book({}, {4_000: 300}), Taken()

    first = take(shown, taken, order(BookSide.BID, 6_000, 200))
    second = take(shown, taken, order(BookSide.BID, 6_000, 200))
    third = take(shown, taken, order(BookSide.BID, 6_000, 200))

    assert [sum(each.quantity for each in got) for got in (first, second, third)] == [200, 100, 0]


def test_size_added_to_a_level_is_there_for_us_but_not_what_we_took():
    shown, taken = book({}, {4_000: 300}), Taken()
    take(shown, taken, order(BookSide.BID, 6_000, 300))
    shown.no.change(Price(4_000), Quantity(50))
    taken.level_is((TICKER, Side.NO, Price(4_000)), Quantity(350))

    assert sum(each.quantity for each in take(shown, taken, order(BookSide.BID, 6_000, 300))) == 50


def test_a_level_that_fell_below_what_we_left_is_whole_again():
    shown, taken = book({}, {4_000: 300}), Taken()
    take(shown, taken, order(BookSide.BID, 6_000, 100))
    taken.level_is((TICKER, Side.NO, Price(4_000)), Quantity(199))
    shown.no.change(Price(4_000), Quantity(-101))

    assert sum(each.quantity for each in take(shown, taken, order(BookSide.BID, 6_000, 300))) == 199


def test_a_level_that_fell_only_to_what_we_left_keeps_our_mark():
    shown, taken = book({}, {4_000: 300}), Taken()
    take(shown, taken, order(BookSide.BID, 6_000, 100))
    taken.level_is((TICKER, Side.NO, Price(4_000)), Quantity(200))
    shown.no.change(Price(4_000), Quantity(-100))

    assert sum(each.quantity for each in take(shown, taken, order(BookSide.BID, 6_000, 300))) == 100


def test_a_level_that_vanished_is_new_when_it_comes_back():
    shown, taken = book({}, {4_000: 300}), Taken()
    take(shown, taken, order(BookSide.BID, 6_000, 300))
    taken.level_is((TICKER, Side.NO, Price(4_000)), Quantity(0))

    assert sum(each.quantity for each in take(shown, taken, order(BookSide.BID, 6_000, 300))) == 300


def test_a_snapshot_is_looked_at_level_by_level():
    taken = Taken()
    take(book({}, {4_000: 300, 3_900: 300}), taken, order(BookSide.BID, 6_100, 600))
    taken.book_is(TICKER, book({}, {4_000: 300}))
    after = book({}, {4_000: 300, 3_900: 300})

    got = take(after, taken, order(BookSide.BID, 6_100, 600))

    assert [(each.price, each.quantity) for each in got] == [(6_100, 300)]


def test_decisions_see_the_book_without_what_we_took():
    shown, taken = book({2_000: 100}, {4_000: 300, 3_900: 200}), Taken()
    take(shown, taken, order(BookSide.BID, 6_000, 300))
    take(shown, taken, order(BookSide.ASK, 2_000, 40))

    seen = taken.left_of(TICKER, shown.view())

    assert seen.asks == ((6_100, 200),)
    assert seen.bids == ((2_000, 60),)


levels = st.dictionaries(st.integers(1, 99).map(lambda cents: cents * 100), st.integers(1, 500), max_size=6)


@given(
    no=levels,
    orders=st.lists(
        st.tuples(st.integers(1, 99).map(lambda cents: cents * 100), st.integers(1, 800)), max_size=8
    ),
)
def test_however_often_one_orders_a_standing_book_yields_each_level_once_and_within_the_limit(no, orders):
    shown, taken = book({}, no), Taken()
    by_price: dict[int, int] = {}
    for limit, quantity in orders:
        got = take(shown, taken, order(BookSide.BID, limit, quantity))
        assert sum(each.quantity for each in got) <= quantity
        for each in got:
            assert each.price <= limit
            by_price[each.price] = by_price.get(each.price, 0) + each.quantity
    assert all(quantity <= no[10_000 - price] for price, quantity in by_price.items())
