"""Lifecycle: no illegal move is reachable, and a trade follows its orders and fills."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.messages.account import OrderSeen, VenueOrderStatus
from recio.messages.orders import OrderPurpose, OrderState, TradeState
from recio.rules.account import lifecycle
from recio.rules.account.lifecycle import next_trade_state
from recio.units import BookSide, ClientOrderId, Price, Quantity, Side, Ticker, TradeId, VenueOrderId


def test_a_proven_end_is_never_left():
    assert {
        OrderState.FILLED,
        OrderState.CANCELLED,
        OrderState.REJECTED,
        OrderState.NOT_FOUND,
    } == lifecycle.PROVEN_ENDS


def test_unknown_is_left_only_by_what_the_venue_shows():
    assert not lifecycle.may_move_order(OrderState.UNKNOWN, OrderState.REJECTED)
    assert not lifecycle.may_move_order(OrderState.UNKNOWN, OrderState.PENDING)
    assert lifecycle.may_move_order(OrderState.UNKNOWN, OrderState.NOT_FOUND)


@pytest.mark.parametrize(
    ("filled", "remaining", "state"),
    [
        (1000, 0, OrderState.FILLED),
        (300, 0, OrderState.CANCELLED),
        (0, 0, OrderState.CANCELLED),
        (300, 700, OrderState.RESTING),
    ],
)
def test_what_an_order_is_follows_from_the_venues_counts(filled: int, remaining: int, state: OrderState):
    assert lifecycle.state_from_counts(Quantity(1000), Quantity(filled), Quantity(remaining)) is state


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (VenueOrderStatus.RESTING, OrderState.RESTING),
        (VenueOrderStatus.EXECUTED, OrderState.FILLED),
        (VenueOrderStatus.CANCELED, OrderState.CANCELLED),
    ],
)
def test_every_status_of_the_venue_has_its_state(status: VenueOrderStatus, state: OrderState):
    seen = OrderSeen(
        venue_order_id=VenueOrderId("v"),
        client_order_id=None,
        ticker=Ticker("K"),
        status=status,
        filled=Quantity(0),
        remaining=Quantity(0),
    )
    assert lifecycle.state_from_venue(seen) is state


@pytest.mark.parametrize(
    ("state", "settled", "entered", "left", "then"),
    [
        (TradeState.OPENING, [False], 500, 0, TradeState.OPENING),
        (TradeState.OPENING, [True], 500, 0, TradeState.OPEN),
        (TradeState.OPENING, [True], 0, 0, TradeState.VOID),
        (TradeState.CLOSING, [True, False], 500, 500, TradeState.CLOSING),
        (TradeState.CLOSING, [True, True], 500, 200, TradeState.OPEN),
        (TradeState.CLOSING, [True, True], 500, 500, TradeState.CLOSED),
        (TradeState.CLOSED, [True], 500, 0, TradeState.CLOSED),
    ],
)
def test_a_trade_follows_its_orders_and_fills(
    state: TradeState, settled: list[bool], entered: int, left: int, then: TradeState
):
    assert next_trade_state(state, settled, Quantity(entered), Quantity(left)) is then


@given(
    st.sampled_from(list(TradeState)),
    st.lists(st.booleans(), max_size=4),
    st.integers(0, 1000),
    st.integers(0, 1000),
)
def test_no_illegal_move_is_reachable(state: TradeState, settled: list[bool], entered: int, left: int):
    then = next_trade_state(state, settled, Quantity(entered), Quantity(min(left, entered)))
    assert then is state or lifecycle.may_move_trade(state, then)


@pytest.mark.parametrize(
    ("side", "purpose", "book_side"),
    [
        (Side.YES, OrderPurpose.ENTRY, BookSide.BID),
        (Side.YES, OrderPurpose.EXIT, BookSide.ASK),
        (Side.NO, OrderPurpose.ENTRY, BookSide.ASK),
        (Side.NO, OrderPurpose.EXIT, BookSide.BID),
    ],
)
def test_each_side_and_purpose_stands_on_its_side_of_the_book(
    side: Side, purpose: OrderPurpose, book_side: BookSide
):
    assert lifecycle.book_side(side, purpose) is book_side


@given(st.integers(1, 9999), st.sampled_from(list(Side)))
def test_yes_price_leads_there_and_back(at: int, side: Side):
    assert lifecycle.yes_price(side, lifecycle.yes_price(side, Price(at))) == at


def test_client_order_ids_are_stable_telling_and_within_the_venues_alphabet():
    made = lifecycle.client_order_id("0123abcd", TradeId(7), OrderPurpose.EXIT, 2)
    assert made == ClientOrderId("recio-0123abcd-7-exit-2")
    assert len(lifecycle.client_order_id("0123abcd", TradeId(10**18), OrderPurpose.ENTRY, 10**6)) <= 64
