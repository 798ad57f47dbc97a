"""Public REST endpoints about the exchange itself: whether it trades, and when; they change nothing."""

from __future__ import annotations

import time

from aiohttp import web

from recio.exchange_sim.clock import iso
from recio.exchange_sim.engine.pauses import WEEKLY_FROM_HOUR, WEEKLY_TO_HOUR
from recio.exchange_sim.exchange import Exchange
from recio.exchange_sim.faults.kinds import FaultKind
from recio.exchange_sim.market.series import SHARD
from recio.exchange_sim.wire.app_keys import exchange_of
from recio.exchange_sim.wire.rest.reading import shown_ms
from recio.exchange_sim.wire.rest.replies import reply
from recio.exchange_sim.wire.rest.rules import RULES
from recio.exchange_sim.wire.texts import Json

SHARDS = ((0, "Default"), (1, "Combos"), (SHARD, "Crypto"), (3, "Sports"))
_DAYS = ("monday", "tuesday", "wednesday", "friday", "saturday", "sunday")
_MIDNIGHT = "00:00"


async def exchange_status(request: web.Request) -> web.Response:
    """The flags at the top are those of shard 0, as on the real venue."""
    exchange = exchange_of(request)
    venue = exchange.venue
    resumes = venue.pauses.trading_resumes_ms(venue.now_ms)
    body: Json = {
        **_state(exchange, 0),
        "exchange_estimated_resume_time": iso(resumes) if resumes > venue.now_ms else None,
    }
    if request.app[RULES].shard_list:
        body["exchange_index_statuses"] = [
            {"exchange_index": number, "description": name, **_state(exchange, number)}
            for number, name in SHARDS
        ]
    return reply(body)


async def exchange_schedule(request: web.Request) -> web.Response:
    """Hours in New York time: round the clock, but for the weekly pause if this exchange holds it."""
    always = [_hours(_MIDNIGHT, _MIDNIGHT)]
    thursday = always
    if exchange_of(request).venue.pauses.weekly:
        thursday = [
            _hours(_MIDNIGHT, f"{WEEKLY_FROM_HOUR:02d}:00"),
            _hours(f"{WEEKLY_TO_HOUR:02d}:00", _MIDNIGHT),
        ]
    week: Json = {
        **dict.fromkeys(_DAYS, always),
        "thursday": thursday,
        "start_time": "2024-12-01T00:00:00Z",
        "end_time": "2200-12-01T00:00:00Z",
    }
    return reply({"schedule": {"maintenance_windows": [], "standard_hours": [week]}})


async def user_data_timestamp(request: web.Request) -> web.Response:
    """The moment whose state the account reads show."""
    return reply({"as_of_time": iso(shown_ms(exchange_of(request).venue))})


def _state(exchange: Exchange, shard: int) -> Json:
    venue = exchange.venue
    down = shard == SHARD and exchange.faults.lasts(FaultKind.SHARD_OUTAGE, time.time())
    running = not down and not venue.exchange_paused(venue.now_ms)
    return {
        "exchange_active": running,
        "trading_active": running and not venue.trading_paused(venue.now_ms),
        "intra_exchange_transfers_active": running,
    }


def _hours(begin: str, end: str) -> dict[str, str]:
    return {"open_time": begin, "close_time": end}


ROUTES = [
    web.get("/exchange/status", exchange_status),
    web.get("/exchange/schedule", exchange_schedule),
    web.get("/exchange/user_data_timestamp", user_data_timestamp),
]
