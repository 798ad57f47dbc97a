"""When a message may leave for a channel: its severity, quiet hours, the rate limit, and how long to wait after a failure; it sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from recio.messages.alerts import Delivery, Severity
from recio.settings.alerts import AlertsSection

HOUR = 3_600.0
FIRST_WAIT, LONGEST_WAIT = 5.0, 900.0
ATTEMPTS = 12
"""Over about an hour; afterwards a message is old news."""
MOST_TOGETHER = 20
"""Messages in one; what is more is counted."""


def is_quiet(now: datetime, settings: AlertsSection) -> bool:
    """`now` is aware UTC."""
    if settings.quiet_hours is None:
        return False
    begin, end = settings.quiet_hours
    at = now.astimezone(settings.zone).time()
    return begin <= at < end if begin < end else at >= begin or at < end


def reason_to_wait(
    severity: Severity, now: datetime, sent: Sequence[float], host: float, settings: AlertsSection
) -> str:
    """What a message waits for; empty if it may leave. `sent`: host seconds at which messages left this channel, `host` the same now.

    Half of an hour's messages are kept for what is critical.
    """
    is_critical = severity is Severity.CRITICAL
    if not is_critical and is_quiet(now, settings):
        return "quiet hours"
    most = settings.max_messages_per_hour if is_critical else settings.max_messages_per_hour // 2
    lately = sum(host - each < HOUR for each in sent)
    return "" if lately < most else f"{lately} messages in the last hour (alerts.max_messages_per_hour)"


def wait_after(attempts: int) -> float:
    """Host seconds until the next attempt."""
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(max(attempts - 1, 0), 16))


def joined(waiting: Sequence[Delivery]) -> tuple[str, Severity]:
    """One message of several that waited, the gravest first, in the order in which they came."""
    ordered = sorted(waiting, key=lambda each: each.severity.rank)
    told = [each.text for each in ordered[:MOST_TOGETHER]]
    if len(ordered) > MOST_TOGETHER:
        told.append(f"and {len(ordered) - MOST_TOGETHER} more: see the page")
    return "\n".join(told), ordered[0].severity
