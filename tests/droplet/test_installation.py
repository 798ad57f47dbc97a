"""deploy/install.sh: every problem is told before anything is done, a dry run does nothing, and done twice is done once.

Whole installations need a machine that can be booted and a wheelhouse: RECIO_WHEELHOUSES names, for each of RECIO_ROOTS,
a folder with the packages of requirements.lock for its Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import unused_port
from tests.droplet.machine import REPOSITORY, Machine, booted, other_roots, why_not

INSTALL = REPOSITORY / "deploy" / "install.sh"
PEM = "-----BEGIN PRIVATE KEY-----\nnot one\n-----END PRIVATE KEY-----\n"
HOUSES = [Path(each) for each in os.environ.get("RECIO_WHEELHOUSES", "").split(":") if each]


@dataclass(frozen=True, slots=True)
class Asked:
    folder: Path

    def install(self, *options: str, release: str = "debian 12") -> subprocess.CompletedProcess[str]:
        name, version = release.split()
        (self.folder / "os-release").write_text(f'ID={name}\nVERSION_ID="{version}"\n', encoding="utf-8")
        return subprocess.run(
            [INSTALL, "--dry-run", *options],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=os.environ | {"RECIO_OS_RELEASE": str(self.folder / "os-release")},
        )

    def key(self, text: str = PEM) -> str:
        path = self.folder / "key.pem"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def good(self) -> tuple[str, ...]:
        return ("--key-id", "a1", "--key", self.key(), "--port", str(unused_port()))


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    if shutil.which("systemctl") is None or shutil.which("dpkg-query") is None:
        pytest.skip("neither Debian nor Ubuntu")
    return Asked(tmp_path)


def test_a_dry_run_shows_every_step_and_does_none(asked: Asked):
    places = [Path(each) for each in ("/opt/recio", "/etc/recio", "/etc/systemd/system", "/usr/local/bin")]
    before = [sorted(place.iterdir()) if place.exists() else None for place in places]
    done = asked.install(*asked.good())
    assert done.returncode == 0, done.stderr
    for step in (
        "useradd",
        "releases/",
        "roles recio, recio-owner and recio-read",
        "recio.toml",
        "recio.service",
        "systemctl enable",
    ):
        assert step in done.stdout
    assert [sorted(place.iterdir()) if place.exists() else None for place in places] == before


def test_every_problem_is_told_at_once(asked: Asked):
    done = asked.install("--environment", "moon", "--port", "80", "--instance", "A b", "--database", "sqlite")
    assert done.returncode == 78
    assert done.stdout == ""
    assert done.stderr.startswith("install: nothing was changed")
    for words in ("moon", "--port 80", "A b", "sqlite", "--key-id is missing", "--key is missing"):
        assert words in done.stderr


@pytest.mark.parametrize(
    ("release", "told"),
    [
        ("ubuntu 22.04", "do-release-upgrade"),
        ("debian 11", "Debian 12, Debian 13 or Ubuntu 24.04"),
        ("fedora 42", "is not a system"),
    ],
)
def test_a_system_it_does_not_install_on_is_refused_with_the_way_out(asked: Asked, release: str, told: str):
    done = asked.install(*asked.good(), release=release)
    assert done.returncode == 78
    assert told in done.stderr


@pytest.mark.parametrize(
    "text", ["", "-----BEGIN CERTIFICATE-----", PEM.replace("PRIVATE", "ENCRYPTED PRIVATE")]
)
def test_a_key_that_is_none_is_refused(asked: Asked, text: str):
    done = asked.install("--key-id", "a1", "--key", asked.key(text), "--port", str(unused_port()))
    assert done.returncode == 78
    assert "not an unencrypted private key" in done.stderr


def test_an_unknown_option_starts_nothing(asked: Asked):
    assert asked.install("--frobnicate").returncode == 2


# --- whole installations ---------------------------------------------------------------------------------------------

needs_machines = pytest.mark.skipif(
    bool(why_not()) or not HOUSES, reason=why_not() or "RECIO_ROOTS and RECIO_WHEELHOUSES name no machines"
)


@pytest.fixture(params=list(zip(other_roots(), HOUSES, strict=False)), ids=lambda each: each[0].name)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    root, house = request.param
    with booted(root) as found:
        for place in ("/opt/recio", "/etc/recio"):
            found.run("rm", "-rf", place)
        found.run(
            "sh",
            "-c",
            "rm -f /etc/systemd/system/recio*; userdel recio; systemctl daemon-reload",
            check=False,
        )
        source = found.root / "srv" / "source"
        source.mkdir(parents=True)
        tracked = subprocess.run(
            ["git", "-C", REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for each in filter(None, tracked.split("\0")):
            if each.split("/")[0] in ("recio", "deploy", "systemd") or "/" not in each:
                (source / each).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPOSITORY / each, source / each)
        shutil.copytree(house, found.root / "srv" / "wheels")
        found.run("openssl", "genrsa", "-out", "/srv/key.pem", "2048")
        yield found


def install(machine: Machine, *options: str) -> str:
    """With what the machine has of its own: no package comes from outside."""
    common = ["--key-id", "a1", "--key", "/srv/key.pem", "--wheelhouse", "/srv/wheels"]
    if not (machine.root / "usr/sbin/chronyd").exists():
        common += ["--no-host"]
    if not (machine.root / "usr/bin/psql").exists():
        common += ["--database", "embedded"]
    return machine.run("/srv/source/deploy/install.sh", *common, *options, within=900)


KEPT = ["channels", "kalshi.pem", "on-failure", "recio-owner.dsn", "recio.toml"]
KEPT += ["two-owner.dsn", "two.channels", "two.pem", "two.toml"]


def three_roles_may_what_they_should(machine: Machine) -> None:
    def asked(role: str, sql: str) -> str:
        words = ("runuser", "-u", role, "--", "psql", "-Atc", sql, "recio")
        return machine.run("sh", "-c", 'cd / && "$@" 2>&1', "sh", *words, check=False)

    assert asked("recio-read", "SELECT count(*) > 0 FROM runs") == "t"
    assert "permission denied" in asked("recio-read", "INSERT INTO switches DEFAULT VALUES")
    assert "permission denied" in asked("recio", "CREATE TABLE mine (x int)")
    assert "must be owner" in asked("recio", "DROP TABLE runs")
    assert asked("postgres", "SELECT tableowner FROM pg_tables WHERE tablename = 'runs'") == "recio-owner"
    assert "nothing to do" in machine.run(
        "sh", "-c", "systemctl stop recio && recio db migrate; systemctl start recio"
    )


@needs_machines
@pytest.mark.timeout(2400)
def test_installed_twice_and_taken_away_again(machine: Machine):
    first = install(machine)
    assert "+ " in first
    machine.until("recio.service", "StatusText", "not trading")
    assert "good (mode live, environment demo)" in machine.run("recio", "check", "/etc/recio/recio.toml")
    assert machine.run("stat", "-c", "%a %U", "/etc/recio/kalshi.pem") == "600 root"
    has_server = (machine.root / "usr/bin/psql").exists()
    if has_server:
        three_roles_may_what_they_should(machine)
    pid = machine.show("recio.service", "MainPID")
    again = install(machine)
    effects = [line for line in again.splitlines() if line.startswith("  + ")]
    assert [line for line in effects if "systemctl" not in line and "install -d" not in line] == []
    assert machine.show("recio.service", "MainPID") == pid
    for timer in ("recio-backup.timer", "recio-drill.timer", "recio-alive.timer", "recio-parity.timer"):
        assert machine.show(timer, "ActiveState") == "active"
    with (machine.root / "srv/source/recio.toml").open("a", encoding="utf-8") as stream:
        stream.write("# another release\n")
    before = (machine.root / "opt/recio/current").readlink().name
    assert f"switched from {before}" in install(machine)
    assert (machine.root / "opt/recio/current").readlink().name != before
    assert "is in use" in machine.run("recio", "rollback", "--steady", "2", within=300)
    assert (machine.root / "opt/recio/current").readlink().name == before
    install(machine, "--instance", "two", "--port", "8711")
    machine.until("recio@two.service", "StatusText", "not trading")
    machine.until("recio.service", "StatusText", "not trading")
    machine.run("/srv/source/deploy/install.sh", "--uninstall")
    assert machine.run("ls", "/etc/recio").split() == [
        each for each in KEPT if has_server or not each.endswith(".dsn")
    ]
    assert (
        machine.run(
            "sh", "-c", "ls -d /opt/recio /etc/systemd/system/recio* /usr/local/bin/recio", check=False
        )
        == ""
    )
    machine.run("/srv/source/deploy/install.sh", "--uninstall", "--purge")
    left = machine.run(
        "sh", "-c", "ls -d /etc/recio /var/lib/recio*; getent passwd | grep ^recio", check=False
    )
    assert left == ""
