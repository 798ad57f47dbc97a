"""What is to be done at which venue time, in order; it does not know what the things are."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

Task = Callable[[], None]


class EventQueue:
    """Tasks by the moment that they are due; those of one moment in the order they were added."""

    def __init__(self) -> None:
        self._tasks: list[tuple[int, int, Task]] = []
        self._added = 0

    def add(self, due_ms: int, task: Task) -> None:
        self._added += 1
        heappush(self._tasks, (due_ms, self._added, task))

    def run_to(self, now_ms: int) -> None:
        """Do everything that is due, and what that adds for before now."""
        while self._tasks and self._tasks[0][0] <= now_ms:
            heappop(self._tasks)[2]()
