"""Whether an answer of the exchange is like a recorded one: keys, JSON types and forms of text, to any depth."""

from __future__ import annotations

import re
from typing import Any

REMOVED = {
    "fractional_trading_enabled": "taken from markets on 2026-07-09",
    "response_price_units": "taken from markets on 2026-07-09",
    "resting_orders_count": "taken from positions on 2026-07-09",
    "liquidity_dollars": "taken from markets on 2026-10-01",
}
ADDED = {
    "clock": "of the books, on their messages since 2026-10-22",
    "exchange_index": "the shard, on every object since August 2026",
    "exchange_index_statuses": "the shards of the exchange status, since August 2026",
    "intra_exchange_transfers_active": "of the exchange status, since August 2026",
    "exchange_estimated_resume_time": "of the exchange status, null unless it is paused",
    "settlement_bounds_type": "required of markets by the official models since 3.34",
}
BY_KIND = {
    "floor_strike": "which strikes a market has follows from its strike type",
    "cap_strike": "which strikes a market has follows from its strike type",
    "custom_strike": "which strikes a market has follows from its strike type",
    "strike_type": "markets without a strike have none",
    "subtitle": "only some categories have one",
    "early_close_condition": "a sentence about the event of sports and weather markets",
    "primary_participant_key": "of sports markets",
    "occurrence_datetime": "not of markets without an event of their own",
    "is_provisional": "of combos",
    "mve_collection_ticker": "of combos",
    "mve_selected_legs": "of combos",
    "settlement_value_dollars": "of markets with a result",
    "settlement_ts": "of finalized markets",
    "self_trade_prevention_type": "orders made over the retired endpoints have none",
}
"""Optional on the real wire itself: it depends on what kind of market or order it is."""
ANY_FORM = {
    "expiration_value": "has the decimals of its index",
    "custom_strike": "an object of the series' own",
}

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,5}[1-9])?Z")
DECIMAL = re.compile(r"-?\d+\.(\d+)")


def form(text: str) -> str:
    """What kind of text it is; a decimal with its number of decimals."""
    decimal = DECIMAL.fullmatch(text)
    if decimal:
        return f"{len(decimal[1])} decimals"
    if UUID.fullmatch(text):
        return "uuid"
    return "moment" if MOMENT.fullmatch(text) else "text"


def assert_alike(real: Any, ours: Any, where: str = "$") -> None:
    """The same JSON type, the same keys in the same order, the same form of every text, to any depth."""
    assert type(real) is type(ours), (where, real, ours)
    if isinstance(real, dict):
        assert_same_keys([real], ours, where)
        for key in set(real) & set(ours) - set(ANY_FORM):
            assert_alike_value(key, real[key], ours[key], f"{where}.{key}")
    elif isinstance(real, list):
        assert_alike_items(real, ours, where)
    elif isinstance(real, str) and real and ours:
        assert form(real) == form(ours), (where, real, ours)


def assert_alike_value(key: str, real: Any, ours: Any, where: str) -> None:
    if key in ("floor_strike", "cap_strike"):
        assert type(real) in (int, float), where
        assert type(ours) in (int, float), where
    else:
        assert_alike(real, ours, where)


def assert_alike_items(real: list[Any], ours: list[Any], where: str) -> None:
    """Every item of ours is like some item of the real list, and one list is not empty without the other."""
    assert bool(real) == bool(ours), (where, len(real), len(ours))
    for number, item in enumerate(ours):
        failures: list[AssertionError] = []
        for model in real[:30]:
            try:
                assert_alike(model, item, f"{where}[{number}]")
                break
            except AssertionError as failure:
                failures.append(failure)
        else:
            raise failures[0]


def assert_same_keys(models: list[dict[str, Any]], ours: dict[str, Any], where: str) -> None:
    needed = set.intersection(*map(set, models)) - set(REMOVED) - set(BY_KIND)
    allowed = set.union(*map(set, models)) | set(ADDED) | set(BY_KIND)
    assert needed <= set(ours), (where, "missing", needed - set(ours))
    assert set(ours) <= allowed, (where, "unknown", set(ours) - allowed)
    if all(list(model) == sorted(model) for model in models):
        assert list(ours) == sorted(ours), (where, "not in the order of the alphabet")
