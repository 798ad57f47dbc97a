"""deploy/install.sh tells every problem before anything is done, and a dry run does nothing; tests/droplet/test_life.py installs for real."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

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
