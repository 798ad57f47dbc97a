"""How many contracts an entry asks for: a fixed number, or a capped part of the Kelly stake on the lower bound of the probability.

Exact in contracts and dollars, rounded down; it only ever makes smaller what the other limits allow.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal

from recio.settings.trading import EntrySection, Sizing
from recio.units import (
    ONE_CONTRACT,
    Money,
    Price,
    Quantity,
    money_decimal,
    price_decimal,
    price_text,
    quantity_text,
)

ONE = Decimal(1)


def kelly_part(lower: float, cost: Decimal) -> Decimal:
    """The part of a bankroll that a bet of `cost` dollars for one dollar is worth at this probability; zero without an edge."""
    probability = Decimal(f"{lower:.6f}")
    if not 0 < cost < 1 or probability <= cost:
        return Decimal(0)
    return (probability - cost) / (ONE - cost)


def contracts(
    settings: EntrySection,
    limit: Price,
    fee_per_contract: Money,
    lower_bound: Callable[[], float | str],
    available: Quantity,
) -> Quantity | str:
    """What to ask for at this price at most, or why nothing: a crumb is left to others.

    `lower_bound` gives the lower bound of the probability, or why there is none; it costs more than the rest and is
    asked only where it counts.
    """
    wanted = _wanted(settings, limit, fee_per_contract, lower_bound, available)
    if isinstance(wanted, str) or wanted >= settings.min_contracts:
        return wanted
    least = quantity_text(settings.min_contracts)
    return (
        f"{quantity_text(wanted)} contracts could be had up to {price_text(limit)} (at least {least} wanted)"
    )


def _wanted(
    settings: EntrySection,
    limit: Price,
    fee_per_contract: Money,
    lower_bound: Callable[[], float | str],
    available: Quantity,
) -> Quantity | str:
    most = Quantity(min(settings.contracts, available))
    match settings.sizing:
        case Sizing.FIXED:
            return most
        case Sizing.KELLY:
            bankroll = settings.kelly_bankroll_dollars
            if bankroll is None:
                return "there is no bankroll: kelly_bankroll_dollars is off"
            lower = lower_bound()
            if isinstance(lower, str):
                return lower
            cost = price_decimal(limit) + money_decimal(fee_per_contract)
            part = kelly_part(lower, cost)
            if not part:
                return f"at its lower bound {lower:.1%} a contract of ${cost:.4f} has no edge"
            stake = part * Decimal(str(settings.kelly_fraction)) * money_decimal(bankroll)
            wanted = (stake / cost * ONE_CONTRACT).to_integral_value(ROUND_DOWN)
            asked = Quantity(min(most, int(wanted)))
            return asked if asked > 0 else f"a stake of ${stake:.4f} buys less than a hundredth of a contract"
