"""Sinks that run here and really receive: a webhook, an SMTP server, a service of checks; each keeps what came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_string
from email.policy import default
from typing import Any

import anyio
from aiohttp import web

from tests.conftest import unused_port

SECRET = "s3cr3t-t0k3n-0f-4-ch4nn3l"
"""Part of every address: nothing may ever show it."""
PATIENCE = 60.0


@dataclass(slots=True)
class Webhook:
    """An HTTP sink: JSON messages at /SECRET, pings at /check/..."""

    port: int = field(default_factory=unused_port)
    got: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    pings: list[str] = field(default_factory=list[str])
    status: int = 200
    hangs: bool = False
    asked: int = 0

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/{SECRET}"

    @property
    def check_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/check/{SECRET}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if "/check/" in request.path:
            self.pings.append(request.path.rsplit("/", 1)[-1].replace(SECRET, "success"))
            return web.Response(text="OK")
        if self.hangs:
            await asyncio.Event().wait()
        if self.status == 200:
            self.got.append(await request.json())
        return web.Response(status=self.status)

    @property
    def texts(self) -> list[str]:
        return [each["message"] for each in self.got]

    def heard(self, words: str) -> bool:
        return any(words in each for each in self.texts)


@dataclass(slots=True)
class Mailbox:
    """An SMTP server that takes every mail."""

    port: int = field(default_factory=unused_port)
    mails: list[str] = field(default_factory=list[str])

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=recio@example.com&to=you@example.com"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink\r\n")
        while line := (await reader.readline()).decode().strip():
            verb = line.split(maxsplit=1)[0].upper()
            if verb == "DATA":
                writer.write(b"354 go on\r\n")
                raw = (await reader.readuntil(b"\r\n.\r\n")).decode()
                mail = message_from_string(raw, policy=default)
                body = mail.get_body(("plain", "html"))
                self.mails.append(f"{mail['subject']}\n{body.get_content() if body else ''}")
            writer.write(b"221 bye\r\n" if verb == "QUIT" else b"250 ok\r\n")
            if verb == "QUIT":
                break
        writer.close()


@asynccontextmanager
async def a_webhook() -> AsyncIterator[Webhook]:
    sink = Webhook()
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", sink.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", sink.port).start()
    try:
        yield sink
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()


@asynccontextmanager
async def a_mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    server = await asyncio.start_server(box.talk, "127.0.0.1", box.port)
    async with server:
        yield box


async def until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait for a state that another process brings about."""
    with anyio.fail_after(patience):
        while not condition():  # noqa: ASYNC110 - another process has no event of ours
            await anyio.sleep(0.02)
