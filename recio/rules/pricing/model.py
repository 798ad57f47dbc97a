"""Which model gives a market's probability: the settlement average, or empirical tables; unknown stays a reason, never one half.

A Reader belongs to one cycle: what the strikes of a ladder share is computed once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from recio.messages.markets import Market
from recio.messages.prices import PriceView
from recio.rules.pricing import empirical, market_probability
from recio.rules.pricing.average_fit import ANY_HOUR, FITTED, Fit
from recio.rules.pricing.bounds import bounds
from recio.rules.pricing.empirical import EmpiricalTable, Slice, TableReading
from recio.rules.pricing.probability import within
from recio.rules.pricing.settlement_average import SettlementForecast
from recio.settings.trading import ModelKind, ModelSection
from recio.units import EventTicker

EMPIRICAL = ModelKind.EMPIRICAL
"""Looked up once: a member of an enumeration costs more than the rest of a strike's cycle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model with the tables it needs, by symbol."""

    kind: ModelKind = ModelKind.AVERAGE
    tables: Mapping[str, EmpiricalTable] = field(default_factory=dict[str, EmpiricalTable])
    fit: Fit = FITTED

    def name_for(self, symbol: str) -> str:
        """What a decision is recorded with: which model, and which version of its table."""
        table = self.tables.get(symbol)
        return self.kind.value if table is None else f"{self.kind} {table.digest[:12]}"


AVERAGE = Model()


def average(settings: ModelSection) -> Model:
    """The settlement average as it is configured."""
    return Model(fit=FITTED if settings.time_of_day else ANY_HOUR)


class Reader(msgspec.Struct, frozen=True):
    """A model at one moment."""

    model: Model
    slices: dict[tuple[str, datetime], Slice | str] = {}
    forecasts: dict[EventTicker, tuple[datetime, SettlementForecast | str]] = {}
    """Of each event that of its last market asked for, with its close: nearly always that of all of them."""

    def probability(self, market: Market, price: PriceView, now: datetime) -> float | str:
        """P(YES), or the reason why it is unknown."""
        if self.model.kind is EMPIRICAL:
            return self._by_table(market, price, now)
        # What a ladder asks two hundred times a cycle is answered here, without a call that only looks up.
        known = self.forecasts.get(market.event_ticker)
        if known is not None and known[0] == market.close_time:
            seen = known[1]
        else:
            seen = self._forecast(market, price, now)
        if isinstance(seen, str):
            return seen
        span = market_probability.span_of(market)
        if span is None:
            return "the strike is not known yet"
        least, beyond = span
        return seen.above(least) if beyond is None and least is not None else within(span, seen.above)

    def bounds(self, market: Market, price: PriceView, now: datetime) -> tuple[float, float] | str:
        """Where P(YES) lies by what the model knows of its own error, one standard error each way; or why that is unknown."""
        match self.model.kind:
            case ModelKind.AVERAGE:
                return self._by_errors(market, price, now)
            case ModelKind.EMPIRICAL:
                return self._by_counts(market, price, now)

    def figures(self, market: Market, price: PriceView, now: datetime) -> dict[str, str]:
        """What the answer was computed with, for the record of a decision."""
        told = {
            "model": self.model.name_for(market.symbol),
            "volatility": "unknown" if price.volatility is None else f"{price.volatility:.9f}",
            "price_error_bp": f"{price.error * 1e4:.2f}",
        }
        if self.model.kind is ModelKind.EMPIRICAL:
            return told | {"stretched": self.stretched(market, price, now)}
        seen = self._forecast(market, price, now)
        if isinstance(seen, str):
            return told
        return told | {
            "volatility_to_come": f"{seen.volatility:.9f}",
            "mean_expected": f"{seen.expected:.8f}",
            "mean_variance_seconds": f"{seen.minute.to_come:.6f}",
            "mean_unknown_dollars": f"{math.hypot(seen.minute.error, math.sqrt(seen.minute.bridged)):.8f}",
        }

    def stretched(self, market: Market, price: PriceView, now: datetime) -> str:
        """Where the model was asked beyond what it knows and took its nearest edge; empty if nowhere."""
        if self.model.kind is not ModelKind.EMPIRICAL:
            return ""
        reading = self._reading(market, price, now)
        return "" if isinstance(reading, str) else "; ".join(reading.clamped)

    def _forecast(self, market: Market, price: PriceView, now: datetime) -> SettlementForecast | str:
        known = self.forecasts.get(market.event_ticker)
        if known is not None and known[0] == market.close_time:
            return known[1]
        seen = market_probability.forecast_of(market, price, now, self.model.fit)
        self.forecasts[market.event_ticker] = (market.close_time, seen)
        return seen

    def _by_errors(self, market: Market, price: PriceView, now: datetime) -> tuple[float, float] | str:
        """The settlement average is as uncertain as the volatility and the price that it is given."""
        seen = market_probability.inputs_of(market, price, now, self.model.fit)
        if isinstance(seen, str):
            return seen
        span = market_probability.span_of(market)
        if span is None:
            return "the strike is not known yet"
        return bounds(seen, span, self.model.fit, market_probability.measured_seconds(price, now))

    def _by_counts(self, market: Market, price: PriceView, now: datetime) -> tuple[float, float] | str:
        """The tables are as uncertain as their counts, at the price and where the index may be instead."""
        found = list[tuple[float, float]]()
        for shift in (0.0, -price.error, price.error):
            reading = self._reading(market, price, now, shift)
            if isinstance(reading, str):
                return reading
            found.append(empirical.counted_bounds(reading))
        return min(low for low, _ in found), max(high for _, high in found)

    def _by_table(self, market: Market, price: PriceView, now: datetime) -> float | str:
        reading = self._reading(market, price, now)
        return reading if isinstance(reading, str) else reading.probability

    def _reading(
        self, market: Market, price: PriceView, now: datetime, shift: float = 0.0
    ) -> TableReading | str:
        at = self._slice(market, price, now)
        if isinstance(at, str):
            return at
        reading = empirical.yes_probability(
            at, market.strike_type, market.floor_strike, market.cap_strike, price.tick.price, shift
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
            return f"there is no empirical model of {market.symbol}"
        if price.momentum is None or not price.momentum.whole:
            return "momentum is not known yet: it takes half an hour of prices"
        left = (market.close_time - now).total_seconds()
        return empirical.slice_at(table, price.momentum, left) or (
            f"too few past minutes had a momentum of {price.momentum.bp:+.0f}"
        )
