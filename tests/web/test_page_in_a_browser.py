"""The page in a real browser of a phone's size: what matters is on the first screen, and each act is what it says."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import asyncpg
import pytest

from recio.db.connection import transaction
from recio.messages.controls import Halt, HaltLevel, HaltRequest, TradingControls
from recio.messages.markets import MarketView
from recio.messages.orders import TradeState
from recio.rules.decision.strategy import Strategy
from recio.units import Money, Quantity, Ticker, TradeId
from recio.web.logins import Login, Role, change, hashed
from recio.web.strategy_rows import strategy_rows
from recio.wires import Wires
from tests.builders import NOW, book, market, open_trades, order, show, trade, view
from tests.conftest import unused_port
from tests.db.trigger_scenarios import insert
from tests.history import add_history
from tests.runs import begun
from tests.tasks.status_server import TOKEN, a_page, served, started
from tests.tasks.test_status_page import filled_wires, status
from tests.web.browser import DESK, PHONE, SMALL_PHONE, Page, a_phone

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
STRIKES = 186
RING = """
    (() => {
        const light = (colour) => colour.match(/[0-9.]+/g).slice(0, 3).map((each) => each / 255)
            .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
            .reduce((sum, each, index) => sum + each * [0.2126, 0.7152, 0.0722][index], 0.05);
        const ratio = (one, other) => Math.max(one, other) / Math.min(one, other);
        return [['#who', '#top'], ['#to-now', '#top'], ['#halt', 'body'], ['#figure-close', '#figure']].filter(([each, on]) => {
            const focused = document.querySelector(each);
            focused.focus({ focusVisible: true });
            return !focused.matches(':focus-visible')
                || ratio(light(getComputedStyle(focused).outlineColor), light(getComputedStyle(document.querySelector(on)).backgroundColor)) < 3;
        });
    })()
"""
"""Whose ring, when the keyboard is there, does not stand out three to one against what it is drawn on."""
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


async def test_where_the_keyboard_is_can_be_seen_on_every_bar(tmp_path: Path):
    body = a_busy_day()
    async with served(body) as url, a_phone(tmp_path) as page:
        await page.command("Emulation.setFocusEmulationEnabled", enabled=True)
        for mode, dark in (("live", False), ("live", True), ("demo", False), ("demo", True)):
            body |= {"mode": mode, "environment": "prod"}
            await page.size(*DESK, dark=dark)
            await page.go(f"{url}/?{mode}{dark}")
            await page.until("document.querySelectorAll('.position').length === 2")
            await page.value("document.querySelector('#net').click()")
            await page.until("!document.querySelector('#figure').hidden")
            found = await page.value(RING)
            assert found == [], (mode, dark, found)


async def test_each_view_has_an_address_and_names_its_parts(tmp_path: Path):
    async with served(a_busy_day()) as url, a_phone(tmp_path) as page:
        await page.go(url)
        await page.until("document.querySelectorAll('.position').length === 2")
        for name, parts in VIEWS.items():
            await page.value(f"location.hash = '{name}'")
            await page.until(f"document.querySelector('#to-{name}').getAttribute('aria-current') === 'page'")
            assert parts <= set(await page.value(REGIONS)), name
        assert page.faults == []


def with_alerts(body: dict[str, Any]) -> dict[str, Any]:
    """Alerts that are on, channels, and messages of every fate."""
    open_now = [
        {"cause": f"cause {severity}", "severity": severity, "sentence": "The book of KXBTCD-26NOV2312-T84000 is 40 s old",
         "resolution": "look at the venue, or recio halt", "since": body["now"], "told": 2, "acknowledged_by": who}
        for severity, who in (("critical", None), ("warning", "anna"))
    ]  # fmt: skip
    sent = [
        {"channel": "phone", "severity": "critical", "text": f"A position has no stop since 40 s ({state})", "at": body["now"],
         "state": state, "attempts": 1, "why": "the channel answered 503" if state != "sent" else ""}
        for state in ("waiting", "sent", "failed")
    ]  # fmt: skip
    channels = [{"name": "phone", "least": "critical", "waiting": 1, "last": "waiting"}]
    return body | {"alerts": {"channels": channels, "open": open_now, "sent": sent, "ping": "sent 12 s ago"}}


PICTURES = os.environ.get("RECIO_PICTURES", "")
"""A folder where pictures of every view are to be kept."""


HARD_TO_USE = """
    (() => {
        const seen = (all) => [...document.querySelectorAll(all)].filter((each) => each.offsetParent && !each.matches('.skip'));
        const name = (each) => each.ariaLabel || each.textContent.trim();
        const buttons = seen('button').map(name);
        return [
            ...buttons.filter((each, index) => buttons.indexOf(each) !== index).map((each) => `two buttons are called ${each}`),
            ...seen('button, a[href], input, select').filter((each) => each.getBoundingClientRect().height < 24)
                .map((each) => `${name(each)} is too small for a thumb`),
            ...seen('.figure').filter((each) => each.scrollWidth > each.clientWidth)
                .map((each) => `${each.textContent} is wider than its tile`),
        ];
    })()
"""
"""What axe does not look for: names that say nothing apart, targets below 24 pixels, figures that run over."""


@pytest.mark.timeout(240)
async def test_no_view_has_an_accessibility_fault_or_is_wider_than_its_screen(tmp_path: Path, pool: Pool):
    async with transaction(pool) as connection:
        await begun(connection)
        await add_history(connection, 1, 40)
    kept = Path(PICTURES or tmp_path)
    wires = Wires()
    day = with_alerts(a_busy_day()) | {"strategies": strategy_rows(wires, (Strategy(),))}
    wires.close()
    async with served(day, None, pool) as url, a_phone(tmp_path / "browser") as page:
        for device, (size, dark) in {
            "phone": (SMALL_PHONE, False), "desk": (DESK, True),
        }.items():  # fmt: skip
            await page.size(*size, dark=dark)
            await page.go(url)
            await page.until("document.querySelectorAll('.position').length === 2")
            for name in VIEWS:
                await page.value(f"location.hash = '{name}'")
                await page.until(
                    f"document.querySelector('#to-{name}').getAttribute('aria-current') === 'page'"
                )
                await page.until("document.querySelector('#history-said').textContent === ''")
                await page.picture(kept / f"{device}-{name}.png")
                assert await page.axe() == [], (device, name)
                assert await page.value(HARD_TO_USE) == [], (device, name)
                assert await page.value("document.documentElement.scrollWidth") <= size[0], (device, name)
        assert page.faults == []


async def test_a_position_is_closed_in_two_steps_with_its_figures_and_the_page_says_what_came_of_it(
    tmp_path: Path, pool: Pool
):
    async with transaction(pool) as connection:
        await insert(connection, "trades")
    async with served(a_busy_day(), None, pool) as url, a_phone(tmp_path) as page:
        await page.go(url)
        await page.until("document.querySelectorAll('.position').length === 2")
        await page.value("document.querySelector('.position button').click()")
        what = await page.value("document.querySelector('#dialog-what').textContent")
        assert "Sells 10 YES" in what
        assert "$0.50 each" in what
        await page.value(f"document.querySelector('#dialog-token').value = '{TOKEN}'")
        await page.value("document.querySelector('#dialog-do').click()")
        await page.until("document.querySelector('#act-said').textContent.includes('still held')")
        assert await pool.fetchval("SELECT count(*) FROM trade_closes") == 1
        assert page.faults == []


async def test_a_strategy_is_switched_and_a_limit_lowered_in_two_steps_that_say_what_will_be(
    tmp_path: Path, pool: Pool
):
    async with transaction(pool) as connection:
        await begun(connection)
    wires = filled_wires()
    body = a_busy_day() | {"strategies": strategy_rows(wires, (Strategy(),))}
    wires.close()
    async with served(body, None, pool) as url, a_phone(tmp_path) as page:
        await page.go(f"{url}/#health")
        await page.until("document.querySelectorAll('#strategies button').length === 1")
        await page.value("document.querySelector('#strategies button').click()")
        assert "default buys nothing new" in await page.value(DIALOG)
        await confirm(page)
        await page.until("document.querySelector('#act-said').textContent.includes('entry of default')")
        await page.value("document.querySelector('#lower').click()")
        await page.value("document.querySelector('#lower-limit').value = 'max_open_trades'")
        await page.value("document.querySelector('#lower-amount').value = '1'")
        await page.value(
            "document.querySelector('#lower-amount').dispatchEvent(new Event('input', {bubbles: true}))"
        )
        assert "max open trades is 3, 2 of it taken. It becomes 1 at once" in await page.value(DIALOG)
        await confirm(page)
        await page.until("document.querySelector('#act-said').textContent.includes('is to be 1')")
        assert page.faults == []
    assert await pool.fetchval("SELECT strategy FROM switches WHERE NOT is_on") == "default"
    assert await pool.fetchval("SELECT amount FROM limit_cuts WHERE name = 'max_open_trades'") == 1


async def test_a_limit_is_raised_in_two_steps_that_say_what_may_then_be_lost_and_a_reader_raises_none(
    tmp_path: Path, pool: Pool
):
    async with transaction(pool) as connection:
        await begun(connection)
    async with served(a_busy_day(), None, pool) as url, a_phone(tmp_path) as page:
        await page.size(*SMALL_PHONE)
        await page.go(f"{url}/#health")
        await page.until("document.querySelectorAll('#limits tbody tr').length > 5")
        await page.value("document.querySelector('#raise').click()")
        await page.value("document.querySelector('#lower-limit').value = 'max_daily_loss_dollars'")
        for amount, said, may in (
            ("40", "which is no less", False),
            ("70", "max_daily_loss_dollars: 50 \u2192 70, from the next start on", True),
        ):
            await page.value(f"document.querySelector('#lower-amount').value = '{amount}'")
            at_once = await page.value(
                f"document.querySelector('#lower-amount').dispatchEvent(new Event('input', {{bubbles: true}})), {GRANTS}"
            )
            assert at_once is False, "nothing is granted before it was shown"
            await page.until(f"{DIALOG}.includes('{said}')")
            assert await page.value(GRANTS) is may
        assert "a day $50.00 \u2192 $70.00" in await page.value(DIALOG)
        assert await page.axe() == []
        assert await page.value("document.documentElement.scrollWidth") <= SMALL_PHONE[0]
        await page.value("document.querySelector('#dialog-token').value = 'a guess'")
        await page.value("document.querySelector('#dialog-do').click()")
        await page.until("document.querySelector('#act-said').textContent.startsWith('Nothing was done')")
        assert await pool.fetchval("SELECT count(*) FROM limit_grants") == 0
        await page.value("document.querySelector('#raise').click()")
        await page.until("document.querySelector('#dialog-do').disabled === false")
        await confirm(page)
        await page.until("document.querySelector('#act-said').textContent.includes('may become 70')")
        assert page.faults == []
    assert await pool.fetchval("SELECT amount FROM limit_grants WHERE name = 'max_daily_loss_dollars'") == 70


GRANTS = "!document.querySelector('#dialog-do').disabled"
DIALOG = "document.querySelector('#dialog-what').textContent"


async def confirm(page: Page) -> None:
    await page.value(f"document.querySelector('#dialog-token').value = '{TOKEN}'")
    await page.value("document.querySelector('#dialog-do').click()")


async def test_what_changes_is_followed_without_the_whole_being_sent_again(tmp_path: Path):
    body = a_busy_day()
    async with served(body) as url, a_phone(tmp_path) as page:
        await page.go(url)
        await page.until("document.querySelectorAll('.position').length === 2")
        body["pnl"] = body["pnl"] | {"realised_today": "12.3400"}
        body["trades"] = body["trades"][:1]
        await page.until("document.querySelector('#net').textContent === '+$12.34'")
        await page.until("document.querySelectorAll('.position').length === 1")
        assert page.faults == []


async def test_from_elsewhere_a_login_comes_first_and_an_operator_needs_no_token(tmp_path: Path, pool: Pool):
    """Chromium takes the cookie that is for TLS alone at this machine; what comes from elsewhere is told by a forwarded header."""
    path = tmp_path / "logins"
    since = datetime.now(UTC) - timedelta(minutes=1)
    login = Login(
        name="anna", role=Role.OPERATOR, password=hashed("five words drawn by chance"), sessions_since=since
    )
    change(path, lambda known: known.with_login(login))
    wires, body = Wires(), a_busy_day()
    page_of = a_page(unused_port(), lambda _whole: body, wires, pool, logins=path)
    async with started(page_of) as url, a_phone(tmp_path / "browser") as page:
        await page.go(url)
        await page.until("document.querySelectorAll('.position').length === 2")
        await page.value("document.querySelector('#who').click()")
        await page.value("document.querySelector('#login-name').value = 'anna'")
        await page.value("document.querySelector('#login-password').value = 'five words drawn by chance'")
        await page.value("document.querySelector('#login-form').requestSubmit()")
        await page.until("document.querySelector('#who')?.textContent.includes('anna')")
        await page.until("document.querySelectorAll('.position').length === 2")
        await page.value("document.querySelector('#flatten').click()")
        assert await page.value("document.querySelector('#dialog-token').offsetParent === null")
        assert await page.value("document.cookie") == ""
    wires.close()


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


PARTED = """
    (async () => {
        const { signedDollars } = await import(new URL('text.js', location.href));
        const line = document.createElement('p'), words = document.createTextNode(`at worst ${signedDollars('-5.37')} in all`), seen = [];
        line.append(words);
        document.body.append(line);
        const top = (from) => { const range = document.createRange(); range.setStart(words, from); range.setEnd(words, from + 1); return range.getBoundingClientRect().top; };
        const minus = words.data.indexOf('\u2212'), dollar = words.data.indexOf('$');
        for (let width = 60; width < 240; width += 1) {
            line.style.width = `${width}px`;
            if (top(minus) !== top(dollar)) seen.push(width);
        }
        line.remove();
        return seen;
    })()
"""


async def test_a_minus_stands_on_the_line_of_its_amount_however_narrow_the_line(tmp_path: Path):
    async with served(a_busy_day()) as url, a_phone(tmp_path) as page:
        await page.go(url)
        assert await page.value(PARTED) == []


async def test_an_address_of_no_view_is_said_to_be_none_and_the_link_past_the_bar_leaves_the_view(
    tmp_path: Path,
):
    said = "document.querySelector('#view-said').textContent"
    async with served(a_busy_day()) as url, a_phone(tmp_path) as page:
        await page.go(f"{url}/#nonsense")
        await page.until("document.querySelectorAll('.position').length === 2")
        assert await page.value(said) == "There is no view called \u201cnonsense\u201d; this is Now."
        await page.value("location.hash = 'health'")
        await page.until(f"{said} === ''")
        await page.value("document.querySelector('.skip').click()")
        await page.until("location.hash === '#views'")
        assert await page.value("document.querySelector('#view-health').hidden") is False
        assert page.faults == []


async def test_looks_without_an_event_say_nothing_once_a_market_is_open(tmp_path: Path):
    told = "[...document.querySelectorAll('#why tbody tr')].map((row) => row.innerText.replace(/\\s+/g, ' '))"
    body = a_busy_day()
    starting = {
        "event": "",
        "gate": "starting",
        "cycles": 3,
        "seconds": 30.0,
        "sentence": "not yet",
        "by": "default",
    }
    early = starting | {"event": "KXBTC15M-26NOV230700", "gate": "too early", "cycles": 1, "seconds": 7.5}
    edge = early | {"gate": "edge", "cycles": 9, "seconds": 2.5}
    body["rejections"] = [starting]
    async with served(body) as url, a_phone(tmp_path) as page:
        await page.go(url)
        await page.until(f"{told}.length === 1 && {told}[0].includes('starting \u00b7 100 %')")
        body["rejections"] = [starting, early, edge]
        await page.until(f"{told}.length === 2")
        shown = await page.value(told)
    assert ["75 %" in shown[0], "25 %" in shown[1]] == [True, True], shown


async def test_a_trade_is_called_the_same_after_its_market_has_left_the_board(tmp_path: Path):
    def with_a_trade(*shown: MarketView) -> dict[str, Any]:
        wires = filled_wires()
        show(wires.board, *shown)
        wires.open_trades.set(open_trades(trades=(trade(),)))
        return status(wires)

    body = with_a_trade(view())
    named = "document.querySelector('#activity li a')?.textContent"
    async with served(body) as url, a_phone(tmp_path) as page:
        await page.go(url)
        await page.until(f"{named}?.startsWith('Bought 10 YES BTC')")
        before = await page.value(named)
        body.update(with_a_trade())
        await page.until("document.querySelectorAll('#glance li').length === 0")
        assert await page.value(named) == before


async def test_what_is_being_bought_is_not_shown_as_nought_contracts_that_are_guarded(tmp_path: Path):
    wires = filled_wires()
    wires.open_trades.set(
        open_trades(
            trades=(trade(state=TradeState.OPENING, entry_quantity=Quantity(0), entry_cost=Money(0)),)
        )
    )
    async with served(status(wires)) as url, a_phone(tmp_path) as page:
        await page.go(url)
        await page.until("document.querySelectorAll('.position').length === 1")
        told = await page.value("document.querySelector('.position').innerText")
    assert told.splitlines()[0].startswith("YES BTC")
    assert "buying" in told
    assert "nothing bought yet" in told
    assert "guarded" not in told
