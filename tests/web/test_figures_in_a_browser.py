"""What each figure is about, in a real browser: its unit, its source and its age by a tap, by the keyboard and for who cannot see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest

from recio.db.connection import transaction
from recio.log import RECENT
from recio.rules.decision.strategy import Strategy
from recio.web.strategy_rows import strategy_rows
from recio.wires import Wires
from tests.builders import NOW
from tests.history import add_history
from tests.runs import begun
from tests.tasks.status_server import served
from tests.tasks.test_status_page import filled_wires, status
from tests.web.browser import SMALL_PHONE, Page, a_phone
from tests.web.test_page_in_a_browser import HARD_TO_USE, a_busy_day, with_alerts

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
LINE = "document.querySelector('#figure p').textContent"
SAID = "document.querySelector('#figure-said').textContent"
UNTOLD = r"""
    (async () => {
        const figures = [...document.querySelectorAll('#views .view:not([hidden]) *')].filter((each) => each.offsetParent
            && !each.closest('button, a, input, select, option, label, summary, h2, h3, thead, .label, output, .legend')
            && [...each.childNodes].some((part) => part.nodeType === 3 && /\d/.test(part.data)));
        const untold = [];
        for (const each of figures) {
            if (!document.querySelector('#figure').hidden) document.querySelector('#figure-close').click();
            each.click();
            await new Promise((done) => setTimeout(done));
            const line = document.querySelector('#figure').hidden ? '' : document.querySelector('#figure p').textContent;
            if (!/^.{4,}; from .{4,}, (\S.* ago|age not known)$/.test(line)) untold.push(`${each.id || each.className} in ${each.closest('[id]').id}: ${each.textContent.slice(0, 60)} (${line})`);
        }
        return [figures.length, untold];
    })()
"""
"""How many elements with a digit of their own are seen in this view, and those of which a tap does not tell all three."""


def a_full_day() -> dict[str, Any]:
    wires = filled_wires()
    day = with_alerts(a_busy_day()) | {"strategies": strategy_rows(wires, (Strategy(),))}
    wires.close()
    return day


@asynccontextmanager
async def looked_at(folder: Path, pool: Pool | None, body: dict[str, Any], view: str) -> AsyncIterator[Page]:
    async with served(body, None, pool) as url, a_phone(folder) as page:
        await page.go(f"{url}/#{view}")
        await page.until("document.querySelector('#net').textContent !== '—'")
        # What a tap tells is fetched at the first one.
        await page.value("document.querySelector('#cause').click()")
        await page.until("performance.getEntriesByName(new URL('about.js', location)).length > 0")
        yield page
        assert page.faults == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("view", "least", "there"),
    [
        ("history/trades", 20, "#history-rows tbody tr"),
        ("history/real/1", 10, "#story-fills tbody tr"),
        ("performance/real/0", 4, "#groups figure"),
    ],
)
async def test_a_tap_on_a_figure_of_the_past_tells_as_much(
    tmp_path: Path, pool: Pool, view: str, least: int, there: str
):
    async with transaction(pool) as connection:
        await begun(connection)
        await add_history(connection, 1, 3)
    async with looked_at(tmp_path, pool, a_full_day(), view) as page:
        await page.until(f"document.querySelector('{there}')?.checkVisibility()")
        found, untold = await page.value(UNTOLD)
        assert untold == []
        assert found >= least, found


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("view", "least"), [("now", 12), ("markets", 60), ("health", 20)])
@pytest.mark.parametrize("size", [SMALL_PHONE, (1400, 900)])
async def test_a_tap_on_any_figure_tells_its_unit_its_source_and_its_age(
    tmp_path: Path, pool: Pool, view: str, least: int, size: tuple[int, int]
):
    async with transaction(pool) as connection:
        await begun(connection)
    async with looked_at(tmp_path, pool, a_full_day(), view) as page:
        await page.size(*size)
        await page.until(
            "document.querySelector('#view-now').hidden || !document.querySelector('#figure').hidden"
        )
        found, untold = await page.value(UNTOLD)
        assert untold == []
        assert found >= least
        assert await page.value("document.documentElement.scrollWidth") <= size[0]


async def test_an_age_is_that_of_its_source_as_it_was_told_last(tmp_path: Path):
    body = a_full_day()
    body["account_read"] = {"age_seconds": 75.0}
    async with looked_at(tmp_path, None, body, "now") as page:
        await page.value("document.querySelector('#balance').click()")
        line = await page.value(LINE)
        assert line.startswith(
            "dollars of cash; from Kalshi's account, over REST, compared with own rows, 1 m 15 s ago"
        )
        assert (await page.value(SAID)).startswith("dollars of cash; from Kalshi's account"), "read out once"
        body["account_read"] = {"age_seconds": 3_700.0}
        await page.until(f"{LINE}.endsWith('1 h 01 m ago')")
        body["account_read"] = None
        await page.until(f"{LINE}.endsWith('age not known')")
        body["account_read"] = {"age_seconds": 0.0}
        await page.until(f"/ [0-9.]+ s ago$/.test({LINE})")


async def test_an_age_goes_on_when_the_connection_is_lost(tmp_path: Path):
    """By a clock of the machine: the market's stands almost still in these tests."""
    body = a_full_day()
    body["tasks"]["trade_manager"] = next(iter(body["tasks"].values())) | {"age_seconds": 0.5}
    async with a_phone(tmp_path) as page:
        async with served(body) as url:
            await page.go(url)
            await page.until("document.querySelector('#net').textContent !== '—'")
            await page.value("document.querySelector('#net').click()")
            await page.until(f"{LINE}.endsWith('s ago')")
        await page.until("document.body.classList.contains('old')")
        await page.until(f"parseFloat({LINE}.match(/, ([0-9.]+) s ago$/)[1]) > 3")


@pytest.mark.timeout(120)
async def test_the_keyboard_goes_from_figure_to_figure_while_the_button_is_pressed_and_not_before(
    tmp_path: Path,
):
    async with looked_at(tmp_path, None, a_full_day(), "now") as page:
        await page.value("document.querySelector('#figure-close').click()")
        assert await page.value("document.querySelectorAll('#views [tabindex=\"0\"]:not(.log)').length") == 0
        await page.value("document.querySelector('#figures').focus()")
        await key(page, "Enter", 13)
        await page.until("document.querySelector('#figures').getAttribute('aria-pressed') === 'true'")
        reached: list[str] = []
        for _ in range(30):
            await key(page, "Tab", 9)
            reached.append(await page.value("document.activeElement.id"))
            if reached[-1] == "balance":
                break
        assert {"net", "worth", "balance"} <= set(reached)
        assert "dollars of cash" in await page.value(SAID)
        await page.size(*SMALL_PHONE)
        assert await page.axe() == []
        assert await page.value(HARD_TO_USE) == []
        await key(page, "Escape", 27)
        await page.until("document.querySelector('#figure').hidden")
        assert await page.value("document.activeElement.id") == "figures"
        assert await page.value("document.querySelectorAll('#views [tabindex=\"0\"]:not(.log)').length") == 0


async def key(page: Page, name: str, code: int) -> None:
    text = {"text": "\r"} if name == "Enter" else {}
    for kind in ("keyDown", "keyUp"):
        pressed = text if kind == "keyDown" else {}
        await page.command(
            "Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code, **pressed
        )


async def test_the_line_goes_with_its_figure(tmp_path: Path):
    wires = Wires()
    body = a_full_day()
    async with looked_at(tmp_path, None, body, "now") as page:
        await page.value("document.querySelector('.position:last-child .figure').click()")
        assert "before the fee of selling" in await page.value(LINE)
        body["trades"] = body["trades"][:1]
        await page.until("document.querySelector('#figure').hidden")
        await page.value("document.querySelector('#net').click()")
        await page.until("!document.querySelector('#figure').hidden")
        await page.value("location.hash = 'log'")
        await page.until("document.querySelector('#figure').hidden")
    wires.close()


TOP_LINE = """
    (() => {
        const box = document.querySelector('#log-lines'), { top } = box.getBoundingClientRect();
        return [...box.children].find((line) => line.getBoundingClientRect().bottom > top + 8).textContent;
    })()
"""


async def test_a_line_of_the_log_that_is_being_read_stays_where_it_is(tmp_path: Path):
    RECENT.clear()
    RECENT.extend(("info", f"line {number}") for number in range(RECENT.maxlen or 0))
    async with looked_at(tmp_path, None, a_full_day(), "log") as page:
        await page.until("document.querySelector('#log-lines').children.length > 100")
        await page.value("document.querySelector('#log-lines').scrollTop = 900")
        read = await page.value(TOP_LINE)
        RECENT.extend(("info", f"newer line {number}") for number in range(20))
        await page.until("document.querySelector('#log-lines').textContent.includes('newer line 19')")
        assert await page.value(TOP_LINE) == read
    RECENT.clear()


def test_the_age_of_the_account_is_from_when_the_venue_was_asked():
    wires = filled_wires()
    account = wires.account.get()
    assert account is not None
    early, late = NOW - timedelta(seconds=30), NOW - timedelta(seconds=5)
    for asked, compared, at in ((None, late, late), (early, late, early)):
        wires.account.set(replace(account, balance_at=asked, reconciled_at=compared))
        found = status(wires)
        seconds = (datetime.fromisoformat(found["now"]) - at).total_seconds()
        assert found["account_read"]["age_seconds"] == pytest.approx(seconds, abs=0.01)
    wires.close()
