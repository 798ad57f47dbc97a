"""The account's resting orders among recorded ones: their place in the queue and what proves a fill.

The recording shows levels, not orders, and no trades: a level that shrinks was traded or cancelled. A fill of
a resting order is therefore believed only on one of two proofs, and never for more than the proof says:

- Crossing: the other side displays a price at or through the order's own. Whoever quotes there would have
  met this order (or, had he been post-only, not rested there). It fills up to what is displayed there and was
  not yet taken, at the order's price.
- A trade: between two ticker messages the volume grew, the last trade was at price q, and of the two sides
  only this one lost quantity at q in that time. Then min(last size, growth, quantity lost at q) was sold to
  (or bought from) this side at q. It fills the account's orders at better prices first, and at q what
  exceeds the quantity queued before the order. Both tickers must be dated after the order rested.

An order enters behind everything that its level displays. Proven trades shorten the queue before it; any
other reduction counts as somebody behind it leaving, until the level displays less than is queued before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from recio.exchange_sim.engine.book import Resting
from recio.exchange_sim.recorded.frames import BookDelta, TickerUpdate

LevelKey = tuple[bool, int]
"""Side and YES price of a level."""
Hit = tuple[Resting, int]
"""An order of the account that is filled, and by how much."""


@dataclass(slots=True, eq=False)
class QueuedOrder:
    """One resting order, the recorded quantity before it, and since when it rests."""

    order: Resting
    ahead: int
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A trade that hit this side at this price for at least so much."""

    bid: bool
    price: int
    quantity: int
    after_ms: int
    """Only an order that rested by then was there."""


@dataclass(slots=True)
class TradeEvidence:
    """What a market's ticker messages and level changes prove about trades."""

    last: TickerUpdate | None = None
    _losses: dict[LevelKey, list[tuple[int, int]]] = field(
        default_factory=dict[LevelKey, list[tuple[int, int]]]
    )
    """By level: when it lost how much, since the last ticker's stamp."""

    def saw_change(self, seen: BookDelta) -> None:
        if seen.change < 0 and self.last is not None:
            self._losses.setdefault((seen.bid, seen.price), []).append((seen.ts_ms, -seen.change))

    def forget(self) -> None:
        """Frames are missing: what was seen before proves nothing about what comes."""
        self.last = None
        self._losses.clear()

    def saw_ticker(self, seen: TickerUpdate) -> Proof | None:
        """What this ticker proves; the next one is judged against it."""
        before, proof = self.last, None
        if before is None:
            self.last = seen
        elif seen.ts_ms > before.ts_ms:
            self.last = seen
            proof = self._proof(before, seen)
            self._keep_after(seen.ts_ms)
        return proof

    def pending(self, place: LevelKey) -> int:
        """What a level lost that no ticker has spoken of yet."""
        return sum(lost for _, lost in self._losses.get(place, ()))

    def _proof(self, before: TickerUpdate, seen: TickerUpdate) -> Proof | None:
        if before.volume is None or seen.volume is None or not seen.last_price or not seen.last_size:
            return None
        lost = {bid: self._lost_until((bid, seen.last_price), seen.ts_ms) for bid in (True, False)}
        if bool(lost[True]) == bool(lost[False]):
            return None
        bid = bool(lost[True])
        traded = min(seen.last_size, seen.volume - before.volume, lost[bid])
        if traded <= 0:
            return None
        return Proof(bid=bid, price=seen.last_price, quantity=traded, after_ms=before.ts_ms)

    def _lost_until(self, place: LevelKey, until_ms: int) -> int:
        return sum(lost for at_ms, lost in self._losses.get(place, ()) if at_ms <= until_ms)

    def _keep_after(self, until_ms: int) -> None:
        kept = {
            place: [loss for loss in losses if loss[0] > until_ms] for place, losses in self._losses.items()
        }
        self._losses = {place: losses for place, losses in kept.items() if losses}


def proven_hits(queued: list[QueuedOrder], proof: Proof) -> list[Hit]:
    """What a trade filled of these orders, best first; the queue before them gets shorter by it."""
    left = proof.quantity
    hits: list[Hit] = []
    for one in queued:
        if one.since_ms > proof.after_ms or one.order.bid != proof.bid:
            continue
        if one.order.price == proof.price:
            reaches = max(0, left - one.ahead)
            one.ahead = max(0, one.ahead - left)
        else:
            reaches = left if _better(one.order, proof.price) else 0
        taken = min(one.order.remaining, reaches)
        if taken:
            hits.append((one.order, taken))
            left -= taken
    return hits


def _better(order: Resting, price: int) -> bool:
    return order.price > price if order.bid else order.price < price
