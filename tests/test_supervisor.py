"""The supervisor: restarts what passes, gives up upward, and lets Fatal through."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest
import structlog
from structlog.testing import capture_logs

from recio.errors import BadConfig, DatabaseAway, ExitCode, Fatal, Transient
from recio.supervisor import HealthByTask, RestartPolicy, Say, State, leading_fault, supervise

FAST = RestartPolicy(first_wait=0.0, longest_wait=0.0, give_up_after=4)


async def test_a_transient_fault_restarts_the_task_and_is_on_the_ledger():
    task_health, lives = HealthByTask(), 0

    async def run(say: Say) -> None:
        nonlocal lives
        lives += 1
        if lives < 3:
            raise Transient("the venue is away")
        say("well again")
        await anyio.sleep_forever()

    with anyio.fail_after(3):
        async with anyio.create_task_group() as group:
            group.start_soon(supervise, "task", run, task_health, FAST)
            while lives < 3:
                await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
    health = task_health.tasks["task"]
    assert (health.restarts, health.sentence, health.last_error) == (2, "well again", "the venue is away")


async def test_a_bug_restarts_the_task_too_but_not_for_ever():
    async def run(_say: Say) -> None:
        raise KeyError("bug")

    task_health = HealthByTask()
    with anyio.fail_after(3), pytest.raises(Fatal, match="failed 4 times") as caught:
        await supervise("task", run, task_health, FAST)
    assert caught.value.exit_code == ExitCode.TEMPORARY
    assert task_health.tasks["task"].state is State.STOPPED


async def test_what_passes_is_waited_for_however_often_it_fails():
    lives = 0

    async def run(say: Say) -> None:
        nonlocal lives
        lives += 1
        if lives <= 4 * FAST.give_up_after:
            raise Transient("the venue is away for an hour")
        say("well again")
        await anyio.sleep_forever()

    task_health = HealthByTask()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(supervise, "task", run, task_health, FAST)
            while task_health.enter("task").sentence != "well again":
                await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()


async def test_fatal_goes_through_at_once_even_out_of_a_group():
    async def run(_say: Say) -> None:
        async def inner() -> None:
            raise Fatal("stop", ExitCode.CONFIG)

        async with anyio.create_task_group() as group:
            group.start_soon(inner)

    with pytest.raises(Fatal, match="stop") as caught:
        await supervise("task", run, HealthByTask(), FAST)
    assert caught.value.exit_code == ExitCode.CONFIG


async def test_a_task_that_returns_is_a_bug():
    async def run(_say: Say) -> None:
        return

    with pytest.raises(Fatal, match="returned"):
        await supervise("task", run, HealthByTask(), FAST)


async def test_cancelling_stops_a_task_that_is_backing_off():
    async def run(_say: Say) -> None:
        raise Transient("away")

    task_health = HealthByTask()
    with anyio.fail_after(3):
        async with anyio.create_task_group() as group:
            group.start_soon(supervise, "task", run, task_health, RestartPolicy(first_wait=3600))
            await anyio.wait_all_tasks_blocked()
            assert task_health.tasks["task"].state is State.BACKING_OFF
            group.cancel_scope.cancel()


def test_back_off_doubles_up_to_its_longest():
    policy = RestartPolicy(first_wait=0.25, longest_wait=30)
    assert [policy.wait(faults) for faults in (1, 2, 3, 12)] == [0.25, 0.5, 1.0, 30]


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: ExceptionGroup("", [Transient("a"), Fatal("b")]), Fatal),
        (lambda: ExceptionGroup("", [DatabaseAway("a"), BadConfig("b")]), BadConfig),
        (lambda: ExceptionGroup("", [Transient("a"), KeyError("b")]), KeyError),
        (lambda: ExceptionGroup("", [ExceptionGroup("", [Transient("a")])]), Transient),
    ],
)
def test_the_worst_of_several_faults_leads(make: Callable[[], Exception], kind: type[Exception]):
    assert isinstance(leading_fault(make()), kind)


async def test_every_line_that_a_task_writes_says_its_name():
    said = anyio.Event()

    async def run(_say: Say) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(write)

    async def write() -> None:
        structlog.get_logger().info("a fact")
        said.set()
        await anyio.sleep_forever()

    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as told, anyio.fail_after(3):
        async with anyio.create_task_group() as group:
            group.start_soon(supervise, "entry", run, HealthByTask(), FAST)
            await said.wait()
            group.cancel_scope.cancel()
    assert [(each["event"], each["task"]) for each in told] == [("a fact", "entry")]
