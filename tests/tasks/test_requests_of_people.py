"""entry deals with what people ask for: one request that wakes a bug is refused, and neither ends the task nor holds up another."""

from __future__ import annotations

import anyio
import asyncpg
import pytest

from recio.db import requests
from recio.db.connection import transaction
from recio.db.requests import RequestAnswer
from recio.messages.decisions import OpenIntent
from recio.rules.decision import manual
from recio.rules.decision.entry import EntryInputs, Waits
from recio.rules.decision.manual import TradeRequest
from recio.rules.decision.strategy import Strategy
from recio.settings.risk import RiskSection
from recio.units import Price, Quantity, Side
from recio.wires import Wires
from tests.builders import NOW, TICKER
from tests.order_path import AT_NOW, entry_on


async def ask(pool: asyncpg.Pool[asyncpg.Record]) -> int:
    async with transaction(pool) as connection:
        return await requests.ask(connection, TICKER, Side.YES, Quantity(200), Price(5_500), "ann", "", 60)


async def answer(pool: asyncpg.Pool[asyncpg.Record], number: int) -> RequestAnswer:
    with anyio.fail_after(10):
        while True:
            async with transaction(pool) as connection:
                found = await requests.answered(connection, number)
            if found is not None:
                return found
            await anyio.sleep(0.02)


async def test_a_request_that_wakes_a_bug_is_refused_with_it_and_the_next_is_answered(
    pool: asyncpg.Pool[asyncpg.Record], monkeypatch: pytest.MonkeyPatch
):
    first, second = await ask(pool), await ask(pool)
    decide = manual.decide

    def broken(request: TradeRequest, seen: EntryInputs, common: Strategy, now: object) -> OpenIntent | Waits:
        if request.request_id == first:
            raise ZeroDivisionError("of a share")
        return decide(request, seen, common, NOW)

    monkeypatch.setattr(manual, "decide", broken)
    wires = Wires()
    async with anyio.create_task_group() as group:
        group.start_soon(
            entry_on(wires, pool, AT_NOW, (Strategy(),), RiskSection()).run, lambda _sentence: None
        )
        assert (await answer(pool, first)).sentence.startswith(
            "refused: fault: ZeroDivisionError: of a share"
        )
        assert not (await answer(pool, second)).accepted
        assert "fault" not in (await answer(pool, second)).sentence
        group.cancel_scope.cancel()
    wires.close()
