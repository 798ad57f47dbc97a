"""[model], [entry] and [exit]: what is believed, when to buy and when to sell; what may be risked is not among them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from recio.settings.section import Section
from recio.settings.units import (
    BasisPoints,
    BasisPointsOrOff,
    CountOrOff,
    EdgeSetting,
    MoneyOrOff,
    PriceOrOff,
    PriceSetting,
    Probability,
    ProbabilityOrOff,
    QuantityOrOff,
    QuantitySetting,
    Seconds,
    SecondsOrOff,
    between,
    zero_would,
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
    min_contracts: Annotated[QuantitySetting, between("0.01", "100000")] = quantity("1")
    sizing: Sizing = Sizing.FIXED
    kelly_fraction: Annotated[Probability, Field(gt=0)] = 0.25
    kelly_bankroll_dollars: Annotated[
        MoneyOrOff, zero_would("stake nothing", 'write the amount, or "off" with sizing = "fixed"')
    ] = None
    only_what_exit_keeps: bool = True
    min_edge_dollars: EdgeSetting = money("0.02")
    min_probability: Annotated[ProbabilityOrOff, zero_would("hold nothing back")] = None
    min_price_dollars: PriceSetting = price("0.10")
    max_price_dollars: PriceSetting = price("0.90")
    max_slippage_dollars: PriceSetting = price("0.02")
    min_seconds_to_close: float = Field(default=75, ge=0)
    max_seconds_to_close: Seconds = 840
    max_price_age_seconds: Seconds = 5.0
    max_book_age_seconds: Seconds = 5.0
    max_spread_dollars: Annotated[PriceOrOff, zero_would("let nothing through")] = None
    min_depth_contracts: Annotated[QuantityOrOff, zero_would("hold nothing back")] = None
    watch_edge_margin_dollars: EdgeSetting = money("0.03")
    watch_probability_margin: Probability = 0.05
    max_entries_per_market: Annotated[CountOrOff, zero_would("let nothing be bought")] = 1
    cooldown_seconds: float = Field(default=60, ge=0)
    spike_trigger_bp: Annotated[BasisPointsOrOff, zero_would("let nothing be bought")] = None
    spike_resume_bp: Annotated[BasisPoints, zero_would("never let a pause end", "write a level above 0")] = 30
    spike_calm_minutes: Annotated[int, Field(ge=1, le=60)] = 15
    stop_when_parted: bool = False

    @model_validator(mode="after")
    def ordered(self) -> EntrySection:
        if self.min_contracts > self.contracts:
            raise ValueError("min_contracts must not be above contracts: nothing could ever be bought")
        if self.min_price_dollars >= self.max_price_dollars:
            raise ValueError("min_price_dollars must be below max_price_dollars")
        if self.min_seconds_to_close >= self.max_seconds_to_close:
            raise ValueError("min_seconds_to_close must be below max_seconds_to_close")
        if self.sizing is Sizing.KELLY and self.kelly_bankroll_dollars is None:
            raise ValueError(
                'sizing = "kelly" needs kelly_bankroll_dollars: the amount that stakes are a part of, which does not follow'
                " the balance"
            )
        if self.spike_trigger_bp is not None and self.spike_trigger_bp <= self.spike_resume_bp:
            raise ValueError(
                "spike_resume_bp must be below spike_trigger_bp: between the two a pause goes on"
            )
        return self


STOP_OFF = 'write "off" to switch the stop off'
NEVER_SELL = zero_would("never sell", STOP_OFF)


class ExitSection(Section):
    enabled: bool = True
    stop_probability: Annotated[ProbabilityOrOff, NEVER_SELL] = 0.25
    stop_confirm_seconds: float = Field(default=0, ge=0, le=3_600)
    hard_stop_probability: Annotated[ProbabilityOrOff, NEVER_SELL] = None
    stop_price_dollars: Annotated[PriceOrOff, NEVER_SELL] = None
    blind_stop_fraction: Annotated[ProbabilityOrOff, NEVER_SELL] = 0.5
    blind_stop_after_seconds: float = Field(default=10, ge=0, le=3_600)
    take_profit_dollars: Annotated[PriceOrOff, zero_would("sell at any bid", STOP_OFF)] = None
    momentum_stop_bp: Annotated[
        BasisPointsOrOff, zero_would("sell even while the price stands still", STOP_OFF)
    ] = None
    time_stop_seconds_to_close: Annotated[SecondsOrOff, NEVER_SELL] = None
    min_hold_seconds: float = Field(default=0, ge=0)
    min_seconds_to_close: float = Field(default=15, ge=0)
    max_slippage_dollars: PriceSetting = price("0.05")
    floor_step_dollars: PriceSetting = price("0.05")
    min_floor_dollars: Annotated[
        PriceOrOff, zero_would("hold nothing back", 'write "off" to have no floor')
    ] = None
    min_value_fraction: Annotated[
        ProbabilityOrOff, zero_would("hold nothing back", 'write "off" to let a stop sell at any bid')
    ] = 0.5
    retry_seconds: float = Field(default=10, ge=0)
    alarm_after_seconds: Seconds = 30.0
    max_price_age_seconds: Seconds = 10.0
    max_book_age_seconds: Seconds = 10.0

    @model_validator(mode="after")
    def ordered(self) -> ExitSection:
        stop, hard_stop = self.stop_probability, self.hard_stop_probability
        if hard_stop is not None and stop is None:
            raise ValueError("hard_stop_probability needs stop_probability, of which it is the lower one")
        if hard_stop is not None and stop is not None and hard_stop > stop:
            raise ValueError("hard_stop_probability must not be above stop_probability: it is the lower one")
        profit, floor = self.take_profit_dollars, self.stop_price_dollars
        if profit is not None and floor is not None and profit <= floor:
            raise ValueError("take_profit_dollars must be above stop_price_dollars")
        last = self.time_stop_seconds_to_close
        if last is not None and last <= self.min_seconds_to_close:
            raise ValueError(
                "time_stop_seconds_to_close must be above min_seconds_to_close, below which nothing is sold"
            )
        return self
