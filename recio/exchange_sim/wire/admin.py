"""Loopback-only endpoints for tests: arm faults, see and disarm them, read the ledger, pay in and out; it trades nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import msgspec
from aiohttp import web

from recio.exchange_sim.engine.account import NEVER_MS
from recio.exchange_sim.exchange import Exchange
from recio.exchange_sim.faults import figures, market_faults
from recio.exchange_sim.faults.faults import Fault, FaultStream, RandomFaults
from recio.exchange_sim.faults.kinds import PASSING_KINDS, REQUEST_KINDS, FaultKind
from recio.exchange_sim.market.interventions import NoSuchMarket
from recio.exchange_sim.wire.app_keys import exchange_of
from recio.exchange_sim.wire.rest.arrivals import ASKED_FOR
from recio.exchange_sim.wire.rest.payment_routes import pay
from recio.exchange_sim.wire.rest.portfolio_json import fill_json, order_json, position_json, settlement_json
from recio.exchange_sim.wire.rest.replies import bad_body, no_such_path, number_of, reply
from recio.exchange_sim.wire.rest.request_body import decoded_body
from recio.exchange_sim.wire.texts import Json, cost
from recio.exchange_sim.wire.ws.subscriptions import CHANNELS

RANDOM = "random"
_LOOPBACK = ("127.", "::1")


class _Asked(msgspec.Struct):
    kind: str


async def arm_fault(request: web.Request) -> web.Response:
    if not _local(request):
        return no_such_path()
    body = await decoded_body(request)
    exchange = exchange_of(request)
    if body.flaw is not None:
        return bad_body(body.flaw)
    try:
        kind = msgspec.convert(body.value, _Asked).kind
        named = msgspec.convert(body.value, dict[str, object])
        if kind == RANDOM:
            _arm_stream(exchange, msgspec.convert(body.value, RandomFaults), named)
        else:
            fault = msgspec.convert(body.value, Fault)
            wrong = figures.flaw(fault, named)
            if wrong is not None:
                return bad_body(wrong)
            _arm(exchange, fault)
    except (msgspec.ValidationError, NoSuchMarket, ValueError) as error:
        return bad_body(str(error))
    return reply({"armed": kind})


async def see_faults(request: web.Request) -> web.Response:
    """What is armed, and how often each kind was met since the exchange started."""
    if not _local(request):
        return no_such_path()
    return reply(_armed(exchange_of(request), time.time()))


async def disarm_faults(request: web.Request) -> web.Response:
    if not _local(request):
        return no_such_path()
    exchange = exchange_of(request)
    exchange.faults.disarm()
    market_faults.end(exchange.venue, exchange.run.calendar.faults)
    exchange.follow_reads()
    return reply(_armed(exchange, time.time()))


async def ledger(request: web.Request) -> web.Response:
    """The books of all subaccounts of the member `?member=`, the first unless it says another, whole and exact."""
    if not _local(request):
        return no_such_path()
    members = exchange_of(request).venue.members
    asked = number_of(request, "member", "Ledger")
    member = 1 if asked is None else asked
    if not 1 <= member <= len(members):
        return bad_body(f"member is 1 to {len(members)}, not {member}")
    venue = members[member - 1]
    accounts = venue.accounts.values()
    user = venue.account.user_id
    body: Json = {
        "cash": cost(sum(sum(account.cash.values()) for account in accounts)),
        "reserved": cost(
            sum(venue.reserved(shard, account.number) for account in accounts for shard in account.cash)
        ),
        "positions": [
            position_json(position) for account in accounts for position in account.positions.values()
        ],
        "orders": [order_json(order, user) for order in venue.orders.values()],
        "asked_for": dict(request.app[ASKED_FOR].get(member - 1, {})),
        "fills": [fill_json(fill) for fill in venue.fills],
        "fees": cost(sum(account.fees for account in accounts)),
        "deposits": cost(sum(account.deposits for account in accounts)),
        "payouts": cost(sum(account.payouts for account in accounts)),
        "settlements": [
            settlement_json(row)
            for account in accounts
            for row in account.settlements
            if row.holds(NEVER_MS - 1)
        ],
    }
    return reply(body)


async def kept(request: web.Request) -> web.Response:
    """How much this exchange holds on to, so that a long run can be seen not to grow."""
    if not _local(request):
        return no_such_path()
    exchange = exchange_of(request)
    members = exchange.venue.members
    body: Json = {
        "markets": len(exchange.listings.markets),
        "orders": sum(len(member.orders) for member in members),
        "order_versions": sum(len(member.order_versions) for member in members),
        "resting": sum(len(orders) for member in members for orders in member.open_orders.values()),
        "resting_keys": len(exchange.venue.orders_by_key),
        "fills": sum(len(member.fills) for member in members),
        "positions": sum(
            len(account.positions) for member in members for account in member.accounts.values()
        ),
        "settlements": sum(
            len(account.settlements) for member in members for account in member.accounts.values()
        ),
        "requests": exchange.under_way,
        "sockets": len(exchange.connections),
        "tasks": len(asyncio.all_tasks()),
    }
    return reply(body)


def _arm(exchange: Exchange, fault: Fault) -> None:
    if fault.kind is FaultKind.CHANNEL_SILENT and fault.channel not in CHANNELS:
        raise ValueError(f"channel {fault.channel!r} is none of {', '.join(sorted(CHANNELS))}")
    if market_faults.apply(fault, exchange.venue, exchange.run.interventions, speed=exchange.clock.speed):
        exchange.faults.count(fault.kind)
        exchange.publish()
        return
    exchange.faults.arm(fault, time.time())
    if fault.kind is FaultKind.DROP_SOCKETS:
        exchange.drop_sockets()
    exchange.follow_reads()


def _arm_stream(exchange: Exchange, asked: RandomFaults, named: Iterable[str]) -> None:
    wrong = figures.stream_flaw(asked, named)
    if wrong is not None:
        raise ValueError(wrong)
    unfit = sorted(set(asked.kinds) - REQUEST_KINDS - PASSING_KINDS)
    if unfit:
        raise ValueError(f"not for a random stream: {', '.join(unfit)}")
    exchange.faults.stream = FaultStream(asked, time.time())


def _armed(exchange: Exchange, now: float) -> Json:
    faults, venue = exchange.faults, exchange.venue
    stream = faults.stream
    return {
        "requests": [
            {"kind": fault.kind.value, "on": fault.on.value, "seconds": fault.seconds}
            for fault in faults.requests
        ],
        "failing": {path: each.status for path, each in faults.failing.items()},
        "counts": {kind.value: left for kind, left in faults.counts.items() if left},
        "lasting": {kind.value: until - now for kind, until in faults.until.items() if until > now},
        "silent_channels": {
            name: until - now for name, until in faults.silent_channels.items() if until > now
        },
        "feeds": [
            {"kind": kind.value, "feed": feed, "seconds": until - now}
            for (kind, feed), (until, _) in faults.feeds.items()
            if until > now
        ],
        "paused": {
            "trading": venue.trading_paused(venue.now_ms),
            "exchange": venue.exchange_paused(venue.now_ms),
        },
        "random": None if stream is None or stream.is_over(now) else _stream_json(stream),
        "met": {kind.value: times for kind, times in faults.met.items()},
    }


def _stream_json(stream: FaultStream) -> Json:
    return {**msgspec.to_builtins(stream.asked), "drawn": stream.drawn}


def _local(request: web.Request) -> bool:
    return (request.remote or "").startswith(_LOOPBACK)


ROUTES = [
    web.post("/admin/faults", arm_fault),
    web.get("/admin/faults", see_faults),
    web.delete("/admin/faults", disarm_faults),
    web.get("/admin/ledger", ledger),
    web.post("/admin/payments", pay),
    web.get("/admin/kept", kept),
]
