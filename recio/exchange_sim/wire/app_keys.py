"""Where a request finds the exchange that it was sent to, and the member that signed it; it holds nothing else."""

from __future__ import annotations

from aiohttp import web

from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.exchange import Exchange

EXCHANGE = web.AppKey("exchange", Exchange)
MEMBER = web.RequestKey("member", int)
"""Which member signed a request, from 0; absent where nobody had to."""


def exchange_of(request: web.Request) -> Exchange:
    return request.app[EXCHANGE]


def venue_of(request: web.Request) -> Venue:
    """The venue as the member has it who signed the request; as the first one has it where nobody did."""
    return request.app[EXCHANGE].venue.members[member_of(request)]


def member_of(request: web.Request) -> int:
    """Which member signed it, from 0; the first one where nobody did."""
    member: int = request.get(MEMBER, 0)
    return member
