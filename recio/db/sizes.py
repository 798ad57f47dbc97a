"""How large each table is and how fast it grows, from the server's own statistics; it only reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from recio.db.connection import Connection

_SIZES = """
    SELECT c.relname AS name, pg_total_relation_size(c.oid) AS bytes,
        coalesce(s.n_tup_ins - s.n_tup_del, 0) AS net_rows
    FROM pg_class AS c LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace ORDER BY 2 DESC, 1
"""
_SINCE = """
    SELECT coalesce((SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()),
        (SELECT min(started_at) FROM runs)) AS since, clock_timestamp() AS now, pg_database_size(current_database()) AS bytes
"""
_DAY = 86_400.0
COUNT_LIMIT = 300.0
"""Host seconds that counting one table may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    name: str
    rows: int
    bytes: int
    """With its indexes and what is stored aside."""
    bytes_a_day: float | None
    """What rows added less rows removed come to; None: nothing is known yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSize:
    bytes: int
    """All of it, the catalog included."""
    since: datetime | None
    """From when on growth is counted: a crash of the server begins anew."""
    tables: tuple[TableSize, ...]
    """The largest first."""

    @property
    def bytes_a_day(self) -> float | None:
        known = [each.bytes_a_day for each in self.tables if each.bytes_a_day is not None]
        return sum(known) if known else None


async def sizes(connection: Connection) -> DatabaseSize:
    """Counts every row, which for a year of trading takes seconds."""
    whole = await connection.fetchrow(_SINCE)
    assert whole is not None
    days = None if whole["since"] is None else (whole["now"] - whole["since"]).total_seconds() / _DAY
    tables: list[TableSize] = []
    for row in await connection.fetch(_SIZES):
        rows: int = await connection.fetchval(f'SELECT count(*) FROM "{row["name"]}"', timeout=COUNT_LIMIT)
        tables.append(
            TableSize(
                name=row["name"],
                rows=rows,
                bytes=row["bytes"],
                bytes_a_day=growth(rows, row["bytes"], row["net_rows"], days),
            )
        )
    return DatabaseSize(bytes=whole["bytes"], since=whole["since"], tables=tuple(tables))


def growth(rows: int, size: int, net_rows: int, days: float | None) -> float | None:
    """Bytes a day, at the size that a row of the table has on average; less than an hour says nothing."""
    if days is None or days < 1 / 24:
        return None
    return max(net_rows, 0) / days * (size / rows if rows else 0)


def days_until_full(free: int, bytes_a_day: float | None) -> float | None:
    """None where nothing grows, or nobody knows."""
    return free / bytes_a_day if bytes_a_day else None
