"""The entry task at its wires: one view never leads to two intents."""

from __future__ import annotations

import anyio
import asyncpg
import pytest

from recio.messages.decisions import OpenIntent
from recio.tasks import entry
from recio.units import Price
from recio.wires import Wires
from tests.builders import book, open_trades, show, view
from tests.tasks.test_entry_task import BUYS, deciding


async def intent(wires: Wires) -> OpenIntent:
    with anyio.fail_after(20):
        return await wires.open_intents.receive()


async def test_while_its_intent_waits_for_the_rows_nothing_else_is_wanted_and_then_what_is_so_by_then(
    pool: asyncpg.Pool[asyncpg.Record], monkeypatch: pytest.MonkeyPatch
):
    """What a fill or another order changes is no answer to it, and a book that moves is no second reason to buy."""
    monkeypatch.setattr(entry, "ANSWER_LIMIT", 60.0)
    async with deciding(pool, BUYS) as wires:
        assert (await intent(wires)).limit == Price(3200)
        wires.open_trades.set(open_trades(orders_last_minute=5))
        show(wires.board, view(levels=book(2300, 2500)))
        await anyio.wait_all_tasks_blocked()
        assert wires.open_intents.depth == 0
        wires.open_intents.done()
        assert (await intent(wires)).limit == Price(2700)


async def test_an_intent_that_nobody_answers_holds_up_the_next_for_no_longer_than_its_limit(
    pool: asyncpg.Pool[asyncpg.Record], monkeypatch: pytest.MonkeyPatch
):
    """Whatever became of it: the rows have one live trade for a market, and the limits count what has a row."""
    monkeypatch.setattr(entry, "ANSWER_LIMIT", 0.05)
    async with deciding(pool, BUYS) as wires:
        await intent(wires)
        show(wires.board, view(levels=book(2300, 2500)))
        assert (await intent(wires)).limit == Price(2700)
