"""The least that parts of an order's way can cost here and now: a durable row, a request on loopback, a signature; nothing of recio runs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import anyio
import asyncpg
import uvloop
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.peers.single_process import order_body, signed
from benchmarks.stand_in import StandIn
from benchmarks.venue.answers import PREFIX
from benchmarks.venue.scenes import FLOOR

PAUSE = 0.003
"""Seconds between two samples: a burst would keep everything warm that an order finds cold."""
SELDOM = 0.33
"""Seconds between two orders of the daemon beside it."""
SELDOM_SAMPLES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """Seconds of each sample."""

    insert: list[float]
    seldom: list[float]
    """The same row, asked as rarely as orders are: what an idle disk and idle processes add to any commit."""
    post: list[float]
    sign: list[float]


def floors(venue: StandIn, dsn: str, key: Path, samples: int) -> Floors:
    return uvloop.run(_floors(venue, dsn, key, samples))


async def _floors(venue: StandIn, dsn: str, key: Path, samples: int) -> Floors:
    return Floors(
        insert=await _inserts(dsn, samples, PAUSE),
        seldom=await _inserts(dsn, min(samples, SELDOM_SAMPLES), SELDOM),
        post=await _posts(venue.rest_url.removesuffix(PREFIX) + FLOOR, venue.ticker, samples),
        sign=await _signatures(key, samples),
    )


async def _inserts(dsn: str, samples: int, pause: float) -> list[float]:
    """One row, committed by the same server with the same settings, on a connection that is open."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS bench_floor (x bigint)")
        statement = await connection.prepare("INSERT INTO bench_floor VALUES ($1)")
        return await _timed(samples, lambda: statement.fetch(1), pause)
    finally:
        await connection.close()


async def _posts(url: str, ticker: str, samples: int) -> list[float]:
    """From the call to the first byte at the other process, on a connection that is open."""
    found: list[float] = []
    body = order_body(ticker, "yes")
    async with aiohttp.ClientSession() as session:
        for _ in range(samples):
            began = time.perf_counter()
            async with session.post(url, data=body) as answer:
                found.append((await answer.json())["first_byte"] - began)
            await anyio.sleep(PAUSE)
    return found


async def _signatures(path: Path, samples: int) -> list[float]:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)

    async def sign() -> object:
        return signed(key)

    return await _timed(samples, sign)


async def _timed(samples: int, work: Callable[[], Awaitable[object]], pause: float = PAUSE) -> list[float]:
    found: list[float] = []
    for _ in range(samples):
        began = time.perf_counter()
        await work()
        found.append(time.perf_counter() - began)
        await anyio.sleep(pause)
    return found
