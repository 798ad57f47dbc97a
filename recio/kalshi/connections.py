"""Connections to the venue: none sends on what was given up, and none is used again on which something came that nobody asked for.

A reply that comes twice leaves its second copy behind. The HTTP library takes such a connection up again, and gives
each request from then on the answer of the one before: a refusal of one order for another, a list of before it was sent.

What a socket was given the system sends again and again until it is confirmed, for minutes, also once the request was given up
and its connection closed, and once its process has gone: an order could arrive after it was proven absent.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler

from recio.rules.account.reconcile import SLACK_SECONDS

UNCONFIRMED_SECONDS = SLACK_SECONDS - 1.0
"""Host seconds after which the system gives up what the other end has not confirmed. A request may be written at the last moment
of its time-out: what the proof of absence waits beyond that is longer."""

_Idle = Mapping[object, Iterable[tuple[ResponseHandler, float]]]


def connector() -> aiohttp.TCPConnector:
    """For a session whose requests arrive in time or never."""
    return aiohttp.TCPConnector(socket_factory=_bounded)


def _bounded(address: tuple[Any, ...]) -> socket.socket:
    made = socket.socket(*address[:3])  # family, type and protocol
    if sys.platform == "linux":  # elsewhere it has other names, and nobody trades there
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(UNCONFIRMED_SECONDS * 1000))
    return made


def spoilt(session: aiohttp.ClientSession) -> Iterator[ResponseHandler]:
    """Idle connections with bytes that answer nothing. The library tells it of each, and shows its idle ones to nobody."""
    idle = cast("_Idle", getattr(session.connector, "_conns", {}))
    return (
        each for connections in tuple(idle.values()) for each, _ in tuple(connections) if each.should_close
    )


def close_spoilt(session: aiohttp.ClientSession) -> None:
    """To be called before each request: a closed connection is not taken up again."""
    for each in spoilt(session):
        each.close()
