"""Breaks of the schema, one at a time: each check made true, each trigger idle, each index gone or no longer unique; it runs none."""

from __future__ import annotations

from dataclasses import dataclass

from recio.db.connection import Connection

_CHECKS = """
    SELECT conname, conrelid::regclass::text AS of_table FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype = 'c' ORDER BY 2, 1
"""
_REFERENCES = """
    SELECT conname, conrelid::regclass::text AS of_table FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype = 'f' ORDER BY 2, 1
"""
_TRIGGERS = """
    SELECT tgname, tgrelid::regclass::text AS of_table, pg_get_triggerdef(oid) AS made FROM pg_trigger
    WHERE NOT tgisinternal ORDER BY 2, 1
"""
_INDEXES = """
    SELECT c.relname, indrelid::regclass::text AS of_table, indisunique, pg_get_indexdef(indexrelid) AS made
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = indexrelid
    WHERE c.relnamespace = 'public'::regnamespace AND NOT indisprimary
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))
    ORDER BY 2, 1
"""
_IDLE = """
    CREATE FUNCTION idle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN coalesce(NEW, OLD); END $$;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaBreak:
    """Statements that break one thing of a database with the whole schema."""

    name: str
    statement: str


async def schema_breaks(connection: Connection) -> list[SchemaBreak]:
    """Every break of what the catalog holds."""
    found: list[SchemaBreak] = []
    for row in await connection.fetch(_CHECKS):
        name, table = row["conname"], row["of_table"]
        again = f"ALTER TABLE {table} DROP CONSTRAINT {name}; ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (true)"
        found.append(SchemaBreak(name=f"check {name} of {table}", statement=again))
    for row in await connection.fetch(_REFERENCES):
        name, table = row["conname"], row["of_table"]
        found.append(
            SchemaBreak(
                name=f"reference {name} of {table}", statement=f"ALTER TABLE {table} DROP CONSTRAINT {name}"
            )
        )
    for row in await connection.fetch(_TRIGGERS):
        name, table, made = row["tgname"], row["of_table"], row["made"]
        idle = made[: made.rindex(" EXECUTE FUNCTION ")] + " EXECUTE FUNCTION idle()"
        found.append(
            SchemaBreak(
                name=f"trigger {name} of {table}",
                statement=f"{_IDLE} DROP TRIGGER {name} ON {table}; {idle}",
            )
        )
    for row in await connection.fetch(_INDEXES):
        name, made = row["relname"], row["made"]
        again = made.replace("CREATE UNIQUE INDEX", "CREATE INDEX") if row["indisunique"] else ""
        kind = "unique index" if row["indisunique"] else "index"
        found.append(
            SchemaBreak(
                name=f"{kind} {name} of {row['of_table']}", statement=f"DROP INDEX {name} CASCADE; {again}"
            )
        )
    return found
