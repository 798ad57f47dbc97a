"""A trade of the system before recio opens to what was rebuilt beside what the old ledger said, and neither is corrected by the other."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import asyncpg
import pytest

from recio.db.connection import transaction
from tests.db.trigger_scenarios import insert
from tests.tasks.status_server import served
from tests.tasks.test_status_page import filled_wires, status
from tests.web.browser import a_phone

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TICKER = "KXBTCD-25AUG0117-T117249.99"
OPENED, SOLD, LATER = "2025-08-01T20:00:00Z", "2025-08-01T20:30:00Z", "2025-08-01T20:45:00Z"
LEDGER = {
    "ticker": TICKER, "side": "no", "status": "closed", "quantity": 2, "buy_price": 0.4, "sell_price": 0.55, "fees": 0.04,
    "pnl": 0.3, "win_loss": "W", "opened_at": OPENED, "closed_at": LATER, "strategy": "momentum", "entry_method": "auto",
    "close_method": "stop",
}  # fmt: skip
TRADE = {
    "ticker": TICKER, "side": "no", "quantity": 2, "entry_cost": 0.8, "exit_proceeds": 0.9, "payout": 0, "fees": 0.0412,
    "net_pnl": 0.0588, "opened_at": OPENED, "closed_at": SOLD, "ledger_key": "k",
    "disagreements": [
        {"ticker": TICKER, "old_row": "trades 1", "field": "sell_price", "theirs": "0.5500", "ours": "0.450000"},
        {"ticker": TICKER, "old_row": "trades 1", "field": "pnl", "theirs": "0.300000", "ours": "0.058800"},
        {"ticker": TICKER, "old_row": "settlement", "field": "revenue", "theirs": "2.000000", "ours": "0.000000"},
    ],
}  # fmt: skip


async def an_old_trade(pool: Pool) -> None:
    """Two contracts of NO bought at 0.40 and sold at 0.45, which the old ledger has at 0.55; another market beside it."""
    async with transaction(pool) as connection:
        await insert(connection, "imported_ledger_rows", LEDGER)
        await insert(connection, "imported_trades", TRADE)
        for order, action, price, at in (
            ("o-1", "buy", 0.4, OPENED),
            ("o-2", "sell", 0.45, SOLD),
            ("o-3", "buy", 0.2, LATER),
        ):
            row = {"ticker": TICKER, "side": "no", "action": action, "order_id": order, "at": at}
            await insert(
                connection, "imported_orders", row | {"status": "executed", "filled": 2, "cost": 2 * price}
            )
            await insert(
                connection,
                "imported_fills",
                row | {"fill_id": f"f-{order}", "price": price, "quantity": 2, "fee": 0.0206},
            )
        await insert(
            connection, "imported_fills", {"ticker": f"{TICKER}9", "fill_id": "of-another", "at": OPENED}
        )
        for order, is_exit, price in (("o-1", False, 0.4), ("o-2", True, 0.45)):
            part = {"ticker": TICKER, "number": 1, "fill_id": f"f-{order}", "is_exit": is_exit, "quantity": 2}
            await insert(connection, "imported_trade_fills", part | {"price": price, "fee": 0.0206})
        await insert(connection, "imported_settlements", {"ticker": TICKER, "settled_at": LATER})


async def story(pool: Pool, path: str = f"prod/{TICKER}/1") -> tuple[int, dict[str, Any]]:
    async with (
        served({}, None, pool) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/api/v1/trades/imported/{path}") as answer,
    ):
        return answer.status, await answer.json()


async def test_each_figure_stands_beside_the_old_one_and_disagreements_are_marked(pool: Pool):
    await an_old_trade(pool)
    code, told = await story(pool)
    assert code == 200, told
    compared = {each["name"]: (each["theirs"], each["ours"], each["disagrees"]) for each in told["compared"]}
    assert compared["position"] == ("2.00", "2.00", False)
    assert compared["buy_price"] == ("0.4000", "0.4000", False)
    assert compared["sell_price"] == ("0.5500", "0.4500", True)
    assert compared["fees"] == ("0.040000", "0.041200", False)
    assert compared["pnl"] == ("0.300000", "0.058800", True)
    assert compared["revenue"] == ("2.000000", "0.000000", True)
    assert compared["status"] == ("closed", None, False)
    assert (told["old_row"], told["strategy"], told["close_method"]) == ("trades 1", "momentum", "stop")
    assert Decimal(told["net_pnl"]) == Decimal("0.0588")


async def test_its_fills_and_orders_are_those_of_its_market_while_it_lasted(pool: Pool):
    await an_old_trade(pool)
    told = (await story(pool))[1]
    assert [each["fill_id"] for each in told["fills"]["rows"]] == ["f-o-1", "f-o-2"]
    assert [each["venue_order_id"] for each in told["orders"]["rows"]] == ["o-1", "o-2"]
    assert [each["ticker"] for each in told["settlements"]["rows"]] == [TICKER]
    assert (told["trades_of_market"], told["is_cut"]) == (1, False)


async def test_its_own_fills_come_to_its_figures_or_it_says_that_they_do_not(pool: Pool):
    await an_old_trade(pool)
    told = (await story(pool))[1]
    assert [(each["fill_id"], each["is_exit"], each["price"]) for each in told["own_fills"]] == [
        ("f-o-1", False, "0.4000"),
        ("f-o-2", True, "0.4500"),
    ]
    assert told["fills_tie"] is True
    async with transaction(pool) as connection:
        await connection.execute("UPDATE imported_trade_fills SET fee = 0.03 WHERE is_exit")
    assert (await story(pool))[1]["fills_tie"] is False
    async with transaction(pool) as connection:
        await connection.execute("DELETE FROM imported_trade_fills")
    told = (await story(pool))[1]
    assert (told["own_fills"], told["fills_tie"]) == ([], None)


async def test_a_trade_without_a_ledger_row_says_so_and_what_is_not_known_is_null(pool: Pool):
    gaps = {
        "entry_cost": None,
        "net_pnl": None,
        "closed_at": None,
        "ledger_key": None,
        "opened_at": None,
        "number": 2,
    }
    missing = {"ticker": TICKER, "old_row": None, "field": "row", "theirs": None, "ours": "a trade of 2 no"}
    async with transaction(pool) as connection:
        await insert(connection, "imported_trades", TRADE | gaps | {"disagreements": [missing]})
    told = (await story(pool, f"prod/{TICKER}/2"))[1]
    assert (told["old_row"], told["net_pnl"], told["entry_cost"], told["closed_at"]) == (
        None,
        None,
        None,
        None,
    )
    assert {each["name"]: each["ours"] for each in told["compared"]} == {
        "position": "2.00",
        "fees": "0.041200",
        "row": "a trade of 2 no",
    }


@pytest.mark.parametrize(
    ("path", "code"), [(f"prod/{TICKER}/9", 404), (f"demo/{TICKER}/1", 404), (f"live/{TICKER}/1", 400)]
)
async def test_a_trade_that_is_not_there_has_no_story(pool: Pool, path: str, code: int):
    await an_old_trade(pool)
    assert (await story(pool, path))[0] == code


async def test_the_list_leads_to_the_story_and_back_on_the_narrowest_screen(tmp_path: Path, pool: Pool):
    await an_old_trade(pool)
    async with served(status(filled_wires()), None, pool) as url, a_phone(tmp_path) as page:
        await page.size(320, 640)
        await page.go(f"{url}/#history/trades?kind=imported")
        await page.until("document.querySelector('#history-rows th a')")
        await page.value("document.querySelector('#history-rows th a').click()")
        await page.until("document.activeElement.id === 'old-title'")
        assert await page.value("location.hash") == f"#history/imported/prod/{TICKER}/1"
        tale = await page.value("document.querySelector('#old-tale').innerText")
        for part in (
            "bought 2 contracts of NO for $0.80", "+$0.06 after $0.04 of fees", "Rebuilt from its fills",
            "The old ledger (trades 1) says otherwise about ended at, net, paid by the settlement",
        ):  # fmt: skip
            assert part in tale, tale
        assert await page.value("document.querySelectorAll('#old-compared tr.unknown').length") == 3
        assert await page.value("document.querySelectorAll('#old-fills tbody tr').length") == 2
        assert await page.axe() == []
        assert await page.value("document.documentElement.scrollWidth") <= 320
        await page.value("history.back()")
        await page.until(
            "document.querySelector('#old-story').hidden && !document.querySelector('#history-list').hidden"
        )
        assert page.faults == []
