"""Where a probability lies by what the settlement average knows of its own error; every corner of one standard error each way counts.

Whoever knew more than this would know the volatility to come better, where the index is, and what the price did while
nobody saw it. The bounds are the least and the greatest probability that such a person may name. Because price and volatility
may both be off at once, they hold what that person would say in at least three cases of four, not in two of three.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from msgspec.structs import replace as changed

from recio.rules.price.volatility import MEASURED_SECONDS, STEP_SECONDS
from recio.rules.pricing.average_fit import Fit
from recio.rules.pricing.market_probability import ForecastInputs
from recio.rules.pricing.probability import Span, within
from recio.rules.pricing.settlement_average import SettlementForecast, forecast

LEAST_RATIO = 0.2
"""Of the volatility expected: below it nobody would look for the truth."""
WHOLE_SAMPLE = MEASURED_SECONDS / STEP_SECONDS
BETWEEN_STEPS = 8
"""Volatilities from the lowest to the highest that are tried where the greatest probability may lie inside."""


def bounds(seen: ForecastInputs, span: Span, fit: Fit, measured_seconds: float) -> tuple[float, float]:
    """(least, greatest) P(YES); the answer itself is never outside."""
    answers = [within(span, each.above) for each in _corners(seen, span, fit, measured_seconds)]
    answers.append(within(span, forecast(seen.minute, seen.volatility, seen.seconds_to_close, fit).above))
    return min(answers), max(answers)


def volatility_error(fit: Fit, measured_seconds: float) -> float:
    """How far the volatility to come may be from the one expected, relative: more where little was measured.

    What the size of a whole half hour's sample costs is in the fit already; of moves with fat tails the relative
    variance of a standard deviation is about one in the number of steps.
    """
    steps = max(1.0, measured_seconds / STEP_SECONDS)
    return math.sqrt(fit.volatility_error**2 + max(0.0, 1.0 / steps - 1.0 / WHOLE_SAMPLE))


def _corners(
    seen: ForecastInputs, span: Span, fit: Fit, measured_seconds: float
) -> Iterator[SettlementForecast]:
    minute = seen.minute
    passed = (minute.level * seen.volatility) ** 2 * minute.aged
    off = math.sqrt(minute.error**2 + minute.bridged + passed)
    sure = changed(minute, error=0.0, bridged=0.0, aged=0.0, to_come=max(0.0, minute.to_come - minute.aged))
    for ratio in _ratios(volatility_error(fit, measured_seconds), span):
        for shift in _shifts(off, minute.expected, span):
            known = changed(sure, expected=minute.expected + shift)
            yield forecast(known, seen.volatility * ratio, seen.seconds_to_close, fit)


def _ratios(error: float, span: Span) -> list[float]:
    low, high = max(LEAST_RATIO, 1.0 - error), 1.0 + error
    if None in span:
        return [low, high]  # with one threshold the probability goes one way with the volatility
    return [low + (high - low) * step / BETWEEN_STEPS for step in range(BETWEEN_STEPS + 1)]


def _shifts(off: float, expected: float, span: Span) -> list[float]:
    least, beyond = span
    if least is None or beyond is None:
        return [-off, off]
    # Between two thresholds it is greatest where the mean lies midway, if it can.
    return [-off, off, min(off, max(-off, (least + beyond) / 2 - expected))]
