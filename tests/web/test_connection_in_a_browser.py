"""What the page makes of its connection, in a real browser: a daemon of another version takes its own page."""

from __future__ import annotations

from pathlib import Path

from recio.wires import Wires
from tests.conftest import unused_port
from tests.tasks.status_server import a_page, started
from tests.web.browser import a_phone
from tests.web.test_page_in_a_browser import a_busy_day


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
