"""Which limits a start puts in force: each falls with the config, and rises only where somebody granted it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from recio.settings.risk import RiskSection

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


def _typed(name: str, amount: Decimal) -> int | Decimal:
    """As the config would have it: a count is whole."""
    return int(amount) if isinstance(RiskSection().model_dump()[name], int) else amount
