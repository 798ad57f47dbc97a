"""Sends one request that changes something, once, and tells whether it was carried out, refused or neither is known.

It never retries and never takes an unclear response for a yes or a no.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
import anyio
import structlog

from recio.errors import Transient
from recio.kalshi.error_codes import CONFLICT, may_be_done
from recio.kalshi.rate_limit import BilledRequest
from recio.kalshi.responses import (
    TOO_MANY_REQUESTS,
    Response,
    carries_error,
    decoded,
    error_in,
    exception_for,
)
from recio.kalshi.rest import KalshiRest, Params
from recio.test_hooks.crash_points import CrashPoint, reached

log: structlog.stdlib.BoundLogger = structlog.get_logger()
T = TypeVar("T")

OK = (200,)
OK_OR_CREATED = (200, 201)
REFUSALS = frozenset({400, 401, 403, 404, CONFLICT, 410, 429})
"""Statuses that come instead of a change: with an error body its code decides what was carried out."""


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """Nothing was carried out."""

    code: str
    text: str
    status: int = 0
    """0 if nothing was sent."""


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """The request may have been carried out, or not."""

    why: str


WriteResult = Response | RequestRefused | OutcomeUnknown


def shard_field(exchange_index: int | None) -> dict[str, int]:
    """The field of a body that names a shard; none where the venue is to find it."""
    return {} if exchange_index is None else {"exchange_index": exchange_index}


def shard_param(exchange_index: int | None) -> dict[str, str]:
    """The same as a parameter of a query."""
    return {name: str(value) for name, value in shard_field(exchange_index).items()}


async def attempt(
    rest: KalshiRest,
    request: BilledRequest,
    *,
    params: Params | None = None,
    body: object = None,
    wait_seconds: float | None = None,
    why_not: Callable[[], str] | None = None,
) -> WriteResult:
    """Send once, after waiting at most `wait_seconds` of host time for the tokens. Cancellation goes through.

    `why_not` is asked after that wait, at the last moment: what it says keeps the request here.
    """
    patience = rest.timeout_seconds if wait_seconds is None else wait_seconds
    ticket = await rest.limits.admit(request, anyio.current_time() + patience)
    if ticket is None:
        return RequestRefused("not_sent", "the rate limit would admit it too late")
    reached(CrashPoint.ROOM_GRANTED)
    if why_not is not None and (reason := why_not()):
        return RequestRefused("not_sent", reason)
    try:
        response = await rest.send(request.method, request.path, params=params, body=body)
        reached(CrashPoint.ANSWER_READ)
    except aiohttp.ClientConnectorError as error:
        # No connection was made, so no byte of the request has left.
        return RequestRefused("not_sent", f"{type(error).__name__}: {error}")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        reached(CrashPoint.REQUEST_UNRESOLVED)
        return OutcomeUnknown(f"{type(error).__name__}: {error}".rstrip(": "))
    except Exception as error:
        log.error("request failed unexpectedly", method=request.method, path=request.path, exc_info=error)
        return OutcomeUnknown(f"{type(error).__name__}: {error}".rstrip(": "))
    rest.limits.answered(ticket, refused=response.status == TOO_MANY_REQUESTS)
    return response


def verdict(result: WriteResult, success: tuple[int, ...]) -> WriteResult:
    """A Response only if it is a success without an error; a refusal only by an error body of the venue's own."""
    if not isinstance(result, Response):
        return result
    error = error_in(result.body)
    if result.status in success and not carries_error(result.body):
        return result
    if result.status in REFUSALS and error is not None and not may_be_done(result.status, *error):
        code, text = error
        return RequestRefused(code or str(result.status), text, result.status)
    said = " ".join(error or ("without an error body of the venue",)).strip()
    return OutcomeUnknown(f"status {result.status} {said}")


async def change(
    rest: KalshiRest,
    request: BilledRequest,
    kind: type[T],
    *,
    params: Params | None = None,
    body: object = None,
) -> T:
    """A change that may be asked again. Raises VenueRefused for a refusal, Transient for anything unclear."""
    result = await attempt(rest, request, params=params, body=body)
    what = f"{request.method} {request.path}"
    match result:
        case RequestRefused(text=why) | OutcomeUnknown(why=why):
            raise Transient(f"{what}: {why}")
        case Response(status=status, body=said) if status in OK_OR_CREATED:
            return decoded(said, kind, what)
        case Response():
            raise exception_for(what, rest.base_url, rest.signer, result)
