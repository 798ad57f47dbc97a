"""The wires between tasks: Latest for what is so, Queue for what must not be lost; and who writes each.

Wires are owned by the composition root and outlive the tasks that use them: a task borrows an end
and never closes it, so its successor after a restart finds it whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import anyio

from recio.bells import Bell, Bells
from recio.board_wire import BoardWire, Watch
from recio.messages.account import AccountHint, AccountView, PrivateStream, VenueFact
from recio.messages.alerts import Acknowledge, AlertsView, TryChannels
from recio.messages.controls import (
    HaltRequest,
    HaltVerification,
    OrderGroupReady,
    ResumeRequest,
    TradingControls,
)
from recio.messages.decisions import Assessments, CloseIntent, OpenIntent, ShadowScore
from recio.messages.markets import (
    Listings,
    MarketBoard,
    MarketEnded,
    MarketNews,
    MarketView,
    RestBook,
    VenueState,
)
from recio.messages.orders import OpenTrades, OrderOutcome, PlaceOrder
from recio.messages.past_account import PastFact
from recio.messages.prices import IndexHistory, IndexValue, Prices
from recio.rules.decision.cycles import Cycle
from recio.units import Ticker

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)

CYCLES_KEPT = 16_384
"""Until whoever keeps them fetches them."""
ENDS_KEPT = 4_096
"""A ladder of hundreds of strikes ends at once."""
NEWS_KEPT = 8_192
"""Several ladders may be created, or end, at once."""


class Reads(Protocol[T_co]):
    """The reading end of a Latest."""

    def get(self) -> T_co | None: ...
    @property
    def version(self) -> int: ...
    async def newer_than(self, version: int) -> int: ...
    def wake(self, bell: Bell) -> None: ...
    def let_sleep(self, bell: Bell) -> None: ...


class ReadsBoard(Protocol):
    """The reading end of a BoardWire."""

    def get(self) -> MarketBoard | None: ...
    @property
    def version(self) -> int: ...
    async def newer_than(self, version: int) -> int: ...
    def wake(self, bell: Bell) -> None: ...
    def let_sleep(self, bell: Bell) -> None: ...
    def watch(self) -> Watch: ...
    def unwatch(self, watch: Watch) -> None: ...


class WritesBoard(Protocol):
    """The writing end of a BoardWire."""

    def lay_out(self, views: Iterable[MarketView]) -> None: ...
    def put(self, view: MarketView) -> None: ...
    def publish(
        self, *, venue: VenueState, heard_at: datetime | None, clock_offset: float | None
    ) -> MarketBoard: ...


class Writes(Protocol[T_contra]):
    """The writing end of a Latest."""

    def set(self, value: T_contra) -> None: ...


class Sends(Protocol[T_contra]):
    """The sending end of a Queue."""

    async def send(self, item: T_contra) -> None: ...
    @property
    def unfinished(self) -> int: ...
    async def finished(self) -> None: ...


class Notes(Protocol[T_contra]):
    """The writing end of a RingBuffer."""

    def put(self, item: T_contra) -> None: ...


class Takes(Protocol[T_co]):
    """The reading end of a RingBuffer."""

    def take(self) -> tuple[Sequence[T_co], int]: ...
    async def wait(self) -> None: ...
    def wake(self, bell: Bell) -> None: ...
    def let_sleep(self, bell: Bell) -> None: ...


class Receives(Protocol[T_co]):
    """The receiving end of a Queue."""

    async def receive(self) -> T_co: ...
    def receive_waiting(self) -> T_co | None: ...
    def done(self) -> None: ...
    def begin_anew(self) -> None: ...


class Latest(Generic[T]):
    """The newest value of something; readers may skip values but never see an old one as new."""

    def __init__(self) -> None:
        self._value: T | None = None
        self._version = 0
        self._bells = Bells()

    @property
    def version(self) -> int:
        """Grows by one with each `set`; 0 = never set."""
        return self._version

    def get(self) -> T | None:
        return self._value

    def set(self, value: T) -> None:
        self._value = value
        self._version += 1
        self._bells.ring()

    async def newer_than(self, version: int) -> int:
        """Wait until a value newer than `version` is set; returns its version."""
        while self._version <= version:
            await self._bells.wait()
        return self._version

    def wake(self, bell: Bell) -> None:
        """Ring this bell at each `set` from now on."""
        self._bells.wake(bell)

    def let_sleep(self, bell: Bell) -> None:
        self._bells.let_sleep(bell)


class Queue(Generic[T]):
    """First in, first out, bounded: a full queue blocks its sender and loses nothing."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._unfinished = 0
        self._in_hands = 0
        """Of these, what was received."""
        self._dealt_with = Bells()
        self._sender, self._receiver = anyio.create_memory_object_stream[T](capacity)

    @property
    def depth(self) -> int:
        return self._sender.statistics().current_buffer_used

    @property
    def unfinished(self) -> int:
        """Items that were sent and that nobody has said `done` to; of use where the reader does say it."""
        return self._unfinished

    async def send(self, item: T) -> None:
        self._unfinished += 1
        try:
            await self._sender.send(item)
        except BaseException:
            self._unfinished -= 1
            raise

    def done(self) -> None:
        """The reader has dealt with one item that it received, whatever came of it."""
        self._in_hands -= 1
        self._unfinished -= 1
        self._dealt_with.ring()

    def begin_anew(self) -> None:
        """A reader that starts: what one before it received and was ended over is nobody's, and nobody waits for it."""
        # What lies in the stream is not counted instead: an item whose sender has yet to get its turn is not there.
        self._unfinished -= self._in_hands
        self._in_hands = 0
        self._dealt_with.ring()

    async def finished(self) -> None:
        """Until the reader has dealt with all that was sent."""
        while self._unfinished:
            await self._dealt_with.wait()

    async def receive(self) -> T:
        item = await self._receiver.receive()
        self._in_hands += 1
        return item

    def receive_waiting(self) -> T | None:
        """What waits already, if anything does."""
        try:
            item = self._receiver.receive_nowait()
        except anyio.WouldBlock:
            return None
        self._in_hands += 1
        return item

    def close(self) -> None:
        self._sender.close()
        self._receiver.close()


class RingBuffer(Generic[T]):
    """What happened, for whoever keeps it: nobody waits for the reader, and what it does not fetch in time is lost and counted."""

    def __init__(self, capacity: int) -> None:
        self._items = deque[T](maxlen=capacity)
        self._lost = 0
        self._bells = Bells()

    def put(self, item: T) -> None:
        self._lost += len(self._items) == self._items.maxlen
        self._items.append(item)
        self._bells.ring()

    async def wait(self) -> None:
        """Until there is something to take."""
        while not self._items:
            await self._bells.wait()

    def wake(self, bell: Bell) -> None:
        """Ring this bell at each `put` from now on."""
        self._bells.wake(bell)

    def let_sleep(self, bell: Bell) -> None:
        self._bells.let_sleep(bell)

    def take(self) -> tuple[Sequence[T], int]:
        """(everything that is there, how many were lost before it since the last time)."""
        items, lost = list(self._items), self._lost
        self._items.clear()
        self._lost = 0
        return items, lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Wires:
    """Every wire of the daemon. WRITERS says who writes it."""

    index: Latest[IndexHistory] = field(default_factory=Latest[IndexHistory])
    rest_index: Latest[Mapping[str, tuple[IndexValue, ...]]] = field(
        default_factory=Latest[Mapping[str, tuple[IndexValue, ...]]]
    )
    """Prints that the venue's channel did not bring, as REST has them."""
    prices: Latest[Prices] = field(default_factory=Latest[Prices])
    listings: Latest[Listings] = field(default_factory=Latest[Listings])
    board: BoardWire = field(default_factory=BoardWire)
    books_to_compare: Latest[frozenset[Ticker]] = field(default_factory=Latest[frozenset[Ticker]])
    """Markets whose books on the socket are to be held against those of REST."""
    rest_books: Latest[Mapping[Ticker, RestBook]] = field(default_factory=Latest[Mapping[Ticker, RestBook]])
    assessments: Latest[Assessments] = field(default_factory=Latest[Assessments])
    private_stream: Latest[PrivateStream] = field(default_factory=Latest[PrivateStream])
    account: Latest[AccountView] = field(default_factory=Latest[AccountView])
    open_trades: Latest[OpenTrades] = field(default_factory=Latest[OpenTrades])
    controls: Latest[TradingControls] = field(default_factory=Latest[TradingControls])
    halt_verifications: Latest[tuple[HaltVerification, ...]] = field(
        default_factory=Latest[tuple[HaltVerification, ...]]
    )
    order_group: Latest[OrderGroupReady] = field(default_factory=Latest[OrderGroupReady])
    halt_requests: Queue[HaltRequest | ResumeRequest] = field(
        default_factory=lambda: Queue[HaltRequest | ResumeRequest](8)
    )
    open_intents: Queue[OpenIntent] = field(default_factory=lambda: Queue[OpenIntent](4))
    close_intents: Queue[CloseIntent] = field(default_factory=lambda: Queue[CloseIntent](16))
    orders: Queue[PlaceOrder] = field(default_factory=lambda: Queue[PlaceOrder](16))
    outcomes: Queue[OrderOutcome] = field(default_factory=lambda: Queue[OrderOutcome](64))
    account_hints: Queue[AccountHint] = field(default_factory=lambda: Queue[AccountHint](4096))
    cycles: RingBuffer[Cycle] = field(default_factory=lambda: RingBuffer[Cycle](CYCLES_KEPT))
    """Of entry, exit and shadow, in the order in which they decided."""
    market_ends: RingBuffer[MarketEnded] = field(default_factory=lambda: RingBuffer[MarketEnded](ENDS_KEPT))
    market_news: RingBuffer[MarketNews] = field(default_factory=lambda: RingBuffer[MarketNews](NEWS_KEPT))
    shadow_intents: RingBuffer[OpenIntent] = field(
        default_factory=lambda: RingBuffer[OpenIntent](CYCLES_KEPT)
    )
    paper_trades: Latest[Mapping[str, OpenTrades]] = field(default_factory=Latest[Mapping[str, OpenTrades]])
    """By strategy: what those that do not order would hold."""
    shadow_scores: Latest[Mapping[str, ShadowScore]] = field(
        default_factory=Latest[Mapping[str, ShadowScore]]
    )
    alerts: Latest[AlertsView] = field(default_factory=Latest[AlertsView])
    alert_requests: RingBuffer[Acknowledge | TryChannels] = field(
        default_factory=lambda: RingBuffer[Acknowledge | TryChannels](16)
    )
    venue_facts: Queue[VenueFact | PastFact] = field(
        default_factory=lambda: Queue[VenueFact | PastFact](1024)
    )

    def queues(self) -> dict[str, Queue[Any]]:
        """The queues by name, for their depth on the status page and for closing."""
        return {name: wire for name in self.__slots__ if isinstance(wire := getattr(self, name), Queue)}

    def depths(self) -> dict[str, tuple[int, int]]:
        """Depth and capacity of each queue."""
        return {name: (queue.depth, queue.capacity) for name, queue in self.queues().items()}

    def close(self) -> None:
        for queue in self.queues().values():
            queue.close()


WRITERS: Mapping[str, str | tuple[str, ...]] = {
    "index": "market_sync",
    "rest_index": "discovery",
    "account_hints": "market_sync",
    "prices": "price_feed",
    "listings": "discovery",
    "board": "market_sync",
    "books_to_compare": "market_sync",
    "rest_books": "discovery",
    "private_stream": "market_sync",
    "assessments": "entry",
    "account": "account_sync",
    "open_trades": "trade_manager",
    "controls": "failure_detector",
    # Two ways to one halt: the status page, and a signal that works without page, network and database.
    "halt_requests": ("status_http", "signals"),
    "halt_verifications": "kill_switch",
    "order_group": "kill_switch",
    "open_intents": "entry",
    "close_intents": "exit",
    "orders": "trade_manager",
    "outcomes": "executor",
    "venue_facts": "account_sync",
    "cycles": ("entry", "exit", "shadow"),
    "market_ends": "market_sync",
    "market_news": "market_sync",
    "shadow_intents": "entry",
    "paper_trades": "shadow",
    "shadow_scores": "shadow",
    "alerts": "alerts",
    "alert_requests": "status_http",
}
