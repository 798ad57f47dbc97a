"""recio.toml as frozen models: every setting, its unit, its default; unknown or ill-typed keys are refused.

Reading a config never starts or changes anything, and an error names the key, the value it had,
what is allowed and, for an unknown key, the nearest known one.
"""

from __future__ import annotations

import difflib
import stat
import tomllib
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from recio.errors import BadConfig
from recio.units import Money, Price, Quantity, UnitError, money, price, quantity


class Mode(StrEnum):
    DEMO = "demo"
    LIVE = "live"


class Environment(StrEnum):
    SIM = "sim"
    DEMO = "demo"
    PROD = "prod"


REST_URLS = {
    Environment.DEMO: "https://external-api.demo.kalshi.co/trade-api/v2",
    Environment.PROD: "https://external-api.kalshi.com/trade-api/v2",
}
WS_URLS = {
    Environment.DEMO: "wss://external-api-ws.demo.kalshi.co/trade-api/ws/v2",
    Environment.PROD: "wss://external-api-ws.kalshi.com/trade-api/ws/v2",
}

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
    silence_limit_seconds: Seconds = 25.0
    reconcile_every_seconds: Seconds = 15.0


class PricesSection(Section):
    url: str = "wss://ws-feed.exchange.coinbase.com"
    product: str = "BTC-USD"
    silence_limit_seconds: Seconds = 15.0
    warmup_seconds: Annotated[int, Field(ge=20, le=900)] = 300


class MarketSection(Section):
    series: str = Field(default="KXBTC15M", min_length=1)
    symbol: str = Field(default="BTC", min_length=1)
    discover_every_seconds: Seconds = 5.0


class EntrySection(Section):
    """Gates of the one entry rule; times are market time."""

    enabled: bool = False
    contracts: Decimal = Field(default=Decimal("10"), ge=Decimal("0.01"), le=100_000)
    min_edge_dollars: Dollars = Decimal("0.02")
    min_price_dollars: Dollars = Decimal("0.10")
    max_price_dollars: Dollars = Decimal("0.90")
    max_slippage_dollars: Dollars = Decimal("0.02")
    min_seconds_to_close: float = Field(default=75, ge=0)
    max_seconds_to_close: Seconds = 840
    max_price_age_seconds: Seconds = 5.0
    max_book_age_seconds: Seconds = 5.0
    cooldown_seconds: float = Field(default=60, ge=0)

    @field_validator("contracts")
    @classmethod
    def whole_hundredths(cls, value: Decimal) -> Decimal:
        return _exact(value, quantity)

    @field_validator("min_price_dollars", "max_price_dollars", "min_edge_dollars", "max_slippage_dollars")
    @classmethod
    def exact_price(cls, value: Decimal) -> Decimal:
        return _exact(value, price)

    @model_validator(mode="after")
    def ordered(self) -> EntrySection:
        if self.min_price_dollars >= self.max_price_dollars:
            raise ValueError("min_price_dollars must be below max_price_dollars")
        if self.min_seconds_to_close >= self.max_seconds_to_close:
            raise ValueError("min_seconds_to_close must be below max_seconds_to_close")
        return self

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
    max_slippage_dollars: Dollars = Decimal("0.05")
    retry_seconds: float = Field(default=10, ge=0)
    max_price_age_seconds: Seconds = 10.0
    min_seconds_to_close: float = Field(default=15, ge=0)

    @field_validator("max_slippage_dollars")
    @classmethod
    def exact_price(cls, value: Decimal) -> Decimal:
        return _exact(value, price)

    @property
    def max_slippage(self) -> Price:
        return price(f"{self.max_slippage_dollars:f}")


class RiskSection(Section):
    max_contracts_per_order: Decimal = Field(default=Decimal("50"), gt=0)
    max_entries_per_event: Count = 2
    max_open_trades: Count = 3
    max_open_cost_dollars: Dollars = Decimal("100")
    max_daily_loss_dollars: Dollars = Decimal("50")
    order_deadline_seconds: Seconds = 2.0

    @field_validator("max_contracts_per_order")
    @classmethod
    def whole_hundredths(cls, value: Decimal) -> Decimal:
        return _exact(value, quantity)

    @property
    def max_order(self) -> Quantity:
        return quantity(f"{self.max_contracts_per_order:f}")

    @property
    def max_open_cost(self) -> Money:
        return money(f"{self.max_open_cost_dollars:f}")

    @property
    def max_daily_loss(self) -> Money:
        return money(f"{self.max_daily_loss_dollars:f}")


class StatusSection(Section):
    port: Port = 8710


class LogFormat(StrEnum):
    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class LogSection(Section):
    format: LogFormat = LogFormat.AUTO
    level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"


class DemoSection(Section):
    speed: float = Field(default=15.0, ge=1, le=60)
    seed: Annotated[int, Field(ge=0)] = 1
    window_seconds: Annotated[int, Field(ge=60, le=3_600)] = 900


class Config(Section):
    """The whole of recio.toml."""

    mode: Mode = Mode.DEMO
    data_dir: str = Field(default=".recio", min_length=1)
    database: DatabaseSection = DatabaseSection()
    kalshi: KalshiSection = KalshiSection()
    prices: PricesSection = PricesSection()
    market: MarketSection = MarketSection()
    entry: EntrySection = EntrySection()
    exit: ExitSection = ExitSection()
    risk: RiskSection = RiskSection()
    status: StatusSection = StatusSection()
    log: LogSection = LogSection()
    demo: DemoSection = DemoSection()

    @model_validator(mode="after")
    def mode_fits_environment(self) -> Config:
        sim = self.kalshi.environment is Environment.SIM
        if (self.mode is Mode.DEMO) != sim:
            raise ValueError(
                f'mode = "{self.mode}" does not go with kalshi.environment = "{self.kalshi.environment}": '
                'mode "demo" trades on the built-in exchange ("sim"), mode "live" on Kalshi ("demo" or "prod")'
            )
        if not sim:
            for name in ("key_id", "key_path"):
                if not getattr(self.kalshi, name):
                    raise ValueError(f'kalshi.{name} is empty: mode "live" needs the API key Kalshi gave you')
        return self


def load(path: Path) -> Config:
    """Read and check a recio.toml. Raises BadConfig with one sentence per fault; changes nothing."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadConfig(f"cannot read the config {path}: {error.strerror}") from error
    try:
        table = tomllib.loads(raw.decode("utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path} is not valid TOML: {error}") from error
    return parse(table, str(path))


def parse(table: dict[str, Any], source: str) -> Config:
    """Check an already decoded table; `source` names it in errors."""
    try:
        config = Config.model_validate(table)
    except ValidationError as error:
        faults = [_fault(detail, table) for detail in error.errors(include_url=False)]
        raise BadConfig(f"{source}: " + "; ".join(faults)) from None
    if config.kalshi.key_path:
        check_private_key_file(Path(config.kalshi.key_path).expanduser())
    return config


def check_private_key_file(path: Path) -> None:
    """Refuse a private key that is missing, unreadable or readable by others. Raises BadConfig."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise BadConfig(
            f"kalshi.key_path = {str(path)!r}: {error.strerror}; put the private key there"
        ) from error
    if not stat.S_ISREG(mode):
        raise BadConfig(
            f"kalshi.key_path = {str(path)!r} is not a file; it must be the private key in PEM form"
        )
    if mode & 0o077:
        raise BadConfig(
            f"kalshi.key_path = {str(path)!r} is readable by others (mode {stat.S_IMODE(mode):04o}); "
            f"run: chmod 600 {path}"
        )


def _fault(detail: ErrorDetails, table: dict[str, Any]) -> str:
    keys = [str(part) for part in detail["loc"]]
    name = ".".join(keys) or "the config"
    if detail["type"] == "extra_forbidden":
        return f"unknown key {name}{_nearest(keys)}"
    message = detail["msg"].removeprefix("Value error, ")
    if not keys:
        return message
    value = _value_at(keys, table)
    shown = "(hidden)" if keys[-1] == "dsn" else repr(str(value) if isinstance(value, Decimal) else value)
    return f"{name} = {shown} is refused: {message[0].lower()}{message[1:]}"


def _value_at(keys: list[str], table: Any) -> Any:
    """The value as written; keys are at most a section and a setting deep."""
    for key in keys[:2]:
        table = table.get(key)
    return table


def _nearest(keys: list[str]) -> str:
    """A hint at the nearest known key, wherever it lives."""
    known = known_keys()
    name = ".".join(keys)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if not close:
        by_leaf = {key.rsplit(".", 1)[-1]: key for key in known}
        leaf = difflib.get_close_matches(keys[-1], by_leaf, n=1, cutoff=0.6)
        close = [by_leaf[leaf[0]]] if leaf else []
    return f"; the nearest known key is {close[0]}" if close else f"; known keys are {', '.join(known)}"


def known_keys() -> list[str]:
    """Every key of recio.toml as section.key, sections included."""
    keys: list[str] = []
    for name, spec in Config.model_fields.items():
        keys.append(name)
        section = spec.annotation
        if isinstance(section, type) and issubclass(section, Section):
            keys.extend(f"{name}.{inner}" for inner in section.model_fields)
    return keys


def _exact(value: Decimal, unit: Callable[[str], int]) -> Decimal:
    try:
        unit(f"{value:f}")
    except UnitError as error:
        raise ValueError(str(error)) from error
    return value
