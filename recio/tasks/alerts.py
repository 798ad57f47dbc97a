"""alerts: looks for what calls for somebody, and hands it to the dispatcher that sends it; it reads wires and rows, and stops nothing.

What it cannot write is written later: a call does not wait for the database.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import anyio
import anyio.to_thread
import asyncpg

from recio.alerting.channels import Channel
from recio.alerting.dispatcher import Dispatcher
from recio.clock import Clock
from recio.db import alerts as rows
from recio.db import backup_rows, past_trades, push_subscriptions
from recio.db.connection import transaction
from recio.db.placement import least_free
from recio.db.push_subscriptions import Subscription
from recio.errors import BadConfig, Transient
from recio.messages.account import AccountView
from recio.messages.alerts import Acknowledge, AlertsView, Severity, TryChannels
from recio.messages.backups import BackupsSeen
from recio.messages.controls import TradingControls
from recio.messages.decisions import Assessments
from recio.messages.markets import MarketBoard
from recio.messages.orders import OpenTrades
from recio.messages.prices import Prices
from recio.rules.alerts.alarms import Seen, alarms, held_or_bought, remember
from recio.rules.alerts.news import States, of_trades, states, summary, summary_due
from recio.rules.decision.strategy import Strategy
from recio.rules.health.conditions import task_limit
from recio.settings.config import Config
from recio.supervisor import DISPENSABLE, HealthByTask, Say, State
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.texts import counted
from recio.wires import Reads, Takes, Writes

LOOK_EVERY = 1.0
KEEP_EVERY = 2.0
"""Host seconds between two writings of rows."""
LAST_KEEP = 2.0
"""Host seconds that the last writing of a run may take."""
DISK_EVERY = 60.0
BACKUPS_EVERY = 10.0
FORGET_EVERY = 3_600.0
RECENT_DAYS = 3


@dataclass(slots=True)
class _Look:
    """What one run of the task carries from look to look."""

    free_bytes: int | None = None
    backups: BackupsSeen | None = None
    trades: States | None = None
    summed: date | None = None
    unwritten: str = ""
    """Why rows cannot be written at the moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    pool: asyncpg.Pool[asyncpg.Record]
    clock: Clock
    config: Config
    strategies: Sequence[Strategy]
    dispatcher: Dispatcher
    """It outlives this task and the run."""
    task_health: HealthByTask
    disks: tuple[Path, ...]
    controls: Reads[TradingControls]
    open_trades: Reads[OpenTrades]
    account: Reads[AccountView]
    board: Reads[MarketBoard]
    prices: Reads[Prices]
    assessments: Reads[Assessments]
    alert_requests: Takes[Acknowledge | TryChannels]
    alerts: Writes[AlertsView]
    devices: Callable[[Sequence[Subscription]], Sequence[Channel]] | None = None
    """Who is to be told by Web Push, of these rows; None: nobody is."""

    async def run(self, say: Say) -> None:
        look = _Look()
        settings = self.config.alerts
        if settings.summary_at is not None:
            # A start is no reason to sum up again what is over.
            look.summed = summary_due(self.clock.utc(), None, settings)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._watch_disk, look)
                group.start_soon(self._keep_rows, look)
                await self._look_forever(look, say)
        finally:
            # What was bought since the last look stands without a stop as well once its database is away.
            self._note_held()
            with anyio.move_on_after(LAST_KEEP, shield=True), suppress(Transient):
                await self._keep()

    async def _look_forever(self, look: _Look, say: Say) -> None:
        while True:
            await cycle_of(Task.ALERTS)
            self._heed()
            self._look(look)
            await self._sum_up(look)
            say(self._sentence(look))
            await anyio.sleep(LOOK_EVERY)

    def _heed(self) -> None:
        """What a person said on the page since the last look."""
        for asked in self.alert_requests.take()[0]:
            match asked:
                case Acknowledge(cause=cause, by=by):
                    self.dispatcher.acknowledge(cause, by)
                case TryChannels(by=by):
                    self.dispatcher.test(by)

    def _look(self, look: _Look) -> None:
        seen = self._seen(look)
        self.dispatcher.remembered = remember(self.dispatcher.remembered, seen)
        self.dispatcher.look(alarms(seen, self.dispatcher.remembered))
        self._note_held()
        self._tell_trades(look, seen.trades)
        if self._guards(seen):
            self.dispatcher.guarded_at = time.monotonic()
        self.alerts.set(replace(self.dispatcher.view(), backups=look.backups))

    def _note_held(self) -> None:
        trades = self.open_trades.get()
        if trades is not None:
            self.dispatcher.held = held_or_bought(trades)

    def _seen(self, look: _Look) -> Seen:
        tasks = self.task_health.tasks
        return Seen(
            now=self.clock.utc(),
            speed=self.clock.speed,
            config=self.config,
            strategies=self.strategies,
            controls=self.controls.get(),
            trades=self.open_trades.get(),
            account=self.account.get(),
            board=self.board.get(),
            prices=self.prices.get(),
            assessments=self.assessments.get(),
            faults={
                name: each.last_error or "a fault"
                for name, each in tasks.items()
                if each.state is State.BACKING_OFF
            },
            restarts={name: each.restarts for name, each in tasks.items()},
            free_bytes=look.free_bytes,
            backups=look.backups,
        )

    def _guards(self, seen: Seen) -> bool:
        """Whether this daemon looks after what is held: its failure detector looked lately, and no task it needs is frozen."""
        vouched = None if seen.controls is None else seen.controls.vouched_until
        frozen = self.task_health.frozen(task_limit(self.config))
        return (
            vouched is not None and seen.now <= vouched and all(each.name in DISPENSABLE for each in frozen)
        )

    def _tell_trades(self, look: _Look, trades: OpenTrades | None) -> None:
        if trades is None:
            return
        if look.trades is not None and self.config.alerts.trades:
            for line in of_trades(look.trades, trades):
                self.dispatcher.tell(line, Severity.INFO)
        look.trades = states(trades)

    async def _sum_up(self, look: _Look) -> None:
        day = summary_due(self.clock.utc(), look.summed, self.config.alerts)
        if day is None:
            return
        try:
            async with transaction(self.pool) as connection:
                known = await past_trades.days(connection, RECENT_DAYS)
        except Transient:
            return  # at the next look
        look.summed = day
        found = next((each for each in known if each.day == day), None)
        figures = None if found is None else (found.net, found.fees, found.wins, found.losses)
        text = summary(day, figures, self.open_trades.get(), self.account.get(), self.dispatcher.view().open)
        self.dispatcher.tell(text, Severity.INFO)

    async def _watch_disk(self, look: _Look) -> None:
        while True:
            look.free_bytes = await anyio.to_thread.run_sync(least_free, self.disks)
            await anyio.sleep(DISK_EVERY)

    async def _keep_rows(self, look: _Look) -> None:
        """Late rather than never, and beside the looks: whoever waits for a row here is nobody who calls."""
        forgot_at = seen_at = -FORGET_EVERY
        while True:
            try:
                await self._reach_devices()
                await self._keep()
                if time.monotonic() - seen_at >= BACKUPS_EVERY:
                    async with transaction(self.pool) as connection:
                        look.backups = await backup_rows.seen(connection)
                    seen_at = time.monotonic()
                if time.monotonic() - forgot_at >= FORGET_EVERY:
                    async with transaction(self.pool) as connection:
                        await rows.forget(connection)
                    forgot_at = time.monotonic()
                look.unwritten = ""
            except (Transient, BadConfig) as error:
                look.unwritten = str(error)
            await anyio.sleep(KEEP_EVERY)

    async def _reach_devices(self) -> None:
        """Before messages of earlier processes are taken up, which may be theirs. Raises Transient, BadConfig; then those of before are told."""
        if self.devices is None:
            return
        async with transaction(self.pool) as connection:
            found = await push_subscriptions.running(connection)
        self.dispatcher.reach(self.devices(found))

    async def _keep(self) -> None:
        if not self.dispatcher.has_rows:
            async with transaction(self.pool) as connection:
                open_before, waiting = await rows.still_open(connection), await rows.still_waiting(connection)
            self.dispatcher.resume(open_before, waiting)
        alerts, deliveries = self.dispatcher.take_unkept()
        if not alerts and not deliveries:
            return
        try:
            async with transaction(self.pool) as connection:
                await rows.keep(connection, alerts, deliveries)
        except BaseException:
            self.dispatcher.give_back(alerts, deliveries)
            raise

    def _sentence(self, look: _Look) -> str:
        view = self.dispatcher.view()
        channels = (
            counted(len(view.channels), "channel", "channels")
            if view.channels
            else "nobody is called: no channel"
        )
        unwritten = f"; rows wait: {look.unwritten}" if look.unwritten else ""
        return f"{channels}; {counted(len(view.open), 'alert', 'alerts')} on{unwritten}"
