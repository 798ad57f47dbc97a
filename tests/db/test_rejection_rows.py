"""The count of rejections's rows add up over several writings, and old ones go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg

from recio.db import rejections
from recio.db.connection import transaction
from recio.messages.decisions import RejectionCount
from tests.builders import EVENT


async def test_counts_add_up_and_old_ones_are_removed(pool: asyncpg.Pool[asyncpg.Record]):
    now = datetime.now(UTC)

    def counted(cycles: int, at: datetime, gate: str = "edge") -> RejectionCount:
        return RejectionCount(
            event=EVENT, gate=gate, cycles=cycles, first_at=at, last_at=at, sentence=f"after {cycles}"
        )

    async with transaction(pool) as connection:
        await rejections.add(
            connection, "average", [counted(2, now), counted(1, now - timedelta(days=31), "book")]
        )
        await rejections.add(connection, "average", [counted(3, now + timedelta(seconds=9))])
        await rejections.expire(connection, 30)
    rows = await pool.fetch("SELECT gate, cycles, first_at, last_at, sentence FROM rejections")
    assert [tuple(row) for row in rows] == [("edge", 5, now, now + timedelta(seconds=9), "after 3")]
