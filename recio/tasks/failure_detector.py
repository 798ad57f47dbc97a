"""failure_detector: finds what is stale, silent or wrong and blocks entries while it lasts; it never trades.

A block is computed and clears by itself. A halt is a row, set when positions differ from the
venue's, and stays until somebody clears it. Neither touches exits or reconciliation.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime

import anyio
import asyncpg
import structlog

from recio.clock import Clock
from recio.config import Config
from recio.db import halts
from recio.db.connection import transaction
from recio.messages import AccountView, Block, Halt, MarketBoard, OpenTrades, Prices, Restraints
from recio.rules.conditions import Condition, Figures, conditions
from recio.supervisor import Ledger, Say
from recio.wires import Reads, Writes

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LOOK_EVERY = 0.5
HALTS_EVERY = 0.25
"""Host seconds between two reads of the halts: one set by hand must stop entries within a second."""


@dataclass(slots=True)
class _Measured:
    loop_lag: float = 0.0
    database_seconds: float = 0.0
    halts: tuple[Halt, ...] = ()
    looked: bool = False
    """Before the first look the blocks are not known, and nothing may be published without them."""
    blocks: tuple[Block, ...] = ()
    since: dict[str, datetime] = field(default_factory=dict[str, datetime])


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureDetector:
    pool: asyncpg.Pool[asyncpg.Record]
    clock: Clock
    config: Config
    ledger: Ledger
    prices: Reads[Prices]
    board: Reads[MarketBoard]
    account: Reads[AccountView]
    open_trades: Reads[OpenTrades]
    restraints: Writes[Restraints]

    async def run(self, say: Say) -> None:
        measured = _Measured()
        await self._read_halts(measured)
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch_halts, measured)
            while True:
                began = time.monotonic()
                await anyio.sleep(LOOK_EVERY)
                measured.loop_lag = max(0.0, time.monotonic() - began - LOOK_EVERY)
                await self._look(measured, say)

    async def _look(self, measured: _Measured, say: Say) -> None:
        now = self.clock.utc()
        found = conditions(self._figures(measured, now), self.config)
        await self._halt_on_difference(measured, now)
        measured.blocks = self._blocks(found, measured, now)
        measured.looked = True
        self._publish(measured)
        say(_sentence(measured.blocks, measured))

    def _publish(self, measured: _Measured) -> None:
        self.restraints.set(Restraints(blocks=measured.blocks, halts=measured.halts))

    def _figures(self, measured: _Measured, now: datetime) -> Figures:
        return Figures(
            now=now,
            speed=self.clock.speed,
            prices=self.prices.get(),
            board=self.board.get(),
            account=self.account.get(),
            trades=self.open_trades.get(),
            loop_lag=measured.loop_lag,
            database_seconds=measured.database_seconds,
            task_ages={name: task.age_seconds for name, task in self.ledger.tasks.items()},
        )

    def _blocks(self, found: tuple[Condition, ...], measured: _Measured, now: datetime) -> tuple[Block, ...]:
        """Log a condition once when it begins and once when it ends."""
        holding = {each.name for each in found}
        for name in measured.since.keys() - holding:
            began = measured.since.pop(name)
            log.info("block cleared", condition=name, lasted_seconds=round((now - began).total_seconds(), 1))
        for each in found:
            if each.name not in measured.since:
                measured.since[each.name] = now
                log.warning("entries blocked", condition=each.name, sentence=each.detail)
        return tuple(
            Block(
                condition=each.name, detail=each.detail, clears=each.clears, since=measured.since[each.name]
            )
            for each in found
        )

    async def _halt_on_difference(self, measured: _Measured, now: datetime) -> None:
        account = self.account.get()
        for each in account.differences if account else ():
            cause = f"position on {each.ticker} differs: venue {each.venue / 100:+.2f}, recio {each.ours / 100:+.2f}"
            halt = Halt(
                cause=cause,
                since=now,
                by="failure_detector",
                way_out="compare with the venue's own page, then: recio resume",
            )
            async with transaction(self.pool) as connection:
                if await halts.set_halt(connection, halt):
                    log.error("halted", cause=cause, way_out=halt.way_out)
                    measured.halts = await halts.active(connection)

    async def _watch_halts(self, measured: _Measured) -> None:
        """A halt that somebody else set or cleared is published at once, not at the next look."""
        while True:
            await anyio.sleep(HALTS_EVERY)
            before = measured.halts
            await self._read_halts(measured)
            if measured.halts == before or not measured.looked:
                continue
            self._publish(measured)
            for halt in (each for each in measured.halts if each not in before):
                log.warning("halt seen", cause=halt.cause, by=halt.by, way_out=halt.way_out)
            for halt in (each for each in before if each not in measured.halts):
                log.info("halt cleared", cause=halt.cause)

    async def _read_halts(self, measured: _Measured) -> None:
        began = time.monotonic()
        async with transaction(self.pool) as connection:
            measured.halts = await halts.active(connection)
        measured.database_seconds = time.monotonic() - began


def _sentence(blocks: tuple[Block, ...], measured: _Measured) -> str:
    if measured.halts:
        return f"halted: {measured.halts[0].cause}"
    if blocks:
        return f"{blocks[0].condition}: {blocks[0].detail}" + (
            f" (and {len(blocks) - 1} more)" if len(blocks) > 1 else ""
        )
    return f"all well; loop lag {measured.loop_lag * 1000:.0f} ms, database {measured.database_seconds * 1000:.1f} ms"
