"""[prices] and [symbols.*]: whose prices of which coin are listened to, and when they are not believed; it opens no feed.

recio.toml has a key for each source's address and for each source's name of a coin. They are kept by source, so that
neither section knows which sources there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from recio.settings.addresses import checked_url
from recio.settings.price_sources import SOURCES
from recio.settings.section import Section
from recio.settings.units import Seconds, shown

BY_SOURCE = "(by source)"
"""What the sources' own keys are gathered under before they are read; no key of recio.toml."""
URL_KEYS = {name: f"{name}_url" for name in SOURCES}
DOCUMENTED = {name: source.url for name, source in SOURCES.items()}
PRODUCT_KEYS = {name: name for name in SOURCES}


def _reachable(url: str) -> str:
    return checked_url(url, ("wss", "ws"))


SourceUrl = Annotated[str, AfterValidator(_reachable)]


class PricesSection(Section):
    sources: tuple[str, ...] = Field(default=("coinbase", "kraken"), min_length=1)
    urls: Mapping[str, SourceUrl] = Field(default=DOCUMENTED, alias=BY_SOURCE)
    """Where each source is, by its name."""
    use_index: bool = True
    idle_timeout_seconds: Seconds = 15.0
    frozen_seconds: Seconds = 20.0
    unstamped_delay_seconds: Annotated[float, Field(ge=0, le=60)] = 3.0
    """Of 126,673 recorded trades of Coinbase 999 in 1,000 were heard within 2.9 s of their time."""
    max_divergence_bp: float = Field(default=20.0, gt=0, le=1_000)
    warmup_seconds: Annotated[int, Field(ge=20, le=900)] = 300

    @model_validator(mode="before")
    @classmethod
    def urls_by_source(cls, value: Any) -> Any:
        return _gathered(value, URL_KEYS)

    @model_serializer(mode="wrap")
    def a_key_for_each(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _spread(written(self), "urls", URL_KEYS)

    @field_validator("sources")
    @classmethod
    def known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in SOURCES:
                raise ValueError(f"there is no source {shown(name)}; there are {', '.join(SOURCES)}")
            if value.count(name) > 1:
                raise ValueError(f"names {name} twice: once is enough")
        return value

    @field_validator("urls")
    @classmethod
    def every_source(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        return DOCUMENTED | dict(value)


SERIES = "^[A-Z0-9]{2,30}$"
KNOWN_INDEX = {"BTC": "BRTI"}
USUAL_BASIS_BP, KNOWN_BASIS_BP = 2.0, {"BTC": 1.4}
"""How far an exchange was from the index: 24 closing minutes of bitcoin in May 2026; of other coins only a handful is known."""
MAX_ERROR_BP, KNOWN_MAX_ERROR_BP = 4.0, {"BTC": 2.1}
"""Two books of bitcoin that were never further apart than 3.3 bp in an hour state an error of 2.1 bp there."""
COINS = (
    "BTC",
    "ETH",
    "SOL",
    "XRP",
    "DOGE",
    "SHIB",
    "BNB",
    "HYPE",
    "ZEC",
    "NEAR",
    "ADA",
    "AVAX",
    "BCH",
    "DOT",
    "LINK",
    "LTC",
)
"""Coins that Kalshi has or had series of; their tickers begin with KX and the coin."""


def coin_of(series: str) -> str | None:
    """The coin that a series is named after, None where none of the known ones fits."""
    return next((coin for coin in COINS if series.startswith((f"KX{coin}", coin))), None)


class SymbolSection(Section):
    """One coin: the series traded on it and what its price is called elsewhere."""

    series: tuple[Annotated[str, Field(pattern=SERIES)], ...] = Field(min_length=1)
    index: str = ""
    products: Mapping[str, str] = Field(default_factory=dict[str, str], alias=BY_SOURCE)
    """What each source calls the coin, by the source's name."""
    usual_basis_bp: float = Field(default=USUAL_BASIS_BP, gt=0, le=1_000)
    max_price_error_bp: float = Field(default=MAX_ERROR_BP, gt=0, le=1_000)

    @model_validator(mode="before")
    @classmethod
    def products_by_source(cls, value: Any) -> Any:
        return _gathered(value, PRODUCT_KEYS)

    @model_serializer(mode="wrap")
    def a_key_for_each(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _spread(written(self), "products", PRODUCT_KEYS)

    def named(self, symbol: str) -> SymbolSection:
        """The same with the usual names where none was given."""
        usual = {name: source.product_of(symbol) for name, source in SOURCES.items()}
        given = {name: product for name, product in self.products.items() if product}
        known = {
            key: of_coins[symbol]
            for key, of_coins in (
                ("usual_basis_bp", KNOWN_BASIS_BP),
                ("max_price_error_bp", KNOWN_MAX_ERROR_BP),
            )
            if symbol in of_coins and key not in self.model_fields_set
        }
        return self.model_copy(
            update={
                **known,
                "index": self.index or KNOWN_INDEX.get(symbol, f"{symbol}USD_RTI"),
                "products": usual | given,
            }
        )


GATHERED: Mapping[type[Section], tuple[str, Mapping[str, str]]] = {
    PricesSection: ("urls", URL_KEYS),
    SymbolSection: ("products", PRODUCT_KEYS),
}


def keys_of(section: type[Section]) -> list[str]:
    """The keys of a section as recio.toml writes them."""
    field, keys = GATHERED.get(section, ("", {}))
    return [key for name in section.model_fields for key in (keys.values() if name == field else (name,))]


def as_written(place: Sequence[str]) -> tuple[str, ...]:
    """The place of a fault as recio.toml writes it: its gathered key stands there as prices.kraken_url."""
    match tuple(place):
        case ("prices", "(by source)", name, *_) if name in URL_KEYS:
            return ("prices", URL_KEYS[name])
        case ("symbols", symbol, "(by source)", name, *_) if name in PRODUCT_KEYS:
            return ("symbols", symbol, PRODUCT_KEYS[name])
        case other:
            return other


def _gathered(value: Any, keys: Mapping[str, str]) -> Any:
    if not isinstance(value, dict):
        return value
    table = cast("dict[str, Any]", value)
    by_source = {name: table[key] for name, key in keys.items() if key in table}
    # Whoever writes the name of the gathering itself is told that there is no such key.
    rest = {
        key if key != BY_SOURCE else repr(BY_SOURCE): each
        for key, each in table.items()
        if key not in keys.values()
    }
    return rest | {BY_SOURCE: by_source}


def _spread(dumped: dict[str, Any], field: str, keys: Mapping[str, str]) -> dict[str, Any]:
    by_source: Mapping[str, str] = dumped.pop(field)
    return dumped | {keys[name]: each for name, each in by_source.items()}
