"""What simulated makers and takers do in one market round a quoted price; they never touch an order of the account."""

from __future__ import annotations

from bisect import bisect
from random import Random

from recio.exchange_sim.engine.book import BookSide
from recio.exchange_sim.engine.execution import publish_book, rest, take
from recio.exchange_sim.engine.units import ONE_DOLLAR
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.order_flow.figures import (
    ASK_OR_BID_GAP,
    DISTANCE_CUMULATIVE,
    FIRST_SIZE_DRAWS,
    MAKERS,
    MOVE_SHARE,
    TAKERS,
    half_spread,
    order_sizes,
    target_depth,
    trade_sizes,
)

_MOST_LOOKS = 4
"""At levels where a moved order may go or come from."""


class Makers:
    """Orders of makers and takers; whose price they follow is the caller's business."""

    def __init__(self, venue: Venue, random: Random) -> None:
        self._venue = venue
        self._random = random
        self._sizes = order_sizes(random)
        self._trade_sizes = trade_sizes(random)

    def tops(
        self, market: Market, quote: float, seconds_left: float = 1e9, *, half: float | None = None
    ) -> tuple[int, int]:
        """Place on the grid of the best bid and the best ask that makers want; outside it when none."""
        grid = market.grid
        half = half_spread(quote, seconds_left) if half is None else half
        low, high = quote - half, quote + half
        bid_top = grid.at_or_below(low) if low >= grid.levels[0] else -1
        ask_top = grid.at_or_above(high) if high <= grid.levels[-1] else len(grid.levels)
        return bid_top, ask_top

    def withdraw_stale(self, market: Market, *, bid: bool, top: int) -> bool:
        """One order better than makers want to be goes. False when there is none of theirs."""
        book_side = market.book.side(bid=bid)
        price = _worst_stale(book_side, market.grid.levels, bid=bid, top=top)
        return price is not None and self.cancel_any(market, book_side, price) is not None

    def put_right(self, market: Market, bid_top: int, ask_top: int) -> bool:
        """Withdraw an order that the index has passed, or quote anew where nobody does. False when all is well."""
        wanted = ((True, bid_top), (False, ask_top))
        if any(self.withdraw_stale(market, bid=bid, top=top) for bid, top in wanted):
            return True
        return any(
            self.lacks(market, bid=bid, top=top)
            and self.add(market, bid=bid, price=market.grid.levels[top], size=self.first_size())
            for bid, top in wanted
        )

    def lacks(self, market: Market, *, bid: bool, top: int) -> bool:
        """Whether nobody quotes at the best level that makers want."""
        levels = market.grid.levels
        return 0 <= top < len(levels) and not market.book.side(bid=bid).totals.get(levels[top])

    def shuffle(self, market: Market, bid_top: int, ask_top: int, count: int) -> None:
        """Constant adding, cancelling and moving, most of it near the best prices."""
        for _ in range(count):
            bid = self._random.random() < 0.5
            if not 0 <= (bid_top if bid else ask_top) < len(market.grid.levels):
                bid = not bid
            top = bid_top if bid else ask_top
            if 0 <= top < len(market.grid.levels):
                moved = self._shuffle_level(market, bid=bid, top=top)
                if moved and self._random.random() < MOVE_SHARE:
                    self._other_half(market, bid=bid, top=top, moved=moved)

    def pick_off(self, market: Market, quote: float, patience: float = 0.0) -> None:
        """Traders who take what rests clearly, by more than the makers' patience, beyond the makers' price."""
        best_bid, best_ask = market.book.best_bid(), market.book.best_ask()
        gap = 3 * half_spread(quote) + patience
        if best_ask is not None and best_ask < quote - gap and self._random.random() < 0.15:
            self.take(market, bid=True)
        if best_bid is not None and best_bid > quote + gap and self._random.random() < 0.15:
            self.take(market, bid=False)

    def take(self, market: Market, *, bid: bool, through: int = 0) -> None:
        """Somebody takes at the best price, and at up to so many $0.0001 beyond it."""
        best = market.book.best_ask() if bid else market.book.best_bid()
        if best is None:
            return
        best = min(best + through, ONE_DOLLAR - 1) if bid else max(best - through, 1)
        size = self._trade_sizes[self._random.randrange(len(self._trade_sizes))]
        owner = MAKERS + 1 + self._random.randrange(TAKERS)
        publish_book(self._venue, market)
        take(self._venue, market, owner=owner, bid=bid, limit=best, quantity=size, stop_at_own=False)

    def add(self, market: Market, *, bid: bool, price: int, size: int) -> bool:
        """A maker's order, never one that would cross: then there is none."""
        if market.book.crosses(bid=bid, price=price):
            return False
        owner = 1 + self._random.randrange(MAKERS)
        rest(self._venue, market, owner=owner, bid=bid, price=price, quantity=size)
        return True

    def cancel_any(self, market: Market, book_side: BookSide, price: int) -> int | None:
        """Cancel one of the traders' orders of a level, wherever it waits in the queue; what it was of.

        None when there is none: the orders of members are not theirs to cancel.
        """
        level = book_side.levels.get(price)
        if not level:
            return None
        orders = list(level.values())
        first = self._random.randrange(len(orders))
        for order in orders[first:] + orders[:first]:
            if order.owner > 0:
                return market.book.cancel(order)
        return None

    def first_size(self) -> int:
        """Of whoever is first at a price."""
        return min(self.size() for _ in range(FIRST_SIZE_DRAWS))

    def size(self) -> int:
        return self._sizes[self._random.randrange(len(self._sizes))]

    def _shuffle_level(self, market: Market, *, bid: bool, top: int) -> int:
        """One level comes nearer to its depth. What came in, or below zero what went; 0 where nothing could be done."""
        index, distance = self._pick_level(market, bid=bid, top=top)
        if not 0 <= index < len(market.grid.levels):
            return 0
        price = market.grid.levels[index]
        book_side = market.book.side(bid=bid)
        if book_side.totals.get(price, 0) >= self._wanted(price, distance):
            return -(self.cancel_any(market, book_side, price) or 0)
        size = self.size()
        return size if self.add(market, bid=bid, price=price, size=size) else 0

    def _other_half(self, market: Market, *, bid: bool, top: int, moved: int) -> None:
        """Where what came in was moved from, or what went was moved to: at the same moment, on another level."""
        book_side = market.book.side(bid=bid)
        for _ in range(_MOST_LOOKS):
            index, distance = self._pick_level(market, bid=bid, top=top)
            if not 0 <= index < len(market.grid.levels):
                continue
            price = market.grid.levels[index]
            scarce = book_side.totals.get(price, 0) < self._wanted(price, distance)
            if moved < 0 and scarce:
                self.add(market, bid=bid, price=price, size=-moved)
                return
            if moved > 0 and not scarce and self.cancel_any(market, book_side, price):
                return

    def _wanted(self, price: int, distance: int) -> float:
        drawn = self._random.random()
        # The best level is often thin: the same mean, but less of it as often as more.
        return target_depth(price, distance) * (2 * drawn if distance else 3 * drawn * drawn)

    def _pick_level(self, market: Market, *, bid: bool, top: int) -> tuple[int, int]:
        """A level by its distance from the best: whole cents in the middle, finer steps near 0 and 1."""
        grid = market.grid
        cents = bisect(DISTANCE_CUMULATIVE, self._random.random())
        best = grid.levels[top]
        fine = not 1_000 < best < 9_000
        step = ASK_OR_BID_GAP if fine and self._random.random() < 0.7 else 100
        away = cents * step
        wanted = best - away if bid else best + away
        if not grid.levels[0] <= wanted <= grid.levels[-1]:
            return -1, away
        return (grid.at_or_below(wanted) if bid else grid.at_or_above(wanted)), away


def _worst_stale(book_side: BookSide, levels: tuple[int, ...], *, bid: bool, top: int) -> int | None:
    if not book_side.prices:
        return None
    best = book_side.prices[-1] if bid else book_side.prices[0]
    if bid:
        return best if not 0 <= top < len(levels) or best > levels[top] else None
    return best if not 0 <= top < len(levels) or best < levels[top] else None
