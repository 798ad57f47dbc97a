"""The sections of recio.toml as frozen models: each setting with its type, bounds and default; they read nothing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from recio.units import Money, Price, Quantity, UnitError, money, price, quantity


class Mode(StrEnum):
    DEMO = "demo"
    LIVE = "live"


class Environment(StrEnum):
    SIM = "sim"
    DEMO = "demo"
    PROD = "prod"


Seconds = Annotated[float, Field(gt=0, le=86_400)]
Probability = Annotated[float, Field(ge=0, le=1)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Dollars = Annotated[Decimal, Field(ge=0, le=10_000_000)]


class Section(BaseModel):
    """A table of recio.toml. Values keep the type they were written in: "8710" is not a port."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def as_written(cls, value: Any, info: ValidationInfo) -> Any:
        wanted: Any = cls.model_fields[info.field_name or ""].annotation
        if wanted is bool and not isinstance(value, bool):
            raise ValueError("must be true or false, without quotes")
        if wanted in (int, float, Decimal) and (
            isinstance(value, bool) or not isinstance(value, int | float | Decimal)
        ):
            raise ValueError("must be a number, without quotes")
        is_table: bool = isinstance(value, dict | Section)
        if isinstance(wanted, type) and issubclass(wanted, Section) and not is_table:
            raise ValueError(f"is a table: write [{info.field_name}] and its keys below it")
        return value


class DatabaseSection(Section):
    dsn: SecretStr = SecretStr("")


class KalshiSection(Section):
    environment: Environment = Environment.SIM
    key_id: str = ""
    key_path: str = ""
    credentials_dir: str = ""
    rest_url: str = ""
    ws_url: str = ""
    request_timeout_seconds: Seconds = 10.0
    idle_timeout_seconds: Seconds = 25.0
    reconcile_every_seconds: Seconds = 15.0


class PriceSource(StrEnum):
    COINBASE = "coinbase"
    KRAKEN = "kraken"
    BITSTAMP = "bitstamp"
    GEMINI = "gemini"


class PricesSection(Section):
    sources: tuple[PriceSource, ...] = Field(default=(PriceSource.COINBASE, PriceSource.KRAKEN), min_length=1)
    coinbase_url: str = "wss://ws-feed.exchange.coinbase.com"
    kraken_url: str = "wss://ws.kraken.com/v2"
    bitstamp_url: str = "wss://ws.bitstamp.net"
    gemini_url: str = "wss://api.gemini.com/v2/marketdata"
    use_index: bool = True
    idle_timeout_seconds: Seconds = 15.0
    frozen_seconds: Seconds = 20.0
    max_divergence_bp: float = Field(default=20.0, gt=0, le=1_000)
    warmup_seconds: Annotated[int, Field(ge=20, le=900)] = 300


SERIES = "^[A-Z0-9]{2,30}$"
KNOWN_INDEX = {"BTC": "BRTI"}


class SymbolSection(Section):
    """One coin: the series traded on it and what its price is called elsewhere."""

    series: tuple[Annotated[str, Field(pattern=SERIES)], ...] = Field(min_length=1)
    index: str = ""
    coinbase: str = ""
    kraken: str = ""
    bitstamp: str = ""
    gemini: str = ""

    def named(self, symbol: str) -> SymbolSection:
        """The same with the usual names where none was given."""
        return self.model_copy(
            update={
                "index": self.index or KNOWN_INDEX.get(symbol, f"{symbol}USD_RTI"),
                "coinbase": self.coinbase or f"{symbol}-USD",
                "kraken": self.kraken or f"{symbol}/USD",
                "bitstamp": self.bitstamp or f"{symbol.lower()}usd",
                "gemini": self.gemini or f"{symbol}USD",
            }
        )


class MarketSection(Section):
    discover_every_seconds: Seconds = 5.0
    pause_margin_seconds: float = Field(default=300, ge=0, le=86_400)


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


class HealthSection(Section):
    """From where on something counts as sick and stops entries; times are host time."""

    max_book_age_seconds: Seconds = 15.0
    max_unanswered_seconds: Seconds = 5.0
    max_unresolved_order_seconds: Seconds = 60.0
    max_task_age_seconds: Annotated[float, Field(ge=0.5, le=15)] = 12.0
    max_loop_lag_seconds: Seconds = 0.5
    max_database_seconds: Seconds = 1.0
    max_clock_offset_seconds: Seconds = 1.0
    min_free_disk_megabytes: Count = 500


class StatusSection(Section):
    port: Port = 8710


class LogFormat(StrEnum):
    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class RecorderSection(Section):
    enabled: bool = True
    segment_minutes: Annotated[int, Field(ge=1, le=1_440)] = 60
    keep_days: Annotated[int, Field(ge=1, le=3_650)] = 14
    keep_megabytes: Annotated[int, Field(ge=1, le=1_000_000)] = 2_000


class LogSection(Section):
    format: LogFormat = LogFormat.AUTO
    level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"


class DemoSection(Section):
    speed: float = Field(default=15.0, ge=1, le=60)
    seed: Annotated[int, Field(ge=0)] = 1
    window_seconds: Annotated[int, Field(ge=60, le=3_600)] = 900


def exact(value: Decimal, unit: Callable[[str], int]) -> Decimal:
    try:
        unit(f"{value:f}")
    except UnitError as error:
        raise ValueError(str(error)) from error
    return value
