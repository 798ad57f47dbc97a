"""What trade_manager logs of trades and orders once their rows are committed; it decides nothing and reads nothing."""

from __future__ import annotations

import structlog

from recio.db import trade_store
from recio.messages.decisions import OpenIntent
from recio.rules.account.held import Held
from recio.units import money_decimal, quantity_text

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def tell_what_was_left(held: Held) -> None:
    """After a restart: what an earlier run left open, and what of it has no proven end."""
    if held.trades or held.orders:
        markets = sorted({each.ticker for each in (*held.trades.values(), *held.orders.values())})
        log.info("found open", trades=list(held.trades), unproven=list(held.orders), tickers=markets)


def refused(by: trade_store.Refused, intent: OpenIntent) -> str:
    if by.limit in ("halt", "switch", "restore"):
        log.warning("entry refused", ticker=intent.ticker, limit=by.limit, reason=by.reason)
    else:
        # The second lock held where the first did not: loud, because the first should have.
        log.error("entry refused by the database", ticker=intent.ticker, limit=by.limit, why=by.reason)
    return f"refused an entry: {by.reason}"


def report(changes: trade_store.Changes) -> None:
    if changes.order_note:
        order = changes.written.order
        log.info(
            "order ended",
            order=changes.client_order_id,
            ticker=None if order is None else order.ticker,
            sentence=changes.order_note,
        )
    for trade in changes.ended:
        log.info(
            "trade ended",
            trade=trade.trade_id,
            ticker=trade.ticker,
            side=trade.side.value,
            by=trade.ended_by,
            quantity=quantity_text(trade.entry_quantity),
            pnl=f"{money_decimal(trade.pnl):+.4f}",
        )
    for trade in changes.opened:
        log.info(
            "trade open",
            trade=trade.trade_id,
            ticker=trade.ticker,
            side=trade.side.value,
            quantity=quantity_text(trade.held),
            cost=f"{money_decimal(trade.entry_cost):.4f}",
            fees=f"{money_decimal(trade.fees):.4f}",
        )
