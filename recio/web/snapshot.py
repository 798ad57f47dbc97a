"""What GET /status shows, built from the wires and the health ledger; it reads and never writes anything.

Decimals are strings, times RFC 3339, and null is unknown: never zero, never one half.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from recio import __version__
from recio.clock import Clock
from recio.config import Config
from recio.messages import (
    MarketView,
    OpenTrades,
    OrderView,
    PriceView,
    Restraints,
    StrikeAssessment,
    TradeState,
    TradeView,
)
from recio.rules.strikes import ask_of, bid_of
from recio.supervisor import Ledger
from recio.units import (
    Money,
    Price,
    Quantity,
    Side,
    money_decimal,
    notional,
    price_text,
    quantity_text,
)
from recio.wires import Wires


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What does not change while the daemon lives."""

    config: Config
    account: str
    started_at: datetime


def snapshot(wires: Wires, ledger: Ledger, facts: Facts, clock: Clock) -> dict[str, Any]:
    """The whole status, ready for JSON."""
    now = clock.utc()
    restraints = wires.restraints.get() or Restraints()
    reasons = not_ready(wires, ledger, facts.config)
    return {
        "mode": facts.config.mode.value,
        "environment": facts.config.kalshi.environment.value,
        "account": facts.account,
        "version": __version__,
        "now": _time(now),
        "started_at": _time(facts.started_at),
        "clock_speed": clock.speed,
        "ready": not reasons,
        "reasons": reasons,
        "halts": [
            {"cause": halt.cause, "since": _time(halt.since), "by": halt.by, "way_out": halt.way_out}
            for halt in restraints.halts
        ],
        "blocks": [
            {
                "condition": block.condition,
                "since": _time(block.since),
                "detail": block.detail,
                "clears": block.clears,
            }
            for block in restraints.blocks
        ],
        "switches": {"entry": facts.config.entry.enabled, "exit": facts.config.exit.enabled},
        "tasks": {
            name: {
                "state": task.state.value,
                "restarts": task.restarts,
                "age_seconds": round(task.age_seconds, 2),
                "sentence": task.sentence,
                "last_error": task.last_error,
            }
            for name, task in ledger.tasks.items()
        },
        "queues": {
            name: {"depth": queue.depth, "capacity": queue.capacity} for name, queue in wires.queues().items()
        },
        "prices": _prices(wires.prices.get(), now),
        "board": _board(wires, now),
        "verdict": None if (said := wires.assessments.get()) is None else said.verdict,
        **_own(wires, now),
    }


def not_ready(wires: Wires, ledger: Ledger, config: Config) -> list[str]:
    """Why the daemon cannot trade now, as sentences; empty when it can."""
    restraints = wires.restraints.get()
    if restraints is None:
        return ["starting: the failure detector has not reported yet"]
    reasons = [f"halted: {halt.cause}" for halt in restraints.halts]
    reasons += [f"{block.condition}: {block.detail}" for block in restraints.blocks]
    reasons += [
        f"{name} is {task.state.value.replace('_', ' ')}"
        for name, task in ledger.tasks.items()
        if task.state.value != "running"
    ]
    if not config.entry.enabled:
        reasons.append("entry is switched off (entry.enabled = false)")
    return reasons


def _prices(view: PriceView | None, now: datetime) -> list[dict[str, Any]]:
    if view is None:
        return []
    return [
        {
            "symbol": view.tick.symbol,
            "source": view.tick.source,
            "price": str(view.tick.price),
            "at": _time(view.tick.at),
            "age_seconds": _age(view.tick.at, now),
            "volatility": None if view.volatility is None else f"{view.volatility:.9f}",
        }
    ]


def _board(wires: Wires, now: datetime) -> list[dict[str, Any]]:
    board = wires.board.get()
    said = wires.assessments.get()
    by_ticker = {each.ticker: each for each in (said.strikes if said else ())}
    return [
        _board_row(view, by_ticker.get(view.market.ticker), now) for view in (board.markets if board else ())
    ]


def _board_row(view: MarketView, strike: StrikeAssessment | None, now: datetime) -> dict[str, Any]:
    market = view.market
    yes_bid, yes_ask = bid_of(view, Side.YES), ask_of(view, Side.YES)
    no_bid, no_ask = bid_of(view, Side.NO), ask_of(view, Side.NO)
    return {
        "ticker": market.ticker,
        "event": market.event_ticker,
        "strike": _number(market.floor_strike if market.floor_strike is not None else market.cap_strike),
        "cap_strike": _number(market.cap_strike),
        "strike_type": market.strike_type.value,
        "closes_at": _time(market.close_time),
        "seconds_to_close": round((market.close_time - now).total_seconds(), 1),
        "status": market.status.value,
        "yes_bid": _price(yes_bid),
        "yes_ask": _price(yes_ask),
        "no_bid": _price(no_bid),
        "no_ask": _price(no_ask),
        "yes_ask_size": None if yes_ask is None else quantity_text(yes_ask[1]),
        "no_ask_size": None if no_ask is None else quantity_text(no_ask[1]),
        "probability": None if strike is None or strike.probability is None else round(strike.probability, 4),
        "edge_yes": None if strike is None else _dollars(strike.yes_edge),
        "edge_no": None if strike is None else _dollars(strike.no_edge),
        "book_age_seconds": None if view.book_at is None else _age(view.book_at, now),
        "book_ok": view.book is not None,
        "note": (strike.note if strike is not None else "") or view.why_no_book,
    }


def _own(wires: Wires, now: datetime) -> dict[str, Any]:
    """Trades, orders and profit, as the rows say."""
    trades, account = wires.open_trades.get(), wires.account.get()
    if trades is None:
        return {"trades": [], "orders": [], "pnl": _pnl(None, None, None)}
    marks = {trade.trade_id: _mark(wires, trade) for trade in trades.trades}
    unrealised = [
        _with_mark(trade, mark) for trade in trades.trades if (mark := marks[trade.trade_id]) is not None
    ]
    whole = len(unrealised) == sum(trade.held > 0 for trade in trades.trades)
    return {
        "trades": [_trade(wires, each, marks.get(each.trade_id), now) for each in trades.trades]
        + [_trade(wires, each, None, now) for each in trades.recent_trades],
        "orders": [_order(each) for each in _all_orders(trades)],
        "pnl": _pnl(trades, Money(sum(unrealised)) if whole else None, account.balance if account else None),
    }


def _all_orders(trades: OpenTrades) -> list[OrderView]:
    unsettled = {order.client_order_id for order in trades.orders}
    return [*trades.orders, *(each for each in trades.recent_orders if each.client_order_id not in unsettled)]


def _pnl(trades: OpenTrades | None, unrealised: Money | None, balance: Money | None) -> dict[str, Any]:
    return {
        "realised_today": None if trades is None else _dollars(trades.realised_today),
        "unrealised": _dollars(unrealised),
        "fees_today": None if trades is None else _dollars(trades.fees_today),
        "trades_today": None if trades is None else trades.wins_today + trades.losses_today,
        "wins": None if trades is None else trades.wins_today,
        "losses": None if trades is None else trades.losses_today,
        "balance": _dollars(balance),
    }


def _mark(wires: Wires, trade: TradeView) -> Price | None:
    """What one held contract would fetch now: the best bid of the trade's own side."""
    board = wires.board.get()
    if trade.held <= 0 or board is None:
        return None
    view = next((each for each in board.markets if each.market.ticker == trade.ticker), None)
    quote = None if view is None else bid_of(view, trade.side)
    return None if quote is None else quote[0]


def _with_mark(trade: TradeView, mark: Price) -> Money:
    return Money(trade.pnl + notional(mark, trade.held))


def _trade(wires: Wires, trade: TradeView, mark: Price | None, now: datetime) -> dict[str, Any]:
    ended = trade.state in (TradeState.CLOSED, TradeState.VOID)
    settling = trade.state is TradeState.OPEN and trade.closes_at <= now
    return {
        "id": trade.trade_id,
        "ticker": trade.ticker,
        "side": trade.side.value,
        "state": "settling" if settling else trade.state.value,
        "quantity": quantity_text(trade.entry_quantity if ended else trade.held),
        "average_price": _average(trade),
        "cost": _dollars(trade.entry_cost),
        "fees": _dollars(trade.fees),
        "probability": None if ended else _own_chance(wires, trade),
        "mark": None if mark is None else price_text(mark),
        "pnl": _dollars(trade.pnl if ended else None if mark is None else _with_mark(trade, mark)),
        "opened_at": _time(trade.opened_at),
        "closed_at": None if trade.closed_at is None else _time(trade.closed_at),
        "note": trade.why if trade.ended_by is None else f"ended by {trade.ended_by}; {trade.why}",
    }


def _own_chance(wires: Wires, trade: TradeView) -> float | None:
    said = wires.assessments.get()
    strike = next((each for each in (said.strikes if said else ()) if each.ticker == trade.ticker), None)
    if strike is None or strike.probability is None:
        return None
    return round(strike.probability if trade.side is Side.YES else 1.0 - strike.probability, 4)


def _average(trade: TradeView) -> str | None:
    if trade.entry_quantity == 0:
        return None
    return price_text(Price(round(trade.entry_cost / trade.entry_quantity)))


def _order(order: OrderView) -> dict[str, Any]:
    return {
        "client_order_id": order.client_order_id,
        "venue_order_id": order.venue_order_id,
        "ticker": order.ticker,
        "purpose": order.purpose.value,
        "side": order.book_side.value,
        "state": order.state.value,
        "quantity": quantity_text(order.quantity),
        "filled": quantity_text(order.filled),
        "price": price_text(order.price),
        "created_at": _time(order.created_at),
        "note": order.note,
    }


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _age(at: datetime, now: datetime) -> float:
    return round((now - at).total_seconds(), 2)


def _number(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _price(quote: tuple[Price, Quantity] | None) -> str | None:
    return None if quote is None else price_text(quote[0])


def _dollars(amount: Money | None) -> str | None:
    return None if amount is None else f"{money_decimal(amount):.4f}"
