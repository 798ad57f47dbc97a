"""`recio init`: what it asks ends up in a config with every comment, whatever is refused is asked again, and nothing is overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from recio.commands.init import asked_for, template, with_value
from recio.settings.config import load, parse
from recio.settings.files import table_of

KEY_ID = "2f6f3d1e-1111-2222-3333-444455556666"


def init(folder: Path, answers: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "recio", "init", *arguments],
        cwd=folder,
        input=answers,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_answers_become_a_good_config_that_only_its_owner_reads_and_that_keeps_every_comment(tmp_path: Path):
    done = init(tmp_path, f"prod\n{KEY_ID}\nkey.pem\n\n\n8711\n5\n40\n20.5\n\n")
    assert (done.returncode, done.stderr) == (0, "")
    path = tmp_path / "recio.toml"
    config = load(path)
    assert (config.mode, config.kalshi.environment, config.kalshi.key_id) == ("live", "prod", KEY_ID)
    assert config.status.port == 8711
    assert config.entry.enabled is False
    assert path.stat().st_mode & 0o777 == 0o600
    comments = [line for line in template().splitlines() if line.startswith("#")]
    assert [line for line in path.read_text().splitlines() if line.startswith("#")] == comments


def test_what_is_refused_is_said_and_asked_again(tmp_path: Path):
    done = init(tmp_path, "mars\nsim\n\n\n99999999\nabc\n8712\n\n\n\n\n")
    assert done.returncode == 0
    assert "status.port = 99999999 is refused: must be at most 65535" in done.stdout
    assert load(tmp_path / "recio.toml").status.port == 8712


def test_a_key_id_of_another_shape_is_asked_again_and_the_simulated_exchange_needs_none(tmp_path: Path):
    done = init(tmp_path, f"demo\nbad\n\n{KEY_ID}\nkey.pem\n\n\n\n\n\n\n\n", "live.toml")
    assert (done.returncode, done.stderr) == (0, "")
    assert "kalshi.key_id = 'bad' is refused: an API key id of Kalshi is 36 letters" in done.stdout
    assert load(tmp_path / "live.toml").kalshi.key_id == KEY_ID
    simulated = init(tmp_path, "sim\n\n\n\n\n\n\n\n", "sim.toml")
    assert (simulated.returncode, simulated.stderr) == (0, "")
    assert "makes its own key: none is asked for" in simulated.stdout
    assert "API key id" not in simulated.stdout


def test_nothing_is_overwritten_and_an_input_that_ends_writes_nothing(tmp_path: Path):
    (tmp_path / "mine.toml").write_text("mine", encoding="utf-8")
    refused = init(tmp_path, "", "mine.toml")
    assert refused.returncode == 78
    assert "overwrites nothing" in refused.stderr
    assert (tmp_path / "mine.toml").read_text(encoding="utf-8") == "mine"
    ended = init(tmp_path, "demo\n")
    assert ended.returncode == 78
    assert "asks for kalshi.key_id" in ended.stderr
    assert not (tmp_path / "recio.toml").exists()


def test_every_default_is_that_of_the_shipped_file():
    text = asked_for(
        template(), lambda question: "sim" if "environment" in question.key else question.default
    )
    assert parse(table_of(text, "t"), "t").mode == "demo"
    assert with_value(template(), "status.port", "8710") == template()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_whoever_may_not_write_there_is_told_before_a_question_is_asked(tmp_path: Path):
    tmp_path.chmod(0o500)
    refused = init(tmp_path, "")
    tmp_path.chmod(0o700)
    assert refused.returncode == 78
    assert "cannot be written: you may not make files in its folder" in refused.stderr
