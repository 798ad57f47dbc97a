"""Where an order belongs that a restored database has forgotten: a trade made anew, one of ours, or none yet; it guesses nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recio.messages.orders import OrderPurpose, TradeState, TradeView
from recio.messages.past_account import BroughtIn, PastOrder
from recio.rules.account.lifecycle import book_side
from recio.texts import counted
from recio.units import BookSide, ClientOrderId, Side, TradeId

NAMED = 3
"""So many orders are named in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the name of an order of ours says of it."""

    tag: str
    trade: int
    """Its number in the rows of the run that sent it, which may be another trade's number in ours."""
    purpose: OrderPurpose
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRows:
    """What our rows say of the market of an order."""

    live: TradeView | None
    """The trade that is live on it; there is never more than one."""
    of_entry: TradeId | None = None
    """The trade whose entry has the tag and the trade number of an exit."""
    live_entry: ClientOrderId | None = None
    """The entry of the live one."""


@dataclass(frozen=True, slots=True)
class NewTrade:
    """Nothing is held on its market: the entry makes its trade anew."""

    side: Side


@dataclass(frozen=True, slots=True)
class OfTrade:
    trade_id: TradeId


@dataclass(frozen=True, slots=True)
class NoPlace:
    """Not as the rows are now; they may still move."""

    why: str


Place = NewTrade | OfTrade | NoPlace


def named(name: ClientOrderId) -> Named | None:
    """None for a name that lifecycle.client_order_id has not made."""
    parts = name.split("-")
    if len(parts) != 5 or parts[0] != "recio" or parts[3] not in tuple(OrderPurpose):
        return None
    _, tag, trade, purpose, attempt = parts
    if not all(each.isascii() and each.isdecimal() and len(each) < 19 for each in (trade, attempt)):
        return None
    return Named(tag=tag, trade=int(trade), purpose=OrderPurpose(purpose), attempt=int(attempt))


def entry_named(exit_order: ClientOrderId) -> ClientOrderId | None:
    """The entry of the same tag and trade as this order."""
    of = named(exit_order)
    return None if of is None else ClientOrderId(f"recio-{of.tag}-{of.trade}-{OrderPurpose.ENTRY}-1")


def in_order(orders: Iterable[PastOrder]) -> list[PastOrder]:
    """As they were made: what was sold has to be gone before the same market is bought again."""
    return sorted(orders, key=lambda each: (each.created_at, each.purpose is OrderPurpose.EXIT, each.name))


def place_of(order: PastOrder, rows: MarketRows) -> Place:
    """Where it belongs as the rows are now."""
    if order.seen.filled > order.quantity:
        return NoPlace("more of it is filled than it asked for")
    if order.purpose is OrderPurpose.ENTRY:
        return _place_of_entry(order, rows)
    return _place_of_exit(order, rows)


def _place_of_entry(order: PastOrder, rows: MarketRows) -> Place:
    if rows.live is not None:
        return NoPlace(f"trade {rows.live.trade_id} is live on its market")
    if order.market is None:
        return NoPlace("its market is not known")
    return NewTrade(Side.YES if order.book_side is BookSide.BID else Side.NO)


def _place_of_exit(order: PastOrder, rows: MarketRows) -> Place:
    trade = rows.live
    if trade is None:
        return NoPlace("nothing is held on its market")
    if rows.of_entry not in (None, trade.trade_id):
        return NoPlace(f"it sold trade {rows.of_entry}, and trade {trade.trade_id} is live on its market")
    if _is_of_another(order.name, rows.live_entry):
        return NoPlace(f"it sold another trade than {trade.trade_id}, which has no row yet")
    if book_side(trade.side, OrderPurpose.EXIT) is not order.book_side:
        return NoPlace(f"it does not sell what trade {trade.trade_id} holds")
    if trade.state is not TradeState.OPEN:
        return NoPlace(f"trade {trade.trade_id} is {trade.state}")
    if order.seen.filled > trade.held:
        return NoPlace(f"it sold more than trade {trade.trade_id} holds")
    return OfTrade(trade.trade_id)


def _is_of_another(exit_order: ClientOrderId, entry: ClientOrderId | None) -> bool:
    """As long as a tag lasts, a trade has one number. Under a later tag, which sold it after a restore, it may have another."""
    sold, bought = named(exit_order), None if entry is None else named(entry)
    return sold is not None and bought is not None and sold.tag == bought.tag and sold.trade != bought.trade


def told(done: BroughtIn) -> str:
    """What was brought in, as a sentence."""
    if done.finished_at is None:
        return (
            "the venue is asked for what the restored backup had forgotten: nothing is bought before that is brought in;"
            " where it can never tell it, `recio forgo` ends the wait"
        )
    said = (
        f"brought in after the restore: {counted(done.orders, 'order', 'orders')},"
        f" {counted(done.trades, 'trade', 'trades')} made anew of them, {counted(done.fills, 'fill', 'fills')},"
        f" {counted(done.settlements, 'settlement', 'settlements')}"
    )
    if not done.left_out:
        return said
    others = f" and {len(done.left_out) - NAMED} more" if len(done.left_out) > NAMED else ""
    return f"{said}; not explained, look at the halt: {', '.join(done.left_out[:NAMED])}{others}"
