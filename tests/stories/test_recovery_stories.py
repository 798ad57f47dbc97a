"""Real processes, real kills: no order is lost, doubled or forgotten, and the books equal the exchange's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from recio.rules.account.lifecycle import UNPROVEN
from tests.stories.world import World, a_world, books_come_to_agree, until

pytestmark = pytest.mark.timeout(400)


async def _settled(world: World) -> None:
    """Every order has a proven end, every fill is here, and the account was compared since."""

    def done() -> bool:
        try:
            status = world.status()
        except OSError:
            return False
        states = {order["state"] for order in status["orders"]}
        return bool(status["orders"]) and not states & UNPROVEN and status["ready"]

    await until(done)


@pytest.mark.long
async def test_an_order_whose_answer_is_still_out_when_the_daemon_is_killed_is_adopted_by_the_next():
    with a_world() as world:
        await world.start_exchange()
        world.arm("delay_reply", count=1, seconds=30)
        world.start_daemon()
        await until(lambda: world.ledger()["orders"])
        world.kill()
        before = await world.rows("SELECT state, note FROM orders")
        assert len(before) == 1
        assert before[0]["note"] != "accepted", "the answer was to be still out"
        world.start_daemon()
        # The fill may be heard before the kill or after it; either way the trade goes on in the next life.
        await until(
            lambda: (
                world.events("trade open")
                or world.events("trade ended")
                or [each for each in world.events("found open") if each["trades"]]
            )
        )
        await _settled(world)
        await books_come_to_agree(world)


async def test_an_order_that_never_arrived_is_proven_absent_and_not_sent_again():
    with a_world() as world:
        await world.start_exchange()
        world.arm("lose_request", count=1)
        world.start_daemon()
        await until(lambda: world.events("order unknown"))
        lost = world.events("order unknown")[0]["order"]
        await until(lambda: [each for each in world.events("order ended") if each["order"] == lost])
        await _settled(world)
        await books_come_to_agree(world)
        rows = await world.rows("SELECT client_order_id, state, note FROM orders ORDER BY created_at")
        assert (rows[0]["client_order_id"], rows[0]["state"]) == (lost, "not_found")
        assert lost not in {order["client_order_id"] for order in world.ledger()["orders"]}


async def test_an_order_whose_answer_was_lost_is_found_and_counted_once():
    with a_world() as world:
        await world.start_exchange()
        world.arm("lose_reply", count=1)
        world.start_daemon()
        await until(lambda: world.events("order unknown"))
        lost = world.events("order unknown")[0]["order"]
        await _settled(world)
        await books_come_to_agree(world)
        assert [order["client_order_id"] for order in world.ledger()["orders"]].count(lost) == 1


@pytest.mark.long
async def test_an_order_that_is_carried_out_after_its_sender_gave_it_up_is_found_and_counted_once():
    """The proof of its absence has begun by then."""
    with a_world() as world:
        await world.start_exchange()
        world.arm("late_request", count=1, seconds=5)
        world.start_daemon()
        await until(lambda: world.events("order unknown"))
        late = world.events("order unknown")[0]["order"]
        await until(lambda: late in {order["client_order_id"] for order in world.ledger()["orders"]})
        await _settled(world)
        await books_come_to_agree(world)
        (row,) = await world.rows(f"SELECT state FROM orders WHERE client_order_id = '{late}'")
        assert row["state"] != "not_found"
        assert [order["client_order_id"] for order in world.ledger()["orders"]].count(late) == 1


@pytest.mark.long
async def test_killed_again_and_again_while_trading_the_books_still_agree():
    with a_world() as world:
        await world.start_exchange("--window-seconds", "120")
        for _ in range(4):
            world.start_daemon()
            await until(lambda: world.events("order pending") or world.events("fill"))
            world.kill()
        world.start_daemon()
        await _settled(world)
        await books_come_to_agree(world)


async def test_the_database_killed_under_the_daemon_is_waited_for_inside_it_and_costs_nothing_but_time():
    with a_world() as world:
        await world.start_exchange()
        world.start_daemon()
        await until(lambda: world.events("fill"))
        pid = int((world.root / "data" / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        assert world.daemon is not None
        # Without its lock it may not go on: it waits for its database, starts the one that it runs itself, and begins anew.
        await until(lambda: len(world.events("database ready")) == 2)
        assert world.events("waits for the database")
        await _settled(world)
        assert world.daemon.poll() is None
        await books_come_to_agree(world)


async def test_asked_to_stop_it_leaves_no_order_unanswered_and_no_database_running():
    with a_world() as world:
        await world.start_exchange()
        world.start_daemon()
        await until(lambda: world.events("order pending"))
        assert world.stop() == 0
        assert not (world.root / "data" / "postgres" / "postmaster.pid").exists()
        states = {row["state"] for row in await world.rows("SELECT state FROM orders")}
        assert not states & {"pending"}
        world.start_daemon()
        await books_come_to_agree(world)


async def test_a_second_daemon_on_one_account_is_refused():
    with a_world() as world:
        await world.start_exchange()
        world.start_daemon()
        await until(lambda: world.events("database ready"))
        first, world.port = world.daemon, 0
        world.start_daemon()
        second = world.daemon
        assert second is not None
        assert second.wait(timeout=20) == 78
        assert "one daemon per account" in world.log()
        assert first is not None
        assert first.poll() is None
        first.kill()
        first.wait()


@pytest.mark.long
async def test_a_halt_stops_entries_outlives_a_restart_and_is_cleared_by_resume():
    with a_world() as world:
        await world.start_exchange()
        world.start_daemon()
        await until(lambda: world.events("database ready"))
        await world.rows(
            "INSERT INTO halts (cause, since, set_by, resolution) VALUES ('by hand', now(), 'test', 'look')"
            " RETURNING cause"
        )
        await until(lambda: _halts(world) == ["by hand"])
        world.kill()
        world.start_daemon()
        await until(lambda: _halts(world) == ["by hand"])
        sent = len(world.ledger()["orders"])
        done = subprocess.run(
            [sys.executable, "-m", "recio", "resume", "--config", "recio.toml", "--by", "test"],
            cwd=world.root,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "cleared: by hand\n"), done.stderr
        await until(lambda: _halts(world) == [])
        if sent == 0:
            await until(lambda: world.ledger()["orders"])
        world.kill()


def _halts(world: World) -> list[str] | None:
    try:
        return [halt["cause"] for halt in world.status()["halts"]]
    except OSError:
        return None
