"""Runs a command's work in an event loop of its own until it ends or a signal asks it to; it knows no command."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import FrameType
from typing import Any

import anyio
import structlog

from recio.commands.ending_signals import unasked
from recio.errors import ExitCode

log: structlog.stdlib.BoundLogger = structlog.get_logger()

STOP_LIMIT = 40.0
"""Host seconds that an orderly end may take, before systemd loses its patience: twelve for orders in flight, three for
their answers, and a database that hangs may cost twenty more."""
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
"""A terminal that is closed, and Ctrl-\\\\ in it, end recio in the same order as systemd does."""


def until_signal(work: Callable[[anyio.Event], Awaitable[None]]) -> ExitCode:
    """Run until the work ends; every signal that would end the process asks it to stop, a second one insists.

    So does an end that takes longer than `STOP_LIMIT`: what holds it up is told, and given up.
    """

    async def main() -> None:
        stop = anyio.Event()
        async with anyio.create_task_group() as group:
            await group.start(_watch_signals, stop, group.cancel_scope)
            group.start_soon(insist, stop, group.cancel_scope)
            await work(stop)
            group.cancel_scope.cancel()

    _run(main, list[signal.Signals]())
    return ExitCode.OK


def to_the_end(work: Callable[[], Awaitable[ExitCode]], so_far: Callable[[], str]) -> ExitCode:
    """Run until the work ends. A signal gives it up, in order: whatever it opened is closed and whatever it started stopped.

    Then `so_far` says what is true all the same, for whoever gave it up, even where the work came to its end just then.
    """
    codes, heard = list[ExitCode](), list[signal.Signals]()

    async def main() -> None:
        # Heard to the very end: who presses Ctrl-C twice must not cut off what is being closed and stopped.
        with anyio.open_signal_receiver(*_heeded()) as signals:
            async with anyio.create_task_group() as group:
                group.start_soon(_give_up_on_signal, signals, group.cancel_scope, heard)
                codes.append(await work())
                group.cancel_scope.cancel()

    try:
        _run(main, heard)
    except KeyboardInterrupt:
        heard.append(signal.SIGINT)  # just before the work heard signals
    if codes and not heard:
        return codes[0]
    print(f"recio: interrupted: {so_far()}", file=sys.stderr)
    return ExitCode.INTERRUPTED


def _run(main: Callable[[], Awaitable[None]], late: list[signal.Signals]) -> None:
    """`late` gets the signals that come once the work has ended: raised while the loop is being closed, they would break that."""
    heeded = _heeded()

    async def whole() -> None:
        try:
            await main()
        finally:
            for each in heeded:
                signal.signal(each, lambda number, _frame: late.append(signal.Signals(number)))

    # What was imported stays for good: to walk all of it at each full collection took 20 ms out of a decision's time.
    gc.collect()
    gc.freeze()
    anyio.run(whole, backend="asyncio", backend_options={"use_uvloop": sys.platform != "win32"})


def _heeded() -> list[signal.Signals]:
    """A SIGHUP that was told to be ignored, as by nohup, stays ignored."""
    asked = [
        each for each in ENDING if each is not signal.SIGHUP or signal.getsignal(each) is not signal.SIG_IGN
    ]
    return [*asked, *unasked()]


async def _watch_signals(  # noqa: ASYNC114 - started by its name two functions above
    stop: anyio.Event, scope: anyio.CancelScope, *, task_status: anyio.abc.TaskStatus[None]
) -> None:
    with anyio.open_signal_receiver(*_heeded()) as signals:
        task_status.started()
        async for _ in signals:
            if stop.is_set():
                scope.cancel()
            stop.set()


async def insist(stop: anyio.Event, scope: anyio.CancelScope, limit: float = STOP_LIMIT) -> None:
    """Give up what has not ended `limit` host seconds after it was asked to, and say where each task stands."""
    await stop.wait()
    await anyio.sleep(limit)
    log.error("does not end", asked_seconds_ago=limit, tasks=sorted(map(_stands, asyncio.all_tasks())))
    scope.cancel()


def _stands(task: asyncio.Task[Any]) -> str:
    frame = max(_frames(task.get_coro()), default=None, key=lambda each: each[0])
    where = "" if frame is None else f" at {frame[1].f_code.co_filename}:{frame[1].f_lineno}"
    return f"{task.get_name()}{where}"


def _frames(coroutine: Any) -> Iterator[tuple[int, FrameType]]:
    """Of a suspended coroutine and what it waits for, outermost first, each with its depth."""
    depth = 0
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        yield depth, frame
        depth, coroutine = depth + 1, getattr(coroutine, "cr_await", None)


async def _give_up_on_signal(
    signals: AsyncIterator[signal.Signals], scope: anyio.CancelScope, heard: list[signal.Signals]
) -> None:
    async for number in signals:
        heard.append(signal.Signals(number))
        scope.cancel()
