"""`recio alert` with a file of channels that only root may read: it comes over standard input, and needs no good config."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio.to_thread
import pytest

from tests.alerting.sinks import SECRET, a_webhook

pytestmark = pytest.mark.timeout(90)


async def alert(folder: Path, channels: str, *words: str) -> subprocess.CompletedProcess[str]:
    return await anyio.to_thread.run_sync(
        lambda: subprocess.run(
            [sys.executable, "-m", "recio", "alert", *words, "--channels", "-", "--config", "recio.toml"],
            cwd=folder,
            input=channels,
            capture_output=True,
            text=True,
            timeout=80,
            check=False,
        )
    )


async def test_somebody_is_called_although_the_config_is_refused(tmp_path: Path):
    (tmp_path / "recio.toml").write_text("nonsense = 1\n", encoding="utf-8")
    async with a_webhook() as hook:
        done = await alert(tmp_path, f"# whom\nhook info {hook.url}\n", "send", "recio ended by itself")
        assert (done.returncode, done.stdout.split()) == (0, ["hook", "sent"]), done.stderr
        assert hook.texts == ["recio ended by itself"]
        assert SECRET not in done.stdout + done.stderr


async def test_a_check_that_is_not_named_is_no_fault_where_a_timer_asks(tmp_path: Path):
    (tmp_path / "recio.toml").write_text("", encoding="utf-8")
    assert (await alert(tmp_path, "", "ping", "backup", "--if-named")).returncode == 0
    assert (await alert(tmp_path, "", "ping", "backup")).returncode == 78


async def test_a_line_that_is_none_is_named_and_not_repeated(tmp_path: Path):
    (tmp_path / "recio.toml").write_text("", encoding="utf-8")
    done = await alert(tmp_path, "phone loud tgram://secret\n", "test")
    assert done.returncode == 78
    assert "standard input line 1 (phone)" in done.stderr
    assert "secret" not in done.stderr


async def test_a_file_that_names_nobody_is_said_to_be_that_by_every_command_that_looks(tmp_path: Path):
    """As `deploy/install.sh` writes it: comments alone."""
    channels = tmp_path / "channels"
    channels.write_text("# whom recio calls\n", encoding="utf-8")
    channels.chmod(0o600)
    (tmp_path / "recio.toml").write_text('[alerts]\nchannels_path = "channels"\n', encoding="utf-8")
    tested = await alert(tmp_path, channels.read_text(encoding="utf-8"), "test")
    assert (tested.returncode, "names no channel" in tested.stderr) == (78, True), tested.stderr
    assert "phone critical" in tested.stderr
    checked = subprocess.run(
        [sys.executable, "-m", "recio", "check"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )
    assert "nobody is called: alerts.channels_path names no channel" in checked.stdout
