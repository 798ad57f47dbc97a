"""Every recorded answer that concerns us goes through our parsers: exact where it is understood, named where not."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from recio.errors import BadConfig, Transient
from recio.kalshi import account, account_limits, markets, order_groups
from recio.kalshi.exchange_status import read_pauses, read_state
from recio.kalshi.fees import Fee, SeriesFees, read_fees, read_overrides
from recio.kalshi.markets import Listing
from recio.kalshi.order_changes import Cancelled, Resting, amend, cancel
from recio.kalshi.orders import place
from recio.kalshi.responses import VenueRefused
from recio.kalshi.settlements import read_settlements
from recio.kalshi.writes import OutcomeUnknown
from recio.messages.account import VenueOrderStatus
from recio.messages.markets import Market, StrikeType, VenuePhase
from recio.messages.orders import OrderAccepted, OrderOutcome, OrderRejected, OrderUnknown, PlaceOrder
from recio.units import BookSide, ClientOrderId, Price, Quantity, Ticker, VenueOrderId, price, quantity
from tests.kalshi.local_venue import Handler, answers, by_path, local_venue
from tests.kalshi.recordings import DATA, demo_answer, recorded
from tests.kalshi.single_reads import one_market

pytestmark = pytest.mark.recorded
FIRST_TRADE = Ticker("KXWTACHALLENGERMATCH-26JUN11JIMLEP-LEP")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
STRIKES = {each.value for each in StrikeType if each is not StrikeType.UNSET}
FEES = SeriesFees(now=Fee(kind="quadratic", multiplier=Decimal(1)), changes=(), event_changes={})


def listing(series: str) -> Listing:
    return Listing(series=series, symbol="BTC", index_id="BRTI", fees=FEES)


def golden(name: str) -> str:
    """The body of one recorded production answer of January 2026."""
    path = recorded("kalshi_wire_samples", "rest_golden", f"{name}_response.json")
    return json.dumps(json.loads(path.read_text())["response"])


def demo(name: str) -> tuple[int, str]:
    """Status and body of one recorded answer of the demo venue."""
    status, body, _ = demo_answer(name)
    return status, body


def only(path: str, status: int, body: str) -> Handler:
    """One body at one path's end; the historical tier does not exist."""
    return by_path(**{path: lambda _request: web.Response(status=status, text=body)})


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
    status, body = demo(name)
    async with local_venue(answers(status, body)) as venue:
        with pytest.raises(kind):
            await account.balance(venue.rest(), None)


async def test_a_recorded_refusal_of_a_query_is_a_refusal():
    status, body = demo("markets__limit_over_max")
    async with local_venue(answers(status, body)) as venue:
        with pytest.raises(VenueRefused, match="GetMarkets"):
            await account.balances(venue.rest())


@pytest.mark.parametrize(
    "name", ["auth__balance_ok", "auth__balance_alt_host", "auth__skew_minus5s", "auth__skew_plus5s"]
)
async def test_a_recorded_balance_is_read_exactly(name: str):
    async with local_venue(answers(*demo(name))) as venue:
        found = await account.balances(venue.rest())
    assert (found.total, found.by_shard) == (98_018_600, {0: 98_018_600})


async def test_the_recorded_position_fills_and_settlements_are_read_exactly():
    async with local_venue(answers(*demo("portfolio__positions"))) as venue:
        assert (await account.positions(venue.rest())).quantities == {FIRST_TRADE: 300}
    async with local_venue(only("fills", *demo("fills__after_taker"))) as venue:
        fills = await account.fills(venue.rest(), None)
    said = sorted(
        json.loads(demo_answer("fills__after_taker")[1])["fills"], key=lambda row: row["created_time"]
    )
    assert [
        (
            each.fill_id,
            each.venue_order_id,
            each.ticker,
            each.book_side,
            Decimal(each.price).scaleb(-4),
            Decimal(each.quantity).scaleb(-2),
            Decimal(each.fee).scaleb(-6),
            each.is_taker,
            each.at,
        )
        for each in fills
    ] == [
        (
            row["trade_id"],
            row["order_id"],
            row["ticker"],
            row["book_side"],
            Decimal(row["yes_price_dollars"]),
            Decimal(row["count_fp"]),
            Decimal(row["fee_cost"]),
            row["is_taker"],
            datetime.fromisoformat(row["created_time"]),
        )
        for row in said
    ]
    async with local_venue(answers(*demo("settlements__end_of_session"))) as venue:
        assert await read_settlements(venue.rest(), None) == ()


async def test_the_recorded_order_list_is_read_whole():
    async with local_venue(only("orders", *demo("portfolio__orders_list"))) as venue:
        found = await account.orders(venue.rest(), ticker=None, since=None)
    said = json.loads(demo_answer("portfolio__orders_list")[1])["orders"]
    assert [
        (each.venue_order_id, each.client_order_id, each.ticker, each.status, each.filled, each.remaining)
        for each in found
    ] == [
        (
            row["order_id"],
            row["client_order_id"],
            row["ticker"],
            row["status"],
            int(Decimal(row["fill_count_fp"]) * 100),
            int(Decimal(row["remaining_count_fp"]) * 100),
        )
        for row in said
    ]
    assert {order.status for order in found} == {VenueOrderStatus.EXECUTED, VenueOrderStatus.CANCELED}


@pytest.mark.parametrize(
    "name",
    [
        "orders__cancel_already_canceled",
        "orders__cancel_unknown_id",
        "cleanup__leftover_0",
        "cleanup__leftover_1",
        "cleanup__leftover_2",
    ],
)
async def test_every_recorded_404_of_a_cancel_is_unknown(name: str):
    async with local_venue(answers(*demo(name))) as venue:
        resting = Resting(venue_order_id=VenueOrderId("x"), ticker=FIRST_TRADE, exchange_index=0)
        assert isinstance(await cancel(venue.rest(), resting), OutcomeUnknown)


async def test_the_recorded_cancel_is_read_exactly():
    status, body = demo("orders__cancel_v2")
    own = VenueOrderId(json.loads(body)["order_id"])
    resting = Resting(venue_order_id=own, ticker=FIRST_TRADE, exchange_index=0)
    async with local_venue(answers(status, body)) as venue:
        assert await cancel(venue.rest(), resting) == Cancelled(Quantity(100))


async def test_the_recorded_public_reads_are_exact():
    async with local_venue(answers(*demo("exchange__status"))) as venue:
        assert (await read_state(venue.rest(), 0, ())).phase is VenuePhase.TRADING
    async with local_venue(answers(*demo("account__limits"))) as venue:
        limits = await account_limits.account_limits(venue.rest())
    assert (limits.tier, limits.read.capacity, limits.write.refill) == ("basic", 200, 100)


MARKET_LISTS = (
    "markets__high_temp",
    "markets__page1",
    "markets__page2",
    "markets__page3",
    "markets__single_filter_lastpage",
    "markets__status_open",
    "markets__status_settled",
    "markets__unauth_list",
)


@pytest.mark.parametrize("name", MARKET_LISTS)
async def test_every_recorded_market_is_read_exactly_and_a_strange_kind_of_strike_is_named(name: str):
    """Alone, so that no choice of events hides any."""
    said = json.loads(recorded("kalshi_demo_wire", f"{name}.json").read_text())["markets"]
    assert said
    async with local_venue(by_path(events={"events": [], "cursor": ""}, other=_market_of(said))) as venue:
        rest = venue.rest()
        for row in said:
            market = await one_market(rest, Ticker(row["ticker"]), listing("K"))
            if row.get("strike_type") in STRIKES:
                _same(market, row)
            else:
                assert market.strike_type is StrikeType.UNSET
                assert ("is not read" in market.untradable) is bool(row.get("strike_type"))


def _market_of(rows: list[dict[str, Any]]) -> Any:
    by_ticker = {row["ticker"]: row for row in rows}
    return lambda request: {"market": by_ticker[request.path.rsplit("/", 1)[-1]]}


def _same(market: Market, row: dict[str, Any]) -> None:
    exact = json.loads(json.dumps(row), parse_float=Decimal)
    assert (market.ticker, market.event_ticker) == (row["ticker"], row["event_ticker"])
    assert (market.status, market.strike_type) == (row["status"], row["strike_type"])
    assert (market.floor_strike, market.cap_strike) == (exact.get("floor_strike"), exact.get("cap_strike"))
    assert market.open_time == datetime.fromisoformat(row["open_time"])
    assert market.close_time == datetime.fromisoformat(row["close_time"])
    assert [
        tuple(Decimal(value).scaleb(-4) for value in (each.start, each.end, each.step))
        for each in market.price_ranges
    ] == [tuple(Decimal(each[key]) for key in ("start", "end", "step")) for each in row["price_ranges"]]
    assert (market.rules_primary, market.rules_secondary) == (row["rules_primary"], row["rules_secondary"])
    assert market.untradable


@pytest.mark.parametrize("name", ["markets__single", "markets__unauth_single"])
async def test_a_recorded_market_of_a_kind_we_do_not_trade_is_named_and_never_guessed(name: str):
    said = json.loads(demo_answer(name)[1])["market"]
    body = json.dumps({"markets": [said], "events": [], "cursor": ""})
    async with local_venue(answers(200, body)) as venue:
        listed = await markets.event_markets(venue.rest(), listing("K"), datetime(2026, 6, 1, tzinfo=UTC))
    (market,) = listed.markets
    assert (market.ticker, market.strike_type, market.floor_strike) == (
        said["ticker"],
        StrikeType.UNSET,
        None,
    )
    assert "'structured' is not read" in market.untradable


async def test_recorded_settled_markets_tell_their_results():
    said = json.loads(demo_answer("markets__status_settled")[1])["markets"]
    async with local_venue(by_path(other=_market_of(said))) as venue:
        found = [await markets.read_result(venue.rest(), Ticker(row["ticker"])) for row in said]
    assert [each.result for each in found] == [row["result"] for row in said]
    assert [each.status for each in found] == [row["status"] for row in said]


async def test_what_production_answered_in_january_and_still_holds_is_read():
    async with local_venue(answers(200, golden("exchange_status"))) as venue:
        assert (await read_state(venue.rest(), None, ())).phase is VenuePhase.TRADING
    async with local_venue(answers(200, golden("exchange_schedule"))) as venue:
        assert {(end - begin).total_seconds() for begin, end in await read_pauses(venue.rest())} == {7200.0}
    async with local_venue(answers(200, golden("user_data_timestamp"))) as venue:
        found = await account.as_of(venue.rest())
    assert found == datetime(2026, 1, 15, 14, 2, 18, 848643, tzinfo=UTC)
    bodies = {
        "CO2": json.loads(golden("series_single")),
        "fee_changes": lambda request: json.loads(
            golden("series_fee_changes") if "series" in request.path else '{"event_fee_changes":[]}'
        ),
    }
    async with local_venue(by_path(**bodies)) as venue:
        assert (await read_fees(venue.rest(), "CO2")) == FEES
    events = json.loads(golden("events_list"))
    async with local_venue(answers(200, json.dumps(events | {"cursor": ""}))) as venue:
        assert len(await read_overrides(venue.rest(), "K", LONG_AGO)) == len(events["events"])


async def test_recorded_groups_are_read():
    async with local_venue(answers(200, golden("order_group_single"))) as venue:
        found = await order_groups.group(venue.rest(), "g")
        assert (found.auto_cancel, found.orders, found.limit) == (False, (), None)
    async with local_venue(answers(200, golden("order_group_create"))) as venue:
        made = await order_groups.create_group(venue.rest(), limit=Quantity(100), exchange_index=2)
        assert made == json.loads(golden("order_group_create"))["order_group_id"]
    for name in ("order_group_reset", "order_group_delete"):
        async with local_venue(answers(200, golden(name))) as venue:
            await order_groups.reset_group(venue.rest(), "g", 2)


@pytest.mark.parametrize(
    ("name", "read", "named"),
    [
        ("portfolio_fills", lambda rest: account.fills(rest, datetime.now(UTC)), "book_side"),
        (
            "portfolio_orders",
            lambda rest: account.orders(rest, ticker=None, since=datetime.now(UTC)),
            "fill_count_fp",
        ),
        ("portfolio_positions", lambda rest: account.positions(rest), "position_fp"),
    ],
)
async def test_rows_of_before_the_exact_fields_are_set_aside_by_the_field_they_lack(
    name: str, read: Any, named: str
):
    page = json.dumps(json.loads(golden(name)) | {"cursor": ""})
    async with local_venue(answers(200, page)) as venue:
        rest = venue.rest()
        with capture_logs() as said:
            await read(rest)
    assert named in said[0]["why"]
    assert rest.set_aside.count


async def test_a_balance_of_before_the_exact_fields_is_refused_by_the_field_it_lacks():
    async with local_venue(answers(200, golden("portfolio_balance"))) as venue:
        with pytest.raises(Transient, match="balance_dollars"):
            await account.balances(venue.rest())


async def test_old_settlements_have_all_that_we_need():
    async with local_venue(answers(200, golden("portfolio_settlements"))) as venue:
        (found,) = await read_settlements(venue.rest(), None)
    row = json.loads(golden("portfolio_settlements"))["settlements"][0]
    assert (found.ticker, found.result, found.revenue_cents) == (
        row["ticker"],
        row["market_result"],
        row["revenue"],
    )


async def test_what_may_not_be_read_is_refused():
    async with local_venue(answers(403, golden("portfolio_total_resting_order_value"))) as venue:
        with pytest.raises(VenueRefused, match="permission_denied"):
            await account.balances(venue.rest())


async def test_answers_of_the_retired_order_endpoints_are_never_a_yes():
    resting = Resting(venue_order_id=VenueOrderId("x"), ticker=FIRST_TRADE, exchange_index=None)
    for name in ("cancel_order", "batch_cancel_orders"):
        async with local_venue(answers(200, golden(name))) as venue:
            assert isinstance(await cancel(venue.rest(), resting), OutcomeUnknown)
    async with local_venue(answers(200, demo("orders__legacy_cancel")[1])) as venue:
        assert isinstance(await cancel(venue.rest(), resting), OutcomeUnknown)
    for name in ("amend_order", "decrease_order"):
        async with local_venue(answers(200, golden(name))) as venue:
            changed = await amend(
                venue.rest(), resting, book_side=BookSide.BID, price=Price(100), total=Quantity(100)
            )
        assert isinstance(changed, OutcomeUnknown)


EVENTS = sorted(DATA.joinpath("kalshi_btcd_20250803").glob("rest_event_*.json.gz"))


async def test_rules_of_recorded_ladders_are_understood_and_their_old_prices_are_not():
    """The ladders of 2025 lack today's price grid: with one supplied, every strike is read and understood."""
    recorded("kalshi_btcd_20250803")
    kinds: Counter[str] = Counter()
    for path in EVENTS:
        body = json.loads(gzip.decompress(path.read_bytes()))
        body = body.get("data", body)
        event = body["event"]["event_ticker"]
        rows = body["markets"]
        modern = [
            row | {"price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}]} for row in rows
        ]
        at = datetime.fromisoformat(rows[0]["open_time"])
        for shown, kind in ((rows, "old"), (modern, "modern")):
            served = by_path(
                markets={"markets": shown, "cursor": ""},
                events={"events": [{"event_ticker": event}], "cursor": ""},
            )
            async with local_venue(served) as venue:
                found = await markets.event_markets(venue.rest(), listing("KXBTCD"), at)
            kinds[f"{kind} read"] += len(found.markets)
            kinds[f"{kind} refused"] += len(found.refused)
            assert all("price_ranges" in why for _, why in found.refused)
            assert {each.untradable for each in found.markets} <= {""}
            strikes = {row["ticker"]: Decimal(str(row["floor_strike"])) for row in shown}
            assert all(each.floor_strike == strikes[each.ticker] for each in found.markets)
    assert kinds["modern refused"] == kinds["old read"] == 0
    assert kinds["modern read"] == kinds["old refused"] >= 12 * 75
