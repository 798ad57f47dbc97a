"""The shipped unit files, read as systemd reads them: nothing unknown in them, little exposed, and one like the other."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
UNITS = REPOSITORY / "systemd"
EXPOSURE_TENTHS = "12"
"""1.2 of 10, as `systemd-analyze security` counts; the plain unit of a Python daemon has 9.2."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here"
)


def analysed(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], check=False, capture_output=True, text=True, timeout=30
    )


@needs_systemd
def test_systemd_finds_nothing_to_say_about_the_units(tmp_path: Path):
    """With a program where theirs will be: that it is there is the installation's affair."""
    program = shutil.which("true")
    for unit in (*UNITS.glob("*.service"), *UNITS.glob("*.timer")):
        text = re.sub(
            r"^(ExecStart=|ExecStartPre=\+)\S+",
            rf"\g<1>{program}",
            unit.read_text(encoding="utf-8"),
            flags=re.MULTILINE,
        )
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    names = [
        tmp_path / name
        for name in (
            "recio.service",
            "recio@one.service",
            "recio-failed@a.service",
            "recio-parity.service",
            "recio-parity@one.service",
            "recio-parity.timer",
            "recio-parity@one.timer",
        )
    ]
    names += [tmp_path / f"recio-{each}.service" for each in ("backup", "drill", "stream")]
    names += [tmp_path / f"recio-{each}.timer" for each in ("backup", "drill")]
    done = analysed("verify", "--man=no", *map(str, names))
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


@needs_systemd
@pytest.mark.parametrize("unit", ["recio.service", "recio@.service", "recio-parity.service"])
def test_a_unit_exposes_no_more_than_it_did(unit: str):
    done = analysed("security", "--offline=yes", f"--threshold={EXPOSURE_TENTHS}", str(UNITS / unit))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


@pytest.mark.parametrize("name", ["recio", "recio-parity"])
def test_the_unit_of_one_account_of_many_differs_in_names_only(name: str):
    def directives(name: str) -> list[str]:
        text = (UNITS / name).read_text(encoding="utf-8")
        return [line for line in text.splitlines() if re.match(r"\w+=|\[", line)]

    one, many = directives(f"{name}.service"), directives(f"{name}@.service")
    in_the_words_of_one = [
        line.replace(" (%i)", "")
        .replace("recio-%i", "recio")
        .replace("/%i.toml", "/recio.toml")
        .replace("/%i.pem", "/kalshi.pem")
        for line in many
    ]
    assert in_the_words_of_one == one
    assert one != many


@dataclass(frozen=True, slots=True)
class Bell:
    """deploy/tell-failure with a room and a hook of its own."""

    room: Path

    @property
    def hook(self) -> Path:
        return self.room / "hook"

    def ring(self, verb: str, **surroundings: str) -> str:
        done = subprocess.run(
            [REPOSITORY / "deploy" / "tell-failure", verb, "recio.service"],
            check=True,
            capture_output=True,
            text=True,
            timeout=10,
            env={
                "PATH": "/usr/bin:/bin",
                "RECIO_NOTES": str(self.room),
                "RECIO_ON_FAILURE": str(self.hook),
                "RECIO_SYSTEMCTL": "true",
                **surroundings,
            },
        )
        return done.stdout

    def ends(self, run: str, status: str) -> str:
        """As systemd tells of one end: after it, and of the failed unit."""
        self.ring("note", SERVICE_RESULT="exit-code", EXIT_STATUS=status, INVOCATION_ID=run)
        told = self.ring("tell")
        return told + self.ring(
            "tell", MONITOR_SERVICE_RESULT="exit-code", MONITOR_EXIT_STATUS=status, MONITOR_INVOCATION_ID=run
        )

    def calls(self) -> list[str]:
        called = self.room / "called"
        return called.read_text(encoding="utf-8").splitlines() if called.exists() else []


@pytest.fixture
def bell(tmp_path: Path) -> Bell:
    (tmp_path / "hook").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\n', encoding="utf-8")
    (tmp_path / "hook").chmod(0o755)
    return Bell(tmp_path)


def test_somebody_is_called_once_for_one_end_that_does_not_pass(bell: Bell):
    assert bell.ends("first", "1").startswith("<1>recio.service ended by itself (exit-code, 1)")
    assert bell.calls() == ["recio.service exit-code 1"]


def test_the_same_end_again_and_again_calls_once_and_another_one_calls_at_once(bell: Bell):
    for run in ("first", "second", "third"):
        assert "<1>recio.service ended" in bell.ends(run, "1")
    bell.ends("last", "78")
    assert bell.calls() == ["recio.service exit-code 1", "recio.service exit-code 78"]


def test_a_passing_reason_and_an_end_as_asked_call_nobody(bell: Bell):
    assert bell.ends("first", "75").startswith("<4>recio.service ended for a passing reason")
    assert bell.ring("note", SERVICE_RESULT="success", EXIT_STATUS="0") == ""
    assert bell.calls() == []
    assert [each.name for each in bell.room.iterdir()] == ["hook"]


def test_that_nobody_can_be_called_is_told(bell: Bell):
    bell.hook.unlink()
    assert "nobody was called" in bell.ends("first", "1")
