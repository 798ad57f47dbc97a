"""A PostgreSQL socket with a person at the wire: it forwards bytes, and may cut, hold or redirect connections on the way.

A client finds it where it would find the server. It reads as much of the protocol as the words of statements.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import anyio
import anyio.abc

COMMIT = b"COMMIT;"
PREPARED = rb"(recio_\d+)\x00[^\x00]*%b\("
"""A statement that writes an order's row and commits by itself, with the name under which it is prepared."""
SOCKET = ".s.PGSQL.5432"
GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)


class Cut(Enum):
    """Where a connection is cut that has written what was waited for."""

    BEFORE_COMMIT = "the commit never arrives"
    DURING_COMMIT = "the commit is on its way and nobody waits for its answer"
    AFTER_COMMIT = "the commit is done and its answer is lost"


@dataclass(slots=True)
class Relay:
    """What happens on the wire; a test changes it while connections live."""

    folder: Path
    server: Path
    """The folder of the real server's socket; new connections go there."""
    placing: bytes = b"place_entry"
    """Which function writes the rows that are waited for."""
    cut: Cut | None = None
    """The next statement that writes an order's row and commits it is the one that is cut, once."""
    cuts: int = 0
    commit_delay: float = 0.0
    """Host seconds for which the answer to each commit is held back."""
    connections: set[anyio.abc.SocketStream] = field(default_factory=set[anyio.abc.SocketStream])
    asked: list[float] = field(default_factory=list[float])
    """time.perf_counter() of everything a client said: asyncpg says one thing and waits for its answer."""

    async def drop_all(self) -> None:
        for stream in tuple(self.connections):
            await anyio.aclose_forcefully(stream)

    async def serve(self, client: anyio.abc.SocketStream) -> None:
        async with client:
            with suppress(*GONE):
                async with await anyio.connect_unix(self.server / SOCKET) as upstream:
                    await self._connect(client, upstream)

    async def _connect(self, client: anyio.abc.SocketStream, upstream: anyio.abc.SocketStream) -> None:
        talk = _Talk(self, client, upstream)
        self.connections |= {client, upstream}
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(talk.answers, group.cancel_scope)
                await talk.questions()
                group.cancel_scope.cancel()
        finally:
            self.connections -= {client, upstream}


@dataclass(slots=True)
class _Talk:
    relay: Relay
    client: anyio.abc.SocketStream
    upstream: anyio.abc.SocketStream
    placing: bytes = b""
    """The statement that writes orders, as it is named where it is carried out."""
    cut_the_answer: bool = False
    hold: float = 0.0

    async def questions(self) -> None:
        with suppress(*GONE):
            while True:
                data = await self.client.receive()
                self.relay.asked.append(time.perf_counter())
                places = bool(self.placing) and self.placing in data
                if places or COMMIT in data:
                    self.hold = self.relay.commit_delay
                if places and self.relay.cut is not None and not await self._goes_on(data):
                    return
                if prepared := re.search(PREPARED % self.relay.placing, data):
                    self.placing = b"\0" + prepared[1] + b"\0"
                await self.upstream.send(data)

    async def _goes_on(self, data: bytes) -> bool:
        """Cut here, once, or let the answer be cut."""
        cut, self.relay.cut = self.relay.cut, None
        self.relay.cuts += 1
        match cut:
            case Cut.BEFORE_COMMIT:
                return False
            case Cut.DURING_COMMIT:
                await self.upstream.send(data)
                return False
            case _:
                self.cut_the_answer = True
                return True

    async def answers(self, talk: anyio.CancelScope) -> None:
        with suppress(*GONE):
            while True:
                data = await self.upstream.receive()
                if self.cut_the_answer:
                    break
                if self.hold:
                    await anyio.sleep(self.hold)
                    self.hold = 0.0
                await self.client.send(data)
        talk.cancel()


@asynccontextmanager
async def database_relay(folder: Path, server: Path) -> AsyncIterator[Relay]:
    """A relay that listens in `folder` for as long as the block lasts."""
    folder.mkdir(mode=0o711, exist_ok=True)
    relay = Relay(folder=folder, server=server)
    listener = await anyio.create_unix_listener(folder / SOCKET, mode=0o777)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, relay.serve)
        yield relay
        await relay.drop_all()
        group.cancel_scope.cancel()
