"""The venue as one member has it: the shared floor, and his own accounts, orders and fills; it executes nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from recio.exchange_sim.engine.account import Account, Transfer
from recio.exchange_sim.engine.allocation import Allocation
from recio.exchange_sim.engine.events import Event, Trade
from recio.exchange_sim.engine.floor import Floor
from recio.exchange_sim.engine.groups import OrderGroup
from recio.exchange_sim.engine.orders import Fill, Order, resting_collateral
from recio.exchange_sim.engine.pauses import Pauses
from recio.exchange_sim.engine.payment_rows import Payment
from recio.exchange_sim.engine.traded_market import TradedMarket
from recio.exchange_sim.engine.versions import Versions

ACCOUNT_OWNER = 0
"""The first member's number among the participants; other members count down from it, simulated traders up from 1."""


def member_of(owner: int) -> int:
    """Which member has this number among the participants, counted from 0."""
    return ACCOUNT_OWNER - owner


class Venue:
    """One member's accounts and orders on a floor that he shares with all other members.

    What is the same for everybody, as the time and the markets, is the floor's, and is here only to be at hand.
    """

    def __init__(
        self, *, account: Account, markets: Mapping[str, TradedMarket], instance: str, now_ms: int
    ) -> None:
        """The first member's, with a floor of its own."""
        floor = Floor(markets=markets, instance=instance, now_ms=now_ms)
        self._settle_in(floor, [self], account)

    def admit(self, account: Account) -> Venue:
        """The venue as one more member has it."""
        other = object.__new__(Venue)
        self.members.append(other)
        other._settle_in(self.floor, self.members, account)
        return other

    def _settle_in(self, floor: Floor, members: list[Venue], account: Account) -> None:
        self.floor = floor
        self.members = members
        """Every member's venue, the first one's first."""
        self.owner = ACCOUNT_OWNER - (len(members) - 1)
        """The member's number among the participants."""
        self.account = account
        account.owner = self.owner
        self.orders: dict[str, Order] = {}
        self.open_orders: dict[str, dict[str, Order]] = {}
        self.order_versions: dict[str, Versions[Order]] = {}
        self.accounts: dict[int, Account] = {account.number: account}
        """The member's subaccounts by number; `account` is the primary one."""
        self.allocation = Allocation(percents={})
        """How the primary account's free money is to be spread over the shards."""
        self.groups: dict[str, OrderGroup] = {}
        self.used_client_ids: set[str] = set()
        self.used_transfer_ids: set[str] = set()
        self.shard_transfers: list[Transfer] = []
        self.subaccount_transfers: list[Transfer] = []
        self.payments: list[Payment] = []
        self.fills: list[Fill] = []
        self.orders_by_key = floor.orders_by_key
        self.trades: deque[Trade] = floor.trades

    @property
    def now_ms(self) -> int:
        return self.floor.now_ms

    @now_ms.setter
    def now_ms(self, moment_ms: int) -> None:
        self.floor.now_ms = moment_ms

    @property
    def pauses(self) -> Pauses:
        return self.floor.pauses

    @pauses.setter
    def pauses(self, pauses: Pauses) -> None:
        self.floor.pauses = pauses

    def member(self, owner: int) -> Venue:
        """Of the member with this number among the participants."""
        return self.members[member_of(owner)]

    def new_key(self) -> int:
        return self.floor.new_key()

    def next_clock(self) -> int:
        return self.floor.next_clock()

    def next_sequence(self) -> int:
        return self.floor.next_sequence()

    def new_id(self) -> str:
        return self.floor.new_id()

    def emit(self, event: Event) -> None:
        self.floor.emit(event)

    def collect(self) -> list[Event]:
        return self.floor.collect()

    def remember(self, order: Order) -> None:
        """Keep a copy of an order for the reads that lag behind."""
        versions = self.order_versions.get(order.order_id)
        if versions is None:
            versions = self.order_versions[order.order_id] = Versions(self.account.horizon)
        versions.add(self.now_ms, order)

    def open_of(self, ticker: str, subaccount: int | None = None) -> list[Order]:
        """The member's resting orders of one market, oldest first, of one subaccount if it is named."""
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
