"""Legal moves of order and trade rows, and what follows from each: a trade follows its orders, fills and settlement.

Every function takes a connection that is already in a transaction; a move that is not legal changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from recio.db import audit_log, held_rows, orders, trades
from recio.db.connection import Connection
from recio.messages.orders import OrderState, OrderView, TradeState, TradeView
from recio.rules.account import lifecycle
from recio.rules.account.held import Written
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.units import (
    ClientOrderId,
    Price,
    Quantity,
    Side,
    TradeId,
    VenueOrderId,
    complement,
    money_text,
    notional,
    quantity_text,
)

NOTHING_WRITTEN = Written()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a transaction changed: for the log, and for what is held of the rows."""

    client_order_id: ClientOrderId | None = None
    order_note: str = ""
    is_new: bool = False
    is_ours: bool = False
    opened: tuple[TradeView, ...] = ()
    ended: tuple[TradeView, ...] = ()
    written: Written = NOTHING_WRITTEN


NOTHING = Changes()


async def move_order(
    connection: Connection,
    order: OrderView,
    state: OrderState,
    *,
    at: datetime,
    note: str,
    filled: Quantity = Quantity(0),  # noqa: B008 - an immutable integer
    venue_order_id: VenueOrderId | None = None,
) -> Changes:
    """Make a legal move; a move that is not legal is a late or repeated message and changes nothing."""
    if not lifecycle.may_move_order(order.state, state):
        return NOTHING
    ended = state in lifecycle.PROVEN_ENDS
    await orders.move(
        connection,
        order.client_order_id,
        state,
        filled=filled,
        venue_order_id=venue_order_id,
        note=note,
        ended_at=at if ended else None,
    )
    await audit_log.append(
        connection,
        at,
        f"order {state.value}",
        trade_id=order.trade_id,
        client_order_id=order.client_order_id,
        detail={"note": note, "filled": quantity_text(filled)},
    )
    reached(CrashPoint.MOVE_LOGGED)
    changes = Changes(client_order_id=order.client_order_id, is_new=True, is_ours=True)
    if ended and order.state is not OrderState.PENDING:
        changes = Changes(
            client_order_id=order.client_order_id,
            is_new=True,
            is_ours=True,
            order_note=f"{order.state.value} became {state.value}: {note}",
        )
    return await settle_trade(connection, order.trade_id, order.client_order_id, at, changes)


async def settle_trade(
    connection: Connection,
    trade_id: TradeId,
    touched: ClientOrderId | None,
    at: datetime,
    changes: Changes,
) -> Changes:
    """Let a trade follow its orders and fills, and its market's settlement if that is known.

    `touched` is the order that was moved or filled, if one was.
    """
    trade = await trades.one(connection, trade_id)
    is_settled = not await orders.waits(connection, trade_id)
    state = lifecycle.next_trade_state(trade.state, [is_settled], trade.entry_quantity, trade.exit_quantity)
    if state is not trade.state:
        await _move_trade(connection, trade, state, at)
        reached(CrashPoint.TRADE_MOVED)
    if state is TradeState.OPEN and is_settled:
        settled = await orders.settled_at(connection, trade.ticker)
        if settled is not None:
            await _pay_out(connection, trade, *settled, at)
            reached(CrashPoint.SETTLEMENT_PAID)
    return _with_trade(changes, trade, await held_rows.written(connection, trade_id, touched))


async def _move_trade(connection: Connection, trade: TradeView, state: TradeState, at: datetime) -> None:
    match state:
        case TradeState.CLOSED:
            await trades.end(connection, trade.trade_id, state, at, "exit")
        case TradeState.VOID:
            await trades.end(connection, trade.trade_id, state, at, "no fill")
        case TradeState.OPENING | TradeState.OPEN | TradeState.CLOSING:
            await trades.move(connection, trade.trade_id, state)
    await audit_log.append(connection, at, f"trade {state.value}", trade_id=trade.trade_id)


async def _pay_out(connection: Connection, trade: TradeView, result: str, value: Price, at: datetime) -> None:
    payout = notional(value if trade.side is Side.YES else complement(value), trade.held)
    await trades.end(connection, trade.trade_id, TradeState.CLOSED, at, "settlement", payout)
    await audit_log.append(
        connection,
        at,
        "trade settled",
        trade_id=trade.trade_id,
        detail={"result": result, "payout": money_text(payout)},
    )


def _with_trade(changes: Changes, before: TradeView, written: Written) -> Changes:
    after = written.trade
    if after is None or after.state is before.state:
        return replace(changes, written=written)
    opened = (after,) if before.state is TradeState.OPENING and after.entry_quantity > 0 else ()
    ended = (after,) if after.state in lifecycle.ENDED_TRADES else ()
    return replace(changes, opened=opened, ended=ended, written=written)
