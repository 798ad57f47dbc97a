"""What limits let be lost at most, fees included: figures for a person, which allow and refuse nothing."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from recio.rules.pricing.fees import max_fee
from recio.settings.risk import RiskSection
from recio.units import ONE_DOLLAR, Money, Price, Quantity, notional

FEE_MULTIPLIER = Decimal(1)
"""What Kalshi multiplies its fee formula with on the crypto series."""
HIGHEST = Price(ONE_DOLLAR - 1)


def of_order(size: Quantity, price: Price, limits: RiskSection) -> Money:
    """Of one order at its worst; no limit of cost lets a dearer one through."""
    worst = notional(price, size) + max_fee(Price(1), price, size, FEE_MULTIPLIER)
    return Money(
        min(worst, limits.max_event_cost_dollars, limits.max_open_cost_dollars, limits.max_daily_loss_dollars)
    )


def at_most(limits: RiskSection) -> Mapping[str, Money]:
    """By what it is lost with: one order of the most contracts at the highest price, one event, all that is open, one day."""
    return {
        "an order": of_order(limits.max_contracts_per_order, HIGHEST, limits),
        "an event": min(
            limits.max_event_cost_dollars, limits.max_open_cost_dollars, limits.max_daily_loss_dollars
        ),
        "all that is open": min(limits.max_open_cost_dollars, limits.max_daily_loss_dollars),
        "a day": limits.max_daily_loss_dollars,
    }
