"""What the venue accepts, executes, rests and refuses, decided without a wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from recio.exchange_sim.engine.events import OrderChanged
from recio.exchange_sim.engine.execution import take
from recio.exchange_sim.engine.order_change import amend, decrease
from recio.exchange_sim.engine.order_entry import (
    SelfTradePrevention,
    TimeInForce,
    cancel,
    cancel_all,
    create,
)
from recio.exchange_sim.engine.orders import Order, OrderStatus, Refused
from recio.exchange_sim.wire.rest.market_json import orderbook_json

MakeSession = Callable[..., Any]
IOC = TimeInForce.IMMEDIATE_OR_CANCEL


def made(result: Order | Refused) -> Order:
    assert isinstance(result, Order), result
    return result


def refused(result: Any) -> Refused:
    assert isinstance(result, Refused), result
    return result


def test_a_taker_gets_the_resting_price_and_pays_the_fee(trading_session: MakeSession) -> None:
    d = trading_session()
    d.other("ask", 5_200, 500)
    order = made(create(d.venue, d.order("bid", 9_900, 100, time_in_force=IOC)))
    assert (order.status, order.filled, order.remaining) == (OrderStatus.EXECUTED, 100, 0)
    assert order.taker_fees == 17_500
    assert d.venue.account.cash[2] == 1_000_000_000 - 520_000 - 17_500


def test_an_ioc_order_keeps_what_it_got_and_the_rest_is_cancelled(trading_session: MakeSession) -> None:
    d = trading_session()
    d.other("ask", 5_200, 60)
    order = made(create(d.venue, d.order("bid", 5_200, 100, time_in_force=IOC)))
    assert (order.status, order.filled, order.remaining) == (OrderStatus.CANCELED, 60, 0)
    assert not d.market.book.bids.prices


def test_fill_or_kill_takes_all_or_touches_nothing(trading_session: MakeSession) -> None:
    d = trading_session()
    d.other("ask", 5_200, 60)
    killed = create(d.venue, d.order("bid", 5_200, 61, time_in_force=TimeInForce.FILL_OR_KILL))
    assert refused(killed).code == "fill_or_kill_insufficient_resting_volume"
    filled = made(create(d.venue, d.order("bid", 5_200, 60, time_in_force=TimeInForce.FILL_OR_KILL)))
    assert filled.filled == 60


def test_a_client_order_id_is_used_up_for_ever(trading_session: MakeSession) -> None:
    d = trading_session()
    first = made(create(d.venue, d.order("bid", 1_000, 100, client_order_id="once")))
    cancel(d.venue, first.order_id, shard=2, market_ticker=None, strict=True)
    again = refused(create(d.venue, d.order("bid", 1_000, 100, client_order_id="once")))
    assert again.code == "order_already_exists"


def test_cancelling_without_a_shard_finds_nothing_while_the_order_rests(trading_session: MakeSession) -> None:
    d = trading_session()
    order = made(create(d.venue, d.order("bid", 1_000, 100)))
    missed = cancel(d.venue, order.order_id, shard=None, market_ticker=None, strict=True)
    assert refused(missed).code == "not_found"
    assert d.market.book.bids.totals == {1_000: 100}
    ended = cancel(d.venue, order.order_id, shard=None, market_ticker=d.market.ticker, strict=True)
    assert ended == (order, 100)
    assert (
        refused(cancel(d.venue, order.order_id, shard=2, market_ticker=None, strict=True)).code == "not_found"
    )


def test_a_lenient_venue_cancels_without_a_shard(trading_session: MakeSession) -> None:
    d = trading_session()
    order = made(create(d.venue, d.order("bid", 1_000, 100)))
    assert cancel(d.venue, order.order_id, shard=None, market_ticker=None, strict=False) == (order, 100)


@pytest.mark.parametrize(
    ("changes", "code", "details"),
    [
        ({"price": 5_150}, "invalid_price", None),
        ({"price": 10_000}, "invalid_price", None),
        ({"quantity": 0}, "invalid_order_size", None),
        ({"post_only": True, "price": 5_300}, "invalid_order", "post only cross"),
        ({"reduce_only": True}, "invalid_order", "reduce only needs immediate_or_cancel"),
        ({"quantity": 1_000_000}, "insufficient_balance", None),
        ({"shard": 0}, "market_not_found", None),
        ({"ticker": "KXBTC15M-NONE-00"}, "market_not_found", None),
        ({"expires_ms": 1}, "invalid_order", "expiration time must be in the future"),
    ],
)
def test_impossible_orders_are_refused_by_name(
    trading_session: MakeSession, changes: dict[str, Any], code: str, details: str | None
) -> None:
    d = trading_session()
    d.other("ask", 5_200, 60)
    asked = {"price": 5_000, "quantity": 100} | changes
    refusal = refused(create(d.venue, d.order("bid", asked.pop("price"), asked.pop("quantity"), **asked)))
    assert (refusal.code, refusal.details) == (code, details)
    assert not d.venue.orders


def test_the_price_grid_is_finer_near_the_ends(trading_session: MakeSession) -> None:
    d = trading_session()
    made(create(d.venue, d.order("bid", 10, 100)))
    made(create(d.venue, d.order("ask", 9_990, 100)))
    assert refused(create(d.venue, d.order("bid", 1_010, 100))).code == "invalid_price"


def test_resting_orders_bind_collateral_until_they_end(trading_session: MakeSession) -> None:
    d = trading_session(balance="10.00")
    order = made(create(d.venue, d.order("ask", 3_000, 1_000)))
    assert d.venue.available(2) == 3_000_000
    assert refused(create(d.venue, d.order("bid", 4_000, 1_000))).code == "insufficient_balance"
    cancel(d.venue, order.order_id, shard=2, market_ticker=None, strict=True)
    assert d.venue.available(2) == 10_000_000


def test_closing_a_position_needs_no_collateral(trading_session: MakeSession) -> None:
    d = trading_session(balance="6.00")
    d.other("ask", 5_000, 1_000)
    made(create(d.venue, d.order("bid", 5_000, 1_000, time_in_force=IOC)))
    closing = made(create(d.venue, d.order("ask", 9_000, 1_000)))
    assert closing.status is OrderStatus.RESTING
    assert d.venue.reserved(2) == 0


def test_reduce_only_is_capped_to_the_position(trading_session: MakeSession) -> None:
    d = trading_session()
    d.other("ask", 5_000, 100)
    made(create(d.venue, d.order("bid", 5_000, 100, time_in_force=IOC)))
    d.other("bid", 4_900, 500)
    order = made(create(d.venue, d.order("ask", 4_900, 500, time_in_force=IOC, reduce_only=True)))
    assert order.filled == 100
    assert d.venue.account.held(d.market.ticker) == 0
    nothing = made(create(d.venue, d.order("ask", 4_900, 500, time_in_force=IOC, reduce_only=True)))
    assert (nothing.status, nothing.filled) == (OrderStatus.CANCELED, 0)


@pytest.mark.parametrize(
    ("mode", "incoming", "resting"),
    [
        (SelfTradePrevention.TAKER_AT_CROSS, OrderStatus.CANCELED, OrderStatus.RESTING),
        (SelfTradePrevention.MAKER, OrderStatus.RESTING, OrderStatus.CANCELED),
    ],
)
def test_the_account_never_trades_with_itself(
    trading_session: MakeSession, mode: SelfTradePrevention, incoming: OrderStatus, resting: OrderStatus
) -> None:
    d = trading_session()
    old = made(create(d.venue, d.order("ask", 5_200, 100)))
    new = made(create(d.venue, d.order("bid", 5_200, 100, self_trade_prevention=mode)))
    assert (new.status, old.status) == (incoming, resting)
    assert not d.venue.fills


def test_a_resting_order_is_filled_free_of_the_taker_fee(trading_session: MakeSession) -> None:
    d = trading_session()
    order = made(create(d.venue, d.order("bid", 5_000, 100)))
    d.other("bid", 4_900, 100)
    take(d.venue, d.market, owner=3, bid=False, limit=4_900, quantity=150)
    assert (order.status, order.maker_fees, order.taker_fees) == (OrderStatus.EXECUTED, 0, 0)
    assert d.venue.account.cash[2] == 1_000_000_000 - 500_000
    assert d.market.book.bids.totals == {4_900: 50}


def test_orders_expire_when_their_time_comes(trading_session: MakeSession) -> None:
    d = trading_session()
    order = made(create(d.venue, d.order("bid", 1_000, 100, expires_ms=d.venue.now_ms + 1_000)))
    d.run_to(d.venue.now_ms + 950)
    assert order.status is OrderStatus.RESTING
    d.run_to(d.venue.now_ms + 100)
    assert order.status is OrderStatus.CANCELED


def test_only_a_smaller_count_keeps_the_place_in_the_queue(trading_session: MakeSession) -> None:
    d = trading_session()
    first = made(create(d.venue, d.order("bid", 5_000, 300)))
    d.other("bid", 5_000, 300)
    smaller = d.order("bid", 5_000, 200, client_order_id="")
    made(amend(d.venue, first.order_id, smaller, new_client_id="", keep_expiry=True))
    assert [order.remaining for order in d.market.book.bids.levels[5_000].values()] == [200, 300]
    larger = d.order("bid", 5_000, 400, client_order_id="")
    made(amend(d.venue, first.order_id, larger, new_client_id="", keep_expiry=True))
    assert [order.remaining for order in d.market.book.bids.levels[5_000].values()] == [300, 400]


def test_an_amended_price_can_cross_and_fill(trading_session: MakeSession) -> None:
    d = trading_session()
    d.other("ask", 5_200, 100)
    order = made(create(d.venue, d.order("bid", 5_000, 300)))
    made(
        amend(
            d.venue,
            order.order_id,
            d.order("bid", 5_200, 300, client_order_id=""),
            new_client_id="",
            keep_expiry=True,
        )
    )
    assert (order.filled, order.remaining, order.price) == (100, 200, 5_200)


def test_a_decrease_to_nothing_is_a_cancel(trading_session: MakeSession) -> None:
    d = trading_session()
    order = made(create(d.venue, d.order("bid", 5_000, 300)))
    made(decrease(d.venue, order, reduce_by=100, reduce_to=None))
    assert order.remaining == 200
    made(decrease(d.venue, order, reduce_by=None, reduce_to=0))
    assert order.status is OrderStatus.CANCELED


def test_cancel_all_leaves_nothing_resting(trading_session: MakeSession) -> None:
    d = trading_session()
    for price in (1_000, 2_000, 3_000):
        made(create(d.venue, d.order("bid", price, 100)))
    assert cancel_all(d.venue) == 3
    assert orderbook_json(d.market, 0) == {"yes_dollars": [], "no_dollars": []}


def test_nothing_can_be_done_after_the_close(trading_session: MakeSession) -> None:
    d = trading_session()
    order = made(create(d.venue, d.order("bid", 1_000, 100)))
    d.run_to(d.market.close_ms + 50)
    assert order.status is OrderStatus.RESTING
    late = refused(cancel(d.venue, order.order_id, shard=2, market_ticker=None, strict=True))
    assert late.code == "MARKET_INACTIVE"
    assert refused(create(d.venue, d.order("bid", 1_000, 100))).code == "MARKET_INACTIVE"
    d.run_to(d.market.close_ms + 500)
    assert order.status is OrderStatus.CANCELED
    assert d.venue.reserved(2) == 0


def test_each_report_shows_the_order_as_it_was_then(trading_session: MakeSession) -> None:
    d = trading_session()
    d.other("ask", 5_000, 100)
    d.other("ask", 5_100, 100)
    d.venue.collect()
    made(create(d.venue, d.order("bid", 5_100, 300)))
    told = [event.order for event in d.venue.collect() if isinstance(event, OrderChanged)]
    assert [(order.filled, order.remaining) for order in told] == [(100, 200), (200, 100)]


def test_a_trading_pause_ends_the_orders_that_asked_for_it_and_keeps_the_others(
    trading_session: MakeSession,
) -> None:
    d = trading_session()
    staying = made(create(d.venue, d.order("bid", 1_000, 100)))
    leaving = made(create(d.venue, d.order("bid", 1_000, 100, cancel_on_pause=True)))
    d.venue.pauses.pause_trading(d.venue.now_ms + 5_000)
    assert refused(create(d.venue, d.order("bid", 1_000, 100))).code == "trading_is_paused"
    larger = d.order("bid", 1_000, 200, client_order_id="")
    stopped = amend(d.venue, staying.order_id, larger, new_client_id="", keep_expiry=True)
    assert refused(stopped).code == "trading_is_paused"
    d.run_to(d.venue.now_ms + 100)
    assert (staying.status, leaving.status) == (OrderStatus.RESTING, OrderStatus.CANCELED)
    reasons = [event.reason for event in d.venue.collect() if isinstance(event, OrderChanged)]
    assert reasons[-1] == "HaltCancel"
    made(decrease(d.venue, staying, reduce_by=50, reduce_to=None))
    ended = cancel(d.venue, staying.order_id, shard=2, market_ticker=None, strict=True)
    assert ended == (staying, 50)
    d.run_to(d.venue.now_ms + 5_000)
    made(create(d.venue, d.order("bid", 1_000, 100)))


def test_a_stopped_market_lets_cancel_and_nothing_else(trading_session: MakeSession) -> None:
    d = trading_session()
    order = made(create(d.venue, d.order("bid", 1_000, 100)))
    d.simulation.interventions.deactivate(d.market.ticker, 60_000)
    assert refused(create(d.venue, d.order("bid", 1_000, 100))).code == "MARKET_INACTIVE"
    assert cancel(d.venue, order.order_id, shard=2, market_ticker=None, strict=True) == (order, 100)


def test_an_exchange_pause_refuses_everything(trading_session: MakeSession) -> None:
    d = trading_session()
    order = made(create(d.venue, d.order("bid", 1_000, 100)))
    d.venue.pauses.pause_exchange(d.venue.now_ms + 5_000)
    for refusal in (
        create(d.venue, d.order("bid", 1_000, 100)),
        cancel(d.venue, order.order_id, shard=2, market_ticker=None, strict=True),
        decrease(d.venue, order, reduce_by=50, reduce_to=None),
    ):
        assert refused(refusal).code == "exchange_is_paused"


def test_an_amended_post_only_order_that_would_cross_is_cancelled_instead(
    trading_session: MakeSession,
) -> None:
    d = trading_session()
    d.other("ask", 5_200, 100)
    order = made(create(d.venue, d.order("bid", 5_000, 300, post_only=True)))
    crossing = d.order("bid", 5_200, 300, client_order_id="")
    made(amend(d.venue, order.order_id, crossing, new_client_id="", keep_expiry=True))
    assert (order.status, order.filled, order.remaining) == (OrderStatus.CANCELED, 0, 0)
    reasons = [event.reason for event in d.venue.collect() if isinstance(event, OrderChanged)]
    assert reasons[-1] == "PostOnlyCrossCancel"
    assert d.venue.reserved(2) == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ticker": "KXBTC15M-NONE-00"}, "order_ticker_mismatch"),
        ({"bid": False}, "order_side_mismatch"),
        ({"client_order_id": "another"}, "order_id_and_client_order_id_mismatch"),
        ({"price": 5_150}, "invalid_price"),
        ({"quantity": 0}, "invalid_order_size"),
        ({"quantity": 10_000_000}, "insufficient_balance"),
        ({"expires_ms": 1}, "invalid_order"),
        ({"shard": 1}, "not_found"),
        ({"subaccount": 1}, "not_found"),
    ],
)
def test_impossible_amendments_change_nothing(
    trading_session: MakeSession, changes: dict[str, Any], code: str
) -> None:
    d = trading_session()
    order = made(create(d.venue, d.order("bid", 5_000, 300)))
    asked: dict[str, Any] = {"client_order_id": "", "price": 5_000, "quantity": 300} | changes
    request = d.order("bid", asked.pop("price"), asked.pop("quantity"), **asked)
    answer = amend(d.venue, order.order_id, request, new_client_id="", keep_expiry=False)
    assert refused(answer).code == code
    assert (order.price, order.remaining, order.status) == (5_000, 300, OrderStatus.RESTING)


def test_an_amended_order_id_is_used_up_too(trading_session: MakeSession) -> None:
    d = trading_session()
    order = made(create(d.venue, d.order("bid", 5_000, 300, client_order_id="first")))
    smaller = d.order("bid", 5_000, 200, client_order_id="first")
    made(amend(d.venue, order.order_id, smaller, new_client_id="second", keep_expiry=True))
    assert (order.client_order_id, order.initial) == ("second", 200)
    for used in ("first", "second"):
        assert (
            refused(create(d.venue, d.order("bid", 1_000, 100, client_order_id=used))).code
            == "order_already_exists"
        )


def test_a_grid_that_changes_while_open_decides_the_next_order(trading_session: MakeSession) -> None:
    d = trading_session()
    old = made(create(d.venue, d.order("bid", 10, 100)))
    d.simulation.interventions.change_grid(d.market.ticker)
    assert refused(create(d.venue, d.order("bid", 10, 100))).code == "invalid_price"
    assert old.status is OrderStatus.RESTING


def test_markets_nobody_rests_in_leave_no_trace(trading_session: MakeSession) -> None:
    d = trading_session()
    order = made(create(d.venue, d.order("bid", 1_000, 100)))
    cancel(d.venue, order.order_id, shard=2, market_ticker=None, strict=True)
    assert not d.venue.open_orders
    assert not d.venue.orders_by_key
