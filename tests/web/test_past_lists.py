"""Lists of the past by HTTP, as a file and by the command: the same rows, refused in words where they are asked for wrongly."""

from __future__ import annotations

import csv
import json
import sys
from io import StringIO
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import anyio
import asyncpg
import pytest
from yarl import URL

from recio.db.connection import transaction
from recio.web import history, past_lists
from tests.db.trigger_scenarios import insert
from tests.past_rows import add_past
from tests.tasks.status_server import served

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Told: TypeAlias = "dict[str, Any]"


@pytest.fixture
async def past(pool: Pool) -> Pool:
    await add_past(pool)
    return pool


async def get(session: aiohttp.ClientSession, path: str, **query: str | int) -> tuple[int, Told]:
    async with session.get(f"/api/v1/history{path}", params=query) as answer:
        return answer.status, await answer.json()


async def test_every_list_is_told_with_its_columns_and_pages_lead_to_each_other(past: Pool):
    async with served({}, None, past) as url, aiohttp.ClientSession(url) as session:
        lists = (await get(session, ""))[1]["lists"]
        for each in lists:
            for kind in each["kinds"]:
                code, first = await get(session, f"/{each['name']}", kind=kind["kind"], most=2)
                assert (code, first["before"]) == (200, None), first
                assert first["columns"] == kind["columns"]
                if first["after"] is None:
                    continue
                second = (
                    await get(session, f"/{each['name']}", kind=kind["kind"], most=2, after=first["after"])
                )[1]
                back = (
                    await get(session, f"/{each['name']}", kind=kind["kind"], most=2, before=second["before"])
                )[1]
                assert (back["rows"], back["before"]) == (first["rows"], None)
    assert [each["name"] for each in lists][:4] == ["trades", "orders", "fills", "settlements"]


@pytest.mark.parametrize(
    ("path", "query", "code", "names"),
    [
        ("/orders", {"kind": "shadow"}, 400, "kind = 'shadow': choose 'real' or 'imported'"),
        ("/orders", {"state": "lost"}, 400, "state = 'lost'"),
        ("/fills", {"sort": "colour"}, 400, "sort = 'colour'"),
        ("/alerts", {"ticker": "KX"}, 400, "ticker"),
        ("/orders", {"kind": "imported", "sort": "note"}, 409, "imported orders have none; choose one of written_at"),
        ("/orders", {"kind": "imported", "purpose": "exit"}, 409, "purpose = 'exit'"),
        ("/orders", {"after": "zzzz"}, 409, "leave it out"),
        ("/orders", {"after": "a", "before": "b"}, 409, "leave one of them out"),
        ("/orders", {"most": 201}, 400, "most = '201'"),
        ("/actions", {"since": "soon"}, 400, "since"),
    ],
)  # fmt: skip
async def test_what_is_asked_wrongly_is_named(past: Pool, path: str, query: Told, code: int, names: str):
    async with served({}, None, past) as url, aiohttp.ClientSession(url) as session:
        status, told = await get(session, path, **query)
    assert (status, names in told["error"]) == (code, True), told


async def test_a_place_in_one_order_is_none_in_another(past: Pool):
    async with served({}, None, past) as url, aiohttp.ClientSession(url) as session:
        after = (await get(session, "/orders", most=1))[1]["after"]
        for path, query in (("/orders", {"order": "up"}), ("/orders", {"sort": "ticker"}), ("/fills", {})):
            code, told = await get(session, path, after=after, **query)
            assert (code, "no place in this list and order" in told["error"]) == (409, True)


async def test_pages_the_file_and_the_command_have_the_same_rows(
    past: Pool, database_dsn: str, tmp_path: Path
):
    config = tmp_path / "recio.toml"
    config.write_text(f'[database]\ndsn = "{database_dsn}"\n')
    asked = {"state": "filled", "sort": "limit", "order": "up", "ticker": "T-1"}
    async with served({}, None, past) as url, aiohttp.ClientSession(url) as session:
        rows = (await get(session, "/orders", most=200, **asked))[1]["rows"]
        async with session.get("/api/v1/history/orders.csv", params=asked) as answer:
            file = await answer.text()
            assert (answer.status, answer.content_type) == (200, "text/csv")
            assert answer.headers["Content-Disposition"] == 'attachment; filename="orders.csv"'
    command = [
        "history",
        "orders",
        "--state",
        "filled",
        "--sort",
        "limit",
        "--up",
        "--ticker",
        "T-1",
        "--config",
        str(config),
    ]
    told = [
        (await anyio.run_process([sys.executable, "-m", "recio", *command, *shape])).stdout.decode()
        for shape in (["--csv"], ["--json"], ["--most", "3"])
    ]
    assert told[0] == file
    ids = [row["client_order_id"] for row in rows]
    assert [row["client_order_id"] for row in csv.DictReader(StringIO(file))] == ids != []
    assert [json.loads(line)["client_order_id"] for line in told[1].splitlines()] == ids
    assert told[2].splitlines()[0].split()[:3] == ["Written", "(UTC)", "Market"]
    assert [line.split()[1] for line in told[2].splitlines()[1:]] == [row["ticker"] for row in rows[:3]]


async def test_the_command_names_a_column_that_a_kind_does_not_have(
    pool: Pool, database_dsn: str, tmp_path: Path
):
    config = tmp_path / "recio.toml"
    config.write_text(f'[database]\ndsn = "{database_dsn}"\n')
    command = [
        sys.executable,
        "-m",
        "recio",
        "history",
        "fills",
        "--kind",
        "imported",
        "--purpose",
        "exit",
        "--config",
        str(config),
    ]
    done = await anyio.run_process(command, check=False)
    assert done.returncode == 78
    assert b"--purpose: imported fills have no purpose" in done.stderr


async def test_a_file_runs_no_formula_and_is_bounded(past: Pool, monkeypatch: pytest.MonkeyPatch):
    evil = "=HYPERLINK(1)"
    async with transaction(past) as connection:
        await insert(
            connection,
            "alert_deliveries",
            {"delivery_id": "f" * 32, "text": evil, "at": "2030-01-01T00:00:00Z"},
        )
    async with served({}, None, past) as url, aiohttp.ClientSession(url) as session:
        async with session.get("/api/v1/history/messages.csv") as answer:
            rows = list(csv.DictReader(StringIO(await answer.text())))
        assert rows[0]["text"] == f"'{evil}"
        monkeypatch.setitem(vars(past_lists), "CSV_MOST", len(rows) - 1)
        code, told = await get(session, "/messages.csv")
        assert (code, "recio history messages --csv" in told["error"]) == (409, True)


async def test_a_list_that_takes_long_is_given_up_and_said_to_be(past: Pool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(vars(history), "LONGEST", 0.1)
    async with (
        served({}, None, past) as url,
        aiohttp.ClientSession(url) as session,
        transaction(past) as connection,
    ):
        await connection.execute("LOCK TABLE fills IN ACCESS EXCLUSIVE MODE")
        code, told = await get(session, "/fills")
        assert (code, "cannot be read now" in told["error"]) == (503, True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/plain", "api/v1/plain"),
        ("/trades.csv", "api/v1/history/trades.csv?order=up"),
        ("/trades.csv?kind=shadow", "api/v1/history/trades.csv?order=up&kind=shadow"),
        ("/trades.csv?kind=shadow&order=down", "api/v1/history/trades.csv?kind=shadow&order=down"),
        ("/trades.csv?ticker=%2541", "api/v1/history/trades.csv?order=up&ticker=%2541"),
        ("/trades.csv?ticker=%0d%0aX:1", "api/v1/history/trades.csv?order=up&ticker=%0d%0aX:1"),
    ],
)
async def test_addresses_of_before_lead_on(old: str, new: str):
    async with (
        served({}) as url,
        aiohttp.ClientSession(url) as session,
        session.get(URL(f"{url}{old}", encoded=True), allow_redirects=False) as answer,
    ):
        assert (answer.status, answer.headers["Location"]) == (308, new)
