"""Turns prints of the settlement index, a message within the venue's message, into ours; it never averages."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from recio import units
from recio.kalshi.amounts import from_unix_ms, index_level
from recio.kalshi.frame_bodies import Average, Envelope, FastIndex, Index, IndexPrint
from recio.messages.prices import IndexValue

LONGEST_COUNT = 2
"""Digits: a minute has sixty prints."""
_index = msgspec.json.Decoder(Index)
_index_fast = msgspec.json.Decoder(FastIndex)
_average = msgspec.json.Decoder(Average)
_index_print = msgspec.json.Decoder(IndexPrint)


def index_value(envelope: Envelope, received_at: datetime) -> IndexValue:
    """A print of the index. Raises MsgspecError or UnitError naming the field."""
    body = _index.decode(envelope.msg)
    said = _index_print.decode(body.data)
    if said.id != body.index_id:
        raise units.UnitError(f"index_id {body.index_id[:40]} carries a print of {said.id[:40]}")
    mean, count = _mean(body)
    return IndexValue(
        sid=envelope.sid,
        seq=envelope.seq,
        index_id=body.index_id,
        value=index_level(said.value, "value"),
        at=from_unix_ms(said.time, "time"),
        received_at=received_at,
        final_minute_mean=mean,
        final_minute_count=count,
    )


def fast_index_value(envelope: Envelope, received_at: datetime) -> IndexValue:
    """A print of the index, five a second, without the closing minute's mean. Raises the same."""
    body = _index_fast.decode(envelope.msg)
    return IndexValue(
        sid=envelope.sid,
        seq=envelope.seq,
        index_id=body.index_id,
        value=index_level(body.value_usd, "value_usd"),
        at=from_unix_ms(body.source_ts_ms, "source_ts_ms"),
        received_at=received_at,
        final_minute_mean=None,
    )


def _mean(body: Index) -> tuple[Decimal | None, int | None]:
    """The closing minute's mean so far, and of how many prints it is one where that is said in a way we know."""
    raw = body.last_60s_windowed_average_15min
    if bytes(raw) == b"null":
        return None, None
    said = _average.decode(raw) if bytes(raw)[:1] == b"{" else Average(value=raw)
    size = bytes(said.window_size)
    count = int(size) if size.isdigit() and len(size) <= LONGEST_COUNT else None
    return index_level(said.value, "last_60s_windowed_average_15min"), count
