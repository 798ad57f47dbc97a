"""Whether entries pause because the market ran: a pause lasts until the market was really calm; what is remembered goes in and comes out.

A pause begins when momentum reaches the trigger and ends only after it has stayed below the lower resume level for a whole
stretch of minutes. The price tells the peak of each minute of the last hour; a pause that began before is a memory of
whoever asks, is kept in rows while it lasts and comes with each decision, so that neither time nor a restart ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

import msgspec

from recio.messages.prices import PriceView
from recio.rules.price.momentum import Peak
from recio.settings.trading import EntrySection


class PauseMemory(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A pause that lasted at the end of a minute."""

    minute: int
    """Unix minute, the newest that is counted in."""
    peak: float
    """The highest momentum since the pause began, in basis points."""
    calm: int
    """Minutes in a row that have been calm so far."""


Pauses = Mapping[str, PauseMemory]
"""By symbol; where there is none nothing is remembered but what the price tells."""
NO_PAUSES: Pauses = {}


def paused(
    peaks: Sequence[Peak], now_minute: int, settings: EntrySection, before: PauseMemory | None = None
) -> PauseMemory | None:
    """The pause that lasts now, if one does; `peaks` ascend, and a minute that is missing is not a calm one."""
    pause = before
    for peak in _after(peaks, before):
        pause = _step(pause, peak, settings, is_over=peak[0] < now_minute)
    return pause


def remembered(
    prices: Mapping[str, PriceView], now_minute: int, settings: EntrySection, before: Pauses
) -> Pauses:
    """The pauses as of the newest minutes that are over; the same object while nothing has changed.

    A coin of which nothing is heard stays paused.
    """
    trigger = settings.spike_trigger_bp
    if trigger is None:
        return NO_PAUSES
    after = dict(before)
    for symbol, price in prices.items():
        known = before.get(symbol)
        if known is None and all(height < trigger for _, height in price.momentum_peaks):
            continue
        over = (each for each in _after(price.momentum_peaks, known) if each[0] < now_minute)
        pause = known
        for peak in over:
            pause = _step(pause, peak, settings, is_over=True)
        if pause is not None:
            after[symbol] = pause
        elif known is not None:
            del after[symbol]
    return before if after == before else after


def _after(peaks: Sequence[Peak], before: PauseMemory | None) -> Iterable[Peak]:
    """Those that are not counted in yet, ascending."""
    if before is None:
        return peaks
    return list(takewhile(lambda each: each[0] > before.minute, reversed(peaks)))[::-1]


def _step(
    pause: PauseMemory | None, peak: Peak, settings: EntrySection, *, is_over: bool
) -> PauseMemory | None:
    """The minute that still runs may yet peak: it ends no stretch and counts as calm only once it is over."""
    minute, height = peak
    if settings.spike_trigger_bp is not None and height >= settings.spike_trigger_bp:
        return PauseMemory(minute=minute, peak=height if pause is None else max(height, pause.peak), calm=0)
    if pause is None:
        return None
    in_a_row = pause.calm if minute <= pause.minute + 1 else 0
    calm = 0 if height >= settings.spike_resume_bp else in_a_row + is_over
    if calm >= settings.spike_calm_minutes:
        return None
    return PauseMemory(minute=minute, peak=max(height, pause.peak), calm=calm)
