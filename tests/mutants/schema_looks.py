"""Judges breaks of the schema in one process: each is made in a transaction, what the suite asks of the broken thing is asked, and it is undone.

What is asked is the very function that `tests/db/test_constraints.py` asks for each name: that test fails where it raises here.
"""

from __future__ import annotations

from collections.abc import Sequence

from recio.db.connection import Connection
from recio.db.pool import open_pool
from tests.db.looks import LOOKS, Look, a_trigger, without_triggers
from tests.mutants.schema_breaks import SchemaBreak

Verdict = tuple[SchemaBreak, bool]


async def looked_at(dsn: str, catalog: Sequence[SchemaBreak]) -> list[Verdict]:
    """Each break, and whether its look notices it. Raises RuntimeError where a look fails anyway; nothing of the database is changed."""
    async with open_pool(dsn, application_name="mutants", max_size=1) as pool, pool.acquire() as connection:
        of_triggers = [
            (each, await _is_noticed(connection, each, a_trigger))
            for each in catalog
            if each.kind == "trigger"
        ]
        undone = connection.transaction()
        await undone.start()
        await without_triggers(connection)
        of_others = [
            (each, await _is_noticed(connection, each, LOOKS[each.kind]))
            for each in catalog
            if each.kind != "trigger"
        ]
        await undone.rollback()
    return [*of_triggers, *of_others]


async def _is_noticed(connection: Connection, broken: SchemaBreak, look: Look) -> bool:
    if (fault := await _fault(connection, broken, look, "")) is not None:
        raise RuntimeError(f"fails without a break: {broken.name}: {fault!r}")
    return await _fault(connection, broken, look, broken.statement) is not None


async def _fault(connection: Connection, broken: SchemaBreak, look: Look, statement: str) -> Exception | None:
    attempt = connection.transaction()
    await attempt.start()
    try:
        if statement:
            await connection.execute(statement)
        try:
            await look(connection, broken.subject)
        except Exception as fault:  # noqa: BLE001 - a test fails by any
            return fault
    finally:
        await attempt.rollback()
    return None
