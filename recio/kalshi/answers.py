"""What an answer of the venue means: a body of the expected kind, or one of its four error shapes; never a guess."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

import msgspec

from recio import units
from recio.errors import BadConfig, Transient
from recio.kalshi.signing import Signer

T = TypeVar("T")
PASSING = frozenset({408, 429})
SERVER_FAULTS = 500
TOO_MANY = 429
UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""All that a body can raise while it is decoded: JSON nested too deep is a RecursionError."""
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time that says its zone; one that does not is refused and never taken for UTC."""


class VenueRefused(Exception):
    """The venue understood a request and said no."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(f"{status} {code} {text}".strip())
        self.status, self.code, self.text = status, code, text


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


class _Fault(msgspec.Struct):
    code: str = ""
    message: str = ""
    details: str = ""
    msg: str = ""


class _Nested(msgspec.Struct):
    error: _Fault | str


class _Carrier(msgspec.Struct):
    error: object = None


def fault(what: str, url: str, signer: Signer | None, answer: Answer) -> Exception:
    """The exception for an answer that is none. Only words of the venue's own make a refusal."""
    words = error_words(answer.body)
    code, text = words or ("", answer.body[:200].decode("utf-8", "replace").strip())
    passing = answer.status in PASSING or answer.status >= SERVER_FAULTS
    if passing or code == "header_timestamp_expired":
        return Transient(f"{what}: {answer.status} {code} {text}".strip())
    if answer.status == 401:
        key = signer.key_id if signer else "(none)"
        return BadConfig(
            f"{urlsplit(url).hostname} refuses the API key {key}: {code} {text};"
            " does kalshi.key_id belong to kalshi.key_path and to this environment?"
        )
    if words is None or answer.status < 300:
        # A page of a proxy or a balancer in between, or an error that says it is none: it will pass.
        said = f"{code} {text}".strip()
        return Transient(f"{what}: {answer.status} without a clear word of the venue's: {said}".strip(": "))
    return VenueRefused(answer.status, code, text)


def decoded(body: bytes, kind: type[T], what: str) -> T:
    """The body as that kind. Raises Transient naming the field that is missing or of another kind."""
    if carries_error(body):
        said = " ".join(error_words(body) or ("of an unknown shape",)).strip()
        raise Transient(f"{what}: an answer that carries an error: {said}")
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise Transient(f"{what}: {error}") from error


def exact(unit: Callable[[str], T], text: str, field: str) -> T:
    """A text as an exact number of its unit. Raises Transient naming the field."""
    try:
        return unit(text)
    except units.UnitError as error:
        raise Transient(f"the venue's field {field}: {error}") from error


def carries_error(body: bytes) -> bool:
    """Whether the venue put an error into the body, whatever else stands there."""
    if b'"error"' not in body:
        return False
    try:
        return msgspec.json.decode(body, type=_Carrier).error is not None
    except UNREADABLE:
        return False


def error_words(body: bytes) -> tuple[str, str] | None:
    """(code, text) of any of the venue's four error shapes; None if the body has none of them."""
    for kind in (_Nested, _Fault):
        try:
            found = msgspec.json.decode(body, type=kind)
        except UNREADABLE:
            continue
        said = found.error if isinstance(found, _Nested) else found
        if isinstance(said, str):
            return said.replace(" ", "_"), said
        text = "; ".join(filter(None, (said.message, said.details, said.msg)))
        return (said.code, text) if said.code or text else None
    return None
