"""Rows of devices as channels of the alerts, each as long as the login that made it counts; it sends nothing and reads no key."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from recio.alerting.channels import Channel
from recio.alerting.push_address import push_url
from recio.db.push_subscriptions import Subscription
from recio.messages.alerts import Severity
from recio.web.logins import LoginsFile

NAMED = "push-"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSetup:
    """What Web Push needs of this installation."""

    contact: str
    key_file: Path
    public_key: str
    """Of the key in `key_file`, as a browser takes it."""
    may_go_inside: bool = False
    """A push service may be this machine or its network: for tests alone, no setting says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushDevices:
    setup: PushSetup
    logins: LoginsFile

    def channels(self, rows: Sequence[Subscription]) -> list[Channel]:
        """Those whose login is still there, with the password of then. Raises BadConfig for a file of logins that cannot be read."""
        known = self.logins.now()
        return [
            self._channel(each)
            for each in rows
            if (login := known.login(each.login)) is not None and each.made_at >= login.sessions_since
        ]

    def _channel(self, row: Subscription) -> Channel:
        url = push_url(
            row.endpoint,
            _encoded(row.public_key),
            _encoded(row.auth),
            self.setup.key_file,
            self.setup.contact,
            may_go_inside=self.setup.may_go_inside,
        )
        return Channel(name=channel_name(row.subscription_id), least=Severity(row.least), url=SecretStr(url))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def channel_name(subscription_id: int) -> str:
    return f"{NAMED}{subscription_id}"


def subscription_of(channel: str) -> int | None:
    """Its number; None for a channel of the file."""
    number = channel.removeprefix(NAMED)
    return int(number) if channel.startswith(NAMED) and number.isdecimal() else None
