"""What the open trades and unproven orders of a strategy may cost, at their worst; it allows and refuses nothing."""

from __future__ import annotations

from recio.messages.orders import OpenTrades, OrderPurpose
from recio.units import Money


def cost_of(name: str, trades: OpenTrades) -> Money:
    """What the live trades and unproven orders of one strategy cost at their worst."""
    own = [trade for trade in trades.trades if trade.strategy == name]
    held = sum(max(0, trade.entry_cost - trade.exit_proceeds) for trade in own)
    ids = {trade.trade_id for trade in own}
    pending = sum(
        order.reserved
        for order in trades.orders
        if order.purpose is OrderPurpose.ENTRY and order.trade_id in ids
    )
    return Money(held + pending)
