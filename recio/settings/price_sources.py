"""Every price source there is: where it is found and what it calls a coin; a further one is a line here and a file in recio/prices/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PriceSource:
    url: str
    product: str
    """The coin as this source names it: {coin} is BTC, {lower} is btc."""

    def product_of(self, coin: str) -> str:
        return self.product.format(coin=coin, lower=coin.lower())


SOURCES: Mapping[str, PriceSource] = {
    "coinbase": PriceSource("wss://ws-feed.exchange.coinbase.com", "{coin}-USD"),
    "kraken": PriceSource("wss://ws.kraken.com/v2", "{coin}/USD"),
    "bitstamp": PriceSource("wss://ws.bitstamp.net", "{lower}usd"),
    "gemini": PriceSource("wss://api.gemini.com/v2/marketdata", "{coin}USD"),
}
"""By name, which is also that of the source's file in recio/prices/."""
SIMULATED = ("coinbase", "kraken")
"""The sources that the exchange simulator has feeds of."""
