"""One run of the daemon: opens resources, makes the wires, starts the tasks and orders the shutdown; it holds no trading logic.

Which tasks there are stands in `recio/daemon/composition.py`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aiohttp
import anyio
import structlog

from recio.alerting.channels import read_channels
from recio.alerting.dispatcher import Dispatcher
from recio.daemon import data_dir, systemd
from recio.daemon.calling import calling, tell_waiting
from recio.daemon.composition import (
    Daemon,
    alert_tasks,
    decider_tasks,
    keeper_tasks,
    listener_tasks,
    recorder_tasks,
    sender_tasks,
    shadow_tasks,
)
from recio.daemon.runs import Waiting, run_until_stopped
from recio.daemon.shutdown import (
    end_when_stopped,
    end_without_lock,
    let_answers_be_recorded,
    let_orders_be_answered,
)
from recio.daemon.signals import HALT_LEVELS, halt_on_signals
from recio.daemon.startup import Owned, owned_database
from recio.daemon.venue import Venue
from recio.daemon.watchdog import keep_systemd_told
from recio.db.embedded import DATABASE
from recio.kalshi import order_trace
from recio.kalshi.connections import connector
from recio.kalshi.rest import KalshiRest
from recio.kalshi.signing import KeyProof
from recio.messages.controls import Halt
from recio.settings.config import Config
from recio.settings.venue import Environment
from recio.supervisor import HealthByTask, Run, supervise
from recio.test_hooks import freeze_points
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.web.reach import reach_of
from recio.wires import Wires

log: structlog.stdlib.BoundLogger = structlog.get_logger()


Companion = Callable[[Daemon], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Left:
    """What one run leaves to the next: neither a halt nor a key that was taken is forgotten with a database."""

    unwritten: list[Halt] = field(default_factory=list[Halt])
    key_proof: KeyProof = field(default_factory=KeyProof)


async def run(
    config: Config,
    venue: Venue,
    stop: anyio.Event,
    *,
    database: str = DATABASE,
    companion: Companion | None = None,
) -> None:
    """Run the daemon until `stop` is set or the companion ends; a database that is away is waited for.

    Raises Fatal, alone or in a group.
    """
    traces = order_trace.armed(config.kalshi.environment)
    freeze_points.arm(
        os.environ.get(freeze_points.VARIABLE), simulated=config.kalshi.environment is Environment.SIM
    )
    channels = read_channels(config.alerts.channels_path)
    reach = reach_of(config.status, data_dir.place_of(config))
    for host in reach.listens:
        data_dir.refuse_taken_port(config.status.port, host)
    data_dir.claim(config)
    async with calling(config, venue.clock, channels) as dispatcher:
        await _run(config, venue, stop, database, companion, traces, dispatcher)


async def _run(
    config: Config,
    venue: Venue,
    stop: anyio.Event,
    database: str,
    companion: Companion | None,
    traces: list[aiohttp.TraceConfig],
    dispatcher: Dispatcher,
) -> None:
    # From the first moment on: unheard, either signal would kill the process.
    with anyio.open_signal_receiver(*HALT_LEVELS) as signals:
        left = _Left()

        async def one_run(waiting: Waiting) -> None:
            async with (
                owned_database(config, venue, database) as owned,
                aiohttp.ClientSession(connector=connector(), trace_configs=traces) as session,
            ):
                waiting.end()
                wires = Wires()
                hear = partial(halt_on_signals, signals, wires.halt_requests, venue.clock)
                try:
                    await _run_tasks(
                        config, venue, session, wires, owned, stop, (hear,), companion, left, dispatcher
                    )
                finally:
                    wires.close()

        await run_until_stopped(one_run, stop, partial(tell_waiting, dispatcher))


async def _run_tasks(
    config: Config,
    venue: Venue,
    session: aiohttp.ClientSession,
    wires: Wires,
    owned: Owned,
    stop: anyio.Event,
    besides: Sequence[Callable[[], Coroutine[Any, Any, None]]],
    companion: Companion | None,
    left: _Left,
    dispatcher: Dispatcher,
) -> None:
    """Three nested groups: those who decide stop first, then who sends, then who keeps the accounts."""
    config = config.model_copy(update={"risk": owned.limits})
    task_health = HealthByTask()
    rest = _rest(config, venue, session, left)
    daemon = Daemon(
        config=config,
        venue=venue,
        wires=wires,
        task_health=task_health,
        rest=rest,
        pool=owned.pool,
        strategies=owned.strategies,
        unwritten=left.unwritten,
    )
    async with anyio.create_task_group() as keepers:
        _start(keepers, keeper_tasks(daemon, owned.writer), task_health)
        _start(keepers, shadow_tasks(daemon), task_health)
        _start(keepers, recorder_tasks(daemon), task_health)
        _start(keepers, alert_tasks(daemon, dispatcher), task_health)
        _start(keepers, listener_tasks(daemon, session, owned.writer), task_health)
        keepers.start_soon(keep_systemd_told, wires, task_health, config)
        keepers.start_soon(end_without_lock, owned.lock, owned.pool)
        keepers.start_soon(end_when_stopped, wires, config.kalshi.request_timeout_seconds, stop)
        for each in besides:
            keepers.start_soon(each)
        async with anyio.create_task_group() as senders:
            _start(senders, sender_tasks(daemon, owned.lock), task_health)
            async with anyio.create_task_group() as deciders:
                _start(deciders, decider_tasks(daemon, session), task_health)
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


def _rest(config: Config, venue: Venue, session: aiohttp.ClientSession, left: _Left) -> KalshiRest:
    return KalshiRest(
        session=session,
        base_url=venue.rest_url,
        signer=venue.signer,
        clock=venue.clock,
        timeout_seconds=config.kalshi.request_timeout_seconds,
        key_proof=left.key_proof,
    )


def _start(group: anyio.abc.TaskGroup, tasks: Iterable[tuple[str, Run]], task_health: HealthByTask) -> None:
    for name, run_task in tasks:
        group.start_soon(supervise, name, run_task, task_health, name=name)


async def _accompany(companion: Companion, daemon: Daemon, stop: anyio.Event) -> None:
    await companion(daemon)
    stop.set()
