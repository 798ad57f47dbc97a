"""One attempt to change something at the venue, and whether its answer is a yes, a no or neither; it never retries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import aiohttp
import anyio
import structlog

from recio.errors import Transient
from recio.kalshi.answers import TOO_MANY, Answer, carries_error, decoded, error_words, fault
from recio.kalshi.rate_limit import Asked
from recio.kalshi.rest import KalshiRest, Params
from recio.test_hooks.crash_points import CrashPoint, reached

log: structlog.stdlib.BoundLogger = structlog.get_logger()
T = TypeVar("T")

REFUSALS = frozenset({400, 401, 403, 404, 410, 429})
"""Answers that come instead of a change: with an error body nothing was carried out."""
NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing was carried out."""

    code: str
    text: str
    status: int = 0
    """0 if nothing was sent."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """It may have been carried out, or not."""

    why: str


async def attempt(
    rest: KalshiRest,
    asked: Asked,
    *,
    params: Params | None = None,
    body: object = None,
    wait_seconds: float | None = None,
) -> Answer | Refusal | Doubt:
    """Send once, after waiting at most `wait_seconds` of host time for the tokens. Cancellation goes through."""
    patience = rest.timeout_seconds if wait_seconds is None else wait_seconds
    ticket = await rest.limits.admit(asked, anyio.current_time() + patience)
    if ticket is None:
        return Refusal("not_sent", "the rate limit has no room for it in time")
    reached(CrashPoint.ROOM_GRANTED)
    try:
        answer = await rest.send(asked.method, asked.path, params=params, body=body)
        reached(CrashPoint.ANSWER_READ)
    except aiohttp.ClientConnectorError as error:
        # No connection was made, so no byte of the request has left.
        return Refusal("not_sent", f"{type(error).__name__}: {error}")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        reached(CrashPoint.REQUEST_UNRESOLVED)
        return Doubt(f"{type(error).__name__}: {error}".rstrip(": "))
    except Exception as error:
        log.error("request broke", method=asked.method, path=asked.path, exc_info=error)
        return Doubt(f"{type(error).__name__}: {error}".rstrip(": "))
    rest.limits.answered(ticket, refused=answer.status == TOO_MANY)
    return answer


def verdict(came: Answer | Refusal | Doubt, yes: tuple[int, ...]) -> Answer | Refusal | Doubt:
    """A yes is the Answer; only an error body of the venue's own with a clear status is a Refusal."""
    if not isinstance(came, Answer):
        return came
    words = error_words(came.body)
    if came.status in yes and not carries_error(came.body):
        return came
    if came.status in REFUSALS and words is not None:
        code, text = words
        return Refusal(code or str(came.status), text, came.status)
    said = " ".join(words or ("without an error of the venue's",)).strip()
    return Doubt(f"answer {came.status} {said}")


async def change(
    rest: KalshiRest, asked: Asked, kind: type[T], *, params: Params | None = None, body: object = None
) -> T:
    """A change whose outcome may be asked again. Raises VenueRefused for a no, Transient for anything unclear."""
    came = await attempt(rest, asked, params=params, body=body)
    what = f"{asked.method} {asked.path}"
    if isinstance(came, Refusal | Doubt):
        raise Transient(f"{what}: {came.text if isinstance(came, Refusal) else came.why}")
    if came.status in (200, 201):
        return decoded(came.body, kind, what)
    raise fault(what, rest.base_url, rest.signer, came)
