"""An empirical table as one file, for replay and scoring without a database; what is read is checked whole."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec

from recio.errors import BadConfig
from recio.rules.pricing.empirical import BUCKETS, COLUMNS, HORIZONS, Bucket, EmpiricalTable

FORM = "recio empirical table 2"


class _BucketBody(msgspec.Struct):
    samples: int
    worth: list[float]
    up: list[list[float]]
    down: list[list[float]]


class _Head(msgspec.Struct):
    form: str


class _TableBody(msgspec.Struct):
    form: str
    symbol: str
    digest: str
    buckets: dict[int, _BucketBody]


def write_table(table: EmpiricalTable, path: Path) -> None:
    """Gzipped JSON, the same bytes for the same table. Raises BadConfig where it cannot be written."""
    body = _TableBody(
        form=FORM,
        symbol=table.symbol,
        digest=table.digest,
        buckets={
            number: _BucketBody(
                each.samples,
                list(each.worth),
                [list(row) for row in each.up],
                [list(row) for row in each.down],
            )
            for number, each in table.buckets.items()
        },
    )
    try:
        path.write_bytes(gzip.compress(msgspec.json.encode(body), mtime=0))
    except OSError as error:
        raise BadConfig(f"{path} cannot be written: {error.strerror}") from error


def read_table(path: Path) -> EmpiricalTable:
    """Raises BadConfig for a file that is none, is damaged, or is of another form."""
    try:
        raw = gzip.decompress(path.read_bytes())
        form = msgspec.json.decode(raw, type=_Head).form
        if form != FORM:
            raise BadConfig(f"{path} has the form {form!r}, this recio reads {FORM!r}: build it again")
        body = msgspec.json.decode(raw, type=_TableBody)
    except (OSError, EOFError, msgspec.DecodeError, ValueError) as error:
        raise BadConfig(f"{path} is no empirical table: {error}") from error
    for number, each in body.buckets.items():
        _check(path, number, each)
    return EmpiricalTable(
        digest=body.digest,
        symbol=body.symbol,
        buckets={
            number: Bucket(
                samples=each.samples,
                worth=tuple(each.worth),
                up=tuple(tuple(row) for row in each.up),
                down=tuple(tuple(row) for row in each.down),
            )
            for number, each in body.buckets.items()
        },
    )


def _check(path: Path, number: int, body: _BucketBody) -> None:
    whole = all(
        len(rows) == HORIZONS
        and all(len(row) == COLUMNS and all(0 <= share <= 1 for share in row) for row in rows)
        for rows in (body.up, body.down)
    )
    whole = whole and len(body.worth) == HORIZONS and all(0 <= each <= body.samples for each in body.worth)
    if abs(number) > BUCKETS or body.samples < 0 or not whole:
        raise BadConfig(f"{path}: bucket {number} is not whole: build the table again")
