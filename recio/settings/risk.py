"""[risk]: the most that may be risked; a limit is a number and is never off."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field, field_validator

from recio.settings.section import Section
from recio.settings.units import Count, Dollars, exact
from recio.units import Money, Price, Quantity, money, price, quantity


class RiskSection(Section):
    """What may be risked. All but the deadline become rows at a start, which may lower them and never raise them."""

    max_contracts_per_order: Decimal = Field(default=Decimal("50"), gt=0)
    max_contracts_per_strike: Decimal = Field(default=Decimal("50"), gt=0)
    max_entries_per_event: Count = 2
    max_event_cost_dollars: Dollars = Decimal("60")
    max_open_trades: Count = 3
    max_open_cost_dollars: Dollars = Decimal("100")
    max_daily_loss_dollars: Dollars = Decimal("50")
    max_orders_per_minute: Count = 30
    max_consecutive_losses: Annotated[int, Field(ge=1, le=1_000_000)] = 8
    price_collar_dollars: Dollars = Decimal("0.05")
    max_send_delay_seconds: Annotated[float, Field(gt=0, le=60)] = 2.0

    @field_validator("max_contracts_per_order", "max_contracts_per_strike")
    @classmethod
    def whole_hundredths(cls, value: Decimal) -> Decimal:
        return exact(value, quantity)

    @field_validator("price_collar_dollars")
    @classmethod
    def exact_price(cls, value: Decimal) -> Decimal:
        return exact(value, price)

    @field_validator("max_event_cost_dollars", "max_open_cost_dollars", "max_daily_loss_dollars")
    @classmethod
    def exact_amount(cls, value: Decimal) -> Decimal:
        return exact(value, money)

    @property
    def max_order(self) -> Quantity:
        return quantity(f"{self.max_contracts_per_order:f}")

    @property
    def max_strike(self) -> Quantity:
        return quantity(f"{self.max_contracts_per_strike:f}")

    @property
    def max_event_cost(self) -> Money:
        return money(f"{self.max_event_cost_dollars:f}")

    @property
    def max_open_cost(self) -> Money:
        return money(f"{self.max_open_cost_dollars:f}")

    @property
    def max_daily_loss(self) -> Money:
        return money(f"{self.max_daily_loss_dollars:f}")

    @property
    def price_collar(self) -> Price:
        return price(f"{self.price_collar_dollars:f}")
