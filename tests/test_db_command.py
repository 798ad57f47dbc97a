"""`recio db` as a person runs it: what it makes, what it tries and keeps nothing of, and what it refuses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from recio.daemon.database import ACCOUNT_LOCK
from recio.db.pool import advisory_lock
from tests.conftest import unused_port

LIVE = 'mode = "live"\n[kalshi]\nenvironment = "demo"\nkey_id = "k"\nkey_path = "gone.pem"\n'
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


def recio(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "recio", "db", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.fixture
def folder(tmp_path: Path, database_dsn: str) -> Path:
    (tmp_path / "recio.toml").write_text(f'{LIVE}[database]\ndsn = "{database_dsn}"\n', encoding="utf-8")
    return tmp_path


async def emptied(dsn: str) -> asyncpg.Connection[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return connection


async def test_migrate_tries_and_keeps_nothing_then_makes_the_tables_then_has_nothing_to_do(
    folder: Path, database_dsn: str
):
    connection = await emptied(database_dsn)
    tried = recio(folder, "migrate", "--dry-run")
    assert (tried.returncode, tried.stdout) == (0, "would take step 1: first version\n")
    assert await connection.fetchval(TABLES) == 0
    done = recio(folder, "migrate")
    assert (done.returncode, done.stdout) == (0, "took step 1: first version\n")
    again = recio(folder, "migrate")
    assert (again.returncode, again.stdout) == (
        0,
        "the tables are those of this recio: there is nothing to do\n",
    )
    await connection.close()


async def test_migrate_refuses_a_newer_database_and_one_that_a_daemon_drives(folder: Path, database_dsn: str):
    async with advisory_lock(database_dsn, ACCOUNT_LOCK):
        held = recio(folder, "migrate")
    assert held.returncode == 78
    assert "one daemon per account" in held.stderr
    connection = await asyncpg.connect(database_dsn)
    await connection.execute("INSERT INTO schema_migrations (version, name) VALUES (2, 'later')")
    newer = recio(folder, "migrate")
    assert newer.returncode == 78
    assert "has schema version 2, this recio knows 1" in newer.stderr
    await connection.close()


async def test_an_owner_file_that_others_can_read_or_that_holds_no_dsn_is_refused_without_its_words(
    folder: Path,
):
    owner = folder / "owner.dsn"
    owner.write_text("mysql://me:hunter2@db/x", encoding="utf-8")
    owner.chmod(0o644)
    open_to_all = recio(folder, "migrate", "--owner", str(owner))
    owner.chmod(0o600)
    foreign = recio(folder, "migrate", "--owner", str(owner))
    assert (open_to_all.returncode, foreign.returncode) == (78, 78)
    assert "chmod 600" in open_to_all.stderr
    assert "must begin with postgresql://" in foreign.stderr
    assert "hunter2" not in open_to_all.stderr + foreign.stderr


async def test_grant_says_what_the_role_may_do_and_refuses_one_that_is_not_there(
    folder: Path, database_dsn: str
):
    connection = await asyncpg.connect(database_dsn)
    await connection.execute("CREATE ROLE recio_test_granted LOGIN")
    try:
        given = recio(folder, "grant", "recio_test_granted", "read-only")
        assert (given.returncode, given.stdout) == (0, "recio_test_granted may read everything\n")
        absent = recio(folder, "grant", "recio_test_absent", "application")
        assert absent.returncode == 78
        assert "CREATE ROLE recio_test_absent" in absent.stderr
    finally:
        await connection.execute("DROP OWNED BY recio_test_granted; DROP ROLE recio_test_granted")
        await connection.close()


async def test_size_names_every_table_as_text_and_as_json(folder: Path):
    told = recio(folder, "size")
    assert told.returncode == 0
    assert "audit_log" in told.stdout
    assert "the disk is that of the database server" in told.stderr
    parsed = json.loads(recio(folder, "size", "--json").stdout)
    assert {"bytes", "since", "tables", "bytes_a_day", "free_bytes", "days_until_full"} == parsed.keys()
    assert {"name", "rows", "bytes", "bytes_a_day"} == parsed["tables"][0].keys()


async def test_migrate_as_the_application_has_nothing_to_do_and_grants_nothing(
    folder: Path, database_dsn: str
):
    connection = await asyncpg.connect(database_dsn)
    await connection.execute("CREATE ROLE recio_test_trades LOGIN")
    try:
        assert recio(folder, "grant", "recio_test_trades", "application").returncode == 0
        theirs = re.sub(r"user=\w+", "user=recio_test_trades", database_dsn)
        (folder / "recio.toml").write_text(f'{LIVE}[database]\ndsn = "{theirs}"\n', encoding="utf-8")
        for options in ((), ("--dry-run",)):
            done = recio(folder, "migrate", *options)
            assert done.returncode == 0, done.stderr
            assert "nothing to do" in done.stdout
        await connection.execute("DELETE FROM schema_migrations")
        async with advisory_lock(database_dsn, ACCOUNT_LOCK):
            cannot = recio(folder, "migrate", "--dry-run")
        assert cannot.returncode == 78
        assert "needs the owner of the tables" in cannot.stderr
    finally:
        await connection.execute("DROP OWNED BY recio_test_trades; DROP ROLE recio_test_trades")
        await connection.close()


async def test_a_dry_run_beside_a_daemon_says_which_steps_wait_and_locks_no_table_of_its_orders(
    folder: Path, database_dsn: str
):
    connection = await asyncpg.connect(database_dsn)
    async with advisory_lock(database_dsn, ACCOUNT_LOCK):
        none = recio(folder, "migrate", "--dry-run")
        assert (none.returncode, "nothing to do" in none.stdout) == (0, True), none.stderr
        await connection.execute("DELETE FROM schema_migrations")
        async with connection.transaction():
            await connection.execute("LOCK TABLE orders IN ROW EXCLUSIVE MODE")
            one = recio(folder, "migrate", "--dry-run")
    assert (one.returncode, one.stdout) == (0, "would take step 1: first version\n")
    assert "nothing was tried" in one.stderr
    await connection.close()


async def test_what_needs_a_session_goes_around_the_pooler(folder: Path, database_dsn: str):
    """Nothing listens where the pooler should be."""
    (folder / "recio.toml").write_text(
        f'{LIVE}[database]\ndsn = "postgresql://u@127.0.0.1:{unused_port()}/recio"\ndirect_dsn = "{database_dsn}"\n',
        encoding="utf-8",
    )
    done = recio(folder, "migrate")
    assert (done.returncode, "nothing to do" in done.stdout) == (0, True), done.stderr
