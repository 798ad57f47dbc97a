"""What a read gets that was told to fail until it is disarmed; it arms nothing and never touches a write."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import cast

import msgspec
from aiohttp import web

from recio.exchange_sim.faults.reads import FailingRead, Manner
from recio.exchange_sim.wire.rest.replies import Handler

NEW_WORD = "reimagined"
NEW_FIELD = "never_seen_before"
_ENUMS = frozenset({"status", "side", "book_side", "outcome_side", "type", "market_type", "result"})


async def answer_of_failing(
    request: web.Request, handler: Handler, failing: FailingRead
) -> web.StreamResponse:
    """One that is never answered ends with its client."""
    if failing.status == 0:
        await asyncio.Event().wait()
    if failing.needs_its_answer:
        return _spoilt(request, await handler(request), failing)
    if failing.status == HTTPStatus.OK:
        return web.Response(text='{"markets": [', content_type="application/json")
    error = {"code": "fails_on_request", "message": "this read fails until it is disarmed"}
    return web.json_response({"error": error}, status=failing.status)


def _spoilt(request: web.Request, answer: web.StreamResponse, failing: FailingRead) -> web.StreamResponse:
    if not isinstance(answer, web.Response) or not isinstance(answer.body, bytes):
        return answer
    body = answer.body
    match failing.manner:
        case Manner.CUT:
            answer.body = body[: len(body) // 2]
        case Manner.NULL:
            answer.body = b"null"
        case Manner.NULLS:
            answer.body = msgspec.json.encode(_nulls(msgspec.json.decode(body)))
        case Manner.STRANGE:
            answer.body = with_unknown_field(body)
        case Manner.STALE:
            answer.body = failing.first.setdefault(request.path_qs, body)
        case Manner.TURNED:
            answer.body = msgspec.json.encode(_turned(msgspec.json.decode(body)))
        case Manner.NO_JSON:
            pass
    return answer


def _nulls(value: object) -> object:
    """Lists keep their length and their rows lose what they say; what is no list keeps its own fields' names."""
    if isinstance(value, list):
        return [_nulls(each) for each in cast("list[object]", value)]
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        return {name: _nulls(each) for name, each in fields.items()}
    return None


def _turned(value: object) -> object:
    if isinstance(value, list):
        return [_turned(each) for each in reversed(cast("list[object]", value))]
    if isinstance(value, dict):
        return {name: _turned(each) for name, each in cast("dict[str, object]", value).items()}
    return value


def with_unknown_field(body: bytes) -> bytes:
    """A JSON object with a field and, where it has an enumeration, a word that nobody has seen before."""
    try:
        decoded = msgspec.json.decode(body, type=dict[str, object])
    except msgspec.ValidationError:
        return body
    _change_word(decoded)
    return msgspec.json.encode(decoded | {NEW_FIELD: {"of": "another day"}})


def _change_word(value: object) -> bool:
    """Put an unknown word in place of the first enumeration. True once it is done."""
    if isinstance(value, list):
        return any(_change_word(item) for item in cast("list[object]", value))
    if not isinstance(value, dict):
        return False
    fields = cast("dict[str, object]", value)
    for key, word in fields.items():
        if key in _ENUMS and isinstance(word, str):
            fields[key] = NEW_WORD
            return True
    return any(_change_word(item) for item in fields.values())
