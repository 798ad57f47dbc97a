"""`recio login` as a person runs it: before the first start, without a daemon and a database, and without a secret in what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PASSWORD = "five words drawn by chance"
CONFIG = '[status]\nhosts = ["recio.example.org"]\nproxies = ["127.0.0.1"]\n'


def recio(folder: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "recio", *arguments]
    return subprocess.run(
        command, cwd=folder, input=given, capture_output=True, text=True, check=False, timeout=50
    )


def test_a_page_for_others_wants_a_login_and_the_command_makes_one_before_the_first_start(tmp_path: Path):
    (tmp_path / "recio.toml").write_text(CONFIG, encoding="utf-8")
    refused = recio(tmp_path, "check")
    assert refused.returncode == 78
    assert "recio login add NAME" in refused.stderr
    short = recio(tmp_path, "login", "add", "anna", "--role", "operator", "--password-stdin", given="short\n")
    assert (short.returncode, "5 characters" in short.stderr) == (78, True)
    made = recio(
        tmp_path, "login", "add", "anna", "--role", "operator", "--password-stdin", given=PASSWORD + "\n"
    )
    assert made.returncode == 0, made.stderr
    kept = tmp_path / ".recio" / "logins"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in kept.read_text() + made.stdout + made.stderr
    assert recio(tmp_path, "check").returncode == 0
    shown = recio(tmp_path, "login", "token", "grafana").stdout.strip()
    assert shown.startswith("recio_")
    assert shown not in kept.read_text()
    listed = recio(tmp_path, "login", "list").stdout
    assert "anna" in listed
    assert "grafana" in listed
    assert shown not in listed
