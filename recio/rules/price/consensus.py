"""What several price sources agree on, which of them cannot be believed, and when nobody can; it never invents a price.

A source is left out when it is not connected, silent, frozen (it talks, but stands still while the others move) or far
from the others. A quiet market is none of these: all stand still together, and their heartbeats confirm it. Who is
wrong is told by the settlement index, else by the majority, else by continuity: of two that agreed, the one that left
in one jump while the other went on. Where none of them tells, the price is unreliable, and an unreliable price is not traded on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from statistics import median

from recio.messages.prices import SourceState, SourceView
from recio.rules.price.price_sources import BASIS_POINT, FAR, FROZEN, Heard, Limits, apart_bp, quoted

MOVED_BP = Decimal(3)
"""By so much the others must have moved for a source that did not to count as frozen."""
SETTLED_SECONDS = 10.0
"""Market seconds that a jump must stand before anything is concluded from it."""
ANCHOR_SECONDS = 60.0
"""Market seconds for which the last price that two agreed on tells whether a newcomer's first price is a jump."""
STANDING_SECONDS = 3.0
"""Market seconds for which the middle of all may stand still before what the others did meanwhile counts against it."""
RETURN = Decimal("0.8")
"""What was too far apart is together again within this part of the limit, so that nothing comes and goes at its edge."""

WRONG = {SourceState.FROZEN: FROZEN, SourceState.OUTLIER: FAR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The newest price that two voices agreed on, the index being one."""

    price: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Every source of one coin, and what they last agreed on."""

    sources: Mapping[str, Heard] = field(default_factory=dict[str, Heard])
    anchor: Anchor | None = None
    was_unreliable: bool = False
    """The price was unreliable at the last look."""

    def having(self, heard: Heard) -> Panel:
        return replace(self, sources={**self.sources, heard.source: heard})


@dataclass(frozen=True, slots=True, kw_only=True)
class Consensus:
    """`price` is None while no source can be believed; `unreliable` says why one that is there must not be traded on."""

    price: Decimal | None
    at: datetime | None
    """The newest moment at which a believed source named this or confirmed that nothing changed."""
    heard_at: datetime | None
    sources: tuple[SourceView, ...]
    unreliable: str
    believed: tuple[str, ...] = ()
    levels: tuple[Decimal, ...] = ()
    """Of those whose word counts now, at the level of the index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    believed: tuple[Heard, ...]
    unreliable: str = ""


def hears(
    panel: Panel, source: str, price: Decimal, at: datetime | None, received_at: datetime, limits: Limits
) -> Panel:
    """The panel after one source named a price."""
    heard = panel.sources[source]
    others = {
        name: each.price for name, each in panel.sources.items() if name != source and each.price is not None
    }
    jumped = _is_jump(heard, price, panel.anchor, received_at, limits)
    return panel.having(quoted(heard, price, at, received_at, others, jumped=jumped, twitch=limits.twitch))


def _is_jump(heard: Heard, price: Decimal, anchor: Anchor | None, now: datetime, limits: Limits) -> bool:
    """Further in one step than sources may differ: from its own last price or, for a newcomer, from the anchor."""
    if heard.price is not None:
        return apart_bp(price, heard.price) > limits.divergence_bp
    if anchor is None or _seconds(anchor.at, now) > ANCHOR_SECONDS:
        return False
    level = replace(heard, price=price).level or price
    return apart_bp(level, anchor.price) > limits.divergence_bp


def agree(panel: Panel, limits: Limits, now: datetime, index: Decimal | None = None) -> Consensus:
    """The price that the believable sources agree on. `index` is a fresh settlement index, if there is one."""
    named = sorted(panel.sources.values(), key=lambda heard: heard.source)
    views = {heard.source: _view(heard, limits, now) for heard in named}
    talking = [heard for heard in named if views[heard.source].state is SourceState.GOOD]
    views |= {
        heard.source: _unless_frozen(views[heard.source], heard, talking, limits, now) for heard in named
    }
    good = tuple(heard for heard in talking if views[heard.source].state is SourceState.GOOD)
    closer = replace(limits, divergence_bp=limits.divergence_bp * RETURN) if panel.was_unreliable else limits
    verdict = _verdict(good, closer, now, index)
    counted = _fresh_levels(verdict.believed, limits)
    price = median(counted) if counted else None
    views |= {
        heard.source: _outlier(views[heard.source], heard, price, index)
        for heard in good
        if heard not in verdict.believed
    }
    return Consensus(
        price=price,
        at=max((heard.at for heard in verdict.believed if heard.at), default=None),
        heard_at=max((heard.heard_at for heard in verdict.believed if heard.heard_at), default=None),
        sources=tuple(views[name] for name in panel.sources),
        unreliable=verdict.unreliable,
        believed=tuple(heard.source for heard in verdict.believed),
        levels=counted,
    )


def carried(panel: Panel, agreed: Consensus, now: datetime, index: Decimal | None = None) -> Panel:
    """The panel with what this agreement teaches about its sources."""
    if agreed.price is None or agreed.unreliable:
        return replace(panel, was_unreliable=agreed.price is not None)
    wrong = {view.source: WRONG[view.state] for view in agreed.sources if view.state in WRONG}

    def judged(heard: Heard) -> Heard:
        if heard.source in wrong:
            return replace(heard, quarantined=wrong[heard.source])
        return replace(heard, quarantined="", jumped_at=None) if heard.source in agreed.believed else heard

    sources = {name: judged(heard) for name, heard in panel.sources.items()}
    two_voices = index is not None or len(agreed.believed) > 1
    anchor = Anchor(price=agreed.price, at=now) if two_voices else panel.anchor
    return Panel(sources=sources, anchor=anchor)


def left_behind(panel: Panel, agreed: Consensus, now: datetime) -> Decimal:
    """How far, in basis points, another source has gone since those in the middle last moved; 0 while the middle lives.

    A majority that stands still may be a quiet market beside one feed gone mad, or feeds that froze together: nobody can
    tell, so the price is known no better than that.
    """
    middle = _in_the_middle([panel.sources[name] for name in agreed.believed])
    newest = max(middle, key=lambda heard: heard.moved_at or now, default=None)
    if newest is None or newest.moved_at is None or _seconds(newest.moved_at, now) <= STANDING_SECONDS:
        return Decimal(0)
    talking = {
        each.source for each in agreed.sources if each.state in (SourceState.GOOD, SourceState.OUTLIER)
    }
    moves = (
        apart_bp(each.price, newest.others_then[name])
        for name, each in panel.sources.items()
        if name in talking and name in newest.others_then and each.price is not None
    )
    return max(moves, default=Decimal(0))


def contradicted_by(panel: Panel, agreed: Consensus, now: datetime) -> Decimal:
    """How far, in basis points, the furthest voice is from what most of three and more say; 0 of fewer.

    Most may be late, or copy each other, and the one beside them be right. Who left them by a jump counts for as long as a jump
    must stand: a market that really jumped is followed by then, and a feed gone mad is not. Who walked away counts on.
    """
    heard = [panel.sources[each.source] for each in agreed.sources if _has_a_voice(panel, each, now)]
    if agreed.price is None or len(heard) < 3:
        return Decimal(0)
    price = agreed.price
    return max(apart_bp(each.level, price) for each in heard if each.level is not None)


def _has_a_voice(panel: Panel, seen: SourceView, now: datetime) -> bool:
    heard = panel.sources[seen.source]
    if seen.state is SourceState.OUTLIER:
        return heard.jumped_at is None or _jumped_lately(heard, now)
    return seen.state is SourceState.GOOD


def _in_the_middle(believed: Iterable[Heard]) -> list[Heard]:
    """Whose level is the median: one, or two."""
    ordered = sorted((heard.level, heard.source, heard) for heard in believed if heard.level is not None)
    half = (len(ordered) - 1) // 2
    return [heard for _, _, heard in ordered[half : len(ordered) - half]]


def _view(heard: Heard, limits: Limits, now: datetime) -> SourceView:
    state, note = _state(heard, limits, now)
    return SourceView(
        source=heard.source,
        state=state,
        price=heard.price,
        at=heard.at,
        heard_at=heard.heard_at,
        note=note,
    )


def _state(heard: Heard, limits: Limits, now: datetime) -> tuple[SourceState, str]:
    if not heard.connected:
        return (SourceState.DOWN if heard.note else SourceState.CONNECTING), heard.note
    if heard.heard_at is not None and _seconds(heard.heard_at, now) > limits.silence_seconds:
        return SourceState.SILENT, "connected, and nothing comes"
    if heard.price is None or heard.at is None:
        return SourceState.CONNECTING, heard.note or "no price yet"
    age = _seconds(heard.at, now)
    if age > limits.silence_seconds:
        return SourceState.SILENT, f"what it says of its price is {age:.0f} s old"
    usual = heard.basis.ratio / BASIS_POINT
    return SourceState.GOOD, f"usually {usual:+.1f} bp from the index" if usual else ""


def _unless_frozen(
    view: SourceView, heard: Heard, talking: Iterable[Heard], limits: Limits, now: datetime
) -> SourceView:
    """Frozen: it stood still while most of the others moved, and not by a jump that nobody confirms."""
    if view.state is not SourceState.GOOD or heard.moved_at is None:
        return view
    still = _seconds(heard.moved_at, now)
    then = heard.others_then
    others = [each for each in talking if each.source in then and each.source != heard.source]
    if still <= limits.frozen_seconds or not others:
        return view
    moves = [
        apart_bp(each.price, then[each.source])
        for each in others
        if each.price is not None and each.jumped_at is None
    ]
    away = [move for move in moves if move > MOVED_BP]
    if 2 * len(away) <= len(others):
        return view
    note = f"stands still for {still:.0f} s while the others moved {max(away):.1f} bp"
    return replace(view, state=SourceState.FROZEN, note=note)


def _verdict(good: tuple[Heard, ...], limits: Limits, now: datetime, index: Decimal | None) -> _Verdict:
    if not good:
        return _Verdict(believed=(), unreliable="no source has a price")
    if index is not None:
        near = _near(good, index, limits)
        return _Verdict(believed=near) if near else _Verdict(believed=good, unreliable=_far(good, index))
    if len(good) == 1:
        return _alone(good[0], now)
    if len(good) == 2:
        return _pair(good[0], good[1], limits, now)
    near = _near(good, median(_levels(good)), limits)
    if 2 * len(near) > len(good):
        return _Verdict(believed=near)
    return _Verdict(believed=good, unreliable="the sources do not agree")


def _alone(heard: Heard, now: datetime) -> _Verdict:
    unreliable = ""
    if heard.quarantined:
        unreliable = f"{heard.source}, the only source left, was {heard.quarantined}"
    elif _jumped_lately(heard, now):
        unreliable = f"{heard.source}, the only source, jumped, and nobody confirms it yet"
    return _Verdict(believed=(heard,), unreliable=unreliable)


def _pair(one: Heard, other: Heard, limits: Limits, now: datetime) -> _Verdict:
    """Of two that differ nobody can say who is right, unless one was wrong before or left by a jump."""
    first, second = _levels((one, other))
    limit = limits.divergence_bp * (RETURN if one.quarantined or other.quarantined else 1)
    if apart_bp(first, second) <= limit:
        return _Verdict(believed=(one, other))
    if bool(one.quarantined) is not bool(other.quarantined):
        return _alone(other if one.quarantined else one, now)
    for left, stayed in ((one, other), (other, one)):
        if _left_alone(left, stayed, now):
            return _Verdict(believed=(stayed,))
    return _Verdict(
        believed=(one, other),
        unreliable=f"{one.source} and {other.source} differ by {apart_bp(first, second):.1f} bp",
    )


def _left_alone(left: Heard, stayed: Heard, now: datetime) -> bool:
    """One jumped some time ago, and the other has moved since without a jump: it lives, and did not follow."""
    return (
        left.jumped_at is not None
        and stayed.jumped_at is None
        and stayed.moved_at is not None
        and stayed.moved_at > left.jumped_at
        and _seconds(left.jumped_at, now) > SETTLED_SECONDS
    )


def _jumped_lately(heard: Heard, now: datetime) -> bool:
    return heard.jumped_at is not None and _seconds(heard.jumped_at, now) <= SETTLED_SECONDS


def _near(good: Iterable[Heard], middle: Decimal, limits: Limits) -> tuple[Heard, ...]:
    def is_near(heard: Heard) -> bool:
        limit = limits.divergence_bp * (RETURN if heard.quarantined else 1)
        return heard.level is not None and apart_bp(heard.level, middle) <= limit

    return tuple(heard for heard in good if is_near(heard))


def _far(good: tuple[Heard, ...], index: Decimal) -> str:
    away = min(apart_bp(level, index) for level in _levels(good))
    return f"the index is {away:.1f} bp from every source"


def _outlier(view: SourceView, heard: Heard, price: Decimal | None, index: Decimal | None) -> SourceView:
    middle = price if index is None else index
    if middle is None or heard.level is None:
        return view
    note = f"{apart_bp(heard.level, middle):.1f} bp from the {'others' if index is None else 'index'}"
    return replace(view, state=SourceState.OUTLIER, note=note)


def _fresh_levels(believed: tuple[Heard, ...], limits: Limits) -> tuple[Decimal, ...]:
    """Of those whose word is not much older than the newest."""
    newest = max((heard.at for heard in believed if heard.at), default=None)
    fresh = [
        heard
        for heard in believed
        if newest and heard.at and _seconds(heard.at, newest) <= limits.fresh_seconds
    ]
    return tuple(_levels(fresh))


def _levels(sources: Iterable[Heard]) -> list[Decimal]:
    return [heard.level for heard in sources if heard.level is not None]


def _seconds(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds()
