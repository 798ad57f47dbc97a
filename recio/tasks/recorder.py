"""recorder: keeps every decision of entry and exit with what it saw, in compressed files; it stops nobody and loses before it delays.

Encoding and writing happen in a thread. A disk that refuses costs recordings and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread
import structlog

from recio.clock import Clock
from recio.messages.markets import MarketEnded
from recio.recording.encode import Encoder, ended, lost
from recio.recording.segments import Segments
from recio.rules.decision.cycles import Cycle, EntryCycle
from recio.supervisor import Say
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.wires import Takes

log: structlog.stdlib.BoundLogger = structlog.get_logger()

WRITE_EVERY = 2.0
"""Host seconds between two batches: so much a kill may cost."""
LAST_WRITE = 3.0
"""Host seconds that the last batch of a run may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    clock: Clock
    encoder: Encoder
    segments: Segments
    cycles: Takes[Cycle]
    """Of entry, exit and shadow, in their order."""
    market_ends: Takes[MarketEnded]

    async def run(self, say: Say) -> None:
        # A run that ended in the middle of a batch may have said what it never wrote.
        self.segments.path, self.segments.is_blind = None, True
        refused = ""
        try:
            while True:
                await cycle_of(Task.RECORDER)
                refused = await self._keep(say, refused)
                await anyio.sleep(WRITE_EVERY)
        finally:
            with anyio.move_on_after(LAST_WRITE, shield=True):
                await self._keep(say, refused)

    async def _keep(self, say: Say, refused: str) -> str:
        """Write what has come; returns why that could not be, or nothing."""
        cycles, missed = self.cycles.take()
        ends, ends_missed = self.market_ends.take()
        if ends_missed:
            log.warning("ends of markets not kept", markets=ends_missed)
        if missed:
            self.segments.is_blind = True
        if self.segments.is_blind:
            # What was lost may have held what changed: the next that saw the whole board is understood without it.
            whole = _from_the_next_whole(cycles)
            self.segments.is_blind = not any(map(_is_whole, whole))
            missed += len(cycles) - len(whole)
            cycles = whole
        lost_cycles = self.segments.unkept = self.segments.unkept + missed
        if not cycles and not ends and not lost_cycles:
            say(refused or "waits for a cycle to keep")
            return refused
        try:
            await anyio.to_thread.run_sync(self._write, cycles, ends, lost_cycles)
        except OSError as error:
            self.segments.unkept += len(cycles)
            self.segments.is_blind = True
            why = error.strerror or str(error)
            if why != refused:
                log.warning("recording refused", why=why, folder=str(self.segments.folder))
            say(f"cannot write: {why}")
            return why
        self.segments.unkept = 0
        if refused:
            log.info("recording again")
        say(f"{self.segments.written / 1e6:.1f} MB written in this run")
        return ""

    def _write(self, cycles: Sequence[Cycle], ends: Sequence[MarketEnded], missing: int) -> None:
        now = self.clock.utc()
        lines: list[bytes] = []
        if self.segments.must_begin(now):
            self.segments.begin(now)
            lines.append(self.encoder.begin(now))
        if missing:
            lines.append(lost(missing))
        lines += [self.encoder.cycle(cycle) for cycle in cycles]
        lines += [ended(each) for each in ends]
        self.segments.append(b"".join(lines))


def _from_the_next_whole(cycles: Sequence[Cycle]) -> list[Cycle]:
    """Without the decisions of entry that build on what is lost; those of exit stand by themselves."""
    kept: list[Cycle] = []
    is_whole = False
    for each in cycles:
        is_whole = is_whole or _is_whole(each)
        if is_whole or not isinstance(each, EntryCycle):
            kept.append(each)
    return kept


def _is_whole(cycle: Cycle) -> bool:
    return isinstance(cycle, EntryCycle) and cycle.look.tickers is None
