"""What the routes of Web Push take and give, as models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from recio.web.answers import LINE, Encoded, Given, Number, Taken

Endpoint = Annotated[
    str, Field(max_length=2_048, pattern=r"^https://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?/[!-~]+$")
]
"""Of a browser's subscription: a name and a path under TLS, without a user or a password."""


class NewPush(Taken):
    """What a browser's PushSubscription says, and what its owner wants to be told."""

    endpoint: Endpoint
    public_key: Encoded
    """Its p256dh."""
    auth: Encoded
    label: Annotated[str, Field(max_length=64, pattern=LINE)] = ""
    least: Literal["critical", "warning", "info"] = "critical"


class PushPath(Taken):
    subscription_id: Number


class PushRow(Given):
    subscription_id: int
    channel: str
    """As its messages name it."""
    login: str
    label: str
    least: str
    service: str
    """The host of its push service; the rest of its address is nobody's business."""
    made_at: datetime
    counts: bool
    """False: its login is gone or has another password since, and it is told nothing."""


class PushState(Given):
    public_key: str | None
    """What a browser subscribes with; null: no device is told by push."""
    why_off: str
    devices: list[PushRow]
