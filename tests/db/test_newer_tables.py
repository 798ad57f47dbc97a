"""An older recio on newer tables: it runs on what only added, refuses what took away, and a step that says it adds does no more."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from recio.db.connection import transaction
from recio.db.newer_tables import ADDS_ONLY, steps_to_run_on
from recio.db.schema import ensure_schema, migrations
from recio.errors import BadConfig

OWN = len(migrations())
LIVE = 'mode = "live"\n[kalshi]\nenvironment = "demo"\nkey_id = "k"\nkey_path = "gone.pem"\n'
ONLY_ADDS = (
    r"CREATE (UNIQUE )?INDEX \w+ ON \w+ .*",
    r"CREATE TABLE \w+ .*",
    r"CREATE VIEW \w+ AS .*",
    r"COMMENT ON .*",
    # A value that an older recio does not write must not be demanded of it.
    r"ALTER TABLE \w+ ADD COLUMN \w+ (?!.*(NOT NULL|CHECK|UNIQUE|REFERENCES))[^,]*",
    r"ALTER TABLE \w+ ADD COLUMN \w+ (?!.*(CHECK|UNIQUE|REFERENCES))[^,]* DEFAULT [^,]*",
)
"""A unique index is one on a table of the same step."""


def more_than_added(sql: str) -> list[str]:
    """The statements of a step that an older recio could notice."""
    bare = re.sub(r"--[^\n]*", "", sql)
    statements = [re.sub(r"\s+", " ", each).strip() for each in bare.split(";")]
    made = set(re.findall(r"CREATE TABLE (\w+)", bare))
    return [
        each
        for each in filter(None, statements)
        if not any(re.fullmatch(pattern, each) for pattern in ONLY_ADDS)
        or ((unique := re.match(r"CREATE UNIQUE INDEX \w+ ON (\w+)", each)) and unique[1] not in made)
    ]


async def take_step(pool: asyncpg.Pool[asyncpg.Record], version: int, name: str) -> None:
    await pool.execute("INSERT INTO schema_migrations (version, name) VALUES ($1, $2)", version, name)


async def test_a_start_goes_on_with_newer_tables_that_only_added(pool: asyncpg.Pool[asyncpg.Record]):
    await take_step(pool, OWN + 1, f"{ADDS_ONLY}a_column")
    await take_step(pool, OWN + 2, f"{ADDS_ONLY}another")
    async with transaction(pool) as connection:
        assert await ensure_schema(connection, await steps_to_run_on(connection)) is False


@pytest.mark.parametrize("names", [("drop_a_column",), (f"{ADDS_ONLY}a_column", "drop_a_column")])
async def test_a_start_refuses_newer_tables_of_which_one_step_took_away(
    pool: asyncpg.Pool[asyncpg.Record], names: tuple[str, ...]
):
    for number, name in enumerate(names, OWN + 1):
        await take_step(pool, number, name)
    async with transaction(pool) as connection:
        with pytest.raises(BadConfig, match="no schema goes back"):
            await ensure_schema(connection, await steps_to_run_on(connection))


async def test_a_database_without_tables_gets_those_of_this_recio(pool: asyncpg.Pool[asyncpg.Record]):
    async with transaction(pool) as connection:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        assert await steps_to_run_on(connection) == migrations()


async def test_tables_tells_whether_this_recio_would_start(
    pool: asyncpg.Pool[asyncpg.Record], database_dsn: str, tmp_path: Path
):
    (tmp_path / "recio.toml").write_text(f'{LIVE}[database]\ndsn = "{database_dsn}"\n', encoding="utf-8")

    def asked() -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "recio", "tables"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    await take_step(pool, OWN + 1, f"{ADDS_ONLY}a_column")
    code, said = asked()
    assert (code, f"only added: {ADDS_ONLY}a_column" in said) == (0, True)
    await take_step(pool, OWN + 2, "drop_a_column")
    code, said = asked()
    assert (code, "no schema goes back" in said) == (78, True)
    await pool.execute("DELETE FROM schema_migrations WHERE version >= $1", OWN)
    code, said = asked()
    assert (code, "recio db migrate carries it over" in said) == (78, True)


@pytest.mark.parametrize(
    ("sql", "is_noticed"),
    [
        (
            "CREATE TABLE two (x int PRIMARY KEY); CREATE UNIQUE INDEX one ON two (x); COMMENT ON TABLE two IS 'W'",
            False,
        ),
        ("ALTER TABLE orders ADD COLUMN why text", False),
        ("ALTER TABLE orders ADD COLUMN why text NOT NULL DEFAULT ''", False),
        ("ALTER TABLE orders ADD COLUMN why text NOT NULL", True),
        ("ALTER TABLE orders ADD COLUMN why text CHECK (why <> '')", True),
        ("CREATE UNIQUE INDEX one ON orders (ticker)", True),
        ("ALTER TABLE orders DROP COLUMN why", True),
        ("CREATE OR REPLACE FUNCTION place_entry() RETURNS void LANGUAGE sql AS ''", True),
        ("UPDATE orders SET why = ''", True),
    ],
)
def test_what_only_adds_is_told_from_what_an_older_recio_would_notice(sql: str, is_noticed: bool):
    assert bool(more_than_added(sql)) is is_noticed


def test_every_step_that_says_it_only_adds_does_no_more():
    for step in migrations():
        if step.name.startswith(ADDS_ONLY):
            assert more_than_added(step.sql) == [], step.name
