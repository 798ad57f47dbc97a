"""What goes wrong on the wire is noticed, told, and mended without a restart of the process."""

from __future__ import annotations

from typing import Any

import pytest

from recio.rules.account.lifecycle import UNCONFIRMED
from tests.stories.world import a_world, books_come_to_agree, until

pytestmark = pytest.mark.timeout(400)


def book_is_whole(status: dict[str, Any]) -> bool:
    return bool(status["board"]) and all(row["book_ok"] for row in status["board"])


async def test_a_gap_in_the_sequence_is_told_and_the_book_made_whole_again():
    with a_world() as world:
        await world.start_exchange()
        world.start_daemon()
        await until(lambda: world.shows(book_is_whole))
        world.arm("skip_seq", count=1)
        await until(
            lambda: [each for each in world.events("channel broken") if "came instead of" in each["why"]]
        )
        await until(lambda: world.shows(book_is_whole))
        assert world.status()["tasks"]["market_sync"]["restarts"] == 0
        world.kill()


async def test_cut_sockets_come_back_and_fills_of_the_meantime_are_not_missed():
    with a_world() as world:
        await world.start_exchange("--window-seconds", "120")
        world.start_daemon()
        await until(lambda: world.events("fill"))
        world.arm("hold_fills", count=1, seconds=30)
        world.arm("drop_sockets", count=1)
        await until(lambda: world.shows(lambda status: status["tasks"]["market_sync"]["restarts"] > 0))
        fills = len(world.events("fill"))
        await until(lambda: len(world.events("fill")) > fills)
        await until(
            lambda: world.shows(lambda status: not {o["state"] for o in status["orders"]} & UNCONFIRMED)
        )
        await books_come_to_agree(world)
        assert world.stop() == 0


async def test_a_venue_that_goes_away_stops_entries_with_a_reason_and_the_page_stays():
    with a_world() as world:
        await world.start_exchange()
        world.start_daemon()
        await until(lambda: world.shows(lambda status: status["ready"]))
        assert world.exchange is not None
        world.exchange.kill()
        world.exchange.wait()
        await until(lambda: world.shows(lambda status: not status["ready"] and status["reasons"]))
        status = world.status()
        assert status["tasks"]["market_sync"]["restarts"] > 0
        assert status["tasks"]["market_sync"]["last_error"]
        assert world.stop() == 0
