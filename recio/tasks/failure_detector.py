"""failure_detector: finds what is stale, silent or wrong and blocks entries while it lasts; it never trades.

A block is computed and clears by itself. A halt is a row, set when positions differ from the
venue's, and stays until somebody clears it. Neither touches exits or reconciliation. A database that
is away or slow is one of the things to find, so the looks never wait for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import anyio.to_thread
import asyncpg
import structlog

from recio.clock import Clock
from recio.db import controls, halts
from recio.db.connection import transaction
from recio.db.placement import least_free
from recio.errors import Transient
from recio.measurements import Measurements
from recio.messages.account import AccountView
from recio.messages.controls import (
    Block,
    CloseRequest,
    Halt,
    HaltRequest,
    LowerLimit,
    ResumeRequest,
    RootCause,
    SwitchedOff,
    TradingControls,
)
from recio.messages.markets import Listings, MarketBoard
from recio.messages.orders import OpenTrades
from recio.messages.prices import Prices
from recio.rules.account.lifecycle import UNPROVEN
from recio.rules.account.limits import lowered
from recio.rules.account.reconcile import lasting_causes
from recio.rules.health.causes import Course, Incident, causes, follow
from recio.rules.health.conditions import Condition, Figures, conditions, overdue
from recio.rules.health.reasons_to_halt import (
    Seen,
    Told,
    orders_to_tell,
    reasons_to_halt,
    told_now,
    unaccepted_orders,
    without_row,
)
from recio.settings.config import Config
from recio.supervisor import HealthByTask, Say, State
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.texts import writable
from recio.wires import Reads, Receives, Writes

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LOOK_EVERY = 0.5
HALTS_EVERY = 0.25
"""Host seconds between two reads of the halts: one set by command must stop entries within a second."""
DISK_EVERY = 5.0
RESOLUTION = "recio resume --by NAME"
CALL_EVERY = 60.0
VOUCHED_SECONDS = 5.0
"""Host seconds after a look in which what it found may be relied on."""


@dataclass(slots=True)
class _Measured:
    loop_lag: float = 0.0
    database_seconds: float = 0.0
    asked_at: float | None = None
    """When the read that is still out was begun, in host monotonic seconds."""
    database_fault: str = ""
    read_only: bool = False
    called_at: float = -math.inf
    """When somebody was last called for an unknown order, in host monotonic seconds."""
    free_bytes: int | None = None
    halts: tuple[Halt, ...] = ()
    switched_off: tuple[SwitchedOff, ...] = ()
    closes: tuple[CloseRequest, ...] = ()
    lowered: tuple[LowerLimit, ...] = ()
    parted: tuple[str, ...] = ()
    """Strategies whose paper and live part beyond chance."""
    told: Told = field(default_factory=Told)
    looked_at: datetime | None = None
    """Before the first look the blocks are not known, and nothing may be published without them."""
    blocks: tuple[Block, ...] = ()
    since: dict[str, datetime] = field(default_factory=dict[str, datetime])
    incidents: tuple[Incident, ...] = ()

    @property
    def database_age(self) -> float:
        """Of the last read, or of the one that is still out if that takes longer."""
        out = 0.0 if self.asked_at is None else time.monotonic() - self.asked_at
        return max(self.database_seconds, out)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureDetector:
    pool: asyncpg.Pool[asyncpg.Record]
    clock: Clock
    config: Config
    task_health: HealthByTask
    depths: Callable[[], Mapping[str, tuple[int, int]]]
    """Depth and capacity of each queue."""
    disks: tuple[Path, ...]
    """Folders whose disks must not run full."""
    prices: Reads[Prices]
    board: Reads[MarketBoard]
    listings: Reads[Listings]
    account: Reads[AccountView]
    open_trades: Reads[OpenTrades]
    halt_requests: Receives[HaltRequest | ResumeRequest]
    controls: Writes[TradingControls]
    unwritten: list[Halt] = field(default_factory=list[Halt])
    """Halts that are in force and have no row yet, because the database is away; they outlive a restart of the task and the end of a run."""
    measurements: Measurements = field(default_factory=Measurements)

    async def run(self, say: Say) -> None:
        measured = _Measured()
        await self._read_halts(measured)
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch_halts, measured)
            group.start_soon(self._hear_requests, measured)
            group.start_soon(self._watch_disk, measured)
            while True:
                await cycle_of(Task.FAILURE_DETECTOR)
                began = time.monotonic()
                await anyio.sleep(LOOK_EVERY)
                measured.loop_lag = max(0.0, time.monotonic() - began - LOOK_EVERY)
                self.measurements.looked(
                    loop_lag=measured.loop_lag,
                    database=measured.database_age,
                    free_bytes=measured.free_bytes,
                )
                self._look(measured)
                say(_sentence(measured))

    def _look(self, measured: _Measured) -> None:
        now = self.clock.utc()
        figures = self._figures(measured, now)
        self._call_somebody(measured, figures)
        found = conditions(figures, self.config)
        course = follow(measured.incidents, causes(found), now, self.clock.speed)
        measured.incidents = course.open
        _tell(course, now, self.clock.speed)
        measured.blocks = _blocks(found, measured, now)
        measured.looked_at = now
        self._publish(measured, now)

    def _call_somebody(self, measured: _Measured, figures: Figures) -> None:
        """An order that the resolver cannot resolve keeps entries blocked, and is said again every minute."""
        if time.monotonic() - measured.called_at < CALL_EVERY:
            return
        for order in overdue(figures, self.config.health.max_unresolved_order_seconds):
            measured.called_at = time.monotonic()
            log.error(
                "order without a proven end" if order.state in UNPROVEN else "order without all its fills",
                order=order.client_order_id,
                ticker=order.ticker,
                state=order.state.value,
                since=order.created_at.isoformat(),
                resolution="look for it on the venue's own page; entries stay blocked until its end is proven",
            )

    def _publish(self, measured: _Measured, looked_at: datetime) -> None:
        known = {each.cause for each in measured.halts}
        self.controls.set(
            TradingControls(
                blocks=measured.blocks,
                halts=(*measured.halts, *(each for each in self.unwritten if each.cause not in known)),
                switched_off=measured.switched_off,
                closes=measured.closes,
                lowered=measured.lowered,
                parted=measured.parted,
                causes=tuple(
                    RootCause(
                        cause=each.cause.name,
                        sentence=each.cause.sentence,
                        consequences=each.cause.consequences,
                        since=each.since,
                    )
                    for each in measured.incidents
                ),
                vouched_until=looked_at + timedelta(seconds=VOUCHED_SECONDS * self.clock.speed),
            )
        )

    def _figures(self, measured: _Measured, now: datetime) -> Figures:
        account = self.account.get()
        tasks = self.task_health.needed()
        down = {name: each for name, each in tasks.items() if each.state is State.BACKING_OFF}
        return Figures(
            now=now,
            speed=self.clock.speed,
            prices=self.prices.get(),
            board=self.board.get(),
            listings=self.listings.get(),
            account=account and replace(account, unrecorded=unaccepted_orders(account, measured.told)),
            trades=self.open_trades.get(),
            loop_lag=measured.loop_lag,
            database_seconds=measured.database_age,
            database_fault=measured.database_fault,
            database_read_only=measured.read_only,
            task_ages={name: task.age_seconds for name, task in tasks.items()},
            tasks_down={name: each.last_error or "a fault" for name, each in down.items()},
            depths=self.depths(),
            free_bytes=measured.free_bytes,
        )

    def _halt_on(self, measured: _Measured) -> Seen:
        return Seen(
            now=self.clock.utc(),
            account=self.account.get(),
            trades=self.open_trades.get(),
            limits=lowered(self.config.risk, measured.lowered),
        )

    async def _halt_on_difference(self, measured: _Measured) -> None:
        seen, known = self._halt_on(measured), {each.cause for each in measured.halts}
        new = [each for each in reasons_to_halt(seen, measured.told) if each.cause not in known]
        for halt in new:
            async with transaction(self.pool) as connection:
                await halts.set_halt(connection, halt)
            log.error("halted", cause=halt.cause, resolution=halt.resolution)
        if new:
            await self._read_halts(measured)
        # Told only now that each has its row: a database that was away is asked again at the next look.
        measured.told = told_now(seen, measured.told)

    async def _hear_requests(self, measured: _Measured) -> None:
        """A halt that is asked for here is in force before its row is written: the database may be away."""
        while True:
            match await self.halt_requests.receive():
                case HaltRequest() as asked:
                    self._halt_at_once(asked, measured)
                case ResumeRequest() as asked:
                    await self._resume(asked, measured)
            if measured.looked_at is not None:
                self._publish(measured, measured.looked_at)

    def _halt_at_once(self, asked: HaltRequest, measured: _Measured) -> None:
        halt = Halt(
            level=asked.level, cause=writable(asked.cause), since=asked.at, by=asked.by, resolution=RESOLUTION
        )
        if all(each.cause != halt.cause for each in (*measured.halts, *self.unwritten)):
            self.unwritten.append(halt)

    async def _resume(self, asked: ResumeRequest, measured: _Measured) -> None:
        """Only what its rows say is over: while the database is away nothing is resumed."""
        try:
            await self._write_unwritten(measured)
            async with transaction(self.pool) as connection:
                causes = [*map(writable, asked.causes)]
                await halts.clear(connection, causes, asked.at, asked.by, asked.since)
            await self._read_halts(measured)
        except Transient as error:
            log.warning("not resumed", by=asked.by, why=str(error))
            return
        log.warning("resumed", by=asked.by, causes=list(asked.causes))

    async def _write_unwritten(self, measured: _Measured) -> None:
        """Each stays in force without a gap: by itself until it is read back from its row."""
        written = tuple(self.unwritten)
        for halt in written:
            async with transaction(self.pool) as connection:
                await halts.set_halt(connection, halt)
        await self._read_halts(measured)
        self.unwritten[:] = [each for each in self.unwritten if each not in written]

    async def _watch_halts(self, measured: _Measured) -> None:
        """A halt that somebody else set or cleared is published at once, not at the next look."""
        while True:
            await anyio.sleep(HALTS_EVERY)
            before, switched_before, lowered_before = (
                measured.halts,
                measured.switched_off,
                measured.lowered,
            )
            try:
                await self._write_unwritten(measured)
                await self._halt_on_difference(measured)
                measured.database_fault = ""
            except Transient as error:
                # What was known stays: a halt that cannot be read is still a halt.
                measured.database_fault = str(error)
                continue
            said = measured.halts, measured.switched_off, measured.lowered
            if said == (before, switched_before, lowered_before) or measured.looked_at is None:
                continue
            self._publish(measured, measured.looked_at)
            for halt in (each for each in measured.halts if each not in before):
                log.warning(
                    "halt seen",
                    level=halt.level.value,
                    cause=halt.cause,
                    by=halt.by,
                    resolution=halt.resolution,
                )
            for halt in (each for each in before if each not in measured.halts):
                log.info("halt cleared", cause=halt.cause)
            for off in (each for each in measured.switched_off if each not in switched_before):
                log.warning("switched off", switch=_named(off), by=off.by, why=off.why)
            for off in (each for each in switched_before if each not in measured.switched_off):
                log.info("switched on", switch=_named(off))
            for limit in (each for each in measured.lowered if each not in lowered_before):
                log.warning("limit lowered", limit=limit.name, to=f"{limit.amount.normalize():f}")

    async def _read_halts(self, measured: _Measured) -> None:
        measured.asked_at = began = time.monotonic()
        account = self.account.get()
        asked = frozenset[str]()
        if account is not None:
            asked = frozenset((*lasting_causes(account), *map(without_row, orders_to_tell(account))))
        try:
            # A transaction, though it is one statement: commits that have become slow are noticed by its own.
            async with transaction(self.pool) as connection:
                rows = await controls.read(connection, asked)
        finally:
            measured.asked_at = None
        measured.halts, measured.switched_off, measured.closes = rows.halts, rows.switched_off, rows.closes
        measured.lowered = rows.lowered
        _tell_parted(rows.parted, measured.parted)
        measured.parted = rows.parted
        measured.told = replace(
            measured.told, asked=asked, accepted=rows.ever_cleared, forgiven=rows.forgiven
        )
        measured.read_only = rows.read_only
        measured.database_seconds = time.monotonic() - began

    async def _watch_disk(self, measured: _Measured) -> None:
        while True:
            measured.free_bytes = await anyio.to_thread.run_sync(least_free, self.disks)
            await anyio.sleep(DISK_EVERY)


def _named(off: SwitchedOff) -> str:
    return f"{off.switch.value} of {off.strategy}" if off.strategy else off.switch.value


def _blocks(found: tuple[Condition, ...], measured: _Measured, now: datetime) -> tuple[Block, ...]:
    names = {each.name for each in found}
    measured.since = {name: since for name, since in measured.since.items() if name in names} | {
        name: now for name in names if name not in measured.since
    }
    return tuple(
        Block(condition=each.name, detail=each.detail, clears=each.clears, since=measured.since[each.name])
        for each in found
    )


def _tell(course: Course, now: datetime, speed: float) -> None:
    """One line when a failure begins and one when it ends, however many conditions it shows itself by."""
    for each in course.begun:
        log.warning(
            "entries blocked",
            cause=each.cause.name,
            sentence=each.cause.sentence,
            consequences=list(each.cause.consequences),
        )
    for each in course.clearer:
        log.info("cause seen clearer", cause=each.cause.name, consequences=list(each.cause.consequences))
    for each in course.ended:
        lasted = round((now - each.since).total_seconds() / speed, 1)
        if each.told:
            log.info("block cleared", cause=each.told, lasted_host_seconds=lasted)
        else:
            log.debug("block passed", cause=each.cause.name, lasted_host_seconds=lasted)


def _tell_parted(now: tuple[str, ...], before: tuple[str, ...]) -> None:
    for strategy in (each for each in now if each not in before):
        log.error(
            "live and paper part beyond chance",
            strategy=strategy,
            resolution="recio score --parity; entry.stop_when_parted = true lets it open nothing until they agree",
        )
    for strategy in (each for each in before if each not in now):
        log.info("live and paper agree again", strategy=strategy)


def _sentence(measured: _Measured) -> str:
    if measured.halts:
        return f"halted: {measured.halts[0].reason}"
    if measured.incidents:
        others = len(measured.blocks) - 1
        first = measured.incidents[0].cause
        return f"{first.name}: {first.sentence}" + (f" (and {others} more)" if others > 0 else "")
    return f"all well; loop lag {measured.loop_lag * 1000:.0f} ms, database {measured.database_seconds * 1000:.1f} ms"
