"""What a halt says of its daemon comes from its daemon, whoever else answers at the port."""

from __future__ import annotations

from typing import TypeAlias

import anyio
import asyncpg
import pytest
from aiohttp import web

from recio.commands.halt_proof import Watched, follow
from recio.daemon.database import ACCOUNT_LOCK
from recio.db.connection import transaction
from recio.db.identity import claim
from recio.db.pool import advisory_lock
from recio.messages.controls import HaltLevel

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
CAUSE = "halted by command"


@pytest.mark.parametrize(
    ("account", "said"),
    [("99999999", "a daemon runs, its page is not at"), ("01234567", "the daemon stopped new orders")],
)
async def test_another_accounts_page_that_shows_the_same_halt_is_no_witness(
    pool: Pool, database_dsn: str, capsys: pytest.CaptureFixture[str], account: str, said: str
):
    async def told(_request: web.Request) -> web.Response:
        return web.json_response({"account": account, "halts": [{"cause": CAUSE}]})

    async with transaction(pool) as connection:
        await claim(connection, "demo", "sim", "0123456789ab")
    app = web.Application()
    app.router.add_get("/status", told)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    watched = Watched(pool=pool, level=HaltLevel.HALT, cause=CAUSE, port=port, before={})
    shown = ""
    async with advisory_lock(database_dsn, ACCOUNT_LOCK), anyio.create_task_group() as group:
        group.start_soon(follow, watched)
        with anyio.fail_after(10):
            while not shown:
                await anyio.sleep(0.02)
                shown = capsys.readouterr().out
        group.cancel_scope.cancel()
    await runner.cleanup()
    assert said in shown
