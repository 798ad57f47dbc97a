"""`recio db size`: what it says of growth and of the disk follows from what was written."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest

from recio.db.sizes import days_until_full, growth, sizes
from tests.db.breaches import GOOD


async def test_every_table_is_counted_with_its_bytes_and_growth_from_the_first_run_on(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO runs (version, pid, started_at) VALUES ('0', 1, clock_timestamp() - interval '10 days')"
        )
        await connection.execute(
            "INSERT INTO price_seconds SELECT 'BTC', second, 1 FROM generate_series(1, 10000) AS second"
        )
        await connection.execute("SELECT pg_stat_force_next_flush()")
        found = await sizes(connection)
    by_name = {each.name: each for each in found.tables}
    assert by_name.keys() == GOOD.keys()
    prices = by_name["price_seconds"]
    assert (prices.rows, prices.bytes > 500_000) == (10_000, True)
    assert prices.bytes_a_day == pytest.approx(prices.bytes / 10, rel=0.01)
    assert found.since is not None
    assert [each.bytes for each in found.tables] == sorted(
        (each.bytes for each in found.tables), reverse=True
    )


def test_growth_is_rows_a_day_at_their_average_size_and_nothing_is_said_of_the_first_hour():
    assert growth(1_000, 100_000, 500, 5.0) == 10_000
    assert growth(1_000, 100_000, -500, 5.0) == 0
    assert growth(0, 8_192, 0, 5.0) == 0
    assert growth(1_000, 100_000, 500, timedelta(minutes=59) / timedelta(days=1)) is None


def test_a_disk_is_full_when_what_is_free_is_used_up_and_never_where_nothing_grows():
    assert days_until_full(1_000_000, 10_000.0) == 100
    assert days_until_full(1_000_000, 0.0) is None
    assert days_until_full(1_000_000, None) is None
