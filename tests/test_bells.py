"""Bells: no ring is lost, what rings together wakes once, and nobody sleeps longer than asked."""

from __future__ import annotations

import asyncio
import gc

import anyio
import anyio.lowlevel

from recio.bells import Bell, woken_by
from recio.wires import Latest


async def test_a_ring_while_the_reader_works_is_not_lost():
    bell = Bell()
    bell.ring()
    with anyio.fail_after(3):
        await bell.wait(60)


async def test_a_sleeper_is_woken_by_any_of_its_wires_and_by_what_comes_together_once():
    prices, rows = Latest[int](), Latest[int]()
    woken: list[tuple[int | None, int | None]] = []

    async def read() -> None:
        with woken_by(prices, rows) as bell:
            while len(woken) < 2:
                await bell.wait(60)
                woken.append((prices.get(), rows.get()))

    with anyio.fail_after(3):
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            prices.set(1)
            prices.set(2)
            rows.set(3)
            while not woken:
                await anyio.lowlevel.checkpoint()
            rows.set(4)
    assert woken == [(2, 3), (2, 4)]


async def test_a_bell_that_nobody_rings_wakes_by_itself():
    with anyio.fail_after(3):
        await Bell().wait(0.001)


async def test_a_reader_that_is_gone_is_not_rung_any_more():
    wire = Latest[int]()
    with woken_by(wire) as bell:
        pass
    wire.set(1)
    with anyio.move_on_after(0.02) as waited:
        await bell.wait(60)
    assert waited.cancelled_caught


async def test_the_time_of_an_earlier_wait_neither_wakes_a_later_one_nor_makes_it_late():
    wire = Latest[int]()
    loop = asyncio.get_running_loop()
    with woken_by(wire) as bell, anyio.fail_after(3):
        began = loop.time()
        wire.set(1)
        for seconds in (0.0, 0.05, 0.2, 0.02):
            asked = loop.time()
            with anyio.CancelScope() as scope:
                if seconds == 0.05:  # given up at once: its time is still running when the next wait begins
                    scope.cancel()
                await bell.wait(seconds)
            if seconds in (0.2, 0.02):
                assert loop.time() - asked > seconds - 0.002
        assert loop.time() - began < 2


async def test_a_bell_that_nobody_hears_any_more_leaves_no_timer_behind():
    wire = Latest[int]()
    with woken_by(wire) as bell, anyio.move_on_after(0):
        await bell.wait(3600)
    handles = [each for each in gc.get_objects() if isinstance(each, asyncio.TimerHandle)]
    in_half_an_hour = asyncio.get_running_loop().time() + 1800
    assert not [each for each in handles if each.when() > in_half_an_hour and not each.cancelled()]
