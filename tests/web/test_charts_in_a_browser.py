"""The charts in a real browser: what is told is drawn and said, own trades are marked, and it is legible on a phone."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest

from recio.clock import Clock
from recio.db.connection import transaction
from recio.web.market_history import MarketHistory
from recio.wires import Wires
from tests.conftest import unused_port
from tests.db.trigger_scenarios import insert
from tests.tasks.status_server import a_page, started
from tests.tasks.test_status_page import filled_wires, status
from tests.web.browser import DESK, SMALL_PHONE, Page, a_phone
from tests.web.charted import CLOSES, MARKET, add_market, add_paper_trades, watched
from tests.web.test_imported_stories import TRADE
from tests.web.test_page_in_a_browser import HARD_TO_USE
from tests.web.test_stories import a_life

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
PICTURES = os.environ.get("RECIO_PICTURES", "")
"""A folder where pictures of the charts are to be kept."""
SMALLEST_LETTER = """
    Math.min(...[...document.querySelectorAll('figure.chart text')].filter((each) => each.checkVisibility())
        .map((each) => each.getBoundingClientRect().height))
"""
OUTSIDE = """
    [...document.querySelectorAll('figure.chart svg')].filter((each) => each.checkVisibility()).flatMap((svg) => {
        const box = svg.getBoundingClientRect();
        return [...svg.querySelectorAll('text')].filter((each) => {
            const own = each.getBoundingClientRect();
            return own.left < box.left - 1 || own.right > box.right + 1 || own.top < box.top - 1 || own.bottom > box.bottom + 1;
        }).map((each) => each.textContent);
    })
"""
WITHOUT_UNIT = """
    [...document.querySelectorAll('figure.chart')].filter((each) => each.checkVisibility() && ![...each.querySelectorAll('text.unit')]
        .some((unit) => /dollars|%|basis points/.test(unit.textContent))).map((each) => each.querySelector('strong').textContent)
"""
FIGURES = "document.querySelector('#performance-figures').innerText"
SUM = "document.querySelector('#performance-sum').textContent"
DRAWN = "[...document.querySelectorAll('figure.chart svg')].filter((each) => each.checkVisibility()).length"
PANELS = "[...document.querySelectorAll('figure.chart')].filter((each) => each.checkVisibility()).map((each) => each.querySelector('strong').textContent)"


@asynccontextmanager
async def a_charted_page(pool: Pool, history: MarketHistory, at: int = CLOSES) -> AsyncIterator[str]:
    wires, body = Wires(), status(filled_wires())
    page = replace(
        a_page(unused_port(), lambda _whole: body, wires, pool),
        history=history,
        series={"KXBTC15M": "BTC"},
        clock=Clock(speed=1e-9, venue_origin=float(at)),
    )
    try:
        async with started(page) as url:
            yield url
    finally:
        wires.close()


async def test_a_market_has_its_charts_with_own_trades_marked_and_a_table_of_the_same(
    tmp_path: Path, pool: Pool
):
    async with transaction(pool) as connection:
        await a_life(connection)
        await add_market(connection)
    async with a_charted_page(pool, watched()) as url, a_phone(tmp_path / "browser") as page:
        await page.go(f"{url}/#markets")
        await page.until("document.querySelector('#board .strike a')?.getAttribute('href')")
        assert (
            await page.value(
                "performance.getEntriesByType('resource').some((each) => each.name.includes('market_chart'))"
            )
            is False
        )
        await page.value("document.querySelector('#board .strike a').click()")
        await page.until(f"{DRAWN} === 4")
        assert await page.value(PANELS) == [
            "Price of BTC against the strikes",
            "Model against the market",
            "Settlement average in the closing minute",
            "Momentum of BTC",
        ]
        marks = "[...document.querySelectorAll('figure.chart svg')].map((each) => each.querySelectorAll('.mark').length)"
        assert await page.value(marks) == [2, 2, 0, 0]
        words = await page.value("document.querySelector('.mark.bought title').textContent")
        assert words == "12:00:00 bought 10 NO at 52.0\u00a2"
        told = await page.value("document.querySelector('figure.chart svg').getAttribute('aria-label')")
        assert "strike \u2265 84,000" in told
        assert "of 60 of 60 values" in told
        await page.value(
            "for (const each of document.querySelectorAll('figure.chart details')) each.open = true"
        )
        await page.until("document.querySelectorAll('figure.chart table').length === 4")
        rows = await page.value("document.querySelector('#market-charts table').innerText")
        assert "sold 4 NO at 30.0\u00a2" in rows
        assert await page.axe() == []
        await page.value("location.hash = 'history/real/1'")
        await page.until(f"{DRAWN} === 4 && document.querySelector('#market').hidden")
        assert await page.value("document.querySelectorAll('#story-charts svg .mark').length") == 4
        await page.value("location.hash = 'history'")
        await page.until(f"{DRAWN} === 0")
        assert page.faults == []


async def test_an_open_chart_is_asked_for_again_while_the_market_lives_and_no_longer(
    tmp_path: Path, pool: Pool
):
    now, asked = (
        CLOSES - 300,
        "performance.getEntriesByType('resource').filter((each) => each.name.endsWith('/chart')).length",
    )
    async with transaction(pool) as connection:
        await add_market(connection, now)
    async with a_charted_page(pool, watched(now), now) as url, a_phone(tmp_path / "browser") as page:
        await page.go(f"{url}/")
        await page.value("import('/market_chart.js').then((module) => module.every(200))")
        await page.value(f"location.hash = '{MARKET}'")
        await page.until(f"{DRAWN} === 3")
        assert await page.value(f"({PANELS}).includes('Settlement average in the closing minute')") is False
        before = await page.value("document.querySelector('figure.chart svg').getAttribute('aria-label')")
        await pool.execute(f"INSERT INTO price_seconds VALUES ('BTC', {now + 2}, 84123.45)")
        await page.until(
            "document.querySelector('figure.chart svg').getAttribute('aria-label').includes('84,123.45')"
        )
        assert "84,123.45" not in before
        await page.value("location.hash = 'now'")
        await page.until("document.querySelector('#market').hidden")
        stopped = await page.value(asked)
        await page.value("new Promise((done) => setTimeout(done, 600))")
        assert await page.value(asked) <= stopped + 1
        assert page.faults == []


@pytest.mark.timeout(120)
async def test_every_chart_is_legible_on_a_phone_and_a_desk_dark_and_light(tmp_path: Path, pool: Pool):
    async with transaction(pool) as connection:
        await a_life(connection)
        await add_market(connection)
        await add_paper_trades(connection)
    kept = Path(PICTURES or tmp_path)
    async with a_charted_page(pool, watched()) as url, a_phone(tmp_path / "browser") as page:
        for device, size, dark in (("phone", SMALL_PHONE, False), ("desk", DESK, True)):
            await page.size(*size, dark=dark)
            await page.go(f"{url}/?{device}{MARKET}")
            await page.until(f"{DRAWN} === 4")
            await legible(page, size[0], kept / f"{device}-chart-market.png")
            await page.value("location.hash = 'performance/shadow/90'")
            await page.until(f"{DRAWN} === 5")
            await legible(page, size[0], kept / f"{device}-chart-performance.png")
        assert "900" in await page.value(FIGURES)
        await page.value(
            "(() => { const days = document.querySelector('#performance-days'); days.value = '7';"
            " days.dispatchEvent(new Event('input', {bubbles: true})); })()"
        )
        await page.until(f"!({FIGURES}).includes('900')")
        assert await page.value("location.hash") == "#performance/shadow/7"
        assert page.faults == []


async def test_a_point_that_is_looked_at_by_the_keyboard_is_kept_when_the_chart_is_drawn_anew(
    tmp_path: Path, pool: Pool
):
    now = CLOSES - 300
    async with transaction(pool) as connection:
        await add_market(connection, now)
    async with a_charted_page(pool, watched(now), now) as url, a_phone(tmp_path / "browser") as page:
        await page.go(f"{url}/")
        await page.value("import('/market_chart.js').then((module) => module.every(200))")
        await page.value(f"location.hash = '{MARKET}'")
        await page.until(f"{DRAWN} === 3")
        await page.value("document.querySelector('#market-charts svg').focus()")
        for _ in range(5):
            await page.value(
                "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'PageUp', bubbles: true}))"
            )
        told = "document.querySelector('#market-charts .readout').textContent"
        before = await page.value(told)
        await pool.execute(f"INSERT INTO price_seconds VALUES ('BTC', {now + 2}, 84123.45)")
        await page.until("document.activeElement.getAttribute('aria-label').includes('84,123.45')")
        assert await page.value(told) == before
        assert await page.value("document.activeElement.querySelector('.cross').matches('.seen')")
        await page.value("document.activeElement.blur()")
        await page.until(f"{told}.includes('84,123.45')")
        assert page.faults == []


async def test_a_chart_that_could_not_be_read_once_stays_and_is_asked_for_again(tmp_path: Path, pool: Pool):
    now, said = CLOSES - 300, "document.querySelector('#market-charts output').textContent"
    async with transaction(pool) as connection:
        await add_market(connection, now)
    async with a_charted_page(pool, watched(now), now) as url, a_phone(tmp_path / "browser") as page:
        await page.go(f"{url}/")
        await page.value("import('/market_chart.js').then((module) => module.every(200))")
        await page.value(f"location.hash = '{MARKET}'")
        await page.until(f"{DRAWN} === 3")
        async with transaction(pool) as connection:
            await connection.execute("LOCK TABLE price_seconds IN ACCESS EXCLUSIVE MODE")
            await page.until(f"{said}.includes('cannot be read now')")
            assert await page.value(DRAWN) == 3
            await connection.execute(f"INSERT INTO price_seconds VALUES ('BTC', {now + 2}, 84123.45)")
        await page.until(
            "document.querySelector('figure.chart svg').getAttribute('aria-label').includes('84,123.45')"
        )
        assert await page.value(said) == ""


async def test_figures_of_one_question_do_not_stand_under_another_that_was_not_answered(
    tmp_path: Path, pool: Pool
):
    async with transaction(pool) as connection:
        await a_life(connection)
        await add_paper_trades(connection)
    async with a_charted_page(pool, watched()) as url, a_phone(tmp_path / "browser") as page:
        await page.go(f"{url}/#performance/real/0")
        await page.until(f"{DRAWN} > 0")
        async with transaction(pool) as connection:
            await connection.execute("LOCK TABLE paper_trades IN ACCESS EXCLUSIVE MODE")
            await page.value("location.hash = 'performance/shadow/0'")
            await page.until(
                "document.querySelector('#performance-said').textContent.includes('cannot be read now')"
            )
            hidden = "document.querySelector('#performance-figures').hidden"
            assert await page.value(f"[{DRAWN}, {hidden}, {SUM}]") == [0, True, ""]
        await page.value("location.hash = 'performance/real/0'")
        await page.until(f"{DRAWN} > 0 && !{hidden}")


async def test_within_so_many_days_is_by_the_daemon_s_clock_and_says_of_when_it_is(
    tmp_path: Path, pool: Pool
):
    ahead = "{ const now = Date.now; Date.now = () => now() + 400 * 86400e3; }"
    async with transaction(pool) as connection:
        await add_paper_trades(connection)
    async with a_charted_page(pool, watched()) as url, a_phone(tmp_path / "browser") as page:
        await page.command("Page.addScriptToEvaluateOnNewDocument", source=ahead)
        await page.go(f"{url}/#performance/shadow/90")
        await page.until(f"{DRAWN} === 5")
        assert "900" in await page.value(FIGURES)
        assert (await page.value(SUM)).startswith(
            f"as of {datetime.fromtimestamp(CLOSES, UTC):%Y-%m-%d %H:%M}"
        )


async def test_trades_whose_result_nobody_knows_are_told_to_be_left_out(tmp_path: Path, pool: Pool):
    unknown = {"entry_cost": None, "exit_proceeds": None, "payout": None, "fees": None, "net_pnl": None}
    async with transaction(pool) as connection:
        await insert(connection, "imported_trades", TRADE | unknown)
    async with a_charted_page(pool, watched()) as url, a_phone(tmp_path / "browser") as page:
        await page.go(f"{url}/#performance/imported/0")
        await page.until(
            f"{SUM}.startsWith('no trade of a known result has ended in this time, 1 of an unknown result')"
        )
        assert page.faults == []


async def legible(page: Page, width: int, picture: Path) -> None:
    await page.picture(picture)
    assert await page.value(OUTSIDE) == []
    assert await page.value(WITHOUT_UNIT) == []
    assert await page.value(SMALLEST_LETTER) >= 11
    assert await page.value("document.documentElement.scrollWidth") <= width
    assert await page.value(HARD_TO_USE) == []
    assert await page.axe() == []


SCALES = {
    "ticks(0, 1, 6)": [0, 0.2, 0.4, 0.6, 0.8, 1],
    "ticks(-0.9, 0.9, 3)": [-0.5, 0, 0.5],
    "ticks(83930, 84110, 5)": [83_950, 84_000, 84_050, 84_100],
    "ticks(7, 7, 5)": [7],
    "timeTicks(1000, 1900, 4)": [1200, 1500, 1800],
    "timeTicks(1001, 1001, 4)": [1001],
    "timeText(1795435200, 300)": "12:00",
    "timeText(1795435200, 15)": "12:00:00",
    "timeText(1795435200, 86400)": "11-23",
    "runs([1, 2, 3, 4, 90, 91], [5, 6, null, 7, 8, 9], 30)": [[[1, 5], [2, 6]], [[4, 7]], [[90, 8], [91, 9]]],
    "runs([], [], 30)": [],
    "spacing([10, 15, 20, 90, 95])": 5,
    "spacing([10])": 0,
    "nearest([10, 20, 30], 24)": 1,
    "nearest([10, 20, 30], 26)": 2,
    "nearest([10], -5)": 0,
    "nearest([], 1)": -1,
    "apart([10, 14, 40, 44], 15)": [True, False, True, False],
    "around([null, NaN])": [0, 1],
    "scale(0, 10, 100, 200)(5)": 150,
    "scale(3, 3, 100, 200)(3)": 100,
    "decimalsFor(0.05)": 2,
    "decimalsFor(20)": 0,
}
"""What the scales make of numbers; an unknown value or a long silence parts a line, and nothing is drawn across it."""
FILL = '{{kind: "real", number: "7", what: "bought", side: "no", at: "2026-11-23T12:00:0{}Z", price: "{}", quantity: "{}"}}'
MARKS = {
    f"together([{FILL.format(0, '0.50', '6.00')}, {FILL.format(1, '0.60', '4.00')}]).map((each) => [each.quantity, each.price])": [
        [10, 0.54]
    ],
    f"together([{FILL.format(0, '0.50', '6.00')}, {FILL.format(5, '0.60', '4.00')}]).length": 2,
    f"together([{FILL.format(0, '0.50', '0.10')}, {FILL.format(1, '0.60', '0.20')}])[0].quantity": 0.3,
    'yesPrice({side: "no", price: 0.52})': 0.48,
    "within([84000, 90000], [83900, 84100])": [84_000],
    "valueAt([10, 20], [1, 2], 15)": 1,
    "valueAt([10, 20], [1, 2], 5)": 1,
    "valueAt([], [], 5)": None,
    'strikeText({strike_type: "between", floor_strike: "84000", cap_strike: "84250"})': "in 84,000 to 84,250",
    'strikeText({strike_type: "", floor_strike: null, cap_strike: null})': "no strike yet",
}
GROUP = '{{group: "{}", trades: 9, closes: 9, mean: "{}", mean_low: "{}", mean_high: "{}", net_pnl: "0.05"}}'
SMALL = f"groupChart([{GROUP.format('a name without end ' * 6, '0.004', '0.001', '0.007')}, {GROUP.format('b', '-0.002', '-0.003', '-0.001')}], 280, '')"
CENTS = """
    equityChart({equity: [{at: "2026-11-23T12:00:00Z", net_pnl: "0.004", drawdown: "0"}, {at: "2026-11-23T13:00:00Z", net_pnl: "0.001", drawdown: "0.003"}],
        by_day: [{group: "2026-11-23", trades: 2, net_pnl: "0.001", mean_low: null, mean_high: null}], total: {net_pnl: "0.001"}, max_drawdown: "0.003"}, 600)
"""
LABELS = "[...{}.svg.querySelectorAll('text')].map((each) => each.textContent).filter((each) => each.includes('$'))"
GROUPS = {
    f"((field) => field.box.left < field.px(-0.003) && field.px(-0.003) < field.px(0.007) && field.px(0.007) < field.box.right)({SMALL})": True,
    f"new Set({LABELS.format(SMALL)}).size === {LABELS.format(SMALL)}.length": True,
    f"{LABELS.format(CENTS.strip())}.slice(0, 5)": ["$0.000", "$0.001", "$0.002", "$0.003", "$0.004"],
    "tone(0.1, 0.3) + tone(-0.3, -0.1) + tone(-0.1, 0.1)": "gainlossunsure",
    'spread({mean_low: "-0.10", mean_high: "0.30", trades: 10})': [-1, 3],
    "spread({mean_low: null, mean_high: null, trades: 10})": None,
}


async def test_scales_marks_and_groups_are_made_of_numbers_as_they_promise(tmp_path: Path, pool: Pool):
    async with a_charted_page(pool, MarketHistory()) as url, a_phone(tmp_path / "browser") as page:
        await page.go(url)
        for name, claims in (("chart_scale", SCALES), ("market_chart", MARKS), ("performance", GROUPS)):
            for expression, promised in claims.items():
                asked = f"import('/{name}.js').then((module) => {{ with (module) return {expression}; }})"
                found = await page.value(asked)
                assert found == promised, expression
        assert page.faults == []
