"""Folders for what must not be left lying about: gone at the end, after a kill with the next, and never from under whoever uses them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recio import scratch
from recio.scratch import scratch_folder

KEEPS = """
import sys, time
from pathlib import Path
from recio.scratch import scratch_folder
with scratch_folder("secret-", Path(sys.argv[1])) as folder:
    (folder / "rows").write_text("of people")
    print(folder.name, flush=True)
    time.sleep(60)
"""


def test_a_folder_goes_at_its_end_or_with_the_next_after_a_kill_and_never_while_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scratch, "YOUNG", -1.0)
    (tmp_path / "secret-link").symlink_to(tmp_path)
    (tmp_path / "secretary").mkdir()
    command = [sys.executable, "-c", KEEPS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        used = tmp_path / running.stdout.readline().strip()
        with scratch_folder("secret-", tmp_path) as mine:
            assert (mine.stat().st_mode & 0o777, used.exists()) == (0o700, True)
        assert (mine.exists(), used.exists()) == (False, True)
        running.send_signal(signal.SIGKILL)
        running.wait(10)
    assert (used / "rows").exists()
    with scratch_folder("secret-", tmp_path) as mine:
        assert {each.name for each in tmp_path.iterdir()} == {mine.name, "secret-link", "secretary"}


def test_one_that_was_just_made_is_left_to_whoever_is_about_to_lock_it(tmp_path: Path):
    (tmp_path / "secret-new").mkdir()
    with scratch_folder("secret-", tmp_path):
        assert (tmp_path / "secret-new").exists()
