"""What a halt says of its daemon comes from its daemon, whoever else answers at the port."""

from __future__ import annotations

from typing import TypeAlias

import anyio
import asyncpg
import pytest
from aiohttp import web

from recio.commands import halt_proof
from recio.commands.halt_proof import Watched, follow, live_trades, stands
from recio.daemon.database import ACCOUNT_LOCK
from recio.db import halts
from recio.db.connection import transaction
from recio.db.identity import claim
from recio.db.pool import advisory_lock
from recio.errors import ExitCode
from recio.messages.controls import Halt, HaltLevel
from tests.builders import NOW
from tests.conftest import unused_port
from tests.db.test_trade_store import opened as opened_trade
from tests.runs import begun

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


@pytest.mark.parametrize("level", [HaltLevel.HALT, HaltLevel.FLATTEN])
async def test_a_halt_that_somebody_clears_meanwhile_is_not_said_to_go_on(
    pool: Pool, database_dsn: str, capsys: pytest.CaptureFixture[str], level: HaltLevel
):
    async with pool.acquire() as opened:
        await opened_trade(opened, await begun(opened))
        before = await live_trades(pool)
        await halts.set_halt(opened, Halt(level=level, cause=CAUSE, since=NOW, by="me", resolution="-"))
        assert await stands(pool, CAUSE)
        await halts.clear_all(opened, NOW, "another")
    watched = Watched(pool=pool, level=level, cause=CAUSE, port=unused_port(), before=before)
    async with advisory_lock(database_dsn, ACCOUNT_LOCK):
        with anyio.fail_after(20):
            assert await follow(watched) is ExitCode.TEMPORARY
    said = capsys.readouterr().out
    assert not await stands(pool, CAUSE)
    assert "goes on" not in said
    assert ("STILL HELD, and no longer to be sold: 10.00 yes of" in said) is (level is HaltLevel.FLATTEN)


async def test_a_flatten_with_nothing_held_any_more_waits_for_no_sale_though_the_venue_cannot_be_read(
    pool: Pool, database_dsn: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(halt_proof, "VERIFIED_WITHIN", 0.2)
    async with pool.acquire() as opened:
        await begun(opened)
        halt = Halt(level=HaltLevel.FLATTEN, cause=CAUSE, since=NOW, by="me", resolution="-")
        await halts.set_halt(opened, halt)
    watched = Watched(pool=pool, level=HaltLevel.FLATTEN, cause=CAUSE, port=unused_port(), before={})
    async with advisory_lock(database_dsn, ACCOUNT_LOCK):
        with anyio.fail_after(halt_proof.FLAT_WITHIN / 2):
            assert await follow(watched) is ExitCode.TEMPORARY, "the venue has shown nothing yet"
    said = capsys.readouterr()
    assert "flat: nothing that recio bought is held any more" in said.out
    assert "NOT verified at the venue" in said.out
    assert "until everything is sold" not in said.err
