"""A strategy as the tasks use it: its name, stage, budget, settings and model; and what its trades cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from recio.messages import OpenTrades, OrderPurpose
from recio.rules.model import AVERAGE, Model
from recio.settings.sections import EntrySection, ExitSection, ModelSection
from recio.settings.strategies import DEFAULT, Stage
from recio.units import Money

UNBOUNDED = Money(0)
"""A budget that is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    name: str = DEFAULT
    stage: Stage = Stage.LIVE
    budget: Money = UNBOUNDED
    entry: EntrySection = field(default_factory=EntrySection)
    exit: ExitSection = field(default_factory=ExitSection)
    model: Model = AVERAGE
    model_settings: ModelSection = field(default_factory=ModelSection)


def named(strategies: Iterable[Strategy], name: str) -> Strategy:
    """The strategy of a trade. One that the config no longer names is sold by the rules of the first."""
    every = tuple(strategies)
    return next((each for each in every if each.name == name), every[0])


def cost_of(name: str, trades: OpenTrades) -> Money:
    """What the live trades and unproven orders of one strategy cost at their worst."""
    own = [trade for trade in trades.trades if trade.strategy == name]
    held = sum(max(0, trade.entry_cost - trade.exit_proceeds) for trade in own)
    ids = {trade.trade_id for trade in own}
    pending = sum(
        order.reserved
        for order in trades.orders
        if order.purpose is OrderPurpose.ENTRY and order.trade_id in ids
    )
    return Money(held + pending)
