"""Reads whether our shard trades and when it pauses; what the venue says of one shard is never taken for another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from recio.errors import Transient
from recio.kalshi.responses import NOT_DECODABLE, Instant, decoded
from recio.kalshi.rest import KalshiRest
from recio.messages.markets import VenuePhase, VenueState
from recio.times import NEW_YORK

MAY_CARRY_STATUS = (200, 500, 503, 504)
"""A paused exchange may send its status with one of these."""
DAYS_BEHIND = 1
"""A pause that lasts now may have begun before midnight."""
DAYS_AHEAD = 8
CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
END_OF_DAY = ("00:00", "24:00", "23:59")
PATH = "/exchange/schedule"
TOP_LEVEL_SHARD = 0

Pause = tuple[datetime, datetime]


class _ShardStatus(msgspec.Struct):
    exchange_index: int
    exchange_active: bool
    trading_active: bool


class _ShardName(msgspec.Struct):
    exchange_index: object = None


class _Status(msgspec.Struct):
    exchange_active: bool
    trading_active: bool
    exchange_estimated_resume_time: Instant | None = None
    exchange_index_statuses: list[msgspec.Raw] | None = None
    """Absent when the venue cannot tell its shards apart: no word about any of them."""


class _Hours(msgspec.Struct):
    open_time: str
    close_time: str


class _Week(msgspec.Struct):
    """Opening hours of each weekday, in New York time, while this plan holds."""

    start_time: Instant
    end_time: Instant
    monday: list[_Hours]
    tuesday: list[_Hours]
    wednesday: list[_Hours]
    thursday: list[_Hours]
    friday: list[_Hours]
    saturday: list[_Hours]
    sunday: list[_Hours]

    def of(self, day: date) -> list[_Hours]:
        days = (
            *(self.monday, self.tuesday, self.wednesday, self.thursday),
            *(self.friday, self.saturday, self.sunday),
        )
        return days[day.weekday()]


class _Window(msgspec.Struct):
    start_datetime: datetime
    end_datetime: datetime


class _Schedule(msgspec.Struct):
    standard_hours: list[_Week]
    maintenance_windows: list[_Window]


class _OneSchedule(msgspec.Struct):
    schedule: _Schedule


async def read_state(rest: KalshiRest, exchange_index: int | None, pauses: tuple[Pause, ...]) -> VenueState:
    """Whether the shard trades now, and the next of the announced pauses. Raises Transient."""
    path = "/exchange/status"
    status = decoded(await rest.get(path, statuses=MAY_CARRY_STATUS), _Status, path)
    resumes = status.exchange_estimated_resume_time
    return VenueState(
        phase=_phase(status, exchange_index),
        resumes_at=None if resumes is None else resumes.astimezone(UTC),
        next_pause=next_pause(pauses, rest.clock.utc()),
    )


async def read_pauses(rest: KalshiRest) -> tuple[Pause, ...]:
    """Announced pauses of the coming days, soonest first: maintenance, and the hours of the week without trading."""
    schedule = (await rest.read(PATH, _OneSchedule)).schedule
    today = rest.clock.utc().astimezone(NEW_YORK).date()
    found = [
        (_aware(each.start_datetime), _aware(each.end_datetime)) for each in schedule.maintenance_windows
    ]
    for week in schedule.standard_hours:
        found += _closed_hours(week, today)
    return _merged((begin.astimezone(UTC), end.astimezone(UTC)) for begin, end in found)


def next_pause(pauses: Iterable[Pause], now: datetime) -> Pause | None:
    """The pause that lasts now, or the one that comes next."""
    return next((pause for pause in pauses if pause[1] > now), None)


def _phase(status: _Status, exchange_index: int | None) -> VenuePhase:
    """The top-level flags speak for shard 0 only.

    Of another shard, where none is listed, they are a reason to wait and none to give up a stop: a pause is unknown then.
    A shard that is not listed among others is unknown in any case.
    """
    shards = status.exchange_index_statuses
    if shards and exchange_index is not None:
        ours = _listed(shards, exchange_index)
        return VenuePhase.UNKNOWN if ours is None else _phase_of(ours)
    at_the_top = _phase_of(status)
    if exchange_index != TOP_LEVEL_SHARD and at_the_top is not VenuePhase.TRADING:
        return VenuePhase.UNKNOWN
    return at_the_top


def _phase_of(flags: _Status | _ShardStatus) -> VenuePhase:
    if not flags.exchange_active:
        return VenuePhase.EXCHANGE_PAUSED
    return VenuePhase.TRADING if flags.trading_active else VenuePhase.TRADING_PAUSED


def _listed(shards: Iterable[msgspec.Raw], exchange_index: int) -> _ShardStatus | None:
    """Our shard as it is listed; what is written of others costs nobody anything. Raises Transient for one that cannot be read."""
    for raw in shards:
        try:
            name = msgspec.json.decode(raw, type=_ShardName).exchange_index
        except NOT_DECODABLE:
            continue
        if name == exchange_index and not isinstance(name, bool):
            return decoded(bytes(raw), _ShardStatus, f"shard {exchange_index} of /exchange/status")
    return None


def _closed_hours(week: _Week, today: date) -> Iterator[Pause]:
    """The holes between the opening hours of the days around now."""
    for ahead in range(-DAYS_BEHIND, DAYS_AHEAD):
        day = today + timedelta(days=ahead)
        midnight, end = _at(day, "00:00"), _end(day, "00:00")
        if not week.start_time <= midnight < week.end_time:
            continue
        edge = midnight
        for opens, closes in sorted(
            (_at(day, each.open_time), _end(day, each.close_time)) for each in week.of(day)
        ):
            if closes <= opens:
                raise Transient(f"{PATH}: open_time {opens:%H:%M} is not before close_time {closes:%H:%M}")
            if opens > edge:
                yield edge, opens
            edge = max(edge, closes)
        if edge < end:
            yield edge, end


def _merged(pauses: Iterable[Pause]) -> tuple[Pause, ...]:
    """Sorted, and what overlaps or touches as one."""
    merged: list[Pause] = []
    for begin, end in sorted(pauses):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif begin < end:
            merged.append((begin, end))
    return tuple(merged)


def _at(day: date, text: str) -> datetime:
    found = CLOCK.fullmatch(text)
    if found is None:
        raise Transient(f"{PATH}: open_time or close_time {text[:20]!r} is not a time of day")
    return datetime.combine(day, time(int(found[1]), int(found[2])), NEW_YORK)


def _end(day: date, text: str) -> datetime:
    """A closing time: midnight and a minute before it are the end of the day."""
    if text in END_OF_DAY:
        return _at(day + timedelta(days=1), "00:00")
    return _at(day, text)


def _aware(at: datetime) -> datetime:
    """The schedule is in New York time where it does not say otherwise."""
    return at if at.tzinfo else at.replace(tzinfo=NEW_YORK)
