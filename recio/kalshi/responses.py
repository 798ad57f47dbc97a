"""Tells what a REST response means: a body of the expected kind, or one of the venue's error shapes; it never guesses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

import msgspec

from recio import units
from recio.errors import BadConfig, Transient
from recio.kalshi.amounts import parse_amount
from recio.kalshi.signing import Signer

T = TypeVar("T")
NOT_FOUND = 404
TOO_MANY_REQUESTS = 429
TRANSIENT_STATUSES = frozenset({408, TOO_MANY_REQUESTS})
FIRST_SERVER_ERROR = 500
MOST_SAID = 200
"""Characters of an answer that are shown where it is no text."""
MOST_DIGITS = 6
"""Of an age in seconds: nobody keeps an answer for more than eleven days."""
NOT_DECODABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""All that decoding a body can raise: JSON nested too deep is a RecursionError."""
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time that says its zone; one that does not is refused and never taken for UTC."""


class VenueRefused(Exception):
    """The venue understood a request and refused it."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(f"{status} {code} {text}".strip())
        self.status, self.code, self.text = status, code, text


@dataclass(frozen=True, slots=True)
class Response:
    """Status and body of one HTTP response, whatever they say."""

    status: int
    body: bytes
    age: int = 0
    """Seconds for which a cache on the way had kept it; 0 where it says nothing."""


def cached_for(header: str) -> int:
    """The Age header in seconds; 0 for one that is absent or strange."""
    return int(header) if header.isascii() and header.isdigit() and len(header) <= MOST_DIGITS else 0


class _ErrorResponse(msgspec.Struct):
    """Of any kind each: what one field holds must not hide what another says."""

    code: object = None
    message: object = None
    details: object = None
    msg: object = None


class _WrappedError(msgspec.Struct):
    error: _ErrorResponse | str


class _AnyError(msgspec.Struct):
    error: object = None


def exception_for(what: str, url: str, signer: Signer | None, response: Response) -> Exception:
    """The exception for a response that is not the expected one: Transient, BadConfig or VenueRefused.

    Only an error body of the venue's own is a refusal.
    """
    error = error_in(response.body)
    code, text = error or ("", response.body[:MOST_SAID].decode("utf-8", "replace").strip())
    is_transient = response.status in TRANSIENT_STATUSES or response.status >= FIRST_SERVER_ERROR
    if is_transient or code == "header_timestamp_expired":
        return Transient(f"{what}: {response.status} {code} {text}".strip())
    if response.status == 401:
        key = signer.key_id if signer else "(none)"
        return BadConfig(
            f"{urlsplit(url).hostname} refuses the API key {key}: {code} {text};"
            " does kalshi.key_id belong to kalshi.key_path and to this environment?"
        )
    if error is None or response.status < 300:
        # A page of a proxy or a load balancer, or an error body under a status of success.
        said = f"{code} {text}".strip()
        return Transient(f"{what}: {response.status} without an error body of the venue: {said}".strip(": "))
    return VenueRefused(response.status, code, text)


def decoded(body: bytes, kind: type[T], what: str) -> T:
    """The body as that kind. Raises Transient naming the field that is missing or of another kind."""
    if carries_error(body):
        said = " ".join(error_in(body) or ("of an unknown shape",)).strip()
        raise Transient(f"{what}: the response carries an error: {said}")
    try:
        return msgspec.json.decode(body, type=kind)
    except NOT_DECODABLE as error:
        raise Transient(f"{what}: {error}") from error


def read_amount(unit: Callable[[str], T], text: str, field: str) -> T:
    """A field of a response as an exact number of its unit. Raises Transient naming the field."""
    try:
        return parse_amount(unit, text, field)
    except units.UnitError as error:
        raise Transient(f"the venue's field {error}") from error


def carries_error(body: bytes) -> bool:
    """Whether the body has an error in it, whatever else stands there."""
    if b'"error"' not in body:
        return False
    try:
        return msgspec.json.decode(body, type=_AnyError).error is not None
    except NOT_DECODABLE:
        return False


def error_in(body: bytes) -> tuple[str, str] | None:
    """(code, text) of any of the venue's four error shapes; None if the body has none of them."""
    for kind in (_WrappedError, _ErrorResponse):
        try:
            found = msgspec.json.decode(body, type=kind)
        except NOT_DECODABLE:
            continue
        error = found.error if isinstance(found, _WrappedError) else found
        if isinstance(error, str):
            said = _said(error)
            return said.replace(" ", "_"), said
        code = _said(error.code) if isinstance(error.code, str) else ""
        text = "; ".join(filter(None, map(_said, (error.message, error.details, error.msg))))
        return (code, text) if code or text else None
    return None


def _said(value: object) -> str:
    """A text, in one line and without what moves a terminal's cursor; anything else of a body as the JSON it came as, bounded."""
    if value is None or isinstance(value, str):
        words = "".join(each if each.isprintable() else " " for each in value or "")
        return " ".join(words.split())[:MOST_SAID]
    return msgspec.json.encode(value).decode()[:MOST_SAID]
