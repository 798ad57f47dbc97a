"""A day of windows and a ladder with a client that trades at random: no money drifts, nothing piles up.

So that it ends within half a minute the ladder has twelve strikes and the simulated traders act in the first
minute of every quarter hour only; what they left in the books is traded against in between. More hours:
RECIO_SOAK_HOURS=240 pytest tests/exchange_sim/test_sim_day.py
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from random import Random

import pytest

from recio.exchange_sim.engine.account import Settlement
from recio.exchange_sim.engine.events import Event, Filled
from recio.exchange_sim.engine.order_change import amend, decrease
from recio.exchange_sim.engine.order_entry import cancel, cancel_all, create
from recio.exchange_sim.engine.orders import Order, OrderStatus
from recio.exchange_sim.engine.requests import NewOrder, SelfTradePrevention, TimeInForce
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.market.events import MarketSettled
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.series import Timetable
from recio.exchange_sim.simulation import Simulation

HOURS = max(int(os.environ.get("RECIO_SOAK_HOURS", "24")), 10)
FULL_AFTER = 8
"""Hours until the recorded and the shelf of settled markets are full: from then on nothing may grow."""
START_MS = 1_779_000_300_000 // 3_600_000 * 3_600_000
DEPOSIT = 100_000_000_000
TRADED_SECONDS = 60
ACT_EVERY_SECONDS = 5
PAIR = 10_000
"""What 0.01 contract of Yes and as much of No are worth together, in $0.000001."""


class Books:
    """The account as anybody could keep it from fills and settlements alone."""

    def __init__(self) -> None:
        self.cash = DEPOSIT
        self.fees = 0
        self.payouts = 0
        self.positions: dict[str, int] = {}
        self.fills = 0
        self.takes = 0
        self.settled = 0

    def read(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Filled):
                self._fill(event)
            elif isinstance(event, MarketSettled):
                self._settle(event.market)

    def _fill(self, event: Filled) -> None:
        fill = event.fill
        held = self.positions.get(fill.order.ticker, 0)
        signed = fill.quantity if fill.order.bid else -fill.quantity
        paid = fill.price if fill.order.bid else PAIR - fill.price
        pairs = min(fill.quantity, max(-held if fill.order.bid else held, 0))
        self.cash += PAIR * pairs - paid * fill.quantity - fill.fee
        self.fees += fill.fee
        self.positions[fill.order.ticker] = held + signed
        assert self.positions[fill.order.ticker] == fill.post_position
        self.fills += 1
        self.takes += fill.taker

    def _settle(self, market: Market) -> None:
        held = self.positions.pop(market.ticker, 0)
        won = max(held, 0) if market.result == "yes" else max(-held, 0)
        self.cash += PAIR * won
        self.payouts += PAIR * won
        self.settled += 1


class RandomClient:
    """Places, takes, rests, amends, decreases and cancels; whatever the venue answers is fine."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._venue = simulation.venue
        self._random = Random(17)
        self._asked = 0

    def act(self) -> None:
        trading = [market for market in self._open_markets() if market.status is Status.ACTIVE]
        if not trading:
            return
        market = self._random.choice(trading)
        resting = [order for orders in self._venue.open_orders.values() for order in orders.values()]
        choice = self._random.random()
        if choice < 0.65 or not resting:
            create(self._venue, self._order(market, taking=choice < 0.3))
        elif choice < 0.97:
            self._change(self._random.choice(resting), choice)
        else:
            cancel_all(self._venue)

    def _open_markets(self) -> Iterator[Market]:
        for spec in self._simulation.specs:
            event = self._simulation.calendar.open_event(spec.ticker)
            yield from event.markets if event else ()

    def _order(self, market: Market, *, taking: bool) -> NewOrder:
        bid = self._random.random() < 0.5
        best = market.book.best_ask() if bid else market.book.best_bid()
        levels = market.grid.levels
        price = best if taking and best is not None else self._random.choice(levels)
        self._asked += 1
        return NewOrder(
            ticker=market.ticker,
            bid=bid,
            price=price,
            quantity=self._random.randrange(1, 2_000),
            time_in_force=self._random.choice([TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL])
            if taking
            else TimeInForce.GOOD_TILL_CANCELED,
            self_trade_prevention=self._random.choice(list(SelfTradePrevention)),
            client_order_id=f"day-{self._asked}",
        )

    def _change(self, order: Order, choice: float) -> None:
        market = self._venue.markets[order.ticker]
        if choice < 0.75:
            cancel(self._venue, order.order_id, shard=2, market_ticker=None, strict=True)
        elif choice < 0.8:
            decrease(self._venue, order, reduce_by=1, reduce_to=None)
        else:
            asked = NewOrder(
                ticker=order.ticker,
                bid=order.bid,
                price=self._random.choice(market.grid.levels),
                quantity=self._random.randrange(1, 2_000),
                time_in_force=TimeInForce.GOOD_TILL_CANCELED,
                self_trade_prevention=SelfTradePrevention.MAKER,
            )
            amend(self._venue, order.order_id, asked, new_client_id="", keep_expiry=True)


def agree(simulation: Simulation, books: Books) -> None:
    """The venue's own ledger says to the millionth what the fills and settlements say."""
    account = simulation.venue.account
    assert sum(account.cash.values()) == books.cash
    assert (account.fees, account.payouts, account.deposits) == (books.fees, books.payouts, DEPOSIT)
    held = {ticker: one.quantity for ticker, one in account.positions.items() if one.quantity}
    assert held == {ticker: quantity for ticker, quantity in books.positions.items() if quantity}
    assert all(amount >= 0 for amount in account.cash.values())


def kept(simulation: Simulation) -> int:
    """Objects that the collector knows, apart from the account's settlement rows, which are never forgotten."""
    simulation.venue.collect()
    gc.collect()
    return sum(not isinstance(one, Settlement) for one in gc.get_objects())


@pytest.mark.timeout(60 + 10 * HOURS)
@pytest.mark.long
def test_a_day_at_speed_drifts_by_nothing_and_keeps_nothing() -> None:
    """In a process of its own: what other tests leave behind does not count as kept here."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        alone.submit(live_a_day).result()


def live_a_day() -> None:
    simulation = Simulation(
        seed=9,
        instance="day",
        now_ms=START_MS,
        series=("KXBTC15M", "KXBTCD"),
        timetable=Timetable(ladder_strikes=12, kept_markets=60, history_seconds=3_600),
        balance=DEPOSIT,
        user_id="user",
        traders=True,
    )
    order_flows, client, books = simulation.order_flows, RandomClient(simulation), Books()
    before, early = kept(simulation), 0
    for second in range(0, HOURS * 3_600, ACT_EVERY_SECONDS):
        simulation.order_flows = order_flows if second % 900 < TRADED_SECONDS else {}
        assert simulation.advance(START_MS + (second + ACT_EVERY_SECONDS) * 1000, most_steps=1_000)
        client.act()
        books.read(simulation.venue.collect())
        if second % 3_600 == 0:
            agree(simulation, books)
        if second == FULL_AFTER * 3_600:
            early = kept(simulation) - before
    late = kept(simulation) - before
    assert late < 1.12 * early, f"{late - early} objects more than after {FULL_AFTER} hours"

    simulation.order_flows = {}
    closing = max(
        market.close_ms for market in simulation.listings.markets.values() if market.status is Status.ACTIVE
    )
    assert simulation.advance(closing + 200_000, most_steps=10**7)
    books.read(simulation.venue.collect())
    agree(simulation, books)
    venue = simulation.venue
    assert not any(books.positions.values())
    assert not any(venue.open_orders.values())
    assert all(order.status is not OrderStatus.RESTING for order in venue.orders.values())
    assert venue.reserved(2) == 0
    assert books.fills > 50 * HOURS
    assert books.takes > 20 * HOURS
    assert books.settled >= 16 * HOURS
    assert len(venue.markets) < 60 * 1.1 + 60
