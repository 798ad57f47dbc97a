"""What came of an act is in sight wherever it was asked for, and what cannot be asked for says why in words, in a real browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import anyio
import asyncpg

from recio.db.connection import transaction
from recio.messages.controls import Halt, HaltLevel, HaltRequest, TradingControls
from recio.wires import Wires
from tests.runs import begun
from tests.tasks.status_server import TOKEN, served
from tests.web.browser import SMALL_PHONE, Page, a_phone
from tests.web.test_page_in_a_browser import DIALOG, GRANTS, a_busy_day

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
SAID = "document.querySelector('#act-said').textContent"
ON_THE_SCREEN = """
    (() => {
        const answer = document.querySelector('#act-said'), { top, bottom, left, right } = answer.getBoundingClientRect();
        const seen = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
        return top >= 0 && bottom <= innerHeight && left >= 0 && right <= innerWidth && answer.contains(seen);
    })()
"""


LOOKS_COUNTED = """
    window.looks = 0, window.fetched = fetch, window.fetch = async (path, ...rest) => {
        const answer = await window.fetched(path, ...rest);
        if (String(path).includes("outcomes/")) window.looks += 1;
        return answer;
    }
"""
"""How often the page has looked at what came of an act."""


REFUSED = "INSERT INTO trade_answers (request_id, accepted, sentence) SELECT max(request_id), false, 'no' FROM trade_requests"


async def written(page: Page, **fields: str) -> None:
    for name, text in fields.items():
        await page.value(f"document.querySelector('#{name.replace('_', '-')}').value = '{text}'")
    await page.value(
        "document.querySelector('#dialog-form label:not([hidden]) input').dispatchEvent(new Event('input', {bubbles: true}))"
    )


async def test_what_came_of_an_act_is_in_sight_of_every_view_and_stays_until_it_is_closed(
    tmp_path: Path, pool: Pool
):
    async with transaction(pool) as connection:
        await begun(connection)
    async with served(a_busy_day(), None, pool) as url, a_phone(tmp_path) as page:
        await page.size(*SMALL_PHONE)
        await page.go(url)
        await page.until("document.querySelectorAll('.position').length === 2")
        for view, button, token, said in (
            ("now", "flatten", "a guess", "Nothing was done"),
            ("markets", "trade", TOKEN, "Asked for"),
            ("health", "lower", TOKEN, "Asked for"),
        ):
            await page.value(f"location.hash = '{view}'")
            await page.until(f"!document.querySelector('#view-{view}').hidden")
            await page.value(f"document.querySelector('#{button}').click()")
            await written(
                page, trade_ticker="KXBTCD-26NOV2312-T84000", trade_contracts="5", trade_price="0.60",
                lower_amount="1", dialog_token=token,
            )  # fmt: skip
            await page.until(GRANTS)
            await page.value("document.querySelector('#dialog-do').click()")
            await page.until(f"{SAID}.startsWith('{said}')")
            assert await page.value(ON_THE_SCREEN), view
            await page.value("location.hash = 'log'")
            await page.until("!document.querySelector('#view-log').hidden")
            assert await page.value(ON_THE_SCREEN), "it does not leave with the view"
            await page.until("document.querySelector('#act-age').textContent.endsWith(' s ago')")
        assert await page.axe() == []
        assert await page.value("document.documentElement.scrollWidth") <= SMALL_PHONE[0]
        await page.value("document.querySelector('#act-close').click()")
        assert await page.value(SAID) == ""
        assert page.faults == []


async def test_an_answer_that_was_closed_or_gave_way_comes_back_only_with_news(tmp_path: Path, pool: Pool):
    async with transaction(pool) as connection:
        await begun(connection)
    async with served(a_busy_day(), None, pool) as url, a_phone(tmp_path) as page:
        await page.go(url)
        await page.until("document.querySelectorAll('.position').length === 2")
        await page.value(LOOKS_COUNTED)
        await page.value("document.querySelector('#trade').click()")
        await written(
            page, trade_ticker="KXBTCD-26NOV2312-T84000", trade_contracts="5", trade_price="0.60",
            dialog_token=TOKEN,
        )  # fmt: skip
        await page.value("document.querySelector('#dialog-do').click()")
        await page.until(f"{SAID}.startsWith('Asked for')")
        await page.value("document.querySelector('#act-close').click()")
        await page.value("window.looks = 0")
        await page.until("window.looks >= 2")
        assert await page.value(SAID) == "", "the same words again are no news"
        await page.value("document.querySelector('#test-alert').click()")
        await page.until(f"{SAID}.startsWith('Nothing was sent')")
        await page.value("window.looks = 0")
        await page.until("window.looks >= 2")
        assert (await page.value(SAID)).startswith("Nothing was sent"), "an older act does not take its place"
        await pool.execute(REFUSED)
        await page.until(f"{SAID}.startsWith('Not done')")


async def test_what_cannot_be_asked_for_says_why_in_words_and_is_not_asked(tmp_path: Path, pool: Pool):
    async with served(a_busy_day(), None, pool) as url, a_phone(tmp_path) as page:
        await page.go(f"{url}/#health")
        await page.until("document.querySelectorAll('#limits tbody tr').length > 5")
        await page.value("document.querySelector('#lower').click()")
        await page.value("document.querySelector('#lower-limit').value = 'max_open_trades'")
        for amount, said in (
            ("", "To how much?"), ("two", "\u201ctwo\u201d is no amount"), ("9", "9 is no less"), ("3", "3 is no less"),
        ):  # fmt: skip
            await written(page, lower_amount=amount)
            assert said in await page.value(DIALOG)
            assert await page.value(GRANTS) is False, amount
        await written(page, lower_amount="2")
        assert "It becomes 2 at once" in await page.value(DIALOG)
        assert await page.value(GRANTS) is True
        await page.value("document.querySelector('#dialog-cancel').click()")
        await page.value("document.querySelector('#trade').click()")
        for contracts, price, said in (
            ("", "", "How many contracts?"), ("ten", "0.60", "How many contracts?"),
            ("5", "", "For how many dollars each at most?"), ("5", "60", "write 0.55 for 55\u00a2"),
        ):  # fmt: skip
            await written(
                page,
                trade_ticker="KXBTCD-26NOV2312-T84000",
                trade_contracts=contracts,
                trade_price=price,
            )
            assert said in await page.value(DIALOG)
            assert await page.value(GRANTS) is False, (contracts, price)
        await written(page, trade_price="0.60")
        assert "Costs at most $3.00 and fees" in await page.value(DIALOG)
        assert page.faults == []


async def test_a_preview_that_was_not_answered_is_asked_for_again(tmp_path: Path, pool: Pool):
    async with served(a_busy_day(), None, pool) as url, a_phone(tmp_path) as page:
        await page.go(f"{url}/#health")
        await page.until("document.querySelectorAll('#limits tbody tr').length > 5")
        await page.value(
            "window.fetched = fetch; window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))"
        )
        await page.value("document.querySelector('#raise').click()")
        await page.value("document.querySelector('#lower-limit').value = 'max_daily_loss_dollars'")
        await written(page, lower_amount="70")
        await page.until(f"{DIALOG}.startsWith('No answer')")
        assert await page.value(GRANTS) is False
        await page.value("window.fetch = window.fetched")
        await page.until(f"{DIALOG}.includes('50 \u2192 70')")
        assert await page.value(GRANTS) is True


async def test_one_position_is_told_as_one(tmp_path: Path, pool: Pool):
    body = a_busy_day()
    body["positions"] = body["positions"] | {"count": 1}
    async with served(body, None, pool) as url, a_phone(tmp_path) as page:
        await page.go(url)
        await page.until("document.querySelectorAll('.position').length === 2")
        for act in ("flatten", "stop"):
            await page.value(f"document.querySelector('#{act}').click()")
            assert "1 position, worth" in await page.value(DIALOG)
            await page.value("document.querySelector('#dialog-cancel').click()")
        body["positions"] = None
        await page.until("document.querySelector('#worst').textContent === ''")
        await page.value("document.querySelector('#stop').click()")
        assert "not known yet" in await page.value(DIALOG), "and nothing is not claimed to be held"


async def test_a_test_alert_that_nobody_would_get_is_not_said_to_be_done(tmp_path: Path, pool: Pool):
    body = a_busy_day()
    assert body["alerts"]["channels"] == []
    async with served(body, None, pool) as url, a_phone(tmp_path) as page:
        await page.go(f"{url}/#health")
        await page.until("document.querySelectorAll('#limits tbody tr').length > 5")
        await page.value("document.querySelector('#test-alert').click()")
        await page.until(f"{SAID}.startsWith('Nothing was sent: nobody is called')")
        assert await page.value("document.querySelector('#token-dialog').open") is False


async def test_a_purchase_that_the_venue_refused_is_told_once_and_as_refused(tmp_path: Path):
    told = "[...document.querySelectorAll('#activity li a')].map((each) => each.textContent)"
    body = a_busy_day()
    bought, asked = body["trades"][0], body["orders"][0]
    body["trades"] = [bought | {"id": 3, "state": "void", "closed_at": body["now"]}]
    body["orders"] = [
        asked
        | {
            "client_order_id": "recio-1-3-entry-1",
            "state": "rejected",
            "purpose": "entry",
            "note": "rejected: group triggered",
        }
    ]
    async with served(body) as url, a_phone(tmp_path) as page:
        await page.go(url)
        await page.until(f"{told}.length > 0")
        (only,) = await page.value(told)
        assert only.endswith("; the venue refused it: group triggered")


async def test_the_answer_to_a_halt_goes_with_the_halt(tmp_path: Path, pool: Pool):
    wires, body = Wires(), a_busy_day()
    halts, body["halts"] = body["halts"], []

    async def obey() -> None:
        asked = await wires.halt_requests.receive()
        assert isinstance(asked, HaltRequest)
        halt = Halt(level=HaltLevel.HALT, cause=asked.cause, since=asked.at, by=asked.by, resolution="")
        wires.controls.set(replace(TradingControls(), halts=(halt,)))
        body["halts"] = halts

    async with (
        served(body, wires, pool) as url,
        a_phone(tmp_path) as page,
        anyio.create_task_group() as group,
    ):
        group.start_soon(obey)
        await page.go(url)
        await page.until("document.querySelectorAll('.position').length === 2")
        await page.value("document.querySelector('#halt').click()")
        await page.until(f"{SAID}.startsWith('Done')")
        await page.until("document.querySelectorAll('#halts li').length === 1")
        await page.until("document.querySelector('#act-age').textContent.endsWith(' s ago')")
        body["halts"] = []
        await page.until("document.querySelectorAll('#halts li').length === 0")
        await page.until(f"{SAID} === ''")
        assert page.faults == []
    wires.close()
