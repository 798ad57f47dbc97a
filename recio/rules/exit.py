"""Whether to sell what a trade holds before it settles; a halt or a block never stops it.

One stop: the model gives the side held less than the stop probability. Everything else is left to
the settlement, which the venue decides. A flatten sells whatever the model thinks, and asks no switch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from recio.messages import (
    CloseIntent,
    Halt,
    MarketBoard,
    MarketStatus,
    Prices,
    Restraints,
    Switch,
    TradeState,
    TradeView,
    VenuePhase,
)
from recio.rules.model import AVERAGE, Model, Reader
from recio.rules.strikes import bid_of, sellable_floor
from recio.sections import ExitSection
from recio.units import Price, Side, Ticker, TradeId, price_text

UNRESTRAINED = Restraints()
PAUSED = (VenuePhase.TRADING_PAUSED, VenuePhase.EXCHANGE_PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """Keep the position, and why."""

    trade_id: TradeId
    sentence: str


def decide(
    trade: TradeView,
    board: MarketBoard | None,
    prices: Prices | None,
    last_attempt: Mapping[TradeId, datetime],
    settings: ExitSection,
    now: datetime,
    restraints: Restraints = UNRESTRAINED,
    model: Model = AVERAGE,
) -> CloseIntent | Holds:
    """One turn of exit for one open trade."""

    def holds(sentence: str) -> Holds:
        return Holds(trade_id=trade.trade_id, sentence=sentence)

    if trade.state is not TradeState.OPEN or trade.held <= 0:
        return holds(f"{trade.state}")
    if restraints.flatten is not None:
        return _flatten(trade, board, last_attempt, settings, now, restraints.flatten)
    remaining = (trade.closes_at - now).total_seconds()
    if remaining < settings.min_seconds_to_close:
        return holds("left to settlement")
    closed = _switch(settings, restraints)
    if closed:
        return holds(closed)
    chance = _own_chance(trade, board, prices, settings, now, Reader(model))
    if isinstance(chance, str):
        return holds(chance)
    if chance >= settings.stop_probability:
        return holds(f"model gives {trade.side} {chance:.1%}, stop below {settings.stop_probability:.0%}")
    if _too_soon(trade, last_attempt, settings, now):
        return holds("waits before the next attempt to sell")
    why = f"stop: model gives {trade.side} {chance:.1%}, below {settings.stop_probability:.0%}"
    return _sell(trade, board, why, settings, now) or holds("nobody bids for what is held")


def _switch(settings: ExitSection, restraints: Restraints) -> str:
    off = restraints.off(Switch.EXIT)
    if off is not None:
        return f"exit was switched off by {off.by}"
    return "" if settings.enabled else "exit is switched off (exit.enabled = false)"


def _flatten(
    trade: TradeView,
    board: MarketBoard | None,
    last_attempt: Mapping[TradeId, datetime],
    settings: ExitSection,
    now: datetime,
    halt: Halt,
) -> CloseIntent | Holds:
    """Sell at whatever is bid, again and again until nothing is held or the market has closed."""

    def holds(sentence: str) -> Holds:
        return Holds(trade_id=trade.trade_id, sentence=f"to be sold: {sentence}")

    if now >= trade.closes_at:
        return holds("the market has closed, left to settlement")
    view = _market(board, trade.ticker)
    if board is None or view is None:
        return holds("waits for the market")
    if board.venue.phase in PAUSED:
        return holds(f"waits: {board.venue.phase}")
    if view.market.status is not MarketStatus.ACTIVE:
        return holds(f"market is {view.market.status}")
    if _too_soon(trade, last_attempt, settings, now):
        return holds("waits before the next attempt to sell")
    return _sell(trade, board, f"flatten: {halt.cause}", settings, now) or holds("nobody bids for it")


def _too_soon(
    trade: TradeView, last_attempt: Mapping[TradeId, datetime], settings: ExitSection, now: datetime
) -> bool:
    last = last_attempt.get(trade.trade_id)
    return last is not None and (now - last).total_seconds() < settings.retry_seconds


def _own_chance(
    trade: TradeView,
    board: MarketBoard | None,
    prices: Prices | None,
    settings: ExitSection,
    now: datetime,
    reader: Reader,
) -> float | str:
    view = _market(board, trade.ticker)
    price = None if view is None or prices is None else prices.by_symbol.get(view.market.symbol)
    if board is None or view is None or price is None:
        return "waits for market and price"
    if board.venue.phase in PAUSED:
        return f"waits: {board.venue.phase}"
    if price.doubt:
        return f"no stop can be judged: {price.doubt}"
    if view.market.status is not MarketStatus.ACTIVE:
        return f"market is {view.market.status}"
    age = (now - price.tick.at).total_seconds()
    if age > settings.max_price_age_seconds:
        return f"price is {age:.1f} s old: no stop can be judged"
    chance = reader.chance(view.market, price, now)
    if isinstance(chance, str):
        return chance
    return chance if trade.side is Side.YES else 1.0 - chance


def _market(board: MarketBoard | None, ticker: Ticker):
    return next((view for view in (board.markets if board else ()) if view.market.ticker == ticker), None)


def _sell(
    trade: TradeView, board: MarketBoard | None, why: str, settings: ExitSection, now: datetime
) -> CloseIntent | None:
    view = _market(board, trade.ticker)
    quote = None if view is None else bid_of(view, trade.side)
    if view is None or quote is None:
        return None
    bid, _ = quote
    floor = sellable_floor(view, trade.side, Price(max(1, bid - settings.max_slippage)))
    return CloseIntent(
        trade_id=trade.trade_id,
        exchange_index=view.market.exchange_index,
        quantity=trade.held,
        floor=floor,
        decided_at=now,
        why=f"{why}; bid {price_text(bid)}",
    )
