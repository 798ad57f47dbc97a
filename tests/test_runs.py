"""A database that is away, at the start or later, is waited for in the process; nothing else is."""

from __future__ import annotations

import anyio
import pytest

from recio.daemon import runs
from recio.daemon.runs import ATTEMPT_LIMIT, READY_AFTER, Waiting, lines_of, run_until_stopped
from recio.errors import BadConfig, DatabaseAway, ExitCode, Fatal


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "TRY_EVERY", 0.001)


async def run(*faults: Exception | None, after_lock: bool = False) -> int:
    """Runs that end with these faults, one after another; None ends in order. Returns how many there were."""
    left, begun = list(faults), 0

    async def run(waiting: Waiting) -> None:
        nonlocal begun
        begun += 1
        fault = left.pop(0)
        if after_lock and fault is not TAKEN:
            waiting.end()
        if fault is not None:
            raise ExceptionGroup("of a task group", [fault])

    with anyio.fail_after(5):
        await run_until_stopped(run, anyio.Event())
    return begun


AWAY, TAKEN = DatabaseAway("connection refused"), BadConfig("another recio holds it", lock_is_taken=True)


async def test_a_database_that_is_away_at_the_start_or_later_is_waited_for():
    assert await run(AWAY, AWAY, AWAY, None) == 4
    assert await run(AWAY, AWAY, None, after_lock=True) == 3


@pytest.mark.parametrize("fault", [BadConfig("no"), Fatal("no"), TAKEN])
async def test_whatever_else_ends_a_life_ends_the_process(fault: Exception):
    with pytest.raises(type(fault)):
        await run(AWAY, fault)


async def test_a_lock_that_our_own_last_life_may_still_hold_is_waited_for_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
):
    assert await run(AWAY, TAKEN, TAKEN, None, after_lock=True) == 4
    monkeypatch.setattr(runs, "LOCK_LINGERS", 0.0)
    with pytest.raises(Fatal) as ended:
        await run(AWAY, TAKEN, None, after_lock=True)
    assert ended.value.exit_code is ExitCode.TEMPORARY


async def test_who_is_asked_to_stop_waits_no_longer():
    stop = anyio.Event()

    async def run(_waiting: Waiting) -> None:
        stop.set()
        raise AWAY

    with anyio.fail_after(5):
        await run_until_stopped(run, stop)


async def test_under_a_manager_a_lock_whose_holder_may_have_vanished_is_waited_for_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("NOTIFY_SOCKET", "/nobody/listens")
    assert await run(TAKEN, TAKEN, None) == 3
    monkeypatch.setattr(runs, "LOCK_LINGERS", 0.0)
    with pytest.raises(BadConfig):
        await run(TAKEN, None)


def test_systemd_is_told_what_is_waited_for_and_that_the_start_goes_on():
    waiting = Waiting(since=0.0, attempted_at=10.0)
    assert lines_of(waiting, 10.0)[0] == "STATUS=starting"
    waiting.why = "connection refused"
    soon = lines_of(waiting, 10.0)
    assert soon[:2] == ["STATUS=waits for the database: connection refused", "WATCHDOG=1"]
    assert soon[2].startswith("EXTEND_TIMEOUT_USEC=")
    assert "READY=1" not in soon


def test_a_boot_does_not_wait_with_us_for_ever():
    waiting = Waiting(why="connection refused", since=0.0, attempted_at=READY_AFTER)
    assert lines_of(waiting, READY_AFTER + 1)[-1] == "READY=1"


def test_an_attempt_that_hangs_is_not_called_progress():
    waiting = Waiting(why="connection refused", since=0.0, attempted_at=0.0)
    assert "WATCHDOG=1" not in lines_of(waiting, ATTEMPT_LIMIT + 1)
