"""HTTP replies in the venue's shapes: sorted JSON, its four error bodies, pages with cursors; no decisions."""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import TypeVar

import msgspec
from aiohttp import web

from recio.exchange_sim.engine.orders import Refused

DEFAULT_LIMIT = 100
MOST_LIMIT = 1000

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

DATE = web.RequestKey("date", str)
"""Where a request keeps the venue's time for its answer."""
REFUSED = web.ResponseKey("refused", str)
"""Where an answer keeps the code that it refuses with."""
BAD_REQUEST = 400

_STATUSES = {
    "authentication_error": 401,
    "header_timestamp_expired": 401,
    "signature_is_missing_from_headers": 401,
    "token_authentication_failure": 401,
    "permission_denied": 403,
    "market_not_found": 404,
    "not_found": 404,
    "exchange_is_paused": 409,
    "fill_or_kill_insufficient_resting_volume": 409,
    "order_already_exists": 409,
    "trading_is_paused": 409,
    "transfer_already_exists": 409,
    "deprecated_v1_order_endpoint": 410,
    "invalid_content_type": 415,
    "internal_server_error": 500,
    "service_unavailable": 503,
}
"""The HTTP status of a refusal by its code; any other is 400."""
_BAD_REQUEST_TOO = frozenset(
    {
        "exchange_is_paused",
        "fill_or_kill_insufficient_resting_volume",
        "invalid_content_type",
        "trading_is_paused",
    }
)

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
"""What fits into the 64 bits of the venue; digits of other scripts are none."""

_TRUE = frozenset({"1", "t", "T", "true", "True", "TRUE"})
_FALSE = frozenset({"", "0", "f", "F", "false", "False", "FALSE"})

_Item = TypeVar("_Item")
_encoder = msgspec.json.Encoder(order="sorted")


class BadParameter(Exception):
    """A query parameter that the venue's validation refuses."""

    def __init__(self, operation: str, field: str, tag: str) -> None:
        super().__init__(
            f"Parameter validation failed for {operation}: Key: '{operation}Params.{field}' "
            f"Error:Field validation for '{field}' failed on the '{tag}' tag"
        )


def reply(body: object, status: int = 200) -> web.Response:
    return web.Response(body=_encoder.encode(body), status=status, content_type="application/json")


def refusal(refused: Refused) -> web.Response:
    """The nested error body."""
    error = {"code": refused.code, "message": refused.message or refused.code.replace("_", " ")}
    if refused.details is not None:
        error["details"] = refused.details
    answer = web.Response(
        body=msgspec.json.encode({"error": error}),
        status=_STATUSES.get(refused.code, BAD_REQUEST),
        content_type="application/json",
    )
    answer[REFUSED] = refused.code
    return answer


def as_bad_request(answer: web.StreamResponse) -> None:
    """Answer 400 where the venue was seen to answer so too: pauses, a failed fill-or-kill, a wrong content type."""
    if answer.get(REFUSED) in _BAD_REQUEST_TOO:
        answer.set_status(BAD_REQUEST)


def bad_body(details: str) -> web.Response:
    """The flat error body of a request that could not be parsed."""
    return reply({"code": "bad_request", "message": "bad request", "details": details}, 400)


def bad_parameter(error: BadParameter) -> web.Response:
    return reply({"msg": str(error)}, 400)


def too_large() -> web.Response:
    """A body that is longer than anything that is asked here."""
    body = {"code": "bad_request", "message": "bad request", "details": "http: request body too large"}
    return reply(body, 413)


def no_such_path() -> web.Response:
    return web.Response(text="404 page not found\n", status=404)


def limit_of(
    request: web.Request, operation: str, *, most: int = MOST_LIMIT, default: int = DEFAULT_LIMIT
) -> int:
    text = request.query.get("limit", "")
    if not text:
        return default
    asked = whole_number(text)
    if asked is None or asked < 0:
        raise BadParameter(operation, "Limit", "number")
    if asked > most:
        raise BadParameter(operation, "Limit", "lte")
    return asked or default


def number_of(request: web.Request, name: str, operation: str) -> int | None:
    """A whole number from the query; absent is None."""
    text = request.query.get(name, "")
    if not text:
        return None
    asked = whole_number(text)
    if asked is None:
        raise BadParameter(operation, name, "number")
    return asked


def whole_number(text: str) -> int | None:
    """The number that a text is; None when it is none."""
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else None


def one_of(request: web.Request, name: str, operation: str, *, known: Collection[str]) -> str:
    """A word of an enumeration from the query; absent is ''. Raises BadParameter for any other."""
    word = request.query.get(name, "")
    if word and word not in known:
        raise BadParameter(operation, field_name(name), "oneof")
    return word


def flag_of(request: web.Request, name: str, operation: str) -> bool:
    """A truth value from the query, as the venue's language reads one; absent is false. Raises BadParameter."""
    word = request.query.get(name, "")
    if word not in _TRUE and word not in _FALSE:
        raise BadParameter(operation, field_name(name), "boolean")
    return word in _TRUE


def field_name(name: str) -> str:
    """'settlement_status' -> 'SettlementStatus'."""
    return name.title().replace("_", "")


def names_of(request: web.Request, name: str) -> set[str]:
    """A comma list from the query."""
    return {part for part in request.query.get(name, "").split(",") if part}


def few_names_of(request: web.Request, name: str, operation: str, *, most: int) -> set[str]:
    """A comma list that may not be longer than this."""
    names = names_of(request, name)
    if len(names) > most:
        raise BadParameter(operation, name, "max")
    return names


def page(
    request: web.Request, items: Iterable[_Item], *, key: Callable[[_Item], int], limit: int
) -> tuple[list[_Item], str]:
    """The next items below the query's cursor, highest key first. One that means nothing starts at the top."""
    below = _read_cursor(request.query.get("cursor", ""))
    ordered = sorted((item for item in items if below is None or key(item) < below), key=key, reverse=True)
    chosen = ordered[:limit]
    more = len(ordered) > limit
    return chosen, _write_cursor(key(chosen[-1])) if more and chosen else ""


def _write_cursor(key: int) -> str:
    return urlsafe_b64encode(b"k%d" % key).decode().rstrip("=")


def _read_cursor(cursor: str) -> int | None:
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return int(text[1:]) if text[:1] == b"k" else None
    except (binascii.Error, ValueError):
        return None
