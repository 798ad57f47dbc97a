"""The queue of frames still to be written to one socket; it makes no frame and drops none but while all are silent."""

from __future__ import annotations

import asyncio
from collections import deque
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


@dataclass(slots=True, eq=False)
class Outbox:
    """Frames still to be written to one socket, in order, each with what it counts against."""

    state: SocketState = field(default_factory=SocketState)
    frames: deque[tuple[bytes, Counted | None]] = field(default_factory=deque["tuple[bytes, Counted | None]"])
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, frame: bytes, counted: Counted | None = None) -> None:
        if self.state.silent:
            return
        if counted is not None:
            counted.queued += 1
        self.frames.append((frame, counted))
        self.wake.set()

    def put_object(self, message: object) -> None:
        self.put(msgspec.json.encode(message))

    def take(self) -> bytes:
        frame, counted = self.frames.popleft()
        if counted is not None:
            counted.queued -= 1
        return frame
