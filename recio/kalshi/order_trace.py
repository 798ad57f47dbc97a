"""Reaches the crash points inside one order's request, as the HTTP library reports it; never installed unless one is armed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Protocol

import aiohttp

from recio.settings.venue import Environment
from recio.test_hooks.crash_points import VARIABLE, CrashPoint, arm, reached

ON_ITS_WAY = 0.004
"""Host seconds after which bytes that were handed to the socket have left."""


class _Params(Protocol):
    """What every callback is told of its request."""

    @property
    def method(self) -> str: ...


_Callback = Callable[[aiohttp.ClientSession, SimpleNamespace, _Params], Awaitable[None]]


def armed(environment: Environment) -> list[aiohttp.TraceConfig]:
    """Arm the crash point that a test asked for, and what must watch for it. Raises BadConfig where none may be."""
    point = arm(os.environ.get(VARIABLE), simulated=environment is Environment.SIM)
    return [] if point is None else [trace()]


def trace() -> aiohttp.TraceConfig:
    """Callbacks for requests that place orders; every other request passes unseen."""
    config = aiohttp.TraceConfig()
    config.on_request_start.append(_on_post(lambda: reached(CrashPoint.REQUEST_BEGUN)))
    config.on_request_headers_sent.append(_on_post(lambda: reached(CrashPoint.REQUEST_HEADERS_WRITTEN)))
    config.on_request_chunk_sent.append(_on_post(lambda: reached(CrashPoint.REQUEST_BODY_WRITTEN)))
    config.on_request_chunk_sent.append(_on_post(_soon_on_its_way))
    config.on_request_end.append(_on_post(lambda: reached(CrashPoint.ANSWER_BEGUN)))
    config.on_response_chunk_received.append(_on_post(lambda: reached(CrashPoint.ANSWER_BODY_BEGUN)))
    return config


def _on_post(act: Callable[[], None]) -> _Callback:
    async def callback(_session: aiohttp.ClientSession, _context: SimpleNamespace, params: _Params) -> None:
        if params.method == "POST":
            act()

    return callback


def _soon_on_its_way() -> None:
    asyncio.get_running_loop().call_later(ON_ITS_WAY, lambda: reached(CrashPoint.REQUEST_ON_ITS_WAY))
