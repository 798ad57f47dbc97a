"""What simulated makers and takers do in one market round a quoted price; they never touch an order of the account."""

from __future__ import annotations

from bisect import bisect
from random import Random

from recio.exchange_sim.engine.book import BookSide
from recio.exchange_sim.engine.execution import publish_book, rest, take
from recio.exchange_sim.engine.venue import ACCOUNT_OWNER, Venue
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.order_flow.figures import (
    ASK_OR_BID_GAP,
    DISTANCE_CUMULATIVE,
    MAKERS,
    TAKERS,
    half_spread,
    order_sizes,
    target_depth,
    trade_sizes,
)

_STALE_PER_STEP = 8


class Makers:
    """Orders of makers and takers; whose price they follow is the caller's business."""

    def __init__(self, venue: Venue, random: Random) -> None:
        self._venue = venue
        self._random = random
        self._sizes = order_sizes(random)
        self._trade_sizes = trade_sizes(random)

    def tops(self, market: Market, quote: float) -> tuple[int, int]:
        """Place on the grid of the best bid and the best ask that makers want; outside it when none."""
        grid, half = market.grid, half_spread(quote)
        low, high = quote - half, quote + half
        bid_top = grid.at_or_below(low) if low >= grid.levels[0] else -1
        ask_top = grid.at_or_above(high) if high <= grid.levels[-1] else len(grid.levels)
        return bid_top, ask_top

    def pull_stale(self, market: Market, bid_top: int, ask_top: int) -> None:
        """Makers whose price the fair value has passed withdraw, most of them within a tenth of a second."""
        for bid, top in ((True, bid_top), (False, ask_top)):
            book_side = market.book.side(bid=bid)
            for _ in range(_STALE_PER_STEP):
                price = _worst_stale(book_side, market.grid.levels, bid=bid, top=top)
                if price is None or self._random.random() < 0.4:
                    break
                if not self.cancel_newest(market, book_side, price):
                    break

    def top_up(self, market: Market, bid_top: int, ask_top: int) -> None:
        """Somebody soon quotes at the best level that makers want."""
        levels = market.grid.levels
        for bid, top in ((True, bid_top), (False, ask_top)):
            if 0 <= top < len(levels):
                missing = market.book.side(bid=bid).totals.get(levels[top], 0) == 0
                if missing and self._random.random() < 0.5:
                    self.add(market, bid=bid, price=levels[top], size=self.size())

    def shuffle(self, market: Market, bid_top: int, ask_top: int, count: int) -> None:
        """Constant adding and cancelling, most of it near the best prices."""
        for _ in range(count):
            bid = self._random.random() < 0.5
            top = bid_top if bid else ask_top
            if 0 <= top < len(market.grid.levels):
                self._shuffle_level(market, bid=bid, top=top)

    def pick_off(self, market: Market, quote: float) -> None:
        """Traders who take what rests clearly beyond the makers' price."""
        best_bid, best_ask = market.book.best_bid(), market.book.best_ask()
        gap = 3 * half_spread(quote)
        if best_ask is not None and best_ask < quote - gap and self._random.random() < 0.15:
            self.take(market, bid=True)
        if best_bid is not None and best_bid > quote + gap and self._random.random() < 0.15:
            self.take(market, bid=False)

    def take(self, market: Market, *, bid: bool) -> None:
        """Somebody takes at the best price."""
        best = market.book.best_ask() if bid else market.book.best_bid()
        if best is None:
            return
        size = self._trade_sizes[self._random.randrange(len(self._trade_sizes))]
        owner = MAKERS + 1 + self._random.randrange(TAKERS)
        publish_book(self._venue, market)
        take(self._venue, market, owner=owner, bid=bid, limit=best, quantity=size, stop_at_own=False)

    def add(self, market: Market, *, bid: bool, price: int, size: int) -> None:
        """A maker's order, never one that would cross."""
        if market.book.crosses(bid=bid, price=price):
            return
        owner = 1 + self._random.randrange(MAKERS)
        rest(self._venue, market, owner=owner, bid=bid, price=price, quantity=size)

    def cancel_newest(self, market: Market, book_side: BookSide, price: int) -> bool:
        """Cancel the traders' youngest order of a level; the account's orders are not theirs to cancel."""
        for order in reversed(book_side.levels.get(price, {}).values()):
            if order.owner != ACCOUNT_OWNER:
                market.book.cancel(order)
                return True
        return False

    def size(self) -> int:
        return self._sizes[self._random.randrange(len(self._sizes))]

    def _shuffle_level(self, market: Market, *, bid: bool, top: int) -> None:
        levels = market.grid.levels
        index, distance = self._pick_level(market, bid=bid, top=top)
        if not 0 <= index < len(levels):
            return
        price = levels[index]
        book_side = market.book.side(bid=bid)
        wanted = target_depth(price, distance) * 2 * self._random.random()
        if book_side.totals.get(price, 0) < wanted:
            self.add(market, bid=bid, price=price, size=self.size())
        else:
            self.cancel_newest(market, book_side, price)

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
        return best if top < 0 or best > levels[top] else None
    return best if top >= len(levels) or best < levels[top] else None
