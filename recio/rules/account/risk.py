"""The limits every entry must pass, counted with open, resting, unknown and external at their worst.

Only an Approved intent may become an order row; a refusal is an answer, not an error. schema.sql holds the same
limits as a trigger, which knows what the rows say but not what was made without recio; a test proves that both agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from recio.messages.account import AccountView
from recio.messages.decisions import OpenIntent
from recio.messages.orders import OpenTrades, OrderPurpose, TradeState, TradeView
from recio.rules.account.exposure import cost_at_worst, cost_of
from recio.rules.account.lifecycle import RECENT, UNPROVEN
from recio.rules.account.refusals import REFUSED_BEFORE, next_try, said
from recio.settings.risk import RiskSection
from recio.texts import counted
from recio.units import (
    ONE_DOLLAR,
    EventTicker,
    Money,
    Price,
    Quantity,
    Ticker,
    money_decimal,
    notional,
    price_text,
    quantity_text,
)

EXTERNAL = "made externally"
"""The name under which a market is refused where somebody trades without recio; schema.sql has the same."""
RATE_SPAN = timedelta(minutes=1)
"""Market time over which the rate of orders is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collar:
    """What an entry's price is held against, per contract of the side bought."""

    ask: Price
    """The best ask of the book at the time of the approval."""
    model_value: Decimal
    """What the model thinks it is worth, in dollars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    intent: OpenIntent
    reserved: Money
    """What the order can cost at most, fee included."""
    collar: Collar


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    limit: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What an entry is held against: the rows, the account as last compared, and the book of its market."""

    trades: OpenTrades
    account: AccountView | None
    ask: Price | None
    """Best ask of the side bought, in its own terms; None while the book is not known or nobody offers."""


def worst_case(intent: OpenIntent) -> Money:
    return Money(notional(intent.limit, intent.quantity) + intent.fee_estimate)


def open_cost(exposure: Exposure, event: EventTicker | None = None) -> Money:
    """Cost at its worst of all that is open, or of one event: held, unproven, and external."""
    account = exposure.account

    def is_in_event(trade: TradeView) -> bool:
        return trade.event_ticker == event

    own = cost_at_worst(exposure.trades, None if event is None else is_in_event)
    external = sum(
        cost
        for ticker, cost in (account.external_cost.items() if account else ())
        if event is None or is_of(ticker, event)
    )
    return Money(own + external)


def is_of(ticker: Ticker, event: EventTicker) -> bool:
    """Whether a market is one of an event's strikes, by its name: external positions come without their event."""
    return ticker.startswith(f"{event}-")


def approve(
    intent: OpenIntent, exposure: Exposure, limits: RiskSection, now: datetime, budget: Money | None = None
) -> Approved | Denied:
    """Check one entry against every limit, in a fixed order, and say the first that refuses.

    `budget` is the most that its strategy's trades may cost together; None is no bound.
    """
    reserved, collar = worst_case(intent), _collar(intent, exposure.ask, limits)
    if isinstance(collar, Denied):
        return collar
    refusal = (
        stale(intent.decided_at, limits, now)
        or _external(intent, exposure.account)
        or _refused_before(intent, exposure.trades, now)
        or _size(intent, exposure, limits)
        or _counts(intent, exposure.trades, limits)
        or _budget(intent, reserved, exposure, budget)
        or _cost(intent, reserved, exposure, limits)
        or _balance(reserved, exposure)
        or _loss(reserved, exposure, limits)
    )
    return refusal or Approved(intent=intent, reserved=reserved, collar=collar)


def _collar(intent: OpenIntent, ask: Price | None, limits: RiskSection) -> Collar | Denied:
    if ask is None:
        return Denied(
            limit="price_collar_dollars", reason=f"nobody offers {intent.side} of {intent.ticker} any more"
        )
    model_value = Decimal(f"{intent.probability:.6f}")
    highest = Decimal(min(Decimal(ask), model_value * ONE_DOLLAR) + limits.price_collar_dollars)
    if intent.limit > highest:
        # A person's own limit stands for what a model says, and is never what binds.
        by_ask = Decimal(ask) <= model_value * ONE_DOLLAR
        than = f"the ask {price_text(ask)}" if by_ask else f"the model's {model_value:.4f}"
        return Denied(
            limit="price_collar_dollars", reason=f"{price_text(intent.limit)} is too far above {than}"
        )
    return Collar(ask=ask, model_value=model_value)


def stale(decided_at: datetime, limits: RiskSection, now: datetime) -> Denied | None:
    """Whether a decision is too old to be carried out, of an entry as of an exit: what it saw may be gone."""
    age = (now - decided_at).total_seconds()
    if age > limits.max_send_delay_seconds:
        return Denied(limit="max_send_delay_seconds", reason=f"the decision is {age:.1f} s old")
    return None


def made_externally(account: AccountView | None, ticker: Ticker) -> str:
    """What somebody has made on a market without recio, in a sentence; empty if nothing is known of anything.

    The venue nets both sides of a market: two who trade there spoil each other's positions and stops.
    """
    if account is None or ticker not in account.external_cost.keys() | set(account.external):
        return ""
    held = account.positions.get(ticker, Quantity(0)) if ticker in account.external else Quantity(0)
    what = f"a position of {held / 100:+.2f}" if held else "an order at rest"
    return f"{ticker} has {what} that was made without recio: it is left alone"


def _external(intent: OpenIntent, account: AccountView | None) -> Denied | None:
    external = made_externally(account, intent.ticker)
    return Denied(limit=EXTERNAL, reason=external) if external else None


def _refused_before(intent: OpenIntent, trades: OpenTrades, now: datetime) -> Denied | None:
    waits = next_try(trades, intent.ticker, now)
    if waits is None:
        return None
    again, found = waits
    seconds = (again - now).total_seconds()
    return Denied(
        limit=REFUSED_BEFORE,
        reason=f"the venue refused {said(found)}; the next is tried in {seconds:.0f} s",
    )


def _size(intent: OpenIntent, exposure: Exposure, limits: RiskSection) -> Denied | None:
    if intent.quantity > limits.max_contracts_per_order:
        return Denied(
            limit="max_contracts_per_order",
            reason=f"{quantity_text(intent.quantity)} contracts are more than {quantity_text(limits.max_contracts_per_order)}",
        )
    total = Quantity(intent.quantity + _contracts_on(intent.ticker, exposure))
    if total > limits.max_contracts_per_strike:
        return Denied(
            limit="max_contracts_per_strike",
            reason=f"{quantity_text(total)} contracts on {intent.ticker} are more than {quantity_text(limits.max_contracts_per_strike)}",
        )
    return None


def _contracts_on(ticker: Ticker, exposure: Exposure) -> int:
    held = sum(trade.held for trade in exposure.trades.trades if trade.ticker == ticker)
    pending = sum(
        order.quantity
        for order in exposure.trades.orders
        if order.ticker == ticker and order.purpose is OrderPurpose.ENTRY
    )
    account = exposure.account
    external = account is not None and ticker in account.external
    return held + pending + (abs(account.positions[ticker]) if account and external else 0)


def _counts(intent: OpenIntent, trades: OpenTrades, limits: RiskSection) -> Denied | None:
    if any(trade.ticker == intent.ticker for trade in trades.trades):
        return Denied(limit="one trade per market", reason=f"a live trade is on {intent.ticker}")
    entries = trades.entries_by_event.get(intent.event_ticker, 0)
    if entries >= limits.max_entries_per_event:
        return Denied(
            limit="max_entries_per_event",
            reason=f"{counted(entries, 'entry was', 'entries were')} made in {intent.event_ticker}",
        )
    live = sum(trade.state is not TradeState.VOID for trade in trades.trades)
    if live >= limits.max_open_trades:
        return Denied(limit="max_open_trades", reason=counted(live, "trade is open", "trades are open"))
    if trades.orders_last_minute >= limits.max_orders_per_minute:
        return Denied(
            limit="max_orders_per_minute",
            reason=f"{counted(trades.orders_last_minute, 'order was', 'orders were')} sent within the last minute",
        )
    if trades.losses_in_a_row >= limits.max_consecutive_losses:
        return Denied(
            limit="max_consecutive_losses",
            reason=f"{counted(trades.losses_in_a_row, 'trade', 'trades')} in a row lost; recio resume counts anew",
        )
    return None


def _budget(intent: OpenIntent, reserved: Money, exposure: Exposure, budget: Money | None) -> Denied | None:
    total = Money(cost_of(intent.strategy, exposure.trades) + reserved)
    if budget is not None and total > budget:
        return Denied(
            limit="budget_dollars",
            reason=f"strategy {intent.strategy} would have ${money_decimal(total):.2f} open,"
            f" its budget is ${money_decimal(budget):.2f}",
        )
    return None


def _cost(intent: OpenIntent, reserved: Money, exposure: Exposure, limits: RiskSection) -> Denied | None:
    event = Money(open_cost(exposure, intent.event_ticker) + reserved)
    if event > limits.max_event_cost_dollars:
        return Denied(
            limit="max_event_cost_dollars",
            reason=f"the cost in {intent.event_ticker} would be ${money_decimal(event):.2f}",
        )
    total = Money(open_cost(exposure) + reserved)
    if total > limits.max_open_cost_dollars:
        return Denied(limit="max_open_cost_dollars", reason=f"open cost would be ${money_decimal(total):.2f}")
    return None


def _balance(reserved: Money, exposure: Exposure) -> Denied | None:
    """The venue's figure, less every entry that it may not have counted yet."""
    account = exposure.account
    if account is None:
        return Denied(limit="balance", reason="the balance is not known yet")
    spoken_for = _not_in(account.balance_at or account.reconciled_at, exposure.trades)
    if spoken_for is None:
        return Denied(
            limit="balance", reason="more orders were made since the balance was read than are held"
        )
    left = Money(account.balance - spoken_for)
    if reserved > left:
        return Denied(
            limit="balance",
            reason=f"the order may cost ${money_decimal(reserved):.2f}, free is ${money_decimal(left):.2f}",
        )
    return None


def _not_in(balance_at: datetime, trades: OpenTrades) -> Money | None:
    """What entries may have cost since; None where it is not known of all of them.

    One that was made before and ended after may have been paid for at either time.
    """
    every = {order.client_order_id: order for order in (*trades.recent_orders, *trades.orders)}
    oldest = min((order.created_at for order in trades.recent_orders), default=balance_at)
    if len(trades.recent_orders) >= RECENT and oldest > balance_at:
        return None
    return Money(
        sum(
            order.reserved
            for order in every.values()
            if order.purpose is OrderPurpose.ENTRY
            and (order.state in UNPROVEN or (order.ended_at or order.created_at) > balance_at)
        )
    )


def _loss(reserved: Money, exposure: Exposure, limits: RiskSection) -> Denied | None:
    """Nothing is opened whose loss, with that of all that is open, could make a day's loss larger than the limit.

    A gain of today allows nothing: what is open may end tomorrow, without it.
    """
    worst = Money(_worst_of_the_day(exposure) + reserved)
    if worst > limits.max_daily_loss_dollars:
        return Denied(
            limit="max_daily_loss_dollars",
            reason=f"today's loss could become ${money_decimal(worst):.2f}"
            f" (realised so far ${money_decimal(exposure.trades.realised_today):+.2f})",
        )
    return None


def _worst_of_the_day(exposure: Exposure) -> Money:
    return Money(open_cost(exposure) - min(0, exposure.trades.realised_today))


def used(exposure: Exposure, limits: RiskSection) -> Iterable[tuple[str, Decimal, Decimal]]:
    """(limit, how much of it is taken, how much there may be) of every limit that fills up."""
    trades = exposure.trades
    cost = open_cost(exposure)
    events = {trade.event_ticker for trade in trades.trades}
    largest = max((open_cost(exposure, event) for event in events), default=Money(0))
    yield "max_open_trades", Decimal(len(trades.trades)), Decimal(limits.max_open_trades)
    yield "max_open_cost_dollars", money_decimal(cost), money_decimal(limits.max_open_cost_dollars)
    yield "max_event_cost_dollars", money_decimal(largest), money_decimal(limits.max_event_cost_dollars)
    lost = _worst_of_the_day(exposure)
    most = money_decimal(limits.max_daily_loss_dollars)
    yield "max_daily_loss_dollars", money_decimal(lost), most
    yield (
        "max_orders_per_minute",
        Decimal(trades.orders_last_minute),
        Decimal(limits.max_orders_per_minute),
    )
    yield "max_consecutive_losses", Decimal(trades.losses_in_a_row), Decimal(limits.max_consecutive_losses)
