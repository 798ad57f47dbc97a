"""Breaks that change nothing that anybody promises, each with the reason; everything else must be noticed."""

from __future__ import annotations

ACCEPTED: dict[str, str] = {}
"""A part of a break's name: why nobody need notice it."""


def why_accepted(name: str) -> str:
    """The reason, or nothing."""
    return next((why for part, why in ACCEPTED.items() if part in name), "")
