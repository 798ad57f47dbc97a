"""A backup restored beside a venue that went on: what it forgot is asked for first, and nothing is ever traded twice."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import anyio
import asyncpg
import pytest

from recio.db.embedded import EmbeddedServer, start_embedded, stop_embedded
from tests.stories.person import open_ticker, person
from tests.stories.world import PATIENCE, World, a_world, until

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
    """None as far as is known while a busy machine lets the exchange wait."""
    try:
        return {fill["trade_id"] for fill in world.ledger()["fills"]}
    except TimeoutError:
        return set()


async def rows(server: EmbeddedServer, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(server.dsn("recio"))
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()


def an_hour_to_the_close(text: str) -> str:
    return text.replace("min_seconds_to_close = 20", "min_seconds_to_close = 20\nmax_seconds_to_close = 3600")


def start_on_restored(world: World, settings: Callable[[str], str] = an_hour_to_the_close) -> None:
    world.start_daemon(
        settings=lambda text: settings(text).replace(f'"{world.root / "data"}"', f'"{world.root / "back"}"')
    )


def eager_to_sell(text: str) -> str:
    """Several times between two comparisons that nobody asks for, as with the usual settings."""
    return (
        an_hour_to_the_close(text)
        .replace("[exit]", "[exit]\nstop_probability = 0.99\nmin_hold_seconds = 0")
        .replace("reconcile_every_seconds = 2.0", "reconcile_every_seconds = 15.0")
    )


@pytest.mark.long
async def test_an_order_that_the_backup_forgot_and_that_rests_is_cancelled_and_what_others_bought_is_named():
    with a_world() as world:
        world.speed = 3.0  # nothing closes before it is looked at
        await world.start_exchange("--window-seconds", "3600")
        world.start_daemon(settings=an_hour_to_the_close)
        await until(lambda: world.events("cash agreed"))
        tag = (await world.rows("SELECT tag FROM identity"))[0]["tag"]
        recio(world, "backup", "--data-dir", "data", "--to", "backups")
        world.kill()
        await stop_embedded(await world.server())
        forgotten = {
            "ticker": open_ticker(world),
            "side": "bid",
            "count": "3",
            "price": "0.0100",
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "taker_at_cross",
            "client_order_id": f"recio-{tag}-999-entry-1",
        }
        filled = {"price": "0.9900", "time_in_force": "immediate_or_cancel"}
        filled |= {"client_order_id": f"recio-{tag}-998-entry-1"}
        person(world, "POST", "/portfolio/events/orders", forgotten)
        person(world, "POST", "/portfolio/events/orders", forgotten | filled)
        recio(world, "restore", "--from", "backups", "--into", "back")
        start_on_restored(world)
        await until(
            lambda: [line for line in world.events("halt verified at the venue") if line["cancelled"] == 1]
        )
        assert person(world, "GET", "/portfolio/orders?status=resting")["orders"] == []
        told = {line["cause"]: line["resolution"] for line in world.events("halted")}
        (resting,) = (each for each in told if "-999-entry-1 is at the venue and has no row" in each)
        assert "this halt cancels it" in told[resting]
        (other,) = (each for each in told if "-998-entry-1 is at the venue and has no row" in each)
        assert "such orders made on" in told[other]
        assert forgotten["ticker"] in told[other]
        assert world.stop() == 0


@pytest.mark.long
async def test_an_order_without_a_proven_end_inside_the_backup_is_found_after_the_restore_and_counted_once():
    with a_world() as world:
        world.speed = 3.0  # nothing closes before it is looked at
        await world.start_exchange("--window-seconds", "3600")
        for channel in ("fill", "user_orders"):
            world.arm("channel_silent", channel=channel, seconds=600)
        world.arm("lag_reads", seconds=600, lag_seconds=600)
        world.arm("lose_reply", count=1)
        world.start_daemon(settings=an_hour_to_the_close)
        await until(lambda: fills(world))
        await until(lambda: world.events("order without an answer") or world.events("order unknown"), 20)
        recio(world, "backup", "--data-dir", "data", "--to", "backups")
        doubtful = await world.rows("SELECT client_order_id, state FROM orders")
        assert [row["state"] for row in doubtful] == ["unknown"]
        world.kill()
        await stop_embedded(await world.server())
        recio(world, "restore", "--from", "backups", "--into", "back")
        world.disarm()

        start_on_restored(world)
        await until(lambda: world.events("database ready"))
        server = await start_embedded(world.root / "back", make=False)
        try:
            found = "SELECT o.state, t.state AS trade, t.entry_quantity FROM orders AS o JOIN trades AS t USING (trade_id) WHERE o.client_order_id = '{}'"
            (row,) = await rows(server, found.format(doubtful[0]["client_order_id"]))
            with anyio.fail_after(120):
                while row["state"] != "filled" or row["trade"] == "opening":
                    (row,) = await rows(server, found.format(doubtful[0]["client_order_id"]))
            (order,) = (
                each
                for each in world.ledger()["orders"]
                if each["client_order_id"] == doubtful[0]["client_order_id"]
            )
            assert f"{row['entry_quantity']:.2f}" == order["fill_count_fp"]
            assert [line for line in world.events("halted") if "has no row" in line["cause"]] == []
            assert len(placed(world)) == len(set(placed(world)))
            assert world.stop() == 0
        finally:
            await stop_embedded(server)


@pytest.mark.long
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

        start_on_restored(world)
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


@pytest.mark.long
async def test_a_sale_that_the_backup_forgot_is_named_and_sells_nothing_twice():
    """By its rows the restored daemon holds what was sold since, and tries to sell it again and again: nothing is there to be sold."""
    with a_world() as world:
        world.speed = 3.0  # nothing closes before it is looked at
        await world.start_exchange("--window-seconds", "3600")
        world.start_daemon(settings=an_hour_to_the_close)
        await until(lambda: world.events("trade open"))
        recio(world, "backup", "--data-dir", "data", "--to", "backups")
        recio(world, "flatten", "--data-dir", "data", "--by", "Ann")
        assert world.stop() == 0
        await stop_embedded(await world.server())
        sold = fills(world)
        recio(world, "restore", "--from", "backups", "--into", "back")
        start_on_restored(world, eager_to_sell)
        named = "without recio, which holds"
        await until(lambda: [line for line in world.events("halted") if named in line["cause"]], 2 * PATIENCE)
        assert fills(world) == sold
        recio(
            world, "statement", "--config", "recio.toml"
        )  # whatever the row of the trade says, each cent is
        assert world.stop() == 0
