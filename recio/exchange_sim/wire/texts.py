"""Integers of the venue as the texts of its wire, cached because the same few thousand recur; it decides nothing."""

from __future__ import annotations

from functools import lru_cache

from recio.exchange_sim.engine.units import ONE_DOLLAR, money_text, price_text, quantity_text

Json = dict[str, object]
"""An object of the wire."""


@lru_cache(maxsize=16_384)
def dollars(price: int) -> str:
    """5200 -> '0.5200'."""
    return price_text(price)


@lru_cache(maxsize=65_536)
def count(quantity: int) -> str:
    """1300 -> '13.00'."""
    return quantity_text(quantity)


def cost(money: int) -> str:
    """17500 -> '0.017500'."""
    return money_text(money)


def balance(money: int) -> str:
    """98018600 -> '98.0186': four decimals, anything finer cut off."""
    return price_text(money // 100)


def other_side(price: int) -> str:
    return dollars(ONE_DOLLAR - price)


def book_side(*, bid: bool) -> str:
    return "bid" if bid else "ask"


def outcome(*, bid: bool) -> str:
    return "yes" if bid else "no"
