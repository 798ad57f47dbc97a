"""Shadow trades are sold once and scored by what they brought."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TypeAlias

import asyncpg
import pytest

from recio.db import paper_trades, past_list_rows, past_trades
from recio.db.connection import Connection, transaction
from recio.messages.decisions import OpenIntent
from recio.paper.rows import PaperFill, account_of
from recio.units import ONE_DOLLAR, Money, Price, Quantity, Side, TradeId, money_of, money_text
from recio.web import stories
from tests.builders import EVENT, NOW, TICKER

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
BOUGHT = PaperFill(quantity=Quantity(1_000), value=Money(5_000_000), fees=Money(175_000))


def an_intent(side: Side = Side.YES) -> OpenIntent:
    return OpenIntent(
        strategy="bold",
        ticker=TICKER,
        event_ticker=EVENT,
        exchange_index=2,
        side=side,
        quantity=Quantity(1_000),
        limit=Price(5_300),
        probability=0.8,
        fee_estimate=Money(0),
        closes_at=NOW + timedelta(minutes=10),
        decided_at=NOW,
        why="a test",
        inputs={},
    )


def part(contracts: int, cents: int) -> PaperFill:
    return PaperFill(
        quantity=Quantity(100 * contracts), value=Money(10_000 * contracts * cents), fees=Money(10_000)
    )


async def insert(connection: Connection) -> bool:
    trade_id = TradeId(await paper_trades.newest(connection) + 1)
    return await paper_trades.insert(connection, trade_id, an_intent(), BOUGHT)


async def held(pool: Pool) -> TradeId:
    async with transaction(pool) as connection:
        assert await insert(connection)
        return TradeId(await paper_trades.newest(connection))


async def sell(pool: Pool, trade: TradeId, got: PaperFill, seconds: int = 60) -> bool:
    async with transaction(pool) as connection:
        return await paper_trades.sell(connection, trade, got, NOW + timedelta(seconds=seconds))


async def test_what_is_sold_in_parts_adds_up_and_ends_with_the_last_part(pool: Pool):
    trade = await held(pool)
    assert await sell(pool, trade, part(4, 60))
    async with transaction(pool) as connection:
        (found,) = await paper_trades.counted(connection, NOW)
    assert (found.held, found.is_live, found.ended_at) == (600, True, None)
    assert await sell(pool, trade, part(6, 50), 90)
    async with transaction(pool) as connection:
        (found,) = await paper_trades.counted(connection, NOW)
    assert (found.held, found.is_live, found.awaits_result) == (0, False, True)
    assert found.ended_at == NOW + timedelta(seconds=90)
    assert found.pnl == 2_400_000 + 3_000_000 - 5_000_000 - 175_000 - 20_000


async def test_exit_orders_of_the_last_minute_are_kept_whatever_they_got(pool: Pool):
    trade = await held(pool)
    async with transaction(pool) as connection:
        for seconds in (10, 50, 75):
            await paper_trades.record_exit_order(connection, trade, NOW + timedelta(seconds=seconds))
        (found,) = await paper_trades.counted(connection, NOW)
    assert found.exit_orders_at == (NOW + timedelta(seconds=50), NOW + timedelta(seconds=75))
    assert found.held == 1_000


async def test_no_more_is_sold_than_is_held_and_nothing_after_the_settlement(pool: Pool):
    trade = await held(pool)
    assert await sell(pool, trade, part(7, 60))
    assert not await sell(pool, trade, part(4, 60))
    async with transaction(pool) as connection:
        await paper_trades.settle(connection, TICKER, ONE_DOLLAR, NOW + timedelta(minutes=11))
    assert not await sell(pool, trade, part(1, 60))
    with pytest.raises(asyncpg.CheckViolationError, match="paper_trades_sold"):
        await pool.execute("UPDATE paper_trades SET sold = 11")


async def test_a_shadow_may_buy_again_what_it_sold_and_not_what_it_holds(pool: Pool):
    trade = await held(pool)
    async with transaction(pool) as connection:
        assert not await insert(connection)
    await sell(pool, trade, part(10, 60))
    async with transaction(pool) as connection:
        assert await insert(connection)
        await paper_trades.settle(connection, TICKER, Price(0), NOW + timedelta(minutes=11))
    assert await pool.fetchval("SELECT count(*) FROM paper_trades WHERE result = 'no'") == 2


async def test_a_score_counts_a_sale_by_what_it_brought_and_its_chance_by_how_the_market_ended(pool: Pool):
    trade = await held(pool)
    await sell(pool, trade, part(10, 60))
    async with transaction(pool) as connection:
        early = (await paper_trades.scores(connection))["bold"]
        await paper_trades.settle(connection, TICKER, Price(0), NOW + timedelta(minutes=11))
        late = (await paper_trades.scores(connection))["bold"]
    assert (early.trades, early.won, early.brier) == (1, 1, None)
    assert early.pnl == late.pnl == 6_000_000 - 5_000_000 - 185_000
    assert late.brier == pytest.approx(0.64)


@pytest.mark.parametrize(("side", "payout"), [(Side.YES, 3_275_000), (Side.NO, 6_725_000)])
async def test_where_neither_side_won_a_row_is_paid_its_value_and_no_chance_is_judged_by_it(
    pool: Pool, side: Side, payout: int
):
    async with transaction(pool) as connection:
        await paper_trades.insert(connection, TradeId(1), an_intent(side), BOUGHT)
        await paper_trades.settle(connection, TICKER, Price(3_275), NOW + timedelta(minutes=11))
        (found,) = await paper_trades.counted(connection, NOW)
        score = (await paper_trades.scores(connection))["bold"]
    assert (found.result, found.value, found.payout) == (None, 3_275, payout)
    assert (found.is_live, found.awaits_result) == (False, False)
    assert account_of([found], NOW).held.trades == {}
    assert (score.trades, score.pnl, score.brier) == (1, payout - 5_175_000, None)
    told = await pool.fetchrow(past_list_rows._SHADOW_SETTLEMENTS)
    assert told is not None
    assert (told["result"], money_of(told["payout"]), told["value"]) == ("scalar", payout, Decimal("0.3275"))
    (listed,) = await pool.fetch(past_trades._SHADOW)
    assert money_of(listed["payout"]) == payout
    story = stories._of_paper(await pool.fetchrow("SELECT * FROM paper_trades"))  # pyright: ignore
    assert story.payout == money_text(Money(payout))
