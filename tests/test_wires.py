"""Wires: a Latest never shows old as new, a Queue loses nothing, and each has one writer."""

from __future__ import annotations

import anyio
import anyio.lowlevel

from recio.wires import WRITERS, Latest, Queue, Wires


async def test_a_reader_is_woken_by_a_newer_value_and_gets_the_newest():
    wire: Latest[int] = Latest()
    got: list[int | None] = []

    async def read() -> None:
        version = await wire.newer_than(0)
        got.append(wire.get())
        await wire.newer_than(version)
        got.append(wire.get())

    with anyio.fail_after(3):
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            wire.set(1)
            await anyio.wait_all_tasks_blocked()
            wire.set(2)
            wire.set(3)
    assert got == [1, 3]


async def test_a_value_set_before_reading_is_not_missed():
    wire: Latest[int] = Latest()
    wire.set(7)
    with anyio.fail_after(3):
        assert await wire.newer_than(0) == 1


async def test_a_full_queue_blocks_its_sender_and_loses_nothing():
    queue: Queue[int] = Queue(2)
    got: list[int] = []

    async def send() -> None:
        for item in range(10):
            await queue.send(item)

    with anyio.fail_after(3):
        async with anyio.create_task_group() as group:
            group.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            assert queue.depth == 2
            while len(got) < 10:
                got.append(await queue.receive())
    assert got == list(range(10))
    queue.close()


async def test_a_receiver_that_is_cancelled_takes_nothing_with_it():
    queue: Queue[int] = Queue(2)
    with anyio.move_on_after(0.01):
        await queue.receive()
    await queue.send(1)
    with anyio.fail_after(3):
        assert await queue.receive() == 1
    queue.close()


def test_every_wire_has_a_declared_writer():
    wires = Wires()
    assert set(WRITERS) == set(Wires.__slots__)
    wires.close()


async def test_an_item_is_unfinished_until_its_reader_has_dealt_with_it():
    queue: Queue[int] = Queue(2)
    await queue.send(1)
    await queue.send(2)
    assert await queue.receive() == 1
    assert (queue.depth, queue.unfinished) == (1, 2)
    queue.done()
    assert queue.unfinished == 1
    queue.close()


async def test_a_sender_may_wait_until_all_that_it_sent_was_dealt_with():
    queue: Queue[int] = Queue(2)
    await queue.finished()
    await queue.send(1)
    await queue.send(2)
    assert (queue.receive_waiting(), queue.receive_waiting(), queue.receive_waiting()) == (1, 2, None)
    waited = anyio.Event()

    async def wait() -> None:
        await queue.finished()
        waited.set()

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        queue.done()
        await anyio.wait_all_tasks_blocked()
        assert not waited.is_set()
        queue.done()
    queue.close()


async def test_what_could_not_be_sent_is_not_waited_for():
    queue: Queue[int] = Queue(1)
    await queue.send(1)
    with anyio.move_on_after(0):
        await queue.send(2)
    assert queue.unfinished == 1
    queue.close()


async def test_what_a_reader_was_ended_over_is_not_waited_for_once_another_begins():
    queue: Queue[int] = Queue(2)
    for item in range(2):
        await queue.send(item)
    assert await queue.receive() == 0  # and nobody deals with it
    queue.begin_anew()
    assert queue.unfinished == 1
    assert await queue.receive() == 1
    queue.done()
    with anyio.fail_after(3):
        await queue.finished()
    queue.close()


async def test_what_is_just_being_sent_while_another_reader_begins_is_waited_for_until_it_is_dealt_with():
    """Counted by what lies in the queue at that instant, it was one too few for good, and its sender waited for ever."""
    queue: Queue[int] = Queue(2)
    async with anyio.create_task_group() as group:
        group.start_soon(queue.send, 1)
        while not queue.unfinished:
            await anyio.lowlevel.checkpoint()
        queue.begin_anew()
    assert (queue.depth, queue.unfinished) == (1, 1)
    assert await queue.receive() == 1
    queue.done()
    with anyio.fail_after(3):
        await queue.finished()
    queue.close()
