"""History, a story and Performance on a phone: they come back with the connection, and no figure runs into the next."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import asyncpg

from recio.db.connection import transaction
from recio.wires import Wires
from tests.conftest import unused_port
from tests.history import add_history
from tests.runs import begun
from tests.tasks.status_server import a_page, served, started
from tests.web.browser import SMALL_PHONE, a_phone
from tests.web.test_connection_in_a_browser import LOADED_ANEW
from tests.web.test_page_in_a_browser import VIEWS, a_busy_day

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
ROWS = "document.querySelectorAll('#history-rows tbody tr').length"
TOO_WIDE = """
    [...document.querySelectorAll('#story table:not([hidden]) tbody :is(td, th)')].flatMap((cell) => {
        const words = document.createRange();
        words.selectNodeContents(cell);
        const over = words.getBoundingClientRect().right - cell.getBoundingClientRect().right;
        return over > 1 ? [`${cell.textContent}: ${over.toFixed(0)} px`] : [];
    })
"""
LABELS = """
    (async () => {
        const { axes, mark, picture } = await import(new URL('chart_parts.js', location.href));
        const svg = picture(360, 240, 'own trades');
        document.body.append(svg);
        const field = axes(svg, { width: 360, height: 240, x: [0, 900], y: [0, 100], unit: 'dollars' });
        for (const [at, value, bought] of [[100, 50, true], [130, 48, false], [150, 52, true], [880, 50, true], [890, 50, false]]) {
            mark(field, { at, value, bought, paper: false, title: 'a trade', label: `10 YES ${value}.0\u00a2` });
        }
        const boxes = [...svg.querySelectorAll('text.says')].map((each) => each.getBoundingClientRect());
        const over = boxes.flatMap((one, index) => boxes.slice(index + 1).filter((other) =>
            Math.min(one.right, other.right) - Math.max(one.left, other.left) > 2 && Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 3));
        svg.remove();
        return [boxes.length, over.length];
    })()
"""


async def test_what_was_looked_at_while_nobody_answered_says_so_and_is_there_with_the_connection(
    tmp_path: Path, pool: Pool
):
    async with transaction(pool) as connection:
        await begun(connection)
        await add_history(connection, 1, 3)
    wires, port = Wires(), unused_port()
    async with a_phone(tmp_path) as page:
        async with started(a_page(port, lambda _whole: a_busy_day(), wires, pool)) as url:
            await page.go(url)
            await page.until("!document.body.classList.contains('old')")
        await page.until("document.body.classList.contains('old')")
        await page.value("document.querySelector('#net').click()")
        await page.value("location.hash = 'history/trades'")
        await page.until("document.querySelector('#history-said').textContent.includes('not reached')")
        assert await page.value(ROWS) == 0
        async with started(a_page(port, lambda _whole: a_busy_day(), wires, pool)):
            await page.until(LOADED_ANEW)
            await page.until(f"{ROWS} === 3")
            assert await page.value("document.querySelector('#history-said').textContent") == ""
        assert page.faults == []
    wires.close()


async def test_no_figure_of_a_story_runs_into_the_next_on_the_smallest_phone(tmp_path: Path, pool: Pool):
    async with transaction(pool) as connection:
        await begun(connection)
        await add_history(connection, 1, 3)
    async with served(a_busy_day(), None, pool) as url, a_phone(tmp_path) as page:
        await page.size(*SMALL_PHONE)
        await page.go(f"{url}/#history/real/1")
        await page.until("document.querySelectorAll('#story-fills tbody tr').length > 0")
        assert await page.value(TOO_WIDE) == []
        assert await page.value("document.documentElement.scrollWidth") <= SMALL_PHONE[0]


async def test_no_label_of_an_own_trade_lies_over_another(tmp_path: Path):
    async with served(a_busy_day()) as url, a_phone(tmp_path) as page:
        await page.go(url)
        assert await page.value(LABELS) == [5, 0]


async def test_the_address_of_a_view_is_that_of_no_part_to_which_a_browser_would_scroll(tmp_path: Path):
    async with served(a_busy_day()) as url, a_phone(tmp_path) as page:
        await page.go(url)
        for view in VIEWS:
            assert await page.value(f"document.getElementById('{view}')") is None, view


async def test_equity_stands_still_between_two_trades(tmp_path: Path):
    drawn = "import(new URL('performance.js', location.href)).then((made) => made.stepped([[0, 0], [5, -2], [9, 1]]))"
    async with served(a_busy_day()) as url, a_phone(tmp_path) as page:
        await page.go(url)
        assert await page.value(drawn) == [[0, 0], [5, 0], [5, -2], [9, -2], [9, 1]]
