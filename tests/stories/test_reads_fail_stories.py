"""Every read of the venue may fail for as long as it likes: what is held can be sold, and is settled, all the same."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from tests.stories.failing_reads import (
    ANSWERS,
    EVERYTHING,
    READS,
    held_for_a_while,
    rows_until,
    sells_at_any_bid,
    sold,
    switch_exit,
)
from tests.stories.world import a_world, books_come_to_agree, until

pytestmark = pytest.mark.timeout(600)


async def test_a_stop_and_a_flatten_sell_while_any_read_or_every_read_fails_and_the_socket_drops():
    with a_world() as world:
        world.speed = 4.0
        await world.start_exchange()
        world.start_daemon(settings=sells_at_any_bid)
        await until(lambda: world.shows(lambda seen: seen["ready"]))
        # A selection: `make read-faults` takes every read in every manner.
        rounds = [(path, list(ANSWERS)[each % len(ANSWERS)]) for each, path in enumerate(READS)][::3]
        for path, answer in (*rounds, (EVERYTHING, "no answer"), (EVERYTHING, "nulls")):
            await switch_exit(world, on=False)
            trade_id = await held_for_a_while(world)
            world.arm("fail_reads", path=path, **ANSWERS[answer])
            if path == EVERYTHING:
                world.arm("drop_sockets")
            await switch_exit(world, on=True)
            await sold(world, trade_id)
            world.disarm()
        await switch_exit(world, on=False)
        trade_id = await held_for_a_while(world)
        world.arm("fail_reads", path=EVERYTHING, status=503)
        world.arm("drop_sockets")
        dropped = time.monotonic()
        assert world.daemon is not None
        world.daemon.send_signal(signal.SIGUSR2)
        await sold(world, trade_id)
        assert time.monotonic() - dropped < 10
        tasks = world.status()["tasks"]
        assert {name: task["restarts"] for name, task in tasks.items() if task["restarts"]}.keys() <= {
            "market_sync"
        }
        world.disarm()
        await books_come_to_agree(world)
        assert world.stop() == 0


def never_sells(text: str) -> str:
    return text.replace("[exit]\n", "[exit]\nenabled = false\n")


async def test_a_settlement_that_only_the_socket_tells_is_booked_once_and_agrees_with_the_list_later():
    with a_world() as world:
        await world.start_exchange("--window-seconds", "120")
        world.start_daemon(settings=never_sells)
        await until(lambda: world.events("trade open"))
        world.arm("fail_reads", path=EVERYTHING, status=503)
        await rows_until(world, "SELECT payout FROM trades WHERE ended_by = 'settlement'")
        world.disarm()
        await until(lambda: world.events("reads succeed again"))
        await until(lambda: world.shows(lambda seen: seen["ready"]))
        assert not world.status()["halts"]
        await books_come_to_agree(world)
        assert world.stop() == 0


async def test_what_cannot_be_read_is_shown_with_its_age_and_stops_entries_and_nothing_else():
    with a_world() as world:
        await world.start_exchange()
        world.start_daemon(settings=lambda text: text + "[health]\nmax_list_age_seconds = 2.0\n")
        await until(lambda: world.shows(lambda seen: seen["ready"]))
        world.arm("fail_reads", path="/markets", status=404)
        await until(lambda: world.shows(lambda seen: blocked(seen, "venue not read")))
        seen = world.status()
        read = next(each for each in seen["venue"]["reads"] if each["read"] == "markets of KXBTC15M")
        assert "404" in read["fault"]
        assert read["age_seconds"] > 0
        assert all(row["book_ok"] for row in seen["board"])
        assert seen["tasks"]["market_sync"]["restarts"] == seen["tasks"]["discovery"]["restarts"] == 0
        assert len(world.events("read fails")) == 1
        world.disarm()
        await until(lambda: world.shows(lambda seen: seen["ready"]))
        world.kill()


def blocked(seen: dict[str, Any], condition: str) -> bool:
    return condition in {each["condition"] for each in seen["blocks"]}


@pytest.mark.long
async def test_after_a_start_without_any_read_what_is_held_is_known_and_sold_and_nothing_is_bought():
    with a_world() as world:
        world.speed = 2.0
        await world.start_exchange()
        world.start_daemon(settings=never_sells)
        await until(lambda: world.events("trade open"))
        world.kill()
        world.arm("fail_reads", path=EVERYTHING, status=503)
        world.start_daemon(settings=sells_at_any_bid)
        await until(lambda: world.events("held markets known from our own rows"))
        await until(lambda: world.shows(lambda seen: seen["board"] and seen["board"][0]["book_ok"]))
        await until(lambda: world.events("exit wanted"))
        await rows_until(world, "SELECT 1 FROM trades WHERE ended_by = 'exit'")
        assert not world.events("entry wanted")
        assert blocked(world.status(), "venue not read")
        world.disarm()
        world.kill()


@pytest.mark.long
async def test_a_close_that_the_venue_moves_moves_with_what_is_held_though_no_list_can_be_read():
    with a_world() as world:
        world.speed = 2.0
        await world.start_exchange()
        world.start_daemon(settings=never_sells)
        await until(lambda: world.events("trade open"))
        (before,) = await world.rows("SELECT ticker, closes_at FROM trades WHERE state = 'open'")
        world.arm("fail_reads", path=EVERYTHING, status=404)
        world.arm("move_close", ticker=before["ticker"], seconds=60)
        now_at = "SELECT closes_at FROM trades WHERE state = 'open'"
        await rows_until(world, now_at, lambda rows: rows[0]["closes_at"] != before["closes_at"], 20)
        assert len(await world.rows("SELECT 1 FROM audit_log WHERE kind = 'close moved'")) == 1
        world.kill()


def of_long_windows(text: str) -> str:
    return never_sells(text).replace("[entry]\n", "[entry]\nmax_seconds_to_close = 3500\n")


async def test_a_flatten_sells_on_a_market_that_goes_on_after_a_stop_though_nobody_heard_it_and_no_list_says_it():
    with a_world() as world:
        await world.start_exchange("--window-seconds", "3600")
        world.start_daemon(settings=of_long_windows)
        await until(lambda: world.events("trade open"))
        (held,) = await world.rows("SELECT trade_id, ticker FROM trades WHERE state = 'open'")
        world.arm("deactivate", ticker=held["ticker"], seconds=4)
        await until(lambda: world.shows(lambda seen: shows(seen, held["ticker"], "inactive")))
        world.arm("silence", seconds=5)
        world.arm("fail_reads", path=EVERYTHING, status=503)
        world.arm("drop_sockets")
        await until(lambda: world.shows(lambda seen: shows(seen, held["ticker"], "unknown")))
        assert world.daemon is not None
        world.daemon.send_signal(signal.SIGUSR2)
        await sold(world, held["trade_id"])
        world.disarm()
        world.kill()


def shows(seen: dict[str, Any], ticker: str, market_status: str) -> bool:
    return any(row["ticker"] == ticker and row["status"] == market_status for row in seen["board"])
