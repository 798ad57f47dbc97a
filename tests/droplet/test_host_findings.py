"""What doctor says of the machine around recio, held against files as the distributions write them."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recio.commands import examine_host
from recio.commands.finding import Grade
from tests.droplet.machine import REPOSITORY


def written(root: Path, path: str, text: str) -> Path:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("memory", "swapped", "grade"),
    [(1_014_720, 0, Grade.NOTE), (1_014_720, 1_048_572, Grade.GOOD), (2_030_000, 0, Grade.GOOD)],
)
def test_a_small_machine_without_swap_is_noted(tmp_path: Path, memory: int, swapped: int, grade: Grade):
    text = f"MemTotal:        {memory} kB\nMemFree: 1 kB\nSwapTotal:       {swapped} kB\n"
    assert examine_host.swap(written(tmp_path, "proc/meminfo", text)).grade is grade


@pytest.mark.parametrize(
    ("own", "main", "grade"),
    [
        ("", "", Grade.NOTE),
        ("PasswordAuthentication no\n", "PasswordAuthentication yes\n", Grade.GOOD),
        ("", "#PasswordAuthentication no\n", Grade.NOTE),
        ("PasswordAuthentication no\n", "PermitRootLogin yes\n", Grade.NOTE),
        (
            "PasswordAuthentication=no\nPermitRootLogin no\n",
            "Match User bob\nPasswordAuthentication yes\n",
            Grade.GOOD,
        ),
    ],
)
def test_passwords_and_a_root_that_may_log_in_with_one_are_noted(
    tmp_path: Path, own: str, main: str, grade: Grade
):
    written(tmp_path, "etc/ssh/sshd_config.d/10-own.conf", own)
    (found,) = examine_host.ssh(written(tmp_path, "etc/ssh/sshd_config", main))
    assert found.grade is grade


def test_a_machine_without_sshd_or_needrestart_has_nothing_to_note(tmp_path: Path):
    assert [*examine_host.ssh(tmp_path), *examine_host.needrestart(tmp_path)] == []


def test_what_the_installer_tells_needrestart_is_understood(tmp_path: Path):
    written(
        tmp_path, "etc/needrestart/needrestart.conf", "#$nrconf{override_rc}{qr(^recio|^postgresql)} = 0;\n"
    )
    (found,) = examine_host.needrestart(tmp_path)
    assert found.grade is Grade.NOTE
    install = (REPOSITORY / "deploy/install.sh").read_text(encoding="utf-8")
    told = install.split("/etc/needrestart/conf.d/recio.conf 0644 root:root <<'END'\n")[1].split("END\n")[0]
    (found,) = examine_host.needrestart(written(tmp_path, "etc/needrestart/conf.d/recio.conf", told))
    assert found.grade is Grade.GOOD


@pytest.mark.parametrize(
    ("more", "grade"),
    [
        ({}, Grade.NOTE),
        ({"APT::Periodic::Unattended-Upgrade": "1"}, Grade.GOOD),
        (
            {"APT::Periodic::Unattended-Upgrade": "1", "Unattended-Upgrade::Automatic-Reboot": "true"},
            Grade.NOTE,
        ),
        (
            {
                "APT::Periodic::Unattended-Upgrade": "1",
                "Unattended-Upgrade::Automatic-Reboot": "true",
                "Unattended-Upgrade::Automatic-Reboot-Time": "08:45",
                "Unattended-Upgrade::Update-Days::": "Thursday",
            },
            Grade.GOOD,
        ),
    ],
)
def test_a_restart_for_an_upgrade_outside_of_the_venues_pause_is_noted(
    more: dict[str, str], grade: Grade, zone: Callable[[str], None]
):
    zone("UTC")
    assert examine_host.upgrades(more).grade is grade


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets the machine's own time, by which apt restarts it."""

    def is_in(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield is_in
    monkeypatch.undo()
    time.tzset()


def told_to_apt() -> dict[str, str]:
    """What deploy/install.sh would write on a machine in this zone."""
    install = (REPOSITORY / "deploy/install.sh").read_text(encoding="utf-8")
    settle = "settle_host() {" + install.split("\nsettle_host() {")[1].split("\n}\n")[0] + "\n}\n"
    stubs = "host=yes; wrote=no; dry=no; is_up() { false; }; put() { case $1 in *52recio) cat ;; *) cat > /dev/null ;; esac; }\n"
    script = f"set -eu\n{stubs}{settle}settle_host"
    told = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True).stdout
    found = dict(re.findall(r'^(\S+) "(.*)";$', told, re.MULTILINE))
    (days,) = re.findall(r'^Unattended-Upgrade::Update-Days \{ "(.*)"; \};$', told, re.MULTILINE)
    return found | {"Unattended-Upgrade::Update-Days::": days}


@pytest.mark.parametrize(
    ("name", "day", "at"),
    [
        ("UTC", "Thursday", "08:45"),
        ("America/New_York", "Thursday", "03:45"),
        ("Europe/Berlin", "Thursday", "09:45"),
        ("Asia/Kolkata", "Thursday", "14:15"),
        ("Pacific/Honolulu", "Wednesday", "22:45"),
    ],
)
def test_wherever_the_machine_is_it_is_restarted_in_the_venues_pause(
    name: str, day: str, at: str, zone: Callable[[str], None]
):
    zone(name)
    told = told_to_apt()
    assert told["Unattended-Upgrade::Update-Days::"] == day
    assert told["Unattended-Upgrade::Automatic-Reboot-Time"] == at
    assert examine_host.upgrades(told).grade is Grade.GOOD
    told["Unattended-Upgrade::Automatic-Reboot-Time"] = "12:30"
    assert examine_host.upgrades(told).grade is Grade.NOTE


@pytest.mark.parametrize("name", ["America/New_York", "Australia/Sydney"])
def test_a_time_that_is_of_the_pause_elsewhere_or_in_one_season_only_is_noted(
    name: str, zone: Callable[[str], None]
):
    zone("UTC")
    told = told_to_apt()
    zone(name)
    if name == "Australia/Sydney":  # the other summer: no hour of its clock is in the pause all year
        told = told_to_apt()
    assert examine_host.upgrades(told).grade is Grade.NOTE
