"""The page in a real browser of a phone's size: what matters is on the first screen, and each act is what it says."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import asyncpg

from recio.messages.controls import Halt, HaltLevel, HaltRequest, TradingControls
from recio.messages.orders import TradeState
from recio.units import Ticker, TradeId
from recio.wires import Wires
from tests.builders import NOW, book, market, open_trades, order, show, trade, view
from tests.tasks.status_server import served
from tests.tasks.test_status_page import filled_wires, status
from tests.web.browser import PHONE, a_phone

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
STRIKES = 186
BOTTOM = "document.querySelector('{}').getBoundingClientRect().bottom"
REGIONS = """
    [...document.querySelectorAll('section')].filter((each) => each.offsetParent !== null).map((each) =>
        each.getAttribute('aria-label') ?? document.getElementById(each.getAttribute('aria-labelledby')).textContent)
"""
VIEWS = {
    "now": {"Now", "Positions", "Markets", "Activity"},
    "markets": {"Markets"},
    "history": {"History"},
    "performance": {"Performance"},
    "health": {"Health"},
    "log": {"Log"},
}


def a_busy_day() -> dict[str, Any]:
    """Two positions, one of them unguarded, beside a ladder; halted for a reason."""
    wires = filled_wires()
    ladder = [
        view(
            market(
                ticker=Ticker(f"KXBTCD-26NOV2312-T{80_000 + 50 * each}"),
                floor_strike=Decimal(80_000 + 50 * each),
            ),
            book(4_900, 5_100),
        )
        for each in range(STRIKES)
    ]
    show(wires.board, view(), *ladder)
    second = trade(trade_id=TradeId(2), ticker=Ticker("KXETHD-26NOV2312-T4000"), state=TradeState.OPEN)
    wires.open_trades.set(open_trades(trades=(trade(), second), orders=(order(),)))
    wires.controls.set(
        TradingControls(halts=(Halt(cause="a difference", since=NOW, by="x", resolution="recio resume"),))
    )
    return status(wires)


async def test_what_matters_is_on_a_phones_first_screen(tmp_path: Path):
    body = a_busy_day() | {"mode": "live", "environment": "prod"}
    async with served(body) as url, a_phone(tmp_path) as page:
        await page.go(url)
        await page.until("document.querySelectorAll('.position').length === 2")
        for named in (
            "#mode",
            "#cause",
            "#net",
            "#worth",
            "#worst",
            "#halt",
            "#resume",
            ".position:last-child",
        ):
            assert await page.value(BOTTOM.format(named)) <= PHONE[1], named
        assert "REAL MONEY" in await page.value("document.querySelector('#mode').textContent")
        assert "a difference" in await page.value("document.querySelector('#cause').textContent")
        assert "NOT guarded" in await page.value("document.querySelector('.position:last-child').textContent")
        assert await page.value("document.documentElement.scrollWidth") <= PHONE[0]
        assert page.faults == []


async def test_each_view_has_an_address_and_names_its_parts(tmp_path: Path):
    async with served(a_busy_day()) as url, a_phone(tmp_path) as page:
        await page.go(url)
        await page.until("document.querySelectorAll('.position').length === 2")
        for name, parts in VIEWS.items():
            await page.value(f"location.hash = '{name}'")
            await page.until(f"document.querySelector('#to-{name}').getAttribute('aria-current') === 'page'")
            assert parts <= set(await page.value(REGIONS)), name
        assert page.faults == []


async def test_one_tap_halts_and_the_page_says_what_came_of_it(tmp_path: Path, pool: Pool):
    wires = Wires()

    async def obey() -> None:
        asked = await wires.halt_requests.receive()
        assert isinstance(asked, HaltRequest)
        halt = Halt(level=HaltLevel.HALT, cause=asked.cause, since=asked.at, by=asked.by, resolution="")
        wires.controls.set(replace(TradingControls(), halts=(halt,)))

    async with (
        served(a_busy_day(), wires, pool) as url,
        a_phone(tmp_path) as page,
        anyio.create_task_group() as group,
    ):
        group.start_soon(obey)
        await page.go(url)
        await page.until("document.querySelectorAll('.position').length === 2")
        await page.value("document.querySelector('#halt').click()")
        await page.until("document.querySelector('#act-said').textContent.startsWith('Done')")
    wires.close()


async def test_figures_that_stopped_arriving_do_not_look_alive(tmp_path: Path):
    async with a_phone(tmp_path) as page:
        async with served(a_busy_day()) as url:
            await page.go(url)
            await page.until("!document.body.classList.contains('old')")
        await page.until("document.body.classList.contains('old') && !document.querySelector('#lost').hidden")
        assert "NOT CONNECTED" in await page.value("document.title")
