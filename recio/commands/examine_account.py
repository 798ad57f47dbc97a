"""What `recio doctor` asks of the account: what its key may do, and how its fees are rounded; it only reads."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from recio.commands.finding import Finding, Grade, good, judged
from recio.errors import BadConfig, Transient
from recio.kalshi.account import fills
from recio.kalshi.api_keys import MAY_ORDER, READ, own_scopes
from recio.kalshi.responses import VenueRefused
from recio.kalshi.rest import KalshiRest
from recio.messages.account import FillSeen
from recio.rules.pricing.fees import GRAIN

FAULTS = (Transient, BadConfig, VenueRefused)
RECENT = timedelta(days=30)
CENT = 10_000
"""Micro-dollars."""
LOOK_THERE = "look on the venue's own page whether this key may read and write"
LOOK_LATER = "look again after some trades"
ENOUGH = 3
"""Fees of whole cents that are no accident: of a hundred amounts of $0.0001 one is a whole cent."""


async def scopes(rest: KalshiRest) -> Finding:
    try:
        found = await own_scopes(rest)
    except FAULTS as error:
        return _unknown("key scopes", str(error), LOOK_THERE)
    if found is None:
        return _unknown("key scopes", "the venue's list of keys does not name this one", LOOK_THERE)
    told = ", ".join(sorted(found)) or "none"
    if READ not in found:
        return judged("key scopes", told, is_good=False, do="make a key that may read and write")
    return judged(
        "key scopes",
        told,
        is_good=bool(found & MAY_ORDER),
        do="this key may look and not order: make one with write, or only write::trade",
    )


async def rounding(rest: KalshiRest) -> Finding:
    try:
        seen = await fills(rest, rest.clock.utc() - RECENT)
    except FAULTS as error:
        return _unknown("fee rounding", str(error), LOOK_LATER)
    return rounding_of(seen)


def rounding_of(seen: Iterable[FillSeen]) -> Finding:
    """Members are rounded to $0.0001, customers of a broker to whole cents: on small orders that is most of the fee."""
    fees = [each.fee for each in seen if each.is_taker and each.fee > 0]
    finer = [fee for fee in fees if fee % CENT]
    if finer:
        return good("fee rounding", f"to $0.0001, as recio computes, by {len(fees)} fees of the last 30 days")
    if len(fees) >= ENOUGH:
        return judged(
            "fee rounding",
            f"to whole cents, by {len(fees)} fees of the last 30 days, and recio computes ${GRAIN / 1_000_000}",
            is_good=False,
            do="this account pays more than recio reckons with: ask the venue for direct membership, or do not trade with it",
        )
    return _unknown("fee rounding", f"{len(fees)} fees in the last 30 days tell nothing", LOOK_LATER)


def _unknown(name: str, says: str, do: str) -> Finding:
    return Finding(name=name, grade=Grade.NOTE, says=says, do=do)
