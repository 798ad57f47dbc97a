"""Where the embedded server's cluster, socket and programs lie, and as whom it runs; it starts nothing."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from recio.db.postgres_programs import installed_binaries
from recio.errors import BadConfig

ACCOUNTS = ("recio", "postgres", "nobody")
"""Whom the server runs as when recio runs as root, in order of preference."""
SHARED_HOME = Path("/var/lib/recio")
POINTER = "postgres-is-in"
LONGEST_SOCKET_DIR = 107 - len("/.s.PGSQL.5432")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An unprivileged account of this machine."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    data_dir: Path
    socket_dir: Path
    binaries: Path
    account: Account | None
    """None: as whoever runs recio."""


def place(root: Path) -> Place:
    """Decide where everything of `root` lies, making directories as needed. Raises BadConfig, OSError."""
    root = root.absolute()
    make_private(root)
    binaries = installed_binaries()
    home, account = _pointed_home(root) or root, None
    if os.geteuid() == 0:
        account = _account(home)
        if not _reachable(home, account):
            home = _home_elsewhere(root)
        if not _reachable(binaries, account):
            binaries = _copy_binaries(binaries)
    return Place(
        data_dir=home / "postgres", socket_dir=_socket_dir(home, account), binaries=binaries, account=account
    )


def make_private(path: Path) -> None:
    """Make a directory whose files are its owner's; where root makes it, the server's account may pass through, whatever the umask."""
    if not path.exists():
        path.mkdir(parents=True, exist_ok=True)  # another recio may begin at this moment
        path.chmod(0o711 if os.geteuid() == 0 else 0o700)


def has_cluster(root: Path) -> bool:
    """Whether there is a cluster of this root, here or where it was put. Raises BadConfig, PermissionError; makes nothing."""
    home = _pointed_home(root.absolute()) or root.absolute()
    return (home / "postgres" / "PG_VERSION").exists()


def disks_of(root: Path) -> tuple[Path, ...]:
    """The folders whose disks the database of this root fills."""
    pointer = root / POINTER
    if not pointer.exists():
        return (root,)
    return (root, Path(pointer.read_text(encoding="utf-8").strip()))


def _pointed_home(root: Path) -> Path | None:
    """Where this root's cluster was put before, even if the root was moved or opened up since.

    Without it a moved root would silently begin with an empty database. Raises BadConfig.
    """
    pointer = root / POINTER
    if not pointer.exists():
        return None
    home = Path(pointer.read_text(encoding="utf-8").strip())
    ours = pointer.lstat().st_uid == 0 and home.parent in _shared_homes()
    if os.geteuid() != 0 or not ours or not home.exists():
        raise BadConfig(
            f"{pointer} says that the database of {root} is in {home}, which cannot be used from here:"
            " run recio as root, bring that directory back, or remove the file to begin an empty database"
        )
    return home


def _home_elsewhere(root: Path) -> Path:
    home = _shared_home() / hashlib.sha256(str(root).encode()).hexdigest()[:16]
    make_private(home)
    (root / POINTER).write_text(f"{home}\n", encoding="utf-8")
    return home


def _account(home: Path) -> Account:
    """Whoever owns the cluster already, else the first unprivileged account that exists."""
    existing = home / "postgres" / "PG_VERSION"
    if existing.exists() and existing.stat().st_uid != 0:
        owner = existing.stat()
        return Account(uid=owner.st_uid, gid=owner.st_gid)
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid)
    raise BadConfig(
        f"PostgreSQL refuses to run as root and none of the accounts {', '.join(ACCOUNTS)} exists:"
        " run recio as an ordinary user, or set database.dsn"
    )


def _reachable(path: Path, account: Account) -> bool:
    """Whether the account may enter this directory, judged by modes of it and all its parents."""
    return all(_may_enter(each, account) for each in (path, *path.parents))


def _may_enter(path: Path, account: Account) -> bool:
    status = path.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _shared_homes() -> tuple[Path, Path]:
    return SHARED_HOME, Path(tempfile.gettempdir()) / "recio-root"


def _shared_home() -> Path:
    """A place of root's own that every account can pass through."""
    for place in _shared_homes():
        try:
            make_private(place)
        except OSError:
            continue
        if not place.is_symlink() and place.stat().st_uid == 0:
            return place
    raise BadConfig(f"neither {SHARED_HOME} nor the temporary directory can hold the embedded database")


def _copy_binaries(binaries: Path) -> Path:
    """Copy the programs once to where the account can run them, keeping the layout they load libraries by."""
    package = binaries.parent
    target = _shared_home() / f"postgresql-{version(package.name.replace('_', '-'))}"
    if not target.exists():
        draft = Path(tempfile.mkdtemp(prefix="copying-", dir=target.parent))
        for folder in (draft, draft / package.name):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        shutil.copytree(binaries, draft / package.name / "pginstall", symlinks=True)
        libraries = package.parent / f"{package.name}.libs"
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        try:
            draft.rename(target)
        except OSError:  # another recio was faster
            shutil.rmtree(draft)
    return target / package.name / "pginstall"


def _socket_dir(home: Path, account: Account | None) -> Path:
    """A directory that only the server's account may enter, short enough for a socket's path."""
    directory = home / "run"
    # PostgreSQL and asyncpg both take a comma for the end of a name.
    if len(str(directory).encode()) > LONGEST_SOCKET_DIR or "," in str(directory):
        digest = hashlib.sha256(str(home).encode()).hexdigest()[:16]
        directory = Path(tempfile.gettempdir()) / f"recio-{digest}"
    directory.mkdir(mode=0o700, exist_ok=True)
    owner = account.uid if account else os.geteuid()
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (owner, os.geteuid()):
        raise BadConfig(f"{directory} belongs to another user; remove it")
    if account is not None:
        os.chown(directory, account.uid, account.gid)
    directory.chmod(0o700)
    return directory


def least_free(folders: tuple[Path, ...]) -> int | None:
    """Free bytes of the fullest of these disks; None if none can be asked."""
    free: list[int] = []
    for folder in folders:
        try:
            free.append(shutil.disk_usage(folder).free)
        except OSError:
            continue
    return min(free, default=None)
