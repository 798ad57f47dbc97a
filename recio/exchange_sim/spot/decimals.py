"""Scaled integers as Coinbase prints them: no decimal that is a trailing zero."""

from __future__ import annotations

from recio.exchange_sim.engine.units import fixed_text


def trimmed(value: int, decimals: int) -> str:
    """(6351460, 2) -> '63514.6', (8400000, 2) -> '84000'."""
    return fixed_text(value, decimals).rstrip("0").rstrip(".")
