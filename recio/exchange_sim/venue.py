"""The venue's whole state and the events nobody has collected yet; it never waits, reads a clock or executes."""

from __future__ import annotations

from collections import deque
from random import Random
from uuid import UUID

from recio.exchange_sim.events import Event, Trade
from recio.exchange_sim.market.index import IndexPath
from recio.exchange_sim.market.markets import SHARD, Market, Status
from recio.exchange_sim.matching.account import Account
from recio.exchange_sim.matching.orders import Fill, Order, bound

ACCOUNT_OWNER = 0
"""The account's number among the participants; simulated traders count from 1."""

KEPT_TRADES = 20_000


class Venue:
    """Markets, the account, its orders, and the events nobody has collected yet."""

    def __init__(self, *, account: Account, index: IndexPath, instance: str, now_ms: int) -> None:
        self.account = account
        self.index = index
        self.now_ms = now_ms
        self.markets: dict[str, Market] = {}
        self.orders: dict[str, Order] = {}
        self.open_orders: dict[str, dict[str, Order]] = {}
        self.orders_by_key: dict[int, Order] = {}
        self.used_client_ids: set[str] = set()
        self.fills: list[Fill] = []
        self.trades: deque[Trade] = deque(maxlen=KEPT_TRADES)
        self._events: list[Event] = []
        self._ids = Random(instance)
        self._keys = 0
        self._sequence = 0

    def new_key(self) -> int:
        self._keys += 1
        return self._keys

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

    def open_of(self, ticker: str) -> list[Order]:
        """The account's resting orders of one market, oldest first."""
        return list(self.open_orders.get(ticker, {}).values())

    def reserved(self, shard: int) -> int:
        """Collateral that resting orders bind on one shard."""
        if shard != SHARD:
            return 0
        return sum(
            bound(orders.values(), self.account.held(ticker)) for ticker, orders in self.open_orders.items()
        )

    def available(self, shard: int) -> int:
        return self.account.cash.get(shard, 0) - self.reserved(shard)

    def active_markets(self) -> list[Market]:
        return [market for market in self.markets.values() if market.status is Status.ACTIVE]
