"""The shipped unit files, read as systemd reads them: nothing unknown in them, little exposed, and one like the other."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import unused_port

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
            r"^(Exec\w+=[+-]*)\S+",
            rf"\g<1>{program}",
            unit.read_text(encoding="utf-8"),
            flags=re.MULTILINE,
        )
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    names = [tmp_path / each.name.replace("@.", "@one.") for each in tmp_path.iterdir()]
    done = analysed("verify", "--man=no", *map(str, names))
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


@needs_systemd
@pytest.mark.parametrize("unit", ["recio.service", "recio@.service", "recio-parity.service"])
def test_a_unit_exposes_no_more_than_it_did(unit: str):
    done = analysed("security", "--offline=yes", f"--threshold={EXPOSURE_TENTHS}", str(UNITS / unit))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


@pytest.mark.parametrize("kind", ["service", "timer"])
@pytest.mark.parametrize("name", ["recio", "recio-parity", "recio-backup", "recio-drill"])
def test_the_unit_of_one_account_of_many_differs_in_names_only(name: str, kind: str):
    if (name, kind) == ("recio", "timer"):
        return

    def directives(name: str) -> list[str]:
        text = (UNITS / name).read_text(encoding="utf-8")
        return [line for line in text.splitlines() if re.match(r"\w+=|\[", line)]

    one, many = directives(f"{name}.{kind}"), directives(f"{name}@.{kind}")
    in_the_words_of_one = [
        line.replace(" (%i)", "")
        .replace("recio-%i", "recio")
        .replace("/%i.toml", "/recio.toml")
        .replace("/%i.pem", "/kalshi.pem")
        .replace("/%i.channels", "/channels")
        .replace("/usr/bin/env RECIO_INSTANCE=%i ", "")
        .replace("@%i.service", ".service")
        .replace(f"{name}@.service", f"{name}.service")
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


@dataclass(frozen=True, slots=True)
class Alive:
    """deploy/ping-alive with files of channels, units and a service of checks that are made up."""

    room: Path

    def ping(self, port: int, *, is_active: bool) -> tuple[int, str]:
        for name in ("channels", "two.channels", "none.channels"):
            line = "" if name == "none.channels" else f"machine ping http://127.0.0.1:{port}/secret-{name}\n"
            (self.room / name).write_text(f"# whom\nphone critical json://x\n{line}", encoding="utf-8")
        systemctl = self.room / "systemctl"
        systemctl.write_text(
            f'#!/bin/sh\n[ "$1" = is-enabled ] || exit {int(not is_active)}\n', encoding="utf-8"
        )
        systemctl.chmod(0o755)
        done = subprocess.run(
            [REPOSITORY / "deploy" / "ping-alive"],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env={"PATH": "/usr/bin:/bin", "RECIO_ETC": str(self.room), "RECIO_SYSTEMCTL": str(systemctl)},
        )
        return done.returncode, done.stdout + done.stderr


@dataclass(frozen=True, slots=True)
class CutOff:
    """deploy/tell-cut-off with a place of releases and a hook of its own."""

    room: Path

    @property
    def record(self) -> Path:
        return self.room / "under-way.json"

    def looks(self) -> list[str]:
        """Whom it has called by now, after one more look; as systemd would it starts what calls."""
        systemctl = self.room / "systemctl"
        calls = f"exec {REPOSITORY}/deploy/tell-failure tell recio-upgrade.service"
        systemctl.write_text(f"#!/bin/sh\n{calls}\n", encoding="utf-8")
        (self.room / "hook").write_text(f'#!/bin/sh\necho "$@" >> {self.room}/called\n', encoding="utf-8")
        for each in (systemctl, self.room / "hook"):
            each.chmod(0o755)
        subprocess.run(
            [REPOSITORY / "deploy" / "tell-cut-off"],
            check=True,
            capture_output=True,
            timeout=20,
            env={
                "PATH": "/usr/bin:/bin",
                "RECIO_PLACE": str(self.room),
                "RECIO_NOTES": str(self.room),
                "RECIO_ON_FAILURE": str(self.room / "hook"),
                "RECIO_SYSTEMCTL": str(systemctl),
            },
        )
        called = self.room / "called"
        return called.read_text(encoding="utf-8").splitlines() if called.exists() else []


def test_an_upgrade_that_was_cut_off_calls_somebody_once_and_one_that_goes_on_calls_nobody(tmp_path: Path):
    cut_off = CutOff(tmp_path)
    assert cut_off.looks() == []
    cut_off.record.touch()
    with (tmp_path / "upgrade.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert cut_off.looks() == []
    assert cut_off.looks() == ["recio-upgrade.service cut-off 1"]
    assert cut_off.looks() == ["recio-upgrade.service cut-off 1"]
    os.utime(cut_off.record, (1, 1))
    (tmp_path / "recio-upgrade.service.told").unlink()  # as a restart of the machine leaves it
    assert len(cut_off.looks()) == 2


def test_the_sign_of_life_looks_for_an_upgrade_that_was_cut_off_as_root():
    unit = (REPOSITORY / "systemd" / "recio-alive.service").read_text(encoding="utf-8")
    assert "ExecStartPre=+-/opt/recio/current/deploy/tell-cut-off\n" in unit


@pytest.fixture
def checks() -> Iterator[tuple[int, list[str]]]:
    """A service of checks on a port of this machine, and the paths that were asked for."""
    asked: list[str] = []

    class Checks(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Checks) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port, asked
        server.shutdown()


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed here")


@needs_curl
def test_an_outside_service_hears_that_the_machine_lives_and_of_a_daemon_that_is_down(
    tmp_path: Path, checks: tuple[int, list[str]]
):
    port, asked = checks
    assert Alive(tmp_path).ping(port, is_active=True) == (0, "")
    assert asked == ["/secret-channels", "/secret-two.channels"]
    assert Alive(tmp_path).ping(port, is_active=False) == (0, "")
    assert asked[2:] == ["/secret-channels/fail", "/secret-two.channels/fail"]


@needs_curl
def test_a_service_that_is_away_is_told_without_its_address(tmp_path: Path):
    code, said = Alive(tmp_path).ping(unused_port(), is_active=True)
    assert code == 75
    assert "the check of recio.service could not be pinged" in said
    assert "the check of recio@two.service could not be pinged" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("unit", "account", "says"),
    [
        ("recio.service", "", "recio.service ended by itself (watchdog, 6)"),
        ("recio@two.service", "two", "recio@two.service ended by itself (watchdog, 6)"),
        ("recio-backup@two.service", "two", "recio-backup@two.service ended by itself"),
    ],
)
def test_who_is_called_by_the_channels_is_that_of_the_account(
    tmp_path: Path, unit: str, account: str, says: str
):
    program = tmp_path / "recio"
    program.write_text('#!/bin/sh\necho "${RECIO_INSTANCE:-} | $*"\n', encoding="utf-8")
    program.chmod(0o755)
    done = subprocess.run(
        [REPOSITORY / "deploy" / "on-failure", unit, "watchdog", "6"],
        check=True,
        capture_output=True,
        text=True,
        timeout=10,
        env={"PATH": "/usr/bin:/bin", "RECIO_PROGRAM": str(program)},
    )
    assert done.stdout.startswith(f"{account} | alert send {says}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root upgrades; others are led through sudo")
def test_an_upgrade_is_driven_by_the_copy_that_is_named_from_wherever_it_is_typed(tmp_path: Path):
    program = tmp_path / "copy" / "deploy" / "upgrade.py"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "asked: $*"\n', encoding="utf-8")
    program.chmod(0o755)

    def typed(*words: str) -> subprocess.CompletedProcess[str]:
        command = [REPOSITORY / "deploy" / "recio", "upgrade", *words]
        return subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=10)

    assert typed("copy", "--dry-run").stdout == "asked: --dry-run\n"
    refused = typed("elsewhere")
    assert (refused.returncode, "elsewhere is no copy of recio" in refused.stderr) == (2, True)
