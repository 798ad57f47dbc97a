"""Whether a held trade's stops can be judged now, in words for a person; it decides nothing and no order depends on it."""

from __future__ import annotations

from datetime import datetime

from recio.messages.controls import Switch, TradingControls
from recio.messages.markets import MarketBoard, MarketView
from recio.messages.orders import TradeState, TradeView
from recio.messages.prices import Prices
from recio.rules.market.quotes import market_on
from recio.settings.trading import ExitSection


def why_unguarded(
    trade: TradeView,
    board: MarketBoard | None,
    prices: Prices | None,
    controls: TradingControls | None,
    settings: ExitSection,
    now: datetime,
) -> str:
    """What keeps the trade from being sold when it should be; empty if nothing does, or if it is being sold already."""
    if trade.state is TradeState.CLOSING or trade.held <= 0 or trade.closes_at <= now:
        return ""
    if not settings.enabled:
        return "exits are switched off in the config"
    if controls is None:
        return "the switches were not read yet"
    if off := controls.off(Switch.EXIT):
        return f"exits were switched off by {off.by}"
    return _blind(market_on(board, trade.ticker), board, prices, settings, now)


def _blind(
    view: MarketView | None,
    board: MarketBoard | None,
    prices: Prices | None,
    settings: ExitSection,
    now: datetime,
) -> str:
    if board is None or view is None or view.book is None or board.heard_at is None:
        return "no book of its market"
    age = (now - board.heard_at).total_seconds()
    if age > settings.max_book_age_seconds:
        return f"its book is {age:.0f} s old"
    price = None if prices is None else prices.by_symbol.get(view.market.symbol)
    if price is None:
        return f"no price of {view.market.symbol}"
    if price.unreliable:
        return f"the price cannot be relied on: {price.unreliable}"
    age = (now - price.tick.at).total_seconds()
    return f"the price is {age:.0f} s old" if age > settings.max_price_age_seconds else ""
