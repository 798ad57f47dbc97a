"""The same events through entry and exit as live they run, through the shadow and through a replay: the same decisions, orders and trades.

Live there is no trade_manager here but a stand-in that answers as an account on paper does; everything else is the daemon's own.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias, cast

import anyio
import asyncpg
import pytest

from recio.db import paper_trades
from recio.db.connection import transaction
from recio.kalshi.rest import KalshiRest
from recio.messages.account import AccountView
from recio.messages.controls import TradingControls
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.markets import MarketBoard, MarketView
from recio.messages.orders import OpenTrades, TradeView
from recio.messages.prices import Prices
from recio.paper.engine import START_BALANCE, Engine, on_paper
from recio.recording.encode import Encoder
from recio.recording.segments import Segments
from recio.replay import playback
from recio.replay.decisions import decide_again
from recio.replay.own_recording import own_recordings, trade_own
from recio.replay.session_files import clock_offset_ns, find_sessions
from recio.rules.decision.cycles import Cycle, EntryCycle
from recio.rules.decision.entry import Waits
from recio.rules.decision.strategy import Strategy
from recio.rules.market.taken import view_without
from recio.rules.pricing.model import AVERAGE
from recio.settings.strategies import Stage
from recio.settings.trading import EntrySection, ExitSection
from recio.tasks.exit import Exit
from recio.tasks.shadow import Shadow
from recio.units import money
from recio.wires import Wires
from tests.builders import AGAIN_AND_AGAIN, TRADING, section
from tests.order_path import entry_on
from tests.replay.conftest import Recording

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
SEED = 18
TURNS = 40
"""Turns of the loop within which every task has done what one event asks for: it is a handful of messages."""
RESTLESS = AGAIN_AND_AGAIN.model_copy(
    update={
        "entry": section(EntrySection, enabled=True, cooldown_seconds=10, max_entries_per_market=None),
        "exit": section(ExitSection, take_profit_dollars=Decimal("0.50"), stop_probability=0.5),
        "risk": AGAIN_AND_AGAIN.risk.model_copy(
            update={
                "max_entries_per_event": 99,
                "max_daily_loss_dollars": money("500"),
                "max_consecutive_losses": 99,
            }
        ),
    }
)
STRATEGY = Strategy(entry=RESTLESS.entry, exit=RESTLESS.exit)


@dataclass(frozen=True)
class Event:
    """What there was to see at one moment."""

    at: datetime
    views: tuple[MarketView, ...]
    heard_at: datetime | None
    prices: Prices


@dataclass
class Seen:
    """What came of the events."""

    decisions: dict[datetime, str] = field(default_factory=dict)
    """The last word of entry at each moment, and every word of exit."""
    intents: list[OpenIntent | CloseIntent] = field(default_factory=list)
    trades: list[tuple[Any, ...]] = field(default_factory=list)

    def told(self, cycle: Cycle) -> None:
        if isinstance(cycle, EntryCycle):
            (outcome,) = cycle.outcomes.values()
            self.decisions[cycle.look.at] = outcome.sentence if isinstance(outcome, Waits) else outcome.why
        else:
            outcome = cycle.decided.outcome
        if isinstance(outcome, OpenIntent | CloseIntent) and outcome not in self.intents:
            self.intents.append(outcome)


def figures(trade: TradeView) -> tuple[Any, ...]:
    """What is the same wherever a trade is kept."""
    return (
        trade.ticker,
        trade.side,
        trade.opened_at,
        trade.entry_quantity,
        trade.entry_cost,
        trade.exit_quantity,
        trade.exit_proceeds,
        trade.fees,
    )


@pytest.fixture
def session(tmp_path: Path) -> Recording:
    """Ten minutes of a market that moves enough for many trades."""
    made = Recording(tmp_path / "one")
    thin(made, seed=SEED)
    return made


def thin(recording: Recording, seed: int, seconds: int = 300) -> None:
    """A price that runs, and a book so thin and quick that orders get all, a part or nothing."""
    dice, price = random.Random(seed), 100_000.0
    recording.market(result="yes", value="100010.00")
    recording.subscribed(0)
    recording.snapshot(0, {"0.4500": "4.00"}, {"0.4500": "4.00"})
    shown = {("yes", 45): 400, ("no", 45): 400}
    for second in range(1, seconds):
        price += dice.gauss(0, 14)
        recording.trade(second, f"{price:.2f}")
        for part in range(24):
            side, cents = dice.choice(("yes", "no")), dice.randint(38, 49)
            there = shown.get((side, cents), 0)
            change = -there if there and dice.random() < 0.6 else dice.randint(100, 400)
            shown[side, cents] = there + change
            recording.delta(second + 0.05 + part * 0.035, side, f"0.{cents}00", f"{change / 100:.2f}")


def replayed(session: Recording) -> tuple[Seen, list[Event]]:
    """What a replay makes of a session, and everything that it saw."""
    seen, events = Seen(), list[Event]()

    def look(board: MarketBoard, prices: Prices, now: datetime) -> None:
        events.append(Event(now, board.markets, board.heard_at, prices))

    (files,) = find_sessions([session.write()])
    made = playback.session_of(files, RESTLESS, AVERAGE, look)
    made.engine.told = seen.told
    playback.Clockwork(session=made).run(playback.received(files), clock_offset_ns(files.frames))
    # What follows the last thing heard is the end of a recording, and no daemon ends so.
    seen.trades = [figures(each) for each in made.tally.trades.values()]
    return seen, events


@dataclass
class StandStill:
    """The daemon's clock, which stands until the next event."""

    now: datetime
    speed: float = 1.0

    def utc(self) -> datetime:
        return self.now


@dataclass
class Daemon:
    """Tasks on wires, and what they noted."""

    pool: Pool
    wires: Wires
    clock: Any
    paper: TradeManager | None = None
    seen: Seen = field(default_factory=Seen)
    cycles: list[Cycle] = field(default_factory=list)

    async def live_through(self, events: Sequence[Event]) -> Seen:
        for event in events:
            self.clock.now = event.at
            self.wires.prices.set(event.prices)
            self._show(event if self.paper is None else self.paper.before(event))
            self.wires.board.publish(venue=TRADING, heard_at=event.heard_at, clock_offset=None)
            await self._settle_down()
            noted, lost = self.wires.cycles.take()
            assert not lost
            self.cycles += noted
            for each in noted:
                self.seen.told(each)
        return self.seen

    def _show(self, event: Event) -> None:
        shown = self.wires.board.get()
        before = [] if shown is None else [each.market for each in shown.markets]
        if before != [each.market for each in event.views]:
            self.wires.board.lay_out(event.views)
        else:
            for each in event.views:
                self.wires.board.put(each)

    async def _settle_down(self) -> None:
        """Until nobody has anything left to do, nor waits for the database."""
        while True:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            if self.pool.get_idle_size() == self.pool.get_size():
                return


@dataclass
class TradeManager:
    """Takes intents and answers as an account on paper does; the books that it shows lack what it took, as the venue's would."""

    wires: Wires
    clock: Any
    engine: Engine
    told: OpenTrades | None = None

    def before(self, event: Event) -> Event:
        self.engine.board = MarketBoard(
            by_ticker={each.market.ticker: each for each in event.views},
            venue=TRADING,
            heard_at=event.heard_at,
        )
        self.engine.see(event.views)
        self.engine.arrive(event.at)
        self.publish()
        taken = self.rows().taken
        return replace(
            event, views=tuple(view_without(each, taken) if taken else each for each in event.views)
        )

    def rows(self) -> OpenTrades:
        return self.engine.paper(self.clock.utc())[STRATEGY.name]

    def publish(self) -> None:
        rows, account = self.rows(), self.engine.account_view(self.clock.utc())
        if rows is not self.told:
            self.told = rows
            self.wires.open_trades.set(replace(rows, taken=()))
        if account is not self.wires.account.get():
            self.wires.account.set(account)

    async def take_entries(self) -> None:
        while True:
            intent = await self.wires.open_intents.receive()
            self.engine.want(intent, self.wires.account.get(), self.clock.utc())
            self.publish()
            self.wires.open_intents.done()

    async def take_exits(self) -> None:
        while True:
            intent = await self.wires.close_intents.receive()
            trade = next(each for each in self.rows().trades if each.trade_id == intent.trade_id)
            self.engine.sell(intent, trade, self.clock.utc())
            self.publish()
            self.wires.close_intents.done()

    def trades(self) -> list[tuple[Any, ...]]:
        known: dict[int, TradeView] = {each.trade.trade_id: each.trade for each in self.engine.happened}
        return [figures(each) for each in known.values()]


def say(_sentence: str) -> None:
    """Nobody listens."""


async def lived(pool: Pool, events: Sequence[Event], stage: Stage) -> Daemon:
    """Entry on wires, and beside it exit or the shadow."""
    live = Daemon(pool, Wires(), StandStill(events[0].at))
    wires = live.wires
    strategies = (replace(on_paper(STRATEGY), stage=stage),)
    wires.controls.set(TradingControls())
    async with anyio.create_task_group() as group:
        if stage is Stage.SHADOW:
            wires.account.set(rich(events[0].at))
            group.start_soon(shadow(live, strategies).run, say)
            await wires.shadow_scores.newer_than(0)
        else:
            engine = Engine(strategies=(on_paper(STRATEGY),), limits=RESTLESS.risk)
            # What exit remembers refers to a trade's row, and behind trades on paper there is none.
            await pool.execute("ALTER TABLE exit_memories DROP CONSTRAINT exit_memories_trade_id_fkey")
            live.paper = TradeManager(wires, live.clock, engine)
            group.start_soon(live.paper.take_entries)
            group.start_soon(live.paper.take_exits)
            group.start_soon(exit_of(live, strategies).run, say)
            await asyncio.sleep(0)
        group.start_soon(entry_on(live.wires, live.pool, live.clock, strategies, RESTLESS.risk).run, say)
        await asyncio.sleep(0)
        live.seen = await live.live_through(events)
        group.cancel_scope.cancel()
    wires.close()
    if live.paper is not None:
        live.seen.trades = live.paper.trades()
    return live


def exit_of(live: Daemon, strategies: Sequence[Strategy]) -> Exit:
    wires = live.wires
    return Exit(
        clock=live.clock,
        strategies=strategies,
        prices=wires.prices,
        board=wires.board,
        open_trades=wires.open_trades,
        controls=wires.controls,
        close_intents=wires.close_intents,
        cycles=wires.cycles,
        pool=live.pool,
    )


def shadow(live: Daemon, strategies: Sequence[Strategy]) -> Shadow:
    wires, nobody = live.wires, cast("KalshiRest", None)
    return Shadow(
        pool=live.pool,
        rest=nobody,
        clock=live.clock,
        strategies=strategies,
        limits=RESTLESS.risk,
        board=wires.board,
        prices=wires.prices,
        account=wires.account,
        controls=wires.controls,
        shadow_intents=wires.shadow_intents,
        paper_trades=wires.paper_trades,
        shadow_scores=wires.shadow_scores,
        cycles=wires.cycles,
    )


def rich(at: datetime) -> AccountView:
    return AccountView(balance=START_BALANCE, positions={}, differences=(), external=(), reconciled_at=at)


async def rows_of(pool: Pool, at: datetime) -> list[tuple[Any, ...]]:
    async with transaction(pool) as connection:
        kept = await paper_trades.counted(connection, at)
    return [
        (
            each.ticker,
            each.side,
            each.decided_at,
            each.quantity,
            each.cost,
            each.sold,
            each.proceeds,
            each.fees,
        )
        for each in kept
    ]


def differences(one: Seen, other: Seen) -> list[str]:
    """Every kind of thing in which they differ, with its first example."""
    found: list[str] = []
    moments = sorted(one.decisions.keys() | other.decisions.keys())
    unlike = [each for each in moments if one.decisions.get(each) != other.decisions.get(each)]
    if unlike:
        first = unlike[0]
        found.append(
            f"{len(unlike)} of {len(moments)} decisions, first {first}:"
            f" {one.decisions.get(first)} / {other.decisions.get(first)}"
        )
    for name in ("intents", "trades"):
        ours, theirs = getattr(one, name), getattr(other, name)
        if ours != theirs:
            differ = next((pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1]), None)
            found.append(f"{len(ours)} and {len(theirs)} {name}, first {differ}")
    return found


async def test_entry_and_exit_as_live_they_run_do_what_a_replay_does(session: Recording, pool: Pool):
    expected, events = replayed(session)
    wanted, bought = 1_000, [each[3] for each in expected.trades]
    assert 0 in bought
    assert any(0 < each < wanted for each in bought)
    assert sum(isinstance(each, CloseIntent) for each in expected.intents) >= 5
    live = await lived(pool, events, Stage.LIVE)
    assert differences(expected, live.seen) == []


async def test_the_shadow_does_what_a_replay_does_and_its_rows_say_so(session: Recording, pool: Pool):
    expected, events = replayed(session)
    live = await lived(pool, events, Stage.SHADOW)
    live.seen.trades = await rows_of(pool, events[-1].at)
    assert differences(expected, live.seen) == []


async def test_one_event_that_is_missing_is_found(session: Recording, pool: Pool):
    expected, events = replayed(session)
    bought = next(each for each in expected.intents if isinstance(each, OpenIntent))
    at = next(place for place, each in enumerate(events) if each.at == bought.decided_at)
    live = await lived(pool, [*events[:at], *events[at + 1 :]], Stage.LIVE)
    assert differences(expected, live.seen)


async def test_what_the_daemon_recorded_of_itself_trades_as_it_did(
    session: Recording, pool: Pool, tmp_path: Path
):
    expected, events = replayed(session)
    live = await lived(pool, events, Stage.SHADOW)
    folder = recorded(live, tmp_path / "recording", events[0].at)
    (own,) = own_recordings([folder])
    found = trade_own(own, RESTLESS)
    again = decide_again([folder], None)
    assert (again.different, again.lost) == (0, 0)
    assert again.intents == len(expected.intents)
    assert [figures(each.trade) for each in found.trades] == expected.trades


def recorded(live: Daemon, folder: Path, began: datetime) -> Path:
    encoder = Encoder(limits=RESTLESS.risk, strategies=(on_paper(STRATEGY),), symbols=("BTC",))
    files = Segments(
        folder=folder, longest=timedelta(hours=1), keep=timedelta(days=1), keep_bytes=100_000_000
    )
    files.begin(began)
    files.append(encoder.begin(began) + b"".join(encoder.cycle(each) for each in live.cycles))
    return folder
