"""The engine's whole state and the events nobody has collected yet; it never waits, reads a clock or executes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from random import Random
from uuid import UUID

from recio.exchange_sim.engine.account import Account, Transfer
from recio.exchange_sim.engine.allocation import Allocation
from recio.exchange_sim.engine.events import Event, Trade
from recio.exchange_sim.engine.fees import ALIGNMENT
from recio.exchange_sim.engine.groups import OrderGroup
from recio.exchange_sim.engine.orders import Fill, Order, resting_collateral
from recio.exchange_sim.engine.pauses import Pauses
from recio.exchange_sim.engine.payment_rows import Payment
from recio.exchange_sim.engine.traded_market import TradedMarket
from recio.exchange_sim.engine.versions import Versions

ACCOUNT_OWNER = 0
"""The account's number among the participants; simulated traders count from 1."""

KEPT_TRADES = 20_000


class Venue:
    """What trades, the accounts, their orders, and the events nobody has collected yet.

    The markets are somebody else's to list and to forget; the engine only finds them here.
    """

    def __init__(
        self, *, account: Account, markets: Mapping[str, TradedMarket], instance: str, now_ms: int
    ) -> None:
        self.account = account
        self.pauses = Pauses(weekly=False)
        self.now_ms = now_ms
        self.markets = markets
        self.orders: dict[str, Order] = {}
        self.open_orders: dict[str, dict[str, Order]] = {}
        self.orders_by_key: dict[int, Order] = {}
        self.order_versions: dict[str, Versions[Order]] = {}
        self.accounts: dict[int, Account] = {account.number: account}
        """The member's subaccounts by number; `account` is the primary one."""
        self.alignment = ALIGNMENT
        """What the member's money is a multiple of after every fill."""
        self.allocation = Allocation(percents={})
        """How the primary account's free money is to be spread over the shards."""
        self.groups_stop_beyond = False
        """Order groups stop only once more than their limit was matched."""
        self.groups: dict[str, OrderGroup] = {}
        self.used_client_ids: set[str] = set()
        self.used_transfer_ids: set[str] = set()
        self.shard_transfers: list[Transfer] = []
        self.subaccount_transfers: list[Transfer] = []
        self.payments: list[Payment] = []
        self.historical_cutoff_ms = 0
        """What is older than this is only in the historical tier."""
        self.fills: list[Fill] = []
        self.trades: deque[Trade] = deque(maxlen=KEPT_TRADES)
        self._events: list[Event] = []
        self._ids = Random(instance)
        self._keys = 0
        self._clock = 0
        self._sequence = 0

    def new_key(self) -> int:
        self._keys += 1
        return self._keys

    def next_clock(self) -> int:
        """Of all books together, so that the clock of one market skips values, as on the real venue."""
        self._clock += 1
        return self._clock

    def next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    def new_id(self) -> str:
        return str(UUID(int=self._ids.getrandbits(128), version=4))

    def emit(self, event: Event) -> None:
        self._events.append(event)

    def collect(self) -> list[Event]:
        """Hand over what happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def remember(self, order: Order) -> None:
        """Keep a copy of an order for the reads that lag behind."""
        versions = self.order_versions.get(order.order_id)
        if versions is None:
            versions = self.order_versions[order.order_id] = Versions(self.account.horizon)
        versions.add(self.now_ms, order)

    def open_of(self, ticker: str, subaccount: int | None = None) -> list[Order]:
        """The resting orders of one market, oldest first, of one subaccount if it is named."""
        resting = self.open_orders.get(ticker, {}).values()
        return [order for order in resting if subaccount in (None, order.subaccount)]

    def open_in_group(self, group_id: str) -> list[Order]:
        return [
            order
            for resting in self.open_orders.values()
            for order in resting.values()
            if order.group_id == group_id
        ]

    def reserved(self, shard: int, subaccount: int = 0) -> int:
        """Collateral that a subaccount's resting orders bind on one shard."""
        account = self.accounts[subaccount]
        total = 0
        for ticker, resting in self.open_orders.items():
            mine = [
                order for order in resting.values() if order.subaccount == subaccount and order.shard == shard
            ]
            total += resting_collateral(mine, account.held(ticker))
        return total

    def available(self, shard: int, subaccount: int = 0) -> int:
        return self.accounts[subaccount].cash.get(shard, 0) - self.reserved(shard, subaccount)

    def trading_paused(self, now_ms: int) -> bool:
        """Nothing may be placed or amended now; cancelling works."""
        return self.pauses.trading_paused(now_ms)

    def exchange_paused(self, now_ms: int) -> bool:
        """Not even cancelling works now."""
        return self.pauses.exchange_paused(now_ms)
