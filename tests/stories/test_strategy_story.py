"""Strategies run side by side: one orders within its budget, a shadow orders nothing and is paid on paper what the market decided."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest

from tests.stories.world import World, a_world, books_come_to_agree, until

pytestmark = pytest.mark.timeout(400)

STRATEGIES = """
[strategies.calm]
stage = "live"
budget_dollars = 6
[strategies.bold]
stage = "shadow"
[strategies.bold.entry]
contracts = 3
[strategies.gone]
stage = "off"
[strategies.quick]
stage = "shadow"
[strategies.quick.entry]
contracts = 2
only_what_exit_keeps = false
[strategies.quick.exit]
take_profit_dollars = 0.01
"""


def side_by_side(text: str) -> str:
    return text + STRATEGIES


async def shadows(world: World, strategy: str) -> list[dict[str, Any]]:
    query = "SELECT * FROM paper_trades WHERE quantity > 0 ORDER BY paper_trade_id"
    return [dict(each) for each in await world.rows(query) if each["strategy"] == strategy]


@pytest.mark.long
async def test_a_shadow_is_scored_beside_a_live_strategy_and_never_orders():
    with a_world() as world:
        await world.start_exchange("--window-seconds", "180")
        world.start_daemon(settings=side_by_side)
        await until(lambda: world.events("trade open"))
        await until(lambda: world.events("shadow settled"))
        await until(lambda: world.status()["strategies"][1]["settled"])
        # Killed and started again it goes on with what it holds on paper.
        world.kill()
        settled = len(world.events("shadow settled"))
        world.start_daemon(settings=side_by_side)
        await until(lambda: world.events("shadow settled"))
        await until(lambda: world.status()["strategies"][3]["settled"])
        rows = {row["name"]: row for row in world.status()["strategies"]}
        await books_come_to_agree(world)
        assert world.stop() == 0

        booked, quick = await shadows(world, "bold"), await shadows(world, "quick")
        ended = [each for each in booked if each["result"] is not None]
        ordering = await world.rows("SELECT DISTINCT strategy FROM trades")
        most_paid = await world.rows(
            "SELECT max(o.reserved) AS most FROM orders o JOIN trades t USING (trade_id) WHERE o.purpose = 'entry'"
        )
        command = [sys.executable, "-m", "recio", "replay", str(world.root / "data" / "recording"), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert settled >= 1
    assert {row["strategy"] for row in ordering} == {"calm"}
    # One sells on paper at what was bid, long before its market ends, and keeps what it got.
    sold = [each for each in quick if each["sold_at"] is not None]
    assert sold
    assert all(each["sold"] == each["quantity"] and each["proceeds"] > 0 for each in sold)
    assert all(each["decided_at"] < each["sold_at"] < each["closes_at"] for each in sold)
    assert rows["quick"]["settled"] >= 1
    assert len(ended) >= 2
    assert all(0 < each["quantity"] <= 3 for each in booked)
    assert all(0 < each["cost"] < each["quantity"] and each["fees"] > 0 for each in booked)
    assert most_paid[0]["most"] <= Decimal(6)
    assert (rows["calm"]["stage"], rows["bold"]["stage"], rows["gone"]["stage"]) == ("live", "shadow", "off")
    assert rows["bold"]["settled"] >= 1
    replayed = json.loads(done.stdout)
    assert (replayed["different"], replayed["lost"]) == (0, 0), replayed["differences"]
    # The life that was killed left its cycles as well.
    assert replayed["segments"] >= 2
