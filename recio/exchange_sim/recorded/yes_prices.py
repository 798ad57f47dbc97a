"""Recorded book bodies for subscriptions that want NO prices in YES terms; everything else in them stays."""

from __future__ import annotations

import msgspec

from recio.exchange_sim.engine.units import price_text, quantity_text
from recio.exchange_sim.recorded.frames import BookDelta, BookSnapshot

_Body = dict[str, msgspec.Raw]


def delta_in_yes_prices(seen: BookDelta) -> bytes:
    if seen.bid:
        return seen.body
    return _replaced(seen.body, "price_dollars", price_text(seen.price))


def snapshot_in_yes_prices(seen: BookSnapshot) -> bytes:
    if not seen.asks:
        return seen.body
    return _replaced(
        seen.body,
        "no_dollars_fp",
        [[price_text(price), quantity_text(size)] for price, size in sorted(seen.asks)],
    )


def _replaced(body: bytes, name: str, value: object) -> bytes:
    fields = msgspec.json.decode(body, type=_Body)
    fields[name] = msgspec.Raw(msgspec.json.encode(value))
    return msgspec.json.encode(fields)
