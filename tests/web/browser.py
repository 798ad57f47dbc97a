"""A real Chromium, driven over its own debugging socket; whoever needs one is skipped where none is installed."""

from __future__ import annotations

import base64
import itertools
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import axe_core_python
import pytest
from anyio.abc import ByteReceiveStream

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
)  # fmt: skip
PATIENCE = 20.0
PHONE = (390, 844)
SMALL_PHONE, DESK = (320, 640), (1280, 900)
AXE = Path(axe_core_python.__file__).parent / "axe.min.js"


@dataclass(slots=True)
class Page:
    socket: aiohttp.ClientWebSocketResponse
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    faults: list[str] = field(default_factory=list[str])
    """What the page threw or wrote to its console as an error."""

    registrations: list[str] = field(default_factory=list[str])
    """Of workers, once ServiceWorker.enable was commanded."""

    async def registration_id(self) -> str:
        await self.until("navigator.serviceWorker.ready.then(() => true)")
        with anyio.fail_after(PATIENCE):
            while not self.registrations:
                await self.value("1")
        return self.registrations[-1]

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self.socket.send_json({"id": number, "method": method, "params": params})
        with anyio.fail_after(PATIENCE):
            while True:
                said = await self.socket.receive_json()
                if said.get("method") == "ServiceWorker.workerRegistrationUpdated":
                    self.registrations += [each["registrationId"] for each in said["params"]["registrations"]]
                if said.get("method") == "Runtime.exceptionThrown":
                    self.faults.append(str(said["params"]["exceptionDetails"]))
                if said.get("id") == number:
                    # A page that is being loaded anew answers with an error, and is asked again.
                    return said.get("result", {"result": {}})

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to, a promise included."""
        found = await self.command(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def until(self, expression: str, patience: float = PATIENCE) -> None:
        """Until it is true on the page, at its next frame or later."""
        with anyio.fail_after(patience):
            while not await self.value(expression):
                await self.value("new Promise((done) => setTimeout(done, 30))")

    async def size(self, width: int, height: int, *, dark: bool = False, sharp: int = 1) -> None:
        await self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=sharp, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.command("Emulation.setEmulatedMedia", features=[scheme])

    async def picture(self, path: Path) -> None:
        """The whole page, as far as it goes down."""
        found = await self.command("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    async def view(self, path: Path) -> None:
        """What is on the screen, once its next frame is drawn."""
        await self.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        found = await self.command("Page.captureScreenshot")
        path.write_bytes(base64.b64decode(found["data"]))

    async def axe(self) -> list[str]:
        """What axe finds on the page as it is now: rule, and the elements that break it."""
        if not await self.value("typeof axe === 'object'"):
            await self.command("Runtime.evaluate", expression=AXE.read_text(encoding="utf-8"))
        found = await self.value(
            "axe.run().then((said) => said.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(' ')}`))"
        )
        return [str(each)[:400] for each in found]

    async def axe_outside_its_policy(self) -> list[str]:
        """As `axe`, on a page that lets no script in: from a world of its own."""
        tree = await self.command("Page.getFrameTree")
        world = await self.command("Page.createIsolatedWorld", frameId=tree["frameTree"]["frame"]["id"])
        found: dict[str, Any] = {}
        for expression in (
            AXE.read_text(encoding="utf-8"),
            "axe.run().then((said) => said.violations.map((each) => each.id))",
        ):
            found = await self.command(
                "Runtime.evaluate", expression=expression, contextId=world["executionContextId"],
                returnByValue=True, awaitPromise=True,
            )  # fmt: skip
        return [str(each) for each in found["result"]["value"]]

    async def go(self, url: str) -> None:
        await self.command("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")


@asynccontextmanager
async def a_phone(folder: Path) -> AsyncGenerator[Page]:
    """One empty page of a phone's size. Skips the test where there is no Chromium."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium is installed here")
    command = [program, *OPTIONS, f"--user-data-dir={folder}", "about:blank"]
    async with await anyio.open_process(command, stdout=None) as process, aiohttp.ClientSession() as session:
        try:
            assert process.stderr is not None
            address = await _address(process.stderr)
            async with session.put(f"http://{address}/json/new?about:blank") as answer:
                url = (await answer.json())["webSocketDebuggerUrl"]
            async with session.ws_connect(url, max_msg_size=0) as socket:
                page = Page(socket)
                await page.command("Runtime.enable")
                await page.command("Page.enable")
                width, height = PHONE
                await page.command(
                    "Emulation.setDeviceMetricsOverride",
                    width=width,
                    height=height,
                    deviceScaleFactor=1,
                    mobile=True,
                )
                yield page
        finally:
            process.kill()


async def _address(stderr: ByteReceiveStream) -> str:
    told = ""
    with anyio.fail_after(PATIENCE):
        while "DevTools listening on ws://" not in told or "/devtools" not in told:
            told += (await stderr.receive()).decode()
    return told.split("DevTools listening on ws://", 1)[1].split("/", 1)[0]
