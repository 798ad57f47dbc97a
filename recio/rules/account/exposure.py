"""What open trades and unproven orders may cost, at their worst; it allows and refuses nothing.

schema.sql has the same figures as the view live_exposure; a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable

from recio.messages.orders import OpenTrades, OrderPurpose, TradeView
from recio.units import Money


def worst_loss(trade: TradeView) -> Money:
    """What is lost if nothing more comes in: paid for contracts and fees, less what was sold for good.

    Selling the rest costs a fee too, but never more than the sale brings.
    """
    return Money(max(0, trade.entry_cost + trade.fees - trade.exit_proceeds))


def cost_at_worst(trades: OpenTrades, counts: Callable[[TradeView], bool] | None = None) -> Money:
    """Of the live trades that count, or of all: what they hold, and what their entries without a proven end may cost."""
    live = {trade.trade_id: trade for trade in trades.trades if counts is None or counts(trade)}
    pending = sum(
        order.reserved
        for order in trades.orders
        if order.purpose is OrderPurpose.ENTRY and (counts is None or order.trade_id in live)
    )
    return Money(sum(map(worst_loss, live.values())) + pending)


def cost_of(name: str, trades: OpenTrades) -> Money:
    """What the live trades and unproven orders of one strategy cost at their worst."""
    return cost_at_worst(trades, lambda trade: trade.strategy == name)
