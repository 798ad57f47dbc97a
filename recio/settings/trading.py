"""[model], [entry] and [exit]: what is believed, when to buy and when to sell; what may be risked is not among them."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from recio.settings.section import Section
from recio.settings.units import Count, Dollars, Probability, Seconds, exact
from recio.units import Money, Price, Quantity, money, price, quantity


class ModelKind(StrEnum):
    AVERAGE = "average"
    EMPIRICAL = "empirical"


class ModelSection(Section):
    kind: ModelKind = ModelKind.AVERAGE
    time_of_day: bool = True


class Sizing(StrEnum):
    FIXED = "fixed"
    KELLY = "kelly"


class EntrySection(Section):
    """Gates of the one entry rule; times are market time."""

    enabled: bool = False
    contracts: Decimal = Field(default=Decimal("10"), ge=Decimal("0.01"), le=100_000)
    sizing: Sizing = Sizing.FIXED
    kelly_fraction: float = Field(default=0.25, gt=0, le=1)
    kelly_bankroll_dollars: Dollars = Decimal(0)
    min_edge_dollars: Dollars = Decimal("0.02")
    min_probability: Probability = 0.0
    min_price_dollars: Dollars = Decimal("0.10")
    max_price_dollars: Dollars = Decimal("0.90")
    max_slippage_dollars: Dollars = Decimal("0.02")
    min_seconds_to_close: float = Field(default=75, ge=0)
    max_seconds_to_close: Seconds = 840
    max_price_age_seconds: Seconds = 5.0
    max_book_age_seconds: Seconds = 5.0
    max_spread_dollars: Dollars = Decimal(0)
    min_depth_contracts: Decimal = Field(default=Decimal(0), ge=0, le=1_000_000)
    watch_edge_margin_dollars: Dollars = Decimal("0.03")
    watch_probability_margin: Probability = 0.05
    max_entries_per_market: Count = 1
    cooldown_seconds: float = Field(default=60, ge=0)
    spike_trigger_bp: float = Field(default=0, ge=0, le=10_000)
    spike_resume_bp: float = Field(default=30, ge=0, le=10_000)
    spike_calm_minutes: Annotated[int, Field(ge=1, le=60)] = 15

    @field_validator("contracts", "min_depth_contracts")
    @classmethod
    def whole_hundredths(cls, value: Decimal) -> Decimal:
        return exact(value, quantity)

    @field_validator(
        "min_price_dollars",
        "max_price_dollars",
        "min_edge_dollars",
        "max_slippage_dollars",
        "max_spread_dollars",
        "watch_edge_margin_dollars",
    )
    @classmethod
    def exact_price(cls, value: Decimal) -> Decimal:
        return exact(value, price)

    @model_validator(mode="after")
    def ordered(self) -> EntrySection:
        if self.min_price_dollars >= self.max_price_dollars:
            raise ValueError("min_price_dollars must be below max_price_dollars")
        if self.min_seconds_to_close >= self.max_seconds_to_close:
            raise ValueError("min_seconds_to_close must be below max_seconds_to_close")
        if self.sizing is Sizing.KELLY and not self.kelly_bankroll_dollars:
            raise ValueError(
                'sizing = "kelly" needs kelly_bankroll_dollars: the amount that stakes are a part of, which does not follow'
                " the balance"
            )
        if 0 < self.spike_trigger_bp <= self.spike_resume_bp:
            raise ValueError(
                "spike_resume_bp must be below spike_trigger_bp: between the two a pause goes on"
            )
        return self

    @property
    def max_spread(self) -> Price:
        return price(f"{self.max_spread_dollars:f}")

    @property
    def min_depth(self) -> Quantity:
        return quantity(f"{self.min_depth_contracts:f}")

    @property
    def size(self) -> Quantity:
        return quantity(f"{self.contracts:f}")

    @property
    def min_price(self) -> Price:
        return price(f"{self.min_price_dollars:f}")

    @property
    def max_price(self) -> Price:
        return price(f"{self.max_price_dollars:f}")

    @property
    def max_slippage(self) -> Price:
        return price(f"{self.max_slippage_dollars:f}")

    @property
    def min_edge(self) -> Money:
        """Money per contract."""
        return money(f"{self.min_edge_dollars:f}")


class ExitSection(Section):
    enabled: bool = True
    stop_probability: Probability = 0.25
    stop_confirm_seconds: float = Field(default=0, ge=0, le=3_600)
    hard_stop_probability: Probability = 0.0
    stop_price_dollars: Dollars = Decimal(0)
    take_profit_dollars: Dollars = Decimal(0)
    momentum_stop_bp: float = Field(default=0, ge=0, le=10_000)
    time_stop_seconds_to_close: float = Field(default=0, ge=0)
    min_hold_seconds: float = Field(default=0, ge=0)
    min_seconds_to_close: float = Field(default=15, ge=0)
    max_slippage_dollars: Dollars = Decimal("0.05")
    floor_step_dollars: Dollars = Decimal("0.05")
    min_floor_dollars: Dollars = Decimal(0)
    retry_seconds: float = Field(default=10, ge=0)
    alarm_after_seconds: Seconds = 30.0
    max_price_age_seconds: Seconds = 10.0
    max_book_age_seconds: Seconds = 10.0

    @field_validator(
        "max_slippage_dollars",
        "stop_price_dollars",
        "take_profit_dollars",
        "floor_step_dollars",
        "min_floor_dollars",
    )
    @classmethod
    def exact_price(cls, value: Decimal) -> Decimal:
        return exact(value, price)

    @model_validator(mode="after")
    def ordered(self) -> ExitSection:
        if self.hard_stop_probability > self.stop_probability:
            raise ValueError("hard_stop_probability must not be above stop_probability: it is the lower one")
        if self.take_profit_dollars and self.take_profit_dollars <= self.stop_price_dollars:
            raise ValueError("take_profit_dollars must be above stop_price_dollars")
        if 0 < self.time_stop_seconds_to_close <= self.min_seconds_to_close:
            raise ValueError(
                "time_stop_seconds_to_close must be above min_seconds_to_close, below which nothing is sold"
            )
        return self

    @property
    def max_slippage(self) -> Price:
        return price(f"{self.max_slippage_dollars:f}")

    @property
    def stop_price(self) -> Price:
        return price(f"{self.stop_price_dollars:f}")

    @property
    def take_profit(self) -> Price:
        return price(f"{self.take_profit_dollars:f}")

    @property
    def floor_step(self) -> Price:
        return price(f"{self.floor_step_dollars:f}")

    @property
    def min_floor(self) -> Price:
        return price(f"{self.min_floor_dollars:f}")
