"""The crash points inside one order's request, as the HTTP library tells them; installed only while one is armed."""

from __future__ import annotations

import asyncio
import os
from types import SimpleNamespace

import aiohttp

from recio.settings.venue import Environment
from recio.test_hooks.crash_points import VARIABLE, CrashPoint, arm, reached

ON_ITS_WAY = 0.004
"""Host seconds after which bytes that were handed to the socket have left."""


def armed(environment: Environment) -> list[aiohttp.TraceConfig]:
    """Arm the crash point that a test asked for, and what must watch for it. Raises BadConfig where none may be."""
    point = arm(os.environ.get(VARIABLE), simulated=environment is Environment.SIM)
    return [] if point is None else [trace()]


def trace() -> aiohttp.TraceConfig:
    """Callbacks for requests that change something at the venue; reads pass unseen."""
    config = aiohttp.TraceConfig()
    config.on_request_start.append(_begun)
    config.on_request_headers_sent.append(_headers_written)
    config.on_request_chunk_sent.append(_body_written)
    config.on_request_end.append(_answer_begun)
    config.on_response_chunk_received.append(_answer_body)
    return config


async def _begun(
    _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestStartParams
) -> None:
    if params.method == "POST":
        reached(CrashPoint.REQUEST_BEGUN)


async def _headers_written(
    _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestHeadersSentParams
) -> None:
    if params.method == "POST":
        reached(CrashPoint.REQUEST_HEADERS_WRITTEN)


async def _body_written(
    _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestChunkSentParams
) -> None:
    if params.method == "POST":
        reached(CrashPoint.REQUEST_BODY_WRITTEN)
        asyncio.get_running_loop().call_later(ON_ITS_WAY, _on_its_way)


def _on_its_way() -> None:
    reached(CrashPoint.REQUEST_ON_ITS_WAY)


async def _answer_begun(
    _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
) -> None:
    if params.method == "POST":
        reached(CrashPoint.ANSWER_BEGUN)


async def _answer_body(
    _session: aiohttp.ClientSession,
    _context: SimpleNamespace,
    params: aiohttp.TraceResponseChunkReceivedParams,
) -> None:
    if params.method == "POST":
        reached(CrashPoint.ANSWER_BODY_BEGUN)
