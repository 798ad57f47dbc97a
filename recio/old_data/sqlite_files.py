"""Reads the tables of an old SQLite file as it stands, the log beside it included; it never writes beside or into it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from recio.old_data.packed import require_file
from recio.old_data.tables import ENGINE, BrokenSource, OldTable
from recio.scratch import scratch_folder

MAGIC = b"SQLite format 3\0"
LOCK_PATIENCE = 3.0
"""Host seconds to wait for a program that holds the file."""
CHECKED_WHOLE = 64 * 1024 * 1024
"""Bytes up to which every page of a file is checked before a row is used; a larger one shows its damage when it is read."""
BATCH = 5_000
SIBLINGS = ("_old", "_new", "_backup", "_bak", "_tmp", "_temp", "_migrated")
HALF_DONE = ("fills", "orders", "settlements", "trades", "trades_0001", "fills_0001")


@contextmanager
def opened(given: Path) -> Generator[sqlite3.Connection]:
    """One consistent view of the file. Raises BrokenSource with what was found and what to do."""
    require_file(given)
    path = given.resolve()  # the log is beside the file, not beside a link to it
    _check_header(path)
    with _readable(path) as uri:
        try:
            with closing(
                sqlite3.connect(uri, uri=True, timeout=LOCK_PATIENCE, isolation_level=None)
            ) as connection:
                connection.text_factory = _text
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
                if path.stat().st_size <= CHECKED_WHOLE:
                    _check_pages(connection)
                yield connection
        except sqlite3.Error as error:
            raise BrokenSource(_told(error)) from error


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="replace")


def _told(error: sqlite3.Error) -> str:
    said = str(error)
    if "locked" in said or "busy" in said:
        return "it is locked by a program that writes to it: wait until that has finished or stop it, then import again"
    if "malformed" in said or "corrupt" in said or "not a database" in said:
        return f"it is corrupt ({said}): restore it from a copy, or save what is readable with sqlite3 FILE .recover"
    return f"it cannot be read ({said}): check that the file and its folder are readable, then import again"


def _check_header(path: Path) -> None:
    size = path.stat().st_size
    if size == 0:
        raise BrokenSource(
            "it is empty (0 bytes): the old system never wrote to it; leave it out, or restore a copy"
        )
    with path.open("rb") as file:
        head = file.read(100)
    if not head.startswith(MAGIC):
        raise BrokenSource(
            "it is not an SQLite database: it does not begin as one; restore it from a copy, or leave it out"
        )
    if len(head) < 100:
        raise BrokenSource(f"it is truncated ({size} bytes, not even a header): restore it from a copy")
    page = int.from_bytes(head[16:18], "big")
    pages, counted = int.from_bytes(head[28:32], "big"), head[24:28] == head[92:96]
    should = pages * (65_536 if page == 1 else page)
    if counted and should > size and not _beside(path, "-wal"):
        raise BrokenSource(
            f"it is truncated ({size} of {should} bytes): copy it again, or restore it from a copy"
        )


def _check_pages(connection: sqlite3.Connection) -> None:
    said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if said != "ok":
        raise BrokenSource(
            f"it is corrupt ({str(said).splitlines()[-1]}): restore it from a copy, or save what is readable with"
            " sqlite3 FILE .recover"
        )


def _beside(path: Path, suffix: str) -> bool:
    """Whether a log of changes with something in it stands beside the file."""
    try:
        return Path(f"{path}{suffix}").stat().st_size > 0
    except OSError:
        return False


@contextmanager
def _readable(path: Path) -> Generator[str]:
    """Where to read: the file itself, or a copy with its log where reading the log would need writing beside it."""
    where = quote(str(path.absolute()))
    running = _beside(path, "-wal") and Path(f"{path}-shm").exists() and os.access(f"{path}-shm", os.R_OK)
    left_over = _beside(path, "-wal") or _left_by_crash(path)
    if left_over and not running:
        with scratch_folder("recio-import-") as folder:
            copy = folder / "copy.db"
            shutil.copyfile(path, copy)
            for suffix in ("-wal", "-journal"):
                if _beside(path, suffix):
                    shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
            yield f"file:{quote(str(copy))}"
        return
    # Written ahead without a log beside it: nobody has it open, and opening it in the usual way would make one.
    with path.open("rb") as file:
        ahead = file.read(20)[18:20] == b"\x02\x02"
    yield f"file:{where}?mode=ro" + ("&immutable=1" if ahead and not running else "")


def _left_by_crash(path: Path) -> bool:
    """A rollback journal that begins with its magic number is of a write that never ended or goes on now."""
    try:
        with Path(f"{path}-journal").open("rb") as file:
            if file.read(8) != bytes.fromhex("d9d505f920a163d7"):
                return False
    except OSError:
        return False
    probe = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=0)
    with closing(probe):
        try:
            probe.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise BrokenSource(_told(error)) from error
            return True  # only a writer may roll it back: a copy is
        except sqlite3.DatabaseError:
            return True
    return False


def tables_of(path: Path, connection: sqlite3.Connection, mode: str | None) -> list[OldTable]:
    """Every table of an opened file. Raises BrokenSource where a migration was left half done."""
    names = [
        row[0]
        for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    ]
    names = [each for each in names if not each.startswith("sqlite_")]
    _refuse_half_done(connection, names)
    return [_table(path, connection, each, mode) for each in names if not _sibling_of(each)]


def _sibling_of(name: str) -> str | None:
    for suffix in SIBLINGS:
        if name.lower().endswith(suffix) and name.lower().removesuffix(suffix) in HALF_DONE:
            return name.lower().removesuffix(suffix)
    return None


def _refuse_half_done(connection: sqlite3.Connection, names: Sequence[str]) -> None:
    lower = {each.lower(): each for each in names}
    for name in names:
        of = _sibling_of(name)
        if of is None:
            continue
        there = _count(connection, name)
        here = _count(connection, lower[of]) if of in lower else 0
        if there > here:
            raise BrokenSource(
                f"its migration was left half done: table {name} has {there} rows, {of} has {here};"
                f" finish it or rename {name} back to {of}, then import again"
            )


def _table(path: Path, connection: sqlite3.Connection, name: str, mode: str | None) -> OldTable:
    quoted = _quoted(name)
    columns = {
        str(row[1]).lower(): str(row[2]).lower() for row in connection.execute(f"PRAGMA table_info({quoted})")
    }

    def rows(since: str | None) -> Iterator[Sequence[object]]:
        chosen = ", ".join(_quoted(each) for each in columns)
        asked = f"SELECT {chosen} FROM {quoted}" + ("" if since is None else " WHERE timestamp >= ?")
        try:
            yield from _read(connection, asked, () if since is None else (since,))
        except sqlite3.Error as error:
            raise BrokenSource(_told(error)) from error

    return OldTable(
        path=str(path),
        name=name.lower(),
        columns=columns | {ENGINE: "sqlite"},
        rows=rows,
        count=lambda: _count(connection, name),
        stamp=stamp_of(path),
        mode=mode,
    )


def _read(connection: sqlite3.Connection, asked: str, given: Sequence[str]) -> Iterator[Sequence[object]]:
    """The driver's own decoding is several times faster, and ends at the first text that is no UTF-8: from there on it is ours."""
    done = 0
    connection.text_factory = str
    try:
        cursor = connection.execute(asked, given)
        while batch := cursor.fetchmany(BATCH):
            yield from batch
            done += len(batch)
        return
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
    finally:
        connection.text_factory = _text
    # One snapshot and one statement: the same rows in the same order.
    yield from islice(connection.execute(asked, given), done, None)


def _count(connection: sqlite3.Connection, name: str) -> int:
    return connection.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()[0]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def stamp_of(path: Path) -> str:
    """Of the file and of the log beside it."""
    parts: list[str] = []
    real = path.resolve()
    for each in (real, Path(f"{real}-wal")):
        if each.exists():
            state = each.stat()
            parts.append(f"{state.st_size}:{state.st_mtime_ns}")
    return " ".join(parts)
