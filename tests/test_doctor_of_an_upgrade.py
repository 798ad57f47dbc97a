"""What `recio doctor` says of an upgrade that goes on, was cut off, or went back: each time what can really be typed then."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from recio.commands import examine_machine
from recio.commands.examine_machine import _unfinished_upgrade
from recio.commands.finding import Grade


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, file in (
        ("NEEDS_A_PERSON", "needs-a-person"),
        ("UNDER_WAY", "under-way.json"),
        ("UPGRADE_LOCK", "upgrade.lock"),
    ):
        monkeypatch.setattr(examine_machine, name, tmp_path / file)
    (tmp_path / "upgrade.lock").touch()
    return tmp_path


def test_one_that_was_cut_off_is_finished_or_undone_and_not_seen(place: Path):
    assert _unfinished_upgrade() is None
    (place / "under-way.json").touch()
    found = _unfinished_upgrade()
    assert found is not None
    assert (found.grade, "entries may be off" in found.says) == (Grade.BAD, True)
    (place / "needs-a-person").write_text("An upgrade began\n", encoding="utf-8")
    found = _unfinished_upgrade()
    assert found is not None
    assert (found.grade, found.says) == (Grade.BAD, "An upgrade began")
    assert "recio upgrade --go-on" in found.do
    assert "recio rollback" in found.do
    assert "--seen" not in found.do


def test_one_that_goes_on_is_no_fault_and_one_that_went_back_has_to_be_seen(place: Path):
    (place / "needs-a-person").write_text("An upgrade failed\n", encoding="utf-8")
    (place / "under-way.json").touch()
    with (place / "upgrade.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _unfinished_upgrade()
        assert found is not None
        assert (found.grade, found.says) == (Grade.NOTE, "one is under way")
    (place / "under-way.json").unlink()
    found = _unfinished_upgrade()
    assert found is not None
    assert "recio upgrade --seen" in found.do
