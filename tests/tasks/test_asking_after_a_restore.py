"""account_sync on rows of a restored backup: what it asks the venue for, in which order it tells it, and what waits for that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

import anyio
import asyncpg
import pytest
from aiohttp import web

from recio.db import backup_rows, bringing_in
from recio.db.connection import transaction
from recio.messages.account import SettlementSeen, VenueFact
from recio.messages.past_account import PastFact, PastOrder, PastRead
from recio.rules.account.reconcile import FAMILY_CHARS
from recio.wires import Wires
from tests.builders import EVENT, NOW, TICKER, open_trades
from tests.kalshi.local_venue import local_venue
from tests.runs import begun
from tests.tasks.test_account_comparison import TAG, Script, sync_on

T = TypeVar("T")
MARKET = {"event_ticker": EVENT, "close_time": "2026-11-23T12:15:00Z"}
SETTLED = {"ticker": TICKER, "market_result": "yes", "settled_time": "2026-11-23T12:16:00Z", "revenue": 1000}
FORGOTTEN = f"recio-{TAG[:FAMILY_CHARS]}bbbb-7-entry-1"
LONG_AFTER = NOW + timedelta(hours=2)


@asynccontextmanager
async def comparing(
    script: Script, pool: asyncpg.Pool[asyncpg.Record], wires: Wires
) -> AsyncIterator[list[VenueFact | PastFact]]:
    """account_sync running; what it tells is taken, and written by nobody."""
    told: list[VenueFact | PastFact] = []

    async def collect() -> None:
        while True:
            told.append(await wires.venue_facts.receive())
            wires.venue_facts.done()

    async with local_venue(script.answer) as venue, anyio.create_task_group() as group:
        group.start_soon(sync_on(pool, venue.rest(), wires).run, lambda _sentence: None)
        group.start_soon(collect)
        try:
            yield told
        finally:
            group.cancel_scope.cancel()
            wires.close()


async def until_told(told: list[VenueFact | PastFact], kind: type[T]) -> T:
    with anyio.fail_after(20):
        while not any(isinstance(each, kind) for each in told):  # noqa: ASYNC110 - a list has no event
            await anyio.sleep(0.01)
    return next(each for each in told if isinstance(each, kind))


async def restored(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    async with transaction(pool) as connection:
        await begun(connection)
        await backup_rows.begin_anew(connection, "/backups", None, NOW, NOW)
        await begun(connection)
        await bringing_in.begin(connection, NOW)


def listed(name: str, **changes: Any) -> dict[str, Any]:
    row = {
        "order_id": "v-7",
        "client_order_id": name,
        "ticker": TICKER,
        "status": "executed",
        "fill_count_fp": "10.00",
        "remaining_count_fp": "0.00",
        "initial_count_fp": "10.00",
        "book_side": "bid",
        "yes_price_dollars": "0.5200",
        "created_time": "2026-11-23T12:00:01Z",
        "exchange_index": 0,
    }
    return row | changes


def at_rest() -> Wires:
    wires = Wires()
    wires.open_trades.set(open_trades())
    return wires


async def test_a_forgotten_order_is_told_whole_its_settlement_waits_and_nothing_is_compared(
    pool: asyncpg.Pool[asyncpg.Record],
):
    await restored(pool)
    strangers = [listed("hand-1", order_id="v-8"), listed("recio-zzzzzzzz-7-entry-1", order_id="v-9")]
    script = Script(
        as_of=LONG_AFTER,
        orders=[listed(FORGOTTEN), *strangers],
        settlements=[SETTLED],
        market=MARKET,
    )
    wires = at_rest()
    async with comparing(script, pool, wires) as told:
        order = await until_told(told, PastOrder)
        assert order.name == FORGOTTEN
        assert order.market is not None
        assert (order.market.event_ticker, order.strategy) == (EVENT, "default")
        # Nobody writes it here: it is told again, and only then may all of it have been told.
        await until_told(told, PastRead)
        assert {each.name for each in told if isinstance(each, PastOrder)} == {order.name}
        assert len([each for each in told if isinstance(each, PastOrder)]) >= 2
        assert not [each for each in told if isinstance(each, SettlementSeen)]
        assert wires.account.get() is None


async def test_the_end_is_not_told_by_a_read_that_may_be_older_than_an_order_on_its_way(
    pool: asyncpg.Pool[asyncpg.Record],
):
    await restored(pool)
    script = Script(as_of=NOW + timedelta(seconds=1))
    wires = at_rest()
    async with comparing(script, pool, wires) as told:
        with anyio.fail_after(20):
            while script.reads < 4:  # noqa: ASYNC110 - noted by the server's own handler
                await anyio.sleep(0.01)
        assert not [each for each in told if isinstance(each, PastRead)]
        script.as_of = LONG_AFTER
        end = await until_told(told, PastRead)
        assert end == PastRead(orders=())


async def test_an_entry_waits_for_the_one_before_it_whose_market_could_not_be_read(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """Told first, it would take the market, and the one before would never have a place."""

    class OnceAway(Script):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            self.broken = "" if self.asked.count(TICKER) else "markets"
            return await super().answer(request)

    await restored(pool)
    second = listed(FORGOTTEN.replace("-7-", "-9-"), order_id="v-9", created_time="2026-11-23T12:00:03Z")
    script = OnceAway(as_of=LONG_AFTER, orders=[second, listed(FORGOTTEN)], market=MARKET, status=400)
    async with comparing(script, pool, at_rest()) as told:
        assert (await until_told(told, PastOrder)).name == FORGOTTEN


async def test_an_event_that_no_row_can_hold_is_a_fault_that_passes(pool: asyncpg.Pool[asyncpg.Record]):
    """The order is told once the venue says it whole; meanwhile fills and settlements are read on."""
    await restored(pool)
    broken = MARKET | {"event_ticker": "KX\x00"}
    script = Script(as_of=LONG_AFTER, orders=[listed(FORGOTTEN)], market=broken)
    wires = at_rest()
    async with comparing(script, pool, wires) as told:
        with anyio.fail_after(20):
            while script.reads < 2:  # noqa: ASYNC110 - noted by the server's own handler
                await anyio.sleep(0.01)
        assert told == []
        script.market = MARKET
        assert (await until_told(told, PastOrder)).name == FORGOTTEN


async def test_rows_that_were_never_restored_ask_for_nothing_more(pool: asyncpg.Pool[asyncpg.Record]):
    async with transaction(pool) as connection:
        await begun(connection)
        await bringing_in.begin(connection, NOW)
    script, wires = Script(as_of=LONG_AFTER), at_rest()
    async with comparing(script, pool, wires) as told:
        with anyio.fail_after(20):
            await wires.account.newer_than(0)
        assert told == []
        assert not [each for each in script.asked if "market" in each]


@pytest.mark.parametrize("broken", ["markets", "orders"])
async def test_a_wait_that_a_person_ends_ends_also_while_the_venue_cannot_tell(
    pool: asyncpg.Pool[asyncpg.Record], broken: str
):
    """Then the account is compared as always, which names what has no row; before, nothing is bought."""
    await restored(pool)
    script = Script(as_of=LONG_AFTER, orders=[listed(FORGOTTEN)], market=MARKET, status=400, broken=broken)
    wires = at_rest()
    async with comparing(script, pool, wires):
        with anyio.fail_after(20):
            while script.asked.count("orders") < 4:  # noqa: ASYNC110 - noted by the server's own handler
                await anyio.sleep(0.01)
        assert wires.account.get() is None
        async with transaction(pool) as connection:
            assert await bringing_in.forgo(connection, LONG_AFTER, "ann", "the market is lost")
        script.broken = ""
        with anyio.fail_after(20):
            await wires.account.newer_than(0)
    seen = wires.account.get()
    assert seen is not None
    assert FORGOTTEN in str(seen)
