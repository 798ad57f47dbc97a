"""Says what is wrong with a fault that somebody asks for, before anything meets it; it arms nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from http import HTTPStatus
from math import isfinite

from recio.exchange_sim.faults.faults import Fault, RandomFaults
from recio.exchange_sim.faults.kinds import FEED_KINDS, LAGGING_KINDS, LASTING_KINDS, FaultKind

FEEDS = ("coinbase", "kraken")
LONGEST_SECONDS = 10_000_000.0
"""Four months: at 60 times the pace of the world it still ends in a year that has a date."""
LONGEST_LAG_SECONDS = 100_000_000.0
"""Three years: longer than any exchange has been up, at any pace that it may have."""
_FIELDS = frozenset(field.name for field in fields(Fault))
_STREAM_FIELDS = frozenset({"kind"} | {field.name for field in fields(RandomFaults)})


def flaw(fault: Fault, named: Iterable[str]) -> str | None:
    """What is wrong with it or with the fields that it was written with, and what would be right; None when nothing is."""
    unknown = _unknown("a fault", named, _FIELDS)
    if unknown is not None:
        return unknown
    if fault.count < 1:
        return f"count is how often it is met, 1 or more, not {fault.count}"
    earliest = -LONGEST_SECONDS if fault.kind is FaultKind.MOVE_CLOSE else 0.0
    beyond = _beyond(
        ("seconds", fault.seconds, earliest, LONGEST_SECONDS),
        ("lag_seconds", fault.lag_seconds, 0.0, LONGEST_LAG_SECONDS),
        ("spread", fault.spread, 0.0, LONGEST_SECONDS),
    )
    if beyond is not None:
        return beyond
    if fault.kind in LASTING_KINDS and fault.seconds == 0:
        return f"seconds is how long {fault.kind} lasts, above 0"
    if fault.kind in LAGGING_KINDS and fault.lag_seconds == 0:
        return f"lag_seconds is how late {fault.kind} makes things, above 0"
    if fault.percent is not None and not isfinite(fault.percent):
        return f"percent is a number, not {fault.percent}"
    if fault.kind is FaultKind.FAIL_READS and not _answers(fault.status):
        return f"status is 0, 200 or an error of 400 to 599, not {fault.status}"
    if fault.kind in FEED_KINDS and fault.ticker not in FEEDS:
        return f"ticker names the spot feed, {' or '.join(FEEDS)}, not {fault.ticker!r}"
    return None


def stream_flaw(stream: RandomFaults, named: Iterable[str]) -> str | None:
    """The same of a stream of faults."""
    return _unknown("a stream", named, _STREAM_FIELDS) or _beyond(
        ("rate", stream.rate, 0.0, 1.0),
        ("seconds", stream.seconds, 0.0, LONGEST_SECONDS),
        ("delay_seconds", stream.delay_seconds, 0.0, LONGEST_SECONDS),
    )


def _unknown(what: str, named: Iterable[str], known: frozenset[str]) -> str | None:
    unknown = sorted(set(named) - known)
    return f"no field {', '.join(unknown)}: {what} has {', '.join(sorted(known))}" if unknown else None


def _beyond(*bounds: tuple[str, float, float, float]) -> str | None:
    """The first value that is not between its least and its most."""
    for name, value, least, most in bounds:
        if not least <= value <= most:
            return f"{name} is {least:.0f} to {most:.0f}, not {value}"
    return None


def _answers(status: int) -> bool:
    return status in (0, HTTPStatus.OK) or HTTPStatus.BAD_REQUEST <= status < 600
