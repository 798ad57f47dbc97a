"""What `recio stop` and `recio flatten` end with is what was so at the end, however slow the machine was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio
import asyncpg
import pytest

from recio.commands import halt_proof
from recio.commands.halt_proof import Watched, follow
from recio.daemon.database import ACCOUNT_LOCK
from recio.daemon.shutdown import ANSWER_GRACE, RECORD_GRACE, end_when_stopped, stop_grace
from recio.db import halts, kill_switch
from recio.db.connection import Connection, transaction
from recio.db.pool import advisory_lock
from recio.errors import ExitCode
from recio.messages.controls import Halt, HaltLevel, HaltVerification, TradingControls
from recio.settings.venue import KalshiSection
from recio.tasks.kill_switch import CYCLE, LONGEST_WAIT, LOOK_AGAIN
from recio.wires import Wires
from tests.builders import NOW
from tests.conftest import unused_port

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Capture: TypeAlias = "pytest.CaptureFixture[str]"
CAUSE = "stopped by command"


async def halted(pool: Pool, level: HaltLevel) -> tuple[Watched, int]:
    async with transaction(pool) as connection:
        await halts.set_halt(connection, Halt(level=level, cause=CAUSE, since=NOW, by="me", resolution="-"))
        number = next(each.halt_id for each in await halts.active(connection))
    return Watched(pool=pool, level=level, cause=CAUSE, port=unused_port(), before={}), number


class Followed:
    """A command that follows a halt beside a daemon, which here is whoever holds its lock."""

    def __init__(self, watched: Watched, capture: Capture) -> None:
        self.watched, self.capture = watched, capture
        self.said, self.code = "", ExitCode.INTERRUPTED

    async def run(self) -> None:
        self.code = await follow(self.watched)
        self.said += self.capture.readouterr().out

    async def until_said(self, words: str) -> None:
        with anyio.fail_after(20):
            while words not in self.said:
                await anyio.sleep(0.02)
                self.said += self.capture.readouterr().out


async def beside_a_daemon(dsn: str, followed: Followed, lives: Callable[[], Awaitable[None]]) -> Followed:
    async with anyio.create_task_group() as group, advisory_lock(dsn, ACCOUNT_LOCK):
        group.start_soon(followed.run)
        await followed.until_said("a daemon runs")
        await lives()
    return followed


async def test_a_stop_that_is_proven_after_the_patience_for_a_halt_is_told_as_proven(
    pool: Pool, database_dsn: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(halt_proof, "VERIFIED_WITHIN", 0.0)
    watched, number = await halted(pool, HaltLevel.STOP)

    async def proves() -> None:
        async with transaction(pool) as connection:
            await kill_switch.verified(connection, number, 0)

    done = await beside_a_daemon(database_dsn, Followed(watched, capsys), proves)
    assert "verified at the venue: nothing of ours rests" in done.said
    assert "the daemon has ended" in done.said
    assert "NOT" not in done.said
    assert "its page is not at" not in done.said, "a page that went with its daemon is at the right place"
    assert done.code is ExitCode.OK


async def test_a_stop_without_proof_says_that_the_daemon_ended_without_it_and_not_that_it_goes_on_asking(
    pool: Pool, database_dsn: str, capsys: Capture
):
    watched, _ = await halted(pool, HaltLevel.STOP)

    async def ends() -> None:
        return

    done = await beside_a_daemon(database_dsn, Followed(watched, capsys), ends)
    assert "ended before it was verified at the venue" in done.said
    assert "look at the venue's own page for orders that rest" in done.said
    assert "the daemon has ended" in done.said
    assert "goes on asking" not in done.said
    assert done.code is ExitCode.TEMPORARY


@pytest.mark.parametrize("level", [HaltLevel.STOP, HaltLevel.HALT])
async def test_a_proof_that_was_the_last_thing_a_daemon_did_is_seen(
    pool: Pool, capsys: Capture, monkeypatch: pytest.MonkeyPatch, level: HaltLevel
):
    watched, number = await halted(pool, level)
    looks = 0

    async def proves_and_ends(connection: Connection) -> bool:
        nonlocal looks
        looks += 1
        if looks > 1:
            await kill_switch.verified(connection, number, 0)
        return looks == 1

    monkeypatch.setattr(halt_proof, "daemon_runs", proves_and_ends)
    assert await follow(watched) is ExitCode.OK
    said = capsys.readouterr().out
    assert "verified at the venue: nothing of ours rests" in said
    assert "ended before" not in said


async def test_a_flatten_that_is_proven_while_it_sells_ends_well(
    pool: Pool, database_dsn: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(halt_proof, "VERIFIED_WITHIN", 0.0)
    watched, number = await halted(pool, HaltLevel.FLATTEN)
    followed = Followed(watched, capsys)

    async def proves_and_is_flat() -> None:
        await followed.until_said("NOT verified")
        async with transaction(pool) as connection:
            await kill_switch.verified(connection, number, 0)
            await kill_switch.flat(connection, number)
        await followed.until_said("flat: nothing")

    await beside_a_daemon(database_dsn, followed, proves_and_is_flat)
    assert "verified at the venue: nothing of ours rests" in followed.said
    assert followed.code is ExitCode.OK


async def test_a_stop_that_somebody_clears_meanwhile_is_told_with_what_follows(
    pool: Pool, database_dsn: str, capsys: Capture
):
    watched, _ = await halted(pool, HaltLevel.STOP)
    async with transaction(pool) as connection:
        await halts.clear_all(connection, NOW, "another")
    followed = Followed(watched, capsys)

    async def goes_on() -> None:
        await followed.until_said("does not stand any more")

    await beside_a_daemon(database_dsn, followed, goes_on)
    assert "a daemon that had seen it ends all the same" in followed.said
    assert followed.code is ExitCode.TEMPORARY


def test_one_answer_that_never_comes_ends_neither_a_stop_nor_the_patience_for_a_halt_without_the_proof():
    timeout = KalshiSection().request_timeout_seconds
    asked_again = LONGEST_WAIT + LOOK_AGAIN + CYCLE
    assert stop_grace(timeout) > timeout + asked_again + 5.0
    assert timeout + asked_again + 5.0 <= halt_proof.VERIFIED_WITHIN
    for longer in (timeout, 60.0, 3_600.0):
        assert stop_grace(longer) + ANSWER_GRACE + RECORD_GRACE + 10.0 <= halt_proof.ENDS_WITHIN


async def test_a_stop_ends_the_daemon_once_it_is_proven_and_not_before():
    wires, stop = Wires(), anyio.Event()
    halt = Halt(level=HaltLevel.STOP, cause=CAUSE, since=NOW, by="me", resolution="-", halt_id=7)
    async with anyio.create_task_group() as group:
        group.start_soon(end_when_stopped, wires, 60.0, stop)
        wires.controls.set(TradingControls(halts=(halt,)))
        wires.halt_verifications.set((HaltVerification(halt_id=6, cancelled=0, verified_after=1.0),))
        await anyio.wait_all_tasks_blocked()
        assert not stop.is_set()
        wires.halt_verifications.set((HaltVerification(halt_id=7, cancelled=0, verified_after=1.0),))
        with anyio.fail_after(20):
            await stop.wait()
    wires.close()
