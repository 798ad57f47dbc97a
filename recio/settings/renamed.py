"""Keys and values of recio.toml that have another name now: an old one is refused with the new one, and never read."""

from __future__ import annotations

from collections.abc import Sequence

KEYS = {
    ("kalshi", "silence_limit_seconds"): "idle_timeout_seconds",
    ("prices", "silence_limit_seconds"): "idle_timeout_seconds",
    ("prices", "stuck_seconds"): "frozen_seconds",
    ("entry", "spike_trigger_hundredths"): "spike_trigger_bp",
    ("entry", "spike_resume_hundredths"): "spike_resume_bp",
    ("exit", "hold_for_seconds"): "stop_confirm_seconds",
    ("exit", "momentum_stop_hundredths"): "momentum_stop_bp",
    ("risk", "order_deadline_seconds"): "max_send_delay_seconds",
    ("health", "max_doubt_seconds"): "max_unresolved_order_seconds",
}
"""(section, old key): new key of the same section."""
VALUES = {("model", "kind", "fingerprint"): "empirical"}
"""(section, key, old value): new value."""


def renamed_key(place: Sequence[str]) -> str | None:
    """What to write for an old key at this place, also in the section of a strategy; None if it is no old name."""
    new = KEYS.get((place[-2], place[-1])) if len(place) > 1 else None
    return None if new is None else f"{'.'.join(place)} is now called {new}: rename it"


def renamed_value(place: Sequence[str], value: object) -> str | None:
    """What to write for an old value at this place; None if it is none."""
    if len(place) < 2 or not isinstance(value, str):
        return None
    new = VALUES.get((place[-2], place[-1], value))
    return None if new is None else f'{".".join(place)} = "{value}" is now called "{new}": write that'
