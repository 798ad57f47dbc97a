"""`recio restore` where a folder cannot be what it is named for: a sentence with the way, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from recio.db.backups import places_in, read_backup
from recio.db.restores import _refuse_used
from recio.errors import BadConfig, Fatal


def test_a_place_that_cannot_be_looked_at_is_refused_with_what_to_name(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(BadConfig, match=r"cannot be looked at by this account .*: name a new folder"):
        _refuse_used(tmp_path / "file")


def test_backups_that_cannot_be_read_are_not_said_to_be_none(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(BadConfig, match=r"cannot be read for backups of recio .*may read"):
        places_in(tmp_path / "file")


def test_a_backup_that_was_copied_in_part_is_told_with_what_helps(tmp_path: Path):
    with pytest.raises(Fatal, match=r"no whole backup.*copy it here anew, or move it away"):
        read_backup(tmp_path)
