"""What doctor says of the machine around recio, held against files as the distributions write them."""

from __future__ import annotations

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
def test_a_restart_for_an_upgrade_outside_of_the_venues_pause_is_noted(more: dict[str, str], grade: Grade):
    assert examine_host.upgrades(more).grade is grade
