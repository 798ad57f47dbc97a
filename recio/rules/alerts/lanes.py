"""Lanes that could not have traded: a live strategy that the same gate stopped through whole windows, one after another; it opens no gate.

A gate that judges an offer is no such gate: who waits for an edge, or is in already, could have traded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from recio.messages.alerts import Alarm, Severity
from recio.messages.decisions import RejectionCount
from recio.units import EventTicker

COULD_TRADE = frozenset({"edge", "already in", "re-entry", "cooldown", "switch", "too early", "too late"})
"""Gates of a lane that works; the last two are the parts of a window in which nobody wants to trade."""
OUTSIDE = frozenset({"too early", "too late"})
WHOLE_WINDOW = 0.9
"""The share of a window's looks from which a gate has stopped all of it."""
FEWEST_LOOKS = 5
Lane = tuple[str, str]
"""Strategy and series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Windows in a row of one lane that one gate stopped."""

    gate: str
    windows: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """What is remembered: the windows that are open, and how each lane fared in those that are over."""

    windows: Mapping[tuple[str, EventTicker], tuple[RejectionCount, ...]] = field(
        default_factory=dict[tuple[str, EventTicker], tuple[RejectionCount, ...]]
    )
    stopped: Mapping[Lane, Stopped] = field(default_factory=dict[Lane, Stopped])
    entered: frozenset[EventTicker] = frozenset()
    """Open windows in which something was bought."""


def remember(
    before: Lanes,
    counted: Iterable[RejectionCount],
    live: Collection[str],
    entered: Mapping[EventTicker, int],
) -> Lanes:
    """After a look. `counted` is of the open events; `entered`: entries by event."""
    windows: dict[tuple[str, EventTicker], tuple[RejectionCount, ...]] = {}
    for each in counted:
        if each.by in live and each.event:
            key = each.by, each.event
            windows[key] = (*windows.get(key, ()), each)
    stopped = dict(before.stopped)
    bought = before.entered | {event for event, entries in entered.items() if entries}
    for (strategy, event), counts in before.windows.items():
        lane = strategy, event.split("-")[0]
        if event in bought:
            stopped.pop(lane, None)
        elif (strategy, event) not in windows:
            _close(stopped, lane, counts)
    still_open = {event for _, event in windows}
    return Lanes(windows=windows, stopped=stopped, entered=frozenset(bought & still_open))


def _close(stopped: dict[Lane, Stopped], lane: Lane, counts: tuple[RejectionCount, ...]) -> None:
    inside = [each for each in counts if each.gate not in OUTSIDE]
    looks = sum(each.cycles for each in inside)
    if looks < FEWEST_LOOKS:
        return
    most = max(inside, key=lambda each: each.cycles)
    if most.cycles < WHOLE_WINDOW * looks or most.gate in COULD_TRADE:
        stopped.pop(lane, None)
        return
    before = stopped.get(lane)
    windows = before.windows + 1 if before is not None and before.gate == most.gate else 1
    stopped[lane] = Stopped(gate=most.gate, windows=windows, sentence=most.sentence)


def alarms(lanes: Lanes, most: int) -> Iterator[Alarm]:
    """Of each lane that was stopped through `most` windows or more."""
    for (strategy, series), each in lanes.stopped.items():
        if each.windows >= most:
            yield Alarm(
                cause=f"idle: {strategy} on {series}",
                severity=Severity.WARNING,
                sentence=f"{strategy} could not have traded on {series} for {each.windows} windows: the gate"
                f' "{each.gate}" was closed all the time ({each.sentence})',
                resolution='Look at the Health view, and at the setting of that gate where it has one; stage = "off" if it is meant',
            )
