"""recio.toml whole, read and checked: every setting, its unit, its default; unknown or ill-typed keys are refused.

Reading a config never starts or changes anything, and an error names the key, the value it had,
what is allowed and, for an unknown key, the nearest known one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
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
from recio.settings.alerts import AlertsSection
from recio.settings.contradictions import contradictions
from recio.settings.files import anchored, data_dir_of, read_toml
from recio.settings.plain_words import sentence
from recio.settings.prices import PricesSection, SymbolSection, as_written, coin_of, keys_of
from recio.settings.renamed import renamed_key, renamed_value
from recio.settings.risk import RiskSection
from recio.settings.section import Section
from recio.settings.status import StatusSection
from recio.settings.strategies import INHERITED, NAME, RESERVED, StrategySection, own_faults, with_inherited
from recio.settings.system import (
    DatabaseSection,
    DemoSection,
    HealthSection,
    LogSection,
    RecorderSection,
)
from recio.settings.trading import EntrySection, ExitSection, ModelSection
from recio.settings.units import ZERO, shown
from recio.settings.venue import Environment, KalshiSection, MarketSection, Mode

_SECRET = ("dsn", "direct_dsn", "key_id", "key_path")


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
    alerts: AlertsSection = AlertsSection()
    log: LogSection = LogSection()
    demo: DemoSection = DemoSection()

    @field_validator("symbols")
    @classmethod
    def every_name_given(cls, value: dict[str, SymbolSection]) -> dict[str, SymbolSection]:
        named = {symbol: section.named(symbol) for symbol, section in value.items()}
        seen: dict[str, str] = {}
        for symbol, section in named.items():
            for series in section.series:
                coin = coin_of(series)
                if coin not in (None, symbol) and not series.startswith((f"KX{symbol}", symbol)):
                    raise ValueError(
                        f"series {series} stands under {symbol} and is named after {coin}: its markets would be judged"
                        f" by the price of {symbol}; write it under [symbols.{coin}]"
                    )
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
            raise ValueError(f"{shown(name)} is a name that recio itself uses: choose another")
        return value

    def as_strategy(self, name: str) -> Config:
        """The config of this strategy alone: its entry, exit and model in the place of the common ones. Raises BadConfig."""
        if not name:
            return self
        if name not in self.strategies:
            known = ", ".join(self.strategies) or "none"
            raise BadConfig(f"strategy {shown(name)} is not in the config; it names: {known}")
        own = self.strategies[name]
        return self.model_copy(update={"entry": own.entry, "exit": own.exit, "model": own.model})

    def every_setting(self) -> dict[str, object]:
        """Every setting by section.key as JSON has it, without DSN and key."""
        return {
            name: value
            for name, value in _flat(self.model_dump(mode="json"))
            if name.rpartition(".")[2] not in _SECRET
        }

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


def _flat(table: dict[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(cast("dict[str, Any]", value), f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def load(path: Path) -> Config:
    """Read and check a recio.toml. Raises BadConfig with one sentence per fault; opens no other file and changes nothing."""
    config = parse(read_toml(path), str(path))
    paths = {name: anchored(getattr(config.kalshi, name), path) for name in ("key_path", "credentials_dir")}
    kalshi = config.kalshi.model_copy(update=paths)
    alerts = config.alerts.model_copy(update={"channels_path": anchored(config.alerts.channels_path, path)})
    pair = ("certificate_path", "private_key_path")
    status = config.status.model_copy(
        update={name: anchored(getattr(config.status, name), path) for name in pair}
    )
    return config.model_copy(
        update={
            "data_dir": data_dir_of(config.data_dir, path),
            "kalshi": kalshi,
            "alerts": alerts,
            "status": status,
        }
    )


def parse(table: dict[str, Any], source: str) -> Config:
    """Check an already decoded table; `source` names it in errors."""
    try:
        config = Config.model_validate(with_inherited(table))
    except ValidationError as error:
        details = _first_of_each_key(error.errors(include_url=False))
        faults = own_faults(((_place(each), _fault(each, table)) for each in details), table)
        raise BadConfig(f"{source}: " + "; ".join(faults)) from None
    if against := tuple(_contradictions(config)):
        raise BadConfig(f"{source}: " + "; ".join(against))
    return config


def _contradictions(config: Config) -> Iterator[str]:
    """Of what trades: the common sections where no strategy is named, each strategy where some are."""
    if not config.strategies:
        yield from contradictions(config.entry, config.exit, config.risk)
    for name, own in config.strategies.items():
        yield from contradictions(own.entry, own.exit, config.risk, f"strategies.{name}.", own.budget_dollars)


def _first_of_each_key(details: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """A list whose only item is refused would be called empty as well."""
    return list({_place(each): each for each in reversed(details)}.values())[::-1]


def _place(detail: ErrorDetails) -> tuple[str, ...]:
    """Of the key: an item of a list is shown with its list."""
    return as_written([str(part) for part in detail["loc"] if not isinstance(part, int)])


def _fault(detail: ErrorDetails, table: dict[str, Any]) -> str:
    keys = list(_place(detail))
    name = ".".join(keys) or "the config"
    if detail["type"] == "extra_forbidden":
        return renamed_key(keys) or f"unknown key {shown(name)[1:-1]}{_nearest(keys)}"
    value = _value_at(keys, table)
    if told := renamed_value(keys, value):
        return told
    message = sentence(detail, keys, value)
    if keys and keys[-1] == "[key]":  # the name of a table is at fault, not what stands in it
        return f"{'.'.join(keys[:-1])} is refused: {message}"
    if not keys or isinstance(value, dict):
        return f"{name}: {message}" if keys else message
    if detail["type"] == "missing":
        return f"{name} {message}"
    written = "(hidden)" if keys[-1] in ("dsn", "direct_dsn") or "PRIVATE KEY" in str(value) else shown(value)
    if detail["type"] == ZERO:
        return f"{name} = {written} {message}"
    return f"{name} = {written} is refused: {message}"


def _value_at(keys: list[str], table: Any) -> Any:
    """The value as written; an item of a list is shown with its list."""
    for key in keys:
        if not isinstance(table, dict):
            break
        table = cast("dict[str, Any]", table).get(key)
    return table


OF_A_STRATEGY = tuple(f"{section}." for section in INHERITED)


def _nearest(keys: list[str]) -> str:
    """A hint at the nearest known key, wherever it lives."""
    known = known_keys()
    if len(keys) > 3 and keys[0] == "strategies":
        known = [f"strategies.{keys[1]}.{key}" for key in known if key.startswith(OF_A_STRATEGY)]
    name = ".".join(keys)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if not close:
        by_leaf = {key.rsplit(".", 1)[-1]: key for key in known}
        leaf = difflib.get_close_matches(keys[-1], by_leaf, n=1, cutoff=0.6)
        close = [by_leaf[leaf[0]]] if leaf else []
    if close:
        return f"; the nearest known key is {close[0]}"
    return f"; the tables are {', '.join(f'[{each}]' for each in Config.model_fields if each not in ('mode', 'data_dir'))}"


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
