"""What the venue told of our account survives a database that was away for a moment: it is asked for and told again."""

from __future__ import annotations

import anyio
import asyncpg
import pytest

from recio.db.connection import transaction
from recio.supervisor import HealthByTask, supervise
from recio.wires import Wires
from tests.kalshi.local_venue import local_venue
from tests.order_path import manager_on
from tests.runs import begun
from tests.tasks.test_account_comparison import LISTED_FILL, Script, reads, sync_on

WAITS = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'fills'::regclass"


@pytest.mark.timeout(90)
async def test_a_fill_whose_transaction_was_lost_is_told_again_and_recorded_once(
    pool: asyncpg.Pool[asyncpg.Record], database_dsn: str
):
    """Only trade_manager's own connection goes: nothing else starts over, so nobody else forgets what it told."""
    async with transaction(pool) as connection:
        writer = await begun(connection)
    wires, health, script = Wires(), HealthByTask(), Script(fills=[LISTED_FILL])
    stranger = await asyncpg.connect(database_dsn)
    async with local_venue(script.answer) as venue, anyio.create_task_group() as group:
        manager = manager_on(pool, wires, writer)
        sync = sync_on(pool, venue.rest(), wires)
        hold = stranger.transaction()
        await hold.start()
        await stranger.execute("LOCK TABLE fills IN EXCLUSIVE MODE")
        group.start_soon(supervise, "trade_manager", manager.run, health)
        group.start_soon(supervise, "account_sync", sync.run, health)
        with anyio.fail_after(20):
            while (pid := await stranger.fetchval(WAITS)) is None:  # noqa: ASYNC110 - the server's own state
                await anyio.sleep(0.005)
        await stranger.execute("SELECT pg_terminate_backend($1)", pid)
        with anyio.fail_after(20):
            while health.tasks["trade_manager"].restarts == 0:  # noqa: ASYNC110 - the ledger has no event
                await anyio.sleep(0.005)
        await hold.rollback()
        await reads(script, 3)
        with anyio.move_on_after(10):
            while not await stranger.fetchval("SELECT count(*) FROM fills"):  # noqa: ASYNC110 - as above
                await anyio.sleep(0.05)
        assert await stranger.fetchval("SELECT array_agg(fill_id) FROM fills") == ["t-1"]
        assert health.tasks["account_sync"].restarts == 0
        await reads(script, 2)
        assert wires.venue_facts.depth == 0, "what is recorded is not told again"
        group.cancel_scope.cancel()
    await stranger.close()
    wires.close()
