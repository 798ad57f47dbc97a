"""The routes behind the charts, and what they are drawn from beside the rows; asked for while a chart is open, never pushed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import asyncpg

from recio.messages.prices import Prices
from recio.web.interface import Route
from recio.web.market_chart import chart_route
from recio.web.market_history import MarketHistory
from recio.web.performance import performance_route

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charted:
    history: MarketHistory
    prices: Callable[[], Prices | None]
    series: Mapping[str, str]
    """The coin of each series."""
    now: Callable[[], datetime]
    """Market time."""


def chart_routes(pool: Pool, of: Charted) -> list[Route]:
    return [
        chart_route(pool, of.history, of.prices, of.series, of.now),
        performance_route(pool, of.series, of.now),
    ]
