"""Whose database this is, and which run of the daemon writes now; a database never changes its owner."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from recio import __version__
from recio.db.connection import Connection
from recio.errors import BadConfig

_READ = "SELECT mode, environment, account, tag FROM identity"
_CLAIM = """
    INSERT INTO identity (mode, environment, account, tag) VALUES ($1, $2, $3, $4)
    ON CONFLICT (only_row) DO NOTHING
"""
_LIVE = "INSERT INTO runs (version, pid, settings) VALUES ($1, $2, $3) RETURNING fencing"
TAG_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    mode: str
    environment: str
    account: str
    tag: str
    """Eight characters that are part of every client order id of this database."""


async def claim(connection: Connection, mode: str, environment: str, account: str) -> Identity:
    """Take a new database for this account, or check that it is ours. Raises BadConfig if it is not."""
    await connection.execute(_CLAIM, mode, environment, account, secrets.token_hex(TAG_BYTES))
    mine = await bound_to(connection)
    if (mine.mode, mine.environment, mine.account) != (mode, environment, account):
        raise BadConfig(
            f"this database belongs to mode {mine.mode}, environment {mine.environment}, account {mine.account};"
            f" the config says mode {mode}, environment {environment}, account {account}:"
            " use another data_dir or database.dsn"
        )
    return mine


async def bound_to(connection: Connection) -> Identity:
    """Whose the database is. Raises BadConfig for one that belongs to nobody."""
    row = await connection.fetchrow(_READ)
    if row is None:
        raise BadConfig("the database has no identity row; it was tampered with: restore a backup")
    return Identity(**row)


async def begin_run(connection: Connection, settings: Mapping[str, object] | None = None) -> int:
    """Register this start with its settings; the number returned goes into every order that this run writes."""
    return await connection.fetchval(_LIVE, __version__, os.getpid(), dict(settings or {}))
