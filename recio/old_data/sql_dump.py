"""Reads a plain PostgreSQL dump line by line: COPY blocks and INSERT statements; it executes nothing of it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from recio.old_data.packed import UNREADABLE, head_of, opened
from recio.old_data.sqlite_files import stamp_of
from recio.old_data.tables import ENGINE, BrokenSource

OWN_FORMATS = (b"PGDMP", b"toc.dat")
"""How dumps begin that are no text: of pg_dump's custom format, and of its tar."""
_CREATE = re.compile(r'^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?([\w."]+)\s*(\()?', re.IGNORECASE)
_COPY = re.compile(r'^COPY ([\w."]+)\s*(?:\((.*?)\))?\s+FROM stdin', re.IGNORECASE)
_INSERT = re.compile(
    r'^INSERT INTO ([\w."]+)\s*(?:\((.*?)\))?\s*(?:OVERRIDING \w+ VALUE\s*)?VALUES\s*', re.IGNORECASE
)
_COLUMN = re.compile(r'^\s*"?(\w+)"?\s+([\w ]+)')
NO_COLUMNS = {"constraint", "primary", "unique", "check", "foreign", "exclude", "like"}
_ESCAPED = re.compile(r"\\(.)")
_MEANS = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "\\": "\\"}
_VALUE = re.compile(
    r"\s*(?:[Ee]'((?:[^'\\]|\\.|'')*)'|'((?:[^']|'')*)'|([^\s,()']+))\s*(?:::[\w ]+(?:\(\d+(?:,\d+)?\))?)?\s*([,)])"
)
_BODY = re.compile(rb"\$\w*\$")
"""Before and behind the text of a function, whose statements are no rows of the dump."""
_OF_ANOTHER_FORMAT = re.compile(r"\b(?:csv|binary|delimiters?|null|quote|escape)\b", re.IGNORECASE)
_HAS_ROWS = re.compile(r";\s*(?:insert\s+into|copy)\b", re.IGNORECASE)
_HEAD_LINES = 500
"""Lines that the head of one statement may take, its columns among them."""
Wanted = Callable[[str, dict[str, str]], bool]
"""Whether the rows of this table with these columns are needed."""
END = b"\\.\n"
OF_SQLITE = (b"PRAGMA foreign_keys=", b"BEGIN TRANSACTION;")
"""How every text of SQLite's .dump begins. pg_dump writes neither."""


@dataclass(slots=True)
class Block:
    """The rows of one table that stand together, to be read before the next block is asked for."""

    table: str
    columns: dict[str, str]
    values: Iterator[Sequence[object]]


@dataclass(slots=True)
class Dump:
    """One pass over the file."""

    path: Path
    declared: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    began: bool = False
    finished: bool = False

    @property
    def stamp(self) -> str:
        return stamp_of(self.path)

    def blocks(self, wanted: Wanted) -> Iterator[Block]:
        """Every block; the rows of tables that are not `wanted` are passed over quickly. Raises BrokenSource."""
        try:
            with opened(self.path) as file:
                yield from self._blocks(file, wanted)
        except UNREADABLE as error:
            raise BrokenSource(
                f"the dump cannot be read to its end ({error}): copy or make it again"
            ) from error

    def _blocks(self, file: IO[bytes], wanted: Wanted) -> Iterator[Block]:
        for raw in file:
            if not self.declared and raw.startswith(OF_SQLITE):
                raise BrokenSource(
                    "it is a .dump of SQLite, whose text says less than its file: give the .db file that it was made of,"
                    " or make one of it with sqlite3 NEW.db < FILE"
                )
            begin = raw.lstrip()[:12].upper()
            if begin.startswith(b"COPY "):
                yield from self._copy(file, raw, wanted)
            elif begin.startswith(b"INSERT INTO"):
                yield from self._inserted(file, raw, wanted)
            elif begin.startswith(b"--"):
                self._note(raw)
            elif (body := _BODY.search(raw)) and raw.count(body[0]) % 2:
                _pass_by(file, body[0])
            elif begin.startswith(b"CREATE"):
                self._declare(file, raw.decode("utf-8", "replace").lstrip())
        if self.began and not self.finished:
            raise BrokenSource(
                "the dump lacks its last line (PostgreSQL database dump complete): it is truncated; make it again"
            )

    def _note(self, comment: bytes) -> None:
        """A dump of a whole server holds several, each with its first and its last line."""
        if b"PostgreSQL database dump complete" in comment:
            self.finished = True
        elif b"PostgreSQL database dump" in comment:
            self.began, self.finished = True, False

    def _copy(self, file: IO[bytes], raw: bytes, wanted: Wanted) -> Iterator[Block]:
        text, found = _head(file, raw, _COPY)
        if _OF_ANOTHER_FORMAT.search(text, found.end()):
            raise BrokenSource(
                f"its COPY of {found[1]} is not in the format of pg_dump: dump it with pg_dump --file=dump.sql"
            )
        table = _name(found[1])
        columns = self._columns(table, found[2])
        values = _copied(file, table, skip=not wanted(table, columns))
        yield Block(table, columns, values)
        deque(values, maxlen=0)  # whatever was not asked for

    def _inserted(self, file: IO[bytes], raw: bytes, wanted: Wanted) -> Iterator[Block]:
        text, found = _head(file, raw, _INSERT)
        table = _name(found[1])
        columns = self._columns(table, found[2])
        pieces = _pieces(file, found[1], text[found.end() :])
        rows = (row for piece in pieces for row in _tuples(piece)) if wanted(table, columns) else iter(())
        yield Block(table, columns, rows)
        deque(rows, maxlen=0)
        deque(pieces, maxlen=0)  # whatever was not asked for

    def _columns(self, table: str, written: str | None) -> dict[str, str]:
        declared = self.declared.get(table, {})
        if written is None:
            return dict(declared) | {ENGINE: "postgresql"}
        names = [each.strip().strip('"').lower() for each in written.split(",")]
        return {each: declared.get(each, "") for each in names} | {ENGINE: "postgresql"}

    def _declare(self, file: IO[bytes], text: str) -> None:
        found = _CREATE.match(text)
        if found is not None and not found[2] and not text[found.end() :].strip():
            text = f"{text.rstrip()} {file.readline().decode('utf-8', 'replace').lstrip()}"
            found = _CREATE.match(text)
        if found is None or not found[2]:
            return
        columns: dict[str, str] = {}
        rest = text[found.end() :]
        lines = [rest] if rest.strip() else []
        while not (lines and lines[-1].rstrip().endswith(";")):
            raw = file.readline()
            if not raw:
                raise BrokenSource(
                    f"the dump ends within CREATE TABLE {found[1]}: it is truncated; make it again"
                )
            lines.append(raw.decode("utf-8", "replace"))
        for each in _declarations(" ".join(lines)):
            column = _COLUMN.match(each)
            if column and column[1].lower() not in NO_COLUMNS:
                columns[column[1].lower()] = column[2].strip().lower()
        self.declared[_name(found[1])] = columns


def is_dump(path: Path) -> bool:
    """Whether a file reads like SQL. Raises BrokenSource for a dump in pg_dump's own formats."""
    if head_of(path, max(map(len, OWN_FORMATS))).startswith(OWN_FORMATS):
        raise BrokenSource(
            "it is a dump in pg_dump's custom format, or its tar: turn it into plain SQL with pg_restore --file=dump.sql FILE"
        )
    return path.name.lower().endswith((".sql", ".sql.gz", ".dump", ".pgsql"))


def _head(file: IO[bytes], raw: bytes, pattern: re.Pattern[str]) -> tuple[str, re.Match[str]]:
    """The lines of a statement up to its rows, as one. What is not understood holds rows that would be missing: raises BrokenSource."""
    text = raw.decode("utf-8", "replace").lstrip()
    for _ in range(_HEAD_LINES):
        if found := pattern.match(text):
            return text, found
        if text.rstrip().endswith(";") or not (more := file.readline()):
            break
        text = f"{text.rstrip()} {more.decode('utf-8', 'replace').lstrip()}"
    raise BrokenSource(
        f"a statement of it has no rows that can be read: {text[:60]!r}; dump it with pg_dump --file=dump.sql"
    )


def _pass_by(file: IO[bytes], end: bytes) -> None:
    for raw in file:
        if end in raw:
            return
    raise BrokenSource("the dump ends within a function: it is truncated; make it again")


def _name(written: str) -> str:
    """users.trades_0001, without quotes; public is left out."""
    return written.replace('"', "").lower().removeprefix("public.")


def _declarations(text: str) -> Iterator[str]:
    """The parts between the commas that no bracket encloses."""
    depth, part = 0, ""
    for letter in text:
        if letter == "," and depth == 0:
            yield part
            part = ""
            continue
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            break
        part += letter
    yield part


def _copied(file: IO[bytes], table: str, *, skip: bool) -> Iterator[Sequence[object]]:
    for raw in file:
        if raw == END or raw.rstrip(b"\r\n") == b"\\.":
            return
        if not skip:
            text = raw.decode("utf-8", "replace").rstrip("\r\n")
            cells = text.split("\t")
            yield [_unescaped(each) if "\\" in each else each for each in cells] if "\\" in text else cells
    raise BrokenSource(f"the dump ends within the rows of {table}: it is truncated; make it again")


def _unescaped(text: str) -> str | None:
    if text == "\\N":
        return None
    return _ESCAPED.sub(lambda found: _MEANS.get(found[1], found[1]), text)


def _pieces(file: IO[bytes], table: str, text: str) -> Iterator[str]:
    """A VALUES list in pieces of whole rows, so that one of a hundred thousand rows costs no more than its longest."""
    lines, inside = [text], text.count("'") % 2
    while True:
        end = lines[-1].rstrip()
        if not inside and end.endswith((";", "),")):
            yield "".join(lines)
            if end.endswith(";"):
                return
            lines.clear()
        more = file.readline()
        if not more:
            raise BrokenSource(f"the dump ends within an INSERT INTO {table}: it is truncated; make it again")
        lines.append(more.decode("utf-8", "replace"))
        inside = (inside + lines[-1].count("'")) % 2


def _tuples(text: str) -> list[list[str | None]]:
    """The rows of a VALUES list."""
    rows: list[list[str | None]] = []
    at = 0
    while (start := text.find("(", at)) >= 0:
        if text[at:start].strip() not in ("", ","):
            _refuse_another(text[at:])
            break  # ON CONFLICT (...), or RETURNING
        row: list[str | None] = []
        at = start + 1
        while found := _VALUE.match(text, at):
            escaped, quoted, plain, mark = found.groups()
            at = found.end()
            quoted = _unescaped(escaped) if escaped is not None else quoted
            row.append(quoted.replace("''", "'") if quoted is not None else _plain(plain))
            if mark == ")":
                break
        else:
            raise BrokenSource(
                f"a row of an INSERT cannot be read: {text[start : start + 60]!r}; dump it with COPY"
            )
        rows.append(row)
    return rows


def _refuse_another(rest: str) -> None:
    """Rows of a second statement on the line may be of another table. Raises BrokenSource."""
    if rest.lstrip().startswith(";") and _HAS_ROWS.search(rest):
        raise BrokenSource(
            f"two statements stand on one line of it: {rest.lstrip(' ;')[:60]!r}; dump it with pg_dump --file=dump.sql"
        )


def _plain(text: str) -> str | None:
    return None if text.upper() == "NULL" else text
