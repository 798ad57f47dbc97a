"""Runs a command's work in an event loop of its own until it ends or a signal asks it to; it knows no command."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Awaitable, Callable

import anyio

from recio.errors import ExitCode


def until_signal(work: Callable[[anyio.Event], Awaitable[None]]) -> ExitCode:
    """Run until the work ends; SIGTERM and SIGINT ask it to stop, a second one insists."""

    async def main() -> None:
        stop = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(_watch_signals, stop, group.cancel_scope)
            await work(stop)
            group.cancel_scope.cancel()

    # What was imported stays for good: to walk all of it at each full collection took 20 ms out of a decision's time.
    gc.collect()
    gc.freeze()
    anyio.run(main, backend="asyncio", backend_options={"use_uvloop": sys.platform != "win32"})
    return ExitCode.OK


async def _watch_signals(stop: anyio.Event, scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            if stop.is_set():
                scope.cancel()
            stop.set()
