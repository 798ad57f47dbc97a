"""The composition root: opens resources, makes the wires, lists the tasks and orders the shutdown.

The one file that knows every task. It holds no trading logic and never touches a row itself but for
the identity and the life of the daemon.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import anyio
import asyncpg
import structlog

from recio.daemon import data_dir, systemd
from recio.daemon.shutdown import (
    end_when_stopped,
    end_without_lock,
    let_answers_be_recorded,
    let_orders_be_answered,
)
from recio.daemon.signals import BRAKES, pull_on_signals
from recio.daemon.startup import Owned, database_dsn, owned_pool
from recio.daemon.venue import Venue
from recio.daemon.watchdog import keep_systemd_told
from recio.db.ledger import Author
from recio.db.placement import disks_of
from recio.db.pool import AccountLock
from recio.kalshi import order_trace
from recio.kalshi.rest import KalshiRest
from recio.rules.strategy import Strategy
from recio.settings.config import Config
from recio.settings.sections import Environment
from recio.settings.strategies import Stage
from recio.supervisor import Ledger, Run, supervise
from recio.tape.encode import Encoder
from recio.tape.segments import Segments
from recio.tasks.account_sync import AccountSync
from recio.tasks.brake import BrakeAtVenue
from recio.tasks.entry import Entry
from recio.tasks.executor import Executor
from recio.tasks.exit import Exit
from recio.tasks.failure_detector import FailureDetector
from recio.tasks.market_sync import MarketSync, Traded
from recio.tasks.price_feed import PriceFeed
from recio.tasks.recorder import Recorder
from recio.tasks.shadow import Shadow
from recio.tasks.status_http import StatusHttp
from recio.tasks.trade_manager import TradeManager
from recio.test_hooks import freeze_points
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.web.snapshot import Facts, snapshot
from recio.wires import Wires

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """Everything a companion of the daemon (the demo's narrator) may look at."""

    config: Config
    venue: Venue
    wires: Wires
    ledger: Ledger
    rest: KalshiRest
    pool: asyncpg.Pool[asyncpg.Record]
    strategies: tuple[Strategy, ...]
    """The common one first."""


Companion = Callable[[Daemon], Awaitable[None]]


async def run(
    config: Config,
    venue: Venue,
    stop: anyio.Event,
    *,
    database: str = "recio",
    companion: Companion | None = None,
) -> None:
    """Run the daemon until `stop` is set or the companion ends. Raises Fatal, alone or in a group."""
    traces = order_trace.armed(config.kalshi.environment)
    freeze_points.arm(
        os.environ.get(freeze_points.VARIABLE), simulated=config.kalshi.environment is Environment.SIM
    )
    data_dir.refuse_taken_port(config.status.port)
    root = data_dir.claim(config)
    # From the first moment on: unheard, either signal would kill the process.
    with anyio.open_signal_receiver(*BRAKES) as signals:
        async with (
            database_dsn(config, root, database) as dsn,
            owned_pool(config, venue, dsn) as owned,
            aiohttp.ClientSession(trace_configs=traces) as session,
        ):
            wires = Wires()
            hear = partial(pull_on_signals, signals, wires.brake_requests, venue.clock)
            try:
                await _live(config, venue, session, wires, owned, stop, (hear,), companion)
            finally:
                wires.close()


async def _live(
    config: Config,
    venue: Venue,
    session: aiohttp.ClientSession,
    wires: Wires,
    owned: Owned,
    stop: anyio.Event,
    besides: Sequence[Callable[[], Coroutine[Any, Any, None]]],
    companion: Companion | None,
) -> None:
    """Three nested groups: those who decide stop first, then who sends, then who keeps the books."""
    config = config.model_copy(update={"risk": owned.limits})
    ledger = Ledger()
    rest = KalshiRest(
        session=session,
        base_url=venue.rest_url,
        signer=venue.signer,
        clock=venue.clock,
        timeout_seconds=config.kalshi.request_timeout_seconds,
    )
    daemon = Daemon(
        config=config,
        venue=venue,
        wires=wires,
        ledger=ledger,
        rest=rest,
        pool=owned.pool,
        strategies=owned.strategies,
    )
    async with anyio.create_task_group() as keepers:
        _start(keepers, keeper_tasks(daemon, owned.author), ledger)
        _start(keepers, shadow_tasks(daemon), ledger)
        _start(keepers, recorder_tasks(daemon), ledger)
        _start(keepers, listener_tasks(daemon, session, owned.author), ledger)
        keepers.start_soon(keep_systemd_told, wires, ledger, config)
        keepers.start_soon(end_without_lock, owned.lock)
        keepers.start_soon(end_when_stopped, wires, stop)
        for each in besides:
            keepers.start_soon(each)
        async with anyio.create_task_group() as senders:
            _start(senders, sender_tasks(daemon, owned.lock), ledger)
            async with anyio.create_task_group() as deciders:
                _start(deciders, decider_tasks(daemon, session), ledger)
                if companion is not None:
                    deciders.start_soon(_accompany, companion, daemon, stop)
                await stop.wait()
                log.info("stopping")
                reached(CrashPoint.STOP_ASKED)
                systemd.notify("STOPPING=1")
                deciders.cancel_scope.cancel()
            reached(CrashPoint.DECIDERS_STOPPED)
            await let_orders_be_answered(wires)
            reached(CrashPoint.ORDERS_ANSWERED)
            senders.cancel_scope.cancel()
        reached(CrashPoint.SENDERS_STOPPED)
        await let_answers_be_recorded(wires)
        reached(CrashPoint.ANSWERS_RECORDED)
        keepers.cancel_scope.cancel()
    reached(CrashPoint.KEEPERS_STOPPED)


def _start(group: anyio.abc.TaskGroup, tasks: Iterable[tuple[str, Run]], ledger: Ledger) -> None:
    for name, run_task in tasks:
        group.start_soon(supervise, name, run_task, ledger, name=name)


def decider_tasks(daemon: Daemon, session: aiohttp.ClientSession) -> list[tuple[str, Run]]:
    config, venue, wires = daemon.config, daemon.venue, daemon.wires
    return [
        (
            "price_feed",
            PriceFeed(
                session=session,
                pool=daemon.pool,
                clock=venue.clock,
                settings=config.prices,
                urls=venue.price_urls,
                symbols=config.symbols,
                index=wires.index,
                prices=wires.prices,
            ).run,
        ),
        (
            "exit",
            Exit(
                clock=venue.clock,
                strategies=daemon.strategies,
                prices=wires.prices,
                board=wires.board,
                open_trades=wires.open_trades,
                restraints=wires.restraints,
                close_intents=wires.close_intents,
                exit_turns=wires.exit_turns,
            ).run,
        ),
        (
            "entry",
            Entry(
                clock=venue.clock,
                strategies=daemon.strategies,
                limits=config.risk,
                prices=wires.prices,
                board=wires.board,
                account=wires.account,
                open_trades=wires.open_trades,
                restraints=wires.restraints,
                assessments=wires.assessments,
                open_intents=wires.open_intents,
                entry_turns=wires.entry_turns,
                shadow_trades=wires.shadow_trades,
                shadow_wishes=wires.shadow_wishes,
                pool=daemon.pool,
            ).run,
        ),
    ]


def shadow_tasks(daemon: Daemon) -> list[tuple[str, Run]]:
    """Only where there is a shadow."""
    shadows, wires = [each for each in daemon.strategies if each.stage is Stage.SHADOW], daemon.wires
    shadow = Shadow(
        pool=daemon.pool,
        rest=daemon.rest,
        clock=daemon.venue.clock,
        strategies=shadows,
        board=wires.board,
        prices=wires.prices,
        restraints=wires.restraints,
        shadow_wishes=wires.shadow_wishes,
        shadow_trades=wires.shadow_trades,
        shadow_scores=wires.shadow_scores,
        shadow_turns=wires.shadow_turns,
    )
    return [("shadow", shadow.run)] if shadows else []


def recorder_tasks(daemon: Daemon) -> list[tuple[str, Run]]:
    """Keeps what those who decide have seen, if that is wanted: it outlives them, to keep their last turns."""
    config, wires = daemon.config, daemon.wires
    if not config.recorder.enabled:
        return []
    recorder = Recorder(
        clock=daemon.venue.clock,
        encoder=Encoder(limits=config.risk, strategies=daemon.strategies, symbols=tuple(config.symbols)),
        segments=Segments.under(data_dir.place_of(config), config.recorder),
        entry_turns=wires.entry_turns,
        exit_turns=(wires.exit_turns, wires.shadow_turns),
        market_ends=wires.market_ends,
    )
    return [("recorder", recorder.run)]


def sender_tasks(daemon: Daemon, lock: AccountLock) -> list[tuple[str, Run]]:
    return [
        (
            "executor",
            Executor(
                rest=daemon.rest,
                clock=daemon.venue.clock,
                may_send=lock.is_proven,
                restraints=daemon.wires.restraints,
                order_group=daemon.wires.order_group,
                orders=daemon.wires.orders,
                outcomes=daemon.wires.outcomes,
            ).run,
        )
    ]


def listener_tasks(daemon: Daemon, session: aiohttp.ClientSession, author: Author) -> list[tuple[str, Run]]:
    """Who hears the venue: they outlive those who decide and those who send."""
    config, venue, wires = daemon.config, daemon.venue, daemon.wires
    return [
        (
            "market_sync",
            MarketSync(
                session=session,
                pool=daemon.pool,
                rest=daemon.rest,
                signer=venue.signer,
                ws_url=venue.ws_url,
                clock=venue.clock,
                venue=config.kalshi,
                settings=config.market,
                traded=tuple(
                    Traded(series=series, symbol=symbol, index_id=config.symbols[symbol].index)
                    for series, symbol in config.series.items()
                ),
                use_index=config.prices.use_index,
                board=wires.board,
                index=wires.index,
                account_hints=wires.account_hints,
                market_ends=wires.market_ends,
            ).run,
        ),
        (
            "account_sync",
            AccountSync(
                pool=daemon.pool,
                rest=daemon.rest,
                clock=venue.clock,
                venue=config.kalshi,
                deadline_seconds=config.risk.order_deadline_seconds,
                tag=author.tag,
                account_hints=wires.account_hints,
                board=wires.board,
                open_trades=wires.open_trades,
                venue_facts=wires.venue_facts,
                account=wires.account,
            ).run,
        ),
        (
            "brake",
            BrakeAtVenue(
                pool=daemon.pool,
                rest=daemon.rest,
                clock=venue.clock,
                limits=config.risk,
                tag=author.tag,
                board=wires.board,
                open_trades=wires.open_trades,
                restraints=wires.restraints,
                brake_checks=wires.brake_checks,
                order_group=wires.order_group,
            ).run,
        ),
    ]


def keeper_tasks(daemon: Daemon, author: Author) -> list[tuple[str, Run]]:
    config, venue, wires = daemon.config, daemon.venue, daemon.wires
    facts = Facts(
        config=config,
        strategies=daemon.strategies,
        account=venue.account[:8],
        started_at=venue.clock.utc(),
        limits=daemon.rest.limits.view,
    )
    return [
        (
            "trade_manager",
            TradeManager(
                pool=daemon.pool,
                clock=venue.clock,
                limits=config.risk,
                budgets={each.name: each.budget for each in daemon.strategies if each.budget},
                author=author,
                account=wires.account,
                board=wires.board,
                open_intents=wires.open_intents,
                close_intents=wires.close_intents,
                outcomes=wires.outcomes,
                venue_facts=wires.venue_facts,
                open_trades=wires.open_trades,
                orders=wires.orders,
            ).run,
        ),
        (
            "failure_detector",
            FailureDetector(
                pool=daemon.pool,
                clock=venue.clock,
                config=config,
                ledger=daemon.ledger,
                depths=wires.depths,
                disks=disks_of(data_dir.place_of(config)),
                prices=wires.prices,
                board=wires.board,
                account=wires.account,
                open_trades=wires.open_trades,
                brake_requests=wires.brake_requests,
                restraints=wires.restraints,
            ).run,
        ),
        (
            "status_http",
            StatusHttp(
                port=config.status.port,
                clock=venue.clock,
                token=data_dir.brake_token(data_dir.place_of(config)),
                restraints=wires.restraints,
                brake_requests=wires.brake_requests,
                status=lambda whole: snapshot(wires, daemon.ledger, facts, venue.clock, whole_board=whole),
                clients=set(),
            ).run,
        ),
    ]


async def _accompany(companion: Companion, daemon: Daemon, stop: anyio.Event) -> None:
    await companion(daemon)
    stop.set()
