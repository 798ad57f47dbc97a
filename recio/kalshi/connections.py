"""Closes idle connections on which something came that nobody asked for: the next answer on them would be that of another request.

A reply that comes twice leaves its second copy behind. The HTTP library takes such a connection up again, and gives
each request from then on the answer of the one before: a refusal of one order for another, a list of before it was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

import aiohttp
from aiohttp.client_proto import ResponseHandler

_Idle = Mapping[object, Iterable[tuple[ResponseHandler, float]]]


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
