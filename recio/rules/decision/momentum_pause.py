"""Whether entries pause because the market ran: from the peak of momentum of each past minute; it keeps no state of its own.

A pause begins when momentum reaches the trigger and ends only after it has stayed below the lower resume level for a whole
stretch of minutes. It is computed anew from what is remembered, so that a restart neither ends nor forgets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recio.rules.price.momentum import Peak


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    peak: float
    """The highest momentum since the pause began."""
    calm: int
    """Minutes in a row that have been calm so far."""


def paused(
    peaks: Sequence[Peak], now_minute: int, trigger: float, resume: float, calm_minutes: int
) -> Paused | None:
    """The pause that lasts now, if one does; `peaks` ascend, and a minute that is missing is not a calm one."""
    pause: Paused | None = None
    last: int | None = None
    for minute, peak in peaks:
        if pause is not None and last is not None and minute != last + 1:
            pause = Paused(peak=pause.peak, calm=0)
        pause = _after(pause, peak, trigger, resume, is_over=minute < now_minute)
        if pause is not None and pause.calm >= calm_minutes:
            pause = None
        last = minute
    return pause


def _after(
    pause: Paused | None, peak: float, trigger: float, resume: float, *, is_over: bool
) -> Paused | None:
    """The minute that still runs may yet peak: it ends no stretch and counts as calm only once it is over."""
    if peak >= trigger:
        return Paused(peak=peak if pause is None else max(peak, pause.peak), calm=0)
    if pause is None:
        return None
    calm = 0 if peak >= resume else pause.calm + is_over
    return Paused(peak=max(peak, pause.peak), calm=calm)
