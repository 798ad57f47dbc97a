"""One cause, told once: alarms of this look against the alerts of before give what is to be told now; it sends nothing.

A cause is told when it has lasted long enough, again at growing distances and only so often, and its end is told if it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from recio.messages.alerts import Alarm, Alert, Severity
from recio.settings.alerts import AlertsSection

GRAVER = "now"
"""How a sentence begins that tells of a known cause that has become graver."""
LONGEST = 1_000
"""Characters of a sentence."""
ENDS_AFTER = 10.0
"""Host seconds without its alarm after which an alert is over: what comes and goes is one thing, told once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What is known of one cause between two looks."""

    alert: Alert
    seen_at: datetime
    """When its alarm was there last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing to tell."""

    alert: Alert
    text: str
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is followed after a look, what has to be told, and the alerts whose rows have changed."""

    open: tuple[Followed, ...] = ()
    told: tuple[Told, ...] = ()
    changed: tuple[Alert, ...] = ()


def follow(
    before: Iterable[Followed],
    alarms: Sequence[Alarm],
    now: datetime,
    speed: float,
    settings: AlertsSection,
    new_id: Callable[[], str],
) -> Step:
    """`speed` is market seconds in one host second. Each cause stands at most once in `alarms`: the first counts."""
    known = {each.alert.cause: each for each in before}
    found: dict[str, Alarm] = {}
    for alarm in alarms:
        found.setdefault(alarm.cause, _in_plain_text(alarm))
    open_now: list[Followed] = []
    told: list[Told] = []
    for cause, alarm in found.items():
        followed = known.pop(cause, None) or Followed(alert=_new(alarm, now, new_id()), seen_at=now)
        alert = followed.alert
        text = _text_now(alert, alarm, now, speed, settings)
        if text:
            alert = _told_again(alert, alarm, now)
            told.append(Told(alert=alert, text=text, severity=alarm.severity))
        open_now.append(Followed(alert=alert, seen_at=now))
    for followed in known.values():
        if now - followed.seen_at < timedelta(seconds=ENDS_AFTER * speed):
            open_now.append(followed)
        elif followed.alert.told:
            told.append(_end(followed, speed))
    return Step(open=tuple(open_now), told=tuple(told), changed=tuple(each.alert for each in told))


def _in_plain_text(alarm: Alarm) -> Alarm:
    """Words of the venue may be among them: they go into rows and messages as one line that is not too long."""
    return replace(alarm, sentence=_plain(alarm.sentence), resolution=_plain(alarm.resolution))


def _plain(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text[:LONGEST])


def _new(alarm: Alarm, now: datetime, alert_id: str) -> Alert:
    return Alert(
        alert_id=alert_id,
        cause=alarm.cause,
        severity=alarm.severity,
        sentence=alarm.sentence,
        resolution=alarm.resolution,
        began_at=now,
    )


def _text_now(alert: Alert, alarm: Alarm, now: datetime, speed: float, settings: AlertsSection) -> str:
    """What to say of it at this look; empty: nothing."""
    lasted = (now - alert.began_at).total_seconds() / speed
    if alert.told_at is None:
        return _said(alarm) if lasted >= alarm.after else ""
    if alarm.severity.rank < alert.severity.rank:
        return f"{GRAVER} {alarm.severity}: {_said(alarm)}"
    since_told = (now - alert.told_at).total_seconds() / speed
    if (
        not alert.acknowledged_by
        and alert.told <= settings.max_repeats
        and since_told >= _distance(alert, settings)
    ):
        last = "; it is not told again until it ends" if alert.told == settings.max_repeats else ""
        return f"still, for {duration(lasted)}: {_said(alarm)}{last}"
    return ""


def _distance(alert: Alert, settings: AlertsSection) -> float:
    """Host seconds between two tellings: each time twice as long."""
    return settings.repeat_minutes * 60.0 * 2.0 ** min(alert.told - 1, 16)


def _said(alarm: Alarm) -> str:
    return f"{_ended(alarm.sentence)}. {alarm.resolution}" if alarm.resolution else _ended(alarm.sentence)


def _ended(sentence: str) -> str:
    """A fault that has a name and no words, as a time-out, leaves a colon with nothing behind it."""
    return sentence.rstrip(": ")


def _told_again(alert: Alert, alarm: Alarm, now: datetime) -> Alert:
    gravest = min((alert.severity, alarm.severity), key=lambda each: each.rank)
    return replace(
        alert,
        severity=gravest if alert.told else alarm.severity,
        sentence=alarm.sentence,
        resolution=alarm.resolution,
        told=alert.told + 1,
        told_at=max(now, alert.began_at),  # a clock may be set back
    )


def _end(followed: Followed, speed: float) -> Told:
    alert = replace(followed.alert, ended_at=max(followed.seen_at, followed.alert.began_at))
    lasted = (followed.seen_at - alert.began_at).total_seconds() / speed
    return Told(
        alert=alert, text=f"over after {duration(lasted)}: {_ended(alert.sentence)}", severity=alert.severity
    )


def duration(seconds: float) -> str:
    """For a person: 40 s, 12 min, 3 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.0f} h"
