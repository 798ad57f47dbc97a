"""deploy/install.sh tells every problem before anything is done, and a dry run does nothing; tests/droplet/test_life.py installs for real."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.conftest import unused_port
from tests.droplet.machine import REPOSITORY

INSTALL = REPOSITORY / "deploy" / "install.sh"
PEM = "-----BEGIN PRIVATE KEY-----\nnot one\n-----END PRIVATE KEY-----\n"


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
        "ufw --force enable",
        "nothing was done",
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


def test_a_machine_that_installs_something_else_is_waited_for_and_any_other_fault_is_told(tmp_path: Path):
    """Debian upgrades itself in the first minutes of a new droplet. What apt says of its lock is said once here, then it is free."""
    text = INSTALL.read_text(encoding="utf-8")
    waits = text[text.index("when_unlocked() {") : text.index("install_packages() {")]
    locked = tmp_path / "lock"
    locked.touch()
    busy = f'rm {locked}; echo "E: Could not get lock /var/lib/dpkg/lock-frontend" >&2; exit 100'
    apt = f"[ ! -e {locked} ] || {{ {busy}; }}; exit $1"

    def asked(code: str) -> subprocess.CompletedProcess[str]:
        script = f"set -euo pipefail\nsay() {{ echo \"$@\"; }}\n{waits}\nwhen_unlocked bash -c '{apt}' apt {code}\necho installed"
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)

    waited = asked("0")
    assert (waited.returncode, waited.stdout.splitlines()[-1]) == (0, "installed"), waited.stderr
    assert "waits" in waited.stdout
    assert asked("100").returncode == 1


def test_a_droplet_that_a_provider_begins_keeps_its_key_until_the_installation_came_to_its_end(
    tmp_path: Path,
):
    """What cloud-init would write and run, in a folder instead of /root, filled in as its head says."""
    source, key = tmp_path / "source", tmp_path / "kalshi.pem"
    words = {
        "/root": str(tmp_path),
        "PRIVATE-KEY-IN-BASE64": base64.b64encode(PEM.encode()).decode(),
        "RELEASE": "0.2",
        "SOURCE-ADDRESS": str(source),
        "KEY-ID": "00000000-0000-0000-0000-000000000007",
    }
    text = (REPOSITORY / "deploy" / "cloud-init.yaml").read_text(encoding="utf-8")
    for word, filled in words.items():
        text = text.replace(word, filled)
    told = yaml.safe_load(text)
    (written,) = told["write_files"]
    assert (written["path"], written["permissions"], written["encoding"]) == (str(key), "0600", "b64")
    key.write_bytes(base64.b64decode(written["content"]))
    assert key.read_text(encoding="utf-8") == PEM
    (line,) = told["runcmd"]
    assert subprocess.run(["sh", "-c", line], capture_output=True, check=False).returncode != 0
    assert key.exists()
    (source / "deploy").mkdir(parents=True)
    (source / "deploy" / "install.sh").write_text(
        '#!/bin/sh\n[ -s "$4" ] && echo "$1 $2"\n', encoding="utf-8"
    )
    (source / "deploy" / "install.sh").chmod(0o755)
    git = ("git", "-C", str(source), "-c", "user.name=a", "-c", "user.email=a@example.com")
    for command in (("init", "-q", "-b", "0.2"), ("add", "."), ("commit", "-qm", "one")):
        subprocess.run([*git, *command], check=True)
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, f"--key-id {words['KEY-ID']}"), done.stderr
    assert not key.exists()
