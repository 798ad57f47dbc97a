"""What a market's quotes and trades were minute by minute, from one look a second; it asks no clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from recio.exchange_sim.engine.units import ONE_DOLLAR

MINUTE_MS = 60_000


@dataclass(slots=True)
class Span:
    """First, lowest, highest and last of something."""

    first: int
    low: int
    high: int
    last: int

    @classmethod
    def of(cls, value: int) -> Span:
        return cls(value, value, value, value)

    def see(self, value: int) -> None:
        self.low = min(self.low, value)
        self.high = max(self.high, value)
        self.last = value

    def then(self, later: Span) -> Span:
        return Span(self.first, min(self.low, later.low), max(self.high, later.high), later.last)


@dataclass(slots=True)
class Candle:
    """One span of time that ends at `end_ms`. Without a trade there is no price."""

    end_ms: int
    bid: Span
    ask: Span
    price: Span | None = None
    value: int = 0
    """Sum of price x quantity."""
    volume: int = 0
    open_interest: int = 0
    previous: int | None = None
    """The last price before this span."""

    def then(self, later: Candle) -> Candle:
        """This one and the one after it as one."""
        price = self.price.then(later.price) if self.price and later.price else self.price or later.price
        return Candle(
            end_ms=later.end_ms,
            bid=self.bid.then(later.bid),
            ask=self.ask.then(later.ask),
            price=price,
            value=self.value + later.value,
            volume=self.volume + later.volume,
            open_interest=later.open_interest,
            previous=self.previous,
        )


@dataclass(slots=True)
class Candles:
    """The minutes in which something happened, oldest first."""

    minutes: list[Candle] = field(default_factory=list[Candle])

    def quote(self, now_ms: int, bid: int | None, ask: int | None) -> None:
        """Best prices as they stand; nobody bidding is 0 and nobody offering a dollar."""
        candle = self._at(now_ms)
        candle.bid.see(bid or 0)
        candle.ask.see(ONE_DOLLAR if ask is None else ask)

    def trade(self, now_ms: int, *, price: int, quantity: int, open_interest: int) -> None:
        candle = self._at(now_ms)
        if candle.price is None:
            candle.price = Span.of(price)
        else:
            candle.price.see(price)
        candle.value += price * quantity
        candle.volume += quantity
        candle.open_interest = open_interest

    def between(self, first_ms: int, last_ms: int, span_ms: int) -> Iterator[Candle]:
        """A candle for every span that ends in this time, quiet ones included, once anything is known."""
        if not self.minutes:
            return
        begin = -(-max(first_ms, self.minutes[0].end_ms) // span_ms) * span_ms
        latest = self.latest_until(begin - span_ms)
        later = (minute for minute in self.minutes if minute.end_ms > begin - span_ms)
        waiting = next(later, None)
        for end_ms in range(begin, last_ms + 1, span_ms):
            candle = None if latest is None else _quiet(latest, end_ms)
            while waiting is not None and waiting.end_ms <= end_ms:
                candle = waiting if candle is None else candle.then(waiting)
                waiting = next(later, None)
            if candle is not None:
                latest = replace(candle, end_ms=end_ms)
                yield latest

    def latest_until(self, moment_ms: int) -> Candle | None:
        """The last minute with something in it that had ended by then."""
        return next((minute for minute in reversed(self.minutes) if minute.end_ms <= moment_ms), None)

    def as_of(self, moment_ms: int) -> Candle | None:
        """How things stood at a moment, as a span in which nothing happened."""
        latest = self.latest_until(moment_ms)
        return None if latest is None else _quiet(latest, moment_ms)

    def _at(self, now_ms: int) -> Candle:
        """The minute of this moment; a new one goes on from where the one before ended."""
        end_ms = -(-now_ms // MINUTE_MS) * MINUTE_MS
        if self.minutes and self.minutes[-1].end_ms >= end_ms:
            return self.minutes[-1]
        candle = _quiet(self.minutes[-1], end_ms) if self.minutes else _empty(end_ms)
        self.minutes.append(candle)
        return candle


def _quiet(before: Candle, end_ms: int) -> Candle:
    """A span in which nothing happened yet: quotes and open interest as the one before left them."""
    return Candle(
        end_ms=end_ms,
        bid=Span.of(before.bid.last),
        ask=Span.of(before.ask.last),
        open_interest=before.open_interest,
        previous=before.price.last if before.price else before.previous,
    )


def _empty(end_ms: int) -> Candle:
    return Candle(end_ms=end_ms, bid=Span.of(0), ask=Span.of(ONE_DOLLAR))
