"""Old settings as those of recio.toml, always with entries off; it writes no config.

Percent becomes a fraction, a point of difference a cent per contract, a hundredth of a percent of momentum a basis point.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from recio.old_data import values

OFF = "off"
_NUMBERS = (
    # (old name, key of recio.toml, factor)
    ("min_probability", "entry.min_probability", Decimal("0.01")),
    ("min_differential", "entry.min_edge_dollars", Decimal("0.01")),
    ("min_time", "entry.min_seconds_to_close", Decimal(1)),
    ("max_time", "entry.max_seconds_to_close", Decimal(1)),
    ("watchlist_max_ask", "entry.max_price_dollars", Decimal("0.01")),
    ("min_ttc_seconds", "exit.min_hold_seconds", Decimal(1)),
)
_SWITCHED = (
    # (old switch, old name, key, factor): off where the switch was off
    ("spike_alert_enabled", "spike_alert_momentum_threshold", "entry.spike_trigger_bp", Decimal(1)),
    ("auto_stop", "current_probability", "exit.stop_probability", Decimal("0.01")),
    ("momentum_spike_enabled", "momentum_spike_threshold", "exit.momentum_stop_bp", Decimal(1)),
)
_CALM = (
    ("spike_alert_cooldown_threshold", "entry.spike_resume_bp"),
    ("spike_alert_cooldown_minutes", "entry.spike_calm_minutes"),
)
KEPT = (
    {each[0] for each in _NUMBERS}
    | {name for each in _SWITCHED for name in each[:2]}
    | {each[0] for each in _CALM}
    | {
        "auto_entry",
        "allow_re_entry",
        "verification_period_enabled",
        "verification_period_seconds",
        "position_size",
        "multiplier",
        "trade_strategy",
        "watchlist_min_volume",
    }
)
"""Old names that are settings. Whatever else stands beside them is left: it could be anything."""


def kept_of(row: Mapping[str, Any]) -> dict[str, str]:
    """The old settings of one row or file, as text."""
    found = values.json_object(row.get("preference_value")) if "preference_key" in row else None
    if "preference_key" in row and found is None:
        found = {values.words(row.get("preference_key")): row.get("preference_value")}
    return {
        name: values.words(each)
        for name, each in (found or row).items()
        if name in KEPT and values.words(each)
    }


def as_recio(old: Mapping[str, str]) -> dict[str, str]:
    """Keys of recio.toml with their values as text. Trading is off whatever the old switch said."""
    new: dict[str, str] = {"entry.enabled": "false"} if old else {}
    for name, key, factor in _NUMBERS:
        found = values.number(old.get(name))
        if found is not None:
            new[key] = _plain(found * factor)
    for switch, name, key, factor in _SWITCHED:
        found = values.number(old.get(name))
        if switch in old and not values.truth(old[switch]):
            new[key] = OFF
        elif found is not None:
            new[key] = _plain(found * factor)
    for name, key in _CALM:
        found = values.number(old.get(name))
        if found is not None:
            new[key] = _plain(max(Decimal(1), min(found, Decimal(60))) if key.endswith("minutes") else found)
    return new | _combined(old)


def _combined(old: Mapping[str, str]) -> dict[str, str]:
    """What two old settings say together, or in other words."""
    new: dict[str, str] = {}
    if "allow_re_entry" in old:
        new["entry.max_entries_per_market"] = OFF if values.truth(old["allow_re_entry"]) else "1"
    seconds = values.number(old.get("verification_period_seconds"))
    if seconds is not None:
        confirms = values.truth(old.get("verification_period_enabled"))
        new["exit.stop_confirm_seconds"] = _plain(seconds) if confirms else "0"
    size = values.number(old.get("position_size"))
    if size is not None:
        new["entry.contracts"] = _plain(size * (values.number(old.get("multiplier")) or 1))
    return new


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
