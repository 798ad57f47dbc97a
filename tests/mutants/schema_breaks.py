"""Breaks of the schema, one at a time: each check made true, each key and reference gone, each column without its NOT NULL, each trigger
idle, each index gone, no longer unique or without its condition; it runs none."""

from __future__ import annotations

from dataclasses import dataclass

from recio.db.connection import Connection

_CONSTRAINTS = """
    SELECT conname, conrelid::regclass::text AS of_table, array_agg(quote_ident(attname)) AS columns
    FROM pg_constraint LEFT JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
    WHERE connamespace = 'public'::regnamespace AND contype = $1::text::"char" GROUP BY 1, 2 ORDER BY 2, 1
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
# What is part of a primary key, or numbered by the database, cannot be NULL whatever else is said of it.
_NOT_NULL = """
    SELECT attrelid::regclass::text AS of_table, attname FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND attnum > 0 AND attnotnull AND attgenerated = ''
    AND attidentity = '' AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = attrelid AND contype = 'p' AND attnum = ANY (conkey))
    ORDER BY 1, 2
"""
_IDLE = """
    CREATE FUNCTION idle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN coalesce(NEW, OLD); END $$;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaBreak:
    """Statements that break one thing of a database with the whole schema."""

    kind: str
    subject: str
    """Its name; a column's with that of its table."""
    table: str
    statement: str

    @property
    def name(self) -> str:
        return f"{self.kind} {self.subject} of {self.table}"


async def schema_breaks(connection: Connection) -> list[SchemaBreak]:
    """Every break of what the catalog holds."""
    return [
        *(await _of_constraints(connection)),
        *(await _of_columns(connection)),
        *(await _of_triggers(connection)),
        *(await _of_indexes(connection)),
    ]


async def _of_constraints(connection: Connection) -> list[SchemaBreak]:
    found: list[SchemaBreak] = []
    for letter, kind in (("c", "check"), ("f", "reference"), ("p", "primary key"), ("u", "unique index")):
        for row in await connection.fetch(_CONSTRAINTS, letter):
            name, table = row["conname"], row["of_table"]
            statement = f"ALTER TABLE {table} DROP CONSTRAINT {name} CASCADE"
            if letter == "c":
                statement += f"; ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (true)"
            elif letter in ("p", "u"):
                # It still finds its rows: only what it forbids is gone.
                statement += f"; CREATE INDEX {name} ON {table} ({', '.join(row['columns'])})"
            found.append(SchemaBreak(kind=kind, subject=name, table=table, statement=statement))
    return found


async def _of_columns(connection: Connection) -> list[SchemaBreak]:
    return [
        SchemaBreak(
            kind="value",
            subject=f"{row['of_table']}.{row['attname']}",
            table=row["of_table"],
            statement=f"ALTER TABLE {row['of_table']} ALTER COLUMN {row['attname']} DROP NOT NULL",
        )
        for row in await connection.fetch(_NOT_NULL)
    ]


async def _of_triggers(connection: Connection) -> list[SchemaBreak]:
    found: list[SchemaBreak] = []
    for row in await connection.fetch(_TRIGGERS):
        name, table, made = row["tgname"], row["of_table"], row["made"]
        idle = made[: made.rindex(" EXECUTE FUNCTION ")] + " EXECUTE FUNCTION idle()"
        statement = f"{_IDLE} DROP TRIGGER {name} ON {table}; {idle}"
        found.append(SchemaBreak(kind="trigger", subject=name, table=table, statement=statement))
    return found


async def _of_indexes(connection: Connection) -> list[SchemaBreak]:
    found: list[SchemaBreak] = []
    for row in await connection.fetch(_INDEXES):
        name, table, made = row["relname"], row["of_table"], row["made"]
        others = {"index": ""}
        if row["indisunique"]:
            others = {"unique index": made.replace("CREATE UNIQUE INDEX", "CREATE INDEX")}
            if " WHERE " in made:
                others["condition of unique index"] = made[: made.index(" WHERE ")]
        for kind, again in others.items():
            statement = f"DROP INDEX {name} CASCADE; {again}"
            found.append(SchemaBreak(kind=kind, subject=name, table=table, statement=statement))
    return found
