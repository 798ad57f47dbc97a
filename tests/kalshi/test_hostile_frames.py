"""Frames of every kind, mangled: each is understood or refused as a FrameError, and nothing else happens."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recio.kalshi.frames import FrameError, parse_frame
from recio.messages.account import FillSeen

FILL = {
    "trade_id": "t",
    "order_id": "o",
    "market_ticker": "K",
    "book_side": "bid",
    "yes_price_dollars": "0.5200",
    "count_fp": "1.00",
    "fee_cost": "0.017500",
    "is_taker": True,
    "ts_ms": 1_779_000_000_123,
}
ORDER = {
    "order_id": "o",
    "client_order_id": "c",
    "ticker": "K",
    "status": "executed",
    "fill_count_fp": "1.00",
    "remaining_count_fp": "0.00",
}
BODIES: dict[str, object] = {
    "orderbook_delta": {
        "market_ticker": "K",
        "price_dollars": "0.2600",
        "delta_fp": "-54.25",
        "side": "no",
        "ts_ms": 5,
    },
    "orderbook_snapshot": {"market_ticker": "K", "yes_dollars_fp": [["0.0010", "1502.00"]]},
    "ticker": {"market_ticker": "K", "yes_bid_dollars": "0.1", "yes_ask_dollars": "0.2", "ts_ms": 5},
    "fill": FILL,
    "user_order": ORDER,
    "market_lifecycle_v2": {"market_ticker": "K", "event_type": "determined"},
    "subscribed": {"channel": "fill", "sid": 1},
    "error": {"code": 25, "msg": "overflow"},
}
FRAMES = [
    json.dumps({"type": kind, "sid": 2, "seq": 3, "msg": body}).encode() for kind, body in BODIES.items()
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(FRAMES), st.integers(0, 300), st.binary(max_size=4), st.integers(0, 6))
def test_bytes_changed_anywhere(raw: bytes, at: int, new: bytes, drop: int):
    with contextlib.suppress(FrameError):
        parse_frame(raw[:at] + new + raw[at + drop :])


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(FRAMES), st.data())
def test_a_value_of_any_kind_in_any_field(raw: bytes, data: st.DataObject):
    body = json.loads(raw)
    place = data.draw(st.sampled_from([body, body["msg"]]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(VALUES)
    with contextlib.suppress(FrameError):
        parse_frame(json.dumps(body))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"type":"x","msg":' + b"[" * 100_000,
        b'{"type":"x","more":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        '{"type":"\ud800"}',
        b"",
        b"null",
    ],
)
def test_what_no_json_should_be_is_refused(raw: bytes | str):
    with pytest.raises(FrameError):
        parse_frame(raw)


@pytest.mark.parametrize("ts_ms", [10**15, -(10**18), 10**18, 10**30])
def test_a_fill_at_a_time_that_cannot_be_is_refused_by_name(ts_ms: int):
    with pytest.raises(FrameError, match="ts_ms"):
        parse_frame(json.dumps({"type": "fill", "sid": 1, "msg": {**FILL, "ts_ms": ts_ms}}))


@given(st.integers(0, 4_102_444_800_000))
def test_the_time_of_a_fill_is_exact_to_the_millisecond(ts_ms: int):
    seen = parse_frame(json.dumps({"type": "fill", "sid": 1, "msg": {**FILL, "ts_ms": ts_ms}}))
    assert isinstance(seen, FillSeen)
    assert int(seen.at.timestamp()) == ts_ms // 1000
    assert seen.at.microsecond == ts_ms % 1000 * 1000
