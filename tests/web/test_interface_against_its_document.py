"""The interface holds to its own OpenAPI document: schemathesis draws what it allows and what it does not, and finds nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TypeAlias

import aiohttp
import anyio
import asyncpg
import pytest
from jsonschema import Draft202012Validator

from recio.web import acting, door, site
from recio.web.gate import HALT_TOKEN_HEADER
from recio.web.interface import PREFIX
from recio.wires import Wires
from tests.db.trigger_scenarios import insert
from tests.tasks.status_server import TOKEN, served
from tests.tasks.test_status_page import filled_wires, status

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
EXAMPLES = 8
"""Drawn for each operation and mode; the coverage phase adds every bound of every field."""

MADE_ALIKE = r"/history/(fills|settlements|alerts|messages|actions)\.csv$"
"""Files that are made by the same lines as those of trades and orders, and take what the pages of their lists take."""


async def heed(wires: Wires) -> None:
    while True:
        await wires.halt_requests.receive()


@pytest.mark.timeout(240)
async def test_schemathesis_finds_nothing(pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for module, name, value in (
        (site, "WRONG_COSTS", 0.0),
        (acting, "SETTLES_WITHIN", 0.0),
        (door, "REQUESTS_PER_SECOND", 1_000_000),
    ):
        monkeypatch.setitem(vars(module), name, value)
    async with pool.acquire() as connection:
        await insert(connection, "trades")
    wires = Wires()
    async with served(status(filled_wires()), wires, pool) as url, anyio.create_task_group() as group:
        group.start_soon(heed, wires)
        said = await anyio.run_process(
            [
                sys.executable, "-m", "schemathesis.cli", "run", f"{url}{PREFIX}/openapi.json",
                "--header", f"{HALT_TOKEN_HEADER}: {TOKEN}", "--max-examples", str(EXAMPLES), "--checks", "all",
                "--seed", "1", "--no-color", "--exclude-path", f"{PREFIX}/login",
                "--exclude-path-regex", MADE_ALIKE,
            ],
            check=False, cwd=tmp_path, stderr=subprocess.STDOUT,
        )  # fmt: skip
        group.cancel_scope.cancel()
    wires.close()
    assert said.returncode == 0, said.stdout.decode()[-12_000:]


async def test_the_document_is_openapi_3_1_and_its_schemas_are_json_schema(pool: Pool):
    async with (
        served({}, None, pool) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}{PREFIX}/openapi.json") as answer,
    ):
        told = await answer.json()
    assert told["openapi"] == "3.1.0"
    for schema in told["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for path, operations in told["paths"].items():
        assert path.startswith(PREFIX)
        for each in operations.values():
            assert {"400", "401", "403", "429", "503"} <= set(each["responses"])
            assert each["operationId"]
    for path, media in (
        ("/plain", "text/html"),
        ("/history/trades.csv", "text/csv"),
        ("/history/trades", "application/json"),
    ):
        assert list(told["paths"][PREFIX + path]["get"]["responses"]["200"]["content"]) == [media]
