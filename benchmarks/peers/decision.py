"""The one decision both peers make, as plainly as it can be made: a normal distribution against the best ask; it remembers only the book and the price.

It runs in two environments, so it needs nothing but the standard library.
"""

from __future__ import annotations

import math
from typing import Any

VOLATILITY = 0.000015
"""Per root second, as the stand-in's price moves."""
EDGE, TOLL = 0.02, 0.07


class Seen:
    """The best asks of one market, and the price of its coin."""

    def __init__(self, ticker: str, strike: float, seconds_left: float) -> None:
        self.ticker, self.strike, self.seconds_left = ticker, strike, seconds_left
        self.levels: dict[str, dict[float, float]] = {"yes": {}, "no": {}}
        self.price = 0.0

    def snapshot(self, body: dict[str, Any]) -> None:
        for side in ("yes", "no"):
            levels = body.get(f"{side}_dollars_fp", [])
            self.levels[side] = {float(price): float(size) for price, size in levels}

    def delta(self, body: dict[str, Any]) -> None:
        levels, price = self.levels[body["side"]], float(body["price_dollars"])
        left = levels.get(price, 0.0) + float(body["delta_fp"])
        levels.pop(price, None)
        if left > 0:
            levels[price] = left

    def asks(self) -> tuple[float, float]:
        """Of YES and of NO; 1 where nobody offers. Both sides' levels come in YES terms, so a bid for NO is an ask of YES."""
        return min(self.levels["no"], default=1.0), 1 - max(self.levels["yes"], default=0.0)


def wanted(price: float, strike: float, seconds_left: float, yes_ask: float, no_ask: float) -> str:
    """The side that is worth buying, or nothing."""
    if not price:
        return ""
    spread = VOLATILITY * math.sqrt(seconds_left)
    yes = 0.5 * math.erfc(-math.log(price / strike) / spread / math.sqrt(2))
    for side, worth, ask in (("yes", yes, yes_ask), ("no", 1 - yes, no_ask)):
        if 0.1 <= ask <= 0.9 and worth - ask - TOLL * ask * (1 - ask) >= EDGE:
            return side
    return ""
