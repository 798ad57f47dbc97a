"""What is known of the mean of a closing minute: prints that were made, what nobody saw of them, and those to come.

A print that was not seen is never taken for one that was. It is bridged between its neighbours with what the price may
have done in between, and what hangs on an exchange's price carries that exchange's distance from the index.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from recio.messages.prices import FinalMinute, PriceView
from recio.rules.market.settlement import PRINTS
from recio.rules.price.index_prints import REPEATS_FROM, TWITCH

INDEX = "index"
"""The source of a price that is the settlement index itself."""
A_SECOND_LATER = 1.0
"""The last price of a second stands for its end, a print of the index for its beginning."""
USUAL_REACH = 2.0
"""Standard deviations that a walk usually stays within."""
ROUNDED = 1.001
"""A step of one place, however it is rounded."""
SIXTY_STEPS = (PRINTS - 1) * (2 * PRINTS - 1) / 6 / PRINTS
"""Seconds: the variance of the mean of sixty values of a random walk that begins with the first."""
STARTS_AFTER = 1
"""The venue's own mean leaves out the first of the sixty prints."""


class ClosingMinute(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Dollars, but for `to_come`."""

    level: float
    """The price now."""
    expected: float
    """Where the mean will lie if the price does not move any more."""
    to_come: float
    """Variance of the mean by what the price will do, in seconds of the price's own variance."""
    aged: float = 0.0
    """The part of it that has passed already, unseen: the price is so old."""
    bridged: float = 0.0
    """Variance of the mean by what nobody saw, in dollars squared."""
    error: float = 0.0
    """By how much the mean may be off because its price is not the index: one standard error."""


class _Known(msgspec.Struct, frozen=True, gc=False):
    """The values of the seconds that were seen; a repetition that hid a move is none."""

    prints: Mapping[int, float]
    """Of the index."""
    traded: Mapping[int, float]

    def at(self, second: int) -> float | None:
        value = self.prints.get(second)
        return self.traded.get(second) if value is None else value


def closing_minute(price: PriceView, closes_at: int, volatility: float, now: float) -> ClosingMinute:
    """What is known now of the sixty seconds before `closes_at`; `volatility` is that of the past, per root second."""
    first, level = closes_at - PRINTS, float(price.tick.price)
    is_index = price.tick.source == INDEX
    later = 0.0 if is_index else A_SECOND_LATER
    anchor = price.tick.at.timestamp()
    anchor = anchor if anchor < now else now
    if anchor - later < first and price.final_minute is None:
        return _all_to_come(level, first + later - anchor, now - anchor, price.error * level)
    following = max(first, math.floor(anchor - later) + 1)
    venue = _venue_mean(price.final_minute, closes_at)
    if venue is not None:
        following = max(following, venue.until + 1)
    following = min(following, closes_at)
    to_come = closes_at - following
    variance = walk_variance(to_come, max(0.0, following + later - anchor)) / PRINTS**2
    aged = min(variance, (to_come / PRINTS) ** 2 * max(0.0, now - anchor))
    told_until = first - 1 if venue is None else venue.until
    hid, going_on = _repetitions(price.prints, told_until, level * volatility)
    known = _Known(
        {s: float(v) for s, v in price.prints if s not in hid},
        {s: float(v) for s, v in price.last_minute if s not in hid},
    )
    past = _past(known, first, following, venue, (anchor - later, level), level * volatility)
    hanging = past.hanging + (0 if is_index else to_come)
    beyond = math.sqrt(max(0.0, price.error**2 - (0.0 if is_index else price.basis_error**2)))
    doubtful = to_come + sum(first <= each < following for each in going_on)
    return ClosingMinute(
        level=level,
        expected=(past.total + level * to_come) / PRINTS,
        to_come=variance,
        aged=aged,
        bridged=past.variance / PRINTS**2,
        error=level * math.hypot(price.basis_error * hanging, beyond * doubtful) / PRINTS,
    )


def _all_to_come(level: float, before_first: float, age: float, error: float) -> ClosingMinute:
    """Of sixty prints none is made; what most decisions see, so it is computed without a call."""
    to_come = before_first + SIXTY_STEPS
    aged = age if age < before_first else before_first
    return ClosingMinute(level=level, expected=level, to_come=to_come, aged=aged, error=error)


def walk_variance(steps: int, before_first: float) -> float:
    """Variance of the sum of so many values of a random walk, a second apart, the first after so many seconds."""
    m = steps
    return m * m * before_first + (m - 1) * m * (2 * m - 1) / 6


def _repetitions(
    prints: Sequence[tuple[int, Decimal]], told_until: int, spread: float
) -> tuple[set[int], set[int]]:
    """(hid what the price did, still go on): seconds after `told_until` of which the index said what it had said before.

    Its feed may have stood still, or the index itself. What goes on may be as far off as the price is. What a later print ended was
    copies: a market that lives hardly ever repeats itself for so long, so nobody knows what the price did meanwhile.
    """
    hid, going_on, copies = set[int](), set[int](), set[int]()
    since, stood_at, before = 0, Decimal(0), 0
    for second, value in prints:
        if abs(value - stood_at) > TWITCH * stood_at:
            if float(abs(value - stood_at)) > _by_itself(value, spread, second - before):
                hid |= going_on
            before = second
            going_on, copies, since, stood_at = set[int](), set[int](), second, value
            continue
        before = second
        if second > told_until:
            copies.add(second)
        if second - since >= REPEATS_FROM:
            going_on |= copies
    return hid, going_on


def _by_itself(value: Decimal, spread: float, seconds: int) -> float:
    """How far an index may step that stood although it lives: nothing, but where its last place hides the move of a second."""
    exponent = value.as_tuple().exponent
    place = 10.0**exponent if isinstance(exponent, int) else 0.0
    return 0.0 if place < spread else max(USUAL_REACH * spread * math.sqrt(seconds), place * ROUNDED)


def _venue_mean(said: FinalMinute | None, closes_at: int) -> FinalMinute | None:
    """The venue's running mean, if it is of this minute and knows every print of it so far."""
    if said is None or said.closes_at != closes_at:
        return None
    until = min(said.until, closes_at - 1)
    is_whole = until == said.until and said.count == until - (closes_at - PRINTS)
    return said if is_whole and said.count > 0 else None


class _Past(msgspec.Struct, gc=False):
    total: float = 0.0
    variance: float = 0.0
    hanging: int = 0
    """Seconds whose value is an exchange's, or was bridged from one."""


def _past(
    known: _Known,
    first: int,
    following: int,
    venue: FinalMinute | None,
    anchor: tuple[float, float],
    spread: float,
) -> _Past:
    """The seconds from `first` to before `following`, seen or not; `spread` is in dollars per root second."""
    past = _Past()
    told = range(0) if venue is None else range(first + STARTS_AFTER, venue.until + 1)
    mean = 0.0 if venue is None else float(venue.mean)
    if venue is not None:
        past.total += mean * len(told)
    missing: list[int] = []
    before = _newest_before(known, first)
    for second in range(first, following):
        value = (known.prints.get(second, mean)) if second in told else known.at(second)
        if value is None:
            missing.append(second)
            continue
        if missing:
            _bridge(past, missing, before, (second, value), spread, _hangs(known, before, second, told))
            missing = []
        if second not in told:
            past.total += value
            past.hanging += second not in known.prints
        before = (second, value)
    if missing:
        hangs = _hangs(known, before, None, told)
        _bridge(past, missing, before, anchor, spread, hangs)
    return past


def _newest_before(known: _Known, first: int) -> tuple[int, float] | None:
    second = max((each for each in (*known.prints, *known.traded) if each < first), default=None)
    value = None if second is None else known.at(second)
    return None if second is None or value is None else (second, value)


def _hangs(known: _Known, before: tuple[int, float] | None, after: int | None, told: range) -> bool:
    """Whether one of the ends of a bridge is an exchange's price."""

    def is_exact(second: int | None) -> bool:
        return second is not None and (second in told or second in known.prints)

    return not ((before is None or is_exact(before[0])) and is_exact(after))


def _bridge(
    past: _Past,
    missing: Sequence[int],
    before: tuple[int, float] | None,
    after: tuple[float, float],
    spread: float,
    hangs: bool,
) -> None:
    """Add seconds that nobody saw: the straight line between what was seen, and what a walk between both ends may have done.

    A move across the hole that is larger than a walk makes in that time may have come at any moment of it, and counts so.
    """
    past.hanging += len(missing) if hangs else 0
    end, value = after
    if before is None:
        past.total += value * len(missing)
        past.variance += spread * spread * _shared([end - each for each in reversed(missing)])
        return
    start, began = before
    length, moved = end - start, value - began
    offsets = [min(float(each - start), length) for each in missing]
    past.total += math.fsum(began + moved * each / length for each in offsets)
    per_second = max(spread * spread, moved * moved / length)
    past.variance += per_second * max(0.0, _shared(offsets) - math.fsum(offsets) ** 2 / length)


def _shared(offsets: Sequence[float]) -> float:
    """Variance of the sum of a walk's values at these times, ascending."""
    count = len(offsets)
    return math.fsum(max(0.0, each) * (2 * (count - nth) - 1) for nth, each in enumerate(offsets))
