"""Who asks at the page and what they may: by loopback, a session, or a token that only reads; it does nothing that is asked for.

A flood of wrong passwords from elsewhere locks names and addresses out there, and never anybody at this machine.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import anyio
import anyio.to_thread
import asyncpg
import structlog
from pydantic import SecretStr

from recio.db import page_sessions
from recio.db.connection import Connection, transaction
from recio.db.page_sessions import Session
from recio.errors import BadConfig, Transient
from recio.web.logins import Login, Logins, LoginsFile, Role, digest_of, proves
from recio.web.reach import Arrival
from recio.web.refusals import NotAsked
from recio.web.throttle import Throttle

log: structlog.stdlib.BoundLogger = structlog.get_logger()

COOKIE = "__Host-recio"
"""The prefix makes a browser refuse it without TLS and from any other host."""
BY_LOOPBACK = "status page"
HALT_TOKEN_HEADER = "X-Halt-Token"
CSRF_HEADER = "X-CSRF-Token"
TRUSTED_FOR = 5.0
"""Host seconds for which a session that was found in its row is not looked up again."""
STALE_FOR = 120.0
"""Host seconds for which a session that was found goes on while its row cannot be read."""
KNOWN_AT_MOST = 256
WRONG_COSTS = 1.0
"""Host seconds that whoever was wrong waits for the answer."""
WAITING_AT_MOST = 8
"""Tries to log in that wait for their turn, of each kind of address."""


Use = Callable[[Connection], Awaitable[int]]
"""Counts one use of a passkey in its row, and says its number."""


class By(StrEnum):
    LOOPBACK = "loopback"
    SESSION = "session"
    TOKEN = "token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    name: str
    role: Role
    by: By
    session: Session | None = None
    csrf: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    visitor: Visitor
    cookie: SecretStr


@dataclass(slots=True)
class _Known:
    session: Session | None
    at: float


@dataclass(slots=True)
class _Turn:
    """One password at a time: its hash is made to be dear."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    waiting: int = 0


@dataclass(slots=True, kw_only=True)
class Gate:
    logins: LoginsFile
    halt_token: SecretStr
    pool: asyncpg.Pool[asyncpg.Record]
    session_hours: int = 12
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    """The machine's time; the market's may run faster."""
    throttle: Throttle = field(default_factory=Throttle)
    _known: dict[str, _Known] = field(default_factory=dict[str, _Known])
    _reading: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(1))
    _local: _Turn = field(default_factory=_Turn)
    _afar: _Turn = field(default_factory=_Turn)

    async def visitor(self, arrival: Arrival, bearer: str, cookie: str) -> Visitor | None:
        """None: nobody that is known. Raises NotAsked(401) for a wrong token, 503 where it cannot be known now."""
        if bearer:
            return self._of_token(arrival, bearer)
        if cookie and (found := await self._of_cookie(cookie)):
            return found
        return Visitor(name=BY_LOOPBACK, role=Role.READER, by=By.LOOPBACK) if arrival.is_local else None

    def _of_token(self, arrival: Arrival, bearer: str) -> Visitor:
        keys = () if arrival.is_local else (f"token from {arrival.address}",)
        self.refuse_early(keys)
        found = self.logins_now().token(bearer)
        if found is None:
            self.throttle.failed(keys, time.monotonic())
            raise NotAsked(401, "the token is not one of recio login list")
        return Visitor(name=found.name, role=Role.READER, by=By.TOKEN)

    async def _of_cookie(self, cookie: str) -> Visitor | None:
        session = await self._session(digest_of(cookie))
        login = None if session is None else self.logins_now().login(session.login)
        if session is None or login is None or session.began_at < login.sessions_since:
            return None
        return _of_session(session, login.role, cookie)

    async def _session(self, digest: str) -> Session | None:
        """Looked up anew after some seconds; while the rows cannot be read, what was known of it counts for a while."""
        known, at = self._known.get(digest), time.monotonic()
        if known is not None and at - known.at <= TRUSTED_FOR:
            return self._unless_over(known.session)
        try:
            async with self._reading, transaction(self.pool) as connection:
                found = await page_sessions.find(connection, digest, self.now())
        except Transient as error:
            if known is not None and known.session is not None and at - known.at <= STALE_FOR:
                return self._unless_over(known.session)
            raise NotAsked(503, "sessions cannot be read now: the database is away") from error
        while len(self._known) >= KNOWN_AT_MOST:
            del self._known[next(iter(self._known))]
        self._known[digest] = _Known(found, at)
        return found

    def _unless_over(self, session: Session | None) -> Session | None:
        return None if session is None or session.ends_at <= self.now() else session

    def logins_now(self) -> Logins:
        try:
            return self.logins.now()
        except BadConfig as error:
            raise NotAsked(503, f"nobody can log in: {error}") from error

    async def log_in(self, arrival: Arrival, name: str, password: str) -> LoggedIn:
        """A new session. Raises NotAsked: 401 for a wrong name or password, 429 for too many of them, 503."""
        keys = () if arrival.is_local else (f"name {name}", f"address {arrival.address}")
        self.refuse_early(keys)
        login = self.logins_now().login(name)
        if not await self._proven(arrival, login, password) or login is None:
            self.throttle.failed(keys, time.monotonic())
            log.warning("login refused", name=name, address=arrival.address)
            await anyio.sleep(WRONG_COSTS)
            raise NotAsked(401, "name or password is wrong")
        self.throttle.succeeded(keys)
        return await self.begin(arrival, login)

    def refuse_early(self, keys: tuple[str, ...]) -> None:
        wait = self.throttle.wait(keys, time.monotonic())
        if wait > 0:
            raise NotAsked(
                429, f"too many wrong tries: again in {wait:.0f} s, or at the machine itself", wait
            )

    async def _proven(self, arrival: Arrival, login: Login | None, password: str) -> bool:
        turn = self._local if arrival.is_local else self._afar
        if turn.waiting >= WAITING_AT_MOST:
            raise NotAsked(429, "too many try to log in at once", 1.0)
        turn.waiting += 1
        try:
            async with turn.lock:
                kept = None if login is None else login.password
                return await anyio.to_thread.run_sync(proves, password, kept)
        finally:
            turn.waiting -= 1

    async def begin(self, arrival: Arrival, login: Login, passkey: Use | None = None) -> LoggedIn:
        """A session of somebody who has proven who he is. Raises NotAsked(401, 503)."""
        cookie, now = secrets.token_urlsafe(32), self.now()
        ends_at = now + timedelta(hours=self.session_hours)
        digest = digest_of(cookie)
        try:
            async with transaction(self.pool) as connection:
                used = None if passkey is None else await passkey(connection)
                number = await page_sessions.begin(
                    connection, digest, login.name, arrival.address, now, ends_at, used
                )
        except Transient as error:
            raise NotAsked(503, "nobody can log in now: the database is away") from error
        session = Session(
            session_id=number,
            login=login.name,
            address=arrival.address,
            began_at=now,
            ends_at=ends_at,
            passkey_id=used,
        )
        log.warning("logged in", name=login.name, address=arrival.address, session=number)
        return LoggedIn(visitor=_of_session(session, login.role, cookie), cookie=SecretStr(cookie))

    def actor(self, visitor: Visitor, arrival: Arrival, headers: Mapping[str, str]) -> Visitor:
        """Whoever may have asked for an act, on this page and no other. Raises NotAsked(403) otherwise.

        At this machine the token in the file halt-token makes an operator of anybody.
        """
        refuse_cross_origin(arrival, headers, must_say=visitor.by is By.SESSION)
        if visitor.by is By.TOKEN:
            raise NotAsked(403, "a token for scripts reads, and never acts")
        if visitor.by is By.SESSION and not _same(headers.get(CSRF_HEADER, ""), visitor.csrf):
            raise NotAsked(403, f"{CSRF_HEADER} is not the one of this session: load the page anew")
        shown = headers.get(HALT_TOKEN_HEADER, "")
        if not shown or not arrival.is_local:
            return visitor
        if not _same(shown, self.halt_token.get_secret_value()):
            raise NotAsked(403, "token is not the one in the file halt-token of data_dir")
        return Visitor(
            name=visitor.name, role=Role.OPERATOR, by=visitor.by, session=visitor.session, csrf=visitor.csrf
        )

    async def sessions(self) -> list[Session]:
        """That run, and whose login is still there. Raises NotAsked(503)."""
        try:
            async with self._reading, transaction(self.pool) as connection:
                found = await page_sessions.running(connection, self.now())
        except Transient as error:
            raise NotAsked(503, "sessions cannot be read now: the database is away") from error
        logins = self.logins_now()
        return [
            each
            for each in found
            if (login := logins.login(each.login)) is not None and each.began_at >= login.sessions_since
        ]

    def forget(self) -> None:
        """Look every session up anew: some have ended in their rows."""
        self._known.clear()

    async def end(self, session_id: int, by: str) -> bool:
        """Whether it ran until now. Raises NotAsked(503)."""
        with suppress(Transient):
            # In turn with those who look it up: one that was read before is not remembered after.
            async with self._reading:
                async with transaction(self.pool) as connection:
                    ran = await page_sessions.end(connection, session_id, by)
                for digest, known in list(self._known.items()):
                    if known.session is not None and known.session.session_id == session_id:
                        del self._known[digest]
                return ran
        raise NotAsked(503, "the session may not be over: the database is away")


def refuse_cross_origin(arrival: Arrival, headers: Mapping[str, str], *, must_say: bool = False) -> None:
    """Whatever another site's page makes a browser send. Raises NotAsked(403)."""
    origin = headers.get("Origin")
    if origin is None and must_say:
        raise NotAsked(403, "Origin is missing: only a page of ours may ask with a session")
    if origin is not None and origin not in arrival.origins:
        raise NotAsked(403, f"Origin = {origin[:100]!r}: only this page's own")
    if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise NotAsked(403, "Sec-Fetch-Site: only this page's own")


def _of_session(session: Session, role: Role, cookie: str) -> Visitor:
    csrf = hashlib.sha256(b"csrf " + cookie.encode()).hexdigest()
    return Visitor(name=session.login, role=role, by=By.SESSION, session=session, csrf=csrf)


def _same(shown: str, wanted: str) -> bool:
    return hmac.compare_digest(shown.encode(), wanted.encode())
