"""What the suite asks of one constraint, trigger or index, by its name: each raises AssertionError where the database does not do its work.

`test_constraints.py` asks all of them; `make mutants` breaks one after another and asks the broken one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import asyncpg

from recio.db.connection import Connection
from tests.db.breaches import CHECKS, LET_IN, MAY_BE_EMPTY, REFERENCES, UNIQUE, Row
from tests.db.index_uses import HISTORY, USES
from tests.db.trigger_scenarios import SCENARIOS, insert

Look = Callable[[Connection, str], Awaitable[None]]
_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
_PARENTS = """
    SELECT DISTINCT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND conrelid = $1::text::regclass
"""
_SCANS = "SELECT coalesce(pg_stat_get_xact_numscans(to_regclass($1)), 0)"


async def names(connection: Connection, query: str, *values: object) -> set[str]:
    return {row[0] for row in await connection.fetch(query, *values)}


async def tables(connection: Connection) -> set[str]:
    return await names(connection, _TABLES)


async def without_triggers(connection: Connection) -> None:
    """Takes a connection in a transaction: no trigger of ours speaks before a constraint does."""
    for table in await tables(connection):
        await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")


async def parents_of(connection: Connection, table: str) -> list[str]:
    """Tables whose good rows must be there first, the farthest first."""
    found: list[str] = []
    for parent in sorted(await names(connection, _PARENTS, table)):
        found = [*found, *(await parents_of(connection, parent)), parent]
    return list(dict.fromkeys(found))


async def refusal(connection: Connection, table: str, *rows: Row) -> str:
    """The name of what refuses the last of these rows, a column's for one that must not be NULL; empty: nothing does."""
    attempt = connection.transaction()
    await attempt.start()
    try:
        for parent in await parents_of(connection, table):
            await insert(connection, parent)
        if table == "loss_run":
            await insert(connection, "trades", {"trade_id": 2, "ticker": "another"})
        for row in rows[:-1]:
            await insert(connection, table, row)
        try:
            await insert(connection, table, rows[-1])
        except asyncpg.NotNullViolationError as error:
            return f"{error.table_name}.{error.column_name}"
        except asyncpg.IntegrityConstraintViolationError as error:
            return str(error.constraint_name)
    finally:
        await attempt.rollback()
    return ""


async def _is_refused_by(name: str, connection: Connection, table: str, *rows: Row) -> None:
    found = await refusal(connection, table, *rows)
    assert found == name, f"{name} should refuse this, but {found or 'nothing'} does"


async def a_check(connection: Connection, name: str) -> None:
    table, breach = CHECKS[name]
    await _is_refused_by(name, connection, table, breach)


async def a_reference(connection: Connection, name: str) -> None:
    table, breach = REFERENCES[name]
    await _is_refused_by(name, connection, table, breach)


async def a_unique_index(connection: Connection, name: str) -> None:
    table, first, second = UNIQUE[name]
    await _is_refused_by(name, connection, table, first, first | second)


async def a_condition(connection: Connection, name: str) -> None:
    """Of a unique index: what the condition leaves out is let in twice."""
    table, first, second = LET_IN[name]
    await _is_refused_by("", connection, table, first, first | second)


async def a_primary_key(connection: Connection, name: str) -> None:
    table = name.removesuffix("_pkey")
    await _is_refused_by(name, connection, table, {}, {})


async def a_column_with_a_value(connection: Connection, name: str) -> None:
    table, column = name.split(".")
    assert column not in MAY_BE_EMPTY.get(table, ()), name
    await _is_refused_by(name, connection, table, {column: None})


async def a_trigger(connection: Connection, name: str) -> None:
    attempt = connection.transaction()
    await attempt.start()
    try:
        assert await SCENARIOS[name](connection), f"{name} does not do its work"
    finally:
        await attempt.rollback()


async def an_index(connection: Connection, name: str) -> None:
    """That what is there for it reads by it. Tables are as good as empty here: the planner is told to keep from reading them whole."""
    attempt = connection.transaction()
    await attempt.start()
    try:
        for table, row in HISTORY:
            await insert(connection, table, row)
        await connection.execute("SET LOCAL enable_seqscan = off")
        before = await connection.fetchval(_SCANS, name)
        await USES[name](connection)
        assert await connection.fetchval(_SCANS, name) > before, f"nothing is read by {name}"
    finally:
        await attempt.rollback()


LOOKS: Mapping[str, Look] = {
    "check": a_check,
    "reference": a_reference,
    "primary key": a_primary_key,
    "unique index": a_unique_index,
    "condition of unique index": a_condition,
    "value": a_column_with_a_value,
    "index": an_index,
}
"""By the kind of what is looked at, all of them without triggers; `a_trigger` wants them."""
