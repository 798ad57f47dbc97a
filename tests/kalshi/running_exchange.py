"""An exchange of the test's own with a client on it; nothing of it is left once the block ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import aiohttp

from recio.daemon.venue import Venue, read_credentials, simulated
from recio.exchange_sim.credentials import Credentials
from recio.exchange_sim.server import ExchangeSettings, serve
from recio.kalshi.rest import KalshiRest


class Client(NamedTuple):
    venue: Venue
    session: aiohttp.ClientSession
    rest: KalshiRest


@asynccontextmanager
async def client_of_exchange(settings: ExchangeSettings) -> AsyncGenerator[Client]:
    ready: asyncio.Future[Credentials] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(settings, started=ready.set_result))
    try:
        await asyncio.wait([ready, task], return_when=asyncio.FIRST_COMPLETED, timeout=20)
        ready.result()
        venue = simulated(read_credentials(settings.credentials_dir))
        async with aiohttp.ClientSession() as session:
            rest = KalshiRest(
                session=session,
                base_url=venue.rest_url,
                signer=venue.signer,
                clock=venue.clock,
                timeout_seconds=5,
            )
            yield Client(venue, session, rest)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
