"""The count of rejections: how often each gate was the first to be closed, by event and strategy; written by entry only."""

from __future__ import annotations

from collections.abc import Iterable

from recio.db.connection import Connection
from recio.messages.decisions import RejectionCount

_ADD = """
    INSERT INTO rejections AS kept (event_ticker, strategy, gate, cycles, first_at, last_at, sentence)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (event_ticker, strategy, gate) DO UPDATE SET cycles = kept.cycles + excluded.cycles,
        first_at = least(kept.first_at, excluded.first_at), last_at = greatest(kept.last_at, excluded.last_at),
        sentence = excluded.sentence
"""
_EXPIRE = "DELETE FROM rejections WHERE last_at < now() - make_interval(days => $1)"


async def add(connection: Connection, strategy: str, counted: Iterable[RejectionCount]) -> None:
    await connection.executemany(
        _ADD,
        [
            (each.event, strategy, each.gate, each.cycles, each.first_at, each.last_at, each.sentence)
            for each in counted
        ],
    )


async def expire(connection: Connection, days: int) -> None:
    await connection.execute(_EXPIRE, days)
