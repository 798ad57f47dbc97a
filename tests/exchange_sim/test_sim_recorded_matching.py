"""The account against a recorded market: never more than was there, never before it is proven."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from recio.exchange_sim.engine.events import BookChanged, TickerChanged
from recio.exchange_sim.engine.orders import Order, OrderStatus, Refused
from recio.exchange_sim.engine.requests import TimeInForce
from recio.exchange_sim.recorded.events import FrameRecorded
from recio.exchange_sim.recorded.liquidity import RecordedBook
from recio.messages.orders import PlaceOrder
from recio.paper.marks import Marks
from recio.paper.matching import meet
from recio.rules.market.order_book import OrderBook
from recio.units import BookSide, ClientOrderId, Price, Quantity, Side, Ticker, money
from tests.builders import NOW, board, market, view
from tests.exchange_sim.recorded_session import FIRST, SECOND, RecordedSession, opening_book


@pytest.fixture
def recorded(tmp_path: Path) -> RecordedSession:
    return opening_book(tmp_path / "20260511T122950Z")


def resting(played: Any, side: str, price: int, quantity: int) -> Order:
    order = played.order(side, price, quantity)
    assert isinstance(order, Order), order
    assert order.status is OrderStatus.RESTING
    return order


# Taking.


def test_an_immediate_order_takes_what_is_shown_within_its_limit_and_not_twice(
    recorded: RecordedSession,
) -> None:
    played = recorded.played()
    played.to(-9)
    assert played.take("bid", 4_500, 2_500) == 1_000
    assert played.take("bid", 4_500, 2_500) == 0
    assert played.take("bid", 4_600, 2_500) == 2_500
    assert played.take("bid", 4_600, 2_500) == 500
    assert played.take("ask", 3_900, 10_000) == 2_500
    assert played.venue.account.fees > 0


def test_each_level_gives_its_own_price(recorded: RecordedSession) -> None:
    played = recorded.played()
    played.to(-9)
    order = played.order("bid", 4_600, 2_000, TimeInForce.IMMEDIATE_OR_CANCEL)
    assert order.value == 4_500 * 1_000 + 4_600 * 1_000
    assert [fill.price for fill in played.venue.fills] == [4_500, 4_600]


def test_fill_or_kill_counts_only_what_is_left(recorded: RecordedSession) -> None:
    played = recorded.played()
    played.to(-9)
    assert played.take("bid", 4_500, 400) == 400
    refused = played.order("bid", 4_500, 601, TimeInForce.FILL_OR_KILL)
    assert isinstance(refused, Refused)
    assert refused.code == "fill_or_kill_insufficient_resting_volume"
    assert played.order("bid", 4_500, 600, TimeInForce.FILL_OR_KILL).filled == 600


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ((), 600),
        (("3.00",), 900),
        (("-2.00",), 400),
        (("-4.00",), 200),
        (("-5.00",), 500),
        (("-10.00", "4.00"), 400),
    ],
)
def test_a_taken_level_comes_back_only_as_the_recording_changes_it(
    recorded: RecordedSession, changes: tuple[str, ...], left: int
) -> None:
    """Four of ten taken. More shown adds; less counts against us until it is less than the six we left."""
    for change in changes:
        recorded.delta(-8, "no", "0.5500", change)
    recorded.delta(-7, "yes", "0.3900", "1.00")
    played = recorded.played()
    played.to(-9)
    assert played.take("bid", 4_500, 400) == 400
    played.to(-7)
    assert played.take("bid", 4_500, 10_000) == left


def test_an_account_changes_no_public_frame(recorded: RecordedSession) -> None:
    recorded.delta(-8, "no", "0.5500", "-1.00")
    recorded.ticker(-7, "0.4500", "1.00", "200.00")
    played = recorded.played()
    played.to(-9)
    played.take("bid", 4_500, 400)
    resting(played, "bid", 4_100, 500)
    events = played.to(-7)
    assert not [event for event in events if isinstance(event, BookChanged | TickerChanged)]
    frames = [event for event in events if isinstance(event, FrameRecorded)]
    assert [frame.kind for frame in frames] == [b"orderbook_delta", b"ticker"]
    market = played.venue.markets[FIRST]
    assert market.book.bids.totals == {3_900: 500, 4_000: 2_000}
    assert market.book.asks.totals == {4_500: 900, 4_600: 3_000}
    assert (market.volume, market.last_price, market.open_interest) == (20_000, 4_500, 7_700)


async def test_neither_socket_nor_rest_shows_what_the_account_does(
    start_exchange, recorded: RecordedSession
) -> None:
    recorded.delta(5, "yes", "0.3900", "1.00")
    client = await start_exchange(
        recording=recorded.write(), speed=5.0, recording_lead_seconds=1.0, align=False
    )
    socket = await client.socket()
    asked = {"channels": ["orderbook_delta", "trade", "fill"], "market_tickers": [FIRST]}
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": asked})
    kinds: list[str] = []
    while kinds.count("orderbook_snapshot") < 2:
        kinds.append((await socket.receive_json(timeout=20))["type"])
    path = f"/markets/{FIRST}/orderbook"
    before = (await client.get(path))["orderbook_fp"]
    status, body = await client.order(
        FIRST, "bid", "0.4600", "15.00", client_order_id="mine", time_in_force="immediate_or_cancel"
    )
    assert (status, body["fill_count"], body["average_fill_price"]) == (201, "15.00", "0.4533")
    assert (await client.get(path))["orderbook_fp"] == before
    kinds.clear()
    while kinds.count("fill") < 2:
        kinds.append((await socket.receive_json(timeout=20))["type"])
    assert set(kinds) == {"fill"}
    position = (await client.get("/portfolio/positions"))["market_positions"][0]
    assert position["position_fp"] == "15.00"


def test_no_order_is_taken_before_its_market_was_recorded_or_after_it_closed(
    recorded: RecordedSession,
) -> None:
    recorded.snapshot(5.5)
    played = recorded.played()
    played.to(-30)
    assert played.take("bid", 9_900, 100) == 0
    played.to(0.1)
    refused = played.order("bid", 4_500, 100)
    assert isinstance(refused, Refused)
    assert refused.code == "MARKET_INACTIVE"
    assert played.venue.markets[SECOND].book.best_ask() is None


def test_a_thousand_random_takings_are_those_of_an_offline_replay() -> None:
    random = Random(11)
    book, theirs, marks = RecordedBook(lambda: 0), OrderBook(), Marks()
    of = market(ticker=Ticker(FIRST))
    prices = [4_300, 4_400, 4_500, 4_600, 4_700]
    fills = 0
    for _ in range(4_000):
        bid = random.random() < 0.5
        price = random.choice(prices)
        if random.random() < 0.75:
            size = random.choice([0, 100, 300, 500, 900, 1_500])
            book.show(bid=bid, price=price, size=size)
            side, own = (Side.YES, price) if bid else (Side.NO, 10_000 - price)
            change = size - theirs.ladder(side).levels.get(Price(own), 0)
            if change:
                theirs.ladder(side).change(Price(own), Quantity(change))
            marks.view_is(view(of, theirs.view()))
            continue
        wanted = random.choice([50, 200, 700, 2_000])
        ours = book.sweep(owner=0, bid=bid, limit=price, quantity=wanted, stop_at_own=True)
        order = PlaceOrder(
            client_order_id=ClientOrderId("one"),
            ticker=Ticker(FIRST),
            exchange_index=2,
            book_side=BookSide.BID if bid else BookSide.ASK,
            quantity=Quantity(wanted),
            price=Price(price),
            reduce_only=False,
            send_before=NOW,
        )
        got = meet(order, of.close_time, board(view(of, theirs.view())), marks, NOW, 5.0).got
        expected = [(each.price, each.quantity) for each in got]
        assert [(match.price, match.quantity) for match in ours.matches] == expected
        fills += len(expected)
    assert fills > 500


# Resting.


def test_a_reduction_alone_proves_no_trade(recorded: RecordedSession) -> None:
    recorded.delta(-8, "yes", "0.4000", "-20.00")
    recorded.delta(-7, "yes", "0.4000", "50.00")
    recorded.delta(-6, "yes", "0.4000", "-50.00")
    played = recorded.played()
    played.to(-9)
    order = resting(played, "bid", 4_000, 1_000)
    played.to(-5.5)
    assert order.filled == 0


def trades(
    recorded: RecordedSession, *, before: float, after: float, at: float, lost: str, size: str, price: str
) -> None:
    """A level loses so much between two tickers, the later of which tells of this trade."""
    recorded.ticker(before, price, "1.00", "100.00")
    recorded.delta(at, "yes", "0.4000", f"-{lost}")
    recorded.ticker(after, price, size, "200.00")


def test_a_proven_trade_first_shortens_the_queue_before_the_order(recorded: RecordedSession) -> None:
    recorded.delta(-8.5, "yes", "0.4000", "30.00")
    trades(recorded, before=-8, at=-7.5, after=-7, lost="26.00", size="26.00", price="0.4000")
    played = recorded.played()
    played.to(-9)
    order = resting(played, "bid", 4_000, 1_000)
    played.to(-7)
    # 20.00 stood before it, 30.00 came later: of 26.00 sold to the level six would have been its own.
    assert order.filled == 600
    assert played.venue.fills[0].taker is False
    assert (played.venue.fills[0].fee, played.venue.fills[0].price) == (0, 4_000)


def test_a_trade_no_larger_than_the_queue_fills_nothing_but_counts(recorded: RecordedSession) -> None:
    recorded.delta(-8.5, "yes", "0.4000", "30.00")
    trades(recorded, before=-8, at=-7.5, after=-7, lost="18.00", size="18.00", price="0.4000")
    recorded.delta(-6.5, "yes", "0.4000", "-5.00")
    recorded.ticker(-6, "0.4000", "5.00", "205.00")
    played = recorded.played()
    played.to(-9)
    order = resting(played, "bid", 4_000, 1_000)
    played.to(-7)
    assert order.filled == 0
    played.to(-6)
    assert order.filled == 300


def test_what_left_unproven_left_behind_the_order(recorded: RecordedSession) -> None:
    recorded.delta(-8.5, "yes", "0.4000", "30.00")
    recorded.ticker(-8, "0.4500", "1.00", "100.00")
    recorded.delta(-7.8, "yes", "0.4000", "-25.00")
    recorded.ticker(-7.5, "0.4500", "1.00", "101.00")
    recorded.delta(-7.2, "yes", "0.4000", "-22.00")
    recorded.ticker(-7, "0.4000", "22.00", "123.00")
    played = recorded.played()
    played.to(-9)
    order = resting(played, "bid", 4_000, 1_000)
    played.to(-7)
    # Of 50 shown, 25 were cancelled: the 20 before it are still there when 22 are traded.
    assert order.filled == 200


def test_a_trade_that_a_late_ticker_tells_of_is_not_counted_on_a_queue_it_already_shortened(
    recorded: RecordedSession,
) -> None:
    recorded.ticker(-8, "0.4500", "1.00", "100.00")
    recorded.delta(-7.4, "yes", "0.4000", "-20.00")
    recorded.line(
        -7.3,
        {
            "type": "ticker",
            "sid": 1,
            "msg": {
                "market_ticker": FIRST,
                "price_dollars": "0.4500",
                "last_trade_size_fp": "1.00",
                "volume_fp": "101.00",
                "ts_ms": recorded.ms(-7.5),
            },
        },
    )
    recorded.ticker(-7, "0.4000", "20.00", "121.00")
    played = recorded.played()
    played.to(-9)
    order = resting(played, "bid", 4_000, 1_000)
    played.to(-7)
    assert order.filled == 0


@pytest.mark.parametrize(("entered", "filled"), [(-8.5, 1_000), (-7.8, 0)])
def test_only_an_order_that_stood_at_both_tickers_is_filled(
    recorded: RecordedSession, entered: float, filled: int
) -> None:
    trades(recorded, before=-8, at=-7.5, after=-7, lost="12.00", size="12.00", price="0.4000")
    played = recorded.played()
    played.to(entered)
    order = resting(played, "bid", 4_100, 1_000)
    played.to(-7)
    assert order.filled == filled


def test_a_trade_beyond_an_orders_price_fills_it_first(recorded: RecordedSession) -> None:
    trades(recorded, before=-8, at=-7.5, after=-7, lost="12.00", size="12.00", price="0.4000")
    played = recorded.played()
    played.to(-9)
    better = resting(played, "bid", 4_100, 700)
    best = resting(played, "bid", 4_200, 300)
    played.to(-7)
    assert (best.filled, better.filled) == (300, 700)
    assert [fill.price for fill in played.venue.fills] == [4_200, 4_100]


@pytest.mark.parametrize(
    ("size", "volume", "filled"),
    [("5.00", "200.00", 500), ("12.00", "103.00", 300), ("12.00", "100.00", 0), ("20.00", "200.00", 1_000)],
)
def test_a_trade_is_believed_for_no_more_than_its_size_and_the_growth_of_the_volume(
    recorded: RecordedSession, size: str, volume: str, filled: int
) -> None:
    recorded.ticker(-8, "0.4000", "1.00", "100.00")
    recorded.delta(-7.5, "yes", "0.4000", "-12.00")
    recorded.ticker(-7, "0.4000", size, volume)
    played = recorded.played()
    played.to(-9)
    order = resting(played, "bid", 4_100, 1_000)
    played.to(-7)
    assert order.filled == filled


def test_a_trade_that_may_have_hit_either_side_proves_nothing(recorded: RecordedSession) -> None:
    recorded.delta(-8.6, "no", "0.6000", "1.00")
    recorded.ticker(-8, "0.4000", "1.00", "100.00")
    recorded.delta(-7.6, "no", "0.6000", "-1.00")
    recorded.delta(-7.5, "yes", "0.4000", "-12.00")
    recorded.ticker(-7, "0.4000", "12.00", "200.00")
    played = recorded.played()
    played.to(-8.5)
    order = played.order("bid", 4_100, 1_000)
    assert order.filled == 100
    played.to(-7)
    assert order.filled == 100


def test_a_display_at_or_through_an_orders_price_fills_as_much_as_it_shows_once(
    recorded: RecordedSession,
) -> None:
    recorded.delta(-8, "no", "0.5900", "4.00")
    recorded.delta(-7, "no", "0.5900", "2.00")
    recorded.delta(-6, "yes", "0.3900", "1.00")
    played = recorded.played()
    played.to(-9)
    order = resting(played, "bid", 4_100, 1_000)
    played.to(-8)
    assert order.filled == 400
    played.to(-7)
    assert order.filled == 600
    played.to(-6)
    assert order.filled == 600
    assert {fill.price for fill in played.venue.fills} == {4_100}
    assert played.take("bid", 4_100, 1_000) == 0


def test_an_ask_rests_by_the_same_rules(recorded: RecordedSession) -> None:
    recorded.delta(-8, "yes", "0.4400", "3.00")
    recorded.delta(-7, "yes", "0.4400", "-3.00")
    played = recorded.played()
    played.to(-9)
    order = resting(played, "ask", 4_400, 1_000)
    played.to(-7)
    assert order.filled == 300
    assert played.venue.account.held(FIRST) == -300


def test_money_adds_up_after_taking_resting_and_settling(recorded: RecordedSession) -> None:
    recorded.delta(-8, "no", "0.5900", "4.00")
    recorded.snapshot(5.5)
    played = recorded.played()
    played.to(-9)
    played.take("bid", 4_500, 1_000)
    resting(played, "bid", 4_100, 1_000)
    played.to(-7)
    assert played.venue.reserved(2) == money("2.46")
    played.to(10)
    account = played.venue.account
    spent = money("4.50") + money("1.64") + account.fees
    assert account.cash[2] == money("1000.00") - spent + money("14.00")
    assert played.venue.reserved(2) == 0


def test_an_own_order_stops_or_makes_way_as_on_any_book(recorded: RecordedSession) -> None:
    played = recorded.played()
    played.to(-9)
    own = resting(played, "ask", 4_500, 500)
    order = played.order("bid", 4_600, 2_000)
    # What the recording shows at 0.45 stood before the account's own ask there.
    assert (order.filled, order.status, own.status) == (1_000, OrderStatus.CANCELED, OrderStatus.RESTING)


async def test_the_queue_before_an_order_is_told(start_exchange, recorded: RecordedSession) -> None:
    recorded.delta(5, "yes", "0.3900", "1.00")
    client = await start_exchange(
        recording=recorded.write(), speed=5.0, recording_lead_seconds=1.0, align=False
    )
    while (await client.get(f"/markets/{FIRST}"))["market"]["yes_bid_dollars"] == "0.0000":
        pass
    places: dict[str, str] = {}
    for price in ("0.4000", "0.4100", "0.3000"):
        _, made = await client.order(FIRST, "bid", price, "2.00", client_order_id=f"at-{price[2:]}")
        found = await client.get(f"/portfolio/orders/{made['order_id']}/queue_position")
        places[price] = found["queue_position_fp"]
    assert places == {"0.4000": "20.00", "0.4100": "0.00", "0.3000": "29.00"}
