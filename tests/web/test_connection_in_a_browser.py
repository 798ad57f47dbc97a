"""What the page makes of its connection, in a real browser: a slow line, none, and a daemon of another version than its own page."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
import asyncpg
from anyio.abc import SocketStream

from recio.wires import Wires
from tests.conftest import unused_port
from tests.tasks.status_server import a_page, served, started
from tests.web.browser import a_phone
from tests.web.test_page_in_a_browser import a_busy_day

GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError, ExceptionGroup)
LOST = "!document.querySelector('#lost').hidden && document.body.classList.contains('old')"
LOADED_ANEW = (
    "document.readyState === 'complete' && performance.getEntriesByType('navigation')[0]?.type === 'reload'"
)
IS_LIVE = "document.querySelector('#lost')?.hidden && !document.body.classList.contains('old')"


@dataclass(slots=True)
class Line:
    """Takes what a page asks at once, and holds back what it is told."""

    target: int
    held: float = 0.0
    """Host seconds."""

    async def carry(self, page: SocketStream) -> None:
        async with (
            page,
            await anyio.connect_tcp("127.0.0.1", self.target) as daemon,
            anyio.create_task_group() as group,
        ):
            for ways in ((page, daemon, False), (daemon, page, True)):
                group.start_soon(self._carried, *ways, group.cancel_scope)

    async def _carried(
        self, come: SocketStream, go: SocketStream, is_told: bool, both: anyio.CancelScope
    ) -> None:
        """In order; whichever end goes away, the other is let go too."""
        waits, leaves = anyio.create_memory_object_stream[tuple[float, bytes]](math.inf)

        async def leave() -> None:
            async for due, part in leaves:
                await anyio.sleep_until(due)
                await go.send(part)

        with waits, leaves, suppress(*GONE):
            async with anyio.create_task_group() as group:
                group.start_soon(leave)
                async for part in come:
                    waits.send_nowait((anyio.current_time() + (self.held if is_told else 0.0), part))
                waits.close()
        both.cancel()


@asynccontextmanager
async def a_line(url: str) -> AsyncGenerator[tuple[Line, str]]:
    line, port = Line(int(url.rsplit(":", 1)[1])), unused_port()
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port) as listener,
        anyio.create_task_group() as group,
    ):
        group.start_soon(listener.serve, line.carry)
        yield line, f"http://127.0.0.1:{port}"
        group.cancel_scope.cancel()


async def test_what_a_slow_line_held_back_is_told_to_be_old_and_never_to_be_live(tmp_path: Path):
    body = a_busy_day()
    async with served(body) as url, a_line(url) as (line, slow), a_phone(tmp_path) as page:
        await page.go(slow)
        await page.until(IS_LIVE)
        while not await page.value(LOST):
            line.held += 0.2
            assert line.held < 20.0, "figures of twenty seconds ago looked alive"
            await page.value("new Promise((done) => setTimeout(done, 300))")
        line.held = 0.0
        body["pnl"] = body["pnl"] | {"realised_today": "12.3400"}
        await page.until(f"{IS_LIVE} && document.querySelector('#net').textContent === '+$12.34'")
        assert page.faults == []


async def test_a_page_of_before_an_upgrade_is_loaded_anew_though_it_cannot_read_what_the_new_daemon_says(
    tmp_path: Path,
):
    port, wires, before = unused_port(), Wires(), a_busy_day()
    after = before | {"version": "99.0"}
    del after["prices"]
    async with a_phone(tmp_path) as page:
        async with started(a_page(port, lambda _whole: before, wires)) as url:
            await page.go(url)
            await page.until("document.querySelectorAll('.position').length === 2")
            await page.value("globalThis.isOfBefore = true")
        async with started(a_page(port, lambda _whole: after, wires)):
            await page.until("document.readyState === 'complete' && !globalThis.isOfBefore")
    wires.close()


async def test_a_view_whose_scripts_cannot_be_fetched_says_so_and_is_there_once_they_can(
    pool: asyncpg.Pool[asyncpg.Record], tmp_path: Path
):
    port, wires, body = unused_port(), Wires(), a_busy_day()
    said = {
        "performance": "document.querySelector('#performance-said')",
        "history": "document.querySelector('#history-said')",
        "markets/KXBTC15M-T": "document.querySelector('#market-charts')",
    }
    async with a_phone(tmp_path) as page:
        async with started(a_page(port, lambda _whole: body, wires)) as url:
            await page.go(url)
            await page.until("document.querySelectorAll('.position').length === 2")
        await page.value("document.querySelector('#cause').click()")
        for address, place in said.items():
            await page.value(f"location.hash = '{address}'")
            await page.until(f"{place}?.textContent.includes('recio is not reached')")
        async with started(a_page(port, lambda _whole: body, wires, pool)):
            await page.until(LOADED_ANEW)
            await page.until(IS_LIVE)
            for address, place in said.items():
                await page.value(f"location.hash = '{address}'")
                await page.until(f"!{place}.textContent.includes('not reached')")
            await page.value("location.hash = 'now'")
            await page.until("document.querySelector('#view-now').hidden === false")
            await page.until(
                "document.querySelector('#cause').click() ?? !document.querySelector('#figure').hidden"
            )
        assert page.faults == []
    wires.close()
