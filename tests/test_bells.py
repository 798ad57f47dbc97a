"""Bells: no ring is lost, what rings together wakes once, and nobody sleeps longer than asked."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, cast

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


class Stalled(asyncio.SelectorEventLoop):
    """Stands still for longer than a timer was asked for: as uvloop does, it then gives a handle that cannot say when it is."""

    def __init__(self, bell: Bell) -> None:
        super().__init__()
        self.bell, self.asked = bell, 0

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        self.asked += callback == self.bell._time_is_up
        if callback != self.bell._time_is_up or self.asked != 2:
            return super().call_at(when, callback, *args, context=context)
        self.bell.ring()
        return cast("asyncio.TimerHandle", self.call_soon(callback, *args, context=context))


def test_a_machine_that_stood_still_past_the_end_of_a_wait_breaks_no_wait_after_it():
    bell = Bell()

    async def waits() -> None:
        asyncio.get_running_loop().call_soon(bell.ring)
        await bell.wait(0.02)
        await bell.wait(60)
        with anyio.fail_after(3):
            await bell.wait(0.02)

    with asyncio.Runner(loop_factory=lambda: Stalled(bell)) as runner:
        runner.run(waits())
