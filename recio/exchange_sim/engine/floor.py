"""What all members of the exchange share: markets, time, numbers, trades, and the events nobody has collected yet.

It knows no order's terms and no money, and never waits, reads a clock or executes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from random import Random
from uuid import UUID

from recio.exchange_sim.engine.account import Correction
from recio.exchange_sim.engine.events import Event, Trade
from recio.exchange_sim.engine.fees import ALIGNMENT
from recio.exchange_sim.engine.orders import Order
from recio.exchange_sim.engine.pauses import Pauses
from recio.exchange_sim.engine.traded_market import TradedMarket

KEPT_TRADES = 20_000


class Floor:
    """The markets are somebody else's to list and to forget; the engine only finds them here."""

    def __init__(self, *, markets: Mapping[str, TradedMarket], instance: str, now_ms: int) -> None:
        self.pauses = Pauses(weekly=False)
        self.now_ms = now_ms
        self.markets = markets
        self.orders_by_key: dict[int, Order] = {}
        """The members' resting orders by their key in the book."""
        self.alignment = ALIGNMENT
        """What members' money is a multiple of after every fill."""
        self.groups_stop_beyond = False
        """Order groups stop only once more than their limit was matched."""
        self.correction = Correction.REPLACED
        """How a correction of what was paid shows among the settlements."""
        self.historical_cutoff_ms = 0
        """What is older than this is only in the historical tier."""
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
