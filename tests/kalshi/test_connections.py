"""Each request gets its own answer, also on a connection on which an earlier one came twice."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress

import aiohttp
import anyio
import msgspec
import pytest

from recio.clock import Clock
from recio.kalshi.connections import spoilt
from recio.kalshi.rate_limit import BilledRequest, Priority
from recio.kalshi.responses import Response
from recio.kalshi.rest import KalshiRest
from recio.kalshi.writes import attempt
from tests.kalshi.local_venue import SIGNER, plenty

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
Answerer = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]


class Named(msgspec.Struct):
    path: str


async def twice(writer: asyncio.StreamWriter, answer: bytes) -> None:
    """The second copy comes when the first has been taken: by then nobody waits on the connection."""
    writer.write(answer)
    await writer.drain()
    await asyncio.sleep(0.02)
    writer.write(answer)


async def twice_together(writer: asyncio.StreamWriter, answer: bytes) -> None:
    writer.write(answer + answer)


@asynccontextmanager
async def venue(answer: Answerer) -> AsyncIterator[KalshiRest]:
    """Answers with the path that was asked for, as this does it."""
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                await reader.readexactly(int(found[1]) if found else 0)
                body = msgspec.json.encode({"path": head.split(b" ")[1].decode()})
                await answer(writer, HEAD % len(body) + body)

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.create_task(serve(reader, writer)))

    async with await asyncio.start_server(begin, "127.0.0.1", 0) as server:
        async with aiohttp.ClientSession() as session:
            yield KalshiRest(
                session=session,
                base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/trade-api/v2",
                signer=SIGNER,
                clock=Clock(),
                timeout_seconds=5,
                limits=plenty(),
            )
        await asyncio.gather(*connections)


async def until_spoilt(rest: KalshiRest) -> None:
    with anyio.fail_after(5):
        while not list(spoilt(rest.session)):  # noqa: ASYNC110 - the library has no event for it
            await anyio.sleep(0.005)


async def test_a_read_never_gets_the_second_copy_of_the_answer_before():
    async with venue(twice) as rest:
        for path in ("/a", "/b", "/c"):
            assert (await rest.read(path, Named)).path == f"/trade-api/v2{path}"
            await until_spoilt(rest)


async def test_two_copies_that_come_together_spoil_no_later_answer():
    async with venue(twice_together) as rest:
        for path in ("/a", "/b", "/c"):
            assert (await rest.read(path, Named)).path == f"/trade-api/v2{path}"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_change_is_never_judged_by_the_answer_to_another(method: str):
    """A refusal that came twice would count for an order that the venue carried out."""
    async with venue(twice) as rest:
        for number in range(3):
            asked = BilledRequest(method=method, path=f"/order-{number}", priority=Priority.ORDER)
            answer = await attempt(rest, asked, body={})
            assert isinstance(answer, Response), answer
            assert msgspec.json.decode(answer.body, type=Named).path.endswith(f"/order-{number}")
            await until_spoilt(rest)
