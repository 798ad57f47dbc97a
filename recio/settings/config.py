"""recio.toml whole, read and checked: every setting, its unit, its default; unknown or ill-typed keys are refused.

Reading a config never starts or changes anything, and an error names the key, the value it had,
what is allowed and, for an unknown key, the nearest known one.
"""

from __future__ import annotations

import difflib
import stat
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import (
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from recio.errors import BadConfig
from recio.settings.file_access import others_with_access
from recio.settings.prices import PricesSection, SymbolSection, as_written, keys_of
from recio.settings.renamed import renamed_key, renamed_value
from recio.settings.risk import RiskSection
from recio.settings.section import Section
from recio.settings.strategies import NAME, RESERVED, StrategySection, own_faults, with_inherited
from recio.settings.system import (
    DatabaseSection,
    DemoSection,
    HealthSection,
    LogSection,
    RecorderSection,
    StatusSection,
)
from recio.settings.trading import EntrySection, ExitSection, ModelSection
from recio.settings.units import ZERO
from recio.settings.venue import Environment, KalshiSection, MarketSection, Mode


class Config(Section):
    """The whole of recio.toml."""

    mode: Mode = Mode.DEMO
    data_dir: str = Field(default=".recio", min_length=1)
    database: DatabaseSection = DatabaseSection()
    kalshi: KalshiSection = KalshiSection()
    prices: PricesSection = PricesSection()
    market: MarketSection = MarketSection()
    symbols: dict[Annotated[str, Field(pattern="^[A-Z0-9]{2,10}$")], SymbolSection] = Field(
        default={"BTC": SymbolSection(series=("KXBTC15M",))}, min_length=1, validate_default=True
    )
    model: ModelSection = ModelSection()
    entry: EntrySection = EntrySection()
    exit: ExitSection = ExitSection()
    strategies: dict[Annotated[str, Field(pattern=NAME)], StrategySection] = Field(
        default_factory=dict[str, StrategySection]
    )
    risk: RiskSection = RiskSection()
    health: HealthSection = HealthSection()
    status: StatusSection = StatusSection()
    recorder: RecorderSection = RecorderSection()
    log: LogSection = LogSection()
    demo: DemoSection = DemoSection()

    @field_validator("symbols")
    @classmethod
    def every_name_given(cls, value: dict[str, SymbolSection]) -> dict[str, SymbolSection]:
        named = {symbol: section.named(symbol) for symbol, section in value.items()}
        seen: dict[str, str] = {}
        for symbol, section in named.items():
            for series in section.series:
                if series in seen:
                    raise ValueError(
                        f"series {series} stands under {seen[series]} and under {symbol}: name it once"
                    )
                seen[series] = symbol
        return named

    @field_validator("strategies")
    @classmethod
    def names_of_their_own(cls, value: dict[str, StrategySection]) -> dict[str, StrategySection]:
        for name in RESERVED & value.keys():
            raise ValueError(f"{name!r} is a name that recio itself uses: choose another")
        return value

    def as_strategy(self, name: str) -> Config:
        """The config of this strategy alone: its entry, exit and model in the place of the common ones. Raises BadConfig."""
        if not name:
            return self
        if name not in self.strategies:
            known = ", ".join(self.strategies) or "none"
            raise BadConfig(f"strategy {name!r} is not in the config; it names: {known}")
        own = self.strategies[name]
        return self.model_copy(update={"entry": own.entry, "exit": own.exit, "model": own.model})

    @property
    def series(self) -> dict[str, str]:
        """Every series that is traded, with its symbol."""
        return {series: symbol for symbol, each in self.symbols.items() for series in each.series}

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
        config = Config.model_validate(with_inherited(table))
    except ValidationError as error:
        details = error.errors(include_url=False)
        faults = own_faults(((_place(each), _fault(each, table)) for each in details), table)
        raise BadConfig(f"{source}: " + "; ".join(faults)) from None
    if config.kalshi.key_path:
        check_private_key_file(Path(config.kalshi.key_path).expanduser())
    return config


def check_private_key_file(path: Path) -> None:
    """Refuse a private key that is missing, unreadable or readable by others. Raises BadConfig."""
    try:
        mode, others = path.stat().st_mode, others_with_access(path)
    except OSError as error:
        raise BadConfig(
            f"kalshi.key_path = {str(path)!r}: {error.strerror}; put the private key there"
        ) from error
    if not stat.S_ISREG(mode):
        raise BadConfig(
            f"kalshi.key_path = {str(path)!r} is not a file; it must be the private key in PEM form"
        )
    if others:
        raise BadConfig(
            f"kalshi.key_path = {str(path)!r} is readable by others ({', '.join(others)}); run: chmod 600 {path}"
        )


def _place(detail: ErrorDetails) -> tuple[str, ...]:
    return as_written([str(part) for part in detail["loc"]])


def _fault(detail: ErrorDetails, table: dict[str, Any]) -> str:
    keys = list(_place(detail))
    name = ".".join(keys) or "the config"
    if detail["type"] == "extra_forbidden":
        return renamed_key(keys) or f"unknown key {name}{_nearest(keys)}"
    message = detail["msg"].removeprefix("Value error, ")
    if not keys:
        return message
    value = _value_at(keys, table)
    if told := renamed_value(keys, value):
        return told
    shown = "(hidden)" if keys[-1] == "dsn" else str(value) if isinstance(value, Decimal) else repr(value)
    if detail["type"] == ZERO:
        return f"{name} = {shown} {message}"
    return f"{name} = {shown} is refused: {message[0].lower()}{message[1:]}"


def _value_at(keys: list[str], table: Any) -> Any:
    """The value as written; an item of a list is shown with its list."""
    for key in keys:
        if not isinstance(table, dict):
            break
        table = cast("dict[str, Any]", table).get(key)
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
            keys.extend(f"{name}.{inner}" for inner in keys_of(section))
    keys.extend(f"symbols.BTC.{inner}" for inner in keys_of(SymbolSection))
    keys.extend(f"strategies.NAME.{inner}" for inner in StrategySection.model_fields)
    return keys
