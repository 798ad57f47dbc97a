"""What `recio doctor` asks of the venue and of the price sources: clock, key, money, fees, limits, markets, books; it only reads."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp
import anyio

from recio.commands.examine_account import rounding, scopes
from recio.commands.examine_books import books
from recio.commands.finding import Finding, Grade, good, judged
from recio.daemon.venue import find_venue
from recio.errors import BadConfig, Transient
from recio.kalshi.account import as_of, balances
from recio.kalshi.account_limits import account_limits
from recio.kalshi.fees import read_fees
from recio.kalshi.responses import VenueRefused
from recio.kalshi.rest import KalshiRest
from recio.kalshi.token_bucket import BucketLimit
from recio.settings.config import Config
from recio.units import money_decimal

ASKED = 5
SLOW = 0.5
"""Host seconds of one round trip from where orders come late."""
CONNECTS_WITHIN = 10.0
FEE_KINDS = ("quadratic", "quadratic_with_maker_fees")
NO_SOCKET = (aiohttp.ClientError, OSError, TimeoutError)
FAULTS = (Transient, BadConfig, VenueRefused)


async def venue(config: Config) -> AsyncIterator[Finding]:  # noqa: ASYNC900 - read to its end by whoever asks
    where = find_venue(config)
    async with aiohttp.ClientSession() as session:
        rest = KalshiRest(
            session=session,
            base_url=where.rest_url,
            signer=where.signer,
            clock=where.clock,
            timeout_seconds=config.kalshi.request_timeout_seconds,
        )
        try:
            yield await _round_trip(rest)  # noqa: ASYNC119 - read to its end by whoever asks
        except FAULTS as error:
            yield Finding(  # noqa: ASYNC119 - read to its end by whoever asks
                name="venue",
                grade=Grade.BAD,
                says=str(error),
                do="look at this machine's network and at the venue's status page",
            )
            return
        yield _clock(rest, config)  # noqa: ASYNC119 - read to its end by whoever asks
        for look in (_money, scopes, rounding, _limits):
            yield await look(rest)  # noqa: ASYNC119 - read to its end by whoever asks
        for series in config.series:
            yield await _fees(rest, series)  # noqa: ASYNC119 - read to its end by whoever asks
        yield await _socket(session, where.ws_url, rest)  # noqa: ASYNC119 - read to its end by whoever asks
        for series in config.series:
            yield await _books(session, where.ws_url, rest, series)  # noqa: ASYNC119 - read to its end by whoever asks


async def _round_trip(rest: KalshiRest) -> Finding:
    took: list[float] = []
    for _ in range(ASKED):
        began = time.monotonic()
        await as_of(rest)
        took.append(time.monotonic() - began)
    middle = statistics.median(took)
    return judged(
        "venue",
        f"answers in {middle * 1000:.0f} ms",
        is_good=middle < SLOW,
        do="choose a machine nearer to the venue",
        otherwise=Grade.NOTE,
    )


def _clock(rest: KalshiRest, config: Config) -> Finding:
    offset, most = rest.clock_offset, config.health.max_clock_offset_seconds
    if offset is None:
        return Finding(
            name="clock", grade=Grade.NOTE, says="the venue's answers tell no time", do="look at timedatectl"
        )
    seconds = offset / rest.clock.speed
    return judged(
        "clock",
        f"{-seconds:+.2f} s off the venue's (health.max_clock_offset_seconds = {most:g})",
        is_good=abs(seconds) <= most,
        do="set it: chronyc makestep",
    )


async def _money(rest: KalshiRest) -> Finding:
    """A private read: the key is the venue's, of this environment, and may read."""
    try:
        found = await balances(rest)
    except Transient as error:
        return Finding(
            name="key at venue",
            grade=Grade.BAD,
            says=f"not known: {error}",
            do="recio doctor again in a minute: the venue did not answer this, which says nothing of the key",
        )
    except FAULTS as error:
        return Finding(
            name="key at venue",
            grade=Grade.BAD,
            says=str(error),
            do="does kalshi.key_id belong to kalshi.key_path and to kalshi.environment?",
        )
    shards = ", ".join(f"shard {shard}: ${money_decimal(each):.2f}" for shard, each in found.by_shard.items())
    return judged(
        "key at venue",
        f"taken; ${money_decimal(found.total):.2f} there" + (f" ({shards})" if shards else ""),
        is_good=found.total > 0,
        do="put money into the account: only what lies on the shard of the crypto markets can be spent there",
        otherwise=Grade.NOTE,
    )


async def _limits(rest: KalshiRest) -> Finding:
    try:
        found = await account_limits(rest)
    except FAULTS as error:
        return Finding(
            name="rate limits", grade=Grade.NOTE, says=str(error), do="recio takes the lowest tier's"
        )
    return good(
        "rate limits", f"tier {found.tier}: reads {_bucket(found.read)}, orders {_bucket(found.write)}"
    )


def _bucket(limit: BucketLimit) -> str:
    return f"{limit.refill:,} tokens a second, {limit.capacity:,} at once"


async def _fees(rest: KalshiRest, series: str) -> Finding:
    try:
        found = await read_fees(rest, series)
    except FAULTS as error:
        return Finding(
            name=f"fees {series}",
            grade=Grade.BAD,
            says=str(error),
            do="does this series exist? look at [symbols]",
        )
    return judged(
        f"fees {series}",
        f"{found.now.kind}, times {found.now.multiplier}, {len(found.changes)} changes announced",
        is_good=found.now.kind in FEE_KINDS,
        do="recio does not understand this fee and trades none of its markets",
    )


async def _socket(session: aiohttp.ClientSession, url: str, rest: KalshiRest) -> Finding:
    try:
        async with await _connected(session, url, rest):
            return good("socket", "opens with this key")
    except NO_SOCKET as error:
        return Finding(
            name="socket",
            grade=Grade.BAD,
            says=f"does not open: {type(error).__name__}: {error}",
            do="look at kalshi.ws_url and at this machine's network",
        )


async def _connected(
    session: aiohttp.ClientSession, url: str, rest: KalshiRest
) -> aiohttp.ClientWebSocketResponse:
    assert rest.signer is not None
    headers = rest.signer.headers("GET", urlsplit(url).path, rest.venue_clock.stamp_ms(rest.clock))
    with anyio.fail_after(CONNECTS_WITHIN):
        return await session.ws_connect(url, headers=headers)


async def _books(session: aiohttp.ClientSession, url: str, rest: KalshiRest, series: str) -> Finding:
    """On a socket of its own: one connection has one subscription of books (docs/decisions/0025-books-held-against-rest.md)."""
    try:
        async with await _connected(session, url, rest) as ws:
            return await books(ws, rest, series)
    except* (*FAULTS, *NO_SOCKET) as faults:
        says = str(faults.exceptions[0]) or type(faults.exceptions[0]).__name__
    do = "look again; the daemon compares them by itself before it enters"
    return Finding(name=f"books {series}", grade=Grade.BAD, says=says, do=do)


async def price_sources(config: Config) -> AsyncIterator[Finding]:  # noqa: ASYNC900 - read to its end by whoever asks
    """Whether each can be reached; one is enough to trade on."""
    reached = 0
    urls = find_venue(config).price_urls
    async with aiohttp.ClientSession() as session:
        for source in config.prices.sources:
            why = await _unreachable(session, urls.get(source, ""))
            reached += not why
            yield judged(  # noqa: ASYNC119 - read to its end by whoever asks
                f"price {source}",
                why or "connects",
                is_good=not why,
                do="take it out of prices.sources if it stays away",
                otherwise=Grade.NOTE,
            )
    yield judged(
        "prices",
        f"{reached} of {len(config.prices.sources)} sources connect",
        is_good=reached > 0,
        do="look at this machine's network",
    )


async def _unreachable(session: aiohttp.ClientSession, url: str) -> str:
    try:
        with anyio.fail_after(CONNECTS_WITHIN):
            async with session.ws_connect(url):
                return ""
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        return f"does not connect: {type(error).__name__}: {error}"
