"""account_sync: brings in what the venue says of our account, resolves unknown orders, compares positions.

It only reads at the venue. Absence of an order is proven by the venue's own clock and two agreeing
complete reads, never by a time-out; a difference that time does not explain is reported, never mended. A read that fails
makes the account older and ends nothing; what the venue's socket says of closes and settlements needs no read at all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import anyio
import asyncpg

from recio.bells import woken_by
from recio.clock import Clock
from recio.comparing.absences import Absences
from recio.comparing.restored import SENTENCE, Restored, restored
from recio.db import cash, sifting
from recio.db import trades as trade_rows
from recio.db.connection import transaction
from recio.kalshi import account, account_limits, cash_movements
from recio.kalshi.account_figures import (
    IN_MOTION,
    Figures,
    cash_at_rest,
    found_differences,
    is_quiet,
    manual_orders,
    may_be_forgotten,
    read_as_of,
    read_figures,
    sentence_of,
    suspects_after,
    unsettled,
    wait_telling,
)
from recio.kalshi.answers import Round
from recio.kalshi.rest import KalshiRest
from recio.kalshi.settlements import SETTLEMENTS, ExactValues, read_settlements
from recio.messages.account import (
    AccountChannelsOpened,
    AccountHint,
    AccountView,
    CloseMoved,
    FillSeen,
    OrderSeen,
    PositionDifference,
    SettlementSeen,
    VenueFact,
)
from recio.messages.markets import Listings, MarketBoard
from recio.messages.orders import OpenTrades
from recio.messages.past_account import PastFact
from recio.rules.account.lifecycle import UNPROVEN
from recio.rules.account.market_facts import untold
from recio.rules.account.reconcile import (
    OVERLAP,
    MarketLedger,
    Suspicion,
    absence_margin,
    confirmed,
    is_ours,
    made_externally,
    may_be_of,
    overdue,
)
from recio.rules.market.market_board import traded_shard
from recio.settings.strategies import DEFAULT
from recio.settings.venue import KalshiSection
from recio.supervisor import Say
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.units import ClientOrderId, Quantity, Ticker
from recio.wires import Reads, Receives, Sends, Writes

CYCLE = 1.0
"""Host seconds between two signs of life while there is nothing to do but wait."""
HURRY = 1.0
"""Host seconds between two comparisons while an order, a fill or the settlement of a trade is waited for."""
SETTLED_LAG = 30.0
"""Host seconds by which the list of settlements may lag behind the socket."""
CORRECTED_WITHIN = timedelta(hours=24)
"""Market time for which the venue's settlements are read again, because it may correct them."""


@dataclass(slots=True)
class _Memory:
    """What this run has learnt; gone with it."""

    absences: Absences
    since: datetime | None = None
    cash: cash.Compared = field(default_factory=cash.Compared)
    moves: cash_movements.Movements = field(default_factory=cash_movements.Movements)
    is_locked: bool | None = None
    """Whether the key is locked to one subaccount. While it is not known, fills of any are read again."""
    suspects: Mapping[Ticker, Suspicion] = field(default_factory=dict[Ticker, Suspicion])
    external: Mapping[Ticker, Quantity] = field(default_factory=dict[Ticker, Quantity])
    """In markets that are traded, by fills of orders that are not ours."""
    must_list: bool = False
    """Whether orders are to be listed though none is unresolved: some fill belongs to none of ours."""
    contradicted: set[ClientOrderId] = field(default_factory=set[ClientOrderId])
    exact: ExactValues = field(default_factory=ExactValues)
    unrecorded: sifting.Forgotten = field(default_factory=sifting.Forgotten)
    compared: int = 0
    round: Round = field(default_factory=lambda: Round("account"))
    sentence: str = "compares for the first time"
    look_now: anyio.Event = field(default_factory=anyio.Event)
    restored: Restored | None = None
    """What the backup forgot is to be brought in before anything is compared, and before any settlement is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSync:
    pool: asyncpg.Pool[asyncpg.Record]
    rest: KalshiRest
    clock: Clock
    venue: KalshiSection
    deadline_seconds: float
    """Market seconds that an order may wait before it is sent."""
    began_at: datetime
    """When this daemon began, by our clock: this task may begin again later."""
    tag: str
    account_hints: Receives[AccountHint]
    board: Reads[MarketBoard]
    listings: Reads[Listings]
    open_trades: Reads[OpenTrades]
    venue_facts: Sends[VenueFact | PastFact]
    account: Writes[AccountView]
    forgotten_strategy: str = DEFAULT
    """By whose rules a trade is sold that a restored backup had forgotten."""

    async def run(self, say: Say) -> None:
        within = absence_margin(self.venue.request_timeout_seconds, self.clock.speed, self.deadline_seconds)
        memory = _Memory(
            absences=Absences(
                rest=self.rest, clock=self.clock, arrives_within=within, began_at=self.began_at
            ),
            since=(await sifting.backfill_from(self.pool) or self.clock.utc()) - OVERLAP,
        )
        reached(CrashPoint.BACKFILL_KNOWN)
        limits = Round("limits of the account")
        is_learnt = await account_limits.is_learnt(self.rest, limits)
        reached(CrashPoint.LIMITS_LEARNT)
        while self.open_trades.version == 0:
            say("waits for the rows to be read")
            with anyio.move_on_after(CYCLE):
                await self.open_trades.newer_than(0)
        memory.restored = await restored(
            self.pool, self.rest, self.tag, self.forgotten_strategy, self.clock.utc()
        )
        if memory.restored is not None:
            memory.since, memory.sentence = memory.restored.reads.since, SENTENCE
        async with anyio.create_task_group() as group:
            group.start_soon(self._listen, memory)
            group.start_soon(self._follow_markets, memory)
            group.start_soon(memory.moves.read_forever, self.rest)
            if not is_learnt:
                group.start_soon(account_limits.learn_late, self.rest, limits)
            await self._compare_forever(memory, say)

    async def _listen(self, memory: _Memory) -> None:
        """Hints of the private channels: each makes a fact known sooner, none is needed for one to be known."""
        while True:
            hint = await self.account_hints.receive()
            match hint:
                case FillSeen():
                    reached(CrashPoint.FILL_HINT_HEARD)
                    await self._fill(hint, memory)
                case OrderSeen():
                    reached(CrashPoint.ORDER_HINT_HEARD)
                    if self._is_ours(hint):
                        await self.venue_facts.send(hint)
                        reached(CrashPoint.ORDER_HINT_SENT)
                case AccountChannelsOpened():
                    # Whatever happened while nobody listened is only in the lists.
                    reached(CrashPoint.LISTENING_ANEW)
                    memory.look_now.set()

    async def _follow_markets(self, memory: _Memory) -> None:
        """What the venue says of the markets that are held, told again until the rows say it too; and since when orders have rows."""
        with woken_by(self.open_trades, self.listings) as bell:
            while True:
                trades, listings = self.open_trades.get(), self.listings.get()
                memory.absences.look(trades.orders if trades else ())
                for trade in trades.trades if trades else ():
                    for fact in () if listings is None else untold(trade, listings):
                        if isinstance(fact, CloseMoved) or self._must_believe(fact, memory):
                            await self.venue_facts.send(fact)
                await bell.wait(CYCLE)

    def _must_believe(self, settled: SettlementSeen, memory: _Memory) -> bool:
        """The settlements' own list comes with positions and balance that agree with it: while it can be read it has
        the first word. What a restored backup forgot comes before any."""
        age = (self.clock.utc() - settled.settled_at).total_seconds() / self.clock.speed
        return memory.restored is None and (memory.round.failed > 0 or age > SETTLED_LAG)

    async def _compare_forever(self, memory: _Memory, say: Say) -> None:
        while True:
            await cycle_of(Task.ACCOUNT_SYNC)
            await self._compare(memory, say)
            if fault := memory.round.end():
                memory.sentence = f"{fault}; comparisons before: {memory.compared}"
                with anyio.move_on_after(memory.round.wait):
                    await wait_telling(lambda: say(memory.sentence))
            elif memory.restored is not None or self._in_a_hurry():
                await anyio.sleep(HURRY)
            else:
                with anyio.move_on_after(self.venue.reconcile_every_seconds):
                    await self._reason_to_look(memory, say)

    async def _reason_to_look(self, memory: _Memory, say: Say) -> None:
        compared_at = anyio.current_time()
        async with anyio.create_task_group() as group:
            group.start_soon(self._hurry_begins, group.cancel_scope)
            group.start_soon(wait_telling, lambda: say(memory.sentence))
            await memory.look_now.wait()
            # At once, but no more often than in a hurry: each frame that cannot be read is such a reason.
            await anyio.sleep_until(compared_at + HURRY)
            group.cancel_scope.cancel()
        memory.look_now = anyio.Event()

    async def _hurry_begins(self, done: anyio.CancelScope) -> None:
        version = self.open_trades.version
        while not self._in_a_hurry():
            # A market closes without a message.
            with anyio.move_on_after(CYCLE):
                version = await self.open_trades.newer_than(version)
        done.cancel()

    def _in_a_hurry(self) -> bool:
        trades = self.open_trades.get()
        return trades is None or not is_quiet(trades, self.clock.utc())

    async def _compare(self, memory: _Memory, say: Say) -> None:
        """One comparison. What its reads show is told at once; if any page of any fails, none of it counts as one."""
        trades = self.open_trades.get()
        if trades is None:
            return
        reached(CrashPoint.COMPARISON_BEGUN)
        as_of = await read_as_of(self.rest, memory.round, lambda: say(memory.sentence))
        await self._tell_facts(trades, as_of, memory, say)
        if memory.restored is not None:
            await self._bring_in(memory.restored, as_of, memory, say)
            return
        await self._tell_settlements(memory, say)
        shard, known, told = traded_shard(self.board.get()), memory.is_locked, lambda: say(memory.sentence)
        figures = await read_figures(self.rest, self.clock, memory.round, told, as_of, shard, known)
        memory.is_locked = known if figures is None else figures.is_locked
        if memory.round.faults or figures is None:
            return
        await self._publish(memory, trades, figures, say)
        reached(CrashPoint.ACCOUNT_PUBLISHED)
        # Whatever still waits for a fact keeps the window of the reads open that far back.
        waiting = [
            *(order.created_at for order in trades.orders),
            *(each.closes_at for each in trades.trades if each.closes_at <= figures.as_of),
        ]
        if known is not None:
            memory.since = min([figures.as_of, *waiting]) - OVERLAP

    async def _tell_facts(
        self, trades: OpenTrades, as_of: datetime | None, memory: _Memory, say: Say
    ) -> None:
        """Fills and orders: none of them waits for another read to succeed."""
        fills = await memory.round.ask(account.fills(self.rest, memory.since))
        reached(CrashPoint.FILLS_READ)
        for fill in await sifting.unrecorded_fills(self.pool, fills or ()):
            await self._fill(fill, memory)
            say(memory.sentence)
        await self._resolve(trades, as_of, memory)
        reached(CrashPoint.ORDERS_RESOLVED)
        say(memory.sentence)

    async def _bring_in(self, restored: Restored, as_of: datetime | None, memory: _Memory, say: Say) -> None:
        """A settlement waits for the orders of its market that the backup forgot: what was sold is not paid out."""
        found = await restored.tell_orders(memory.round, self.venue_facts.send)
        if found is not None:
            say(memory.sentence)
            await self._tell_settlements(memory, say, {each.seen.ticker for each in found.orders})
            await restored.tell_end(found, memory.round, as_of, memory.absences.margin, self.venue_facts.send)
        # Also where the list cannot be read: a person may have ended the wait for it.
        memory.restored = None if await restored.is_brought_in(self.venue_facts.finished) else restored

    async def _tell_settlements(
        self, memory: _Memory, say: Say, but_of: Collection[Ticker] = frozenset()
    ) -> None:
        since = None if memory.since is None else memory.since - CORRECTED_WITHIN
        settlements = await memory.round.ask(read_settlements(self.rest, since, memory.exact))
        memory.round.miss(memory.exact.waiting)
        reached(CrashPoint.SETTLEMENTS_READ)
        told = [each for each in settlements or () if each.ticker not in but_of]
        for settlement in await sifting.unrecorded_settlements(self.pool, told):
            await self.venue_facts.send(settlement)
            reached(CrashPoint.SETTLEMENT_SENT)
            say(memory.sentence)

    async def _resolve(self, trades: OpenTrades, as_of: datetime | None, memory: _Memory) -> None:
        """Find every unknown order at the venue, or prove that it is not there."""
        memory.absences.keep(each.client_order_id for each in trades.orders if each.state in UNPROVEN)
        if not trades.orders and memory.compared and not memory.must_list:
            return
        # Rows have our time, which may be ahead: the list is read from no later than the venue's present.
        since = min([as_of or self.clock.utc(), *(each.created_at for each in trades.orders)]) - OVERLAP
        if not memory.compared and memory.since is not None:
            # Once in each run as far back as the rows reach: an older copy of them shows itself by what is newer.
            since = min(since, memory.since)
        listed = await memory.round.ask(account.orders(self.rest, ticker=None, since=since))
        reached(CrashPoint.ORDERS_READ)
        if listed is None:
            return
        ours = [each for each in listed if self._is_ours(each)]
        if memory.restored is None:
            memory.unrecorded |= await sifting.forgotten(self.pool, may_be_forgotten(ours, self._is_ours))
        memory.contradicted |= await sifting.contradicted(self.pool, ours)
        memory.must_list = False
        for seen in await sifting.news_of_orders(self.pool, ours, trades.orders):
            await self.venue_facts.send(seen)
            reached(CrashPoint.ORDER_SENT)
        if as_of is not None:
            found = {seen.client_order_id for seen in listed}
            await memory.absences.prove(found, as_of, self.venue_facts.send)

    async def _publish(self, memory: _Memory, trades: OpenTrades, figures: Figures, say: Say) -> None:
        held, manual = figures.positions.quantities, manual_orders(figures, self._is_ours)
        at_rest = may_be_forgotten(figures.resting, self._is_ours)
        memory.unrecorded |= await sifting.forgotten(self.pool, at_rest)
        balance = account.spendable(figures.balances, traded_shard(self.board.get()))
        unread = unsettled(self.rest, trades)
        async with transaction(self.pool) as connection:
            traded = await trade_rows.ever_traded(connection, list(held))
            ledgers = await trade_rows.ledgers(connection, {*held, *(each.ticker for each in trades.trades)})
        differences = self._differences(memory, trades, figures, ledgers)
        memory.cash = await self._compare_cash(memory, trades, figures)
        made = made_externally(ledgers, traded)
        memory.must_list |= made != memory.external
        memory.external = made
        memory.compared += 1
        external = tuple(sorted((held.keys() - traded) | (made.keys() & held.keys())))
        self.account.set(
            AccountView(
                balance=balance,
                positions=held,
                differences=tuple(each for each in differences if each.ours != 0 or each.ticker in traded),
                external=external,
                external_cost=account.external_cost(figures.positions, manual, external),
                external_orders=len(manual),
                reconciled_at=self.clock.utc(),
                balance_at=figures.balance_at,
                cash_difference=memory.cash.difference,
                cash_agreed=memory.cash.known.agreed,
                cash_waits=memory.cash.waits,
                unrecorded=tuple(each for _, each in sorted(memory.unrecorded.items())),
                contradicted=tuple(sorted(memory.contradicted)),
                unsettled=unread,
                overdue=overdue(figures.as_of, trades.trades, unread),
            )
        )
        counts = len(held), len(differences), memory.compared, self.rest.set_aside.count
        memory.sentence = sentence_of(balance, *counts)
        say(memory.sentence)

    def _differences(
        self,
        memory: _Memory,
        trades: OpenTrades,
        figures: Figures,
        ledgers: Mapping[Ticker, MarketLedger],
    ) -> tuple[PositionDifference, ...]:
        """Of positions, by the rows as they were before the reads and as they are now: what is in motion explains anything."""
        rows, before = (trades, self.open_trades.get() or trades), memory.suspects
        found = found_differences(figures, rows, ledgers, self.clock.utc())
        memory.suspects = suspects_after(self.rest, self.clock, found, rows, ledgers, before)
        return confirmed(found, before, ledgers, figures.as_of)

    async def _compare_cash(self, memory: _Memory, trades: OpenTrades, figures: Figures) -> cash.Compared:
        """What nothing explains of the venue's balance, once it has been the same often enough."""
        asked = cash.Asked(
            balance=figures.balances.total,
            at_rest=cash_at_rest(manual_orders(figures, self._is_ours)),
            motion="" if is_quiet(trades, self.clock.utc()) else IN_MOTION,
            hidden=self.rest.set_aside.hides(account.FILLS),
            unread=self.rest.set_aside.tickers(SETTLEMENTS),
            at=figures.as_of,
        )
        lists = partial(memory.moves.listed, is_locked=figures.is_locked)
        return await cash.compare(self.pool, memory.cash, asked, lists)

    async def _fill(self, fill: FillSeen, memory: _Memory) -> None:
        """One of another subaccount concerns neither our positions nor our cash; one of an order of ours always does."""
        if fill.subaccount and not memory.is_locked and not may_be_of(fill, self.open_trades.get()):
            return
        await self.venue_facts.send(fill)
        reached(CrashPoint.FILL_SENT)

    def _is_ours(self, seen: OrderSeen | account.RestingOrder) -> bool:
        return is_ours(seen.client_order_id, self.tag, self.open_trades.get())
