"""recorder: keeps every decision of entry and exit with what it saw, in compressed files; it stops nobody and loses before it delays.

Encoding and writing happen in a thread. A disk that refuses costs recordings and nothing else; how markets ended is kept until
it can be written, and asked for over REST where the venue's message was missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
import anyio.to_thread
import structlog

from recio.clock import Clock
from recio.kalshi.answers import NoAnswer, answer_of
from recio.kalshi.markets import read_result
from recio.kalshi.rest import KalshiRest
from recio.messages.markets import MarketEnded
from recio.recording.awaited_ends import AwaitedEnds
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


ASK_EVERY = 30.0
"""Host seconds between two questions for ends that were missed."""
MOST_ENDS = 50_000
"""Ends that wait for a disk at most: days of every ladder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    clock: Clock
    encoder: Encoder
    segments: Segments
    cycles: Takes[Cycle]
    """Of entry, exit and shadow, in their order."""
    market_ends: Takes[MarketEnded]
    rest: KalshiRest | None = None
    """Where missed ends are asked for; None: nowhere."""
    awaited: AwaitedEnds = field(default_factory=AwaitedEnds)

    async def run(self, say: Say) -> None:
        if self.rest is None:
            await self._keep_forever(say)
            return
        async with anyio.create_task_group() as group:
            group.start_soon(self._ask_forever, self.rest)
            await self._keep_forever(say)

    async def _keep_forever(self, say: Say) -> None:
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
        self.awaited.note(cycles)
        ends = self._ends()
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
            self.segments.unkept_ends = ends
            self.segments.is_blind = True
            why = error.strerror or str(error)
            if why != refused:
                log.warning("recording refused", why=why, folder=str(self.segments.folder))
            say(f"cannot write: {why}")
            return why
        self.segments.unkept = 0
        if refused:
            log.info("recording again")
        missing = f"; {self.awaited.missing} markets ended unheard" if self.awaited.missing else ""
        say(f"{self.segments.written / 1e6:.1f} MB written in this run{missing}")
        return ""

    def _ends(self) -> list[MarketEnded]:
        """That were told, and those that no file holds yet."""
        told, missed = self.market_ends.take()
        if missed:
            log.warning("ends of markets not kept, they are asked for", markets=missed)
        self.awaited.heard(told)
        ends, self.segments.unkept_ends = [*self.segments.unkept_ends, *told], []
        return ends[-MOST_ENDS:]

    async def _ask_forever(self, rest: KalshiRest) -> None:
        """What the venue did not tell in time, or told while nobody listened."""
        while True:
            await anyio.sleep(ASK_EVERY)
            for ticker in self.awaited.due(self.clock.utc()):
                try:
                    found = await answer_of(read_result(rest, ticker))
                except NoAnswer as error:
                    log.warning("no result of a recorded market", ticker=ticker, why=str(error))
                    break
                if found.value is not None:
                    ended_ = MarketEnded(
                        ticker=ticker,
                        result=found.result,
                        heard_at=self.clock.utc(),
                        value=found.value if found.result is None else None,
                    )
                    self.awaited.heard([ended_])
                    self.segments.unkept_ends.append(ended_)

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
