"""Reads what a person asks for on the page: a halt, or the end of halts; who may, and typed out. It does neither itself.

A halt stops entries only and needs one tap. Whatever sells, ends the daemon or lets it trade again needs the token.
"""

from __future__ import annotations

import hmac
import json
from datetime import datetime
from typing import Any, cast

from recio.messages.controls import HaltLevel, HaltRequest, ResumeRequest
from recio.texts import writable
from recio.web.refusals import NotAsked

WHY_LIMIT = 200
CAUSES_AT_MOST = 32
BY = "status page"
DONE = {HaltLevel.HALT: "halted", HaltLevel.FLATTEN: "flattened", HaltLevel.STOP: "stopped"}


def read_halt(
    body: bytes, content_type: str, origin: str | None, host: str, token: str, now: datetime
) -> HaltRequest:
    """Raises NotAsked, which names the field, for anything but a halt, or a flatten or stop of somebody who has the token."""
    fields = _of_the_page(body, content_type, origin, host)
    asked = _text(fields, "level")
    if asked != HaltLevel.HALT:
        _insist_on_token(fields, token)
    if asked not in tuple(HaltLevel):
        raise NotAsked(400, f"level = {asked[:40]!r}: choose {', '.join(HaltLevel)}")
    level = HaltLevel(asked)
    if level is not HaltLevel.HALT and _text(fields, "confirm") != level.upper():
        raise NotAsked(400, f"confirm: type {level.upper()} to confirm")
    why = _text(fields, "why")[:WHY_LIMIT]
    cause = f"{DONE[level]} by the status page" + (f": {why}" if why else "")
    return HaltRequest(level=level, cause=cause, by=BY, at=now)


def read_resume(
    body: bytes, content_type: str, origin: str | None, host: str, token: str, now: datetime
) -> ResumeRequest:
    """Raises NotAsked, which names the field, for anything but a resume of somebody who has the token."""
    fields = _of_the_page(body, content_type, origin, host)
    _insist_on_token(fields, token)
    if _text(fields, "confirm") != "RESUME":
        raise NotAsked(400, "confirm: type RESUME to confirm")
    causes: object = fields.get("causes")
    if not isinstance(causes, list):
        raise NotAsked(400, "causes must be a list: the causes of the halts that the page showed")
    named = cast("list[object]", causes)
    if not named or len(named) > CAUSES_AT_MOST or not all(isinstance(each, str) for each in named):
        raise NotAsked(400, f"causes must be 1 to {CAUSES_AT_MOST} texts")
    return ResumeRequest(causes=tuple(writable(str(each)) for each in named), by=BY, at=now)


def _of_the_page(body: bytes, content_type: str, origin: str | None, host: str) -> dict[str, Any]:
    """No other site can send this kind of body without asking first, and nobody answers it."""
    if content_type != "application/json":
        raise NotAsked(415, f"Content-Type = {content_type!r}: send application/json")
    if origin is not None and origin != f"http://{host}":
        raise NotAsked(403, f"Origin = {origin!r}: only this page's own")
    return _fields(body)


def _insist_on_token(fields: dict[str, Any], token: str) -> None:
    if not hmac.compare_digest(_text(fields, "token").encode(), token.encode()):
        raise NotAsked(403, "token is not the one in the file halt-token of data_dir")


def _fields(body: bytes) -> dict[str, Any]:
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotAsked(400, f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise NotAsked(400, "the body is not a JSON object with level, confirm, token and why")
    return cast(dict[str, Any], found)


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise NotAsked(400, f"{name} must be text")
    return writable(value)
