"""What the venue really sent: every recorded frame and answer is read without loss."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from recio.errors import BadConfig, Transient
from recio.kalshi import account, markets
from recio.kalshi.frames import Passed, parse_frame
from recio.kalshi.orders import place
from recio.messages import (
    BookDeltaSeen,
    OrderAccepted,
    OrderOutcome,
    OrderRejected,
    OrderUnknown,
    PlaceOrder,
    VenueOrderStatus,
)
from recio.units import BookSide, ClientOrderId, Side, Ticker, price, quantity
from tests.kalshi.local_venue import answers, local_venue
from tests.kalshi.recordings import demo_answer, lines, recorded

pytestmark = pytest.mark.recorded
CLASSES = {
    "subscribed": "Subscribed",
    "orderbook_snapshot": "BookSnapshotSeen",
    "orderbook_delta": "BookDeltaSeen",
    "ticker": "TickerSeen",
    "market_lifecycle_v2": "LifecycleSeen",
}
FIRST_TRADE = Ticker("KXWTACHALLENGERMATCH-26JUN11JIMLEP-LEP")


@pytest.mark.parametrize("session", ["20260513T154206Z", "20260513T164021Z"])
def test_every_frame_of_a_recorded_session_is_understood_as_what_it_is(session: str):
    path = recorded("kalshi_btc15m_ws_dev", session, "kalshi_ws.jsonl.gz")
    bodies = [json.loads(line)["m"] for line in lines(path)]
    said = Counter(CLASSES[body["type"]] for body in bodies)
    assert said["BookDeltaSeen"] > 30_000
    assert Counter(type(parse_frame(json.dumps(body))).__name__ for body in bodies) == said


def test_no_change_of_a_recorded_book_is_rounded_or_lost():
    path = recorded("kalshi_btc15m_ws_dev", "20260513T164021Z", "kalshi_ws.jsonl.gz")
    bodies = [json.loads(line)["m"] for line in lines(path)]
    for body in bodies:
        if body["type"] != "orderbook_delta":
            continue
        seen, said = parse_frame(json.dumps(body)), body["msg"]
        assert isinstance(seen, BookDeltaSeen)
        assert (seen.sid, seen.seq, seen.ticker, seen.side) == (
            body["sid"],
            body["seq"],
            said["market_ticker"],
            Side(said["side"]),
        )
        assert Decimal(seen.price).scaleb(-4) == Decimal(said["price_dollars"])
        assert Decimal(seen.change).scaleb(-2) == Decimal(said["delta_fp"])


def test_every_recorded_frame_of_the_hourly_series_is_understood():
    path = recorded("kalshi_wire_samples", "ws_frames_KXBTC_20260418.jsonl")
    found = Counter(type(parse_frame(json.loads(line)["raw"])).__name__ for line in lines(path))
    assert found == {"Subscribed": 2, "BookSnapshotSeen": 8, "BookDeltaSeen": 61, "VenueError": 3}


def test_every_recorded_demo_frame_is_understood():
    folder = recorded("kalshi_demo_wire")
    frames = [parse_frame(line) for path in sorted(folder.glob("ws__*.jsonl")) for line in lines(path)]
    assert Counter(type(frame).__name__ for frame in frames) == {
        "Subscribed": 4,
        "BookSnapshotSeen": 2,
        "BookDeltaSeen": 6,
    }
    assert not any(isinstance(frame, Passed) for frame in frames)


async def outcome_of(name: str) -> OrderOutcome:
    status, body, asked = demo_answer(name)
    order = PlaceOrder(
        client_order_id=ClientOrderId(asked["client_order_id"]),
        ticker=Ticker(asked["ticker"]),
        exchange_index=None,
        book_side=BookSide(asked["side"]),
        quantity=quantity(asked["count"]),
        price=price("0.5200"),
        reduce_only=False,
        send_before=datetime.now(UTC),
    )
    async with local_venue(answers(status, body)) as venue:
        outcome = await place(venue.rest(), order)
        assert [method for method, _ in venue.requests] == ["POST"]
    return replace(outcome, at=datetime(2026, 6, 11, tzinfo=UTC))


@pytest.mark.parametrize(
    ("name", "filled", "remaining"),
    [
        ("orders__create_v2_taker_ioc", 100, 0),
        ("orders__create_v2_maker", 0, 100),
        ("orders__settlement_seed", 100, 0),
    ],
)
async def test_a_recorded_yes_is_accepted_with_its_counts(name: str, filled: int, remaining: int):
    outcome = await outcome_of(name)
    assert isinstance(outcome, OrderAccepted)
    assert outcome.venue_order_id == json.loads(demo_answer(name)[1])["order_id"]
    assert (outcome.filled, outcome.remaining) == (filled, remaining)


async def test_a_recorded_no_is_rejected_and_a_recorded_duplicate_is_unknown():
    refused = await outcome_of("orders__invalid_price_structure")
    assert isinstance(refused, OrderRejected)
    assert refused.code == "invalid_price"
    assert isinstance(await outcome_of("orders__duplicate_client_order_id"), OrderUnknown)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("auth__bad_signature", BadConfig),
        ("auth__missing_signature_header", BadConfig),
        ("auth__skew_plus5min", Transient),
        ("auth__skew_minus5min", Transient),
    ],
)
async def test_a_recorded_401_is_a_bad_key_or_a_clock_that_is_off(name: str, kind: type[Exception]):
    status, body, _ = demo_answer(name)
    async with local_venue(answers(status, body)) as venue:
        with pytest.raises(kind):
            await account.balance(venue.rest(), None)


async def test_a_recorded_account_is_read_exactly():
    async with local_venue(answers(200, demo_answer("auth__balance_ok")[1])) as venue:
        assert await account.balance(venue.rest(), 0) == 98_018_600
    async with local_venue(answers(200, demo_answer("portfolio__positions")[1])) as venue:
        assert await account.positions(venue.rest()) == {FIRST_TRADE: 300}
    async with local_venue(answers(200, demo_answer("fills__after_taker")[1])) as venue:
        fills = await account.fills(venue.rest(), None)
    taken = fills[-1]
    assert (taken.price, taken.quantity, taken.fee, taken.is_taker) == (5200, 100, 17_500, True)
    assert taken.at == datetime(2026, 6, 11, 6, 29, 30, 164956, tzinfo=UTC)
    async with local_venue(answers(200, demo_answer("settlements__end_of_session")[1])) as venue:
        assert await account.settlements(venue.rest(), None) == ()


async def test_the_recorded_order_list_is_read_whole():
    body = demo_answer("portfolio__orders_list")[1]
    async with local_venue(answers(200, body)) as venue:
        found = await account.orders(venue.rest(), ticker=None, since=None)
    said = json.loads(body)["orders"]
    assert [order.client_order_id for order in found] == [each["client_order_id"] for each in said]
    assert {order.status for order in found} == {VenueOrderStatus.EXECUTED, VenueOrderStatus.CANCELED}


async def test_a_recorded_market_of_a_kind_we_do_not_trade_is_named_and_never_guessed():
    said = json.loads(demo_answer("markets__single")[1])["market"]
    body = json.dumps({"markets": [said], "cursor": ""})
    async with local_venue(answers(200, body)) as venue:
        listed = await markets.event_markets(
            venue.rest(), "K", datetime(2026, 6, 1, tzinfo=UTC), fee_multiplier=Decimal(1)
        )
    assert listed.markets == ()
    assert [ticker for ticker, _ in listed.refused] == [said["ticker"]]
