"""The plain page says what the page says, with no script, and what comes from elsewhere stays text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp

from recio.web import page_files
from recio.web.plain import plain_page
from tests.tasks.status_server import served
from tests.web.browser import a_phone
from tests.web.test_page_in_a_browser import a_busy_day, with_alerts


def test_a_browser_without_scripts_is_led_there():
    unscripted = page_files()["index.html"][0].split("<noscript>")[1].split("</noscript>")[0]
    assert '<a href="api/v1/plain">' in unscripted


async def test_it_has_the_figures_without_a_script_and_says_from_when_they_are(tmp_path: Path):
    body = with_alerts(a_busy_day())
    async with served(body) as url, a_phone(tmp_path) as page:
        await page.size(320, 640)
        await page.go(f"{url}/plain")
        text = await page.value("document.body.innerText")
        for part in (
            f"as it was at {body['now']}", "play money", "HALTED: halt: a difference", "no: halted: a difference",
            body["trades"][0]["ticker"], body["limits"][0]["name"], "cause critical", "price_feed",
        ):  # fmt: skip
            assert part in text, text
        assert await page.value("document.scripts.length") == 0
        assert await page.value("location.pathname") == "/api/v1/plain"
        assert await page.value("document.styleSheets.length") == 1
        assert await page.axe() == []
        assert await page.value("document.documentElement.scrollWidth") <= 320


def test_what_stands_in_a_status_is_text_and_never_markup():
    body: dict[str, Any] = a_busy_day()
    body["halts"][0]["cause"] = "<script>alert(1)</script>"
    body["trades"][0]["ticker"] = '"><img src=x>'
    told = plain_page(body)
    assert "<script" not in told
    assert "<img" not in told
    assert "&lt;script&gt;" in told


def test_real_money_is_called_so():
    assert "REAL MONEY" in plain_page(a_busy_day() | {"mode": "live", "environment": "prod"})


async def test_it_is_for_readers_as_the_status_is():
    async with (
        served(a_busy_day()) as url,
        aiohttp.ClientSession(headers={"Authorization": "Bearer recio_guess"}) as session,
        session.get(f"{url}/plain") as answer,
    ):
        assert answer.status == 401
