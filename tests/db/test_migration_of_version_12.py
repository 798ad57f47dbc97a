"""A database of schema version 12 with rows of every kind is carried over whole: same money, same states, chain intact."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest

from recio.daemon.startup import owned_pool
from recio.db import (
    cash,
    controls,
    empirical_models,
    general_ledger,
    halts,
    identity,
    kill_switch,
    limits,
    market_data,
    orders,
    paper_trades,
    requests,
    switches,
    trade_store,
    trades,
)
from recio.db.connection import transaction
from recio.db.embedded import EmbeddedServer
from recio.db.migrations import migrate, schema_text, schema_version
from recio.db.pool import open_pool
from recio.db.trade_store import Writer
from recio.errors import BadConfig, Transient
from recio.messages.account import OrderProvenAbsent
from recio.messages.controls import Halt, HaltLevel, Switch
from recio.messages.orders import OrderState, OrderUnknown, TradeState
from recio.rules.account.cash import cash_cause
from recio.settings.config import Config
from recio.settings.risk import RiskSection
from recio.units import ClientOrderId, Money, Quantity, Ticker
from tests.builders import NOW
from tests.db.test_lost_while_starting import HERE as VENUE
from tests.db.test_pool_and_schema import describe
from tests.runs import rows_say

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
HERE = Path(__file__).parent
SCHEMA_12 = (HERE / "schema_v12.sql").read_text(encoding="utf-8")
ROWS_12 = (HERE / "rows_v12.sql").read_text(encoding="utf-8")
FIGURES = """
    SELECT trade_id, t.state, f.entry_quantity, f.entry_cost, f.exit_quantity, f.exit_proceeds, f.fees, t.payout
    FROM trades AS t JOIN trade_figures AS f USING (trade_id) ORDER BY trade_id
"""
EXPOSURE = "SELECT * FROM live_exposure ORDER BY trade_id"
RULES = "SELECT losses_in_a_row(), realised_since('2026-11-23 00:00Z')"
NEW_NAMES = {
    "daemon_lives": "runs",
    "journal": "audit_log",
    "brake_checks": "halt_verifications",
    "cash_openings": "opening_balances",
    "why_not": "rejections",
    "shadow_trades": "paper_trades",
    "fingerprint_models": "empirical_models",
    "fingerprint_buckets": "empirical_buckets",
    "postings": "ledger_transactions",
    "entries": "postings",
}
_numbers = itertools.count()


@pytest.fixture
async def old(postgres: EmbeddedServer) -> AsyncIterator[Pool]:
    """A database of version 12 in use."""
    dsn = await postgres.ensure_database(f"version_12_{next(_numbers)}")
    async with open_pool(dsn, application_name="t") as opened:
        async with transaction(opened) as connection:
            await migrate(connection, SCHEMA_12, ())
            await connection.execute(ROWS_12)
        yield opened


async def carry_over(pool: Pool) -> None:
    async with transaction(pool) as connection:
        assert await migrate(connection, schema_text()) == schema_version()


async def read(pool: Pool, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await pool.fetch(query)]


async def accounts(pool: Pool, lines: str) -> dict[str, Decimal]:
    return dict(await read(pool, f"SELECT account, sum(amount) FROM {lines} GROUP BY account"))


async def counts(pool: Pool) -> dict[str, int]:
    """How many rows each table has, but for the list of migrations."""
    tables = await read(pool, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {
        name: await pool.fetchval(f"SELECT count(*) FROM {name}")
        for (name,) in tables
        if name != "schema_version"
    }


async def test_it_becomes_the_present_schema_with_every_row(old: Pool, pool: Pool):
    before = await counts(old)
    assert all(before.values()), "the old database misses a kind of row"
    await carry_over(old)
    assert await describe(old) == await describe(pool)
    after = await counts(old)
    empty = {name for name, number in after.items() if not number}
    asked_for_since = {
        *("trade_closes", "momentum_pauses", "exit_memories"),
        *("settlement_requests", "settlement_answers", "cash_movements", "parity_days"),
    }
    assert {name for name in empty if not name.startswith("imported_")} == asked_for_since, (
        "a counter was not made from the rows"
    )
    kept = {NEW_NAMES.get(name, name): number for name, number in before.items()}
    assert {name: after[name] for name in kept} == kept


async def test_the_money_is_the_same_and_the_ledger_and_the_chain_are_proven(old: Pool):
    queries = (FIGURES, EXPOSURE, RULES)
    before = [await read(old, query) for query in queries]
    sums = await accounts(old, "entries")
    logged = await read(old, "SELECT * FROM journal ORDER BY seq")
    sums["realised_pnl"] = sums.pop("result")
    await carry_over(old)
    paid = dict(await read(old, "SELECT trade_id, fees FROM trades"))
    # Fees that were paid are part of what is risked: the only figure that this recio counts otherwise.
    before[1] = [(number, *of, cost + paid[number], held) for number, *of, cost, held in before[1]]
    assert [await read(old, query) for query in queries] == before
    assert await accounts(old, "postings") == sums
    assert await read(old, "SELECT * FROM audit_log ORDER BY seq") == logged
    async with transaction(old) as connection:
        await general_ledger.prove(connection)
        assert await general_ledger.balance(connection, "realised_pnl") != 0
        assert await cash.opening_balance(connection) == 1_000_000_000
        assert await cash.is_accepted(connection, cash_cause(Money(5_000_000)))


async def test_trades_and_orders_are_in_the_same_states_and_go_on_from_there(old: Pool):
    await carry_over(old)
    async with transaction(old) as connection:
        now = await rows_say(connection, NOW)
        states = {order.client_order_id: order.state for order in now.recent_orders}
        assert states == {
            "recio-abcd1234-1-entry-1": OrderState.PENDING,
            "recio-abcd1234-2-entry-1": OrderState.UNKNOWN,
            "recio-abcd1234-3-entry-1": OrderState.RESTING,
            "recio-abcd1234-4-entry-1": OrderState.FILLED,
            "recio-abcd1234-5-entry-1": OrderState.FILLED,
            "recio-abcd1234-6-entry-1": OrderState.FILLED,
            "recio-abcd1234-7-entry-1": OrderState.CANCELLED,
            "recio-abcd1234-8-entry-1": OrderState.REJECTED,
            "recio-abcd1234-9-entry-1": OrderState.NOT_FOUND,
            "recio-abcd1234-5-exit-1": OrderState.PENDING,
            "recio-abcd1234-6-exit-1": OrderState.FILLED,
        }
        assert [each.state for each in now.trades] == [
            TradeState.OPENING,
            TradeState.OPENING,
            TradeState.OPENING,
            TradeState.OPEN,
            TradeState.CLOSING,
        ]
        assert {each.trade_id: each.pnl for each in now.recent_trades} == {
            6: 4_000_000 - 5_200_000 - 342_800,
            7: 4_000_000 - 4 * 480_000 - 174_800,
            8: 0,
            9: 0,
        }
        assert {each.client_order_id for each in now.orders} == {
            name
            for name, state in states.items()
            if state in (OrderState.PENDING, OrderState.UNKNOWN, OrderState.RESTING)
        }
        first = ClientOrderId("recio-abcd1234-1-entry-1")
        await trade_store.record_outcome(
            connection, OrderUnknown(client_order_id=first, why="no answer", at=NOW)
        )
        await trade_store.record_fact(
            connection, OrderProvenAbsent(client_order_id=first, proof="two reads"), NOW
        )
        assert (await trades.one(connection, now.trades[0].trade_id)).state is TradeState.VOID
        assert len(await orders.mark_unanswered(connection)) == 1
        await general_ledger.prove(connection)


async def test_halts_switches_limits_and_grants_are_still_in_force(old: Pool):
    await carry_over(old)
    async with transaction(old) as connection:
        (halt,) = await halts.active(connection)
        assert (halt.cause, halt.level) == ("flatten by hand", HaltLevel.FLATTEN)
        assert halt.resolution == "recio resume --by NAME"
        known = "order recio-abcd1234-2-entry-1 has no proven end"
        assert (await controls.read(connection, [known, "another"])).ever_cleared == {known}
        (verification,) = await kill_switch.checks(connection)
        assert (verification.halt_id, verification.cancelled) == (halt.halt_id, 3)
        assert await kill_switch.order_group(connection, 2) == "group"
        assert [each.switch for each in await switches.off(connection)] == [Switch.ENTRY]
        mine = await identity.claim(connection, "demo", "sim", "account")
        assert mine.tag == "abcd1234"
        writer = Writer(tag=mine.tag, fencing=await identity.begin_run(connection))
        assert writer.fencing == 3
        wanted = RiskSection(max_open_trades=1_500, max_orders_per_minute=1_500)
        found = (await limits.put_in_force(connection, writer.fencing, wanted)).limits
        assert (found.max_open_trades, found.max_orders_per_minute) == (1_500, 1_000)


async def test_a_halt_by_command_needs_no_migration_and_is_in_force_after_it(old: Pool):
    halt = Halt(
        level=HaltLevel.FLATTEN, cause="flattened by command", since=NOW, by="me", resolution="recio resume"
    )
    async with transaction(old) as connection:
        assert await halts.set_in_any_version(connection, halt)
        assert not await halts.set_in_any_version(connection, halt)
    await carry_over(old)
    async with transaction(old) as connection:
        assert [
            (each.level, each.by) for each in await halts.active(connection) if each.cause == halt.cause
        ] == [(HaltLevel.FLATTEN, "me")]
        assert not await halts.set_in_any_version(connection, halt)


async def test_a_database_of_another_account_is_refused_as_it_is(postgres: EmbeddedServer, old: Pool):
    """Whoever names the wrong database must not lock its own daemon out of it."""
    name = await old.fetchval("SELECT current_database()")
    other = replace(VENUE, account="another")
    with pytest.raises(BadConfig, match=r"account account; the config says .* account another"):
        async with owned_pool(Config(), other, postgres.dsn(name)):
            pytest.fail("it took a database of another account")
    assert await old.fetchval("SELECT max(version) FROM schema_version") == 12
    async with owned_pool(Config(), VENUE, postgres.dsn(name)):
        assert await old.fetchval("SELECT max(version) FROM schema_version") == schema_version()


async def test_requests_paper_trades_models_and_markets_read_as_before(old: Pool):
    await carry_over(old)
    async with transaction(old) as connection:
        answered = await requests.answered(connection, 1)
        assert answered is not None
        assert answered.accepted
        became = await requests.came_of_it(connection, 1)
        assert became is not None
        assert became.trade_id == 4
        assert [each.request_id for each in await requests.waiting(connection)] == [2]
        held, sold, lost, nothing = await paper_trades.counted(connection, NOW)
        assert (held.is_live, held.held, held.probability) == (True, Quantity(600), 0.8)
        assert (sold.is_live, sold.pnl, lost.pnl) == (False, 830_000, -5_170_000)
        assert (nothing.quantity, nothing.is_live) == (0, False)
        assert (await paper_trades.scores(connection))["bold"].trades == 2
        model = await empirical_models.newest(connection, "BTC")
        assert model is not None
        assert model.buckets[0].samples == 100
        assert len(await market_data.recall_seconds(connection, "BTC", 0)) == 2
        assert await trades.ever_traded(connection, [Ticker("M1"), Ticker("M")]) == {"M1"}
    assert await old.fetchval("SELECT untradable FROM markets WHERE ticker = 'M1'") == "the wording is new"
    assert await old.fetchval("SELECT cycles FROM rejections") == 7


async def test_a_migration_that_is_cut_off_before_its_commit_leaves_the_old_database_whole(
    old: Pool, postgres: EmbeddedServer
):
    before, rows = await describe(old), await counts(old)
    with pytest.raises(Transient):
        async with transaction(old) as connection:
            await migrate(connection, schema_text())
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            killer = await asyncpg.connect(postgres.dsn("postgres"))
            await killer.execute("SELECT pg_terminate_backend($1)", pid)
            await killer.close()
            await connection.fetchval("SELECT 1")
    assert await describe(old) == before
    assert await counts(old) == rows
    await carry_over(old)
    await carry_over(old)
    assert await old.fetchval("SELECT max(version) FROM schema_version") == schema_version()
    assert (
        await old.fetchval("SELECT count(*) FROM orders WHERE created_at > $1", NOW - timedelta(days=1)) == 11
    )
