"""Takes backups of a running database into a folder: base backups, the stream of changes, and dumps; it never touches a row.

A folder holds `base/TIME/` for each backup and `wal/` for the stream. A backup has its place only once it is whole and summed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import anyio.to_thread

from recio.db.client_programs import Client, run_client
from recio.db.encryption import encrypt
from recio.errors import BadConfig, ExitCode, Fatal, of_the_machine
from recio.scratch import scratch_folder

SUMS, FACTS, DUMP, MANIFEST = "SHA256SUMS", "backup.json", "recio.dump", "backup_manifest"
STAMP = "%Y%m%dT%H%M%SZ"
_DRAFT = ".draft-"
_CHUNK = 1 << 20
INSTEAD = "copy it here anew, or move it away: then the one before it is taken"
"""What helps whoever meets a backup that is not whole, as a download that broke off leaves one."""
SEGMENT_BYTES = 1 << 24
DUMP_GROWS = 12
"""So many times its size the rows of a dump take in a database with their indexes, at most."""


class Kind(StrEnum):
    BASE = "base"
    """Every file of the cluster: restored to any instant that the stream of changes reaches."""
    DUMP = "dump"
    """The rows of one database, restored by any PostgreSQL that is not older."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One that is whole in its place."""

    folder: Path
    kind: Kind
    database: str
    started_at: datetime
    finished_at: datetime
    """A base backup holds what was committed by then, a dump what was by its start."""
    recipients: tuple[str, ...] = ()
    """The public words of the keys that open it; empty: it is not encrypted."""

    @property
    def bytes(self) -> int:
        return sum(each.stat().st_size for each in self.folder.iterdir())


def wal_of(directory: Path) -> Path:
    return directory / "wal"


def places_in(directory: Path) -> list[Path]:
    """The folders of backups, oldest first; drafts are none. Raises BadConfig."""
    try:
        return sorted(each for each in (directory / "base").iterdir() if not each.name.startswith("."))
    except OSError as error:
        raise BadConfig(
            f"{directory} cannot be read for backups of recio ({error.strerror}): name their folder, which the account of recio may read"
        ) from error


def read_backup(folder: Path) -> Backup:
    """Raises Fatal for one without its facts, or of which nobody can tell what stream it needs."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        found = Backup(
            folder=folder,
            kind=Kind(facts["kind"]),
            database=facts["database"],
            started_at=datetime.fromisoformat(facts["started_at"]),
            finished_at=datetime.fromisoformat(facts["finished_at"]),
            recipients=tuple(facts.get("recipients", ())),
        )
    except (OSError, ValueError, KeyError) as error:
        raise Fatal(
            f"{folder} is no whole backup: its {FACTS} cannot be read; {INSTEAD}", ExitCode.DATA
        ) from error
    try:
        if found.kind is Kind.BASE:
            first_segment(found)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Fatal(f"{folder} is no whole backup: its {MANIFEST} cannot be read", ExitCode.DATA) from error
    return found


async def take(
    client: Client, directory: Path, kind: Kind, now: datetime, recipients: Sequence[str] = ()
) -> Backup:
    """One backup, whole or not there, encrypted for `recipients` if there are any. Raises Fatal or BadConfig with what went wrong."""
    try:
        with _alone(directory):
            return await _take(client, directory, kind, now, recipients)
    except OSError as error:
        raise of_the_machine(f"no backup was made in {directory}: {error.strerror}", error) from error


async def _take(
    client: Client, directory: Path, kind: Kind, now: datetime, recipients: Sequence[str]
) -> Backup:
    base = directory / "base"
    for abandoned in base.glob(f"{_DRAFT}*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    draft = base / f"{_DRAFT}{now:{STAMP}}"
    try:
        make = _base if kind is Kind.BASE else _dump
        if recipients:
            await _made_elsewhere(make, client, draft, recipients)
        else:
            await make(client, draft)
        facts = {
            "kind": kind.value,
            "recipients": list(recipients),
            "database": client.database,
            "started_at": now.isoformat(),
            "finished_at": datetime.now(UTC).isoformat(),
        }
        (draft / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        await anyio.to_thread.run_sync(_seal, draft)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    draft.rename(base / f"{now:{STAMP}}")
    _sync(base)
    return read_backup(base / f"{now:{STAMP}}")


async def _made_elsewhere(
    make: Callable[[Client, Path], Awaitable[None]], client: Client, draft: Path, recipients: Sequence[str]
) -> None:
    """The disk of the backups, which is carried away, never has a readable byte: not in a draft, nor in what was removed."""
    with scratch_folder("recio-backup-") as scratch:
        await make(client, scratch / "readable")
        await anyio.to_thread.run_sync(_close_up, scratch / "readable", draft, recipients)


def _close_up(readable: Path, draft: Path, recipients: Sequence[str]) -> None:
    """All but the manifest, which names files and sums and no row: it says what stream a backup needs, without its key."""
    draft.mkdir(mode=0o700)
    for each in sorted(readable.iterdir()):
        if each.name == MANIFEST:
            shutil.copyfile(each, draft / each.name)
        else:
            encrypt(each, draft, recipients)


async def _base(client: Client, draft: Path) -> None:
    await run_client(
        client,
        "pg_basebackup",
        *("--pgdata", str(draft), "--format=tar", "--gzip", "--wal-method=stream", "--checkpoint=fast"),
        *("--manifest-checksums=SHA256", "--no-password"),
    )


async def _dump(client: Client, draft: Path) -> None:
    draft.mkdir(mode=0o700)  # noqa: ASYNC240 - one folder, beside hours of a dump
    await run_client(
        client, "pg_dump", "--format=custom", "--no-password", "--file", str(draft / DUMP), "--serializable-deferrable"
    )  # fmt: skip


def _seal(draft: Path) -> None:
    lines = [f"{_sum(each)}  {each.name}\n" for each in sorted(draft.iterdir())]
    (draft / SUMS).write_text("".join(lines), encoding="utf-8")
    for each in draft.iterdir():
        each.chmod(0o600)
        _sync(each)
    _sync(draft)


def _sum(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def check_sums(backup: Backup) -> None:
    """Raises Fatal naming the first file that is not as it was written."""
    try:
        lines = (backup.folder / SUMS).read_text(encoding="utf-8").splitlines()
        for wanted, _, name in (line.partition("  ") for line in lines):
            if not (backup.folder / name).exists():
                raise Fatal(
                    f"the backup {backup.folder} is damaged: {name} is gone; {INSTEAD}", ExitCode.DATA
                )
            if _sum(backup.folder / name) != wanted:
                raise Fatal(
                    f"the backup {backup.folder} is damaged: {name} has changed; {INSTEAD}", ExitCode.DATA
                )
    except OSError as error:
        raise Fatal(f"the backup {backup.folder} cannot be read: {error.strerror}", ExitCode.DATA) from error


@contextmanager
def _alone(directory: Path) -> Generator[None]:
    """Two that back up into one folder would remove each other's drafts. Raises Fatal."""
    (directory / "base").mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Fatal(f"another backup into {directory} is under way", ExitCode.TEMPORARY) from error
    finally:
        os.close(descriptor)


def expire(directory: Path, now: datetime, *, keep: int, days: int) -> list[Backup]:
    """Remove what is older than `days`, and the stream that only it needs, but leave `keep` backups; returns what went.

    One that is damaged is neither removed nor in the place of one that is kept.
    """
    found: list[Backup] = []
    for place in places_in(directory):
        with suppress(Fatal):
            found.append(read_backup(place))
    old = [
        each for each in found[: max(len(found) - keep, 0)] if each.finished_at < now - timedelta(days=days)
    ]
    for each in old:
        # A draft at once: of one that is half removed nobody must think that it is damaged.
        shutil.rmtree(each.folder.rename(each.folder.with_name(f"{_DRAFT}{each.folder.name}")))
    bases = [each for each in found if each not in old and each.kind is Kind.BASE]
    if bases:
        first = first_segment(bases[0])
        for segment in wal_of(directory).glob("[0-9A-F]*"):
            if len(segment.name) == len(first) and segment.name[8:] < first[8:]:
                segment.unlink()
    return old


def first_segment(backup: Backup) -> str:
    """The name of the first file of the stream that a base backup needs."""
    return _segment(backup, "Start-LSN")


def last_segment(backup: Backup) -> str:
    """The name of the last file of changes that a base backup brings itself."""
    return _segment(backup, "End-LSN")


def _segment(backup: Backup, place: str) -> str:
    return segment_in((backup.folder / MANIFEST).read_text(encoding="utf-8"), place)


def segment_in(manifest: str, place: str) -> str:
    """Raises ValueError, LookupError or TypeError for what is no manifest."""
    span = json.loads(manifest)["WAL-Ranges"][0]
    high, low = (int(part, 16) for part in span[place].split("/"))
    return f"{span['Timeline']:08X}{high:08X}{low // SEGMENT_BYTES:08X}"


def stream_in(wal: Path | None) -> list[Path]:
    """The files of the stream, oldest first; the last may be unfinished."""
    return sorted(wal.glob("[0-9A-F]*")) if wal is not None and wal.is_dir() else []


def segment_number(name: str) -> int:
    """Counted from the first of a timeline."""
    return int(name[8:16], 16) * (0x1_0000_0000 // SEGMENT_BYTES) + int(name[16:24], 16)


def restored_bytes(backup: Backup) -> int:
    """About how much room a backup takes once it is restored. Raises Fatal for a manifest that cannot be read."""
    opened = backup.bytes if backup.recipients else 0
    if backup.kind is Kind.DUMP:
        return opened + backup.bytes * DUMP_GROWS
    try:
        files = json.loads((backup.folder / MANIFEST).read_text(encoding="utf-8"))["Files"]
        return opened + sum(each["Size"] for each in files) + 2 * SEGMENT_BYTES
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Fatal(f"{backup.folder} is damaged: its {MANIFEST} cannot be read", ExitCode.DATA) from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
