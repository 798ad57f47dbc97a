"""What happens at the stand-in while it is measured: background, moves that make a trade worth it, and floods; stamps are taken here only."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from benchmarks.venue import answers
from benchmarks.venue.account import Account
from benchmarks.venue.channels import BOOKS, PriceChannel, VenueChannels
from benchmarks.venue.market import STRIKE, TOP, Ladder, numbered
from benchmarks.venue.wire import Answer, Request, Socket, framed

BEAT = 0.01
"""Seconds between two helpings of background."""
SWING, SWING_SECONDS = 2.0, 10
"""Dollars and seconds of the calm price's own swing: it keeps the volatility known, and about 0.15 bp per root second."""
JUMP = 90.0
"""Dollars by which the price moves where it is to decide: far in probability, below what a source may differ."""
CHEAP = "0.6200"
"""A bid for NO that lets YES be had for 38 cents, worth 50."""
LAID = 20_000
ENTRY_FILLS, EXIT_FILLS = {"book": Decimal("0.38"), "price": Decimal("0.70")}, Decimal("0.75")
"""Every trade wins, so that no run of losses has to be counted back ever further."""
PATIENCE = 5.0
EARLY, LATE, LATEST = 0.02, 0.5, 0.9
"""The part of a second in which the price may jump: it is back before the second ends, and no history remembers it."""
LEAST_REST = 0.05
HELPING = 500
FLOOR = "/floor"
"""Answers when the first byte of the request came, by the clock that all processes of a machine share."""


@dataclass(slots=True)
class Stage:
    strikes: int
    rate: int = 0
    price_offset: float = 0.0
    ladder: Ladder = field(init=False)
    venue: VenueChannels = field(init=False)
    prices: PriceChannel = field(default_factory=PriceChannel)
    account: Account = field(default_factory=Account)
    fills_at: Decimal | None = None
    ordered: asyncio.Future[float] | None = None
    restore: list[tuple[str, str, int]] = field(default_factory=list[tuple[str, str, int]])
    strays: int = 0
    least_rest: float = LEAST_REST
    """Seconds between an order and what makes the next one worth it."""
    spans: list[tuple[str, float, float]] = field(default_factory=list[tuple[str, float, float]])
    recent: deque[float] = field(default_factory=lambda: deque[float](maxlen=20))
    dice: random.Random = field(default_factory=lambda: random.Random(2))

    def __post_init__(self) -> None:
        self.ladder = Ladder(self.strikes)
        self.venue = VenueChannels(self.ladder)

    # What the wire calls.
    def accept(self, socket: Socket, path: str) -> Any:
        return (self.prices if path == "/prices" else self.venue).open(socket)

    def answer(self, request: Request) -> Answer:
        if request.method == "POST" and request.path.endswith(answers.ORDERS):
            return self._order(request)
        if request.path == FLOOR:
            return 200, json.dumps({"first_byte": request.first_byte}).encode()
        return answers.answer(request, self.ladder, self.account)

    def _order(self, request: Request) -> Answer:
        waiting, self.ordered = self.ordered, None
        if waiting is None:
            self.strays += 1
        elif not waiting.done():
            waiting.set_result(request.first_byte)
        self._calm()
        fills_at = self.fills_at if waiting is not None else None
        order = self.account.take(json.loads(request.body), fills_at)
        self.venue.private("user_orders", "user_order", order)
        if fills_at is not None:
            self.venue.private("fill", "fill", self.account.fills[-1])
        body = {
            "order_id": order["order_id"],
            "client_order_id": order["client_order_id"],
            "fill_count": order["fill_count_fp"],
            "remaining_count": order["remaining_count_fp"],
            "ts_ms": int(time.time() * 1000),
        }
        return 201, json.dumps(body).encode()

    # What goes on by itself.
    async def background(self) -> None:
        owed, last = 0.0, time.perf_counter()
        while True:
            await asyncio.sleep(BEAT)
            now = time.perf_counter()
            owed, last = owed + (now - last) * self.rate, now
            while owed >= 1:
                owed -= 1
                self.venue.send(self.venue.delta(*self.ladder.background()))

    async def quotes(self) -> None:
        """Five trades a second, and a heartbeat in each."""
        beats = 0
        while True:
            self.prices.send(self.prices.match(self.price()))
            if beats % 5 == 0:
                self.prices.send(self.prices.heartbeat())
            beats += 1
            await asyncio.sleep(0.2)

    def price(self) -> float:
        swing = SWING if int(time.time()) // SWING_SECONDS % 2 else -SWING
        return STRIKE + swing + self.price_offset

    # What is asked for.
    async def cycles(
        self, by: str, most: int, seconds: float, fill: bool, rest: float = LEAST_REST
    ) -> dict[str, Any]:
        """Seconds from the frame's leaving to the order's first byte, entry and exit in turn; without `fill` entries only.

        `spans` are the same in order of time, each with the moment that its frame left.
        """
        entries, exits, missed = list[float](), list[float](), 0
        self.spans, self.least_rest = [], rest
        until = time.perf_counter() + seconds
        while len(entries) < most and time.perf_counter() < until:
            self.fills_at = ENTRY_FILLS[by] if fill else None
            took = await self._provoke("entry", by)
            if took is None:
                missed += 1
                continue
            entries.append(took)
            self.fills_at = EXIT_FILLS
            tries = 0
            while fill and (took := await self._provoke("exit", by)) is None:
                missed, tries = missed + 1, tries + 1
                if tries > 5:
                    return self._found(entries, exits, missed)
            if fill and took is not None:
                exits.append(took)
        return self._found(entries, exits, missed)

    def _found(self, entries: list[float], exits: list[float], missed: int) -> dict[str, Any]:
        return {
            "entries": entries,
            "exits": exits,
            "missed": missed,
            "strays": self.strays,
            "spans": self.spans,
        }

    async def _provoke(self, what: str, by: str) -> float | None:
        """Make one order worth it and wait for its first byte; None if none came."""
        await self._rest(by)
        self.ordered = waiting = asyncio.get_running_loop().create_future()
        sent = self._by_book(what) if by == "book" else self._by_price(what)
        try:
            took = await asyncio.wait_for(waiting, PATIENCE) - sent
        except TimeoutError:
            self.ordered = None
            self._calm()
            return None
        self.recent.append(took)
        self.spans.append((what, sent, took))
        return took

    async def _rest(self, by: str) -> None:
        """Longer than the order's own aftermath, and never in step with anybody's clock."""
        usual = statistics.median(self.recent) if self.recent else LEAST_REST
        await asyncio.sleep(
            max(self.least_rest, usual / 2) + self.dice.random() * max(LEAST_REST, 1.25 * usual)
        )
        phase, late = time.time() % 1, min(LATEST, max(LATE, 0.95 - 4 * usual))
        if by == "price" and not EARLY < phase < late:
            await asyncio.sleep((1 + EARLY - phase) % 1 + self.dice.random() * (late - EARLY) / 4)

    def _by_book(self, what: str) -> float:
        side, price, amount = ("no", CHEAP, LAID)
        if what == "exit":
            side, price, amount = ("yes", TOP, -self.ladder.traded.levels["yes"][TOP])
        frame = self.venue.delta(self.ladder.traded, side, price, amount)
        self.restore.append((side, price, -amount))
        sent = time.perf_counter()
        self.venue.send(frame)
        return sent

    def _by_price(self, what: str) -> float:
        self.price_offset = JUMP if what == "entry" else -JUMP
        frame = self.prices.match(self.price())
        sent = time.perf_counter()
        self.prices.send(frame)
        return sent

    def _calm(self) -> None:
        """The world as it was before."""
        while self.restore:
            self.venue.send(self.venue.delta(self.ladder.traded, *self.restore.pop()))
        if self.price_offset:
            self.price_offset = 0.0
            self.prices.send(self.prices.match(self.price()))

    async def flood(self, messages: int) -> dict[str, float]:
        """At least so many changes, as fast as the reader takes them; done when it answers a ping sent behind them."""
        socket, rate = self.venue.socket, self.rate
        assert socket is not None
        self.rate, sent, bodies = 0, 0, self.ladder.there_and_back(HELPING)
        began = time.perf_counter()
        while sent < messages and socket.is_open:
            socket.transport.write(b"".join(map(self._next_frame, bodies)))
            sent += len(bodies)
            await socket.room.wait()
            await asyncio.sleep(0)
        answered = await asyncio.wait_for(socket.ping(b"all read"), 60)
        self.rate = rate
        return {"messages": sent, "seconds": answered - began}

    def _next_frame(self, body: bytes) -> bytes:
        self.venue.seq += 1
        return framed(numbered(body, self.venue.sids[BOOKS], self.venue.seq))
