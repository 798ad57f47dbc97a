"""The page shows the past a page at a time, from a transaction that can change nothing, and names what it was asked wrongly."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any, TypeAlias

import aiohttp
import asyncpg
import pytest

from recio import log
from recio.db.connection import transaction
from recio.report.text import COLUMNS
from recio.web import past_lists
from recio.web.answers import TradesQuery
from recio.web.history import PAGE, days, trades_page
from tests.db.trigger_scenarios import insert
from tests.history import add_history
from tests.runs import begun
from tests.tasks.status_server import served
from tests.tasks.test_status_page import BODY

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TRADES = 2 * PAGE


@pytest.fixture
async def past(pool: Pool) -> Pool:
    async with transaction(pool) as connection:
        await begun(connection)
        await add_history(connection, 1, TRADES)
    return pool


async def test_pages_of_trades_follow_each_other_without_a_gap_or_a_repetition(past: Pool):
    found: list[dict[str, Any]] = []
    more = True
    while more:
        page = await trades_page(past, TradesQuery(offset=len(found)))
        more, found = page["more"], found + page["trades"]
    ended = [each["closed_at"] for each in found]
    assert ended == sorted(ended, reverse=True)
    bought = await past.fetchval("SELECT count(*) FROM trades WHERE entry_quantity > 0")
    assert len({each["number"] for each in found}) == len(found) == bought


async def test_days_are_what_the_counters_have(past: Pool):
    told = (await days(past))["days"]
    rows = await past.fetch("SELECT day, realised FROM day_figures ORDER BY day")
    assert [(each["day"], each["net_pnl"]) for each in told] == [
        (row["day"].isoformat(), str(row["realised"])) for row in rows
    ]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"kind": "all"}, "kind = 'all': choose 'real', 'shadow' or 'imported'"),
        ({"since": "yesterday"}, "since"),
        ({"offset": "-1"}, "offset = '-1'"),
        ({"offset": "9999999"}, "offset"),
        ({"mode": "x"}, "mode"),
        ({"ticker": "a b"}, "ticker"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_is_asked_wrongly_is_named(past: Pool, query: dict[str, str], names: str):
    async with (
        served(BODY, pool=past) as url,
        aiohttp.ClientSession() as session,
        session.get(url + "/api/v1/trades", params=query) as answer,
    ):
        assert answer.status == 400
        assert names in (await answer.json())["error"]


async def test_the_past_and_the_log_are_served_over_http(past: Pool):
    log.RECENT.append(("info", "12:00:00   trade open"))
    async with served(BODY, pool=past) as url, aiohttp.ClientSession() as session:
        async with session.get(url + "/api/v1/trades", params={"ticker": "T-1"}) as answer:
            told = await answer.json()
            assert answer.status == 200
            assert all(each["ticker"].startswith("T-1") for each in told["trades"])
        async with session.get(url + "/api/v1/days") as answer:
            assert (await answer.json())["days"]
        async with session.get(url + "/api/v1/parity") as answer:
            assert (await answer.json()) == {"days": []}
        async with session.get(url + "/api/v1/log") as answer:
            assert {"level": "info", "line": "12:00:00   trade open"} in (await answer.json())["lines"]
        async with session.get(url + "/api/v1/trades", params={"kind": "x"}) as answer:
            assert answer.status == 400


async def test_the_file_has_every_trade_that_was_asked_for_once_in_the_columns_of_the_command(
    past: Pool, monkeypatch: pytest.MonkeyPatch
):
    bought = await past.fetchval("SELECT count(*) FROM trades WHERE entry_quantity > 0")
    async with served(BODY, None, past) as url, aiohttp.ClientSession() as session:
        async with session.get(f"{url}/trades.csv", params={"ticker": "T-"}) as answer:
            rows = list(csv.DictReader(StringIO(await answer.text())))
            assert (answer.status, answer.content_type) == (200, "text/csv")
        async with session.get(f"{url}/trades.csv", params={"kind": "all"}) as answer:
            assert answer.status == 400
        monkeypatch.setitem(vars(past_lists), "CSV_MOST", bought - 1)
        async with session.get(f"{url}/trades.csv") as answer:
            assert (answer.status, "since, until" in await answer.text()) == (409, True)
    assert len({row["number"] for row in rows}) == len(rows) == bought
    assert tuple(rows[0])[: len(COLUMNS)] == COLUMNS
    ended = [row["closed_at"] for row in rows]
    assert ended == sorted(ended), "the address of before has the oldest first"


async def test_no_cell_of_the_file_is_a_formula_and_losses_stay_numbers(pool: Pool):
    evil = ("=HYPERLINK(1)", "+1+cmd|x", "-1+1", "@SUM(1)", "\t=1", "plain - text", "-.5.5.=")
    async with transaction(pool) as connection:
        for number, text in enumerate(evil, start=1):
            key = {"key": text, "strategy": text, "close_method": text}
            await insert(connection, "imported_ledger_rows", key)
            loss = {"exit_proceeds": 0.5, "net_pnl": -0.5, "ledger_key": text, "number": number}
            await insert(connection, "imported_trades", loss)
    async with (
        served(BODY, None, pool) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/trades.csv", params={"kind": "imported"}) as answer,
    ):
        rows = list(csv.DictReader(StringIO(await answer.text(), newline="")))
    texts = {each["strategy"] for each in rows} | {each["exit_reason"] for each in rows}
    assert texts == {each if each == "plain - text" else f"'{each}" for each in evil}
    assert {each["net_pnl"] for each in rows} == {"-0.500000"}
