"""`recio forgo` as a process, on a database that was restored and still waits for what the backup had forgotten."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import asyncpg
import pytest

from recio.daemon import data_dir
from recio.db import bringing_in
from recio.db.backup_rows import begin_anew
from recio.db.connection import transaction
from recio.db.embedded import embedded_server
from recio.db.identity import claim
from recio.db.own_connection import own_connection
from recio.db.pool import open_pool
from recio.db.schema import ensure_schema
from recio.settings.config import parse
from tests.builders import NOW
from tests.test_operator_commands import LIVE, recio

pytestmark = pytest.mark.timeout(240)
FORGO = ("forgo", "--by", "ann", "--why", "the market is gone from the venue's lists")


@pytest.fixture
def restored() -> Iterator[Path]:
    """A folder with a config and a data directory that a daemon began to bring forgotten orders into."""
    folder = Path(tempfile.mkdtemp(prefix="recio-forgo-"))
    folder.chmod(0o711)
    (folder / "recio.toml").write_text(f'data_dir = "data"\n{LIVE}', encoding="utf-8")
    anyio.run(_restored, folder / "data")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


async def _restored(root: Path) -> None:
    live = {"mode": "live", "kalshi": {"environment": "demo", "key_id": "k", "key_path": "gone.pem"}}
    data_dir.claim(parse(live | {"data_dir": str(root)}, "a test"))
    async with (
        embedded_server(root) as server,
        open_pool(await server.ensure_database("recio"), application_name="a test") as pool,
    ):
        async with transaction(pool) as connection:
            await ensure_schema(connection)
            await claim(connection, "live", "demo", "a")
            await begin_anew(connection, "/backups", None, NOW, NOW)
        async with own_connection(pool) as own:
            await bringing_in.begin(own, NOW)


async def _rows(root: Path) -> tuple[bool, list[str]]:
    async with embedded_server(root) as server:
        connection = await asyncpg.connect(await server.ensure_database("recio"))
        waits = await connection.fetchval("SELECT restore_to_bring_in() IS NOT NULL")
        told = await connection.fetch("SELECT detail FROM audit_log WHERE kind = 'bringing in ended by hand'")
        await connection.close()
        return waits, [each["detail"] for each in told]


def test_a_person_ends_the_wait_once_and_the_audit_log_says_who_and_why(restored: Path):
    assert anyio.run(_rows, restored / "data") == (True, [])
    ended = recio(*FORGO, cwd=restored)
    again = recio(*FORGO, cwd=restored)
    assert (ended.returncode, again.returncode) == (0, 0), ended.stderr + again.stderr
    assert "has no stop of recio's" in ended.stdout
    assert "no daemon runs" in ended.stderr
    assert again.stdout.startswith("nothing waits")
    waits, told = anyio.run(_rows, restored / "data")
    assert not waits
    assert len(told) == 1
    assert "ann" in told[0]
    assert "gone from the venue's lists" in told[0]


def test_a_wait_is_not_ended_without_a_name_and_a_reason(restored: Path):
    for slip in (("forgo", "--by", "ann"), ("forgo", "--why", "x"), ("forgo", "--by", " ", "--why", "x")):
        assert recio(*slip, cwd=restored).returncode == 2
    assert anyio.run(_rows, restored / "data") == (True, [])
