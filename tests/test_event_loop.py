"""What the loop of a command does for whatever runs in it."""

from __future__ import annotations

import gc

import anyio
from structlog.testing import capture_logs

from recio.commands.event_loop import insist, until_signal


def test_what_was_imported_is_not_walked_by_each_collection():
    found: list[int] = []

    async def work(_: anyio.Event) -> None:
        found.append(gc.get_freeze_count())

    try:
        until_signal(work)
    finally:
        gc.unfreeze()
    assert found[0] > 10_000


async def test_what_does_not_end_when_it_is_asked_to_is_given_up_and_says_where_it_stands():
    """A daemon was seen to say that it stops, and to live on for a quarter of an hour."""
    stop, never = anyio.Event(), anyio.Event()
    with capture_logs() as said, anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(insist, stop, group.cancel_scope, 0.0)
            group.start_soon(never.wait, name="hangs")
            stop.set()
    (line,) = said
    assert any(each.startswith("hangs at ") and "locks.py" in each for each in line["tasks"])
