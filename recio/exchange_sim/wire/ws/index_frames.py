"""The bodies of settlement index messages, once a second with their averages and five times bare; it keeps nothing."""

from __future__ import annotations

import msgspec

from recio.exchange_sim.engine.units import fixed_text
from recio.exchange_sim.market.events import IndexPrinted, IndexTicked
from recio.exchange_sim.market.index import IndexPath
from recio.exchange_sim.market.listings import Listings
from recio.exchange_sim.market.settlement_average import PRINTS
from recio.exchange_sim.wire.texts import Json

RECEIVED_AFTER_MS = 18
"""How long after its own stamp a value reaches the venue."""
_QUARTER_HOUR = 900
_VALUE_DECIMALS = 8


def index_ids(listings: Listings) -> tuple[str, ...]:
    """The indices that the exchange publishes."""
    return tuple(listings.indices)


def value(index: IndexPath, event: IndexPrinted) -> Json:
    """One print with the mean of the sixty before it, and in a quarter hour's last minute the mean so far."""
    second = event.second
    body: Json = {
        "index_id": event.index_id,
        "received_at": second * 1000 + RECEIVED_AFTER_MS,
        "data": _raw(event.index_id, second * 1000, fixed_text(event.cents, index.asset.digits)),
        "avg_60s_data": _window(index, second - PRINTS, second - 1, start=second - PRINTS, end=second),
    }
    quarter = -(-second // _QUARTER_HOUR) * _QUARTER_HOUR
    begin = quarter - PRINTS
    if begin < second <= quarter:
        # The print at the beginning of the minute does not count, the one at the quarter hour does.
        running = _window(index, begin + 1, second, start=begin, end=second)
        body["last_60s_windowed_average_15min"] = running
    return body


def fast_value(event: IndexTicked) -> Json:
    shown = fixed_text(event.value, _VALUE_DECIMALS)
    return {
        "index_id": event.index_id,
        "value_usd": shown,
        "source_ts_ms": event.now_ms,
        "received_at": event.now_ms + RECEIVED_AFTER_MS,
        "data": _raw(event.index_id, event.now_ms, _trimmed(shown)),
    }


def _raw(index_id: str, at_ms: int, shown: str) -> str:
    """The index provider's own frame as a text inside the venue's."""
    return msgspec.json.encode({"type": "value", "id": index_id, "time": at_ms, "value": shown}).decode()


def _trimmed(shown: str) -> str:
    """At least two decimals: '84000.50', '0.0699999'."""
    whole, _, parts = shown.partition(".")
    return f"{whole}.{parts.rstrip('0'):0<2}"


def _window(index: IndexPath, first: int, last: int, *, start: int, end: int) -> Json:
    count = last - first + 1
    decimals = max(_VALUE_DECIMALS, index.asset.digits)
    total = sum(index.print_at(second) for second in range(first, last + 1))
    mean = total * 10 ** (decimals - index.asset.digits) // count
    return {
        "value": fixed_text(mean, decimals),
        "window_size": count,
        "window_start_ts_ms": start * 1000,
        "window_end_ts_exclusive": end * 1000,
    }
