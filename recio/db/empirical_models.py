"""Empirical models: written once by `recio model build`, never changed; the newest of a symbol is the one in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

from recio.db.connection import Connection
from recio.rules.pricing.empirical import COLUMNS, Bucket, EmpiricalTable, Rows

_KNOWN = "SELECT model_id FROM empirical_models WHERE digest = $1"
_MODEL = """
    INSERT INTO empirical_models (symbol, digest, candles_from, candles_to, minutes, parameters)
    VALUES ($1, $2, $3, $4, $5, $6) RETURNING model_id
"""
_BUCKET = "INSERT INTO empirical_buckets (model_id, bucket, samples, worth, up, down) VALUES ($1, $2, $3, $4, $5, $6)"
_LIST = """
    SELECT model_id, symbol, digest, built_at, candles_from, candles_to, minutes FROM empirical_models ORDER BY model_id
"""
_NEWEST = "SELECT model_id, digest FROM empirical_models WHERE symbol = $1 ORDER BY model_id DESC LIMIT 1"
_BUCKETS = (
    "SELECT bucket, samples, worth, up, down FROM empirical_buckets WHERE model_id = $1 ORDER BY bucket"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One model as it is kept."""

    model_id: int
    symbol: str
    digest: str
    built_at: datetime
    candles_from: datetime
    candles_to: datetime
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    first_minute: int
    """Unix minutes."""
    last_minute: int
    minutes: int
    parameters: dict[str, float]


async def add(connection: Connection, table: EmpiricalTable, made_of: Provenance) -> tuple[int, bool]:
    """(number of the model, whether it is new): the same candles and parameters are kept once."""
    known: int | None = await connection.fetchval(_KNOWN, table.digest)
    if known is not None:
        return known, False
    model_id: int = await connection.fetchval(
        _MODEL,
        table.symbol,
        table.digest,
        datetime.fromtimestamp(made_of.first_minute * 60, UTC),
        datetime.fromtimestamp(made_of.last_minute * 60, UTC),
        made_of.minutes,
        made_of.parameters,
    )
    await connection.executemany(
        _BUCKET,
        [
            (
                model_id,
                number,
                bucket.samples,
                list(bucket.worth),
                list(chain(*bucket.up)),
                list(chain(*bucket.down)),
            )
            for number, bucket in table.buckets.items()
        ],
    )
    return model_id, True


async def versions(connection: Connection) -> tuple[Version, ...]:
    """Every model, oldest first."""
    return tuple(Version(**dict(row)) for row in await connection.fetch(_LIST))


async def newest(connection: Connection, symbol: str) -> EmpiricalTable | None:
    """The table in use for a symbol; None if none was ever built."""
    row = await connection.fetchrow(_NEWEST, symbol)
    if row is None:
        return None
    buckets = {
        each["bucket"]: Bucket(
            samples=each["samples"],
            worth=tuple(each["worth"]),
            up=_rows(each["up"]),
            down=_rows(each["down"]),
        )
        for each in await connection.fetch(_BUCKETS, row["model_id"])
    }
    return EmpiricalTable(digest=row["digest"], symbol=symbol, buckets=buckets)


def _rows(flat: Sequence[float]) -> Rows:
    return tuple(tuple(flat[start : start + COLUMNS]) for start in range(0, len(flat), COLUMNS))
