"""The double-entry ledger on a real database: they balance, never change, and count cash as the venue does."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recio.db import audit_log, general_ledger, orders, trade_store
from recio.db.connection import transaction
from recio.errors import Fatal
from recio.exchange_sim.engine.account import Account, Correction, Position, apply_fill, correct, settle
from recio.messages.account import FillSeen, SettlementSeen
from recio.units import BookSide, FillId, Money, Price, Quantity, Side, Ticker, VenueOrderId
from tests.builders import EVENT, NOW, TICKER

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TRANSACTION = "INSERT INTO ledger_transactions (at, kind, ticker, fill_id) VALUES ($1, 'fill', $2, $3) RETURNING transaction_id"
FILL = """
    INSERT INTO fills VALUES ($1, 'v', $2, 'bid', 0.52, 10, 0.1748, true, $3)
"""
CASH = """
    SELECT coalesce(sum(amount), 0) FROM postings JOIN ledger_transactions USING (transaction_id)
    WHERE ticker = $1 AND account = 'cash'
"""
COST = CASH.replace("'cash'", "'contracts'")
_numbers = itertools.count()
Match = tuple[bool, int, int, int]
MATCHES = st.lists(
    st.tuples(st.booleans(), st.integers(1, 9999), st.integers(1, 5000), st.integers(0, 90_000)), max_size=12
)


def fill(number: int, match: Match, ticker: str = TICKER) -> FillSeen:
    bid, price, quantity, fee = match
    return FillSeen(
        fill_id=FillId(f"{ticker} {number}"),
        venue_order_id=VenueOrderId("by hand"),
        ticker=Ticker(ticker),
        book_side=BookSide.BID if bid else BookSide.ASK,
        price=Price(price),
        quantity=Quantity(quantity),
        fee=Money(fee),
        is_taker=True,
        at=NOW,
    )


def settled(result: Side, ticker: str = TICKER) -> SettlementSeen:
    return SettlementSeen(ticker=Ticker(ticker), result=result, settled_at=NOW, revenue_cents=0)


async def record(pool: Pool, *facts: FillSeen | SettlementSeen) -> None:
    for fact in facts:
        async with transaction(pool) as connection:
            await trade_store.record_fact(connection, fact, NOW)


async def amounts(pool: Pool) -> dict[str, int]:
    async with transaction(pool) as connection:
        return {
            name: await general_ledger.balance(connection, name)
            for name in ("cash", "contracts", "fees", "realised_pnl")
        }


async def test_a_transaction_that_does_not_balance_cannot_be_committed(pool: Pool):
    await pool.execute(FILL, "f", TICKER, NOW)
    with pytest.raises(asyncpg.CheckViolationError, match=r"does not balance: 0\.000001"):
        async with transaction(pool) as connection:
            number = await connection.fetchval(TRANSACTION, NOW, TICKER, "f")
            await connection.execute(
                "INSERT INTO postings VALUES ($1, 'cash', 5), ($1, 'fees', -4.999999)", number
            )
    assert await pool.fetchval("SELECT count(*) FROM ledger_transactions") == 0


async def test_a_transaction_without_postings_cannot_be_committed(pool: Pool):
    await pool.execute(FILL, "f", TICKER, NOW)
    with pytest.raises(asyncpg.CheckViolationError, match="has no postings"):
        await pool.execute(TRANSACTION, NOW, TICKER, "f")


async def test_a_transaction_cannot_be_unbalanced_by_a_later_transaction(pool: Pool):
    await record(pool, fill(1, (True, 5200, 1000, 174_800)), settled(Side.YES))
    number = await pool.fetchval("SELECT transaction_id FROM ledger_transactions WHERE kind = 'settlement'")
    with pytest.raises(asyncpg.CheckViolationError, match="does not balance"):
        await pool.execute("INSERT INTO postings VALUES ($1, 'fees', 1)", number)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_transactions SET kind = 'fill'",
        "DELETE FROM ledger_transactions",
        "TRUNCATE ledger_transactions CASCADE",
        "UPDATE postings SET amount = 0",
        "DELETE FROM postings",
        "TRUNCATE postings",
    ],
)
async def test_what_is_posted_cannot_be_changed_or_removed(pool: Pool, change: str):
    await record(pool, fill(1, (True, 5200, 1000, 174_800)))
    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        await pool.execute(change)


async def test_a_fill_and_a_settlement_heard_twice_are_posted_once(pool: Pool):
    facts = (fill(1, (True, 5200, 1000, 174_800)), settled(Side.YES))
    await record(pool, *facts, *facts)
    async with transaction(pool) as connection:
        assert not await general_ledger.post_fill(connection, facts[0].fill_id)
        assert not await general_ledger.post_settlement(connection, Ticker(TICKER))
    assert await amounts(pool) == {
        "cash": 10_000_000 - 5_200_000 - 174_800,
        "contracts": 0,
        "fees": 174_800,
        "realised_pnl": 5_200_000,
    }


async def test_buying_no_costs_the_complement_and_selling_it_brings_the_pair_back(pool: Pool):
    await record(pool, fill(1, (False, 7000, 1000, 0)))
    assert (await amounts(pool))["cash"] == -3_000_000
    await record(pool, fill(2, (True, 6000, 500, 0)))
    assert await amounts(pool) == {
        "cash": -1_000_000,
        "contracts": 1_500_000,
        "fees": 0,
        "realised_pnl": -500_000,
    }


def scalar(value: int, at: datetime = NOW) -> SettlementSeen:
    return SettlementSeen(ticker=TICKER, result=None, settled_at=at, revenue_cents=0, value=Price(value))


def later(seconds: int, result: Side) -> SettlementSeen:
    return replace(settled(result), settled_at=NOW + timedelta(seconds=seconds))


async def test_a_market_that_neither_side_won_pays_each_contract_its_value(pool: Pool):
    await record(pool, fill(1, (True, 5200, 1000, 0)), scalar(3333))
    assert await amounts(pool) == {
        "cash": -5_200_000 + 3_333_000,
        "contracts": 0,
        "fees": 0,
        "realised_pnl": 5_200_000,
    }
    await record(pool, fill(2, (False, 6000, 300, 0)))
    assert (await amounts(pool))["cash"] == -5_200_000 + 700 * 3333 + 3_000_000 - 300 * 4000


async def test_a_settlement_is_corrected_back_and_forth_with_a_posting_each_and_an_older_word_changes_nothing(
    pool: Pool,
):
    await record(pool, fill(1, (True, 5200, 1000, 0)), settled(Side.YES))
    won = (await amounts(pool))["cash"]
    assert won == 4_800_000
    await record(pool, later(10, Side.NO))
    assert (await amounts(pool))["cash"] == won - 10_000_000
    await record(pool, later(10, Side.NO), later(5, Side.YES))
    assert (await amounts(pool))["cash"] == won - 10_000_000
    await record(pool, later(20, Side.YES), scalar(5000, NOW + timedelta(seconds=30)))
    assert (await amounts(pool))["cash"] == won - 5_000_000
    kinds = await pool.fetch("SELECT kind, revision FROM ledger_transactions ORDER BY transaction_id")
    assert [tuple(each) for each in kinds][-3:] == [("correction", 2), ("correction", 3), ("correction", 4)]
    async with transaction(pool) as connection:
        await general_ledger.prove(connection)


async def test_a_fill_heard_after_its_markets_settlement_is_settled_with_it(pool: Pool):
    first, second = fill(1, (True, 5200, 1000, 10)), fill(2, (False, 6000, 300, 20))
    await record(pool, first, settled(Side.YES), second)
    late = await amounts(pool)
    assert late["contracts"] == 0
    assert late["cash"] == 7_000_000 - 5_200_000 + 3_000_000 - 300 * 4000 - 30


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(matches=MATCHES, result=st.sampled_from([None, Side.YES, Side.NO]), data=st.data())
async def test_cash_equals_the_exchanges_own_for_any_fills_of_both_sides_heard_in_any_order(
    pool: Pool, matches: list[Match], result: Side | None, data: st.DataObject
):
    ticker = f"M-{next(_numbers)}"
    facts: list[FillSeen | SettlementSeen] = [fill(n, match, ticker) for n, match in enumerate(matches)]
    if result is not None:
        facts.append(settled(result, ticker))
    await record(pool, *data.draw(st.permutations(facts)))
    assert await pool.fetchval(CASH, ticker) == Decimal(_venue_cash(matches, result)).scaleb(-6)
    if result is not None:
        assert await pool.fetchval(COST, ticker) == 0


@pytest.mark.parametrize("shape", Correction)
@pytest.mark.parametrize("first", [Side.YES, Side.NO])
async def test_cash_follows_a_settlement_that_the_venue_corrects_in_whatever_shape_it_shows(
    pool: Pool, shape: Correction, first: Side
):
    """Every read lists all rows that stand then, again and again; once a correction is recorded there is nothing to tell of it."""
    account = Account(user_id="u", cash={0: 0})
    position = Position(ticker=TICKER, event_ticker=EVENT, shard=0)
    account.positions[TICKER] = position
    matches = [(True, 5200, 1000, 0), (False, 6000, 300, 0)]
    for bid, price, quantity, fee in matches:
        apply_fill(account, position, bid=bid, price=price, quantity=quantity, fee=fee, now_ms=1)
    await record(pool, *(fill(number, match) for number, match in enumerate(matches)))
    settle(account, position, result=first.value, now_ms=2_000)
    await record(pool, *_told(account, 3_000))
    assert (await amounts(pool))["cash"] == account.cash[0]
    right = Side.NO if first is Side.YES else Side.YES
    payout = 10_000 if right is Side.YES else 0
    correct(account, TICKER, result=right.value, payout=payout, now_ms=9_000, shape=shape)
    for order, is_news in ((1, True), (-1, False), (1, False)):
        listed = _told(account, 10_000)[::order]
        async with transaction(pool) as connection:
            assert (await orders.settlements_to_tell(connection, listed) == {TICKER}) is is_news
        await record(pool, *listed)
        assert (await amounts(pool))["cash"] == account.cash[0]
    words = await pool.fetchval("SELECT revision FROM settlements WHERE ticker = $1", TICKER)
    assert words == 2


def _told(account: Account, as_of_ms: int) -> list[SettlementSeen]:
    """The settlements that the venue shows then."""
    return [
        SettlementSeen(
            ticker=TICKER,
            result=Side(row.result),
            settled_at=NOW + timedelta(milliseconds=row.settled_ms),
            revenue_cents=row.revenue // 10_000,
            value=None,
        )
        for row in account.settlements
        if row.holds(as_of_ms)
    ]


def _venue_cash(matches: list[Match], result: Side | None) -> int:
    """What the exchange's own account does with the same fills, in the order they happened."""
    account = Account(user_id="u", cash={0: 0})
    position = Position(ticker=TICKER, event_ticker=EVENT, shard=0)
    for bid, price, quantity, fee in matches:
        apply_fill(account, position, bid=bid, price=price, quantity=quantity, fee=fee, now_ms=1)
    if result is not None:
        settle(account, position, result=result.value, now_ms=2)
    return account.cash[0]


async def test_an_altered_audit_log_row_stops_the_start_and_is_named(pool: Pool):
    async with transaction(pool) as connection:
        for kind in ("one", "two", "three"):
            await audit_log.append(connection, NOW, kind)
        await general_ledger.prove(connection)
        await connection.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_append_only")
        await connection.execute("UPDATE audit_log SET kind = 'forged' WHERE seq = 2")
        with pytest.raises(Fatal, match="the seal of row 2 does not fit"):
            await general_ledger.prove(connection)


@pytest.mark.parametrize(
    ("forgery", "sentence"),
    [
        ("UPDATE postings SET amount = amount + 1 WHERE account = 'cash'", "all postings sum to"),
        (
            "UPDATE postings SET amount = amount + CASE account WHEN 'cash' THEN 1 WHEN 'fees' THEN -1 ELSE 0 END",
            "the fee of",
        ),
        ("DELETE FROM postings; DELETE FROM ledger_transactions", "is not posted"),
        (
            "UPDATE ledger_balances SET amount = amount + 1 WHERE account = 'cash'",
            "counter.*: the balance of cash",
        ),
        ("UPDATE market_positions SET yes = yes + 1", "counter.*: the position on"),
        (
            "INSERT INTO day_figures VALUES ('2026-11-23', 1, 0, 1, 0)",
            "counter.*: the figures of day 2026-11-23",
        ),
        ("INSERT INTO event_entries VALUES ('E', now(), 1)", "counter.*: the entries of event E"),
        ("INSERT INTO market_entries VALUES ('M', now(), 1, now())", "counter.*: the entries of market M"),
    ],
)
async def test_an_altered_ledger_stops_the_start(pool: Pool, forgery: str, sentence: str):
    await record(pool, fill(1, (True, 5200, 1000, 174_800)))
    await pool.execute(
        "ALTER TABLE postings DISABLE TRIGGER USER; ALTER TABLE ledger_transactions DISABLE TRIGGER USER"
    )
    await pool.execute(forgery)
    async with transaction(pool) as connection:
        with pytest.raises(Fatal, match=sentence):
            await general_ledger.prove(connection)


@pytest.mark.parametrize(
    ("multiplier", "taker", "fee", "rounding"),
    [
        ("1", True, "0.174800", "0.000080"),
        ("1", True, "0.174700", "-0.000020"),
        ("0.5", True, "0.087400", "0.000040"),
        ("2", True, "0.174800", "0"),
        ("1", False, "0.174800", "0"),
        (None, True, "0.174800", "0"),
    ],
    ids=["aligned up", "rebated", "half the fee", "not by the model", "maker", "no multiplier known"],
)
async def test_what_the_venue_aligned_is_posted_apart_from_the_fee_and_both_are_what_it_charged(
    pool: Pool, multiplier: str | None, taker: bool, fee: str, rounding: str
):
    name = Ticker(f"KX-ROUND-{next(_numbers)}")
    async with transaction(pool) as connection:
        await connection.execute(
            "INSERT INTO markets (ticker, event_ticker, series_ticker, strike_type, open_time, close_time, status,"
            " rules_primary, fee_multiplier) VALUES ($1, 'E', 'S', 'greater', $2, $2, 'active', '', $3)",
            name,
            NOW,
            None if multiplier is None else Decimal(multiplier),
        )
        charged = replace(fill(1, (True, 5200, 1000, int(Decimal(fee) * 10**6)), name), is_taker=taker)
        await trade_store.record_fact(connection, charged, NOW)
        rows = await connection.fetch(
            "SELECT account, amount FROM postings JOIN ledger_transactions USING (transaction_id) WHERE ticker = $1",
            name,
        )
    booked = {row["account"]: row["amount"] for row in rows}
    assert booked["rounding"] == Decimal(rounding)
    assert booked["fees"] + booked["rounding"] == Decimal(fee)
    assert sum(booked.values()) == 0
