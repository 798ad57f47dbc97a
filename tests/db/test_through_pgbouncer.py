"""The daemon's database through a real pgbouncer in transaction mode, as the application's role, on PostgreSQL 15 and newer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import anyio
import asyncpg
import pytest
from pydantic import SecretStr

from recio.daemon.database import ACCOUNT_LOCK, daemon_runs
from recio.daemon.startup import KEPT_PREPARED, owned_pool
from recio.db import general_ledger, trade_store
from recio.db.connection import single_statement, transaction
from recio.db.embedded import EmbeddedServer
from recio.db.own_connection import own_connection
from recio.db.pool import advisory_lock, is_behind_pooler, open_pool
from recio.db.roles import Kind, grant
from recio.db.schema import ensure_schema
from recio.errors import BadConfig
from recio.messages.account import FillSeen, SettlementSeen
from recio.messages.orders import OrderAccepted
from recio.rules.account.risk import Approved, Collar
from recio.settings.config import Config
from recio.units import BookSide, FillId, Money, Price, Quantity, Side, Ticker, VenueOrderId
from tests.builders import NOW
from tests.db.other_servers import Server, pgbouncer, pooler, programs, server
from tests.db.test_limits_of_the_database import SOON, an_intent
from tests.db.test_lost_while_starting import HERE
from tests.runs import begun

pytestmark = pytest.mark.timeout(180)
DATABASE = "books"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    direct: Server
    through: Server


@pytest.fixture(scope="module", params=["15", "17", "embedded"])
def pooled(request: pytest.FixtureRequest, postgres: EmbeddedServer) -> Iterator[Pooled]:
    """A server of that version with recio's tables, and a pgbouncer with three sessions in front of it."""
    pgbouncer()
    is_embedded = request.param == "embedded"
    binaries = postgres.place.binaries / "bin" if is_embedded else programs(int(request.param))
    with server(binaries) as direct, pooler(direct) as through:
        anyio.run(_prepared, direct)
        yield Pooled(direct=direct, through=through)


async def _prepared(direct: Server) -> None:
    boss = await asyncpg.connect(direct.dsn())
    for role in ("trader", "reader"):
        await boss.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
    await boss.execute(f"CREATE DATABASE {DATABASE}")
    await boss.close()
    async with (
        open_pool(direct.dsn(DATABASE), application_name="owner") as pool,
        transaction(pool) as connection,
    ):
        await ensure_schema(connection)
        await grant(connection, "trader", Kind.APPLICATION)
        await grant(connection, "reader", Kind.READ_ONLY)


@pytest.fixture
async def pool(pooled: Pooled) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    dsn = pooled.through.dsn(DATABASE, "trader")
    async with open_pool(
        dsn, application_name="recio", min_size=2, max_size=7, statement_cache_size=KEPT_PREPARED
    ) as opened:
        yield opened


async def test_a_lock_that_would_go_through_the_pooler_is_refused_with_what_to_set(pooled: Pooled):
    with pytest.raises(BadConfig, match=r"set database\.direct_dsn"):
        async with advisory_lock(pooled.through.dsn(DATABASE, "trader"), ACCOUNT_LOCK):
            pass


async def test_the_pooler_is_noticed_and_a_direct_way_is_not_taken_for_one(
    pooled: Pooled, pool: asyncpg.Pool[asyncpg.Record]
):
    assert is_behind_pooler(pool)
    async with open_pool(pooled.direct.dsn(DATABASE, "trader"), application_name="t") as direct:
        assert not is_behind_pooler(direct)


async def test_a_daemon_takes_hold_of_its_database_through_the_pooler_with_its_lock_around_it(pooled: Pooled):
    config = Config()
    section = config.database.model_copy(
        update={
            "dsn": SecretStr(pooled.through.dsn(DATABASE, "trader")),
            "direct_dsn": SecretStr(pooled.direct.dsn(DATABASE, "trader")),
        }
    )
    config = config.model_copy(update={"database": section})
    async with owned_pool(config, HERE, section.dsn.get_secret_value()) as owned:
        assert owned.lock.is_proven()
        with pytest.raises(BadConfig, match="one daemon per account"):
            async with owned_pool(config, HERE, section.dsn.get_secret_value()):
                pass
    elsewhere = section.model_copy(update={"direct_dsn": SecretStr(pooled.direct.dsn("postgres"))})
    with pytest.raises(BadConfig, match="lead to different databases"):
        async with owned_pool(
            config.model_copy(update={"database": elsewhere}), HERE, section.dsn.get_secret_value()
        ):
            pass


async def test_a_whole_trade_is_written_through_the_pooler_by_the_applications_role(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with transaction(pool) as connection:
        writer = await begun(connection)
    intent = an_intent(1)
    collar = Collar(ask=Price(5000), model_value=Decimal("0.5"))
    async with own_connection(pool) as own:
        approved = Approved(intent=intent, reserved=Money(5_000_000), collar=collar)
        placed = await trade_store.place_entry(own, writer, approved, NOW, SOON)
    assert isinstance(placed, trade_store.Placed)
    outcome = OrderAccepted(
        client_order_id=placed.command.client_order_id,
        venue_order_id=VenueOrderId("v1"),
        filled=intent.quantity,
        remaining=Quantity(0),
        at=NOW,
    )
    fill = FillSeen(
        fill_id=FillId("f1"),
        venue_order_id=VenueOrderId("v1"),
        ticker=intent.ticker,
        book_side=BookSide.BID,
        price=intent.limit,
        quantity=intent.quantity,
        fee=Money(10_000),
        is_taker=True,
        at=NOW,
    )
    settled = SettlementSeen(
        ticker=Ticker(intent.ticker), result=Side.YES, settled_at=NOW, revenue_cents=1000
    )
    async with transaction(pool) as connection:
        await trade_store.record_outcome(connection, outcome)
        await trade_store.record_fact(connection, fill, NOW)
        await trade_store.record_fact(connection, settled, NOW + timedelta(minutes=1))
        await general_ledger.prove(connection)
        assert (
            await connection.fetchval("SELECT state FROM trades WHERE ticker = $1", intent.ticker) == "closed"
        )


@pytest.mark.parametrize("way", ["single", "own"])
async def test_no_statement_is_answered_with_anothers_however_many_share_the_sessions(
    pool: asyncpg.Pool[asyncpg.Record], way: str
):
    """Seven connections on three sessions: what was prepared on one of them would be carried out on another."""

    async def ask(number: int) -> None:
        query = f"SELECT $1::text || ' of {number}' AS x"
        for turn in range(60):
            if way == "single":
                async with single_statement(pool) as connection:
                    row = await connection.fetchrow(query, str(turn))
            else:
                async with own_connection(pool) as own:
                    await own.prepare(query)
                    row = await own.fetchrow(query, str(turn))
            assert row is not None
            assert row["x"] == f"{turn} of {number}"

    async with anyio.create_task_group() as group:
        for number in range(7):
            group.start_soon(ask, number)


async def test_a_command_sees_through_the_pooler_that_a_daemon_holds_the_lock(
    pooled: Pooled, pool: asyncpg.Pool[asyncpg.Record]
):
    async with transaction(pool) as connection:
        assert not await daemon_runs(connection)
    async with (
        advisory_lock(pooled.direct.dsn(DATABASE, "trader"), ACCOUNT_LOCK),
        transaction(pool) as connection,
    ):
        assert await daemon_runs(connection)
