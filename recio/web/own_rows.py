"""The trades and orders part of GET /status, and what they came to today; it reads only.

Decimals are strings, times RFC 3339, and null is unknown: never zero, never one half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from recio.messages.account import AccountView
from recio.messages.orders import OpenTrades, OrderView, TradeState, TradeView
from recio.rules.account.lifecycle import ENDED_TRADES, book_side, yes_price
from recio.rules.decision.guard import why_unguarded
from recio.rules.decision.strategy import Strategy, named
from recio.rules.market.quotes import bid_of, market_on
from recio.times import time_text
from recio.units import Money, Price, Side, TradeId, notional, price_text, quantity_text
from recio.web.known_strikes import KnownStrikes
from recio.web.market_rows import age_seconds, dollars_text
from recio.wires import Wires


def own_rows(
    wires: Wires, strategies: Sequence[Strategy], now: datetime, strikes: KnownStrikes
) -> dict[str, Any]:
    """Trades, orders and profit, as the rows say."""
    board = wires.board.get()
    trades, account = wires.open_trades.get(), wires.account.get()
    if trades is None:
        return {
            "trades": [],
            "orders": [],
            "positions": None,
            "pnl": _pnl(None, None, None),
            "account_read": None,
        }
    marks = {trade.trade_id: _mark(wires, trade) for trade in trades.trades}
    unrealised = [
        _with_mark(trade, mark) for trade in trades.trades if (mark := marks[trade.trade_id]) is not None
    ]
    whole = len(unrealised) == sum(trade.held > 0 for trade in trades.trades)
    live = [
        _trade(wires, each, marks.get(each.trade_id), now) | _risk(wires, each, strategies, now)
        for each in trades.trades
    ]
    return {
        "positions": _positions(trades, marks, live),
        "trades": [
            row | {"market": strikes.of(row["ticker"], board)}
            for row in [*live, *(_trade(wires, each, None, now) for each in trades.recent_trades)]
        ],
        "orders": [_order(each) for each in _all_orders(trades)],
        "pnl": _pnl(trades, Money(sum(unrealised)) if whole else None, account.balance if account else None),
        "account_read": None if account is None else _read(account, now),
    }


def _read(account: AccountView, now: datetime) -> dict[str, Any]:
    """When the venue was asked for cash and positions."""
    return {"age_seconds": age_seconds(account.balance_at or account.reconciled_at, now)}


def _positions(
    trades: OpenTrades, marks: Mapping[TradeId, Price | None], live: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What is held, together. The worst is what is lost if every one of them pays nothing."""
    held = [each for each in trades.trades if each.held > 0]
    worth = [notional(mark, each.held) for each in held if (mark := marks.get(each.trade_id)) is not None]
    return {
        "count": len(held),
        "unguarded": sum(not each["guarded"] for each in live),
        "value": dollars_text(Money(sum(worth)) if len(worth) == len(held) else None),
        "worst": dollars_text(Money(sum(each.pnl for each in trades.trades))),
    }


def _all_orders(trades: OpenTrades) -> list[OrderView]:
    unsettled = {order.client_order_id for order in trades.orders}
    return [*trades.orders, *(each for each in trades.recent_orders if each.client_order_id not in unsettled)]


def _pnl(trades: OpenTrades | None, unrealised: Money | None, balance: Money | None) -> dict[str, Any]:
    return {
        "realised_today": None if trades is None else dollars_text(trades.realised_today),
        "unrealised": dollars_text(unrealised),
        "fees_today": None if trades is None else dollars_text(trades.fees_today),
        "trades_today": None if trades is None else trades.wins_today + trades.losses_today,
        "wins": None if trades is None else trades.wins_today,
        "losses": None if trades is None else trades.losses_today,
        "balance": dollars_text(balance),
    }


def _mark(wires: Wires, trade: TradeView) -> Price | None:
    """What one held contract would fetch now: the best bid of the trade's own side."""
    board = wires.board.get()
    if trade.held <= 0 or board is None:
        return None
    view = market_on(board, trade.ticker)
    quote = None if view is None else bid_of(view, trade.side)
    return None if quote is None else quote[0]


def _with_mark(trade: TradeView, mark: Price) -> Money:
    return Money(trade.pnl + notional(mark, trade.held))


def _trade(wires: Wires, trade: TradeView, mark: Price | None, now: datetime) -> dict[str, Any]:
    ended = trade.state in ENDED_TRADES
    settling = trade.state is TradeState.OPEN and trade.closes_at <= now
    return {
        "id": trade.trade_id,
        "ticker": trade.ticker,
        "side": trade.side.value,
        "state": "settling" if settling else trade.state.value,
        "quantity": quantity_text(trade.entry_quantity if ended else trade.held),
        "average_price": _average(trade),
        "cost": dollars_text(trade.entry_cost),
        "fees": dollars_text(trade.fees),
        "probability": None if ended else _own_probability(wires, trade),
        "mark": None if mark is None else price_text(mark),
        "pnl": dollars_text(trade.pnl if ended else None if mark is None else _with_mark(trade, mark)),
        "opened_at": time_text(trade.opened_at),
        "closed_at": None if trade.closed_at is None else time_text(trade.closed_at),
        "note": trade.why if trade.ended_by is None else f"ended by {trade.ended_by}; {trade.why}",
    }


def _risk(wires: Wires, trade: TradeView, strategies: Sequence[Strategy], now: datetime) -> dict[str, Any]:
    """Of a trade that is held: what it may still lose, until when, and whether its stops can be judged."""
    settings = named(strategies or (Strategy(),), trade.strategy).exit
    why = why_unguarded(trade, wires.board.get(), wires.prices.get(), wires.controls.get(), settings, now)
    return {
        "worst": dollars_text(trade.pnl),
        "guarded": not why,
        "unguarded_why": why,
        "closes_at": time_text(trade.closes_at),
        "seconds_to_close": round((trade.closes_at - now).total_seconds(), 1),
    }


def _own_probability(wires: Wires, trade: TradeView) -> float | None:
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
    """`side` and `price` are the venue's, of the YES book; `outcome` and `own_price` are those of what is bought or sold."""
    outcome = next(each for each in Side if book_side(each, order.purpose) is order.book_side)
    return {
        "client_order_id": order.client_order_id,
        "venue_order_id": order.venue_order_id,
        "ticker": order.ticker,
        "purpose": order.purpose.value,
        "side": order.book_side.value,
        "outcome": outcome.value,
        "state": order.state.value,
        "quantity": quantity_text(order.quantity),
        "filled": quantity_text(order.filled),
        "price": price_text(order.price),
        "own_price": price_text(yes_price(outcome, order.price)),
        "created_at": time_text(order.created_at),
        "note": order.note,
    }
