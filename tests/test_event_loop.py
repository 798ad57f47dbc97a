"""What the loop of a command does for whatever runs in it."""

from __future__ import annotations

import gc

import anyio

from recio.commands.event_loop import until_signal


def test_what_was_imported_is_not_walked_by_each_collection():
    found: list[int] = []

    async def work(_: anyio.Event) -> None:
        found.append(gc.get_freeze_count())

    try:
        until_signal(work)
    finally:
        gc.unfreeze()
    assert found[0] > 10_000
