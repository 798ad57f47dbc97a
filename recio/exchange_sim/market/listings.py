"""Every market that can be asked for and the indices they settle on; it moves none of them."""

from __future__ import annotations

from dataclasses import dataclass

from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.market.index import IndexPath
from recio.exchange_sim.market.markets import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class Listings:
    """Markets by ticker, in the order they were listed, and indices by id."""

    markets: dict[str, Market]
    indices: dict[str, IndexPath]

    def active_markets(self) -> list[Market]:
        return [market for market in self.markets.values() if market.status is Status.ACTIVE]
