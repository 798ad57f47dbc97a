"""The lists below History: what is asked stands in the address, a keyboard sorts and turns pages, and every list fits the narrowest screen."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest

from recio.report.past_lists import LISTS
from tests.past_rows import add_past
from tests.tasks.status_server import served
from tests.tasks.test_status_page import filled_wires, status
from tests.web.browser import DESK, SMALL_PHONE, Page, a_phone
from tests.web.test_page_in_a_browser import HARD_TO_USE

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
FIRST_CELLS = (
    "[...document.querySelectorAll('#history-rows tbody tr')].map((each) => each.cells[{}].innerText)"
)
FORM = "document.querySelector('#history-form [name={}]')"


@pytest.fixture
async def past(pool: Pool) -> Pool:
    await add_past(pool)
    return pool


async def shown(page: Page, title: str) -> None:
    """Until this list stands there with rows."""
    await page.until(
        f"document.querySelector('#history-title').textContent === '{title}' &&"
        " document.querySelector('#history-lists [aria-current]')?.textContent === document.querySelector('#history-title').textContent &&"
        " document.querySelector('#history-rows').ariaBusy === 'false' && document.querySelectorAll('#history-rows tbody tr').length > 0"
    )


async def press(page: Page, key: str) -> None:
    for kind in ("keyDown", "keyUp"):
        await page.command(
            "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=13, text="\r"
        )


@pytest.mark.timeout(180)
async def test_every_list_fits_its_screen_has_no_accessibility_fault_and_a_unit_at_every_figure(
    tmp_path: Path, past: Pool
):
    async with served(status(filled_wires()), None, past) as url, a_phone(tmp_path) as page:
        await page.go(f"{url}/#history")
        for size, dark in ((SMALL_PHONE, False), (DESK, True)):
            await page.size(*size, dark=dark)
            for of in LISTS.values():
                await page.value(f"location.hash = 'history/{of.name}?most=6'")
                await shown(page, of.title)
                assert await page.axe() == [], (size, of.name)
                assert await page.value(HARD_TO_USE) == [], (size, of.name)
                assert await page.value("document.documentElement.scrollWidth") <= size[0], (size, of.name)
                units = await page.value(
                    "[...document.querySelectorAll('#history-rows thead th.num')].map((each) => each.title)"
                )
                assert all(units), (of.name, units)
        assert page.faults == []


async def test_a_keyboard_sorts_by_a_column_and_the_address_and_the_reader_of_a_screen_know(
    tmp_path: Path, past: Pool
):
    async with served(status(filled_wires()), None, past) as url, a_phone(tmp_path) as page:
        await page.size(*DESK)
        await page.go(f"{url}/#history/trades")
        await shown(page, "Trades")
        sorted_by = "[...document.querySelectorAll('#history-rows [aria-sort]')].map((each) => [each.dataset.name, each.ariaSort])"
        assert await page.value(sorted_by) == [["closed_at", "descending"]]
        await page.value("document.querySelector('#history-rows [data-name=net_pnl] button').focus()")
        for way, order in (("descending", ""), ("ascending", "&order=up")):
            await press(page, "Enter")
            await page.until(f"location.hash === '#history/trades?sort=net_pnl{order}'")
            await page.until(
                f"document.querySelector('#history-rows [data-name=net_pnl]').ariaSort === '{way}'"
            )
            await shown(page, "Trades")
            nets = [each for each in await page.value(FIRST_CELLS.format(8)) if each != "\u2014"]
            figures = [float(each.replace("\u2212\u2060", "-").replace("$", "")) for each in nets]
            assert figures == sorted(figures, reverse=not order) != []
        assert await page.value("document.activeElement.parentElement.dataset.name") == "net_pnl"
        assert await page.value(
            "[...document.querySelectorAll('#history-rows th')].every((each) => ['col', 'row'].includes(each.scope))"
        )
        assert page.faults == []


async def test_filters_stand_in_the_address_the_file_and_a_link_that_is_opened_anew(
    tmp_path: Path, past: Pool
):
    async with served(status(filled_wires()), None, past) as url, a_phone(tmp_path) as page:
        await page.go(f"{url}/#history/orders")
        await shown(page, "Orders")
        for name, value in (("state", "cancelled"), ("text", "T-2")):
            await page.value(
                f"{FORM.format(name)}.value = '{value}', {FORM.format(name)}.dispatchEvent(new Event('input', {{bubbles: true}}))"
            )
            await page.until(f"location.hash.includes('{name}={value}')")
        await page.until("document.querySelectorAll('#history-rows tbody tr').length === 1")
        asked = "state=cancelled&text=T-2"
        assert await page.value("location.hash") == f"#history/orders?{asked}"
        assert (await page.value("document.querySelector('#history-csv').href")).endswith(
            f"/api/v1/history/orders.csv?{asked}"
        )
        assert (
            await page.value("document.querySelector('#history-asked').textContent")
            == "State cancelled, Search T-2"
        )
        await page.go(f"{url}/?anew#history/orders?{asked}&kind=imported")
        await page.until(
            "document.querySelector('#history-said').textContent === '' && !document.querySelector('#no-history').hidden"
        )
        assert await page.value(f"[{FORM.format('state')}.value, {FORM.format('kind')}.value]") == [
            "cancelled",
            "imported",
        ]
        await page.go(f"{url}/?wrong#history/orders?state=lost")
        await page.until("document.querySelector('#history-said').textContent.includes(\"state = 'lost'\")")
        await page.until(
            "document.querySelector('#history-rows').hidden && document.querySelector('#no-history').hidden"
        )
        assert page.faults == []


async def test_pages_go_there_and_back_and_the_browser_s_own_button_too(tmp_path: Path, past: Pool):
    async with served(status(filled_wires()), None, past) as url, a_phone(tmp_path) as page:
        await page.go(f"{url}/#history/fills?most=10")
        await shown(page, "Fills")
        fills = FIRST_CELLS.format(11)
        first = await page.value(fills)
        assert await page.value("document.querySelector('#history-before').disabled")
        await page.value("document.querySelector('#history-after').click()")
        await page.until(f"location.hash.includes('after=') && {fills}[0] !== '{first[0]}'")
        await shown(page, "Fills")
        second = await page.value(fills)
        assert set(first).isdisjoint(second)
        await page.value("document.querySelector('#history-before').click()")
        await page.until(f"location.hash.includes('before=') && {fills}[0] === '{first[0]}'")
        assert await page.value(fills) == first
        await page.value("history.back()")
        await page.until(f"location.hash.includes('after=') && {fills}[0] === '{second[0]}'")
        assert page.faults == []
