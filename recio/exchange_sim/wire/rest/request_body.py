"""A request's body, decoded from JSON once however many look into it; what its fields mean is not judged here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar, cast

import msgspec
from aiohttp import web

from recio.exchange_sim.wire.rest.key_lock import body_as_locked

_GO_TYPES = {
    "str": "string",
    "int": "number",
    "bool": "bool",
    "array": "array",
    "object": "object",
    "float": "number",
}
_MISMATCH = re.compile(r"Expected `(\w+).*?`, got `(\w+)` - at `\$\.([\w.\[\]]+)`")

_Body = TypeVar("_Body", bound=msgspec.Struct)


class BadBody(Exception):
    """A body that is not JSON of the right types; the message is the reply's details."""


class WrongContentType(Exception):
    """A body that does not say that it is JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedBody:
    """What was sent. `flaw` says why it is no JSON; None when it is."""

    value: object = None
    flaw: str | None = None
    empty: bool = False


_DECODED = web.RequestKey("decoded_body", DecodedBody)


async def decoded_body(request: web.Request) -> DecodedBody:
    """Whoever asks first has it decoded: the counting of orders, the rate limits, a fault, or the route."""
    if _DECODED not in request:
        try:
            request[_DECODED] = _decode(await request.read())
        except web.RequestPayloadError as error:
            # Compressed as it says it is not, or cut in the middle.
            request[_DECODED] = DecodedBody(flaw=f"unreadable body: {error}")
    return request[_DECODED]


async def body_of(request: web.Request, kind: type[_Body], *, optional: bool = False) -> _Body:
    """The body as this kind of request; none at all is one without fields if it is optional.

    Raises BadBody, WrongContentType and NotItsSubaccount.
    """
    body = await decoded_body(request)
    if body.empty and optional:
        return kind()
    if not body.empty and request.content_type != "application/json":
        raise WrongContentType
    if body.flaw is not None:
        raise BadBody(body.flaw)
    try:
        return msgspec.convert(body_as_locked(request, _without_nulls(body.value)), kind)
    except msgspec.ValidationError as error:
        raise BadBody(_go_words(str(error), kind.__name__)) from error


def _decode(raw: bytes) -> DecodedBody:
    if not raw:
        return DecodedBody(flaw="EOF", empty=True)
    try:
        return DecodedBody(value=msgspec.json.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return DecodedBody(flaw=f"invalid character: {error}")


def _without_nulls(value: object) -> object:
    """To the venue's own decoder a field that is null is one that was not sent."""
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        return {name: _without_nulls(each) for name, each in fields.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in cast("list[object]", value)]
    return value


def _go_words(text: str, kind: str) -> str:
    """'Expected `str`, got `int` - at `$.count`' in the words of the venue's own decoder."""
    found = _MISMATCH.search(text)
    if found is None:
        return f"json: {text}"
    expected, got, field = found.groups()
    return (
        f"json: cannot unmarshal {_GO_TYPES.get(got, got)} into Go struct field {kind}.{field} "
        f"of type {_GO_TYPES.get(expected, expected)}"
    )
