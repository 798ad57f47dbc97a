"""Which limits are in force: each falls with the config or a person's word, and rises only at a start that was granted it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from recio.messages.controls import LowerLimit
from recio.settings.risk import RiskSection, fault_of_limits

IN_ROWS = tuple(name for name in RiskSection.model_fields if name != "max_send_delay_seconds")
"""The settings of [risk] that are rows; a decision's deadline is none of them, because it risks no money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """A limit that the config wants higher than it may be."""

    name: str
    wanted: Decimal
    stays: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsInForce:
    limits: RiskSection
    held_back: tuple[HeldBack, ...]


def wanted(section: RiskSection) -> dict[str, Decimal]:
    """The limits that the config asks for, by name, in dollars, contracts or a number."""
    amounts = section.model_dump()
    return {name: Decimal(amounts[name]) for name in IN_ROWS}


def in_force(section: RiskSection, ceilings: Mapping[str, Decimal]) -> LimitsInForce:
    """The config's limits, none above its ceiling; a limit without a ceiling is new and may be anything."""
    asked = wanted(section)
    held_back = tuple(
        HeldBack(name=name, wanted=amount, stays=ceilings[name])
        for name, amount in asked.items()
        if name in ceilings and amount > ceilings[name]
    )
    stays = {each.name: _typed(each.name, each.stays) for each in held_back}
    return LimitsInForce(limits=RiskSection.model_validate(section.model_dump() | stays), held_back=held_back)


def as_section(amounts: Mapping[str, Decimal]) -> RiskSection:
    """The rows of a run as settings."""
    return RiskSection.model_validate({name: _typed(name, amount) for name, amount in amounts.items()})


def lowered(section: RiskSection, cuts: tuple[LowerLimit, ...]) -> RiskSection:
    """The limits of the start, less what a person lowered since."""
    return in_force(section, {each.name: each.amount for each in cuts}).limits if cuts else section


def fault_of_cut(section: RiskSection, name: str, amount: Decimal) -> str:
    """Why a limit in force cannot be lowered to this amount; empty: it can."""
    if name not in IN_ROWS:
        return f"limit = {name!r}: choose {', '.join(IN_ROWS)}"
    now = wanted(section)[name]
    if amount >= now:
        return (
            f"amount = {amount.normalize():f}: {name} is {now.normalize():f} and can only be lowered here;"
            " for more raise it in recio.toml, then recio limits grant --by NAME, and start again"
        )
    if said := _fault_of_value(section, name, amount):
        return f"{said}; to buy nothing at all switch entries off" if "whole number" not in said else said
    return ""


def fault_of_grant(section: RiskSection, name: str, amount: Decimal) -> str:
    """Why the next start cannot be let raise a limit in force to this amount; empty: it can."""
    if name not in IN_ROWS:
        return f"limit = {name!r}: choose {', '.join(IN_ROWS)}"
    now = wanted(section)[name]
    if amount <= now:
        return f"amount = {amount.normalize():f}: {name} is {now.normalize():f}, which is no less: lower it instead, or name more"
    return _fault_of_value(section, name, amount)


def with_rows(section: RiskSection, amounts: Mapping[str, Decimal]) -> RiskSection:
    """With some limits of other amounts. Raises ValidationError for amounts that are none."""
    return RiskSection.model_validate(
        section.model_dump() | {name: _typed(name, amount) for name, amount in amounts.items()}
    )


def _fault_of_value(section: RiskSection, name: str, amount: Decimal) -> str:
    shown = f"amount = {amount.normalize():f}: {name}"
    if said := fault_of_limits(section.model_dump() | {name: _typed(name, amount)}):
        return f"{shown}: {said}"
    if wanted(with_rows(section, {name: amount}))[name] != amount:
        return f"{shown} is a whole number"
    return ""


def _typed(name: str, amount: Decimal) -> int | Decimal:
    """As the config would have it: a count is whole."""
    return int(amount) if isinstance(RiskSection().model_dump()[name], int) else amount
