"""The fields of a market that both interfaces show in the same words; it only reads."""

from __future__ import annotations

import msgspec

from recio.exchange_sim.engine.units import fixed_text
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.naming import short_text
from recio.exchange_sim.market.series import Kind
from recio.exchange_sim.market.strikes import StrikeType
from recio.exchange_sim.wire.texts import Json, dollars

EXPECTED_EXPIRATION_MS = 300_000


def strike_json(market: Market) -> Json:
    """What a market is about: the kind of its strike and the numbers that are known of it, exact."""
    digits = market.spec.asset.digits
    if market.spec.custom_strikes:
        return _custom_strike_json(market)
    known = market.spec.kind is not Kind.WINDOW or market.strike is not None
    body: Json = {"strike_type": market.strike_type.value} if known else {}
    if market.strike is not None:
        body["floor_strike"] = msgspec.Raw(short_text(market.strike, digits).encode())
    if market.cap is not None:
        body["cap_strike"] = msgspec.Raw(short_text(market.cap, digits).encode())
    if market.spec.kind is Kind.WINDOW:
        body["custom_strike"] = {"round_digits": str(digits)}
    return body


def _custom_strike_json(market: Market) -> Json:
    """What small coins have instead: both ends as texts, the lower one included, and none of them at the top."""
    digits = market.spec.asset.digits
    win, lose = market.edges
    body: Json = {
        "strike_type": StrikeType.BETWEEN.value,
        "floor_strike": "" if win is None else fixed_text(win, digits),
        "cap_strike": "" if lose is None else fixed_text(lose - 1, digits),
    }
    return {"strike_type": "custom", "custom_strike": body}


def grid_json(market: Market) -> Json:
    ranges = [
        {"end": dollars(end), "start": dollars(start), "step": dollars(step)}
        for start, end, step in market.grid.ranges
    ]
    return {"price_level_structure": market.grid.name, "price_ranges": ranges}


def payout_text(market: Market) -> str:
    return dollars(market.payout)
