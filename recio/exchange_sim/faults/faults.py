"""Faults that a test arms over loopback and the next requests or frames meet; nothing fails unless it was armed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum


class FaultKind(StrEnum):
    LOSE_REQUEST = "lose_request"
    """The connection ends before the order request is read."""
    LOSE_REPLY = "lose_reply"
    """The order request is carried out and the connection ends without an answer."""
    ERROR_500 = "error_500"
    """The order request is answered 500 and not carried out."""
    DELAY_REPLY = "delay_reply"
    """The order request is carried out and answered so many host seconds late."""
    DROP_SOCKETS = "drop_sockets"
    """Every open WebSocket is cut now."""
    SKIP_SEQ = "skip_seq"
    """The next book messages are numbered and never sent."""
    HOLD_FILLS = "hold_fills"
    """Private messages wait so many host seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    kind: FaultKind
    count: int = 1
    seconds: float = 0.0


@dataclass(slots=True)
class Faults:
    """What is armed. Request faults are used up in the order they were armed."""

    requests: deque[Fault] = field(default_factory=deque[Fault])
    frames_to_skip: int = 0
    hold_private_until: float = 0.0

    def arm(self, fault: Fault, host_now: float) -> None:
        match fault.kind:
            case FaultKind.SKIP_SEQ:
                self.frames_to_skip += fault.count
            case FaultKind.HOLD_FILLS:
                self.hold_private_until = host_now + fault.seconds
            case FaultKind.DROP_SOCKETS:
                pass
            case _:
                self.requests.extend([fault] * fault.count)

    def next_for_request(self) -> Fault | None:
        return self.requests.popleft() if self.requests else None

    def skips_frame(self) -> bool:
        """Whether this book message is one of those to lose."""
        if not self.frames_to_skip:
            return False
        self.frames_to_skip -= 1
        return True
