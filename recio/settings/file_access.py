"""Who but its owner, root and ourselves can read or change a file, by its mode and access list; it opens no file.

Three digits do not say it: systemd 254 and newer hand a credential over on a file that looks like 0440 and that
one account alone can read, because the middle digit of a file with an access list is a mask and no group.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
import struct
from enum import IntEnum
from pathlib import Path

ACCESS_LIST = "system.posix_acl_access"
_HEADER = struct.Struct("<I")
_ENTRY = struct.Struct("<HHI")
"""Kind, permissions, account or group: the form in which Linux keeps an access list beside a file."""
_VERSION = 2
_READ_OR_WRITE = 6
CREDENTIALS = Path("/run/credentials")
"""Where systemd puts what LoadCredential names, in a folder with the unit's name, and from where it takes it at the unit's end."""
_ABSENT = (errno.ENODATA, errno.ENOTSUP)


class _Kind(IntEnum):
    USER = 0x02
    OWNING_GROUP = 0x04
    GROUP = 0x08
    MASK = 0x10
    OTHERS = 0x20


def gone_with_its_unit(path: Path) -> str:
    """What to do about a file that is away because its unit does not run; empty for any other."""
    if not path.is_relative_to(CREDENTIALS) or path.exists():
        return ""
    return f"it is there only while {path.parent.name} runs: systemctl start {path.parent.name}"


def others_with_access(path: Path) -> list[str]:
    """Accounts, groups and "everybody" that can read or write it beside its owner, root and us. Raises OSError."""
    status = path.stat()
    entries = _access_list(path) or _of_mode(status)
    mask = next((permissions for kind, permissions, _ in entries if kind == _Kind.MASK), 7)
    found: set[str] = set()
    for kind, permissions, number in entries:
        granted = permissions if kind == _Kind.OTHERS else permissions & mask
        if granted & _READ_OR_WRITE:
            found.update(_named(kind, number, status))
    return sorted(found)


def _named(kind: int, number: int, status: os.stat_result) -> list[str]:
    """Whom this entry lets in, if anybody else."""
    match kind:
        case _Kind.USER if number not in (0, os.geteuid(), status.st_uid):
            return [_account(number)]
        case _Kind.OWNING_GROUP:
            return _others_in(status.st_gid, status.st_uid)
        case _Kind.GROUP:
            return _others_in(number, status.st_uid)
        case _Kind.OTHERS:
            return ["everybody"]
        case _:
            return []


def _access_list(path: Path) -> list[tuple[int, int, int]]:
    """Empty where the file has none, or the system knows none."""
    if not hasattr(os, "getxattr"):
        return []
    try:
        raw = os.getxattr(path, ACCESS_LIST)
    except OSError as error:
        if error.errno in _ABSENT:
            return []
        raise
    if _HEADER.unpack_from(raw)[0] != _VERSION:
        raise OSError(errno.EINVAL, "its access list has a form that recio does not know")
    return list(_ENTRY.iter_unpack(raw[_HEADER.size :]))


def _of_mode(status: os.stat_result) -> list[tuple[int, int, int]]:
    mode = stat.S_IMODE(status.st_mode)
    return [(_Kind.OWNING_GROUP, mode >> 3 & 7, 0), (_Kind.OTHERS, mode & 7, 0)]


def _others_in(group: int, owner: int) -> list[str]:
    """A group of nobody but the owner, root and us is nobody else."""
    try:
        entry = grp.getgrgid(group)
    except KeyError:
        return [f"group {group}"]
    numbers = {each.pw_uid for each in pwd.getpwall() if each.pw_gid == group or each.pw_name in entry.gr_mem}
    return [f"group {entry.gr_name}"] if numbers - {0, os.geteuid(), owner} else []


def _account(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"account {number}"
