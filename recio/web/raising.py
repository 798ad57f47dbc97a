"""What a limit would be after a raise, and what could then be lost at most, in words and figures for whoever is about to grant it; it grants nothing."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import asyncpg
from pydantic import ValidationError

from recio.db import limits
from recio.db.connection import Connection, transaction
from recio.errors import Transient
from recio.rules.account.at_most import at_most
from recio.rules.account.limits import fault_of_grant, wanted, with_rows
from recio.settings.risk import RiskSection
from recio.units import Money, money_decimal
from recio.web.act_bodies import AmountText, LimitName
from recio.web.answers import DecimalText, Given, Taken
from recio.web.refusals import NotAsked


class RaiseQuery(Taken):
    limit: LimitName
    amount: AmountText
    """What it is to become, in its own unit."""


class Raise(Given):
    """One limit as it is and as it may become at the next start; money is dollars."""

    limit: str
    now: DecimalText
    becomes: DecimalText
    at_most_now: dict[str, DecimalText]
    at_most_then: dict[str, DecimalText]
    sentence: str


async def seen(
    pool: asyncpg.Pool[asyncpg.Record], started: RiskSection, limit: str, amount: Decimal
) -> Raise:
    """Raises NotAsked: 409 for what is no raise, 503."""
    try:
        async with transaction(pool) as connection:
            return await look(connection, started, limit, amount)
    except Transient as error:
        raise NotAsked(503, "the database is away: the limits cannot be read now", 2.0) from error


async def look(connection: Connection, started: RiskSection, limit: str, amount: Decimal) -> Raise:
    """By the rows, whatever this process knows. Raises NotAsked(409) for what is no raise."""
    now, following = await limits.standing(connection)
    return preview(with_rows(started, now), following, limit, amount)


def preview(now: RiskSection, following: Mapping[str, Decimal], limit: str, amount: Decimal) -> Raise:
    """`now`: the limits in force; `following`: how high the next start may have each. Raises NotAsked(409) for what is no raise."""
    if wrong := fault_of_grant(now, limit, amount):
        raise NotAsked(409, wrong)
    before = {name: most for name, most in following.items() if most > wanted(now)[name]}
    if before.get(limit, amount) > amount:
        raise NotAsked(
            409,
            f"amount = {_plain(amount)}: {limit} was granted {_plain(before[limit])} for the next start already:"
            " lower it to take that back, or name more",
        )
    try:
        then = with_rows(now, before | {limit: amount})
    except ValidationError:
        raise NotAsked(
            409, f"{limit}: it does not go with what was granted before ({_named(now, before)})"
        ) from None
    return Raise(
        limit=limit,
        now=_plain(wanted(now)[limit]),
        becomes=_plain(amount),
        at_most_now=_dollars(now),
        at_most_then=_dollars(then),
        sentence=_sentence(now, then, before, limit),
    )


def _sentence(now: RiskSection, then: RiskSection, before: Mapping[str, Decimal], limit: str) -> str:
    """All that somebody has to know to say yes; of two that are the same word by word neither says anything new."""
    was, becomes = at_most(now), at_most(then)
    more = [
        f"{what} {_shown(was[what])} \u2192 {_shown(becomes[what])}"
        for what in becomes
        if becomes[what] != was[what]
    ]
    risked = (
        f"Then at most risked: {', '.join(more)}."
        if more
        else f"What may be lost at most stays: a day {_shown(becomes['a day'])}."
    )
    also = f" Granted before for the same start: {_named(now, before)}." if before else ""
    return (
        f"{_named(now, {limit: wanted(then)[limit]})}, from the next start on, and no more than"
        f" [risk] of recio.toml says then. Until then nothing changes.{also} {risked}"
    )


def _named(now: RiskSection, amounts: Mapping[str, Decimal]) -> str:
    is_now = wanted(now)
    return ", ".join(
        f"{name}: {_plain(is_now[name])} \u2192 {_plain(amounts[name])}" for name in sorted(amounts)
    )


def granted(limit: str, amount: Decimal, now: RiskSection) -> str:
    """Once it is."""
    return (
        f"{limit} may become {_plain(amount)} at the next start, if recio.toml says as much;"
        f" it is {_plain(wanted(now)[limit])} now"
    )


def _dollars(section: RiskSection) -> dict[str, str]:
    return {what: _plain(money_decimal(amount)) for what, amount in at_most(section).items()}


def _shown(amount: Money) -> str:
    return f"${money_decimal(amount):,.2f}"


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
