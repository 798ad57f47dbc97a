"""Steps of stories in which reads of the venue fail: what is held, sold and switched; the stories say what must be so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import anyio
import asyncpg

from tests.stories.world import World, until

READS = (
    "/series/KX",
    "/series/fee_changes",
    "/events/fee_changes",
    "/events",
    "/markets",
    "/exchange/status",
    "/exchange/schedule",
    "/exchange/user_data_timestamp",
    "/portfolio/balance",
    "/portfolio/positions",
    "/portfolio/orders",
    "/portfolio/fills",
    "/portfolio/settlements",
    "/portfolio/order_groups",
    "/account/limits",
)
"""Everything that the daemon reads of the venue."""
ANSWERS: dict[str, dict[str, int | str]] = {
    "401": {"status": 401},
    "404": {"status": 404},
    "429": {"status": 429},
    "500": {"status": 500},
    "no answer": {"status": 0},
    "no JSON": {"status": 200, "manner": "no_json"},
    "cut": {"status": 200, "manner": "cut"},
    "null": {"status": 200, "manner": "null"},
    "nulls": {"status": 200, "manner": "nulls"},
    "strange": {"status": 200, "manner": "strange"},
    "stale": {"status": 200, "manner": "stale"},
    "turned": {"status": 200, "manner": "turned"},
}
"""What a read gets instead of its answer, until it is disarmed."""
EVERYTHING = ""


def sells_at_any_bid(text: str) -> str:
    text = text.replace("[entry]\n", "[entry]\nonly_what_exit_keeps = false\n")
    return text.replace("[exit]\n", "[exit]\ntake_profit_dollars = 0.0001\nretry_seconds = 1\n")


async def rows_until(
    world: World, query: str, fits: Callable[[list[asyncpg.Record]], object] = bool, patience: float = 120.0
) -> list[asyncpg.Record]:
    """What the daemon's rows say, once they say what fits."""
    with anyio.fail_after(patience):
        while not fits(found := await world.rows(query)):  # noqa: ASYNC110 - another process
            await anyio.sleep(0.05)
    return found


async def switch_exit(world: World, *, on: bool) -> None:
    await world.rows(
        f"INSERT INTO switches (name, is_on, at, set_by) VALUES ('exit', {str(on).lower()}, now(), 'me')"
    )
    await until(lambda: world.shows(lambda seen: seen["switches"]["exit"] is on))


async def held_for_a_while(world: World) -> int:
    """The number of an open trade whose market stays open for some time of the market's own."""
    query = "SELECT trade_id, closes_at FROM trades WHERE state = 'open'"

    def open_for_long(rows: list[asyncpg.Record]) -> bool:
        soon = datetime.fromisoformat(world.status()["now"]) + timedelta(minutes=2)
        return bool(rows) and rows[0]["closes_at"] > soon

    return (await rows_until(world, query, open_for_long, patience=300))[0]["trade_id"]


async def sold(world: World, trade_id: int) -> None:
    """At the venue: its fills may be told only when something can be read again."""
    query = f"SELECT 1 FROM orders WHERE trade_id = {trade_id} AND purpose = 'exit' AND state = 'filled'"
    await rows_until(world, query, patience=60)
