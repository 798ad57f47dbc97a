"""A sale breaks off in the hands of trade_manager, between the decision and its row, and the stop sells all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

import asyncpg
import pytest

from recio.db.embedded import SUPERUSER, EmbeddedServer
from tests.faults.arena import until_true
from tests.faults.run_grid import database
from tests.stories.database_relay import Cut, Relay, database_relay
from tests.stories.world import PATIENCE, World, a_world, books_come_to_agree, until

pytestmark = [pytest.mark.timeout(400), pytest.mark.long]

AUDIT_LOCK = 1919247210
"""Each order's row waits for it: whoever holds it has the daemon hold a sale for as long as a test wants."""
STOP_AT_ONCE = 'stop_probability = 1.0\nmin_value_fraction = "off"\nretry_seconds = 5\n'
WAITS = """
    SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory' AND query LIKE '%place_exit%' AND datname = current_database()
"""
SWITCH = "INSERT INTO switches (name, is_on, at, set_by) VALUES ($1, $2, now(), 'me')"
HELD = (
    "SELECT trade_id FROM trades WHERE state = 'open' AND NOT EXISTS (SELECT FROM orders WHERE is_unfinished)"
)


@dataclass(slots=True)
class OnAServer(World):
    """A world whose database outlives its daemons."""

    shared: EmbeddedServer | None = None

    async def server(self) -> EmbeddedServer:
        assert self.shared is not None
        return self.shared


@dataclass(slots=True)
class Scene:
    world: World
    relay: Relay

    def settings(self, text: str) -> str:
        dsn = f"postgresql:///recio?host={self.relay.folder}&user={SUPERUSER}"
        quick = text.replace("max_send_delay_seconds = 60.0", "max_send_delay_seconds = 8.0")
        stops = quick.replace("[exit]\n", f"[exit]\n{STOP_AT_ONCE}")
        keeps = stops.replace("[entry]\n", "[entry]\nonly_what_exit_keeps = false\n")
        return keeps + f'[database]\ndsn = "{dsn}"\n'

    def begin(self) -> None:
        self.world.start_daemon(settings=self.settings)

    async def switch(self, connection: asyncpg.Connection[asyncpg.Record], name: str, *, is_on: bool) -> None:
        await connection.execute(SWITCH, name, is_on)

    async def a_trade_is_held(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Bought, and kept because the stop is switched off."""
        await until(lambda: self.world.shows(bool))
        await self.switch(connection, "exit", is_on=False)
        await until(lambda: self.world.shows(lambda seen: seen["switches"]["exit"] is False))
        await rows_of(connection, HELD)
        await self.switch(connection, "entry", is_on=False)
        await until(lambda: self.world.shows(lambda seen: seen["switches"]["entry"] is False))
        await rows_of(connection, HELD)

    async def the_stop_sells(self) -> None:
        """Whatever ends the daemon, a supervisor starts it again."""

        def sold() -> bool:
            assert self.world.daemon is not None
            if self.world.daemon.poll() is not None:
                assert self.world.daemon.returncode == 75, self.world.log()[-2000:]
                self.begin()
            return not self.holds()

        await until(sold)

    def holds(self) -> bool:
        """At the venue, whatever the rows say."""
        ledger, held = self.world.ledger(), Counter[str]()
        for fill in ledger["fills"]:
            count = round(Decimal(fill["count_fp"]) * 100)
            held[fill["ticker"]] += count if fill["book_side"] == "bid" else -count
        assert not ledger["settlements"], "the market ended before the stop had sold"
        return any(held.values())


@asynccontextmanager
async def a_scene() -> AsyncIterator[tuple[Scene, asyncpg.Connection[asyncpg.Record]]]:
    async with database() as (root, server), database_relay(root / "wire", server.socket_dir) as relay:
        relay.placing = b"place_exit"
        await server.ensure_database("recio")
        connection = await asyncpg.connect(server.dsn("recio"))
        try:
            with a_world() as found:
                world = OnAServer(root=found.root, speed=4.0, shared=server)
                try:
                    await world.start_exchange()
                    scene = Scene(world, relay)
                    scene.begin()
                    yield scene, connection
                finally:
                    end(world)
        finally:
            await relay.drop_all()
            await connection.close()


def end(world: World) -> None:
    for process in (world.daemon, world.exchange):
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()


async def rows_of(
    connection: asyncpg.Connection[asyncpg.Record], query: str, count: int = 1
) -> list[asyncpg.Record]:
    """Once there are so many."""
    found: list[asyncpg.Record] = []

    async def there() -> bool:
        found[:] = await connection.fetch(query)
        return len(found) >= count

    await until_true(there, PATIENCE, lambda: f"{len(found)} rows of {query}")
    return found


async def test_a_sale_whose_connection_the_server_ended_while_it_was_in_hand_is_made_by_the_next_run_of_trade_manager():
    async with a_scene() as (scene, connection):
        await scene.a_trade_is_held(connection)
        await connection.execute("SELECT pg_advisory_lock($1)", AUDIT_LOCK)
        await scene.switch(connection, "exit", is_on=True)
        ((pid,),) = await rows_of(connection, WAITS)
        await connection.execute("SELECT pg_terminate_backend($1)", pid)
        await until(lambda: scene.world.events("task restarts"))
        assert [pid] not in [[*each] for each in await rows_of(connection, WAITS)]
        await connection.execute("SELECT pg_advisory_unlock($1)", AUDIT_LOCK)
        await scene.the_stop_sells()
        assert scene.world.lives == 1
        assert (
            await connection.fetchval("SELECT count(*) FROM orders WHERE purpose = 'exit' AND attempt > 1")
            == 0
        )
        await books_come_to_agree(scene.world)


async def test_a_sale_that_the_server_carries_out_after_its_connection_broke_and_the_rows_were_read_anew_costs_a_start_and_no_stop():
    """Held as open by memory and not by the rows, it was asked for again and again in a turn that never ended: nothing else
    of the account was dealt with any more, and nothing was sold."""
    async with a_scene() as (scene, connection):
        await scene.a_trade_is_held(connection)
        await connection.execute("SELECT pg_advisory_lock($1)", AUDIT_LOCK)
        scene.relay.cut = Cut.DURING_COMMIT
        await scene.switch(connection, "exit", is_on=True)
        await rows_of(
            connection, WAITS, 2
        )  # the one that nobody waits for any more, and the one of the next run
        await connection.execute("SELECT pg_advisory_unlock($1)", AUDIT_LOCK)
        await scene.the_stop_sells()
        assert scene.world.lives == 2
        await books_come_to_agree(scene.world)


async def test_a_sale_whose_row_took_long_is_not_taken_for_absent_while_its_request_may_still_arrive():
    """Its request leaves when its row is there, and the time in which it may arrive begins then: seconds after the decision."""
    async with a_scene() as (scene, connection):
        await scene.a_trade_is_held(connection)
        await connection.execute("SELECT pg_advisory_lock($1)", AUDIT_LOCK)
        await scene.switch(connection, "exit", is_on=True)
        await rows_of(connection, f"{WAITS} AND query_start < clock_timestamp() - interval '8.6 seconds'")
        scene.world.arm("late_request", seconds=5.0)
        await connection.execute("SELECT pg_advisory_unlock($1)", AUDIT_LOCK)
        await scene.the_stop_sells()
        await books_come_to_agree(scene.world)
        sales = await connection.fetch("SELECT state, note FROM orders WHERE purpose = 'exit'")
        # The bid may have fallen below its limit by then: then the venue cancels it, and the next one sells.
        assert "not_found" not in [each["state"] for each in sales], sales
