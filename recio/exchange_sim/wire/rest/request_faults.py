"""What an armed fault does to a request and its answer; it arms nothing."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import web

from recio.exchange_sim.engine.orders import Refused
from recio.exchange_sim.faults.faults import Fault
from recio.exchange_sim.faults.kinds import LATE_KINDS, PASSING_KINDS, FaultKind, RequestKind
from recio.exchange_sim.faults.latency import Latency
from recio.exchange_sim.wire.app_keys import exchange_of
from recio.exchange_sim.wire.rest.failing_reads import answer_of_failing, with_unknown_field
from recio.exchange_sim.wire.rest.replies import DATE, Handler, refusal
from recio.exchange_sim.wire.rest.request_body import decoded_body
from recio.exchange_sim.wire.rest.routing import PREFIX, is_api, is_write, reaches_crypto
from recio.exchange_sim.wire.too_many import too_many_requests

INTERNAL_ERROR = Refused(code="internal_server_error")
UNAVAILABLE = Refused(code="service_unavailable")
RETIRED = Refused(code="deprecated_v1_order_endpoint", message="Please switch to newer endpoints")
_FILL_LEAD_SECONDS = 0.05
"""The least time a fill that comes first is ahead of its answer."""
_NOW = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: the close is a reset."""


@web.middleware
async def travelling(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every request of the trading API and its answer are under way for as long as the latency says."""
    if not is_api(request):
        return await handler(request)
    exchange = exchange_of(request)
    exchange.under_way += 1
    try:
        return await _travelled(request, handler, exchange.faults.latency(time.time()))
    finally:
        exchange.under_way -= 1


async def _travelled(request: web.Request, handler: Handler, latency: Latency | None) -> web.StreamResponse:
    if latency is None:
        return await handler(request)
    await decoded_body(request)
    await asyncio.sleep(latency.draw())
    _arrive(request)
    answer = await handler(request)
    await asyncio.sleep(latency.draw())
    return answer


@web.middleware
async def faulty(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every request of the trading API meets what is armed for its kind."""
    if not is_api(request):
        return await handler(request)
    exchange = exchange_of(request)
    now = time.time()
    failing = None if is_write(request) else exchange.faults.failing_read(request.path.removeprefix(PREFIX))
    if failing is not None:
        return await answer_of_failing(request, handler, failing)
    fault = exchange.faults.next_for_request((_kind(request), RequestKind.ALL), now)
    if fault is not None:
        return await _fail(request, handler, fault)
    if exchange.faults.lasts(FaultKind.SHARD_OUTAGE, now) and await reaches_crypto(request):
        exchange.faults.count(FaultKind.SHARD_OUTAGE)
        return refusal(UNAVAILABLE)
    return await handler(request)


def _kind(request: web.Request) -> RequestKind:
    if not is_write(request):
        return RequestKind.READS
    return RequestKind.GROUPS if "/order_groups" in request.path else RequestKind.ORDERS


async def _fail(request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
    instead = _answer_instead(request, fault.kind)
    if instead is not None:
        return instead
    if fault.kind in PASSING_KINDS:
        _pass_on(request, fault)
        return await handler(request)
    if fault.kind in LATE_KINDS:
        await _arrive_late(request, fault)
    answer = await handler(request)
    match fault.kind:
        case FaultKind.LOSE_REPLY:
            _cut(request)
        case FaultKind.DELAY_REPLY:
            await asyncio.sleep(fault.seconds)
        case FaultKind.FILL_FIRST:
            await asyncio.sleep(max(fault.seconds, _FILL_LEAD_SECONDS))
        case FaultKind.DELAY_REQUEST | FaultKind.LATE_REQUEST:
            pass
        case _:
            return _spoil(request, answer, fault.kind)
    return answer


async def _arrive_late(request: web.Request, fault: Fault) -> None:
    """Let the request travel; that its sender gives it up meanwhile does not stop it."""
    await decoded_body(request)
    if fault.kind is FaultKind.LATE_REQUEST:
        _cut(request)
    await asyncio.sleep(fault.seconds)
    _arrive(request)


def _arrive(request: web.Request) -> None:
    """A request that was under way is here: the venue goes on to this moment, and the answer is dated from it."""
    exchange = exchange_of(request)
    exchange.catch_up()
    request[DATE] = formatdate(exchange.clock.milliseconds() / 1000, usegmt=True)


def _answer_instead(request: web.Request, kind: FaultKind) -> web.StreamResponse | None:
    """The answer to a request that is not carried out; None when it will be."""
    match kind:
        case FaultKind.LOSE_REQUEST:
            _cut(request)
            return refusal(INTERNAL_ERROR)
        case FaultKind.RESET:
            _reset(request)
            return refusal(INTERNAL_ERROR)
        case FaultKind.TOO_MANY_REQUESTS:
            return too_many_requests()
        case FaultKind.ERROR_500:
            return refusal(INTERNAL_ERROR)
        case FaultKind.ERROR_503:
            return refusal(UNAVAILABLE)
        case FaultKind.RETIRED:
            return refusal(RETIRED)
        case FaultKind.ERROR_502 | FaultKind.ERROR_504:
            return _proxy_page(502 if kind is FaultKind.ERROR_502 else 504)
        case FaultKind.ERROR_IN_2XX:
            answer = refusal(INTERNAL_ERROR)
            answer.set_status(201 if request.method == "POST" else 200)
            return answer
        case _:
            return None


def _spoil(request: web.Request, answer: web.StreamResponse, kind: FaultKind) -> web.StreamResponse:
    """The answer with something wrong about its bytes. One without a body has nothing to spoil."""
    if not isinstance(answer, web.Response) or not isinstance(answer.body, bytes):
        return answer
    match kind:
        case FaultKind.TRUNCATED_JSON:
            answer.body = answer.body[: len(answer.body) // 2]
        case FaultKind.UNKNOWN_FIELD:
            answer.body = with_unknown_field(answer.body)
        case FaultKind.DUPLICATE_REPLY:
            _send_ahead(request, answer, answer.body)
        case _:
            pass
    return answer


def _send_ahead(request: web.Request, answer: web.Response, body: bytes) -> None:
    """Write the whole answer once before it is written as usual: the same bytes twice on one connection."""
    answer.headers["Content-Length"] = str(len(body))
    answer.headers.setdefault("Date", request[DATE])
    answer.headers.setdefault("Server", "exchange")
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    head = "\r\n".join(lines) + "\r\n\r\n"
    if request.transport is not None:
        request.transport.write(head.encode() + body)


def _proxy_page(status: int) -> web.Response:
    phrase = HTTPStatus(status).phrase
    page = f"<html>\r\n<head><title>{status} {phrase}</title></head>\r\n<body>{phrase}</body>\r\n</html>\r\n"
    return web.Response(text=page, status=status, content_type="text/html")


def _pass_on(request: web.Request, fault: Fault) -> None:
    """A socket fault that a random stream drew: arm it and let the request be."""
    exchange = exchange_of(request)
    if fault.kind is FaultKind.DROP_SOCKETS:
        exchange.drop_sockets()
    else:
        exchange.faults.arm(Fault(kind=fault.kind), time.time())


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _reset(request: web.Request) -> None:
    """End the connection with RST instead of FIN."""
    if request.transport is None:
        return
    wrapped = request.transport.get_extra_info("socket")
    with socket.socket(fileno=os.dup(wrapped.fileno())) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)
    request.transport.abort()
