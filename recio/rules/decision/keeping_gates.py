"""Whether what could be bought would be kept: not beside somebody else's position, and neither under its own exit's stop nor out of its sight; it prices nothing."""

from __future__ import annotations

import math
from datetime import datetime

from recio.messages.account import AccountView
from recio.messages.controls import Switch, TradingControls
from recio.messages.markets import MarketView
from recio.messages.prices import PriceView
from recio.rules.account.risk import made_externally
from recio.rules.decision.entry_gates import Waits
from recio.rules.decision.exit_reasons import ExitContext, sells_at_once
from recio.rules.market.quotes import bid_of
from recio.settings.trading import ExitSection
from recio.units import Side


def keeping_gate(
    view: MarketView,
    side: Side,
    probability: float,
    price: PriceView,
    *,
    account: AccountView | None,
    controls: TradingControls | None,
    exits: ExitSection | None,
    now: datetime,
) -> Waits | None:
    """The first gate that is closed. `exits` None: nobody asks whether it would be sold again."""
    if external := made_externally(account, view.market.ticker):
        return Waits(gate="made externally", sentence=external)
    is_off = controls is not None and controls.off(Switch.EXIT) is not None
    why = "" if exits is None or is_off else own_exit(view, side, probability, price, exits, now)
    return Waits(gate="own exit", sentence=why) if why else None


def own_exit(
    view: MarketView, side: Side, probability: float, price: PriceView, exits: ExitSection, now: datetime
) -> str:
    """Why what is bought at this sight would be sold again on the same sight, or held without a stop; empty if it would be kept."""
    age = (now - price.tick.at).total_seconds()
    if exits.enabled and exits.stop_probability is not None and age > exits.max_price_age_seconds:
        return (
            f"its own exit could judge no stop: price is {age:.1f} s old (exit.max_price_age_seconds ="
            f" {exits.max_price_age_seconds:g})"
        )
    quote = bid_of(view, side)
    seen = ExitContext(
        remaining=(view.market.close_time - now).total_seconds(),
        held_for=math.inf,
        bid=None if quote is None else quote[0],
        probability=probability,
        momentum=price.momentum,
    )
    why = sells_at_once(side, seen, exits, now)
    return f"its own exit would sell it again: {why}" if why else ""
