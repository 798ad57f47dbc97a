"""account_sync: brings in what the venue says of our account, resolves unknown orders, compares positions.

It only reads at the venue. Absence of an order is proven by the venue's own clock and two agreeing
complete reads, never by a time-out; a difference that time does not explain is reported, never mended. A read that fails
makes the account older and ends nothing; what the venue's socket says of closes and settlements needs no read at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio
import asyncpg
import structlog

from recio.clock import Clock
from recio.db import cash, sifting
from recio.db import orders as order_rows
from recio.db import trades as trade_rows
from recio.db.connection import Connection, transaction
from recio.kalshi import account, account_limits
from recio.kalshi.answers import Round
from recio.kalshi.rest import KalshiRest
from recio.messages.account import (
    AccountChannelsOpened,
    AccountHint,
    AccountView,
    CloseMoved,
    FillSeen,
    OrderProvenAbsent,
    OrderSeen,
    PositionDifference,
    SettlementSeen,
    VenueFact,
)
from recio.messages.markets import Listings, MarketBoard
from recio.messages.orders import OpenTrades, OrderView
from recio.rules.account.lifecycle import UNPROVEN
from recio.rules.account.market_facts import untold
from recio.rules.account.reconcile import Absence, CashMismatch, absence_margin, cash_cause, compare
from recio.settings.venue import KalshiSection
from recio.supervisor import Say
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.units import ClientOrderId, Money, Ticker, money_decimal
from recio.wires import Reads, Receives, Sends, Writes

log: structlog.stdlib.BoundLogger = structlog.get_logger()

CYCLE = 1.0
"""Host seconds between two signs of life while there is nothing to do but wait."""
HURRY = 1.0
"""Host seconds between two comparisons while an order is unknown, a fill is missing or a trade waits
for its settlement."""
SETTLED_LAG = 30.0
"""Host seconds by which the list of settlements may lag behind the socket."""
OVERLAP = timedelta(minutes=10)
"""Market time by which each read of fills and settlements reaches behind the one before."""


@dataclass(frozen=True, slots=True)
class _Figures:
    """What one complete read of the account says."""

    as_of: datetime
    balance_at: datetime
    """Of our clock: what was done before is in the balance."""
    balance: Money
    """On the shard that is traded."""
    cash: Money
    """On all shards."""
    positions: account.HeldPositions
    manual: tuple[account.RestingOrder, ...]
    """Orders that rest and are not ours."""


@dataclass(slots=True)
class _Memory:
    """What this run has learnt; gone with it."""

    since: datetime | None = None
    absences: dict[ClientOrderId, Absence] = field(default_factory=dict[ClientOrderId, Absence])
    cash: CashMismatch = field(default_factory=CashMismatch)
    suspects: Mapping[Ticker, PositionDifference] = field(default_factory=dict[Ticker, PositionDifference])
    unrecorded: set[ClientOrderId] = field(default_factory=set[ClientOrderId])
    compared: int = 0
    limits_known: bool = False
    round: Round = field(default_factory=lambda: Round("account"))
    sentence: str = "compares for the first time"
    look_now: anyio.Event = field(default_factory=anyio.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSync:
    pool: asyncpg.Pool[asyncpg.Record]
    rest: KalshiRest
    clock: Clock
    venue: KalshiSection
    deadline_seconds: float
    """Market seconds that an order may wait before it is sent."""
    tag: str
    account_hints: Receives[AccountHint]
    board: Reads[MarketBoard]
    listings: Reads[Listings]
    open_trades: Reads[OpenTrades]
    venue_facts: Sends[VenueFact]
    account: Writes[AccountView]

    async def run(self, say: Say) -> None:
        memory = _Memory(since=await self._first_since())
        reached(CrashPoint.BACKFILL_KNOWN)
        await self._learn_limits(memory)
        reached(CrashPoint.LIMITS_LEARNT)
        while self.open_trades.version == 0:
            say("waits for the rows to be read")
            with anyio.move_on_after(CYCLE):
                await self.open_trades.newer_than(0)
        async with anyio.create_task_group() as group:
            group.start_soon(self._listen, memory)
            group.start_soon(self._follow_markets, memory)
            await self._compare_forever(memory, say)

    async def _listen(self, memory: _Memory) -> None:
        """Hints of the private channels: each makes a fact known sooner, none is needed for one to be known."""
        while True:
            hint = await self.account_hints.receive()
            match hint:
                case FillSeen():
                    reached(CrashPoint.FILL_HINT_HEARD)
                    await self._fill(hint)
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
        """What the venue says of the markets that are held, told again until the rows say it too."""
        while True:
            trades, listings = self.open_trades.get(), self.listings.get()
            for trade in trades.trades if trades else ():
                for fact in () if listings is None else untold(trade, listings):
                    if isinstance(fact, CloseMoved) or self._must_believe(fact, memory):
                        await self.venue_facts.send(fact)
            version = self.listings.version
            with anyio.move_on_after(CYCLE):
                await self.listings.newer_than(version)

    def _must_believe(self, settled: SettlementSeen, memory: _Memory) -> bool:
        """The settlements' own list comes with positions and balance that agree with it: while it can be read it has
        the first word."""
        age = (self.clock.utc() - settled.settled_at).total_seconds() / self.clock.speed
        return memory.round.failed > 0 or age > SETTLED_LAG

    async def _learn_limits(self, memory: _Memory) -> None:
        if not memory.limits_known:
            found = await memory.round.ask(account_limits.learn(self.rest))
            memory.limits_known = found is not None

    async def _compare_forever(self, memory: _Memory, say: Say) -> None:
        while True:
            await cycle_of(Task.ACCOUNT_SYNC)
            await self._learn_limits(memory)
            await self._compare(memory, say)
            fault = memory.round.end()
            if fault:
                memory.sentence = f"{fault}; compared {memory.compared} times before"
                with anyio.move_on_after(memory.round.wait):
                    await _wait_visibly(memory, say)
            elif self._in_a_hurry():
                await anyio.sleep(HURRY)
            else:
                with anyio.move_on_after(self.venue.reconcile_every_seconds):
                    await self._reason_to_look(memory, say)

    async def _reason_to_look(self, memory: _Memory, say: Say) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._hurry_begins, group.cancel_scope)
            group.start_soon(_wait_visibly, memory, say)
            await memory.look_now.wait()
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
        if trades is None:
            return True
        now = self.clock.utc()
        return bool(trades.orders) or any(each.closes_at <= now for each in trades.trades)

    async def _compare(self, memory: _Memory, say: Say) -> None:
        """One comparison. What its reads show is told at once; if any page of any fails, none of it counts as one."""
        trades = self.open_trades.get()
        if trades is None:
            return
        reached(CrashPoint.COMPARISON_BEGUN)
        as_of = await memory.round.ask(account.as_of(self.rest))
        reached(CrashPoint.AS_OF_READ)
        say(memory.sentence)
        await self._tell_facts(trades, as_of, memory, say)
        positions = await memory.round.ask(account.positions(self.rest))
        reached(CrashPoint.POSITIONS_READ)
        say(memory.sentence)
        resting = await memory.round.ask(account.resting(self.rest))
        reached(CrashPoint.RESTING_READ)
        say(memory.sentence)
        # Last, because it may be asked for once a second only: no fact waits for it.
        balance_at = self.clock.utc()
        balances = await memory.round.ask(account.balances(self.rest, self._exchange_index()))
        reached(CrashPoint.BALANCE_READ)
        say(memory.sentence)
        if memory.round.faults or as_of is None or balances is None or positions is None or resting is None:
            return
        figures = _Figures(
            as_of=as_of,
            balance_at=min(balance_at, as_of - self._venue_ahead_at_most()),
            balance=account.spendable(balances, self._exchange_index()),
            cash=balances.total,
            positions=positions,
            manual=tuple(each for each in resting if not self._is_ours(each)),
        )
        await self._publish(memory, trades, figures, say)
        reached(CrashPoint.ACCOUNT_PUBLISHED)
        # Whatever still waits for a fact keeps the window of the reads open that far back.
        waiting = [
            *(order.created_at for order in trades.orders),
            *(each.closes_at for each in trades.trades if each.closes_at <= as_of),
        ]
        memory.since = min([as_of, *waiting]) - OVERLAP

    async def _tell_facts(
        self, trades: OpenTrades, as_of: datetime | None, memory: _Memory, say: Say
    ) -> None:
        """Fills, orders and settlements: none of them waits for another read to succeed."""
        fills = await memory.round.ask(account.fills(self.rest, memory.since))
        reached(CrashPoint.FILLS_READ)
        for fill in await sifting.unrecorded_fills(self.pool, fills or ()):
            await self._fill(fill)
            say(memory.sentence)
        await self._resolve(trades, as_of, memory)
        reached(CrashPoint.ORDERS_RESOLVED)
        say(memory.sentence)
        settlements = await memory.round.ask(account.settlements(self.rest, memory.since))
        reached(CrashPoint.SETTLEMENTS_READ)
        for settlement in await sifting.unrecorded_settlements(self.pool, settlements or ()):
            await self.venue_facts.send(settlement)
            reached(CrashPoint.SETTLEMENT_SENT)
            say(memory.sentence)

    async def _resolve(self, trades: OpenTrades, as_of: datetime | None, memory: _Memory) -> None:
        """Find every unknown order at the venue, or prove that it is not there."""
        unresolved = [order for order in trades.orders if order.state in UNPROVEN]
        memory.absences = {
            order.client_order_id: memory.absences.get(order.client_order_id, Absence())
            for order in unresolved
        }
        if not trades.orders and memory.compared:
            return
        since = (
            min((order.created_at for order in trades.orders), default=as_of or self.clock.utc()) - OVERLAP
        )
        if not memory.compared and memory.since is not None:
            # Once in each run as far back as the rows reach: an older copy of them shows itself by what is newer.
            since = min(since, memory.since)
        listed = await memory.round.ask(account.orders(self.rest, ticker=None, since=since))
        reached(CrashPoint.ORDERS_READ)
        if listed is None:
            return
        await self._find_unrecorded(listed, memory)
        ours = [each for each in listed if self._is_ours(each)]
        for seen in await sifting.news_of_orders(self.pool, ours, trades.orders):
            await self.venue_facts.send(seen)
            reached(CrashPoint.ORDER_SENT)
        if as_of is not None:
            await self._prove_absent(unresolved, {seen.client_order_id for seen in listed}, as_of, memory)

    def _venue_ahead_at_most(self) -> timedelta:
        """By how much the venue's clock may be ahead of ours, as far as that is known; never less than nothing."""
        known = self.rest.venue_clock.offset
        return timedelta(seconds=0.0 if known is None else max(0.0, known.nearest + known.uncertainty))

    async def _prove_absent(
        self,
        unresolved: Iterable[OrderView],
        found: Collection[ClientOrderId | None],
        as_of: datetime,
        memory: _Memory,
    ) -> None:
        if self.rest.venue_clock.offset is None:
            return  # what the venue's time says of ours is not known
        margin = absence_margin(self.venue.request_timeout_seconds, self.clock.speed, self.deadline_seconds)
        # The row has our time and the read the venue's: a venue that is ahead reads as newer than it is.
        margin += self._venue_ahead_at_most()
        for order in unresolved:
            absence = memory.absences[order.client_order_id].after(
                found=order.client_order_id in found, as_of=as_of, sent_by=order.created_at + margin
            )
            memory.absences[order.client_order_id] = absence
            if absence.proven:
                proof = f"not listed in two complete reads, the last as of {as_of.isoformat()}"
                reached(CrashPoint.ABSENCE_PROVEN)
                await self.venue_facts.send(
                    OrderProvenAbsent(client_order_id=order.client_order_id, proof=proof)
                )
                reached(CrashPoint.ABSENCE_SENT)

    async def _find_unrecorded(self, listed: Iterable[OrderSeen], memory: _Memory) -> None:
        """Every order has a row before it leaves: one of ours without a row was sent by a run that these
        rows do not remember."""
        ours = [each.client_order_id for each in listed if each.client_order_id and self._is_ours(each)]
        async with transaction(self.pool) as connection:
            memory.unrecorded.update(await order_rows.without_row(connection, ours))

    async def _publish(self, memory: _Memory, trades: OpenTrades, figures: _Figures, say: Say) -> None:
        unsettled = frozenset(order.ticker for order in trades.orders)
        held = figures.positions.quantities
        differing = compare(held, trades.trades, unsettled, self.clock.utc())
        # Reads lag each other: only a difference that two comparisons in a row show is one.
        confirmed = tuple(each for each in differing if memory.suspects.get(each.ticker) == each)
        memory.suspects = {each.ticker: each for each in differing}
        async with transaction(self.pool) as connection:
            traded = await trade_rows.ever_traded(connection, list(held))
            cash_difference = await self._compare_cash(connection, memory, trades, figures.cash)
        memory.compared += 1
        external = tuple(sorted(held.keys() - traded))
        self.account.set(
            AccountView(
                balance=figures.balance,
                positions=held,
                differences=tuple(each for each in confirmed if each.ours != 0 or each.ticker in traded),
                external=external,
                external_cost=account.external_cost(figures.positions, figures.manual, external),
                external_orders=len(figures.manual),
                reconciled_at=self.clock.utc(),
                balance_at=figures.balance_at,
                cash_difference=cash_difference,
                unrecorded=tuple(sorted(memory.unrecorded)),
            )
        )
        memory.sentence = (
            f"balance ${money_decimal(figures.balance):,.2f}, {len(held)} positions,"
            f" {len(confirmed)} differences, compared {memory.compared} times"
        )
        say(memory.sentence)

    async def _compare_cash(
        self, connection: Connection, memory: _Memory, trades: OpenTrades, balance: Money
    ) -> Money | None:
        """What the ledger cannot explain of the venue's balance, once it has been the same often enough."""
        in_ledger, opening = await cash.ledger_cash(connection), await cash.opening_balance(connection)
        quiet = not trades.orders and all(each.closes_at > self.clock.utc() for each in trades.trades)
        unexplained = Money(balance - in_ledger - (opening or 0))
        memory.cash = memory.cash.after(unexplained, quiet=quiet)
        if not memory.cash.is_steady or (opening is not None and unexplained == 0):
            return None
        if opening is not None and not await cash.is_accepted(connection, cash_cause(unexplained)):
            return unexplained
        await cash.set_opening_balance(connection, self.clock.utc(), balance, in_ledger)
        memory.cash = CashMismatch()
        log.info(
            "cash agreed", balance=f"{money_decimal(balance):f}", ledger_cash=f"{money_decimal(in_ledger):f}"
        )
        return None

    async def _fill(self, fill: FillSeen) -> None:
        await self.venue_facts.send(fill)
        reached(CrashPoint.FILL_SENT)

    def _is_ours(self, seen: OrderSeen | account.RestingOrder) -> bool:
        return (seen.client_order_id or "").startswith(f"recio-{self.tag}-")

    def _exchange_index(self) -> int | None:
        board = self.board.get()
        return next((view.market.exchange_index for view in (board.markets if board else ())), None)

    async def _first_since(self) -> datetime:
        async with transaction(self.pool) as connection:
            earliest = await order_rows.backfill_from(connection)
        return (earliest or self.clock.utc()) - OVERLAP


async def _wait_visibly(memory: _Memory, say: Say) -> None:
    """A task that waits for its time is not frozen; one that waits for an answer may be."""
    while True:
        say(memory.sentence)
        await anyio.sleep(CYCLE)
