"""One daemon per account: of two that start at once one trades, and one that lost its lock sends nothing any more."""

from __future__ import annotations

import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import anyio
import pytest

from tests.conftest import unused_port
from tests.faults.arena import Arena, until
from tests.faults.one_case import Result, recover
from tests.faults.processes import spawn
from tests.faults.run_grid import database

pytestmark = pytest.mark.timeout(300)
PATIENCE = 60.0
REFUSED = 78
LOST = 75


def _twin(arena: Arena) -> tuple[ForkServerProcess, Path]:
    """A second daemon with the same config but for its port and its own folder."""
    config = arena.root / "twin.toml"
    text = (arena.root / f"{arena.name}.toml").read_text(encoding="utf-8")
    text = text.replace(f"port = {arena.port}", f"port = {unused_port()}")
    config.write_text(text.replace(f"data-{arena.name}", "data-twin"), encoding="utf-8")
    log = arena.root / "twin.log"
    return spawn(["run", "--config", str(config)], log, {}), log


async def test_of_two_daemons_started_at_once_one_trades_and_the_other_is_told_why_not():
    async with database() as (root, server):
        arena = Arena(root=root, server=server, name="pair")
        await arena.open()
        twin: ForkServerProcess | None = None
        try:
            arena.start(exits=True, crash_at=None)
            twin, twin_log = _twin(arena)
            first = arena.daemon
            assert first is not None
            await until(
                lambda: first.exitcode is not None or twin.exitcode is not None,
                PATIENCE,
                "both or none go on",
            )
            loser, words = (first, root / arena.log_name) if first.exitcode is not None else (twin, twin_log)
            winner, told = (twin, twin_log) if loser is first else (first, root / arena.log_name)
            assert loser.exitcode == REFUSED
            assert "one daemon per account" in words.read_text(encoding="utf-8")
            await until(
                lambda: "order pending" in told.read_text(encoding="utf-8"), PATIENCE, "nobody trades"
            )
            assert winner.exitcode is None
            assert await arena.broken_now() == []
            winner.kill()
            winner.join()
            result = Result(number=1, title="pair")
            await recover(arena, result, {})
            assert result.failures == []
        finally:
            if twin is not None and twin.exitcode is None:
                twin.kill()
                twin.join()
            with anyio.CancelScope(shield=True):
                await arena.close()


async def test_a_daemon_that_loses_its_lock_sends_no_order_a_second_later_and_ends():
    async with database() as (root, server):
        arena = Arena(root=root, server=server, name="lost")
        await arena.open()
        try:
            arena.start(exits=True, crash_at=None)
            await until(lambda: "order pending" in arena.log_tail(10**6), PATIENCE, "it does not trade")
            async with arena.connection("postgres") as connection:
                ended = await connection.fetch(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'recio lock' AND datname = 'lost'"
                )
            began, last, asked = time.monotonic(), 0.0, len((await arena.admin("/admin/ledger"))["asked_for"])
            assert len(ended) == 1
            while arena.ended() is None:
                now = len((await arena.admin("/admin/ledger"))["asked_for"])
                if now > asked:
                    asked, last = now, time.monotonic() - began
                assert time.monotonic() - began < PATIENCE
                await anyio.sleep(0.02)
            assert last < 1.0
            assert arena.ended() == LOST
            result = Result(number=1, title="lost")
            await recover(arena, result, {})
            assert result.failures == []
        finally:
            with anyio.CancelScope(shield=True):
                await arena.close()
