"""The log of a daemon that trades stays small enough to keep and to read: under 2 MB an hour, and no kind of line floods it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from tests.stories.world import World, a_world, until

MOST_BYTES_AN_HOUR = 2_000_000
MOST_OF_A_KIND = 90
"""Lines of one kind in a quarter of an hour: measured are 25, on a machine so busy that feeds fall silent and come back."""
WINDOW_HOURS = 0.25


def is_lived(world: World, hours: float) -> bool:
    lines = lines_of(world)
    return bool(lines) and (_at(lines[-1]) - _at(lines[0])).total_seconds() >= hours * 3600


def lines_of(world: World) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in world.log().splitlines() if line.startswith("{") and line.endswith("}")
    ]


def _at(line: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(line["at"])


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_a_daemon_that_trades_writes_under_two_megabytes_an_hour_and_floods_with_no_kind_of_line():
    with a_world() as world:
        await world.start_exchange()
        world.start_daemon()
        await until(lambda: world.events("order pending") and is_lived(world, WINDOW_HOURS), 350)
        text, lines = world.log(), lines_of(world)
        hours = (_at(lines[-1]) - _at(lines[0])).total_seconds() / 3600
    assert len(text.encode()) / hours < MOST_BYTES_AN_HOUR
    kinds = Counter(line["event"] for line in lines)
    most = MOST_OF_A_KIND * hours / WINDOW_HOURS
    assert {kind: many for kind, many in kinds.items() if many > most} == {}
