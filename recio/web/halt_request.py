"""Reads a halt that the page asks for: who may, which one, and typed out; it sets no halt itself."""

from __future__ import annotations

import hmac
import json
from datetime import datetime
from typing import Any, cast

from recio.messages.controls import HaltLevel, HaltRequest

BODY_LIMIT = 4_096
WHY_LIMIT = 200
BY = "status page"
DONE = {HaltLevel.HALT: "halted", HaltLevel.FLATTEN: "flattened", HaltLevel.STOP: "stopped"}


class NotAsked(Exception):
    """The request is not one for a halt: nothing was done. `status` is the HTTP status to answer with."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def read_halt(
    body: bytes, content_type: str, origin: str | None, host: str, token: str, now: datetime
) -> HaltRequest:
    """Raises NotAsked, which names the field, for anything but a halt of somebody who has the token."""
    if content_type != "application/json":
        raise NotAsked(415, f"Content-Type = {content_type!r}: send application/json")
    if origin is not None and origin != f"http://{host}":
        raise NotAsked(403, f"Origin = {origin!r}: only this page's own")
    fields = _fields(body)
    if not hmac.compare_digest(_text(fields, "token").encode(), token.encode()):
        raise NotAsked(403, "token is not the one in the file halt-token of data_dir")
    asked = _text(fields, "level")
    if asked not in tuple(HaltLevel):
        raise NotAsked(400, f"level = {asked[:40]!r}: choose {', '.join(HaltLevel)}")
    level = HaltLevel(asked)
    if _text(fields, "confirm") != level.upper():
        raise NotAsked(400, f"confirm: type {level.upper()} to confirm")
    why = _text(fields, "why")[:WHY_LIMIT]
    cause = f"{DONE[level]} by the status page" + (f": {why}" if why else "")
    return HaltRequest(level=level, cause=cause, by=BY, at=now)


def _fields(body: bytes) -> dict[str, Any]:
    try:
        found: object = json.loads(body)
    except ValueError as error:
        raise NotAsked(400, f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise NotAsked(400, "the body is not a JSON object with level, confirm, token and why")
    return cast(dict[str, Any], found)


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise NotAsked(400, f"{name} must be text")
    return value
