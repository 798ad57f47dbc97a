"""Orders meeting the book: trades, the members' fills, resting and cancelling; it decides no request."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

from recio.exchange_sim.engine.account import Position, apply_fill, correct, settle
from recio.exchange_sim.engine.allocation import rebalance
from recio.exchange_sim.engine.book import Match, Resting
from recio.exchange_sim.engine.events import (
    BookChanged,
    Filled,
    OrderChanged,
    OrderGroupChanged,
    PositionChanged,
    TickerChanged,
    Trade,
)
from recio.exchange_sim.engine.fees import fill_fee, model_fee
from recio.exchange_sim.engine.groups import OrderGroup
from recio.exchange_sim.engine.orders import Fill, Order, OrderStatus
from recio.exchange_sim.engine.traded_market import TradedMarket, record_trade
from recio.exchange_sim.engine.units import ONE_DOLLAR
from recio.exchange_sim.engine.venue import ACCOUNT_OWNER, Venue


def take(
    venue: Venue,
    market: TradedMarket,
    *,
    owner: int,
    bid: bool,
    limit: int,
    quantity: int,
    stop_at_own: bool = True,
    order: Order | None = None,
) -> tuple[int, bool]:
    """Execute an incoming order against the book. Returns what is left and whether its own order stopped it."""
    sweep = market.book.sweep(owner=owner, bid=bid, limit=limit, quantity=quantity, stop_at_own=stop_at_own)
    publish_book(venue, market)
    for match in sweep.matches:
        _trade(venue, market, match, taker=owner, bid=bid, order=order)
    for resting, _left in sweep.own_cancelled:
        cancelled = venue.orders_by_key[resting.key]
        _forget_resting(venue, cancelled)
        cancel_remainder(venue, cancelled, "SelfTradeCancel")
    _stop_exceeded(venue)
    return sweep.left, sweep.stopped_by_own


def rest(venue: Venue, market: TradedMarket, *, owner: int, bid: bool, price: int, quantity: int) -> Resting:
    """Rest a quantity in the book."""
    resting = Resting(venue.new_key(), owner, bid, price, quantity)
    market.book.place(resting)
    return resting


def rest_order(venue: Venue, market: TradedMarket, order: Order) -> None:
    """Rest what is left of an account's order in the book."""
    order.resting = rest(
        venue, market, owner=venue.owner, bid=order.bid, price=order.price, quantity=order.remaining
    )
    venue.orders_by_key[order.resting.key] = order
    venue.open_orders.setdefault(order.ticker, {})[order.order_id] = order
    venue.remember(copy(order))
    publish_book(venue, market)


def remove_from_book(venue: Venue, market: TradedMarket, order: Order) -> None:
    """Take an account's order out of the book without ending it."""
    if order.resting is not None:
        market.book.cancel(order.resting)
        publish_book(venue, market)
        _forget_resting(venue, order)


def cancel_order(venue: Venue, market: TradedMarket, order: Order, reason: str) -> int:
    """End a resting order of the account and return what was left of it."""
    left = order.remaining
    remove_from_book(venue, market, order)
    cancel_remainder(venue, order, reason)
    return left


def cancel_remainder(venue: Venue, order: Order, reason: str) -> None:
    """End what is left of an order that does not rest in the book."""
    order.remaining = 0
    order.status = OrderStatus.CANCELED
    order_changed(venue, order, reason)


def stop_group(venue: Venue, group: OrderGroup) -> None:
    """Cancel the group's orders and take no more until it is reset."""
    group.triggered = True
    end_group_orders(venue, group)
    publish_group(venue, group, "triggered")


def end_group_orders(venue: Venue, group: OrderGroup) -> None:
    for order in venue.open_in_group(group.group_id):
        cancel_order(venue, venue.markets[order.ticker], order, "")


def publish_group(venue: Venue, group: OrderGroup, event_type: str) -> None:
    venue.emit(
        OrderGroupChanged(
            event_type=event_type,
            order_group_id=group.group_id,
            contracts_limit=group.limit,
            now_ms=venue.now_ms,
            owner=venue.owner,
        )
    )


def order_changed(venue: Venue, order: Order, reason: str) -> None:
    order.updated_ms = venue.now_ms
    as_it_is = copy(order)
    venue.remember(as_it_is)
    venue.emit(OrderChanged(as_it_is, reason, venue.now_ms))


def publish_book(venue: Venue, market: TradedMarket) -> None:
    """Turn the book's uncollected changes into events."""
    if not market.book.changes:
        return
    market.quotes_changed = True
    market.clock = venue.next_clock()
    mine: Callable[[int], Order | None] = venue.orders_by_key.get
    for change in market.book.collect():
        venue.emit(
            BookChanged(
                market, change.bid, change.price, change.delta, venue.now_ms, mine(change.key), market.clock
            )
        )


def publish_ticker(venue: Venue, market: TradedMarket) -> None:
    """Announce the market's figures as they are now."""
    market.quotes_changed = False
    venue.emit(figures_of(venue, market))


def figures_of(venue: Venue, market: TradedMarket) -> TickerChanged:
    """A market's best prices and totals as they are this moment; nothing is announced."""
    book = market.book
    best_bid, best_ask = book.best_bid(), book.best_ask()
    return TickerChanged(
        market=market,
        best_bid=best_bid,
        best_ask=best_ask,
        bid_size=0 if best_bid is None else book.bids.totals[best_bid],
        ask_size=0 if best_ask is None else book.asks.totals[best_ask],
        last_price=market.last_price,
        last_size=market.last_size,
        volume=market.volume,
        open_interest=market.open_interest,
        now_ms=venue.now_ms,
    )


def pay_out(venue: Venue, market: TradedMarket) -> None:
    """Pay every subaccount of every member for what it holds of a market whose result is final."""
    for member in venue.members:
        for account in member.accounts.values():
            position = account.positions.get(market.ticker)
            if position is not None:
                settle(account, position, result=market.result, payout=market.payout, now_ms=venue.now_ms)
                venue.emit(PositionChanged(copy(position)))
        spread_free_money(member)


def pay_again(venue: Venue, market: TradedMarket) -> None:
    """Correct what every subaccount of every member was paid for a market whose result is another one now."""
    for member in venue.members:
        for account in member.accounts.values():
            position = correct(
                account,
                market.ticker,
                result=market.result,
                payout=market.payout,
                now_ms=venue.now_ms,
                shape=venue.floor.correction,
            )
            if position is not None:
                venue.emit(PositionChanged(copy(position)))
        spread_free_money(member)


def spread_free_money(venue: Venue) -> None:
    """Move the primary account's free money to where it is wanted, if that was asked for."""
    account = venue.account
    free = {shard: venue.available(shard) for shard in account.cash}
    rebalance(account, free, venue.allocation, venue.now_ms)


def position_of(venue: Venue, market: TradedMarket, subaccount: int) -> Position:
    positions = venue.accounts[subaccount].positions
    found = positions.get(market.ticker)
    if found is None:
        found = Position(
            ticker=market.ticker,
            event_ticker=market.event_ticker,
            shard=market.shard,
            subaccount=subaccount,
            owner=venue.owner,
        )
        positions[market.ticker] = found
    return found


def _trade(
    venue: Venue, market: TradedMarket, match: Match, *, taker: int, bid: bool, order: Order | None
) -> None:
    maker = match.resting.owner
    buyer, seller = (taker, maker) if bid else (maker, taker)
    record_trade(market, price=match.price, quantity=match.quantity, buyer=buyer, seller=seller)
    trade = Trade(
        venue.next_sequence(), venue.new_id(), market, match.price, match.quantity, bid, venue.now_ms
    )
    venue.trades.append(trade)
    venue.emit(trade)
    if order is not None:
        _fill(venue.member(order.owner), market, order, trade, taker=True)
    if maker <= ACCOUNT_OWNER:
        _fill(venue.member(maker), market, venue.orders_by_key[match.resting.key], trade, taker=False)


def _fill(venue: Venue, market: TradedMarket, order: Order, trade: Trade, *, taker: bool) -> None:
    """Book one execution on the account and on its order."""
    position = position_of(venue, market, order.subaccount)
    outcome_price = trade.price if order.bid else ONE_DOLLAR - trade.price
    fee = fill_fee(
        revenue=-outcome_price * trade.quantity,
        trade_fee=model_fee(trade.price, trade.quantity, market.fees, taker=taker),
        accumulator=order.rounding,
        alignment=venue.floor.alignment,
    )
    order.rounding = fee.accumulator
    apply_fill(
        venue.accounts[order.subaccount],
        position,
        bid=order.bid,
        price=trade.price,
        quantity=trade.quantity,
        fee=fee.cost,
        now_ms=venue.now_ms,
    )
    _count_fill(order, trade, cost=outcome_price * trade.quantity, fee=fee.cost, taker=taker)
    fill = Fill(
        sequence=trade.sequence,
        trade_id=trade.trade_id,
        order=order,
        price=trade.price,
        quantity=trade.quantity,
        taker=taker,
        fee=fee.cost,
        post_position=position.quantity,
        now_ms=venue.now_ms,
    )
    venue.fills.append(fill)
    venue.emit(Filled(fill))
    if not order.remaining:
        order.status = OrderStatus.EXECUTED
        _forget_resting(venue, order)
    order_changed(venue, order, "Trade")
    venue.emit(PositionChanged(copy(position)))
    group = venue.groups.get(order.group_id)
    if group is not None:
        group.count(venue.now_ms, trade.quantity)


def _stop_exceeded(venue: Venue) -> None:
    """Stop every group that has just matched more than it may; only once a whole sweep is booked."""
    for member in venue.members:
        for group in member.groups.values():
            if group.matched and not group.triggered and group.exceeded(venue.now_ms):
                stop_group(member, group)


def _count_fill(order: Order, trade: Trade, *, cost: int, fee: int, taker: bool) -> None:
    order.filled += trade.quantity
    order.remaining -= trade.quantity
    order.value += trade.price * trade.quantity
    if taker:
        order.taker_cost += cost
        order.taker_fees += fee
    else:
        order.maker_cost += cost
        order.maker_fees += fee


def _forget_resting(venue: Venue, order: Order) -> None:
    if order.resting is not None:
        venue.orders_by_key.pop(order.resting.key, None)
        order.resting = None
    resting = venue.open_orders.get(order.ticker)
    if resting is not None:
        resting.pop(order.order_id, None)
        if not resting:
            del venue.open_orders[order.ticker]
