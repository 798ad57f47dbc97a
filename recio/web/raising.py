"""What a limit would be after a raise, and what could then be lost at most, in words and figures for whoever is about to grant it; it grants nothing."""

from __future__ import annotations

from decimal import Decimal

from recio.rules.account.at_most import at_most
from recio.rules.account.limits import changed, fault_of_grant, wanted
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


def preview(now: RiskSection, limit: str, amount: Decimal) -> Raise:
    """`now`: the limits in force. Raises NotAsked(409) for what is no raise."""
    if wrong := fault_of_grant(now, limit, amount):
        raise NotAsked(409, wrong)
    then = changed(now, limit, amount)
    return Raise(
        limit=limit,
        now=_plain(wanted(now)[limit]),
        becomes=_plain(amount),
        at_most_now=_dollars(now),
        at_most_then=_dollars(then),
        sentence=_sentence(now, then, limit, amount),
    )


def _sentence(now: RiskSection, then: RiskSection, limit: str, amount: Decimal) -> str:
    before, after = at_most(now), at_most(then)
    more = [
        f"{what} {_shown(before[what])} \u2192 {_shown(after[what])}"
        for what in after
        if after[what] != before[what]
    ]
    risked = (
        f"Then at most risked: {', '.join(more)}."
        if more
        else f"What may be lost at most stays: a day {_shown(after['a day'])}."
    )
    return (
        f"{limit}: {_plain(wanted(now)[limit])} \u2192 {_plain(amount)}, from the next start on, and no more than"
        f" [risk] of recio.toml says then. Until then nothing changes. {risked}"
    )


def granted(limit: str, amount: Decimal, now: RiskSection) -> str:
    """Once it is."""
    return (
        f"{limit} may become {_plain(amount)} at the next start, if recio.toml says as much;"
        f" it is {_plain(wanted(now)[limit])} now"
    )


def _dollars(limits: RiskSection) -> dict[str, str]:
    return {what: _plain(money_decimal(amount)) for what, amount in at_most(limits).items()}


def _shown(amount: Money) -> str:
    return f"${money_decimal(amount):,.2f}"


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
