"""What one coin is worth now and how far that may be off: the settlement index while it is fresh, else what the sources agree on.

Index and consensus are remembered apart, so that going from one to the other does not look like a move of the price. It
never guesses: a second that nobody saw is not among those it tells, and every kind of ignorance is in the stated error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from statistics import median

from recio.messages.prices import (
    IndexHistory,
    IndexValue,
    Momentum,
    PriceTick,
    PriceView,
    SourceState,
    SourceView,
)
from recio.rules.price import consensus, price_error
from recio.rules.price.consensus import MOVED_BP, Consensus, Panel
from recio.rules.price.index_prints import IndexPrints
from recio.rules.price.momentum import Peak, with_peak
from recio.rules.price.price_error import PriceError, doubt_of
from recio.rules.price.price_sources import Limits, apart_bp, learnt
from recio.rules.price.volatility import PriceMemory

INDEX = "index"


@dataclass(slots=True)
class CoinMemory:
    """One stream of a coin's price: what is known of it second by second."""

    memory: PriceMemory
    volatility: float | None = None
    momentum: Momentum | None = None
    peaks: tuple[Peak, ...] = ()
    minute: tuple[tuple[int, Decimal], ...] = ()

    def note(self, at: datetime, price: Decimal) -> None:
        """Somebody vouches for this price now."""
        if self.memory.remember(math.floor(at.timestamp()), price):
            self._look()

    def recall(self, seconds: Iterable[tuple[int, Decimal]]) -> None:
        """Complete seconds of an earlier run, ascending; what lies between them was not seen."""
        for second, price in seconds:
            self.memory.complete(second, price)
            self._look()

    def momentum_at(self, now: datetime) -> Momentum | None:
        """The newest figure while it still speaks of now."""
        return None if self.memory.is_past(now.timestamp()) else self.momentum

    def _look(self) -> None:
        self.volatility, self.minute = self.memory.volatility(), self.memory.last_minute()
        self.momentum = self.memory.momentum()
        if self.momentum is not None:
            minute = self.memory.seconds[-1][0] // 60
            self.peaks = with_peak(self.peaks, minute, self.momentum.bp)


@dataclass(slots=True, kw_only=True)
class Coin:
    """What this run knows of one coin; gone with it."""

    symbol: str
    index_id: str
    use_index: bool
    limits: Limits
    traded: CoinMemory
    index: CoinMemory
    panel: Panel
    printed: IndexPrints = field(default_factory=IndexPrints)
    why_no_index: str = ""

    def hear_index(self, history: IndexHistory, now: datetime) -> None:
        """Note every print that is new. One from the future is none: it would outlive all that follow."""
        if not self.use_index:
            return
        self.why_no_index = history.why_none
        moved, missed = False, list[IndexValue]()
        for each in history.prints.get(self.index_id, ()):
            ahead = (each.at - now).total_seconds()
            last = self.printed.last
            if ahead <= self.limits.fresh_seconds and (last is None or each.at > last.at):
                moved = self.printed.hear(each, self._levels())
                self.index.note(each.at, each.value)
            elif ahead <= 0:
                missed.append(each)
        self.printed.recall(missed)
        newest = self._fresh(now)
        # A value that repeats itself says nothing of where the sources are from it.
        if moved and newest is not None:
            self._learn(newest, now)

    def _levels(self) -> tuple[Decimal, ...]:
        heard = self.panel.sources.values()
        return tuple(each.level for each in heard if each.level is not None)

    def _learn(self, newest: IndexValue, now: datetime) -> None:
        for heard in self.panel.sources.values():
            age = None if heard.at is None else (now - heard.at).total_seconds()
            if age is not None and age <= self.limits.fresh_seconds and not heard.quarantined:
                self.panel = self.panel.having(learnt(heard, newest.value, newest.at, self.limits))

    def _fresh(self, now: datetime) -> IndexValue | None:
        """The newest print while it speaks of the present."""
        last = self.printed.last
        if last is None or (now - last.at).total_seconds() > self.limits.fresh_seconds:
            return None
        return None if self._is_frozen() else last

    def _is_frozen(self) -> bool:
        """It repeats itself, and the sources have moved since it began to."""
        then, now = self.printed.levels_then, self._levels()
        if self.printed.still_for() <= self.limits.frozen_seconds or not then or not now:
            return False
        return apart_bp(median(now), median(then)) > MOVED_BP

    def judge(self, now: datetime) -> tuple[PriceView | None, tuple[SourceView, ...]]:
        """What is shown and traded on now, and every source with its state."""
        newest = self._fresh(now)
        index = None if newest is None else newest.value
        agreed = consensus.agree(self.panel, self.limits, now, index)
        self.panel = consensus.carried(self.panel, agreed, now, index)
        error = None if agreed.price is None else self._source_error(agreed, now)
        is_apart = error is not None and error.apart > self.limits.largest_error
        if agreed.price is None or agreed.at is None or agreed.unreliable or is_apart:
            self.traded.memory.interrupt()
        else:
            self.traded.note(agreed.at, agreed.price)
        sources = (*agreed.sources, *self._index_view(newest, now))
        if newest is not None:
            return self._by_index(newest, agreed, error, sources, now), sources
        return self._by_sources(agreed, error, sources, now), sources

    def _source_error(self, agreed: Consensus, now: datetime) -> PriceError:
        believed = [self.panel.sources[name] for name in agreed.believed]
        moved = max((each.moved_at for each in believed if each.moved_at is not None), default=now)
        apart = price_error.apart_of(agreed.levels)
        last = self.printed.last
        if self._is_frozen() and last is not None and agreed.price is not None:
            # Nobody knows whether it is the feed that stands still or the index itself: it may yet be right.
            apart = max(apart, price_error.contradicted(last.value, agreed.price, 0.0, repeats=True))
        apart = max(apart, self._at_most_half(consensus.left_behind(self.panel, agreed, now)))
        furthest = consensus.contradicted_by(self.panel, agreed, now)
        apart = max(apart, price_error.contradiction(furthest, self.limits))
        if len(believed) == 1:
            apart = max(apart, self._opposed(agreed))
        still = ((agreed.at or now) - moved).total_seconds()
        return PriceError(
            basis=price_error.basis_of(
                [price_error.usually_off(each.basis, self.limits, now) for each in believed]
            ),
            apart=apart,
            still=price_error.still_for(self.traded.volatility, still),
        )

    def _opposed(self, agreed: Consensus) -> float:
        """How far a source is away that lives, contradicts the only one believed, and may be right."""
        against = [each.source for each in agreed.sources if each.state is SourceState.OUTLIER]
        levels = [level for name in against if (level := self.panel.sources[name].level) is not None]
        if agreed.price is None or not levels:
            return 0.0
        return self._at_most_half(max(apart_bp(each, agreed.price) for each in levels))

    def _at_most_half(self, away: Decimal) -> float:
        """What one source says against the others, up to half the limit: more would let a feed gone mad blind every stop."""
        return price_error.relative(min(away, self.limits.divergence_bp / 2))

    def _index_error(
        self, newest: IndexValue, agreed: Consensus, of_sources: PriceError | None
    ) -> PriceError:
        still = self.printed.still_for()
        known = self.traded.volatility if self.index.volatility is None else self.index.volatility
        level = None if agreed.unreliable else agreed.price
        usual = self.limits.usual_basis if of_sources is None else of_sources.basis
        return PriceError(
            basis=0.0,
            apart=price_error.contradicted(newest.value, level, usual, repeats=still > 0),
            still=price_error.still_for(known, still),
        )

    def _by_index(
        self,
        newest: IndexValue,
        agreed: Consensus,
        of_sources: PriceError | None,
        sources: tuple[SourceView, ...],
        now: datetime,
    ) -> PriceView:
        """No source is needed for it; but where all sources contradict it, it is unreliable."""
        heard = [newest.received_at] if agreed.heard_at is None else [newest.received_at, agreed.heard_at]
        error = self._index_error(newest, agreed, of_sources)
        by_index = self.index.volatility is not None
        tick = PriceTick(
            symbol=self.symbol, source=INDEX, price=newest.value, at=newest.at, received_at=newest.received_at
        )
        return self._view(
            tick,
            error,
            self.index if by_index else self.traded,
            now=now,
            momentum=self.index.momentum_at(now) or self.traded.momentum_at(now),
            basis_error=self.limits.usual_basis if of_sources is None else of_sources.basis,
            heard_at=max(heard),
            sources=sources,
            unreliable="" if agreed.price is None else agreed.unreliable,
        )

    def _by_sources(
        self, agreed: Consensus, error: PriceError | None, sources: tuple[SourceView, ...], now: datetime
    ) -> PriceView | None:
        if agreed.price is None or agreed.at is None or agreed.heard_at is None or error is None:
            return None
        tick = PriceTick(
            symbol=self.symbol,
            source=" and ".join(agreed.believed),
            price=agreed.price,
            at=agreed.at,
            received_at=agreed.heard_at,
        )
        return self._view(
            tick,
            error,
            self.traded,
            now=now,
            momentum=self.traded.momentum_at(now),
            basis_error=error.basis,
            heard_at=agreed.heard_at,
            sources=sources,
            unreliable=agreed.unreliable,
        )

    def _view(
        self,
        tick: PriceTick,
        error: PriceError,
        measured: CoinMemory,
        *,
        now: datetime,
        momentum: Momentum | None,
        basis_error: float,
        heard_at: datetime,
        sources: tuple[SourceView, ...],
        unreliable: str,
    ) -> PriceView:
        return PriceView(
            tick=tick,
            volatility=measured.volatility,
            unmeasured=measured.memory.unmeasured(now.timestamp()),
            momentum=momentum,
            momentum_peaks=self.traded.peaks,
            last_minute=self.traded.minute,
            prints=tuple(self.printed.minute),
            final_minute=self.printed.final,
            error=price_error.stated(error.whole),
            basis_error=price_error.stated(basis_error),
            heard_at=heard_at,
            sources=sources,
            unreliable=unreliable,
            doubt=doubt_of(error, self.limits.largest_error),
        )

    def _index_view(self, fresh: IndexValue | None, now: datetime) -> tuple[SourceView, ...]:
        if not self.use_index:
            return ()
        last = self.printed.last
        state, note = SourceState.GOOD, "the price is its newest print"
        if last is None:
            state = SourceState.CONNECTING if self.why_no_index in ("", "connecting") else SourceState.DOWN
            note = self.why_no_index or "no print yet"
        elif fresh is None and self._is_frozen():
            state, note = (
                SourceState.FROZEN,
                f"repeats itself for {self.printed.still_for():.0f} s while the sources move",
            )
        elif fresh is None:
            state = SourceState.DOWN if self.why_no_index else SourceState.SILENT
            note = self.why_no_index or f"its newest print is {(now - last.at).total_seconds():.0f} s old"
        view = SourceView(
            source=INDEX,
            state=state,
            price=None if last is None else last.value,
            at=None if last is None else last.at,
            heard_at=None if last is None else last.received_at,
            note=note,
        )
        return (view,)
