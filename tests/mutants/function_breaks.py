"""Breaks from inside the schema's functions, one place at a time: a comparison, a condition, a whole statement that is left out; it runs none."""

from __future__ import annotations

import re
from collections.abc import Iterator

import asyncpg

from recio.db.connection import Connection
from tests.mutants.schema_breaks import SchemaBreak

_FUNCTIONS = """
    SELECT p.proname, pg_get_functiondef(p.oid) AS made FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
    WHERE p.pronamespace = 'public'::regnamespace AND l.lanname IN ('sql', 'plpgsql')
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e') ORDER BY 1
"""
_PLACES = {
    r" <= ": " < ", r" < ": " <= ", r" >= ": " > ", r" > ": " >= ", r" = ": " <> ", r" <> ": " = ", r" AND ": " OR ",
    r" OR ": " AND ", r" \+ ": " - ", r" - ": " + ", r" IS NULL": " IS NOT NULL", r" IS NOT NULL": " IS NULL",
    r" IS DISTINCT FROM ": " IS NOT DISTINCT FROM ", r"\bNOT (?=[a-z(]|EXISTS)": "", r"\bleast\(": "greatest(",
    r"\bgreatest\(": "least(", r"\bmax\(": "min(", r"\bmin\(": "max(", r"(?<!NOT) IN \(": " NOT IN (", r"\btrue\b": "false",
    r"\bfalse\b": "true", r" DESC\b": " ASC", r"\bFOUND\b": "NOT FOUND", r"\* ": "+ ",
}  # fmt: skip
_TEXT = re.compile(r"'(?:[^']|'')*'|--[^\n]*")
_IF = re.compile(r"\b(?:ELS)?IF (.+?) THEN\b", re.DOTALL)
_STATEMENT = re.compile(
    r"^[ ]+((?:INSERT|UPDATE|DELETE|PERFORM)\b[^;]*|[a-z_.]+ := [^;]*|SELECT [^;]*? INTO [^;]*);",
    re.MULTILINE | re.DOTALL,
)


async def function_breaks(connection: Connection) -> list[SchemaBreak]:
    """Those that PostgreSQL takes for a function at all; nothing of the database is changed."""
    found: list[SchemaBreak] = []
    for row in await connection.fetch(_FUNCTIONS):
        for place, broken in broken_bodies(row["made"]):
            if await _is_function(connection, broken):
                found.append(
                    SchemaBreak(kind="function", subject=row["proname"], table=place, statement=broken)
                )
    return found


def broken_bodies(made: str) -> Iterator[tuple[str, str]]:
    """(where and what, the function with that broken); what stands in quotes or in a comment stays as it is."""
    begins = made.index("AS $")
    # Of the same length: a place found in it is the place in the function.
    bare = _TEXT.sub(lambda text: "'" * len(text[0]), made)
    for pattern, other in _PLACES.items():
        for each in re.finditer(pattern, bare):
            if each.start() > begins:
                yield _break(made, each.start(), each.end(), other)
    for each in _IF.finditer(bare, begins):
        for other in ("true", "false"):
            yield _break(made, each.start(1), each.end(1), other)
    for each in _STATEMENT.finditer(bare, begins):
        yield _break(made, each.start(1), each.end(1), "NULL")


def _break(made: str, start: int, end: int, other: str) -> tuple[str, str]:
    line = made[made.rfind("\n", 0, start) + 1 : made.find("\n", end)]
    where = made.count("\n", 0, start)
    words = " ".join(line.split())[:90]
    was = " ".join(made[start:end].split())[:40]
    return f"line {where}: {words} [{was} -> {other.strip() or 'nothing'}]", made[:start] + other + made[end:]


async def _is_function(connection: Connection, statement: str) -> bool:
    attempt = connection.transaction()
    await attempt.start()
    try:
        await connection.execute(statement)
    except asyncpg.PostgresError:
        return False
    finally:
        await attempt.rollback()
    return True
