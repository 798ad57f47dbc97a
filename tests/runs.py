"""A run of the daemon on a test's database: claimed, begun, and with limits that an entry is held against."""

from __future__ import annotations

from recio.db import identity
from recio.db.connection import Connection
from recio.db.limits import put_in_force
from recio.db.trade_store import Writer
from recio.settings.risk import RiskSection

USUAL = RiskSection()


async def begun(connection: Connection, limits: RiskSection = USUAL) -> Writer:
    return (await begun_under(connection, limits))[0]


async def begun_under(connection: Connection, wanted: RiskSection) -> tuple[Writer, RiskSection]:
    """The run, and the limits that are in force for it."""
    mine = await identity.claim(connection, "demo", "sim", "account")
    fencing = await identity.begin_run(connection)
    in_force = await put_in_force(connection, fencing, wanted)
    return Writer(tag=mine.tag, fencing=fencing), in_force.limits
