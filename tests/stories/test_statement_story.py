"""`recio statement` finds the rows of a daemon that traded equal to what the exchange says, and each row that is changed afterwards."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from recio.errors import ExitCode
from tests.stories.test_trade_story import command
from tests.stories.world import World, a_world, books_come_to_agree, until

pytestmark = [pytest.mark.timeout(900), pytest.mark.long]


A_WINDOW = 250.0
"""Host seconds: twice what fifteen minutes of the market take."""


def patient(text: str) -> str:
    """Nothing here is about a venue that answers late."""
    return text.replace("request_timeout_seconds = 1.0", "request_timeout_seconds = 20.0")


async def told(world: World, code: ExitCode) -> dict[str, Any]:
    done = await asyncio.to_thread(command, world, "statement", "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


async def test_what_a_daemon_booked_is_what_the_exchange_says_and_a_hundredth_of_a_cent_is_found():
    with a_world() as world:
        world.speed = 8.0
        await world.start_exchange()
        world.start_daemon(settings=patient)
        await until(lambda: world.events("cash agreed"), A_WINDOW)
        await until(lambda: world.ledger()["settlements"], 2 * A_WINDOW)
        await books_come_to_agree(world)
        equal = await told(world, ExitCode.OK)
        assert equal["differences"] == []
        assert equal["fills"] == len(world.ledger()["fills"]) > 0
        assert equal["settlements"] > 0
        assert equal["cash"]["ours"] == equal["cash"]["theirs"] is not None
        assert world.stop() == 0
        (changed,) = await world.rows(
            "UPDATE fills SET fee = fee + 0.0001 WHERE fill_id = (SELECT min(fill_id) FROM fills) RETURNING fill_id"
        )
        found = await told(world, ExitCode.DATA)
        assert [(each["what"], each["name"], each["field"]) for each in found["differences"]] == [
            ("fill", changed["fill_id"], "fee")
        ]
