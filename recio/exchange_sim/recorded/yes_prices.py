"""Recorded book bodies for subscriptions that want NO prices in YES terms; everything else in them stays."""

from __future__ import annotations

import msgspec

from recio.exchange_sim.recorded.frames import BookDelta, BookSnapshot
from recio.exchange_sim.wire.texts import count, dollars

_Body = dict[str, msgspec.Raw]


def turned_delta(seen: BookDelta) -> bytes:
    if seen.bid:
        return seen.body
    return _replaced(seen.body, "price_dollars", dollars(seen.price))


def turned_snapshot(seen: BookSnapshot) -> bytes:
    if not seen.asks:
        return seen.body
    return _replaced(
        seen.body, "no_dollars_fp", [[dollars(price), count(size)] for price, size in sorted(seen.asks)]
    )


def _replaced(body: bytes, name: str, value: object) -> bytes:
    fields = msgspec.json.decode(body, type=_Body)
    fields[name] = msgspec.Raw(msgspec.json.encode(value))
    return msgspec.json.encode(fields)
