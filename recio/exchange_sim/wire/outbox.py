"""The queue of frames still to be written to one socket; it makes no frame and drops none but while all are silent."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec


class Counted(Protocol):
    """What knows how many of its frames wait."""

    queued: int


@dataclass(slots=True)
class SocketState:
    """The state of all sockets at once. While it is silent nothing but pings gets through."""

    silent: bool = False
    now_ms: int = 0
    under_way: Callable[[], float] | None = None
    """Draws for how many host seconds the next frame is under way; None for no time at all."""


@dataclass(slots=True, eq=False)
class Outbox:
    """Frames still to be written to one socket, in order, each with what it counts against and when it arrives."""

    state: SocketState = field(default_factory=SocketState)
    frames: deque[tuple[bytes, Counted | None, float]] = field(
        default_factory=deque["tuple[bytes, Counted | None, float]"]
    )
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, frame: bytes, counted: Counted | None = None) -> None:
        if self.state.silent:
            return
        if counted is not None:
            counted.queued += 1
        due = 0.0
        if self.state.under_way is not None:
            due = time.monotonic() + self.state.under_way()
        if self.frames:
            # One connection keeps its order: what follows a late frame is late too.
            due = max(due, self.frames[-1][2])
        self.frames.append((frame, counted, due))
        self.wake.set()

    def put_object(self, message: object) -> None:
        self.put(msgspec.json.encode(message))

    def waits(self) -> float:
        """For how many host seconds the next frame is still under way."""
        due = self.frames[0][2]
        return max(due - time.monotonic(), 0.0) if due else 0.0

    def take(self) -> bytes:
        frame, counted, _ = self.frames.popleft()
        if counted is not None:
            counted.queued -= 1
        return frame
