"""Frames of the index, of our account and of the life of markets: exact, or refused by the field that does not fit."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from recio.kalshi.frame_kinds import LifecycleSeen, Strange
from recio.kalshi.frames import (
    EPOCH,
    FrameError,
    Passed,
    parse_frame,
    strange_frame,
)
from recio.kalshi.lifecycle_frames import STATUS
from recio.messages.account import FillSeen, OrderSeen
from recio.messages.markets import MarketSays, MarketStatus, PriceRange, StrikeType
from recio.messages.prices import IndexValue
from recio.units import Price, Side, Ticker
from tests.builders import NOW


def index_frame(**changes: object) -> bytes:
    said = {"type": "value", "id": "BRTI", "time": 1_790_000_000_000, "value": "84012.34"}
    msg = {"index_id": "BRTI", "received_at": 1, "data": json.dumps(said), **changes}
    return json.dumps({"type": "cfbenchmarks_value", "sid": 3, "seq": 9, "msg": msg}).encode()


def test_an_index_print_is_exact_and_carries_its_own_time():
    seen = parse_frame(index_frame(), NOW)
    assert isinstance(seen, IndexValue)
    assert (seen.value, seen.sid, seen.seq, seen.received_at) == (Decimal("84012.34"), 3, 9, NOW)
    assert seen.at == datetime.fromtimestamp(1_790_000_000, UTC)
    assert seen.final_minute_mean is None


@pytest.mark.parametrize(
    ("mean", "count"),
    [
        ("84011.12345678", None),
        ({"value": "84011.12345678", "window_size": 7}, 7),
        ({"value": "84011.12345678", "window_size": "seven"}, None),
        ({"value": "84011.12345678", "window_size": 10**30}, None),
    ],
)
def test_the_mean_of_the_closing_minute_comes_bare_or_with_its_window(mean: object, count: int | None):
    seen = parse_frame(index_frame(last_60s_windowed_average_15min=mean))
    assert isinstance(seen, IndexValue)
    assert (seen.final_minute_mean, seen.final_minute_count) == (Decimal("84011.12345678"), count)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": "not json"},
        {"data": '{"id":"BRTI","time":1,"value":"-1"}'},
        {"data": '{"id":"BRTI","time":1,"value":"NaN"}'},
        {"data": '{"id":"ETHUSD_RTI","time":1,"value":"84012.34"}'},
        {"data": '{"id":"BRTI","time":1}'},
        {"index_id": None},
        {"last_60s_windowed_average_15min": {"value": "0"}},
    ],
)
def test_an_index_message_that_does_not_fit_is_refused(changes: dict[str, object]):
    with pytest.raises(FrameError):
        parse_frame(index_frame(**changes))


def test_the_fast_index_is_read_too():
    msg = {"index_id": "BRTI", "value_usd": "84012.34000001", "source_ts_ms": 1_790_000_000_200, "data": "{}"}
    raw = json.dumps({"type": "cfbenchmarks_value_5hz", "sid": 3, "seq": 9, "msg": msg})
    seen = parse_frame(raw)
    assert isinstance(seen, IndexValue)
    assert seen.value == Decimal("84012.34000001")


def test_a_fee_change_of_an_event_is_a_reason_to_look_again():
    msg = {"event_ticker": "KXBTC15M-26NOV230715", "fee_multiplier_override": 2, "fee_type_override": None}
    seen = parse_frame(json.dumps({"type": "event_fee_update", "sid": 1, "seq": 4, "msg": msg}))
    assert isinstance(seen, LifecycleSeen)
    assert (seen.ticker, seen.kind) == ("KXBTC15M-26NOV230715", "fee")


FILL: dict[str, object] = {
    "trade_id": "t",
    "order_id": "o",
    "client_order_id": "recio-1",
    "market_ticker": "K",
    "book_side": "ask",
    "yes_price_dollars": "0.5200",
    "count_fp": "1.50",
    "fee_cost": "0.017500",
    "is_taker": True,
    "post_position_fp": "-3.25",
    "ts_ms": 1_790_000_000_123,
}


def private(kind: str, body: dict[str, object], **changes: object) -> bytes:
    return json.dumps({"type": kind, "sid": 5, "seq": 6, "msg": {**body, **changes}}).encode()


def test_a_fill_names_its_order_and_the_position_after_it():
    seen = parse_frame(private("fill", FILL))
    assert isinstance(seen, FillSeen)
    assert (seen.client_order_id, seen.post_position, seen.quantity) == ("recio-1", -325, 150)
    bare = {
        name: value for name, value in FILL.items() if name not in ("client_order_id", "post_position_fp")
    }
    seen = parse_frame(private("fill", bare))
    assert isinstance(seen, FillSeen)
    assert (seen.client_order_id, seen.post_position) == (None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("yes_price_dollars", "1.0000"),
        ("yes_price_dollars", "0.0000"),
        ("count_fp", "0.00"),
        ("count_fp", "1.005"),
        ("fee_cost", "0.0000001"),
        ("post_position_fp", "many"),
        ("book_side", "buy"),
        ("is_taker", "yes"),
    ],
)
def test_a_fill_out_of_its_units_is_refused_with_field_and_value(field: str, value: str):
    with pytest.raises(FrameError, match=rf"{field}.*{value}|{field}.*in frame"):
        parse_frame(private("fill", FILL, **{field: value}))


@pytest.mark.parametrize("value", ["a\0b", "a" * 3_000])
@pytest.mark.parametrize("field", ["trade_id", "order_id", "market_ticker", "client_order_id"])
def test_a_fill_with_a_name_that_no_row_can_hold_is_refused(field: str, value: str):
    with pytest.raises(FrameError, match=field):
        parse_frame(private("fill", FILL, **{field: value}))


def test_an_order_says_why_it_changed_and_an_unknown_status_is_passed_over():
    order: dict[str, object] = {
        "order_id": "o",
        "client_order_id": "",
        "ticker": "K",
        "status": "canceled",
        "fill_count_fp": "1.00",
        "remaining_count_fp": "0.00",
        "last_update_reason": "SelfTradeCancel",
    }
    seen = parse_frame(private("user_order", order))
    assert isinstance(seen, OrderSeen)
    assert (seen.client_order_id, seen.reason) == (None, "SelfTradeCancel")
    assert isinstance(parse_frame(private("user_order", order, status="unknown")), Passed)
    with pytest.raises(FrameError, match="remaining_count_fp -1"):
        parse_frame(private("user_order", order, remaining_count_fp="-1.00"))


def test_what_a_private_frame_may_leave_out_may_be_null_in_it():
    fill = parse_frame(private("fill", FILL, client_order_id=None, post_position_fp=None, subaccount=None))
    assert isinstance(fill, FillSeen)
    assert (fill.client_order_id, fill.post_position, fill.subaccount) == (None, None, 0)
    row: dict[str, object] = {
        "order_id": "o",
        "ticker": "K",
        "status": "canceled",
        "fill_count_fp": "1.00",
        "remaining_count_fp": "0.00",
    }
    order = parse_frame(private("user_order", row, client_order_id=None, last_update_reason=None))
    assert isinstance(order, OrderSeen)
    assert (order.client_order_id, order.reason) == (None, "")


@pytest.mark.parametrize("kind", ["market_position", "trade", "order_group_updates"])
def test_a_channel_that_is_not_subscribed_is_passed_over_and_keeps_its_number(kind: str):
    assert parse_frame(private(kind, {"market_ticker": "K"})) == Passed(kind=kind, sid=5, seq=6)


@pytest.mark.parametrize(
    "kind",
    [
        "created",
        "activated",
        "deactivated",
        "close_date_updated",
        "determined",
        "settled",
        "price_level_structure_updated",
        "metadata_updated",
        "of next year",
    ],
)
def test_whatever_happens_to_a_market_is_a_reason_to_look_again(kind: str):
    seen = parse_frame(
        private("market_lifecycle_v2", {"market_ticker": "K", "event_type": kind, "more": [1]})
    )
    says = MarketSays(status=STATUS.get(kind))
    assert seen == LifecycleSeen(sid=5, seq=6, ticker=Ticker("K"), kind=kind, says=says)


@pytest.mark.parametrize(
    ("kind", "said", "says"),
    [
        ("close_date_updated", {"close_ts": 1_000}, MarketSays(close_time=EPOCH + timedelta(seconds=1_000))),
        (
            "settled",
            {"settled_ts": 7},
            MarketSays(status=MarketStatus.FINALIZED, settled_at=EPOCH + timedelta(seconds=7)),
        ),
        (
            "metadata_updated",
            {"strike_type": "greater_or_equal", "floor_strike": 84000.10},
            MarketSays(
                strike_type=StrikeType.GREATER_OR_EQUAL, strikes=(Decimal("84000.10"), None), unread=""
            ),
        ),
        (
            "metadata_updated",
            {
                "strike_type": "custom",
                "custom_strike": {"strike_type": "greater", "floor_strike": "0.2449999", "cap_strike": ""},
            },
            MarketSays(strike_type=StrikeType.GREATER, strikes=(Decimal("0.2449999"), None), unread=""),
        ),
        (
            "metadata_updated",
            {"strike_type": "structured", "custom_strike": {"candidate": "X"}},
            MarketSays(unread="strike_type 'structured' is not read"),
        ),
        ("metadata_updated", {"floor_strike": 84000}, MarketSays(strikes=(Decimal(84_000), None))),
        ("metadata_updated", {"yes_sub_title": "above"}, MarketSays()),
        (
            "price_level_structure_updated",
            {"price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0010"}]},
            MarketSays(price_ranges=(PriceRange(start=Price(0), end=Price(10_000), step=Price(10)),)),
        ),
    ],
)
def test_what_the_venue_says_of_a_market_is_taken_exactly(
    kind: str, said: dict[str, object], says: MarketSays
):
    seen = parse_frame(private("market_lifecycle_v2", {"market_ticker": "K", "event_type": kind, **said}))
    assert isinstance(seen, LifecycleSeen)
    assert seen.says == says


@pytest.mark.parametrize(
    "strange",
    [
        {"strike_type": 7},
        {"close_ts": "soon"},
        {"close_ts": 10**30},
        {"floor_strike": 1e300},
        {"price_ranges": [{"start": "0", "end": "0", "step": "0"}]},
        {"settled_ts": [1]},
    ],
)
def test_a_word_that_is_not_understood_leaves_the_rest_to_the_lists_and_refuses_no_frame(
    strange: dict[str, object],
):
    seen = parse_frame(
        private(
            "market_lifecycle_v2",
            {"market_ticker": "K", "event_type": "determined", "result": "yes", **strange},
        )
    )
    assert isinstance(seen, LifecycleSeen)
    assert seen.says == MarketSays(status=MarketStatus.DETERMINED, result=Side.YES)


@pytest.mark.parametrize(
    ("said", "result"),
    [("yes", Side.YES), ("no", Side.NO), ("scalar", None), ("", None), (None, None), ([1], None), (7, None)],
)
def test_a_result_is_a_side_or_none_and_never_a_reason_to_refuse(said: object, result: Side | None):
    seen = parse_frame(
        private("market_lifecycle_v2", {"market_ticker": "K", "event_type": "determined", "result": said})
    )
    assert isinstance(seen, LifecycleSeen)
    assert seen.says.result is result


STRANGE_BODIES = {
    "orderbook_delta": {"market_ticker": "K", "price_dollars": "0.48001", "delta_fp": "1.00", "side": "no"},
    "orderbook_snapshot": {"market_ticker": "K", "no_dollars_fp": [["0.4800"]]},
    "ticker": {"market_ticker": "K"},
    "fill": {"market_ticker": "K", "count_fp": 7},
    "user_order": {"ticker": "K"},
    "cfbenchmarks_value": {"index_id": "BRTI", "data": "{}"},
    "cfbenchmarks_value_5hz": {"index_id": 7},
    "market_lifecycle_v2": {"event_type": "created"},
    "event_lifecycle": {},
    "event_fee_update": {"event_ticker": None},
}


@pytest.mark.parametrize("kind", STRANGE_BODIES)
def test_a_frame_that_cannot_be_read_says_whom_it_concerns(kind: str):
    raw = private(kind, STRANGE_BODIES[kind])
    with pytest.raises(FrameError) as refused:
        parse_frame(raw)
    named = STRANGE_BODIES[kind].get("market_ticker")
    found = strange_frame(raw, refused.value)
    assert found == Strange(kind=kind, sid=5, seq=6, ticker=named, why=str(refused.value))


@pytest.mark.parametrize(
    "raw",
    [
        '{"type":"orderbook_delta","sid":5,"msg":{"market_ticker":"K"}}',
        '{"type":"orderbook_delta","seq":5,"msg":{"market_ticker":"K"}}',
        '{"type":"orderbook_delta","sid":5,"seq":6,"msg":{"market_ticker":7}}',
        '{"type":"orderbook_snapshot","sid":5,"seq":6,"msg":{}}',
        '{"type":"subscribed","id":1,"msg":{"channel":"fill"}}',
        "{",
        "[]",
    ],
)
def test_a_frame_whose_subject_cannot_be_told_is_not_set_aside(raw: str):
    with pytest.raises(FrameError) as refused:
        parse_frame(raw)
    assert strange_frame(raw, refused.value) is None


def test_a_new_event_is_a_reason_to_look_again():
    seen = parse_frame(private("event_lifecycle", {"event_ticker": "KXBTCD-26NOV2307", "title": "t"}))
    assert seen == LifecycleSeen(sid=5, seq=6, ticker=Ticker("KXBTCD-26NOV2307"), kind="event")
