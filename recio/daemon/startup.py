"""Takes hold of the database for one run of the daemon: its lock, schema, ledger, identity, fencing number and limits.

It opens and proves, and refuses what is not ours or not whole; it never trades and starts no task.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import structlog

from recio.daemon.database import ACCOUNT_LOCK, DEMO_DATABASES, dsn_of
from recio.daemon.shutdown import refuse_stopped
from recio.daemon.venue import Venue
from recio.db import audit_trail, empirical_models, general_ledger, identity, switches
from recio.db.connection import Connection, transaction
from recio.db.connections_left import DAEMON_POOL
from recio.db.embedded import EmbeddedServer
from recio.db.limits import put_in_force
from recio.db.newer_tables import steps_to_run_on
from recio.db.pool import AccountLock, advisory_lock, holds_here, open_pool, starting_faults
from recio.db.schema import ensure_schema
from recio.db.trade_store import Writer
from recio.errors import BadConfig
from recio.messages.controls import SwitchedOff
from recio.rules.account.limits import LimitsInForce
from recio.rules.decision.strategy import Strategy, named_by_config
from recio.rules.pricing.empirical import EmpiricalTable
from recio.rules.pricing.model import Model, average
from recio.settings.config import Config
from recio.settings.risk import RiskSection
from recio.settings.strategies import DEFAULT, Stage
from recio.settings.trading import ModelKind, ModelSection
from recio.test_hooks.crash_points import CrashPoint, reached

KEPT_PREPARED = 100
"""Statements that each connection of the daemon keeps prepared, where no pooler stands in between: parsed and planned anew, an
answer's rows took half as long again."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """What a daemon has once it has proven that it alone drives the account."""

    pool: asyncpg.Pool[asyncpg.Record]
    lock: AccountLock
    writer: Writer
    limits: RiskSection
    """In force for this run."""
    strategies: tuple[Strategy, ...]
    """The common one first."""


@asynccontextmanager
async def owned_database(config: Config, venue: Venue, database: str) -> AsyncGenerator[Owned]:
    """The database of this daemon, found or started, and proven to be its alone."""
    async with prepared_dsn(config, database) as dsn, owned_pool(config, venue, dsn) as owned:
        yield owned


@asynccontextmanager
async def prepared_dsn(config: Config, database: str) -> AsyncGenerator[str]:
    async def prepare(server: EmbeddedServer) -> None:
        if database.startswith(DEMO_DATABASES):
            # The rows of a demo whose exchange is gone can never be compared with anything again.
            await server.drop_others(DEMO_DATABASES, database)

    async with dsn_of(config, database, prepare) as dsn:
        yield dsn


@asynccontextmanager
async def owned_pool(config: Config, venue: Venue, dsn: str) -> AsyncGenerator[Owned]:
    """A pool on a database whose schema is ours, whose identity is ours, and that no one else drives."""
    async with (
        advisory_lock(config.database.direct_dsn.get_secret_value() or dsn, ACCOUNT_LOCK) as lock,
        open_pool(
            dsn,
            application_name="recio",
            min_size=2,
            max_size=DAEMON_POOL,
            statement_cache_size=KEPT_PREPARED,
        ) as pool,
    ):
        reached(CrashPoint.POOL_OPENED)
        with starting_faults():
            await _refuse_two_databases(pool, lock)
            await _bring_up(config, venue, pool)
            owned = await _begin_run(config, venue, pool, lock)
        yield owned


async def _refuse_two_databases(pool: asyncpg.Pool[asyncpg.Record], lock: AccountLock) -> None:
    """A lock in one database keeps nobody out of another: what another daemon holds there is not ours."""
    if not await holds_here(pool, ACCOUNT_LOCK, lock):
        raise BadConfig(
            "database.dsn and database.direct_dsn lead to different databases: the lock that was taken over the one is not"
            " to be seen over the other"
        )


async def _bring_up(config: Config, venue: Venue, pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """The present schema, a ledger that is proven, and nobody who stopped us; a database of others stays as it was."""
    async with transaction(pool) as connection:
        await ensure_schema(connection, await steps_to_run_on(connection))
        await _claim(config, venue, connection)
        await general_ledger.prove(connection)
        await audit_trail.keep_checkpoint(connection)
        await refuse_stopped(connection)
        reached(CrashPoint.SCHEMA_BEFORE_COMMIT)
    reached(CrashPoint.SCHEMA_COMMITTED)


async def _claim(config: Config, venue: Venue, connection: Connection) -> identity.Identity:
    return await identity.claim(connection, config.mode.value, config.kalshi.environment.value, venue.account)


async def _begin_run(
    config: Config, venue: Venue, pool: asyncpg.Pool[asyncpg.Record], lock: AccountLock
) -> Owned:
    async with transaction(pool) as connection:
        mine = await _claim(config, venue, connection)
        reached(CrashPoint.IDENTITY_CLAIMED)
        fencing = await identity.begin_run(connection, config.every_setting())
        limits = await put_in_force(connection, fencing, config.risk)
        strategies = await _strategies(connection, config)
        switched_off = await switches.off(connection)
        reached(CrashPoint.RUN_BEFORE_COMMIT)
    reached(CrashPoint.RUN_COMMITTED)
    where = "dsn" if config.database.dsn.get_secret_value() else "embedded"
    log.info("database ready", where=where, account=mine.account[:8], tag=mine.tag, run=fencing)
    _tell_held_back(limits)
    _tell_strategies(config, strategies)
    _tell_nobodys_switches(switched_off, strategies)
    writer = Writer(tag=mine.tag, fencing=fencing)
    return Owned(pool=pool, lock=lock, writer=writer, limits=limits.limits, strategies=strategies)


async def _strategies(connection: Connection, config: Config) -> tuple[Strategy, ...]:
    """The common one, by which trades of unknown strategies are sold, and all that are named. Raises BadConfig."""
    sections = [config.model, *(each.model for each in config.strategies.values())]
    wants_tables = any(each.kind is ModelKind.EMPIRICAL for each in sections)
    tables = await _tables(connection, config) if wants_tables else {}
    common = Strategy(
        name=DEFAULT,
        stage=Stage.OFF if config.strategies else Stage.LIVE,
        entry=config.entry,
        exit=config.exit,
        model=_model(config.model, tables),
        model_settings=config.model,
    )
    named = (
        Strategy(
            name=name,
            stage=each.stage,
            budget=each.budget_dollars,
            entry=each.entry,
            exit=each.exit,
            model=_model(each.model, tables),
            model_settings=each.model,
        )
        for name, each in config.strategies.items()
    )
    return (common, *named)


def _model(section: ModelSection, tables: dict[str, EmpiricalTable]) -> Model:
    if section.kind is ModelKind.AVERAGE:
        return average(section)
    return Model(kind=section.kind, tables=tables)


async def _tables(connection: Connection, config: Config) -> dict[str, EmpiricalTable]:
    """The newest tables of each coin. Raises BadConfig where none were ever built."""
    tables: dict[str, EmpiricalTable] = {}
    for symbol in config.symbols:
        table = await empirical_models.newest(connection, symbol)
        if table is None:
            raise BadConfig(
                f'model.kind = "{ModelKind.EMPIRICAL}" needs a model of {symbol} and this database has none:'
                f' recio model build CANDLES --symbol {symbol}, or model.kind = "{ModelKind.AVERAGE}"'
            )
        tables[symbol] = table
    return tables


def _tell_strategies(config: Config, strategies: Sequence[Strategy]) -> None:
    for each in strategies if not config.strategies else strategies[1:]:
        for symbol in config.symbols:
            log.info(
                "model in use",
                symbol=symbol,
                model=each.model.name_for(symbol),
                strategy=each.name,
                stage=each.stage.value,
            )


def _tell_nobodys_switches(switched_off: Iterable[SwitchedOff], strategies: Sequence[Strategy]) -> None:
    """A strategy that was renamed buys again: its switch stayed with the old name."""
    names = {"", *(each.name for each in named_by_config(strategies))}
    for each in switched_off:
        if each.strategy not in names:
            log.warning(
                "switch of no strategy",
                strategy=each.strategy,
                by=each.by,
                why=each.why,
                resolution="if it has another name now: recio switch entry off --strategy NAME",
            )


def _tell_held_back(limits: LimitsInForce) -> None:
    for each in limits.held_back:
        log.warning(
            "limit stays",
            limit=each.name,
            wanted=f"{each.wanted.normalize():f}",
            stays=f"{each.stays.normalize():f}",
            resolution="recio limits grant --by NAME, then start again",
        )
