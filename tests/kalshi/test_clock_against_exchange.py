"""A machine whose clock is minutes off: the venue refuses it once, and is heard at its second word."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest

import recio.clock
from recio.clock import Clock
from recio.daemon.venue import Venue, read_credentials, simulated
from recio.errors import Transient
from recio.exchange_sim.credentials import Credentials
from recio.exchange_sim.server import ExchangeSettings, serve
from recio.kalshi import account
from recio.kalshi.rest import KalshiRest
from recio.kalshi.socket import open_socket
from recio.kalshi.venue_clock import VenueClock


@pytest.mark.parametrize("ahead", [-300.0, 300.0])
async def test_requests_and_the_socket_are_signed_in_the_venues_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: float
):
    ready: asyncio.Future[Credentials] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(ExchangeSettings(credentials_dir=tmp_path), started=ready.set_result))
    try:
        await asyncio.wait_for(ready, 20)
        venue = simulated(read_credentials(tmp_path))
        # The daemon's clock alone: the exchange keeps the right time.
        monkeypatch.setattr(recio.clock, "time", SimpleNamespace(time=lambda: time.time() + ahead))
        async with aiohttp.ClientSession() as session:
            await _refused_once_over_rest(session, venue)
            await _refused_once_at_the_socket(session, venue)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _refused_once_over_rest(session: aiohttp.ClientSession, venue: Venue) -> None:
    rest = KalshiRest(
        session=session, base_url=venue.rest_url, signer=venue.signer, clock=Clock(), timeout_seconds=5
    )
    with pytest.raises(Transient, match="timestamp"):
        await account.positions(rest)
    assert (await account.positions(rest)).quantities == {}


async def _refused_once_at_the_socket(session: aiohttp.ClientSession, venue: Venue) -> None:
    heard = VenueClock()

    async def connect() -> bool:
        async with open_socket(
            session, venue.ws_url, venue.signer, Clock(), venue_clock=heard, idle_timeout_seconds=5
        ):
            return True

    with pytest.raises(Transient, match="timestamp"):
        await connect()
    assert await connect()
