"""The status page's port against any account of this machine: nobody shuts others out, fills the log, or holds up the loop."""

from __future__ import annotations

import asyncio
import gc
import resource
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import anyio
import pytest
import structlog
from anyio.abc import SocketStream

from recio.tasks import status_http
from recio.tasks.status_http import StatusHttp
from recio.web import door
from recio.web.site import HEADERS
from recio.wires import Wires
from tests.conftest import unused_port
from tests.tasks.status_server import a_page, started

BODY = {"ready": True, "reasons": [], "board": ["x" * 2_000] * 20}
"""As large as a status usually is."""
LONGEST_STRETCH = 0.25
"""Seconds of this thread's own work in which the loop may let nobody else run; usually a few milliseconds."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("FIRST_REQUEST_WITHIN", 0.5), ("PROGRESS_WITHIN", 1.0)):
        monkeypatch.setitem(vars(door), name, seconds)
    monkeypatch.setitem(vars(status_http), "PUSH_EVERY", 0.05)


@pytest.fixture
def lines() -> Iterator[list[dict[str, object]]]:
    with structlog.testing.capture_logs() as captured:
        yield captured  # type: ignore[misc]


@asynccontextmanager
async def a_port() -> AsyncIterator[tuple[StatusHttp, int]]:
    wires = Wires()
    page = a_page(unused_port(), lambda _whole: BODY, wires)
    try:
        async with started(page):
            yield page, page.reach.port
    finally:
        wires.close()


async def knock(stack: AsyncExitStack, port: int, sent: bytes) -> SocketStream:
    stream = await stack.enter_async_context(await anyio.connect_tcp("127.0.0.1", port))
    await stream.send(sent)
    return stream


async def until_shut(stream: SocketStream) -> bytes:
    """What came before the other side closed."""
    heard = b""
    with anyio.fail_after(10):
        try:
            while True:
                heard += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return heard


async def longest_stretch(stop: anyio.Event) -> float:
    """How long somebody who wants to run every five milliseconds was kept waiting by the loop, whatever else the machine does."""
    worst = 0.0
    while not stop.is_set():
        began = time.thread_time()
        await asyncio.sleep(0.005)
        worst = max(worst, time.thread_time() - began)
    return worst


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "sent", [b"", b"GET /status HT", b"POST /halt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"]
)
async def test_whoever_does_not_finish_a_request_is_shut_out(sent: bytes):
    async with a_port() as (_, port), AsyncExitStack() as stack:
        await until_shut(await knock(stack, port, sent))


@pytest.mark.usefixtures("impatient")
async def test_whoever_keeps_a_connection_and_asks_no_more_is_shut_out():
    async with a_port() as (_, port), AsyncExitStack() as stack:
        stream = await knock(stack, port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await until_shut(stream)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.usefixtures("impatient")
async def test_a_reader_that_takes_nothing_is_shut_out_and_others_are_served_meanwhile():
    async with a_port() as (page, port), AsyncExitStack() as stack:
        await knock(stack, port, b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        session = await stack.enter_async_context(aiohttp.ClientSession())
        reader = await stack.enter_async_context(session.get(f"http://127.0.0.1:{port}/events"))
        with anyio.fail_after(20):
            while len(page.clients) != 1 or page.measurements.bad_requests == 0:
                assert (await reader.content.readline()).startswith((b"data: ", b"\n"))


@pytest.fixture
def as_collected() -> Iterator[None]:
    """What other tests left in this process is not walked by the garbage collector: a daemon keeps what it imported out of it too."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("as_collected")
async def test_a_thousand_half_open_requests_and_two_hundred_readers_are_let_in_shut_nobody_out_and_hold_up_nothing():
    async with a_port() as (page, port), AsyncExitStack() as stack:
        stop, stretches = anyio.Event(), list[float]()

        async def watch() -> None:
            stretches.append(await longest_stretch(stop))

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            for _ in range(1_000):
                await knock(stack, port, b"GET /sta")
            with anyio.fail_after(20):
                while len(page.clients) < min(200, door.pages_at_most()):  # some come too many in a second
                    await knock(stack, port, b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    await anyio.sleep(0.005)
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{port}/halt") as answer,
            ):
                assert answer.status == 405
            stop.set()
        assert max(stretches) < LONGEST_STRETCH
        assert page.measurements.bad_requests >= 1_000 - door.INSIDE_AT_MOST


async def test_open_pages_never_take_the_place_of_a_halt():
    async with a_port() as (page, port), AsyncExitStack() as stack:
        for _ in range(door.pages_at_most() + 20):
            await knock(stack, port, b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/halt") as answer,
        ):
            assert answer.status == 405
        assert len(page.clients) <= door.pages_at_most() < door.most_inside()


@pytest.fixture
def few_open_files() -> Iterator[None]:
    """As where a terminal or a container allows few, and nobody may raise it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("few_open_files")
async def test_open_pages_leave_room_for_a_halt_where_few_files_may_be_open():
    async with a_port() as (page, port), AsyncExitStack() as stack:
        for _ in range(door.most_inside() + 10):
            await knock(stack, port, b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/halt") as answer,
        ):
            assert answer.status == 405
        assert len(page.clients) == door.pages_at_most() < door.most_inside()


async def test_bad_requests_are_counted_and_told_in_one_line(
    lines: list[dict[str, object]], caplog: pytest.LogCaptureFixture
):
    async with a_port() as (page, port), AsyncExitStack() as stack:
        for _ in range(50):
            heard = await until_shut(await knock(stack, port, b"what is this?\r\n\r\n"))
            assert b" 400 Bad Request" in heard
        with anyio.fail_after(5):
            while not any(line["event"] == "bad requests" for line in lines):  # noqa: ASYNC110 - a line has no event
                await anyio.sleep(0.01)
    assert page.measurements.bad_requests == 50
    assert len(lines) == 1
    assert caplog.records == []


@pytest.mark.parametrize(
    "sent",
    [
        b"what is this?\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"PUT /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n",
    ],
)
async def test_every_answer_has_the_headers_of_all(sent: bytes):
    async with a_port() as (_, port), AsyncExitStack() as stack:
        heard = (await until_shut(await knock(stack, port, sent))).decode()
    head = heard.split("\r\n\r\n")[0].split("\r\n")
    assert {f"{name}: {value}" for name, value in HEADERS.items()} <= set(head)


async def test_a_flood_of_questions_is_refused_and_a_halt_is_not():
    async with a_port() as (_, port), aiohttp.ClientSession() as session:
        statuses = set[int]()
        with anyio.fail_after(10):
            while 429 not in statuses:
                async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
                    statuses.add(answer.status)
        async with session.get(f"http://127.0.0.1:{port}/halt") as answer:
            assert answer.status == 405
    assert statuses == {200, 429}
