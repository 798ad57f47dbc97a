"""Backups that only their key opens: nothing readable is in the folder, and a key that is missing, wrong or badly kept is named."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recio import scratch
from recio.db import backups, restores
from recio.db.backups import DUMP, MANIFEST, SUMS, Kind, take
from recio.db.encryption import encrypt, new_key, read_key
from recio.db.restores import proven, restored
from recio.errors import BadConfig, Fatal
from tests.test_backups import folder, kinds_in, live, recio
from tests.test_backups_that_fail import marked

__all__ = ["folder"]
pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("kind", list(Kind))
async def test_an_encrypted_backup_shows_no_row_and_its_key_brings_every_one_back(folder: Path, kind: Kind):
    public = new_key(folder / "key")
    async with live(folder) as (client, _):
        made = await take(client, folder / "backups", kind, datetime.now(UTC), [public])
    closed = {each.name for each in made.folder.iterdir() if each.suffix == ".age"}
    assert closed == ({f"{DUMP}.age"} if kind is Kind.DUMP else {"base.tar.gz.age", "pg_wal.tar.gz.age"})
    assert not any((made.folder / each.removesuffix(".age")).exists() for each in closed)
    key = read_key(folder / "key", folder / "backups")
    async with restored(made, None, folder / "again", key=key) as (_, dsn):
        await proven(dsn)
        assert await kinds_in(dsn) == ["one", "two", "three"]
    assert [each.name for each in folder.iterdir() if each.name.startswith(".")] == [], (
        "nothing readable stays"
    )


async def test_a_wrong_key_none_and_a_file_that_changed_are_each_named_before_a_server_starts(folder: Path):
    public, other = new_key(folder / "key"), new_key(folder / "other")
    async with live(folder) as (client, _):
        made = await take(client, folder / "backups", Kind.DUMP, datetime.now(UTC), [public])
    again = folder / "again"
    with pytest.raises(BadConfig, match=f"encrypted for {public}: name the file of that key with --key"):
        async with restored(made, None, again):
            pass
    with pytest.raises(BadConfig, match=f"the key is the wrong one: .*{other}.* is for {public}"):
        async with restored(made, None, again, key=read_key(folder / "other", folder / "backups")):
            pass
    assert not again.exists()
    path = made.folder / f"{DUMP}.age"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    key = read_key(folder / "key", folder / "backups")
    with pytest.raises(Fatal, match="has changed"):
        async with restored(made, None, again, key=key):
            pass
    # Somebody sums it anew: what is encrypted notices it by itself.
    (made.folder / SUMS).write_text("", encoding="utf-8")
    with pytest.raises(Fatal, match="cannot be decrypted"):
        async with restored(made, None, again, key=key):
            pass


async def test_what_a_killed_restore_left_readable_goes_with_the_next_whatever_it_restores_into(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scratch, "YOUNG", -1.0)
    public = new_key(folder / "key")
    key = read_key(folder / "key", folder / "backups")
    async with live(folder) as (client, _):
        made = await take(client, folder / "backups", Kind.DUMP, datetime.now(UTC), [public])
    with restores._opened(made, folder / "first", key) as readable:
        left = shutil.copytree(readable, readable.with_name(f"{readable.name}x"))
    with restores._opened(made, folder / "second", key):
        assert not left.exists()


def test_a_key_that_others_can_read_lies_among_the_backups_or_is_none_is_refused_without_its_words(
    tmp_path: Path,
):
    backups = tmp_path / "backups"
    backups.mkdir()
    new_key(tmp_path / "key")
    secret = (tmp_path / "key").read_text(encoding="utf-8").splitlines()[1]
    with pytest.raises(BadConfig, match="never replaced"):
        new_key(tmp_path / "key")
    shutil.copy(tmp_path / "key", backups / "key")
    (tmp_path / "none").write_text("not one\n", encoding="utf-8")
    (tmp_path / "broken").write_text(secret[:-3] + "AAA\n", encoding="utf-8")
    for each in ("none", "broken"):
        os.chmod(tmp_path / each, 0o600)
    (tmp_path / "open").write_text(secret, encoding="utf-8")
    os.chmod(tmp_path / "open", 0o644)
    for path, words in (
        (backups / "key", "lies among the backups"),
        (tmp_path / "none", "holds 0 keys"),
        (tmp_path / "broken", "must hold one line"),
        (tmp_path / "open", "chmod 600"),
        (tmp_path / "gone", "cannot be read"),
    ):
        with pytest.raises(BadConfig, match=words) as refused:
            read_key(path, backups)
        assert secret[20:40] not in str(refused.value)


async def test_a_person_makes_a_key_backs_up_for_it_drills_and_restores_with_it(folder: Path):
    async with live(folder):
        marked(folder)
        made = recio(folder, "backup", "--new-key", "key")
        assert made.returncode == 0, made.stderr
        public = made.stdout.strip()
        bad = recio(folder, "backup", "--data-dir", "data", "--to", "backups", "--encrypt-for", "age1nobody")
        assert bad.returncode == 2
        done = recio(folder, "backup", "--data-dir", "data", "--to", "backups", "--encrypt-for", public)
        assert done.returncode == 0, done.stderr
        assert recio(folder, "backup", "--to", "backups", "--check").returncode == 0
        shut = recio(folder, "drill", "--data-dir", "data", "--from", "backups")
        assert shut.returncode == 78
        assert "--key FILE" in shut.stderr
        opened = recio(folder, "drill", "--data-dir", "data", "--from", "backups", "--key", "key")
        assert opened.returncode == 0, opened.stderr
    back = recio(folder, "restore", "--from", "backups", "--into", "back", "--key", "key")
    assert back.returncode == 0, back.stderr


@pytest.mark.parametrize("kind", list(Kind))
async def test_nothing_readable_is_ever_written_to_the_disk_of_the_backups(
    folder: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch
):
    """What is removed again can be read from a disk that is carried away."""
    public, seen = new_key(folder / "key"), set[str]()

    def look(file: Path, into: Path, recipients: Sequence[str]) -> None:
        seen.update(each.name for each in (folder / "backups").rglob("*") if each.is_file())
        assert file.is_file()
        assert not file.is_relative_to(folder / "backups")
        encrypt(file, into, recipients)

    monkeypatch.setattr(backups, "encrypt", look)
    async with live(folder) as (client, _):
        await take(client, folder / "backups", kind, datetime.now(UTC), [public])
    assert {each for each in seen if not each.endswith(".age")} <= {".lock", MANIFEST}
