"""Says what is wrong with a fault that somebody asks for, before anything meets it; it arms nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from http import HTTPStatus
from math import isfinite

from recio.exchange_sim.faults.faults import Fault
from recio.exchange_sim.faults.kinds import FEED_KINDS, FaultKind

FEEDS = ("coinbase", "kraken")
LONGEST_SECONDS = 10_000_000.0
"""Four months: at 60 times the pace of the world it still ends in a year that has a date."""
LONGEST_LAG_SECONDS = 100_000_000.0
"""Three years: longer than any exchange has been up, at any pace that it may have."""
_FIELDS = frozenset(field.name for field in fields(Fault))


def flaw(fault: Fault, named: Iterable[str]) -> str | None:
    """What is wrong with it or with the fields that it was written with, and what would be right; None when nothing is."""
    unknown = sorted(set(named) - _FIELDS)
    if unknown:
        return f"no field {', '.join(unknown)}: a fault has {', '.join(sorted(_FIELDS))}"
    if fault.count < 1:
        return f"count is how often it is met, 1 or more, not {fault.count}"
    earliest = -LONGEST_SECONDS if fault.kind is FaultKind.MOVE_CLOSE else 0.0
    for name, value, least, most in (
        ("seconds", fault.seconds, earliest, LONGEST_SECONDS),
        ("lag_seconds", fault.lag_seconds, 0.0, LONGEST_LAG_SECONDS),
        ("spread", fault.spread, 0.0, LONGEST_SECONDS),
    ):
        if not least <= value <= most:
            return f"{name} is {least:.0f} to {most:.0f}, not {value}"
    if fault.percent is not None and not isfinite(fault.percent):
        return f"percent is a number, not {fault.percent}"
    if fault.kind is FaultKind.FAIL_READS and not _answers(fault.status):
        return f"status is 0, 200 or an error of 400 to 599, not {fault.status}"
    if fault.kind in FEED_KINDS and fault.ticker not in FEEDS:
        return f"ticker names the spot feed, {' or '.join(FEEDS)}, not {fault.ticker!r}"
    return None


def _answers(status: int) -> bool:
    return status in (0, HTTPStatus.OK) or HTTPStatus.BAD_REQUEST <= status < 600
