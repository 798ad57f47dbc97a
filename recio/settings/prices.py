"""[prices] and [symbols.*]: whose prices of which coin are listened to, and when they are not believed; it opens no feed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from recio.settings.section import Section
from recio.settings.units import Seconds


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
