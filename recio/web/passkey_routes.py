"""The routes of passkeys: made after a login with a password, used to log in, listed and removed by their owner; the gate begins every session."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog

from recio.db import page_passkeys, page_sessions
from recio.db.connection import Connection, transaction
from recio.db.page_passkeys import Passkey
from recio.errors import Transient
from recio.web import passkeys
from recio.web.answers import (
    Asking,
    Ended,
    Me,
    NewPasskey,
    Nothing,
    PasskeyAnswer,
    PasskeyPath,
    PasskeyRow,
    Passkeys,
)
from recio.web.entrance import me_of
from recio.web.gate import By, Gate, Visitor, refuse_cross_origin
from recio.web.interface import Asked, May, Reply, Route
from recio.web.logins import Login
from recio.web.passkeys import Challenges, Unproven
from recio.web.reach import Arrival
from recio.web.refusals import NotAsked

log: structlog.stdlib.BoundLogger = structlog.get_logger()

MADE_WITHIN = timedelta(minutes=15)
"""After a login with a password."""


@dataclass(slots=True, kw_only=True)
class Keys:
    """Passkeys behind one gate."""

    gate: Gate
    challenges: Challenges = field(default_factory=Challenges)

    async def log_in(self, asked: Asked[Nothing, PasskeyAnswer, Nothing]) -> Reply:
        """Raises NotAsked: 401 for what proves nobody, 429 after too many, 503."""
        arrival, body = asked.arrival, asked.body
        refuse_cross_origin(arrival, asked.headers)
        address = () if arrival.is_local else (f"address {arrival.address}",)
        self.gate.refuse_early(address)
        try:
            passkey, login = await self._known(body.credential)
            proven = passkeys.proves_login(
                arrival, self.challenges, passkey, body.client_data, body.authenticator_data, body.signature
            )
        except Unproven as error:
            self.gate.throttle.failed(address, time.monotonic())
            log.warning("passkey refused", address=arrival.address, why=str(error))
            raise NotAsked(401, str(error)) from None

        async def use(connection: Connection) -> int:
            if not await page_passkeys.use(
                connection, passkey.passkey_id, proven.sign_count, self.gate.now()
            ):
                raise NotAsked(
                    401, "the passkey was removed, or its count went backwards: a copy of it may be about"
                )
            return passkey.passkey_id

        entered = await self.gate.begin(arrival, login, use)
        return Reply(
            model=me_of(entered.visitor, is_local=arrival.is_local),
            cookie=entered.cookie.get_secret_value(),
            cookie_seconds=self.gate.session_hours * 3_600,
        )

    async def _known(self, credential: str) -> tuple[Passkey, Login]:
        async with self._rows() as connection:
            found = await page_passkeys.find(connection, passkeys.credential_of(credential))
        login = None if found is None else self.gate.logins_now().login(found.login)
        if found is None or login is None or found.made_at < login.sessions_since:
            raise Unproven(
                "the passkey is not known here, or older than its login's password: log in with the password"
            )
        return found, login

    async def begin_new(self, asked: Asked[Nothing, Nothing, Nothing]) -> Asking:
        login = self._fresh(asked.who)
        async with self._rows() as connection:
            known = await page_passkeys.of_login(connection, login)
        challenge = self.challenges.draw(passkeys.NEW + login)
        return Asking(options=passkeys.asked_to_make(asked.arrival, login, known, challenge))

    async def make(self, asked: Asked[Nothing, NewPasskey, Nothing]) -> Passkeys:
        login, body = self._fresh(asked.who), asked.body
        try:
            proven = passkeys.proves_new(
                asked.arrival, self.challenges, login, body.credential, body.client_data, body.attestation
            )
        except Unproven as error:
            raise NotAsked(409, str(error)) from None
        async with self._rows() as connection:
            number = await page_passkeys.add(
                connection,
                login,
                body.label,
                proven.credential,
                proven.public_key,
                proven.sign_count,
                self.gate.now(),
            )
        if number is None:
            raise NotAsked(
                409, f"the passkey is known already, or {login} has {page_passkeys.MOST}: remove one first"
            )
        log.warning("passkey made", name=login, passkey=number)
        return await self.listed(asked)

    def _fresh(self, who: Visitor) -> str:
        """The login of a session that a password began lately. Raises NotAsked(403)."""
        session = who.session
        if who.by is not By.SESSION or session is None or session.passkey_id is not None:
            raise NotAsked(403, "a passkey is made after a login with the password: log out and in with it")
        if self.gate.now() - session.began_at > MADE_WITHIN:
            raise NotAsked(
                403,
                f"the password was given more than {MADE_WITHIN.seconds // 60} minutes ago: log out and in again",
            )
        return session.login

    async def listed(self, asked: Asked[Nothing, Any, Nothing]) -> Passkeys:
        """Of whoever asks."""
        if asked.who.by is not By.SESSION:
            return Passkeys(passkeys=[])
        async with self._rows() as connection:
            found = await page_passkeys.of_login(connection, asked.who.name)
        return Passkeys(
            passkeys=[
                PasskeyRow(
                    passkey_id=each.passkey_id, label=each.label, made_at=each.made_at, used_at=each.used_at
                )
                for each in found
            ]
        )

    async def remove(self, asked: Asked[Nothing, Nothing, PasskeyPath]) -> Ended:
        """With every session that it began."""
        number, who = asked.path.passkey_id, asked.who
        async with self._rows() as connection:
            if who.by is not By.SESSION or not await page_passkeys.remove(
                connection, number, who.name, who.name
            ):
                raise NotAsked(404, f"passkey_id = {number}: you have no such passkey")
            await page_sessions.end_of_passkey(connection, number, who.name)
        self.gate.forget()
        return Ended(ended=True)

    def begin_login(self, arrival: Arrival) -> Asking:
        challenge = self.challenges.draw(passkeys.LOGIN)
        return Asking(options=passkeys.asked_to_log_in(arrival, challenge))

    @asynccontextmanager
    async def _rows(self) -> AsyncGenerator[Connection]:
        try:
            async with transaction(self.gate.pool) as connection:
                yield connection
        except Transient as error:
            raise NotAsked(503, "passkeys cannot be read now: the database is away") from error


def passkey_routes(gate: Gate) -> list[Route]:
    keys = Keys(gate=gate)

    async def begin_login(asked: Asked[Nothing, Nothing, Nothing]) -> Asking:
        return keys.begin_login(asked.arrival)

    return [
        Route(method="GET", path="/login/passkey", name="begin_passkey_login", gives=Asking, do=begin_login, may=May.ANYBODY,
              summary="What a browser is asked to log in with a passkey", refusals=(409,)),
        Route(method="POST", path="/login/passkey", name="log_in_by_passkey", gives=Me, do=keys.log_in, may=May.ANYBODY,
              body=PasskeyAnswer, summary="Begin a session with a passkey", refusals=(409,)),
        Route(method="GET", path="/passkeys", name="passkeys", gives=Passkeys, do=keys.listed,
              summary="Passkeys of whoever asks"),
        Route(method="GET", path="/passkeys/new", name="begin_passkey", gives=Asking, do=keys.begin_new,
              summary="What a browser is asked to make a passkey", refusals=(409,)),
        Route(method="POST", path="/passkeys", name="make_passkey", gives=Passkeys, do=keys.make, body=NewPasskey,
              summary="Keep a passkey, after a login with the password", refusals=(409,)),
        Route(method="POST", path="/passkeys/{passkey_id}/remove", name="remove_passkey", gives=Ended, do=keys.remove,
              parts=PasskeyPath, summary="Remove a passkey and end its sessions", refusals=(404,)),
    ]  # fmt: skip
