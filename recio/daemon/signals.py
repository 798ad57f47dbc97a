"""SIGUSR1 halts and SIGUSR2 flattens: brakes that need neither a database nor a network; it does nothing else."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

from recio.clock import Clock
from recio.messages.controls import Brake, BrakeRequest
from recio.wires import Sends

BRAKES = {signal.SIGUSR1: Brake.HALT, signal.SIGUSR2: Brake.FLATTEN}


async def pull_on_signals(
    signals: AsyncIterator[signal.Signals], requests: Sends[BrakeRequest], clock: Clock
) -> None:
    """Each signal asks once for its brake; the same again while it holds changes nothing."""
    async for number in signals:
        name = signal.Signals(number).name
        await requests.send(
            BrakeRequest(
                brake=BRAKES[signal.Signals(number)],
                cause=f"{BRAKES[signal.Signals(number)]} by {name}",
                by=name,
                at=clock.utc(),
            )
        )
