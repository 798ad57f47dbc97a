"""Loopback-only doors for tests: arm faults and read the account's ledger; it never moves money."""

from __future__ import annotations

import time

import msgspec
from aiohttp import web

from recio.exchange_sim.exchange import exchange_of
from recio.exchange_sim.faults.faults import Fault, FaultKind
from recio.exchange_sim.rest.market_json import Json
from recio.exchange_sim.rest.portfolio_json import fill_json, order_json, position_json, settlement_json
from recio.exchange_sim.rest.replies import bad_body, no_such_path, reply
from recio.exchange_sim.rest.texts import cost

_LOOPBACK = ("127.", "::1")


async def arm_fault(request: web.Request) -> web.Response:
    if not _local(request):
        return no_such_path()
    try:
        fault = msgspec.json.decode(await request.read(), type=Fault)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        return bad_body(str(error))
    exchange = exchange_of(request)
    exchange.faults.arm(fault, time.time())
    if fault.kind is FaultKind.DROP_SOCKETS:
        exchange.drop_sockets()
    return reply({"armed": fault.kind.value})


async def ledger(request: web.Request) -> web.Response:
    """The account's books whole and exact."""
    if not _local(request):
        return no_such_path()
    venue = exchange_of(request).venue
    account = venue.account
    body: Json = {
        "cash": cost(sum(account.cash.values())),
        "reserved": cost(sum(venue.reserved(shard) for shard in account.cash)),
        "positions": [position_json(position) for position in account.positions.values()],
        "orders": [order_json(order, account.user_id) for order in venue.orders.values()],
        "fills": [fill_json(fill) for fill in venue.fills],
        "fees": cost(account.fees),
        "deposits": cost(account.deposits),
        "payouts": cost(account.payouts),
        "settlements": [settlement_json(row) for row in account.settlements],
    }
    return reply(body)


def _local(request: web.Request) -> bool:
    return (request.remote or "").startswith(_LOOPBACK)


ROUTES = [web.post("/admin/faults", arm_fault), web.get("/admin/ledger", ledger)]
