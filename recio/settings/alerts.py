"""[alerts]: whom to call, when, and how often; the addresses themselves stand in a file of their own, never here."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator

from recio.settings.section import Section
from recio.settings.units import OFF, CountOrOff, Seconds

_MAIL = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def _time_of_day(value: Any) -> time | None:
    if value is None or value == OFF:
        return None
    return _clock_time(value, 'write a time as "07:30", or "off"')


def _clock_time(value: Any, otherwise: str) -> time:
    if isinstance(value, time):
        return value
    try:
        if len(value) != 5:
            raise ValueError
        return time.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(otherwise) from None


def _span(value: Any) -> tuple[time, time] | None:
    if value is None or value == OFF:
        return None
    if isinstance(value, tuple):
        return value  # pyright: ignore[reportUnknownVariableType] - a section that is built again
    otherwise = 'write two times as "22:00-07:00", or "off"'
    begin, _, end = value.partition("-") if isinstance(value, str) else ("", "", "")
    span = _clock_time(begin, otherwise), _clock_time(end, otherwise)
    if span[0] == span[1]:
        raise ValueError("begins and ends at the same time, so that it is no span: " + otherwise)
    return span


def _time_written(value: time | None) -> str:
    return OFF if value is None else f"{value:%H:%M}"


def _span_written(value: tuple[time, time] | None) -> str:
    return OFF if value is None else f"{value[0]:%H:%M}-{value[1]:%H:%M}"


TimeOrOff = Annotated[time | None, PlainSerializer(_time_written), BeforeValidator(_time_of_day)]
SpanOrOff = Annotated[tuple[time, time] | None, PlainSerializer(_span_written), BeforeValidator(_span)]


class AlertsSection(Section):
    channels_path: str = ""
    push_contact: str = ""
    quiet_hours: SpanOrOff = None
    time_zone: str = "UTC"
    repeat_minutes: Annotated[int, Field(ge=1, le=10_080)] = 60
    max_repeats: Annotated[int, Field(ge=0, le=1_000)] = 5
    max_messages_per_hour: Annotated[int, Field(ge=2, le=1_000)] = 20
    summary_at: TimeOrOff = None
    trades: bool = False
    ping_every_seconds: Seconds = 60.0
    after_seconds: Seconds = 30.0
    blind_after_seconds: Seconds = 15.0
    daily_loss_fraction: Annotated[float, Field(gt=0, le=1)] = 0.8
    max_backup_hours: CountOrOff = 26
    max_drill_days: CountOrOff = 8
    min_disk_days: Annotated[int, Field(ge=0, le=365)] = 3
    max_restarts: Annotated[int, Field(ge=1, le=1_000)] = 3
    idle_windows: Annotated[int, Field(ge=1, le=1_000)] = 8

    @field_validator("time_zone")
    @classmethod
    def known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                'is no time zone that this machine knows: write one as "America/New_York"'
            ) from None
        return value

    @field_validator("push_contact")
    @classmethod
    def an_address(cls, value: str) -> str:
        if value and not _MAIL.fullmatch(value):
            raise ValueError(
                'is no e-mail address that a push service could write to: write one as "you@example.com"'
            )
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
