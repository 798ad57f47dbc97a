"""Which model gives a market's probability: the settlement average, or fingerprint tables; unknown stays a reason, never one half.

A Reader belongs to one turn: what the strikes of a ladder share is computed once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from recio.messages import Market, PriceView
from recio.rules import fingerprint, strikes
from recio.rules.fingerprint import Reading, Slice, Table
from recio.sections import ModelKind

VOLATILITY_ERROR = 0.15
"""Of a volatility from the ninety steps of a quarter of an hour one standard error is 7.5 %, by 1/sqrt(2n); doubled, because
returns have fat tails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model with the tables it needs, by symbol."""

    kind: ModelKind = ModelKind.AVERAGE
    tables: Mapping[str, Table] = field(default_factory=dict[str, Table])

    def name_for(self, symbol: str) -> str:
        """What a decision is recorded with: which model, and which version of its table."""
        table = self.tables.get(symbol)
        return self.kind.value if table is None else f"{self.kind} {table.digest[:12]}"


AVERAGE = Model()


@dataclass(frozen=True, slots=True)
class Reader:
    """A model at one moment."""

    model: Model
    slices: dict[tuple[str, datetime], Slice | str] = field(
        default_factory=dict[tuple[str, datetime], Slice | str]
    )

    def chance(self, market: Market, price: PriceView, now: datetime) -> float | str:
        """P(YES), or the reason why it is unknown."""
        match self.model.kind:
            case ModelKind.AVERAGE:
                return strikes.probability(market, price, now)
            case ModelKind.FINGERPRINT:
                return self._by_fingerprint(market, price, now)

    def bounds(self, market: Market, price: PriceView, now: datetime) -> tuple[float, float] | str:
        """Where P(YES) lies by what the model knows of its own error, one standard error each way; or why that is unknown."""
        match self.model.kind:
            case ModelKind.AVERAGE:
                return self._by_volatilities(market, price, now)
            case ModelKind.FINGERPRINT:
                reading = self._reading(market, price, now)
                if isinstance(reading, str):
                    return reading
                left = (market.close_time - now).total_seconds()
                error = fingerprint.standard_error(reading, left)
                return max(0.0, reading.probability - error), min(1.0, reading.probability + error)

    def stretched(self, market: Market, price: PriceView, now: datetime) -> str:
        """Where the model was asked beyond what it knows and took its nearest edge; empty if nowhere."""
        if self.model.kind is not ModelKind.FINGERPRINT:
            return ""
        reading = self._reading(market, price, now)
        return "" if isinstance(reading, str) else "; ".join(reading.clamped)

    def _by_volatilities(self, market: Market, price: PriceView, now: datetime) -> tuple[float, float] | str:
        """The settlement average is as uncertain as the volatility that it is given."""
        found: list[float] = []
        for factor in (1.0 - VOLATILITY_ERROR, 1.0, 1.0 + VOLATILITY_ERROR):
            other = None if price.volatility is None else price.volatility * factor
            chance = strikes.probability(market, replace(price, volatility=other), now)
            if isinstance(chance, str):
                return chance
            found.append(chance)
        return min(found), max(found)

    def _by_fingerprint(self, market: Market, price: PriceView, now: datetime) -> float | str:
        reading = self._reading(market, price, now)
        return reading if isinstance(reading, str) else reading.probability

    def _reading(self, market: Market, price: PriceView, now: datetime) -> Reading | str:
        at = self._slice(market, price, now)
        if isinstance(at, str):
            return at
        reading = fingerprint.yes_probability(
            at, market.strike_type, market.floor_strike, market.cap_strike, price.tick.price
        )
        return "the strike is not known yet" if reading is None else reading

    def _slice(self, market: Market, price: PriceView, now: datetime) -> Slice | str:
        key = (market.symbol, market.close_time)
        if key not in self.slices:
            self.slices[key] = self._read(market, price, now)
        return self.slices[key]

    def _read(self, market: Market, price: PriceView, now: datetime) -> Slice | str:
        table = self.model.tables.get(market.symbol)
        if table is None:
            return f"there is no fingerprint model of {market.symbol}"
        if price.momentum is None or not price.momentum.whole:
            return "momentum is not known yet: it takes half an hour of prices"
        left = (market.close_time - now).total_seconds()
        return fingerprint.slice_at(table, price.momentum, left) or (
            f"too few past minutes had a momentum of {price.momentum.hundredths:+.0f}"
        )
