"""The routes of Web Push: which devices are told, one more, one less; the alerts send to them, and this page's task alone writes their rows."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from recio.db import push_subscriptions
from recio.db.connection import Connection, transaction
from recio.db.push_subscriptions import MOST, Subscription, Wanted
from recio.errors import Transient
from recio.web.answers import Ended, Nothing
from recio.web.gate import By, Gate, Visitor
from recio.web.interface import Asked, May, Route
from recio.web.logins import Role
from recio.web.push_bodies import NewPush, PushPath, PushRow, PushState
from recio.web.push_devices import PushSetup, channel_name, subscription_of
from recio.web.refusals import NotAsked

log: structlog.stdlib.BoundLogger = structlog.get_logger()

OFF = (
    "no device is told by push: write alerts.push_contact, an e-mail address, into recio.toml and start again"
)
BY_SERVICE = "its push service"
NUMBER = re.compile(r"[0-9]*|0x[0-9a-f]*")
"""A host's last part, in lower case: resolvers take 127.1, 2130706433 and 0x7f000001 for addresses too, and no name ends so."""


NAME = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
"""Of two parts at least: one alone is a machine of the own network, as localhost is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushes:
    gate: Gate
    setup: PushSetup | None

    async def state(self, asked: Asked[Nothing, Nothing, Nothing]) -> PushState:
        return await self._state(asked.who)

    async def _state(self, who: Visitor) -> PushState:
        async with self._rows() as connection:
            found = await push_subscriptions.running(connection)
        return PushState(
            public_key=None if self.setup is None else self.setup.public_key,
            why_off=OFF if self.setup is None else "",
            devices=[self._told(each) for each in found if _may_see(who, each)],
        )

    def _told(self, row: Subscription) -> PushRow:
        login = self.gate.logins_now().login(row.login)
        return PushRow(
            subscription_id=row.subscription_id,
            channel=channel_name(row.subscription_id),
            login=row.login,
            label=row.label,
            least=row.least,
            service=urlsplit(row.endpoint).hostname or "",
            made_at=row.made_at,
            counts=login is not None and row.made_at >= login.sessions_since,
        )

    async def subscribe(self, asked: Asked[Nothing, NewPush, Nothing]) -> PushState:
        """Raises NotAsked: 403 without a login, 409 for what no message could be sent to, 503."""
        who, body = asked.who, asked.body
        if self.setup is None:
            raise NotAsked(409, OFF)
        wanted = Wanted(
            login=who.name,
            label=body.label,
            least=body.least,
            endpoint=_endpoint(body.endpoint, may_be_inside=self.setup.may_go_inside),
            public_key=_point(body.public_key),
            auth=_auth(body.auth),
        )
        if who.by is not By.SESSION:
            raise NotAsked(403, "a device is told for a login: log in first, also at the machine itself")
        async with self._rows() as connection:
            number = await push_subscriptions.add(connection, wanted, self.gate.now())
        if number is None:
            raise NotAsked(409, f"{MOST} devices are told already: end one first")
        log.warning("push subscribed", name=who.name, subscription=number)
        return await self._state(who)

    async def end(self, asked: Asked[Nothing, Nothing, PushPath]) -> Ended:
        number, who = asked.path.subscription_id, asked.who
        async with self._rows() as connection:
            found = {each.subscription_id: each for each in await push_subscriptions.running(connection)}
            if number not in found or not _may_see(who, found[number]):
                raise NotAsked(404, f"subscription_id = {number}: no such device is told")
            return Ended(ended=await push_subscriptions.end(connection, number, self.gate.now(), who.name))

    async def end_over(self, channels: Iterable[str]) -> None:
        """What push services know no more. Raises NotAsked(503)."""
        numbers = [number for each in channels if (number := subscription_of(each)) is not None]
        async with self._rows() as connection:
            for number in numbers:
                await push_subscriptions.end(connection, number, self.gate.now(), BY_SERVICE)

    @asynccontextmanager
    async def _rows(self) -> AsyncGenerator[Connection]:
        try:
            async with transaction(self.gate.pool) as connection:
                yield connection
        except Transient as error:
            raise NotAsked(503, "devices cannot be read or changed now: the database is away") from error


def push_routes(pushes: Pushes) -> list[Route]:
    return [
        Route(method="GET", path="/push", name="push_devices", gives=PushState, do=pushes.state,
              summary="Devices that are told by Web Push; a reader sees his own"),
        Route(method="POST", path="/push", name="subscribe_push", gives=PushState, do=pushes.subscribe, body=NewPush,
              may=May.OPERATOR, summary="Tell this device by Web Push, for the login of this session", refusals=(409,)),
        Route(method="POST", path="/push/{subscription_id}/end", name="end_push", gives=Ended, do=pushes.end,
              parts=PushPath, summary="Tell a device no more", refusals=(404,)),
    ]  # fmt: skip


def _may_see(who: Visitor, row: Subscription) -> bool:
    return who.role is Role.OPERATOR or (who.by is By.SESSION and who.name == row.login)


def _endpoint(text: str, *, may_be_inside: bool) -> str:
    """Raises NotAsked(409) for what no browser's push service is called; what a name means is seen whenever something is sent."""
    parts = urlsplit(text)
    host = parts.hostname or ""
    if NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        raise NotAsked(409, f"endpoint: its host {host} is a number; a push service has a name")
    if not (NAME.fullmatch(host) or (may_be_inside and host == "localhost")):
        raise NotAsked(409, f"endpoint: its host {host[:100]} is no name of the internet")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise NotAsked(409, "endpoint: its port is none")
    return text


def _point(text: str) -> bytes:
    raw = _decoded("public_key", text)
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        raise NotAsked(
            409, "public_key: no point of P-256; send what the browser's subscription has"
        ) from None
    if len(raw) != 65:
        raise NotAsked(409, "public_key: send the point uncompressed, as browsers do")
    return raw


def _auth(text: str) -> bytes:
    raw = _decoded("auth", text)
    if len(raw) != 16:
        raise NotAsked(409, f"auth: {len(raw)} bytes; the browser's subscription has 16")
    return raw


def _decoded(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise NotAsked(409, f"{name}: no base64url") from None
