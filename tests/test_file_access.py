"""Who can read a key: by its mode, its group's members and its access list, and never by three digits alone."""

from __future__ import annotations

import os
import pwd
import struct
from pathlib import Path

import pytest

from recio.alerting.channels import read_channels
from recio.errors import BadConfig
from recio.kalshi.key_files import read_private_key
from recio.settings import file_access
from recio.settings.file_access import ACCESS_LIST, others_with_access

OWNER, ACCOUNT, GROUP, MASK, OTHERS = 0x01, 0x02, 0x04, 0x10, 0x20
NOBODY = pwd.getpwnam("nobody").pw_uid
UNNAMED = 0xFFFF_FFFF


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.touch(mode=0o600)
    return path


def give_access_list(path: Path, *entries: tuple[int, int, int]) -> None:
    packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *each) for each in entries)
    try:
        os.setxattr(path, ACCESS_LIST, packed)
    except OSError as error:
        pytest.skip(f"this file system keeps no access lists: {error.strerror}")


def list_for(account: int, *, mask: int = 4) -> tuple[tuple[int, int, int], ...]:
    """What systemd 254 and newer give a credential that it hands to one account."""
    return (
        (OWNER, 4, UNNAMED),
        (ACCOUNT, 4, account),
        (GROUP, 0, UNNAMED),
        (MASK, mask, UNNAMED),
        (OTHERS, 0, UNNAMED),
    )


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_its_owner_alone_is_nobody_else(key: Path, mode: int):
    key.chmod(mode)
    assert others_with_access(key) == []


@pytest.mark.parametrize("mode", [0o604, 0o602])
def test_everybody_is_told(key: Path, mode: int):
    key.chmod(mode)
    assert others_with_access(key) == ["everybody"]
    with pytest.raises(BadConfig, match=r"readable by others \(everybody\); run: chmod 600"):
        read_private_key(key)


def test_a_credential_that_looks_like_0440_and_is_for_us_alone_is_taken(key: Path):
    give_access_list(key, *list_for(os.geteuid()))
    assert key.stat().st_mode & 0o777 == 0o440
    with pytest.raises(BadConfig, match="is empty"):  # so it was opened and read
        read_private_key(key)


def test_an_access_list_that_lets_another_account_in_is_refused_by_its_name(key: Path):
    give_access_list(key, *list_for(NOBODY))
    assert others_with_access(key) == ["nobody"]


def test_an_entry_that_the_mask_takes_back_lets_nobody_in(key: Path):
    give_access_list(key, *list_for(NOBODY, mask=0))
    assert others_with_access(key) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to another group")
def test_a_group_counts_by_its_members(key: Path):
    key.chmod(0o640)
    os.chown(key, 0, 0)
    assert others_with_access(key) == []  # root's own group
    os.chown(key, 0, pwd.getpwnam("daemon").pw_gid)
    assert others_with_access(key) == ["group daemon"]


def test_a_credential_that_went_with_its_unit_is_told_as_that_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(file_access, "CREDENTIALS", tmp_path)
    folder = tmp_path / "recio@two.service"
    told = r"only while recio@two\.service runs: systemctl start recio@two"
    with pytest.raises(BadConfig, match=told):
        read_private_key(folder / "kalshi.pem")
    with pytest.raises(BadConfig, match=told):
        read_channels(str(folder / "channels"))
    monkeypatch.setattr(file_access, "CREDENTIALS", tmp_path / "elsewhere")
    with pytest.raises(BadConfig, match="give the path of the private key"):
        read_private_key(folder / "kalshi.pem")
