"""[risk]: the most that may be risked; a limit is a number and is never off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, ValidationError

from recio.settings.section import Section
from recio.settings.units import Count, MoneySetting, PriceSetting, QuantitySetting, between
from recio.units import money, price, quantity

ContractsLimit = Annotated[QuantitySetting, between("0.01")]


class RiskSection(Section):
    """What may be risked. All but the deadline become rows at a start, which may lower them and never raise them."""

    max_contracts_per_order: ContractsLimit = quantity("50")
    max_contracts_per_strike: ContractsLimit = quantity("50")
    max_entries_per_event: Count = 2
    max_event_cost_dollars: MoneySetting = money("60")
    max_open_trades: Count = 3
    max_open_cost_dollars: MoneySetting = money("100")
    max_daily_loss_dollars: MoneySetting = money("50")
    max_orders_per_minute: Count = 30
    max_consecutive_losses: Annotated[int, Field(ge=1, le=1_000_000)] = 8
    price_collar_dollars: PriceSetting = price("0.05")
    max_send_delay_seconds: Annotated[float, Field(gt=0, le=60)] = 2.0


def fault_of_limits(values: Mapping[str, object]) -> str:
    """What is wrong with the first that is none, in words; empty: they are limits."""
    try:
        RiskSection.model_validate(values)
    except ValidationError as error:
        return error.errors()[0]["msg"].removeprefix("Value error, ").replace("Input should", "it must")
    return ""
