"""A market that a person settles, on real rows: as the venue's own word would, once, and never against it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import asyncpg
import pytest

from recio.db import general_ledger, orders, settle_requests, trade_store, trades
from recio.db.connection import Connection
from recio.db.settle_requests import SettleAnswer
from recio.db.trade_store import Writer
from recio.messages.account import SettlementSeen
from recio.messages.orders import OrderUnknown, TradeState
from recio.units import Price, Side, Ticker
from tests.builders import NOW, TICKER
from tests.db.test_trade_store import accepted, entry, fill, opened
from tests.runs import begun, live_trade, rows_say

CLOSED = NOW + timedelta(minutes=11)


@pytest.fixture
async def connection(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Connection]:
    async with pool.acquire() as opened_one:
        yield opened_one


@pytest.fixture
async def writer(connection: Connection) -> Writer:
    return await begun(connection)


async def asked(
    connection: Connection, value: int, ticker: Ticker = TICKER, by: str = "ann", at: datetime = CLOSED
) -> SettleAnswer:
    """What became of one request."""
    async with connection.transaction():
        number = await settle_requests.ask(connection, ticker, Price(value), by, "seen on the venue's page")
    (request,) = await settle_requests.waiting(connection)
    assert request.request_id == number
    async with connection.transaction():
        answer = (await settle_requests.carry_out(connection, request, at))[1]
    assert await settle_requests.answered(connection, number) == answer
    assert await settle_requests.waiting(connection) == []
    return answer


async def money(connection: Connection) -> tuple[int, int, int]:
    """Cash, cost of contracts and realised profit in the ledger; every counter agrees with its rows."""
    await general_ledger.prove(connection)
    cash, contracts, realised = [
        await general_ledger.balance(connection, each) for each in ("cash", "contracts", "realised_pnl")
    ]
    return cash, contracts, realised


PAID = -5_200_000 - 17_500


@pytest.mark.parametrize(("value", "payout"), [(0, 0), (3700, 3_700_000), (10_000, 10_000_000)])
async def test_it_pays_the_trade_and_the_ledger_as_the_venues_own_word_would(
    connection: Connection, writer: Writer, value: int, payout: int
):
    trade_id = await opened(connection, writer)
    answer = await asked(connection, value)
    assert answer.accepted
    assert f"trade {trade_id} came to" in answer.sentence
    trade = await trades.one(connection, trade_id)
    assert (trade.state, trade.ended_by, trade.payout) == (TradeState.CLOSED, "settlement", payout)
    assert await money(connection) == (PAID + payout, 0, 5_200_000)
    assert (await rows_say(connection, CLOSED)).trades == ()


async def test_who_said_so_and_how_it_is_known_stand_in_the_audit_log_and_with_the_settlement(
    connection: Connection, writer: Writer
):
    await opened(connection, writer)
    await asked(connection, 3700)
    assert await connection.fetchval("SELECT set_by FROM settlements") == "ann"
    detail = await connection.fetchval("SELECT detail FROM audit_log WHERE kind = 'settled by hand'")
    assert detail == {"ticker": TICKER, "value": "0.3700", "by": "ann", "why": "seen on the venue's page"}


@pytest.mark.parametrize("earlier", [0, 3600])
async def test_a_word_of_the_venue_corrects_it_even_one_that_is_dated_before(
    connection: Connection, writer: Writer, earlier: int
):
    trade_id = await opened(connection, writer)
    await asked(connection, 10_000)
    lost = SettlementSeen(
        ticker=TICKER, result=Side.NO, settled_at=CLOSED - timedelta(seconds=earlier), revenue_cents=0
    )
    assert await orders.settlements_to_tell(connection, [lost]) == {TICKER}
    changes = await trade_store.record_fact(connection, lost, CLOSED)
    assert changes.is_new
    assert (await trades.one(connection, trade_id)).payout == 0
    assert await money(connection) == (PAID, 0, 5_200_000)
    assert await connection.fetchval("SELECT set_by FROM settlements") == ""
    assert await orders.settlements_to_tell(connection, [lost]) == set()


async def test_the_venue_saying_the_same_makes_it_the_venues_word_and_moves_no_money(
    connection: Connection, writer: Writer
):
    await opened(connection, writer)
    await asked(connection, 10_000)
    before = await money(connection)
    won = SettlementSeen(ticker=TICKER, result=Side.YES, settled_at=CLOSED, revenue_cents=1000)
    assert (await trade_store.record_fact(connection, won, CLOSED)).is_new
    assert await money(connection) == before
    kinds = await connection.fetch("SELECT kind FROM audit_log WHERE kind LIKE 'settlement %'")
    assert [row["kind"] for row in kinds] == ["settlement confirmed"]
    assert not (await trade_store.record_fact(connection, won, CLOSED)).is_new
    refused = await asked(connection, 0)
    assert (refused.accepted, "the venue has settled" in refused.sentence) == (False, True)
    assert await money(connection) == before


async def test_a_person_may_take_the_own_word_back_until_the_venue_speaks(
    connection: Connection, writer: Writer
):
    trade_id = await opened(connection, writer)
    await asked(connection, 10_000)
    again = await asked(connection, 10_000)
    assert (again.accepted, again.sentence) == (False, f"{TICKER} is settled at 1.0000 already, by ann")
    assert (await asked(connection, 2500, by="bob")).accepted
    assert (await trades.one(connection, trade_id)).payout == 2_500_000
    assert await money(connection) == (PAID + 2_500_000, 0, 5_200_000)
    assert await connection.fetchval("SELECT set_by FROM settlements") == "bob"


async def test_a_market_that_is_still_open_is_sold_and_not_settled(connection: Connection, writer: Writer):
    trade_id = await opened(connection, writer)
    answer = await asked(connection, 3700, at=NOW)
    assert not answer.accepted
    assert f"recio close {trade_id}" in answer.sentence
    assert await connection.fetchval("SELECT count(*) FROM settlements") == 0
    assert (await live_trade(connection, NOW)).state is TradeState.OPEN


async def test_what_nobody_waits_for_is_not_settled(connection: Connection, writer: Writer):
    answer = await asked(connection, 3700, Ticker("KX-NEVER"))
    assert (answer.accepted, answer.sentence) == (False, "no trade of recio's waits for the end of KX-NEVER")
    assert await connection.fetchval("SELECT count(*) FROM settlements") == 0


async def test_a_trade_whose_order_is_in_doubt_ends_by_it_once_the_doubt_has_ended(
    connection: Connection, writer: Writer
):
    order = await entry(connection, writer)
    await trade_store.record_outcome(
        connection, OrderUnknown(client_order_id=order.client_order_id, why="no answer", at=NOW)
    )
    answer = await asked(connection, 3700)
    assert answer.accepted
    assert "once its orders have a proven end" in answer.sentence
    assert (await live_trade(connection, CLOSED)).state is TradeState.OPENING
    await trade_store.record_outcome(connection, replace(accepted(order, 1000), at=CLOSED))
    changes = await trade_store.record_fact(connection, fill(1000), CLOSED)
    assert [each.payout for each in changes.ended] == [3_700_000]
    assert await money(connection) == (PAID + 3_700_000, 0, 5_200_000)


@pytest.mark.parametrize(
    "breach",
    [
        "INSERT INTO settlement_requests (ticker, value, asked_by, why) VALUES ('T', 1.01, 'ann', 'w')",
        "INSERT INTO settlement_requests (ticker, value, asked_by, why) VALUES ('T', -0.01, 'ann', 'w')",
        "INSERT INTO settlement_requests (ticker, value, asked_by, why) VALUES ('', 1, 'ann', 'w')",
        "INSERT INTO settlement_requests (ticker, value, asked_by, why) VALUES ('T', 1, '', 'w')",
        "INSERT INTO settlement_requests (ticker, value, asked_by, why) VALUES ('T', 1, 'ann', '')",
    ],
)
async def test_the_database_itself_refuses_a_request_that_can_mean_nothing(
    pool: asyncpg.Pool[asyncpg.Record], breach: str
):
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute(breach)


async def test_a_request_has_one_answer_and_an_answer_has_a_request(connection: Connection, writer: Writer):
    answer = "INSERT INTO settlement_answers (request_id, accepted, sentence) VALUES ($1, true, 's')"
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await connection.execute(answer, 7)
    await asked(connection, 0, Ticker("KX-NEVER"))
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute(answer, 1)
