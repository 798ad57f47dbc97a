"""[model], [entry] and [exit]: what is believed, when to buy and when to sell; what may be risked is not among them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from recio.settings.section import Section
from recio.settings.units import (
    Count,
    EdgeSetting,
    MoneySetting,
    PriceSetting,
    Probability,
    QuantitySetting,
    Seconds,
    between,
)
from recio.units import money, price, quantity


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
    contracts: Annotated[QuantitySetting, between("0.01", "100000")] = quantity("10")
    sizing: Sizing = Sizing.FIXED
    kelly_fraction: float = Field(default=0.25, gt=0, le=1)
    kelly_bankroll_dollars: MoneySetting = money("0")
    min_edge_dollars: EdgeSetting = money("0.02")
    min_probability: Probability = 0.0
    min_price_dollars: PriceSetting = price("0.10")
    max_price_dollars: PriceSetting = price("0.90")
    max_slippage_dollars: PriceSetting = price("0.02")
    min_seconds_to_close: float = Field(default=75, ge=0)
    max_seconds_to_close: Seconds = 840
    max_price_age_seconds: Seconds = 5.0
    max_book_age_seconds: Seconds = 5.0
    max_spread_dollars: PriceSetting = price("0")
    min_depth_contracts: Annotated[QuantitySetting, between("0", "1000000")] = quantity("0")
    watch_edge_margin_dollars: EdgeSetting = money("0.03")
    watch_probability_margin: Probability = 0.05
    max_entries_per_market: Count = 1
    cooldown_seconds: float = Field(default=60, ge=0)
    spike_trigger_bp: float = Field(default=0, ge=0, le=10_000)
    spike_resume_bp: float = Field(default=30, ge=0, le=10_000)
    spike_calm_minutes: Annotated[int, Field(ge=1, le=60)] = 15

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


class ExitSection(Section):
    enabled: bool = True
    stop_probability: Probability = 0.25
    stop_confirm_seconds: float = Field(default=0, ge=0, le=3_600)
    hard_stop_probability: Probability = 0.0
    stop_price_dollars: PriceSetting = price("0")
    take_profit_dollars: PriceSetting = price("0")
    momentum_stop_bp: float = Field(default=0, ge=0, le=10_000)
    time_stop_seconds_to_close: float = Field(default=0, ge=0)
    min_hold_seconds: float = Field(default=0, ge=0)
    min_seconds_to_close: float = Field(default=15, ge=0)
    max_slippage_dollars: PriceSetting = price("0.05")
    floor_step_dollars: PriceSetting = price("0.05")
    min_floor_dollars: PriceSetting = price("0")
    retry_seconds: float = Field(default=10, ge=0)
    alarm_after_seconds: Seconds = 30.0
    max_price_age_seconds: Seconds = 10.0
    max_book_age_seconds: Seconds = 10.0

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
