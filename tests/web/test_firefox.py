"""The page in a real Firefox: under its policy of content nothing breaks, figures change, Halt halts, the past opens, a chart is drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import anyio
import asyncpg
import pytest

from recio.db.connection import transaction
from recio.messages.controls import Halt, HaltLevel, HaltRequest, TradingControls
from recio.wires import Wires
from tests.history import add_history
from tests.runs import begun
from tests.tasks.status_server import served
from tests.web.browser import DESK, PHONE
from tests.web.charted import MARKET, add_market, watched
from tests.web.firefox import a_firefox
from tests.web.test_charts_in_a_browser import DRAWN, OUTSIDE, a_charted_page
from tests.web.test_page_in_a_browser import VIEWS, a_busy_day
from tests.web.test_stories import a_life

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
pytestmark = pytest.mark.timeout(180)


async def test_figures_appear_change_and_every_view_opens_without_a_word_on_the_console(
    tmp_path: Path, pool: Pool
):
    async with transaction(pool) as connection:
        await begun(connection)
        await add_history(connection, 1, 40)
    body = a_busy_day()
    async with served(body, None, pool) as url, a_firefox(tmp_path, PHONE) as page:
        await page.go(url)
        await page.until("document.querySelectorAll('.position').length === 2")
        body["pnl"] = body["pnl"] | {"realised_today": "-12.3400"}
        body["trades"] = body["trades"][:1]
        await page.until(
            "document.querySelector('#net').textContent.replace('\\u2060', '') === '\u2212$12.34'"
        )
        await page.until("document.querySelectorAll('.position').length === 1")
        for name in VIEWS:
            await page.value(f"location.hash = '{name}'")
            await page.until(f"document.querySelector('#to-{name}').getAttribute('aria-current') === 'page'")
            assert await page.value("document.documentElement.scrollWidth") <= PHONE[0], name
        await page.value("location.hash = 'history'")
        await page.until("document.querySelectorAll('#history-rows tbody tr').length > 10")
        await page.value("document.querySelector('#history-rows tbody a[href]').click()")
        await page.until("document.querySelectorAll('#story-tale li').length > 3")
        assert page.faults == []


async def test_halt_is_one_tap_in_firefox_too(tmp_path: Path, pool: Pool):
    wires = Wires()

    async def obey() -> None:
        asked = await wires.halt_requests.receive()
        assert isinstance(asked, HaltRequest)
        halt = Halt(level=HaltLevel.HALT, cause=asked.cause, since=asked.at, by=asked.by, resolution="")
        wires.controls.set(replace(TradingControls(), halts=(halt,)))

    async with (
        served(a_busy_day(), wires, pool) as url,
        a_firefox(tmp_path, PHONE) as page,
        anyio.create_task_group() as group,
    ):
        group.start_soon(obey)
        await page.go(url)
        await page.until("document.querySelectorAll('.position').length === 2")
        await page.value("document.querySelector('#halt').click()")
        await page.until("document.querySelector('#act-said').textContent.startsWith('Done')")
        assert page.faults == []
    wires.close()


async def test_the_charts_of_a_market_are_drawn_in_firefox_within_their_panels(tmp_path: Path, pool: Pool):
    async with transaction(pool) as connection:
        await a_life(connection)
        await add_market(connection)
    async with a_charted_page(pool, watched()) as url, a_firefox(tmp_path, DESK) as page:
        await page.go(f"{url}/{MARKET}")
        await page.until(f"{DRAWN} === 4")
        assert await page.value(OUTSIDE) == []
        assert await page.value("document.querySelectorAll('figure.chart svg .mark').length") == 4
        assert page.faults == []


async def test_what_the_policy_of_content_refuses_and_what_the_console_says_is_seen_by_these_tests(
    tmp_path: Path,
):
    """Otherwise nothing that they promise of them would be."""
    async with served(a_busy_day()) as url, a_firefox(tmp_path, PHONE) as page:
        await page.go(url)
        await page.until("document.querySelectorAll('.position').length === 2")
        await page.value(
            "document.head.append(Object.assign(document.createElement('style'), { textContent: 'p {}' }))"
        )
        await page.value("console.error('a fault')")
        await page.value("new Promise((done) => setTimeout(done, 30))")
        refused, fault = page.faults
        assert refused.startswith("Content-Security-Policy")
        assert "inline" in refused
        assert fault == "a fault"
