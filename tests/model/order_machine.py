"""The order path as a state machine: recio's real rules and ledger against a model venue, with any step at any time.

Each example is one database transaction that is rolled back at its end; a step's own transaction is a savepoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from recio.db import halts, held_rows, limits, orders, trade_store
from recio.db.trade_store import Writer
from recio.messages.account import OrderProvenAbsent
from recio.messages.controls import Halt, TradingControls
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.orders import (
    OpenTrades,
    OrderOutcome,
    OrderRejected,
    OrderUnknown,
    PlaceOrder,
    TradeState,
)
from recio.rules.account import risk
from recio.rules.account.held import apply, differences
from recio.rules.account.lifecycle import UNPROVEN
from recio.rules.account.limits import wanted
from recio.rules.account.reconcile import Absence, absence_margin, compare
from recio.rules.decision import entry
from recio.settings.risk import RiskSection
from recio.settings.trading import EntrySection
from recio.units import (
    EventTicker,
    Price,
    Quantity,
    Side,
    Ticker,
    complement,
    money_of,
    notional,
    quantity_of,
)
from tests.builders import NOW, account, board, book, market, price, prices, section, view
from tests.model.model_venue import EXTERNAL, TICK, ModelVenue
from tests.runs import begun_under, rows_say

REQUEST_LIMIT = 10.0
"""Seconds after which a request that has not arrived never will."""
WINDOW = timedelta(minutes=10)
CRASHES = st.sampled_from(["no", "no", "no", "before the commit", "after the commit"])
FATES = st.sampled_from(["answered", "answered", "answer lost", "request lost", "slow", "refused"])


class OrderMachine(RuleBasedStateMachine):
    connection: ClassVar[Any]
    runner: ClassVar[asyncio.Runner]
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.venue = ModelVenue(NOW)
        self.wanted = self.limits = section(
            RiskSection, max_open_cost_dollars=Decimal(20), max_entries_per_event=4
        )
        self.halted = False
        self.on_the_way: list[tuple[PlaceOrder, datetime]] = []
        """Requests in the network: they outlive the daemon that sent them."""
        self._forget()

    def _forget(self) -> None:
        """All that a run of the daemon has in memory is gone."""
        self.commands: list[PlaceOrder] = []
        self.outcomes: list[OrderOutcome] = []
        self.absences: dict[str, Absence] = {}
        self.venue.frames.clear()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @initialize()
    def begin(self) -> None:
        self.example = self.connection.transaction()
        self.run(self.example.start())
        self.writer = self.run(self._new_life())

    async def _new_life(self) -> Writer:
        writer, self.limits = await begun_under(self.connection, self.wanted)
        self.held = await held_rows.load(self.connection, self.venue.now)
        return writer

    def teardown(self) -> None:
        try:
            if hasattr(self, "writer"):
                self._come_to_rest()
        finally:
            if hasattr(self, "example"):
                self.run(self.example.rollback())

    @asynccontextmanager
    async def step(self) -> AsyncIterator[None]:
        """One transaction of trade_manager; constraints that wait for a commit are asked at its end."""
        async with self.connection.transaction():
            yield
            await self.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            # Which lasts until the example's own transaction ends, unless it is taken back.
            await self.connection.execute("SET CONSTRAINTS ALL DEFERRED")

    def rows(self) -> OpenTrades:
        return self.run(rows_say(self.connection, self.venue.now))

    # --- intents ---------------------------------------------------------------------------------

    @rule(
        strike=st.integers(0, 2),
        side=st.sampled_from(list(Side)),
        contracts=st.sampled_from([1, 7, 40, 50, 50]),
        crash=CRASHES,
    )
    def want_entry(self, strike: int, side: Side, contracts: int, crash: str) -> None:
        intent = self._decided(strike, side, contracts)
        if intent is None:
            return
        exposure = risk.Exposure(
            trades=self.rows(), account=account(reconciled_at=self.venue.now), ask=Price(3000)
        )
        answer = risk.approve(intent, exposure, self.limits, self.venue.now)
        if isinstance(answer, risk.Denied):
            return
        assert not self.run(halts.active(self.connection)), "an entry was recorded under a halt"
        command = self.run(self._intended(answer, crash))
        if command is not None:
            self.commands.append(command)
            self._check_exposure()

    def _decided(self, strike: int, side: Side, contracts: int) -> OpenIntent | None:
        """What the entry rule makes of a board that invites to this side."""
        now = self.venue.now
        number = (now - NOW) // WINDOW
        ticker = Ticker(f"KXBTC15M-{number}-{strike}")
        closes = NOW + WINDOW * (number + 1)
        self.venue.closes[ticker] = closes
        offered = market(ticker=ticker, event_ticker=EventTicker(f"KXBTC15M-{number}"), close_time=closes)
        levels = book(2800, 3000) if side is Side.YES else book(7000, 7200)
        shown = view(offered, levels)
        spot = price()
        spot = replace(spot, tick=replace(spot.tick, at=now, received_at=now), heard_at=now)
        seen = entry.EntryInputs(
            board=board(shown, heard_at=now),
            prices=prices(spot),
            trades=self.rows(),
            account=account(),
            controls=TradingControls(halts=self.run(halts.active(self.connection))),
        )
        settings = section(
            EntrySection, enabled=True, contracts=Decimal(contracts), max_entries_per_market=None
        )
        outcome = entry.decide(seen, settings, now).outcome
        return outcome if isinstance(outcome, OpenIntent) else None

    async def _intended(self, approved: risk.Approved, crash: str) -> PlaceOrder | None:
        deadline = timedelta(seconds=self.limits.max_send_delay_seconds)
        try:
            async with self.step():
                placed = await trade_store.place_entry(
                    self.connection, self.writer, approved, self.venue.now, deadline
                )
                assert isinstance(placed, trade_store.Placed), placed
                if crash == "before the commit":
                    raise InterruptedError
        except InterruptedError:
            await self._restarted()
            return None
        if crash == "after the commit":
            await self._restarted()
            return None
        apply(self.held, placed.written)
        return placed.command

    @rule(nth=st.integers(0, 2), crash=CRASHES)
    def want_exit(self, nth: int, crash: str) -> None:
        held = [each for each in self.rows().trades if each.state is TradeState.OPEN and each.held > 0]
        if not held:
            return
        trade = held[nth % len(held)]
        intent = CloseIntent(
            trade_id=trade.trade_id,
            exchange_index=2,
            quantity=trade.held,
            floor=Price(2000),
            decided_at=self.venue.now,
            why="model",
        )
        command = self.run(self._exit_intended(intent, crash))
        if command is not None:
            self.commands.append(command)

    async def _exit_intended(self, intent: CloseIntent, crash: str) -> PlaceOrder | None:
        try:
            async with self.step():
                placed = await trade_store.place_exit(
                    self.connection, self.writer, intent, self.venue.now, timedelta(seconds=2)
                )
                if crash == "before the commit":
                    raise InterruptedError
        except InterruptedError:
            placed = None
        if crash != "no":
            await self._restarted()
            return None
        if placed is None:
            return None
        apply(self.held, placed.written)
        return placed.command

    # --- the way to the venue and back ----------------------------------------------------------

    @precondition(lambda self: bool(self.commands))
    @rule(fate=FATES, share=st.integers(0, 100), rests=st.booleans())
    def send(self, fate: str, share: int, rests: bool) -> None:
        if not self.commands:
            return
        command, now = self.commands.pop(0), self.venue.now
        halted = self.run(halts.active(self.connection)) and not command.reduce_only
        if halted or now > command.send_before:
            self.outcomes.append(
                OrderRejected(
                    client_order_id=command.client_order_id, code="not_sent", text="held back", at=now
                )
            )
            return
        nobody_knows = OrderUnknown(client_order_id=command.client_order_id, why="no answer", at=now)
        match fate:
            case "request lost":
                self.outcomes.append(nobody_knows)
            case "slow":
                self.on_the_way.append((command, now + timedelta(seconds=REQUEST_LIMIT)))
                self.outcomes.append(nobody_knows)
            case _:
                answer = self.venue.post(command, share, accepts=fate != "refused", rests=rests)
                self.outcomes.append(nobody_knows if fate == "answer lost" else answer)

    @precondition(lambda self: bool(self.on_the_way))
    @rule(share=st.integers(0, 100), rests=st.booleans())
    def a_slow_request_arrives(self, share: int, rests: bool) -> None:
        self._drop_late()
        if self.on_the_way:
            command, _ = self.on_the_way.pop(0)
            self.venue.post(command, share, accepts=True, rests=rests)

    def _drop_late(self) -> None:
        self.on_the_way = [each for each in self.on_the_way if each[1] >= self.venue.now]

    @precondition(lambda self: bool(self.outcomes))
    @rule()
    def record_an_answer(self) -> None:
        if self.outcomes:
            self.run(self._record(self.outcomes.pop(0)))

    @precondition(lambda self: bool(self.venue.frames))
    @rule(nth=st.integers(0, 9), times=st.integers(0, 2))
    def hear_a_frame(self, nth: int, times: int) -> None:
        """In any order, once, twice or never."""
        if self.venue.frames:
            frame = self.venue.frames.pop(nth % len(self.venue.frames))
            for _ in range(times):
                self.run(self._record(frame))

    async def _record(self, what: Any) -> None:
        async with self.step():
            if isinstance(what, OrderOutcome):
                changes = await trade_store.record_outcome(self.connection, what)
            else:
                changes = await trade_store.record_fact(self.connection, what, self.venue.now)
        apply(self.held, changes.written)

    @precondition(lambda self: bool(self.venue.resting()))
    @rule(nth=st.integers(0, 3), percent=st.integers(0, 100), rests=st.booleans())
    def a_resting_order_moves(self, nth: int, percent: int, rests: bool) -> None:
        if resting := self.venue.resting():
            self.venue.now += TICK
            order = resting[nth % len(resting)]
            self.venue.match(order, Quantity(order.seen.remaining * percent // 100), rests=rests)

    @rule(contracts=st.integers(1, 5))
    def somebody_trades_externally(self, contracts: int) -> None:
        self.venue.trade_externally(Quantity(contracts * 100))

    @rule(result=st.sampled_from(list(Side)))
    def a_closed_market_settles(self, result: Side) -> None:
        for ticker, closes in self.venue.closes.items():
            if closes <= self.venue.now and ticker not in self.venue.settlements:
                self.venue.settle(ticker, result)
                return

    # --- comparing, stopping, time --------------------------------------------------------------

    @rule(lag=st.sampled_from([0, 0, 1, 8, 14, 30]), times=st.integers(1, 3))
    def reconcile(self, lag: int, times: int) -> None:
        for _ in range(times):
            self._compare(lag)

    def _compare(self, lag: int) -> None:
        self._drop_late()
        as_of = self.venue.now - timedelta(seconds=lag)
        unresolved = [each for each in self.rows().orders if each.state in UNPROVEN]
        for fill in [each for each in self.venue.fills if each.at <= as_of]:
            self.run(self._record(fill))
        listed = self.venue.orders_as_of(as_of)
        for seen in listed:
            self.run(self._record(seen))
        found = {seen.client_order_id for seen in listed}
        margin = absence_margin(REQUEST_LIMIT, 1.0)
        for order in unresolved:
            name = order.client_order_id
            absence = self.absences.get(name, Absence()).after(
                found=name in found, as_of=as_of, sent_by=order.created_at + margin
            )
            self.absences[name] = absence
            if absence.proven:
                self._check_really_absent(name)
                self.run(self._record(OrderProvenAbsent(client_order_id=name, proof="two reads")))
        for settlement in self.venue.settlements.values():
            if settlement.settled_at <= as_of:
                self.run(self._record(settlement))
        if lag == 0 and not self.rows().orders:
            self._check_equal()
        self.venue.now += TICK

    def _check_really_absent(self, name: str) -> None:
        assert name not in self.venue.orders, f"{name} was called absent and is at the venue"
        assert name not in {each.client_order_id for each, _ in self.on_the_way}, f"{name} may still arrive"
        assert name not in {each.client_order_id for each in self._may_be_sent()}, f"{name} may still be sent"

    @rule(seconds=st.sampled_from([1, 1, 2, 5, 15, 60, 600, 86_400]))
    def time_passes(self, seconds: int) -> None:
        self.venue.now += timedelta(seconds=seconds)
        self._drop_late()

    @rule()
    def crash(self) -> None:
        before = self.rows()
        self.run(self._restarted())
        after = self.rows()
        assert (after.realised_today, after.trades) == (before.realised_today, before.trades)

    async def _restarted(self) -> None:
        self._forget()
        self.writer = await self._new_life()

    @rule()
    def stop_in_order(self) -> None:
        self.run(orders.mark_unanswered(self.connection))
        self.run(self._restarted())

    @precondition(lambda self: not self.halted)
    @rule(probability=st.integers(0, 7))
    def halt(self, probability: int) -> None:
        if probability != 5:  # a history that is halted most of the time shows nothing else
            return
        told = Halt(cause="by hand", since=self.venue.now, by="model", resolution="recio resume")
        self.halted = True
        self.run(halts.set_halt(self.connection, told))

    @precondition(lambda self: self.halted)
    @rule()
    def resume(self) -> None:
        self.halted = False
        self.run(halts.clear_all(self.connection, self.venue.now, "model"))

    @rule(cost=st.integers(5, 40), size=st.integers(20, 60), live=st.integers(2, 3), granted=st.booleans())
    def change_limits(self, cost: int, size: int, live: int, granted: bool) -> None:
        """The config changes, and with it the next run: what is not granted only falls."""
        before = self.limits
        self.wanted = section(
            RiskSection,
            max_open_cost_dollars=Decimal(cost),
            max_contracts_per_order=Decimal(size),
            max_open_trades=live,
            max_entries_per_event=4,
        )
        if granted:
            self.run(limits.grant(self.connection, wanted(self.wanted).items(), "model"))
        self.stop_in_order()
        assert granted or all(amount <= wanted(before)[name] for name, amount in wanted(self.limits).items())

    # --- what must hold -------------------------------------------------------------------------

    @invariant()
    def no_order_is_doubled_and_none_is_without_its_row(self) -> None:
        OrderMachine.steps += 1
        if not hasattr(self, "writer"):
            return
        assert max(self.venue.received.values(), default=0) <= 1, "an order was sent twice"
        known = self.run(self.connection.fetch("SELECT client_order_id FROM orders"))
        assert self.venue.received.keys() <= {row["client_order_id"] for row in known}
        assert EXTERNAL not in {each.command.ticker for each in self.venue.orders.values()}

    @invariant()
    def what_is_held_in_memory_is_what_the_rows_say(self) -> None:
        if hasattr(self, "writer"):
            rows = self.run(held_rows.load(self.connection, self.venue.now))
            assert differences(self.held, rows, self.venue.now) == ()

    @invariant()
    def the_audit_log_is_whole(self) -> None:
        if hasattr(self, "writer"):
            assert self.run(self.connection.fetchval("SELECT audit_log_breaks_at(0)")) is None

    def _check_exposure(self) -> None:
        """What the venue holds, and what may still be filled there, at its worst and within the limit."""
        worst = sum(self._worst_of(ticker) for ticker in self.venue.closes.keys() - self.venue.settlements)
        may_leave = (*self._may_be_sent(), *(each for each, _ in self.on_the_way))
        worst += sum(notional(_own_price(each), each.quantity) for each in may_leave if not each.reduce_only)
        assert worst <= self.limits.max_open_cost_dollars, "more is at stake than the limit allows"

    def _may_be_sent(self) -> list[PlaceOrder]:
        """What the executor has not looked at yet; what is past its deadline it will not send any more."""
        return [each for each in self.commands if each.send_before >= self.venue.now]

    def _worst_of(self, ticker: Ticker) -> int:
        """Cost of what is held on one market, averaged, and of what rests there."""
        entries = [
            each
            for each in self.venue.orders.values()
            if each.seen.ticker == ticker and not each.command.reduce_only
        ]
        rests = sum(notional(_own_price(each.command), each.seen.remaining) for each in entries)
        held = abs(self.venue.position(ticker))
        # Every entry on one side of these books has the same limit or a higher one: the lowest is a bound.
        cheapest = min((_own_price(each.command) for each in entries), default=Price(0))
        return held * cheapest + rests

    def _check_equal(self) -> None:
        """Nothing is unknown: rows and venue agree to the last unit."""
        rows = self.run(self.connection.fetch("SELECT fill_id, quantity, price, fee FROM fills"))
        ours = {row["fill_id"]: (quantity_of(row["quantity"]), money_of(row["fee"])) for row in rows}
        assert ours == {each.fill_id: (each.quantity, each.fee) for each in self.venue.fills}
        counted = self.run(
            self.connection.fetch(
                "SELECT client_order_id, filled FROM orders WHERE venue_order_id IS NOT NULL"
            )
        )
        filled = {row["client_order_id"]: quantity_of(row["filled"]) for row in counted}
        assert filled == {name: each.seen.filled for name, each in self.venue.orders.items()}
        live = self.rows().trades
        theirs = {ticker: held for ticker, held in self.venue.positions().items() if ticker != EXTERNAL}
        open_there = {
            ticker: held for ticker, held in theirs.items() if self.venue.closes[ticker] > self.venue.now
        }
        assert compare(open_there, live, frozenset(), self.venue.now) == ()
        fees = sum(each.fee for each in self.venue.fills if each.venue_order_id != "by-hand")
        booked = self.run(self.connection.fetchval("SELECT coalesce(sum(fees), 0) FROM trade_figures"))
        assert money_of(booked) == fees
        assert {each.ticker for each in live} == theirs.keys(), "a position without its trade, or the reverse"
        assert self.run(self.connection.fetchval("SELECT counter_that_differs()")) is None
        self._check_cash()

    def _check_cash(self) -> None:
        """Every dollar of ended trades is the venue's: what came in, went out and was paid."""
        row = self.run(
            self.connection.fetchrow(
                "SELECT coalesce(sum(f.exit_proceeds + t.payout - f.entry_cost), 0) AS gain"
                " FROM trades t JOIN trade_figures f USING (trade_id) WHERE t.state = 'closed'"
            )
        )
        live = {each.ticker for each in self.rows().trades}
        tickers = {each.seen.ticker for each in self.venue.orders.values()} - live
        theirs = sum(self._venue_gain(each) for each in tickers)
        assert money_of(row["gain"]) - self._reopened(live) == theirs

    def _reopened(self, live: set[Ticker]) -> int:
        """What earlier, ended trades gained on markets that are traded again."""
        row = self.run(
            self.connection.fetchval(
                "SELECT coalesce(sum(f.exit_proceeds + t.payout - f.entry_cost), 0) FROM trades t"
                " JOIN trade_figures f USING (trade_id) WHERE t.state = 'closed' AND t.ticker = ANY($1::text[])",
                sorted(live),
            )
        )
        return money_of(row)

    def _venue_gain(self, ticker: Ticker) -> int:
        """Cash of one market in terms of YES, its settlement included."""
        cash = held = locked = 0
        for fill in self.venue.fills:
            if fill.ticker == ticker:
                sign = 1 if fill.book_side.value == "bid" else -1
                held += sign * fill.quantity
                cash -= sign * notional(fill.price, fill.quantity)
        settled = self.venue.settlements.get(ticker)
        if settled is not None and settled.result is Side.YES:
            locked = held * 10_000
        return cash + locked

    def _come_to_rest(self) -> None:
        """Faults end: everything is found or proven absent, and then all is equal."""
        for order in self.venue.resting():
            self.venue.match(order, Quantity(0), rests=False)
        self.run(self._restarted())
        for _ in range(4):
            self.venue.now += timedelta(seconds=20)
            self._compare(0)
        left = self.rows().orders
        assert left == (), f"orders without a proven end: {[each.client_order_id for each in left]}"
        self._check_equal()


def _own_price(command: PlaceOrder) -> Price:
    return command.price if command.book_side.value == "bid" else complement(command.price)
