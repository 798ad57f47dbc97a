"""Who says what at one moment of one market: the models, a naive one to beat, and the market itself.

All of them see the same price, the same volatility and the same book, and none sees anything later.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from recio.messages.markets import BookView, Market
from recio.messages.prices import PriceView
from recio.rules.pricing.model import Model, Reader
from recio.rules.pricing.probability import thresholds, within
from recio.units import ONE_DOLLAR

MARKET = "market"
TERMINAL = "terminal"
SLOT_SECONDS = 15
"""Market time between two observations of one market: its forecasts hardly change within less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was said of one market at one moment, and how it ended."""

    market: str
    symbol: str
    event: str
    """The moment of the close: all that closes then is one draw, whatever its coin and series."""
    seconds_to_close: float
    spreads: float
    """How far the price is from the strike, in units of the move expected until the close."""
    probabilities: Mapping[str, float]
    """P(YES) by name; who does not know is not in it."""
    yes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """An observation before its outcome is known."""

    market: str
    symbol: str
    event: str
    seconds_to_close: float
    spreads: float
    probabilities: Mapping[str, float]

    def with_outcome(self, yes: bool) -> Observation:
        return Observation(
            market=self.market,
            symbol=self.symbol,
            event=self.event,
            seconds_to_close=self.seconds_to_close,
            spreads=self.spreads,
            probabilities=self.probabilities,
            yes=yes,
        )


Said = TypeVar("Said", Forecast, Observation)


@dataclass(slots=True)
class Watch:
    """Asks everybody, once in each slot of a market's time."""

    models: Mapping[str, Model]
    longest_price_age: float
    """Seconds."""
    taken: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    forecasts: list[Forecast] = field(default_factory=list[Forecast])

    def wants(self, market: Market, now: datetime) -> bool:
        """Whether this slot of the market has no forecast yet."""
        left = (market.close_time - now).total_seconds()
        return left > 0 and _slot(market, left) not in self.taken

    def look(self, market: Market, book: BookView | None, price: PriceView | None, now: datetime) -> None:
        """Note what is said now, if anybody but the market says anything."""
        left = (market.close_time - now).total_seconds()
        if price is None or book is None or not self.wants(market, now):
            return
        mid = middle(book)
        naive = terminal(market, price, left)
        old = (now - price.heard_at).total_seconds() > self.longest_price_age
        if mid is None or naive is None or old:
            return
        spreads, probability = naive
        probabilities = {MARKET: mid, TERMINAL: probability}
        for name, model in self.models.items():
            said = Reader(model).probability(market, price, now)
            if isinstance(said, float):
                probabilities[name] = said
        self.taken.add(_slot(market, left))
        self.forecasts.append(
            Forecast(
                market=market.ticker,
                symbol=market.symbol,
                event=market.close_time.isoformat(),
                seconds_to_close=left,
                spreads=spreads,
                probabilities=probabilities,
            )
        )


def once(said: Iterable[Said]) -> list[Said]:
    """A slot of a market counts once, of however many recordings it is in: the first that has it."""
    kept: dict[tuple[str, str, int], Said] = {}
    for each in said:
        kept.setdefault(slot_of(each), each)
    return list(kept.values())


def slot_of(said: Forecast | Observation) -> tuple[str, str, int]:
    """Market, close, and which of its slots."""
    return said.market, said.event, int(said.seconds_to_close // SLOT_SECONDS)


def _slot(market: Market, left: float) -> tuple[str, int]:
    return market.ticker, int(left // SLOT_SECONDS)


def middle(book: BookView) -> float | None:
    """The middle of the best prices; a side that nobody quotes is at its end of the scale.

    None where neither is quoted, and of a crossed book, which has no middle.
    """
    if not book.bids and not book.asks:
        return None
    bid = book.bids[0][0] if book.bids else 0
    ask = book.asks[0][0] if book.asks else ONE_DOLLAR
    if bid > ask:
        return None
    return (bid + ask) / 2 / ONE_DOLLAR


def terminal(market: Market, price: PriceView, left: float) -> tuple[float, float] | None:
    """(distance in spreads, P(YES)) for the last price before the close: a normal that knows nothing of the mean.

    None while the volatility or the strike is unknown.
    """
    span = thresholds(market.strike_type, market.floor_strike, market.cap_strike)
    if span is None or price.volatility is None or price.volatility <= 0:
        return None
    spot = float(price.tick.price)
    spread = spot * price.volatility * math.sqrt(left)

    def above(threshold: float) -> float:
        return 0.5 * math.erfc((threshold - spot) / spread * math.sqrt(0.5))

    nearest = min((each for each in span if each is not None), key=lambda each: abs(each - spot))
    return abs(nearest - spot) / spread, within(span, above)
