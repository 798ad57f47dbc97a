"""trade_manager carries out what a person says of a market's end, and a run that comes later does as well."""

from __future__ import annotations

from datetime import datetime, timedelta

import anyio
import asyncpg
import pytest

from recio.db import settle_requests
from recio.db.connection import Connection, transaction
from recio.db.moves import Changes
from recio.db.settle_requests import SettleAnswer
from recio.messages.account import CloseMoved, SettlementSeen
from recio.messages.controls import SettleRequest
from recio.rules.account.reconcile import lasting_causes
from recio.units import Price, Side
from recio.wires import Wires
from tests.builders import NOW, TICKER, account
from tests.order_path import bought, managed, seen, states


async def held(wires: Wires) -> None:
    """One open trade, whose market has closed."""
    await bought(wires)
    await wires.venue_facts.send(CloseMoved(ticker=TICKER, closes_at=NOW - timedelta(seconds=1)))


async def ask(pool: asyncpg.Pool[asyncpg.Record], value: int) -> int:
    async with transaction(pool) as connection:
        return await settle_requests.ask(connection, TICKER, Price(value), "ann", "the venue's page says so")


async def answer(pool: asyncpg.Pool[asyncpg.Record], number: int) -> SettleAnswer:
    with anyio.fail_after(10):
        while True:
            async with transaction(pool) as connection:
                found = await settle_requests.answered(connection, number)
            if found is not None:
                return found
            await anyio.sleep(0.02)


def realised(wires: Wires) -> int:
    now = wires.open_trades.get()
    assert now is not None
    return now.realised_today


def has_closed(wires: Wires) -> bool:
    now = wires.open_trades.get()
    return now is not None and [each.closes_at < NOW for each in now.trades] == [True]


async def test_a_settlement_by_hand_ends_the_trade_and_the_venues_other_word_corrects_it(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with managed(pool) as wires:
        await held(wires)
        assert (await answer(pool, await ask(pool, 3700))).accepted
        await seen(wires, lambda w: states(w) == [] and realised(w) == 3_700_000 - 5_374_800)
        won = SettlementSeen(
            ticker=TICKER, result=Side.YES, settled_at=NOW - timedelta(minutes=5), revenue_cents=1000
        )
        await wires.venue_facts.send(won)
        await seen(wires, lambda w: realised(w) == 10_000_000 - 5_374_800)
        refused = await answer(pool, await ask(pool, 3700))
        assert not refused.accepted
        assert realised(wires) == 10_000_000 - 5_374_800


async def test_what_was_asked_for_while_no_daemon_ran_is_carried_out_by_the_next_one(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with managed(pool) as wires:
        await held(wires)
        # What was sent before this is committed.
        await seen(wires, has_closed)
    number = await ask(pool, 0)
    async with managed(pool) as wires:
        assert (await answer(pool, number)).accepted
        await seen(wires, lambda w: states(w) == [] and realised(w) == -5_374_800)


def test_a_halt_over_an_end_that_is_not_known_says_how_to_settle_it_by_hand():
    unread, overdue = lasting_causes(account(unsettled=(TICKER,))), lasting_causes(account(overdue=(TICKER,)))
    for (cause,) in (unread, overdue):
        assert f"recio settle {TICKER} --at VALUE --by NAME" in cause
    assert "cannot be read" in unread[0]
    assert "not settled after 6 hours" in overdue[0]


async def test_a_request_that_wakes_a_bug_is_refused_with_it_once_and_the_next_is_carried_out(
    pool: asyncpg.Pool[asyncpg.Record], monkeypatch: pytest.MonkeyPatch
):
    carry_out, tried = settle_requests.carry_out, list[int]()

    async def broken(
        connection: Connection, asked: SettleRequest, now: datetime
    ) -> tuple[Changes, SettleAnswer]:
        tried.append(asked.request_id)
        changes = await carry_out(connection, asked, now)
        if len(tried) == 1:
            raise ZeroDivisionError("of a share")
        return changes

    monkeypatch.setattr(settle_requests, "carry_out", broken)
    async with managed(pool) as wires:
        await held(wires)
        await seen(wires, has_closed)
        first, second = await ask(pool, 3700), await ask(pool, 3700)
        refused = await answer(pool, first)
        assert (refused.accepted, refused.sentence[:54]) == (
            False,
            "refused: fault: ZeroDivisionError: of a share: nothing",
        )
        assert (await answer(pool, second)).accepted
        await seen(wires, lambda w: states(w) == [] and realised(w) == 3_700_000 - 5_374_800)
        assert tried == [first, second]
