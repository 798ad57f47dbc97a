"""When trading or the whole exchange is halted, weekly or because a fault asked for it; it stops nothing itself."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
WEEKLY_FROM_HOUR = 3
WEEKLY_TO_HOUR = 5
_THURSDAY = 3
_DAY_MS = 86_400_000


class Pauses:
    """Pauses by venue time, in milliseconds."""

    def __init__(self, *, weekly: bool) -> None:
        self.weekly = weekly
        self._trading_until_ms = 0
        self._exchange_until_ms = 0

    def pause_trading(self, until_ms: int) -> None:
        self._trading_until_ms = max(self._trading_until_ms, until_ms)

    def pause_exchange(self, until_ms: int) -> None:
        self._exchange_until_ms = max(self._exchange_until_ms, until_ms)

    def exchange_paused(self, now_ms: int) -> bool:
        return now_ms < self._exchange_until_ms

    def trading_paused(self, now_ms: int) -> bool:
        return now_ms < self.trading_resumes_ms(now_ms)

    def trading_resumes_ms(self, now_ms: int) -> int:
        """When trading goes on; not after `now_ms` unless it is paused."""
        weekly = weekly_pause_end(now_ms) if self.weekly else 0
        return max(self._trading_until_ms, self._exchange_until_ms, weekly)


def weekly_pause_end(now_ms: int) -> int:
    """End of the Thursday pause that this moment is in; 0 outside it."""
    # The pause lies within the same day in UTC, and the first day of 1970 was a Thursday.
    if now_ms // _DAY_MS % 7:
        return 0
    local = datetime.fromtimestamp(now_ms // 1000, UTC).astimezone(NEW_YORK)
    if local.weekday() != _THURSDAY or not WEEKLY_FROM_HOUR <= local.hour < WEEKLY_TO_HOUR:
        return 0
    end = local.replace(hour=WEEKLY_TO_HOUR, minute=0, second=0, microsecond=0)
    return int(end.timestamp()) * 1000
