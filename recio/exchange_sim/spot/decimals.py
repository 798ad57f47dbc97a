"""Scaled integers as the spot venues print them: always all decimals, or none that is a trailing zero."""

from __future__ import annotations


def fixed(value: int, decimals: int) -> str:
    """(635016, 1) -> '63501.6', (5100, 8) -> '0.00005100'."""
    digits = f"{value:0{decimals + 1}d}"
    return f"{digits[:-decimals]}.{digits[-decimals:]}"


def trimmed(value: int, decimals: int) -> str:
    """(6351460, 2) -> '63514.6', (8400000, 2) -> '84000'."""
    return fixed(value, decimals).rstrip("0").rstrip(".")
