"""SIGUSR1 halts and SIGUSR2 flattens: halts that need neither a database nor a network; it does nothing else."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

from recio.clock import Clock
from recio.messages.controls import HaltLevel, HaltRequest
from recio.wires import Sends

HALT_LEVELS = {signal.SIGUSR1: HaltLevel.HALT, signal.SIGUSR2: HaltLevel.FLATTEN}


async def halt_on_signals(
    signals: AsyncIterator[signal.Signals], requests: Sends[HaltRequest], clock: Clock
) -> None:
    """Each signal asks once for its halt; the same again while it holds changes nothing."""
    async for number in signals:
        name = signal.Signals(number).name
        await requests.send(
            HaltRequest(
                level=HALT_LEVELS[signal.Signals(number)],
                cause=f"{HALT_LEVELS[signal.Signals(number)]} by {name}",
                by=name,
                at=clock.utc(),
            )
        )
