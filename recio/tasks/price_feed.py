"""price_feed: keeps the newest spot price and what is remembered of it; it never invents a price.

Writes the prices wire and the price_seconds table. A restart recalls the last quarter of an hour
from the table, so that volatility need not warm up again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

import aiohttp
import anyio
import asyncpg

from recio.clock import Clock
from recio.config import PricesSection
from recio.db import market_data
from recio.db.pool import transient_faults
from recio.messages import PriceTick, PriceView
from recio.prices.coinbase import CoinbaseFeed, Heartbeat, open_feed
from recio.rules.volatility import HORIZON_SECONDS, PriceMemory
from recio.supervisor import Say
from recio.wires import Writes

STORE_EVERY = 10
"""Host seconds between two writes of price seconds."""
KEEP_SECONDS = 7 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceFeed:
    session: aiohttp.ClientSession
    pool: asyncpg.Pool[asyncpg.Record]
    clock: Clock
    settings: PricesSection
    symbol: str
    prices: Writes[PriceView]

    async def run(self, say: Say) -> None:
        memory = await self._recall()
        unstored: list[tuple[int, Decimal]] = []
        async with (
            open_feed(
                self.session,
                self.settings.url,
                self.settings.product,
                self.symbol,
                self.clock,
                silence_limit_seconds=self.settings.silence_limit_seconds,
            ) as feed,
            anyio.create_task_group() as group,
        ):
            group.start_soon(self._store, unstored)
            await self._listen(feed, memory, unstored, say)

    async def _listen(
        self, feed: CoinbaseFeed, memory: PriceMemory, unstored: list[tuple[int, Decimal]], say: Say
    ) -> None:
        last: PriceTick | None = None
        volatility = memory.volatility()
        minute = memory.last_minute()
        noted = memory.seconds[-1][0] if memory.seconds else 0
        while True:
            heard = await feed.receive()
            if isinstance(heard, Heartbeat):
                heard_at = self.clock.utc()
            else:
                heard_at = heard.received_at
                last = heard
                if memory.remember(math.floor(heard.at.timestamp()), heard.price):
                    volatility, minute = memory.volatility(), memory.last_minute()
                    fresh = memory.completed_since(noted)
                    unstored.extend(fresh)
                    noted = fresh[-1][0] if fresh else noted
            if last is not None:
                self.prices.set(
                    PriceView(tick=last, volatility=volatility, last_minute=minute, heard_at=heard_at)
                )
                say(self._sentence(last, volatility, len(memory.seconds)))

    def _sentence(self, tick: PriceTick, volatility: float | None, known: int) -> str:
        if volatility is None:
            return f"{tick.price:,} from {tick.source}; {known} of {self.settings.warmup_seconds} s known"
        return f"{tick.price:,} from {tick.source}; volatility {volatility * 1e4:.2f} bp/√s"

    async def _recall(self) -> PriceMemory:
        memory = PriceMemory(warmup_seconds=self.settings.warmup_seconds)
        since = math.floor(self.clock.unix()) - HORIZON_SECONDS
        with transient_faults():
            async with self.pool.acquire() as connection:
                known = await market_data.recall_seconds(connection, self.symbol, since)
        for second, price in known:
            memory.remember(second, price)
        return memory

    async def _store(self, unstored: list[tuple[int, Decimal]]) -> None:
        while True:
            await anyio.sleep(STORE_EVERY)
            batch = unstored.copy()
            with transient_faults():
                async with self.pool.acquire() as connection:
                    if batch:
                        await market_data.note_seconds(connection, self.symbol, batch)
                    await market_data.expire_seconds(
                        connection, self.symbol, math.floor(self.clock.unix()) - KEEP_SECONDS
                    )
            del unstored[: len(batch)]
