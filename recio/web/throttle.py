"""How long whoever failed to log in has to wait before the next try; it knows no clock, and locks nobody out at loopback."""

from __future__ import annotations

from dataclasses import dataclass, field

FREE_TRIES = 5
FIRST_WAIT = 15.0
"""Seconds after the last free try; each further failure doubles it."""
LONGEST_WAIT = 900.0
FORGET_AFTER = 3_600.0
KEPT = 4_096
"""Names and addresses that are remembered; beyond, whoever failed least is forgotten first."""


@dataclass(slots=True)
class _Tries:
    failed: int = 0
    last_at: float = 0.0


@dataclass(slots=True)
class Throttle:
    """Times are host monotonic seconds. A key is a name, or an address; at loopback nobody asks here."""

    _tries: dict[str, _Tries] = field(default_factory=dict[str, _Tries])

    def wait(self, keys: tuple[str, ...], now: float) -> float:
        """Seconds until one of these may try again; 0: now."""
        return max((self._wait(key, now) for key in keys), default=0.0)

    def _wait(self, key: str, now: float) -> float:
        tries = self._tries.get(key)
        if tries is None or tries.failed < FREE_TRIES:
            return 0.0
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (tries.failed - FREE_TRIES))
        return max(0.0, tries.last_at + wait - now)

    def failed(self, keys: tuple[str, ...], now: float) -> None:
        for key in keys:
            tries = self._tries.get(key)
            if tries is None or now - tries.last_at > FORGET_AFTER:
                self._make_room(now)
                tries = self._tries[key] = _Tries()
            tries.failed += 1
            tries.last_at = now

    def succeeded(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            self._tries.pop(key, None)

    def _make_room(self, now: float) -> None:
        if len(self._tries) < KEPT:
            return
        old = [key for key, each in self._tries.items() if now - each.last_at > FORGET_AFTER]
        for key in old or [min(self._tries, key=lambda each: self._tries[each].failed)]:
            del self._tries[key]
