"""What markets with trades of ours were about, kept past their close, so that a trade is called the same before and after; it reads only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from recio.messages.markets import MarketBoard
from recio.messages.orders import OpenTrades
from recio.rules.market.quotes import market_on
from recio.units import Ticker

MOST = 200
"""Markets that are remembered; of recent trades there are fewer."""


@dataclass(slots=True)
class KnownStrikes:
    """Filled while the market of a trade is on the board, whether anybody looks at the page or not."""

    rows: dict[Ticker, dict[str, Any]] = field(default_factory=dict[Ticker, dict[str, Any]])

    def look(self, board: MarketBoard | None, trades: OpenTrades | None) -> None:
        for trade in (*trades.trades, *trades.recent_trades) if trades else ():
            self.of(trade.ticker, board)

    def of(self, ticker: Ticker, board: MarketBoard | None) -> dict[str, Any] | None:
        """Its coin and strike; None where it has not been on the board since the start."""
        view = market_on(board, ticker)
        if view is not None:
            market = view.market
            strike = market.floor_strike if market.floor_strike is not None else market.cap_strike
            while len(self.rows) >= MOST and ticker not in self.rows:
                del self.rows[next(iter(self.rows))]
            self.rows[ticker] = {
                "symbol": market.symbol,
                "strike": None if strike is None else str(strike),
                "strike_type": market.strike_type.value,
            }
        return self.rows.get(ticker)
