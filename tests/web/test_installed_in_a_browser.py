"""An installed page in a real browser: it can be installed, says so where recio is not reached, and its worker stands in nobody's way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from recio.wires import Wires
from tests.conftest import unused_port
from tests.tasks.status_server import a_page, started
from tests.web.browser import SMALL_PHONE, Page, a_phone
from tests.web.test_page_in_a_browser import a_busy_day

SHOWN = "document.body.textContent"
TAKES_WORKER = """
    navigator.serviceWorker.register({}).then(() => 'taken', (problem) => problem.name)
"""


@asynccontextmanager
async def reachable(port: int, body: dict[str, Any]) -> AsyncIterator[str]:
    wires = Wires()
    async with started(a_page(port, lambda _whole: body, wires)) as url:
        yield url
    wires.close()


@asynccontextmanager
async def answering_nothing_but(port: int, status: int) -> AsyncIterator[None]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text="a proxy's page")

    application = web.Application()
    application.router.add_route("*", "/{all:.*}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield
    finally:
        await runner.cleanup()


async def under_its_worker(page: Page, url: str) -> None:
    await page.go(url)
    await page.until("navigator.serviceWorker.controller?.state === 'activated'")
    await page.until("document.querySelectorAll('.position').length === 2")


async def test_a_browser_may_install_the_page(tmp_path: Path):
    async with reachable(unused_port(), a_busy_day()) as url, a_phone(tmp_path) as page:
        await under_its_worker(page, url)
        found = await page.command("Page.getAppManifest")
        assert (found["errors"], found["url"]) == ([], f"{url}/manifest.webmanifest")
        hindered = (await page.command("Page.getInstallabilityErrors"))["installabilityErrors"]
        assert [each["errorId"] for each in hindered if each["errorId"] != "in-incognito"] == []
        assert page.faults == []


@pytest.mark.timeout(120)
async def test_without_recio_it_says_so_shows_no_figure_of_before_and_finds_back(tmp_path: Path):
    port, body = unused_port(), a_busy_day()
    async with a_phone(tmp_path) as page:
        async with reachable(port, body) as url:
            await under_its_worker(page, url)
            net = await page.value("document.querySelector('#net').textContent")
        await page.go(url)
        shown = await page.value(SHOWN)
        assert "No connection to recio" in shown
        assert "Nothing here is current" in shown
        assert "recio status" in shown
        assert net not in shown
        assert "REAL MONEY" not in shown
        assert "$" not in shown
        assert await page.axe_outside_its_policy() == []
        await page.size(*SMALL_PHONE)
        assert await page.value("document.documentElement.scrollWidth") <= SMALL_PHONE[0]
        # Its own style is in force, and nothing else would be let in.
        assert (
            await page.value("getComputedStyle(document.querySelector('h1')).color") == "rgb(255, 255, 255)"
        )
        async with reachable(port, body):
            await page.value("document.querySelector('a').click()")
            await page.until("document.querySelectorAll('.position').length === 2")
            await page.until("!document.body.classList.contains('old')")


async def test_nothing_is_kept_and_only_the_page_itself_passes_the_worker(tmp_path: Path):
    port = unused_port()
    async with a_phone(tmp_path) as page:
        async with reachable(port, a_busy_day()) as url:
            await under_its_worker(page, url)
            assert await page.value("fetch('api/v1/status').then((answer) => answer.status)") == 200
            assert await page.value("fetch('worker.js').then((answer) => answer.status)") == 200
            assert await page.value("caches.keys()") == []
            assert await page.value("indexedDB.databases()") == []
        # An act and a figure fail as they would without a worker: nobody answers in recio's place.
        for asked in (
            "fetch('api/v1/status')",
            "fetch('api/v1/acts/halt', { method: 'POST' })",
            "fetch('./')",
        ):
            assert await page.value(f"{asked}.then(() => 'answered', () => 'failed')") == "failed", asked
        await page.go(f"{url}/api/v1/plain")
        assert "No connection to recio" not in await page.value(SHOWN)


async def test_a_proxy_without_recio_behind_it_is_no_recio(tmp_path: Path):
    """The worker is that of recio, and what answers in its place is a proxy's word for nobody."""
    port = unused_port()
    async with a_phone(tmp_path) as page:
        async with reachable(port, a_busy_day()) as url:
            await under_its_worker(page, url)
        async with answering_nothing_but(port, 502):
            await page.go(url)
            assert "No connection to recio" in await page.value(SHOWN)
        async with answering_nothing_but(port, 404):
            await page.go(url)
            assert "No connection to recio" not in await page.value(SHOWN)


async def test_the_policy_lets_through_one_address_and_no_other_policy_is_made(tmp_path: Path):
    async with reachable(unused_port(), a_busy_day()) as url, a_phone(tmp_path) as page:
        await under_its_worker(page, url)
        for asked in ("'worker.js'", "'page.js'", "'data:text/javascript,1'"):
            assert await page.value(TAKES_WORKER.format(asked)) == "TypeError", asked
        for name in ("recio-worker", "another", "default"):
            made = f"(() => {{ try {{ trustedTypes.createPolicy('{name}', {{}}); return 'made'; }} catch (problem) {{ return problem.name; }} }})()"
            assert await page.value(made) == "TypeError", name
