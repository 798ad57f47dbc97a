"""The spot price as a live price feed would have known it, and the mean of a window's last minute.

The mean is shown beside the published settlement value and never stands in for it: who says how a market ended is the venue.
It is given only where the recorded trades cover that minute, and is never filled up from outside it.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from recio.messages.prices import Momentum, Prices, PriceTick, PriceView
from recio.replay.session_files import Match
from recio.rules.market.settlement import PRINTS, USUAL_PLACES, settlement_value
from recio.rules.price import price_error
from recio.rules.price.momentum import Peak, with_peak
from recio.rules.price.price_error import PriceError
from recio.rules.price.volatility import PriceMemory

LONGEST_HOLE = 10
"""Seconds without a trade after which the stream counts as interrupted."""
ENOUGH_SECONDS = 55
REMEMBERED = 200
"""Traded seconds kept for the closing minute: it, a hole on either side, and room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyMinute:
    """The mean of the closing minute's one-second prices, and how many of the sixty were known."""

    value: Decimal
    seconds: int


@dataclass(slots=True)
class Spot:
    """What is known of the spot price at the moment."""

    symbol: str
    memory: PriceMemory
    usual_basis: float
    """How far the exchange usually lies from the index, relative."""
    largest_error: float
    """Nothing is opened at a price that may be further off; relative."""
    traded: deque[tuple[int, Decimal]] = field(
        default_factory=lambda: deque[tuple[int, Decimal]](maxlen=REMEMBERED)
    )
    last: Match | None = None
    last_received: datetime | None = None
    moved_at: datetime | None = None
    volatility: float | None = None
    momentum: Momentum | None = None
    peaks: tuple[Peak, ...] = ()
    minute: tuple[tuple[int, Decimal], ...] = ()
    _said: Prices | None = None
    """Since the last trade."""

    def hear(self, match: Match, received: datetime) -> None:
        """Note a trade exactly as the live price feed does."""
        second = math.floor(match.at.timestamp())
        if self.last is None or self.last.price != match.price:
            self.moved_at = match.at
        self.last, self.last_received, self._said = match, received, None
        if self.memory.remember(second, match.price):
            self.volatility, self.minute = self.memory.volatility(), self.memory.last_minute()
            self.momentum = self.memory.momentum()
            if self.momentum is not None:
                minute = self.memory.seconds[-1][0] // 60
                self.peaks = with_peak(self.peaks, minute, self.momentum.bp)
        if not self.traded or second > self.traded[-1][0]:
            self.traded.append((second, match.price))
        elif second == self.traded[-1][0]:
            self.traded[-1] = (second, match.price)

    def prices(self) -> Prices:
        """The same object until the next trade."""
        if self._said is None:
            self._said = self._prices()
        return self._said

    def _prices(self) -> Prices:
        if self.last is None or self.last_received is None:
            return Prices()
        error, now = self._error(self.last.at), self.last.at.timestamp()
        view = PriceView(
            tick=PriceTick(
                symbol=self.symbol,
                source="coinbase",
                price=self.last.price,
                at=self.last.at,
                received_at=self.last_received,
            ),
            volatility=self.volatility,
            momentum=None if self.memory.is_past(now) else self.momentum,
            momentum_peaks=self.peaks,
            last_minute=self.minute,
            unmeasured=self.memory.unmeasured(now),
            error=price_error.stated(error.whole),
            basis_error=price_error.stated(error.basis),
            doubt=price_error.doubt_of(error, self.largest_error),
            heard_at=self.last_received,
        )
        return Prices(by_symbol={self.symbol: view})

    def _error(self, at: datetime) -> PriceError:
        """Of one source alone, as the live price feed states it."""
        still = 0.0 if self.moved_at is None else (at - self.moved_at).total_seconds()
        return PriceError(
            basis=price_error.basis_of([self.usual_basis]),
            still=price_error.still_for(self.volatility, still),
        )


def closing_minute(
    traded: Sequence[tuple[int, Decimal]], closes_at: int, now: int, places: int = USUAL_PLACES
) -> ProxyMinute | None:
    """The mean over the sixty seconds before `closes_at`; None where too little of them was recorded.

    `traded` holds the last price of each second with a trade, ascending; `now` says until when the
    stream was listened to, so that an end in silence counts as a hole.
    """
    first = closes_at - PRINTS
    if not traded or _interrupted([second for second, _ in traded], first, closes_at, now):
        return None
    prints = [
        price
        for (second, price), (following, _) in itertools.pairwise((*traded, (traded[-1][0] + 1, Decimal(0))))
        for _ in range(max(second, first), min(following, closes_at))
    ]
    if len(prints) < ENOUGH_SECONDS:
        return None
    return ProxyMinute(value=settlement_value(prints, places), seconds=len(prints))


def _interrupted(seconds: Sequence[int], first: int, closes_at: int, now: int) -> bool:
    """Whether a hole longer than allowed reaches into the closing minute."""
    return any(
        later - earlier > LONGEST_HOLE and earlier < closes_at - 1 and later > first
        for earlier, later in itertools.pairwise((*seconds, max(now, seconds[-1])))
    )
