"""Roles: the application and the reader can do what they need and nothing else, as the catalog and the statements of recio say."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from recio.db.backups import Kind as BackupKind
from recio.db.backups import take
from recio.db.client_programs import Client
from recio.db.connection import transaction
from recio.db.embedded import EmbeddedServer
from recio.db.pool import open_pool
from recio.db.roles import WRITES, Kind, grant, grant_again, granted
from recio.db.schema import ensure_schema, schema_text
from recio.errors import BadConfig
from tests.db.breaches import GOOD

ROOT = Path(__file__).parents[2] / "recio"
ROLES = ("recio_test_trader", "recio_test_reader")
TRADER, READER = ROLES
FORBIDDEN = (
    "UPDATE audit_log SET kind = 'x'",
    "DELETE FROM audit_log",
    "TRUNCATE rejections",
    "DELETE FROM fills",
    "UPDATE fills SET quantity = 1",
    "DELETE FROM orders",
    "DELETE FROM trades",
    "UPDATE postings SET amount = 0",
    "UPDATE risk_limits SET amount = 0",
    "INSERT INTO schema_migrations (version, name) VALUES (99, 'x')",
    "ALTER TABLE orders DISABLE TRIGGER USER",
    "ALTER TABLE orders DROP CONSTRAINT orders_check",
    "DROP TABLE rejections",
    "CREATE TABLE mine (x int)",
    "CREATE OR REPLACE FUNCTION check_new_order() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
    "SET session_replication_role = replica",
    "COPY fills TO PROGRAM 'true'",
    "SELECT count_anew()",
)
_PRIVILEGES = """
    SELECT c.relname AS name, array_agg(p.verb ORDER BY p.verb) AS verbs FROM pg_class AS c,
        unnest(ARRAY['DELETE', 'INSERT', 'REFERENCES', 'TRIGGER', 'TRUNCATE', 'UPDATE']) AS p (verb)
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND has_table_privilege($1, c.oid, p.verb) GROUP BY 1
"""
_INSERTED = re.compile(r"INSERT\s+INTO\s+(\w+)(?=(.{0,1500}))", re.DOTALL)
_CHANGED = re.compile(r"\bUPDATE\s+(?!SET\b)(\w+)(?:\s+(?:AS\s+)?\w+)?\s+SET\b")
_REMOVED = re.compile(r"\bDELETE\s+FROM\s+(\w+)")
_LOCKED = re.compile(r"\bFROM\s+(\w+)[^;]*?\bFOR\s+(?:NO KEY )?(?:KEY )?(?:UPDATE|SHARE)")
_END = re.compile(r";|\$\$")
COPIED = (
    "imported_fills",
    "imported_orders",
    "imported_settlements",
    "imported_ledger_rows",
    "imported_trades",
    "imported_trade_fills",
)
"""Written with COPY, whose table is an argument."""


def texts() -> Iterator[str]:
    """Every string of recio/, and the body of every function of the schema that recio calls."""
    for path in ROOT.rglob("*.py"):
        if "exchange_sim" in path.parts or path.name == "schema.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            if isinstance(node, ast.JoinedStr):
                yield "".join(
                    str(each.value) if isinstance(each, ast.Constant) else "x" for each in node.values
                )
    functions = re.findall(
        r"^CREATE OR REPLACE FUNCTION (\w+)\(.*?\$\$(.*?)\$\$", schema_text(), re.MULTILINE | re.DOTALL
    )
    yield from (body for name, body in functions if name != "count_anew")


def verbs_of_statements() -> dict[str, set[str]]:
    found = defaultdict[str, set[str]](set)
    for text in texts():
        for table, rest in _INSERTED.findall(text):
            found[table].add("INSERT")
            if re.search(r"\bDO\s+UPDATE\b", _END.split(rest)[0]):
                found[table].add("UPDATE")
        for table in (*_CHANGED.findall(text), *_LOCKED.findall(text)):
            found[table].add("UPDATE")
        for table in _REMOVED.findall(text):
            found[table].add("DELETE")
    for table in COPIED:
        found[table].add("INSERT")
    return {table: verbs for table, verbs in found.items() if table in GOOD}


@pytest.fixture
async def roles(postgres: EmbeddedServer, pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[None]:
    for role in ROLES:
        await pool.execute(f"DROP ROLE IF EXISTS {role}")
        await pool.execute(f"CREATE ROLE {role} LOGIN")
    async with transaction(pool) as connection:
        await grant(connection, TRADER, Kind.APPLICATION)
        await grant(connection, READER, Kind.READ_ONLY)
    yield
    for role in ROLES:
        await pool.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def as_role(dsn: str, role: str) -> str:
    return re.sub(r"user=\w+", f"user={role}", dsn)


def test_the_application_may_write_what_some_statement_of_recio_writes_and_nothing_else():
    assert {table: tuple(sorted(verbs)) for table, verbs in verbs_of_statements().items()} == dict(WRITES)


@pytest.mark.usefixtures("roles")
async def test_the_catalog_gives_the_application_exactly_these_rights_and_the_reader_none(
    pool: asyncpg.Pool[asyncpg.Record],
):
    rows = await pool.fetch(_PRIVILEGES, TRADER)
    assert {row["name"]: tuple(row["verbs"]) for row in rows} == dict(WRITES)
    assert await pool.fetch(_PRIVILEGES, READER) == []


@pytest.mark.usefixtures("roles")
@pytest.mark.parametrize("role", ROLES)
async def test_neither_can_change_what_is_done_or_the_rules_about_it(database_dsn: str, role: str):
    async with open_pool(as_role(database_dsn, role), application_name="t") as theirs:
        for statement in FORBIDDEN:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await theirs.execute(statement)


@pytest.mark.usefixtures("roles")
async def test_a_reader_reads_every_table_and_view_and_writes_none(database_dsn: str):
    async with open_pool(as_role(database_dsn, READER), application_name="t") as theirs:
        names = await theirs.fetch(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v') AND relnamespace = 'public'::regnamespace"
        )
        assert len(names) > len(GOOD)
        for row in names:
            await theirs.fetch(f"SELECT * FROM {row['relname']}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await theirs.execute("CREATE TEMPORARY TABLE mine (x int)")
        for table in WRITES:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await theirs.execute(f"INSERT INTO {table} DEFAULT VALUES")


@pytest.mark.usefixtures("roles")
@pytest.mark.parametrize("role", ROLES)
async def test_both_can_take_a_dump(database_dsn: str, postgres: EmbeddedServer, tmp_path: Path, role: str):
    client = Client(dsn=as_role(database_dsn, role), programs=postgres.place.binaries / "bin")
    made = await take(client, tmp_path, BackupKind.DUMP, datetime.now(UTC))
    assert made.bytes > 10_000


@pytest.mark.usefixtures("roles")
async def test_nobody_else_may_even_connect(pool: asyncpg.Pool[asyncpg.Record], database_dsn: str):
    await pool.execute("DROP ROLE IF EXISTS recio_test_stranger; CREATE ROLE recio_test_stranger LOGIN")
    try:
        with pytest.raises(BadConfig, match="permission denied for database"):
            async with open_pool(as_role(database_dsn, "recio_test_stranger"), application_name="t"):
                pass
    finally:
        await pool.execute("DROP ROLE recio_test_stranger")


@pytest.mark.usefixtures("roles")
async def test_after_a_migration_the_same_roles_have_the_same_kind_of_rights_on_new_tables(
    pool: asyncpg.Pool[asyncpg.Record],
):
    await pool.execute("CREATE TABLE newer (x int)")
    async with transaction(pool) as connection:
        assert await granted(connection) == {TRADER: Kind.APPLICATION, READER: Kind.READ_ONLY}
        await grant_again(connection)
    for role in ROLES:
        assert await pool.fetchval("SELECT has_table_privilege($1, 'newer', 'SELECT')", role)
        assert not await pool.fetchval("SELECT has_table_privilege($1, 'newer', 'INSERT')", role)


@pytest.mark.usefixtures("roles")
async def test_an_application_on_an_empty_database_is_told_that_its_owner_makes_the_tables(
    pool: asyncpg.Pool[asyncpg.Record], database_dsn: str
):
    await pool.execute(
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC"
    )
    async with open_pool(as_role(database_dsn, TRADER), application_name="t") as theirs:
        with pytest.raises(BadConfig, match=r"its owner makes them with `recio db migrate --owner FILE`"):
            async with transaction(theirs) as connection:
                await ensure_schema(connection)


async def test_a_role_that_is_not_there_or_owns_the_tables_is_refused(pool: asyncpg.Pool[asyncpg.Record]):
    for role, sentence in (("nobody_such", "there is no role nobody_such"), ("recio", "owns the tables")):
        with pytest.raises(BadConfig, match=sentence):
            async with transaction(pool) as connection:
                await grant(connection, role, Kind.READ_ONLY)
