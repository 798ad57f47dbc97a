"""One recorded market's book: what the recording shows, unaltered, and what of it is there for the account.

It answers every call that the matching makes of a `Book`. The account's orders are never among what is
shown, and what they took stays on show as well. Taken quantity is gone for the account until the recording
shows less at that level than the account left, which is the rule of an offline replay; so at no moment is
more filled than is displayed. Nothing here knows money, time or messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from recio.exchange_sim.engine.book import (
    BookSide,
    Change,
    Match,
    Resting,
    Sweep,
    fillable_from,
    sweep_through,
)
from recio.exchange_sim.engine.venue import ACCOUNT_OWNER
from recio.exchange_sim.recorded.frames import Level, TickerUpdate
from recio.exchange_sim.recorded.queue_position import Hit, LevelKey, QueuedOrder, TradeEvidence, proven_hits

RECORDED_OWNER = 1


class RecordedBook:
    """Both displayed sides, what the account took of them, and its own orders beside them."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.bids = BookSide()
        self.asks = BookSide()
        self.changes: list[Change] = []
        """Always empty: the recording brings its own."""
        self.evidence = TradeEvidence()
        self._taken: dict[LevelKey, tuple[int, int]] = {}
        self._queued: dict[int, QueuedOrder] = {}
        self._hits: list[Hit] = []

    def displayed(self, *, bid: bool, price: int) -> int:
        return (self.bids if bid else self.asks).totals.get(price, 0)

    def best_bid(self) -> int | None:
        return self.bids.prices[-1] if self.bids.prices else None

    def best_ask(self) -> int | None:
        return self.asks.prices[0] if self.asks.prices else None

    def collect(self) -> list[Change]:
        return []

    def show(self, *, bid: bool, price: int, size: int) -> None:
        """The recording has a level at this size now."""
        _set_level(self.bids if bid else self.asks, bid, price, size)
        self._look_at_taken((bid, price), size)

    def show_all(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """The recording has a whole new book."""
        self.bids, self.asks = BookSide(), BookSide()
        for bid, levels in ((True, bids), (False, asks)):
            for price, size in levels:
                _set_level(self.bids if bid else self.asks, bid, price, size)
        for place in list(self._taken):
            self._look_at_taken(place, self.displayed(bid=place[0], price=place[1]))
        self.evidence.forget()

    def side(self, *, bid: bool) -> BookSide:
        """One side as the account's orders see it: before each of them its queue, behind the last the rest."""
        book_side = BookSide()
        for one in self._mine(bid=bid):
            price = one.order.price
            _fill_up(book_side, bid, price, one.ahead, key=-one.order.key)
            book_side.add(one.order)
        own = {one.order.price: one.order.remaining for one in self._mine(bid=bid)}
        for price, total in (self.bids if bid else self.asks).totals.items():
            _fill_up(book_side, bid, price, total + own.get(price, 0), key=0)
        return book_side

    def place(self, order: Resting) -> None:
        """Rest an order of the account behind everything that its level displays."""
        earlier = (one.ahead for one in self._mine(bid=order.bid) if one.order.price == order.price)
        ahead = max(self.displayed(bid=order.bid, price=order.price), *earlier, 0)
        self._queued[order.key] = QueuedOrder(order, ahead, self._clock())

    def reduce(self, order: Resting, quantity: int) -> None:
        """Take a quantity off an order of the account; what was recorded leaves only as it was recorded."""
        if order.key not in self._queued:
            return
        order.remaining -= quantity
        if not order.remaining:
            self._queued.pop(order.key, None)

    def cancel(self, order: Resting) -> int:
        left = order.remaining
        self.reduce(order, left)
        return left

    def crosses(self, *, bid: bool, price: int) -> bool:
        return any(True for _ in self._opposite(bid=bid, limit=price))

    def fillable(self, *, owner: int, bid: bool, limit: int, wanted: int, stop_at_own: bool) -> int:
        """How much of `wanted` the account would get at once; its own orders are never counted."""
        opposite = self._opposite(bid=bid, limit=limit)
        return fillable_from(opposite, owner=owner, wanted=wanted, stop_at_own=stop_at_own)

    def sweep(self, *, owner: int, bid: bool, limit: int, quantity: int, stop_at_own: bool) -> Sweep:
        """Execute an order of the account; for anybody else, the hits on its resting orders that were proven."""
        if owner != ACCOUNT_OWNER:
            return self._carry_out_hits()
        return sweep_through(
            self._opposite(bid=bid, limit=limit),
            owner=owner,
            quantity=quantity,
            stop_at_own=stop_at_own,
            cancel=self.cancel,
            take=lambda order, taken: self._take((order.bid, order.price), taken),
        )

    def crossing_hits(self, *, bid: bool) -> list[Hit]:
        """What the other side's display fills of the account's orders on this side, best first."""
        hits: list[Hit] = []
        for one in self._mine(bid=bid):
            wanted = one.order.remaining
            for price in self._shown_through(bid=bid, limit=one.order.price):
                taken = min(wanted, self._available((not bid, price)))
                if taken:
                    self._take((not bid, price), taken)
                    wanted -= taken
            if wanted < one.order.remaining:
                hits.append((one.order, one.order.remaining - wanted))
        return hits

    def ticker_hits(self, quote: TickerUpdate) -> list[Hit]:
        """What a ticker message proves about the account's orders; then their queues are no longer than shown."""
        proof = self.evidence.saw_ticker(quote)
        hits = [] if proof is None else proven_hits(self._mine(bid=proof.bid), proof)
        for one in self._queued.values():
            place = (one.order.bid, one.order.price)
            there = self.displayed(bid=place[0], price=place[1]) + self.evidence.pending(place)
            one.ahead = min(one.ahead, there)
        return hits

    def prepare(self, hits: list[Hit]) -> int:
        """The hits that the next sweep of somebody else carries out; how much they are together."""
        self._hits = hits
        return sum(quantity for _, quantity in hits)

    def has_orders(self) -> bool:
        return bool(self._queued)

    def _carry_out_hits(self) -> Sweep:
        hits, self._hits = self._hits, []
        result = Sweep()
        for order, quantity in hits:
            self.reduce(order, quantity)
            result.matches.append(Match(order, order.price, quantity))
        return result

    def _mine(self, *, bid: bool) -> list[QueuedOrder]:
        """The account's orders on one side, best price first, then oldest."""
        sign = -1 if bid else 1
        mine = [one for one in self._queued.values() if one.order.bid == bid]
        return sorted(mine, key=lambda one: (sign * one.order.price, one.order.key))

    def _opposite(self, *, bid: bool, limit: int) -> Iterator[Resting]:
        """What an order of the account would meet, best first; at one price the recording's before its own."""
        own = [one.order for one in self._mine(bid=not bid) if _within(one.order.price, limit, bid=bid)]
        shown = self._shown_through(bid=bid, limit=limit)
        prices = sorted({*shown, *(order.price for order in own)}, reverse=not bid)
        for price in prices:
            there = self._available((not bid, price))
            if there:
                yield Resting(0, RECORDED_OWNER, not bid, price, there)
            yield from (order for order in own if order.price == price)

    def _shown_through(self, *, bid: bool, limit: int) -> list[int]:
        """Displayed prices of the other side that an order at this limit reaches, best first."""
        book_side = self.asks if bid else self.bids
        return [price for price in book_side.from_best(bid=not bid) if _within(price, limit, bid=bid)]

    def _available(self, place: LevelKey) -> int:
        displayed = self.displayed(bid=place[0], price=place[1])
        return max(0, displayed - self._taken.get(place, (0, 0))[0])

    def _take(self, place: LevelKey, quantity: int) -> None:
        total = self._taken.get(place, (0, 0))[0] + quantity
        self._taken[place] = (total, self.displayed(bid=place[0], price=place[1]) - total)

    def _look_at_taken(self, place: LevelKey, displayed: int) -> None:
        taken = self._taken.get(place)
        if taken is not None and (displayed <= 0 or displayed < taken[1]):
            del self._taken[place]


def _within(price: int, limit: int, *, bid: bool) -> bool:
    return price <= limit if bid else price >= limit


def _recorded(bid: bool, price: int, size: int, key: int = 0) -> Resting:
    return Resting(key, RECORDED_OWNER, bid, price, size)


def _fill_up(book_side: BookSide, bid: bool, price: int, total: int, *, key: int) -> None:
    missing = total - book_side.totals.get(price, 0)
    if missing > 0:
        book_side.add(_recorded(bid, price, missing, key))


def _set_level(book_side: BookSide, bid: bool, price: int, size: int) -> None:
    level = book_side.levels.get(price)
    if level is not None:
        shown = next(iter(level.values()))
        book_side.shrink(shown, shown.remaining - size)
    elif size > 0:
        book_side.add(_recorded(bid, price, size))
