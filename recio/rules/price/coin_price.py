"""What one coin is worth now: the settlement index while it is fresh, else what the sources agree on; never a guess.

Index and consensus are remembered apart, so that going from one to the other does not look like a move of the price.
The last minute under the index is its own prints and nothing else, for the settlement is their mean.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from recio.messages.prices import (
    IndexHistory,
    IndexValue,
    Momentum,
    PriceTick,
    PriceView,
    SourceState,
    SourceView,
)
from recio.rules.price import consensus
from recio.rules.price.consensus import Consensus, Panel
from recio.rules.price.momentum import Peak, with_peak
from recio.rules.price.price_sources import Limits, learnt
from recio.rules.price.volatility import LAST_MINUTE, PriceMemory

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
        self.note_second(math.floor(at.timestamp()), price)

    def note_second(self, second: int, price: Decimal) -> None:
        if self.memory.remember(second, price):
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
    last_print: IndexValue | None = None
    prints: deque[tuple[int, Decimal]] = field(
        default_factory=lambda: deque[tuple[int, Decimal]](maxlen=LAST_MINUTE)
    )
    why_no_index: str = ""

    def hear_index(self, history: IndexHistory, now: datetime) -> None:
        """Note every print that is new. One from the future is none: it would outlive all that follow."""
        if not self.use_index:
            return
        self.why_no_index = history.why_none
        heard, seconds = False, {second for second, _ in self.prints}
        for each in history.prints.get(self.index_id, ()):
            ahead = (each.at - now).total_seconds()
            if ahead <= self.limits.fresh_seconds and (
                self.last_print is None or each.at > self.last_print.at
            ):
                self._note_print(each)
                heard = True
            elif ahead <= 0:
                self._recall(each, seconds)
        newest = self._fresh(now)
        if heard and newest is not None:
            self._learn(newest, now)

    def _note_print(self, each: IndexValue) -> None:
        second = math.floor(each.at.timestamp())
        if self.prints and self.prints[-1][0] == second:
            self.prints.pop()
        self.prints.append((second, each.value))
        self.last_print = each
        self.index.note(each.at, each.value)

    def _recall(self, each: IndexValue, seconds: set[int]) -> None:
        """A print that was missed and read later: it belongs to the last minute, and to nothing that goes by order."""
        second = math.floor(each.at.timestamp())
        is_older = len(self.prints) == LAST_MINUTE and second < self.prints[0][0]
        if not self.prints or is_older or second in seconds:
            return
        seconds.add(second)
        kept = sorted((*self.prints, (second, each.value)))[-LAST_MINUTE:]
        self.prints.clear()
        self.prints.extend(kept)

    def _learn(self, newest: IndexValue, now: datetime) -> None:
        for heard in self.panel.sources.values():
            age = None if heard.at is None else (now - heard.at).total_seconds()
            if age is not None and age <= self.limits.fresh_seconds and not heard.quarantined:
                self.panel = self.panel.having(learnt(heard, newest.value, newest.at, self.limits))

    def _fresh(self, now: datetime) -> IndexValue | None:
        """The newest print while it speaks of the present."""
        last = self.last_print
        if last is None or (now - last.at).total_seconds() > self.limits.fresh_seconds:
            return None
        return last

    def judge(self, now: datetime) -> tuple[PriceView | None, tuple[SourceView, ...]]:
        """What is shown and traded on now, and every source with its state."""
        newest = self._fresh(now)
        index = None if newest is None else newest.value
        agreed = consensus.agree(self.panel, self.limits, now, index)
        self.panel = consensus.carried(self.panel, agreed, now, index)
        if agreed.price is not None and agreed.at is not None and not agreed.unreliable:
            self.traded.note(agreed.at, agreed.price)
        sources = (*agreed.sources, *self._index_view(newest, now))
        if newest is not None:
            return self._by_index(newest, agreed, sources), sources
        return self._by_sources(agreed, sources), sources

    def _by_index(self, newest: IndexValue, agreed: Consensus, sources: tuple[SourceView, ...]) -> PriceView:
        """No source is needed for it; but where all sources contradict it, it is unreliable."""
        heard = [newest.received_at] if agreed.heard_at is None else [newest.received_at, agreed.heard_at]
        known = self.index.volatility
        return PriceView(
            tick=PriceTick(
                symbol=self.symbol,
                source=INDEX,
                price=newest.value,
                at=newest.at,
                received_at=newest.received_at,
            ),
            volatility=self.traded.volatility if known is None else known,
            momentum=self.traded.momentum if self.index.momentum is None else self.index.momentum,
            momentum_peaks=self.traded.peaks,
            last_minute=tuple(self.prints),
            heard_at=max(heard),
            sources=sources,
            unreliable="" if agreed.price is None else agreed.unreliable,
        )

    def _by_sources(self, agreed: Consensus, sources: tuple[SourceView, ...]) -> PriceView | None:
        if agreed.price is None or agreed.at is None or agreed.heard_at is None:
            return None
        return PriceView(
            tick=PriceTick(
                symbol=self.symbol,
                source=" and ".join(agreed.believed),
                price=agreed.price,
                at=agreed.at,
                received_at=agreed.heard_at,
            ),
            volatility=self.traded.volatility,
            momentum=self.traded.momentum,
            momentum_peaks=self.traded.peaks,
            last_minute=self.traded.minute,
            heard_at=agreed.heard_at,
            sources=sources,
            unreliable=agreed.unreliable,
        )

    def _index_view(self, fresh: IndexValue | None, now: datetime) -> tuple[SourceView, ...]:
        if not self.use_index:
            return ()
        last = self.last_print
        state, note = SourceState.GOOD, "the price is its newest print"
        if last is None:
            state = SourceState.CONNECTING if self.why_no_index in ("", "connecting") else SourceState.DOWN
            note = self.why_no_index or "no print yet"
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
