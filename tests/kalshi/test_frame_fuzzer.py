"""Ten thousand mangled frames: each is refused by name, or read as exactly what its JSON says; nothing else happens."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from recio.kalshi.frames import FrameError, parse_frame
from tests.kalshi.frame_judge import differences
from tests.kalshi.recordings import DATA, lines

MUTATIONS = 10_000
INDEX = {"type": "value", "id": "BRTI", "time": 1_790_000_000_000, "value": "84012.34"}
HAND_WRITTEN = [
    json.dumps({"type": kind, "sid": 2, "seq": 3, "msg": body}).encode()
    for kind, body in {
        "orderbook_delta": {
            "market_ticker": "K",
            "price_dollars": "0.2600",
            "delta_fp": "-54.25",
            "side": "no",
            "ts_ms": 5,
        },
        "orderbook_snapshot": {
            "market_ticker": "K",
            "yes_dollars_fp": [["0.0010", "1502.00"], ["0.5000", "3.25"]],
            "no_dollars_fp": [["0.4000", "17.00"]],
        },
        "ticker": {
            "market_ticker": "K",
            "yes_bid_dollars": "0.1000",
            "yes_ask_dollars": "0.2000",
            "ts_ms": 5,
        },
        "fill": {
            "trade_id": "t",
            "order_id": "o",
            "market_ticker": "K",
            "book_side": "bid",
            "yes_price_dollars": "0.5200",
            "count_fp": "1.00",
            "fee_cost": "0.017500",
            "is_taker": True,
            "client_order_id": "recio-1",
            "post_position_fp": "-3.25",
            "ts_ms": 1_779_000_000_123,
        },
        "user_order": {
            "order_id": "o",
            "client_order_id": "c",
            "ticker": "K",
            "status": "executed",
            "fill_count_fp": "1.00",
            "remaining_count_fp": "0.00",
            "last_update_reason": "Trade",
        },
        "trade": {
            "trade_id": "t",
            "market_ticker": "K",
            "yes_price_dollars": "0.3600",
            "count_fp": "136.00",
            "taker_book_side": "ask",
            "ts_ms": 1_779_000_000_123,
        },
        "market_position": {
            "market_ticker": "K",
            "position_fp": "-2.50",
            "position_cost_dollars": "1.200000",
            "realized_pnl_dollars": "-0.050000",
            "fees_paid_dollars": "0.017500",
        },
        "order_group_updates": {"event_type": "triggered", "order_group_id": "g", "ts_ms": 1_779_000_000_123},
        "market_lifecycle_v2": {"market_ticker": "K", "event_type": "determined"},
        "event_lifecycle": {"event_ticker": "E", "title": "t"},
        "event_fee_update": {"event_ticker": "E", "fee_type_override": None},
        "cfbenchmarks_value": {
            "index_id": "BRTI",
            "data": json.dumps(INDEX),
            "last_60s_windowed_average_15min": {"value": "84011.12345678", "window_size": 7},
        },
        "cfbenchmarks_value_5hz": {"index_id": "BRTI", "value_usd": "84012.34000000", "source_ts_ms": 5},
        "subscribed": {"channel": "fill", "sid": 1},
        "error": {"code": 25, "msg": "overflow"},
        "ok": [{"channel": "fill", "sid": 4}, {"channel": "orderbook_delta", "sid": 7}],
        "unsubscribed": {},
    }.items()
]
WORDS = (
    b"null", b"true", b"0", b"-1", b"1e400", b"NaN", b"Infinity", b"99999999999999999999999", b'""', b"[]", b"{}",
    b'"0.00001"', b'"1e-3"', b'"-0"', b'" 1"', b'"\\ud800"', b"\xff\xfe", b"[[[[[[[[", b'"yes"', b'"maybe"',
)  # fmt: skip


def mangled(dice: random.Random, raw: bytes) -> bytes:
    """One to three changes: bytes flipped, parts cut, repeated or moved, values replaced by hostile ones."""
    text = bytearray(raw)
    for _ in range(dice.randint(1, 3)):
        at, span = dice.randrange(len(text) + 1), dice.randint(1, 12)
        match dice.randrange(6):
            case 0:
                text[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                del text[at : at + span]
            case 2:
                text[at:at] = text[at : at + span]
            case 3:
                text[at:at] = dice.choice(WORDS)
            case 4:
                _replace_value(dice, text)
            case _:
                del text[at:]
        if not text:
            text += b"{"
    return bytes(text)


def _replace_value(dice: random.Random, text: bytearray) -> None:
    colons = [place for place, byte in enumerate(text) if byte == ord(":")]
    if not colons:
        return
    start = dice.choice(colons) + 1
    end = start
    while end < len(text) and text[end] not in b",}]":
        end += 1
    text[start:end] = dice.choice(WORDS)


def seeds() -> list[bytes]:
    """Frames of every kind, and what was really sent where that is at hand."""
    found = list(HAND_WRITTEN)
    path = DATA / "kalshi_wire_samples" / "ws_frames_KXBTC_20260418.jsonl"
    if path.exists():
        found += [json.loads(line)["raw"].encode() for line in lines(path)]
    for path in sorted((DATA / "kalshi_demo_wire").glob("ws__*.jsonl")):
        found += [line.strip() for line in lines(path)]
    return found


@pytest.mark.timeout(120)
def test_every_mangled_frame_is_refused_or_read_as_what_it_says():
    dice = random.Random(20261123)
    frames = seeds()
    outcomes = Counter[str]()
    for _ in range(MUTATIONS):
        raw = mangled(dice, dice.choice(frames))
        try:
            frame = parse_frame(raw)
        except FrameError:
            outcomes["refused"] += 1
            continue
        assert differences(frame, raw) == [], raw
        outcomes["read"] += 1
    assert outcomes.total() == MUTATIONS
    assert min(outcomes["refused"], outcomes["read"]) > MUTATIONS / 20
