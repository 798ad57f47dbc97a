"""Reads one CSV export: a header and rows; it takes a file that ends within a row for truncated."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from recio.old_data.packed import UNREADABLE, opened
from recio.old_data.sqlite_files import stamp_of
from recio.old_data.tables import ENGINE, BrokenSource, OldTable, Stranger

DELIMITERS = ",;\t|"
LONGEST_FIELD = 4 * 1024 * 1024
csv.field_size_limit(LONGEST_FIELD)


def table_of(path: Path, mode: str | None, name: str = "", shown: str = "") -> OldTable:
    """The one table of the file, named after it. Raises BrokenSource, and Stranger where it has no header."""
    header, delimiter = _header(path)
    last = "\n"

    def lines_of(file: IO[str]) -> Iterator[str]:
        nonlocal last
        for line in file:
            last = line
            yield line

    def rows(_since: str | None) -> Iterator[Sequence[object]]:
        try:
            with _opened(path) as file:
                lines = csv.reader(lines_of(file), strict=True, delimiter=delimiter)
                next(lines)
                for number, row in enumerate(lines, 2):
                    if not "".join(row).strip() and len(row) < 2:
                        continue
                    if len(row) != len(header):
                        raise BrokenSource(
                            f"row {number} has {len(row)} values, the header {len(header)}: the file is truncated or was"
                            " edited; export it again"
                        )
                    yield row
        except (csv.Error, *UNREADABLE) as error:
            raise BrokenSource(f"it cannot be read to its end ({error}): export it again") from error

    return OldTable(
        path=shown or str(path),
        name=(name or path.name.split(".")[0]).lower(),
        columns=dict.fromkeys(header, "") | {ENGINE: "csv"},
        rows=rows,
        count=lambda: None,
        stamp=stamp_of(path),
        mode=mode,
        ended=lambda: last.endswith(("\n", "\r")),
    )


def _header(path: Path) -> tuple[list[str], str]:
    """(lower-case names, what stands between them): the character that parts the first line into the most names."""
    try:
        with _opened(path) as file:
            line = file.readline(LONGEST_FIELD)
        parted = {each: next(csv.reader([line], delimiter=each), list[str]()) for each in DELIMITERS}
    except (csv.Error, *UNREADABLE) as error:
        raise BrokenSource(f"it is not a CSV export ({error}): leave it out") from error
    delimiter = max(DELIMITERS, key=lambda each: len(parted[each]))
    names = [each.strip().lower() for each in parted[delimiter]]
    if len(names) < 2 or len(set(names)) != len(names):
        raise Stranger(
            "its first line is not a header of column names: export it with one (COPY ... CSV HEADER)"
        )
    return names, delimiter


def _opened(path: Path) -> IO[str]:
    return io.TextIOWrapper(opened(path), encoding="utf-8-sig", errors="replace", newline="")
