"""Whether a server has enough connections for every daemon that uses it; it only reads, and any role may ask."""

from __future__ import annotations

from dataclasses import dataclass

from recio.db.connection import Connection

DAEMON_POOL = 7
"""Connections of a daemon's pool at most."""
OF_A_DAEMON = DAEMON_POOL + 1
"""The account's lock has one of its own."""
OF_COMMANDS = 4
"""What people and timers take beside a daemon: a nightly backup two, a command or a `psql` one each."""

# Of other roles' sessions nobody is told more than database and role, and of their locks everything.
_CONNECTIONS = """
    WITH daemons AS (
        SELECT DISTINCT database AS oid FROM pg_locks
        WHERE locktype = 'advisory' AND granted AND objsubid = 1
          AND classid::bigint = ($1::bigint >> 32) & 4294967295 AND objid::bigint = $1::bigint & 4294967295
        UNION SELECT oid FROM pg_database WHERE datname = current_database())
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
            - coalesce(current_setting('reserved_connections', true)::int, 0) AS of_server,
        (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS of_role,
        (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS of_database,
        (SELECT count(*) FROM daemons)::int AS daemons,
        (SELECT count(*) FROM pg_stat_activity
         WHERE usesysid IS NOT NULL AND datid IS NOT NULL AND datid NOT IN (SELECT oid FROM daemons))::int AS others
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionsLeft:
    of_server: int
    """For roles that are no superusers."""
    own: int | None
    """What this role or this database may have; None: as many as there are."""
    daemons: int
    """The one that is asked for, and each other whose account's lock is held on this server."""
    others: int
    """Sessions in databases of nobody's daemon, now."""

    @property
    def least(self) -> int:
        """What one daemon can count on, with its commands, if each takes as much as any other."""
        shared = (self.of_server - self.others) // self.daemons
        return shared if self.own is None else min(shared, self.own)


async def connections_left(connection: Connection, key: int) -> ConnectionsLeft:
    """`key` is the account's lock, by which daemons are known."""
    row = await connection.fetchrow(_CONNECTIONS, key)
    assert row is not None
    own = [limit for limit in (row["of_role"], row["of_database"]) if limit >= 0]
    return ConnectionsLeft(
        of_server=row["of_server"],
        own=min(own, default=None),
        daemons=row["daemons"],
        others=row["others"],
    )
