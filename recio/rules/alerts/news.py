"""What is told of trades and of a day, in one line each; it decides nothing and reads no rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta

from recio.messages.account import AccountView
from recio.messages.alerts import Alert
from recio.messages.orders import OpenTrades, TradeState, TradeView
from recio.rules.account.lifecycle import ENDED_TRADES
from recio.settings.alerts import AlertsSection
from recio.units import Money, TradeId, money_decimal, quantity_text

States = Mapping[TradeId, TradeState]


def states(trades: OpenTrades) -> dict[TradeId, TradeState]:
    """Of the trades that hold something or have ended: an entry that bought nothing is no news."""
    return {each.trade_id: each.state for each in _all(trades) if each.entry_quantity > 0}


def of_trades(before: States, trades: OpenTrades) -> Iterator[str]:
    """One line for each trade that began or ended since."""
    for each in sorted(_all(trades), key=lambda trade: trade.trade_id):
        known = before.get(each.trade_id)
        if each.entry_quantity == 0:
            continue
        if known is None:
            yield _begun(each)
        if each.state in ENDED_TRADES and known not in ENDED_TRADES:
            yield _ended(each)


def _all(trades: OpenTrades) -> Iterable[TradeView]:
    return {each.trade_id: each for each in (*trades.recent_trades, *trades.trades)}.values()


def _begun(trade: TradeView) -> str:
    return (
        f"bought {quantity_text(trade.entry_quantity)} {trade.side.value.upper()} of {trade.ticker}"
        f" for {_dollars(trade.entry_cost)} (trade {trade.trade_id}, {trade.strategy})"
    )


def _ended(trade: TradeView) -> str:
    by = trade.ended_by or "its end"
    return f"trade {trade.trade_id} on {trade.ticker} ended by {by}: {_signed(trade.pnl)} after fees"


def summary_due(now: datetime, last: date | None, settings: AlertsSection) -> date | None:
    """The day to sum up now, in UTC; None if that was done or is not asked for. `last` is the day that was summed up last."""
    if settings.summary_at is None:
        return None
    local = now.astimezone(settings.zone)
    if local.time() < settings.summary_at:
        local -= timedelta(days=1)
    moment = datetime.combine(local.date(), settings.summary_at, settings.zone)
    day = (moment.astimezone(now.tzinfo) - timedelta(days=1)).date()
    return day if last is None or day > last else None


def summary(
    day: date,
    figures: tuple[Money, Money, int, int] | None,
    trades: OpenTrades | None,
    account: AccountView | None,
    alerts: Iterable[Alert],
) -> str:
    """`figures`: net after fees, fees, won, lost; None where no trade ended that day."""
    net, fees, won, lost = figures or (Money(0), Money(0), 0, 0)
    held = [each for each in (trades.trades if trades else ()) if each.held > 0]
    cost = Money(sum(each.entry_cost - each.exit_proceeds for each in held))
    balance = "unknown" if account is None else _dollars(account.balance)
    on = [each.cause for each in alerts]
    return (
        f"{day:%Y-%m-%d}: {_signed(net)} after {_dollars(fees)} fees, {won} won, {lost} lost;"
        f" now {len(held)} open (cost {_dollars(cost)}), balance {balance};"
        f" {'no alert is on' if not on else 'alerts on: ' + ', '.join(on)}"
    )


def _dollars(amount: Money) -> str:
    return f"${money_decimal(amount):.2f}"


def _signed(amount: Money) -> str:
    return f"{'-' if amount < 0 else '+'}${abs(money_decimal(amount)):.2f}"
