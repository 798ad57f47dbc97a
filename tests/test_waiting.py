"""A start whose database is away waits, says so to systemd, stops when asked, and gives up only on what does not pass."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from recio.daemon import waiting
from recio.daemon.waiting import ATTEMPT_LIMIT, READY_AFTER, Start, lines_of, opened
from recio.errors import BadConfig, ExitCode, Fatal


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Where a service manager would hear us."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield ear


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setitem(vars(waiting), name, 0.001)


class Database:
    """Away for so many attempts, in such a way."""

    def __init__(self, attempts: int, fault: Callable[[], Exception]) -> None:
        self.left, self.fault = attempts, fault

    @asynccontextmanager
    async def opening(self) -> AsyncGenerator[str]:
        self.left -= 1
        if self.left >= 0:
            raise self.fault()
        yield "the database"


def away() -> Fatal:
    return Fatal("the database cannot be reached", ExitCode.TEMPORARY)


def held() -> BadConfig:
    return BadConfig("another recio holds this database's account lock", may_pass_within=60.0)


async def entered(database: Database, start: Start, stop: anyio.Event) -> str | None:
    with anyio.fail_after(5):
        async with AsyncExitStack() as stack:
            return await opened(stack, database.opening, stop, start)


async def test_what_is_away_is_tried_again_until_it_is_there():
    start = Start()
    assert await entered(Database(20, away), start, anyio.Event()) == "the database"
    assert (start.waits_for, start.is_over) == ("the database cannot be reached", True)


async def test_what_does_not_pass_ends_the_start_at_once():
    database = Database(1, lambda: BadConfig("database.dsn: the database refuses us"))
    with pytest.raises(BadConfig, match="refuses us"):
        await entered(database, Start(), anyio.Event())


async def test_a_bug_is_not_waited_for():
    with pytest.raises(KeyError):
        await entered(Database(1, lambda: KeyError("bug")), Start(), anyio.Event())


async def test_who_is_asked_to_stop_while_waiting_stops():
    stop = anyio.Event()
    async with anyio.create_task_group() as group:
        found: list[str | None] = []

        async def wait() -> None:
            found.append(await entered(Database(10**9, away), Start(), stop))

        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        stop.set()
    assert found == [None]


async def test_by_hand_a_second_daemon_is_refused_at_once():
    with pytest.raises(BadConfig, match="account lock"):
        await entered(Database(1, held), Start(), anyio.Event())


async def test_under_a_manager_a_lock_whose_holder_may_have_vanished_is_waited_for_but_not_for_ever(
    manager: socket.socket,
):
    assert await entered(Database(3, held), Start(), anyio.Event()) == "the database"
    with pytest.raises(BadConfig, match="account lock"):
        await entered(Database(1, held), Start(began=time.monotonic() - 61), anyio.Event())


def test_systemd_is_told_what_is_waited_for_and_that_the_start_goes_on():
    start = Start(began=0.0, attempted_at=10.0)
    assert lines_of(start, 10.0)[0] == "STATUS=starting"
    start.waits_for = "the database cannot be reached"
    soon = lines_of(start, 10.0)
    assert soon[:2] == ["STATUS=waiting: the database cannot be reached", "WATCHDOG=1"]
    assert soon[2].startswith("EXTEND_TIMEOUT_USEC=")
    assert "READY=1" not in soon


def test_a_boot_does_not_wait_with_us_for_ever():
    start = Start(began=0.0, attempted_at=READY_AFTER, waits_for="the database cannot be reached")
    assert lines_of(start, READY_AFTER + 1)[-1] == "READY=1"


def test_an_attempt_that_hangs_is_not_called_progress():
    start = Start(began=0.0, attempted_at=0.0, waits_for="the database cannot be reached")
    assert not {"WATCHDOG=1"} & set(lines_of(start, ATTEMPT_LIMIT + 1))
