"""The venue pays a market wrongly, takes it back and pays it anew: the daemon's rows and money follow."""

from __future__ import annotations

import pytest

from tests.stories.test_trade_story import asked_until_taken, program_off
from tests.stories.world import World, a_world, books_agree, until

pytestmark = pytest.mark.timeout(400)


def settlements_heard(world: World) -> int:
    return len(world.events("settlement"))


@pytest.mark.long
async def test_a_trade_is_worth_what_the_venue_paid_in_the_end():
    with a_world() as world:
        world.speed = 20.0
        await world.start_exchange()
        world.start_daemon(settings=program_off)
        await until(lambda: world.events("cash agreed"))
        assert (await asked_until_taken(world)).returncode == 0
        world.arm("revise_settlement", seconds=5.0)
        await until(lambda: settlements_heard(world) == 1)
        (wrong,) = await world.rows("SELECT ticker, payout FROM trades")
        await until(lambda: settlements_heard(world) == 2)
        (right,) = await world.rows(
            "SELECT t.payout, s.result, s.revision FROM trades AS t JOIN settlements AS s USING (ticker)"
        )
        (paid,) = [each for each in world.ledger()["settlements"] if each["ticker"] == wrong["ticker"]]
        await books_agree(world)
        assert world.stop() == 0
    assert {wrong["payout"], right["payout"]} == {0, 2}
    assert (right["result"], right["revision"]) == (paid["market_result"], 2)
    assert paid["revenue"] == 100 * right["payout"]
