"""Who may log in at the page, in a file of the data directory that its owner alone can read; no password and no token is kept, only what proves one.

The daemon reads it anew whenever it has changed, so that `recio login` needs no daemon and no database.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated

import argon2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recio.errors import BadConfig, of_the_machine
from recio.settings.file_access import others_with_access

FILE = "logins"
DRAFT = ".new"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1_024
PREFIX = "recio_"
"""What a token for scripts begins with, so that a scanner knows one that leaked."""
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""19 MiB and one lane: some 50 ms of one core, never more than a try at a time, beside a loop that trades."""


class Role(StrEnum):
    READER = "reader"
    """Sees everything, and changes nothing."""
    OPERATOR = "operator"
    """May do what a person may do by command."""


class Login(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=NAME)]
    role: Role
    password: Annotated[str, Field(min_length=1)]
    """As argon2 writes it, with its salt and its cost."""
    sessions_since: datetime
    """A session that began before it is over: so a new password, another role and an end of all hold at once."""


class Token(BaseModel):
    """Reads, and never acts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=NAME)]
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    made_at: datetime


class Logins(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    logins: tuple[Login, ...] = ()
    tokens: tuple[Token, ...] = ()

    def login(self, name: str) -> Login | None:
        return next((each for each in self.logins if each.name == name), None)

    def token_named(self, name: str) -> Token | None:
        return next((each for each in self.tokens if each.name == name), None)

    def token(self, shown: str) -> Token | None:
        digest = digest_of(shown)
        return next((each for each in self.tokens if hmac.compare_digest(each.digest, digest)), None)

    def with_login(self, login: Login) -> Logins:
        others = tuple(each for each in self.logins if each.name != login.name)
        return self.model_copy(update={"logins": (*others, login)})

    def with_token(self, token: Token) -> Logins:
        others = tuple(each for each in self.tokens if each.name != token.name)
        return self.model_copy(update={"tokens": (*others, token)})

    def without(self, name: str) -> Logins:
        """Neither a login nor a token of this name."""
        return Logins(
            logins=tuple(each for each in self.logins if each.name != name),
            tokens=tuple(each for each in self.tokens if each.name != name),
        )


@dataclass(slots=True)
class LoginsFile:
    """The file as it is now."""

    path: Path
    _stamp: tuple[int, int, int] | None = None
    _known: Logins = field(default_factory=Logins)

    def now(self) -> Logins:
        """Raises BadConfig where it cannot be read or is not what it should be."""
        stamp = _stamp_of(self.path)
        if stamp is None:
            self._known = Logins()
        elif stamp != self._stamp:
            self._known = read(self.path)
        self._stamp = stamp
        return self._known


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise of_the_machine(f"{path} cannot be read: {error.strerror}", error) from error
    return found.st_ino, found.st_mtime_ns, found.st_size


def read(path: Path) -> Logins:
    """None at all where there is no file. Raises BadConfig, which repeats nothing of what stands in it."""
    try:
        if others := others_with_access(path):
            raise BadConfig(f"{path} is readable by others ({', '.join(others)}); run: chmod 600 '{path}'")
        return Logins.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Logins()
    except OSError as error:
        raise of_the_machine(f"{path} cannot be read: {error.strerror}", error) from error
    except ValidationError as error:
        raise BadConfig(
            f"{path} is damaged ({error.error_count()} faults): remove it and make the logins anew with recio login add"
        ) from None


def change(path: Path, to: Callable[[Logins], Logins]) -> Logins:
    """One change at a time, whole or not at all. Raises BadConfig."""
    try:
        with _locked(path.parent):
            changed = to(read(path))
            fresh = path.with_name(FILE + DRAFT)
            fresh.unlink(missing_ok=True)
            fresh.touch(mode=0o600, exist_ok=False)
            fresh.write_text(changed.model_dump_json(indent=1) + "\n", encoding="ascii")
            if os.geteuid() == 0:  # root writes for whoever the daemon runs as
                owner = path.parent.stat()
                os.chown(fresh, owner.st_uid, owner.st_gid)
            os.replace(fresh, path)
    except OSError as error:
        raise of_the_machine(f"{path} cannot be written: {error.strerror}", error) from error
    return changed


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def hashed(password: str) -> str:
    """Raises BadConfig for one that is too short or too long."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadConfig(
            f"the password has {len(password)} characters: choose one of {SHORTEST_PASSWORD} to {LONGEST_PASSWORD},"
            " such as five words drawn by chance"
        )
    return _HASHER.hash(password)


@cache
def nobodys() -> str:
    """What a password of an unknown name is held against, so that its answer takes as long as any."""
    return _HASHER.hash(secrets.token_urlsafe())


def proves(password: str, kept: str | None) -> bool:
    """Whether it is the password, of nobody where none is kept; some 50 ms of one core, so never on the event loop."""
    try:
        return _HASHER.verify(kept or nobodys(), password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def is_name(text: str) -> bool:
    return re.fullmatch(NAME, text) is not None


def digest_of(secret: str) -> str:
    """Of a secret that was drawn by chance, which needs no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_token() -> str:
    return PREFIX + secrets.token_urlsafe(32)
