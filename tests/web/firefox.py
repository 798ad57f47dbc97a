"""A real Firefox, driven by WebDriver BiDi over its own socket; whoever needs one is skipped where none is installed."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
from anyio.abc import ByteReceiveStream

NAMES = ("firefox-esr", "firefox")
OPTIONS = ("--headless", "--no-remote", "--remote-debugging-port", "0")
PREFERENCES = {
    "app.normandy.enabled": False,
    "app.update.auto": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "http://127.0.0.1:9/",
    "toolkit.telemetry.enabled": False,
}
"""So that it asks nobody but the page."""
LISTENS = "WebDriver BiDi listening on ws://"
PATIENCE = 40.0


@dataclass(slots=True)
class Firefox:
    """One tab of its own."""

    socket: aiohttp.ClientWebSocketResponse
    tab: str = ""
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    faults: list[str] = field(default_factory=list[str])
    """What the page threw, and what it or its policy of content wrote to the console as an error."""

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self.socket.send_json({"id": number, "method": method, "params": params})
        with anyio.fail_after(PATIENCE):
            while True:
                said = await self.socket.receive_json()
                if said.get("method") == "log.entryAdded" and said["params"]["level"] == "error":
                    self.faults.append(str(said["params"]["text"]))
                if said.get("id") == number:
                    assert said["type"] == "success", said
                    return said["result"]

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to, a promise included."""
        as_text = f"(async () => JSON.stringify(await ({expression})) ?? 'null')()"
        found = await self.command(
            "script.evaluate", expression=as_text, target={"context": self.tab}, awaitPromise=True
        )
        assert found["type"] == "success", found
        return json.loads(found["result"]["value"])

    async def until(self, expression: str) -> None:
        """Until it is true on the page, at its next frame or later."""
        with anyio.fail_after(PATIENCE):
            while not await self.value(expression):
                await self.value("new Promise((done) => setTimeout(done, 30))")

    async def go(self, url: str) -> None:
        await self.command("browsingContext.navigate", context=self.tab, url=url, wait="complete")


@asynccontextmanager
async def a_firefox(folder: Path, size: tuple[int, int]) -> AsyncGenerator[Firefox]:
    """One empty tab. Skips the test where there is no Firefox."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Firefox is installed here")
    folder.mkdir(parents=True, exist_ok=True)
    lines = (f'user_pref("{name}", {json.dumps(value)});' for name, value in PREFERENCES.items())
    (folder / "user.js").write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [program, *OPTIONS, "--profile", str(folder), "about:blank"]
    async with await anyio.open_process(command, stdout=None) as process, aiohttp.ClientSession() as session:
        try:
            assert process.stderr is not None
            url = await _address(process.stderr)
            async with anyio.create_task_group() as group:
                group.start_soon(_drain, process.stderr)
                async with session.ws_connect(f"{url}/session", max_msg_size=0) as socket:
                    yield await _tab(Firefox(socket), size)
                group.cancel_scope.cancel()
        finally:
            process.kill()


async def _tab(firefox: Firefox, size: tuple[int, int]) -> Firefox:
    await firefox.command("session.new", capabilities={})
    await firefox.command("session.subscribe", events=["log.entryAdded"])
    tree = await firefox.command("browsingContext.getTree")
    firefox.tab = tree["contexts"][0]["context"]
    width, height = size
    viewport = {"width": width, "height": height}
    await firefox.command("browsingContext.setViewport", context=firefox.tab, viewport=viewport)
    return firefox


async def _address(stderr: ByteReceiveStream) -> str:
    told = ""
    with anyio.fail_after(PATIENCE):
        while LISTENS not in told or "\n" not in told.split(LISTENS, 1)[1]:
            told += (await stderr.receive()).decode(errors="replace")
    return "ws://" + told.split(LISTENS, 1)[1].split("\n", 1)[0].strip()


async def _drain(stderr: ByteReceiveStream) -> None:
    """What nobody reads would fill the pipe, and the browser would wait."""
    async for _ in stderr:
        pass
