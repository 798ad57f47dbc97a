"""The limits every entry must pass, counted with open, resting and unknown at their worst.

Only an Approved intent may become an order row; a refusal is an answer, not an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from recio.messages import OpenIntent, OpenTrades, OrderPurpose, TradeState
from recio.sections import RiskSection
from recio.units import Money, money_decimal, notional, quantity_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    intent: OpenIntent
    reserved: Money
    """What the order can cost at most, fee included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    limit: str
    reason: str


def worst_case(intent: OpenIntent) -> Money:
    return Money(notional(intent.limit, intent.quantity) + intent.fee_estimate)


def open_cost(trades: OpenTrades) -> Money:
    """Cost of all live trades: what is held, plus everything an unproven order may still cost."""
    held = sum(max(0, trade.entry_cost - trade.exit_proceeds) for trade in trades.trades)
    pending = sum(order.reserved for order in trades.orders if order.purpose is OrderPurpose.ENTRY)
    return Money(held + pending)


def approve(
    intent: OpenIntent, trades: OpenTrades, balance: Money | None, limits: RiskSection, now: datetime
) -> Approved | Refused:
    """Check one entry against every limit, in a fixed order, and say the first that refuses."""
    reserved = worst_case(intent)
    refusal = (
        _stale(intent, limits, now)
        or _size(intent, limits)
        or _counts(intent, trades, limits)
        or _cost(reserved, trades, balance, limits)
        or _loss(trades, limits)
    )
    return refusal or Approved(intent=intent, reserved=reserved)


def _stale(intent: OpenIntent, limits: RiskSection, now: datetime) -> Refused | None:
    age = (now - intent.decided_at).total_seconds()
    if age > limits.order_deadline_seconds:
        return Refused(limit="order_deadline_seconds", reason=f"the decision is {age:.1f} s old")
    return None


def _size(intent: OpenIntent, limits: RiskSection) -> Refused | None:
    if intent.quantity > limits.max_order:
        return Refused(
            limit="max_contracts_per_order",
            reason=f"{quantity_text(intent.quantity)} contracts are more than {quantity_text(limits.max_order)}",
        )
    return None


def _counts(intent: OpenIntent, trades: OpenTrades, limits: RiskSection) -> Refused | None:
    if any(trade.ticker == intent.ticker for trade in trades.trades):
        return Refused(limit="one trade per market", reason=f"a live trade is on {intent.ticker}")
    entries = trades.entries_by_event.get(intent.event_ticker, 0)
    if entries >= limits.max_entries_per_event:
        return Refused(
            limit="max_entries_per_event", reason=f"{entries} entries were made in {intent.event_ticker}"
        )
    live = sum(trade.state is not TradeState.VOID for trade in trades.trades)
    if live >= limits.max_open_trades:
        return Refused(limit="max_open_trades", reason=f"{live} trades are open")
    return None


def _cost(reserved: Money, trades: OpenTrades, balance: Money | None, limits: RiskSection) -> Refused | None:
    total = Money(open_cost(trades) + reserved)
    if total > limits.max_open_cost:
        return Refused(
            limit="max_open_cost_dollars", reason=f"open cost would be ${money_decimal(total):.2f}"
        )
    if balance is None or reserved > balance:
        shown = "unknown" if balance is None else f"${money_decimal(balance):.2f}"
        return Refused(
            limit="balance", reason=f"the order may cost ${money_decimal(reserved):.2f}, balance is {shown}"
        )
    return None


def _loss(trades: OpenTrades, limits: RiskSection) -> Refused | None:
    if -trades.realised_today >= limits.max_daily_loss:
        return Refused(
            limit="max_daily_loss_dollars",
            reason=f"today's realised loss is ${money_decimal(Money(-trades.realised_today)):.2f}",
        )
    return None
