"""Which PostgreSQL is found: the wheel's, else the newest whole one of the system, else a sentence that says what helps."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from recio.db import postgres_programs
from recio.db.connection import transaction
from recio.db.embedded import embedded_server
from recio.db.pool import open_pool
from recio.db.postgres_programs import NEEDED, installed_binaries
from recio.db.schema import ensure_schema
from recio.errors import BadConfig
from tests.db.other_servers import DISTRIBUTION, programs


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system without the wheel, whose PostgreSQL is what a test puts there."""
    monkeypatch.setattr(postgres_programs.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(postgres_programs, "SYSTEM", (tmp_path,))
    return tmp_path


def put(system: Path, version: str, *names: str) -> Path:
    (system / version / "bin").mkdir(parents=True)
    for each in names:
        (system / version / "bin" / each).touch()
    return system / version


def test_the_newest_of_the_system_that_has_every_program_is_found(system: Path):
    put(system, "14", *NEEDED)
    put(system, "9", *NEEDED)
    wanted = put(system, "17", *NEEDED)
    put(system, "18", "pg_dump")  # clients only
    assert installed_binaries() == wanted


def test_without_any_the_sentence_says_what_helps(system: Path):
    put(system, "14", *NEEDED)
    with pytest.raises(
        BadConfig, match=r"pip install 'recio\[embedded\]'.*apt-get install postgresql.*database.dsn"
    ):
        installed_binaries()


async def test_a_database_is_made_and_kept_by_the_systems_programs(monkeypatch: pytest.MonkeyPatch):
    programs(15)
    monkeypatch.setattr(postgres_programs.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(postgres_programs, "SYSTEM", (DISTRIBUTION,))
    root = Path(tempfile.mkdtemp(prefix="recio-system-"))
    root.chmod(0o711)
    try:
        for is_new in (True, False):
            async with embedded_server(root) as server:
                dsn = await server.ensure_database("recio")
                async with open_pool(dsn, application_name="t") as pool, transaction(pool) as connection:
                    assert await ensure_schema(connection) is is_new
                    assert str(connection.get_server_version().major) == installed_binaries().name
    finally:
        shutil.rmtree(root, ignore_errors=True)
