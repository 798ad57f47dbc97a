"""What a market's own terms say about an order: its fees and its shard; it decides nothing."""

from __future__ import annotations

from functools import lru_cache

from recio.exchange_sim.engine.fees import WHOLE, FeeTerms
from recio.exchange_sim.market.markets import Market


def fee_terms(market: Market) -> FeeTerms:
    """The fees of the market's series."""
    return _terms(market.spec.fee_type, market.spec.fee_multiplier)


def shard_of(market: Market) -> int:
    """The engine that holds the market and the collateral behind its orders."""
    return market.spec.shard


@lru_cache(maxsize=64)
def _terms(fee_type: str, multiplier: float) -> FeeTerms:
    return FeeTerms(fee_type=fee_type, multiplier=round(multiplier * WHOLE))
