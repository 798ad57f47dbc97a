"""A backup restored beside a venue that went on: what it forgot is asked for first, and nothing is ever traded twice."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable

import anyio
import asyncpg
import pytest

from recio.db.embedded import EmbeddedServer, start_embedded, stop_embedded
from recio.test_hooks.crash_points import VARIABLE
from tests.stories.person import net, open_ticker, person
from tests.stories.world import PATIENCE, World, a_world, books_agree, books_come_to_agree, until

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
async def test_an_order_that_the_backup_forgot_and_that_rests_is_cancelled_and_what_others_bought_is_held():
    with a_world() as world:
        world.speed = 3.0  # nothing closes before it is looked at
        await world.start_exchange("--window-seconds", "3600")
        world.start_daemon(settings=lambda text: buying_nothing(an_hour_to_the_close(text)))
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
        start_on_restored(world, lambda text: buying_nothing(an_hour_to_the_close(text)))
        await until(
            lambda: [line for line in world.events("halt verified at the venue") if line["cancelled"] == 1]
        )
        assert person(world, "GET", "/portfolio/orders?status=resting")["orders"] == []
        told = {line["cause"]: line["resolution"] for line in world.events("halted")}
        (resting,) = (each for each in told if "-999-entry-1 is at the venue and has no row" in each)
        assert "this halt cancels it" in told[resting]
        assert not [each for each in told if "-998-" in each]
        (opened,) = world.events("trade open")
        assert (opened["ticker"], opened["quantity"]) == (forgotten["ticker"], "3.00")
        assert "1 order, 1 trade made anew of them, 1 fill" in world.events("brought in")[0]["sentence"]
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
            await until(lambda: len(placed(world)) > len(before))
            after = placed(world)
            assert len(after) == len(set(after))
            new = after[len(before) :]
            assert all(f"-{tags['new_tag']}-" in each for each in new)
            assert all(f"-{tags['old_tag']}-" in each for each in before)
            # All that was forgotten has its rows, and the settlements of it are booked.
            assert set(before) <= {
                row["client_order_id"] for row in await rows(server, "SELECT client_order_id FROM orders")
            }
            assert [line["cause"] for line in world.events("halted")] == []
            assert world.stop() == 0
        finally:
            await stop_embedded(server)


@pytest.mark.long
async def test_a_sale_that_the_backup_forgot_is_brought_in_and_sells_nothing_twice():
    """By its rows the restored daemon holds what was sold since, and may try to sell it: nothing is there to be sold."""
    with a_world() as world:
        world.speed = 3.0  # nothing closes before it is looked at
        await world.start_exchange("--window-seconds", "3600")
        world.start_daemon(settings=an_hour_to_the_close)
        await until(lambda: world.events("trade open"))
        recio(world, "backup", "--data-dir", "data", "--to", "backups")
        recio(world, "flatten", "--data-dir", "data", "--by", "Ann")
        assert world.stop() == 0
        await destroy_and_restore(world)
        sold = fills(world)
        world.start_daemon(settings=lambda text: buying_nothing(eager_to_sell(text)))
        await until(lambda: world.events("brought in"), 2 * PATIENCE)
        assert fills(world) == sold
        assert await world.rows("SELECT FROM trades WHERE is_live") == []
        assert [line["cause"] for line in world.events("halted")] == []
        await books_come_to_agree(world)
        recio(world, "statement", "--config", "recio.toml")  # each cent is there
        assert world.stop() == 0


def buying_nothing(text: str) -> str:
    return text.replace("[entry]\nenabled = true", "[entry]\nenabled = false")


async def destroy_and_restore(world: World) -> None:
    await stop_embedded(await world.server())
    shutil.rmtree(world.root / "data")
    recio(world, "restore", "--from", "backups", "--into", "data")


KILLED_AT = ("PAST_ORDERS_READ:1", "FORGOTTEN_ORDER_WRITTEN:2", "BRINGING_IN_BEFORE_COMMIT:1")


@pytest.mark.long
async def test_what_was_sold_and_bought_after_the_backup_is_there_after_three_kills_and_is_sold_by_its_stop():
    with a_world() as world:
        world.speed = 3.0  # nothing closes before it is looked at
        await world.start_exchange("--window-seconds", "3600")
        world.start_daemon(settings=an_hour_to_the_close)
        await until(lambda: world.events("trade open"))
        recio(world, "backup", "--data-dir", "data", "--to", "backups")
        recio(world, "flatten", "--data-dir", "data", "--by", "Ann")
        await until(lambda: world.events("trade ended"))
        sold = len(world.events("trade open"))
        recio(world, "resume", "--data-dir", "data", "--by", "Ann")
        await until(lambda: len(world.events("trade open")) > sold)
        world.kill()
        await destroy_and_restore(world)
        at_venue = {each["client_order_id"]: each for each in world.ledger()["orders"]}
        for point in KILLED_AT:
            world.surroundings[VARIABLE] = point
            world.start_daemon(settings=lambda text: buying_nothing(an_hour_to_the_close(text)))
            await until(lambda: world.daemon is not None and world.daemon.poll() is not None)
            assert f"{point.partition(':')[0]} reached" in world.log()
        del world.surroundings[VARIABLE]
        world.start_daemon(settings=lambda text: buying_nothing(an_hour_to_the_close(text)))
        await until(lambda: world.events("brought in"))
        (done,) = await world.rows("SELECT * FROM brought_in")
        assert done["finished_at"] is not None
        assert done["left_out"] == []
        await until(lambda: world.shows(bool))
        await books_agree(world)
        held = await world.rows(
            "SELECT ticker, entry_quantity - exit_quantity AS held FROM trades WHERE is_live"
        )
        assert {row["ticker"]: row["held"] for row in held} == {
            ticker: abs(net(world, ticker))
            for ticker in {each["ticker"] for each in at_venue.values()}
            if net(world, ticker)
        }
        assert held
        assert world.stop() == 0
        # Its stop looks after what was brought in.
        world.start_daemon(settings=lambda text: buying_nothing(eager_to_sell(text)))
        await until(lambda: len(world.events("trade ended")) >= len(held), 2 * PATIENCE)
        assert all(net(world, row["ticker"]) == 0 for row in held)
        assert world.events("brought in") == []
        assert [line["cause"] for line in world.events("halted")] == []
        await books_come_to_agree(world)
        assert world.stop() == 0
