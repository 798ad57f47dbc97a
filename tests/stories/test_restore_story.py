"""A backup restored beside a venue that went on: what it forgot is asked for first, and nothing is ever traded twice."""

from __future__ import annotations

import subprocess
import sys

import asyncpg
import pytest

from recio.db.embedded import EmbeddedServer, start_embedded, stop_embedded
from tests.stories.world import World, a_world, until

pytestmark = pytest.mark.timeout(400)


def recio(world: World, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "recio", *arguments],
        cwd=world.root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def placed(world: World) -> list[str]:
    return [order["client_order_id"] for order in world.ledger()["orders"]]


def fills(world: World) -> set[str]:
    return {fill["trade_id"] for fill in world.ledger()["fills"]}


async def rows(server: EmbeddedServer, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(server.dsn("recio"))
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()


async def test_a_restored_daemon_learns_what_the_backup_forgot_and_trades_nothing_twice():
    with a_world() as world:
        await world.start_exchange()
        world.start_daemon()
        await until(lambda: len(fills(world)) >= 1)
        recio(world, "backup", "--data-dir", "data", "--to", "backups")
        in_backup = fills(world)
        await until(lambda: len(fills(world) - in_backup) >= 2)
        world.kill()
        await stop_embedded(await world.server())
        recio(world, "restore", "--from", "backups", "--into", "back")
        forgotten, before = fills(world) - in_backup, placed(world)
        assert forgotten

        world.start_daemon(
            settings=lambda text: text.replace(f'"{world.root / "data"}"', f'"{world.root / "back"}"')
        )
        await until(lambda: world.events("database ready"))
        server = await start_embedded(world.root / "back", make=False)
        try:
            known = set[str]()
            while not forgotten <= known:
                known = {row["fill_id"] for row in await rows(server, "SELECT fill_id FROM fills")}
            (tags,) = await rows(server, "SELECT old_tag, new_tag FROM restores")
            # A difference that it cannot explain halts it, and then a person looks before it buys anything again.
            recio(world, "resume", "--data-dir", "back", "--by", "me")
            await until(lambda: len(placed(world)) > len(before))
            after = placed(world)
            assert len(after) == len(set(after))
            new = after[len(before) :]
            assert all(f"-{tags['new_tag']}-" in each for each in new)
            assert all(f"-{tags['old_tag']}-" in each for each in before)
            assert world.stop() == 0
        finally:
            await stop_embedded(server)
