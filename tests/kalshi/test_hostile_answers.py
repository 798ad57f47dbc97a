"""Answers that are broken on purpose: only typed outcomes, and never another amount than the venue wrote."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
from aiohttp import web

from recio.errors import BadConfig, Transient
from recio.kalshi import account, account_limits, markets, order_groups
from recio.kalshi.batches import cancel_batch, create_batch
from recio.kalshi.exchange_status import read_pauses, read_state
from recio.kalshi.fees import Fee, SeriesFees, read_fees
from recio.kalshi.markets import Listing
from recio.kalshi.order_changes import Amended, Cancelled, Resting, amend, cancel
from recio.kalshi.orders import NewOrder, create
from recio.kalshi.responses import MOST_SAID, VenueRefused, error_in
from recio.kalshi.rest import KalshiRest
from recio.kalshi.settlements import read_settlements
from recio.kalshi.strikes import KINDS
from recio.kalshi.writes import OutcomeUnknown, RequestRefused
from recio.messages.orders import OrderAccepted, OrderRejected, OrderUnknown
from recio.units import BookSide, ClientOrderId, Price, Quantity, Ticker, VenueOrderId
from tests.kalshi.local_venue import local_venue
from tests.kalshi.recordings import DATA
from tests.kalshi.single_reads import one_market

MUTATIONS = 5_000
NOW = datetime(2026, 11, 23, 12, 5, tzinfo=UTC)
FEES = SeriesFees(now=Fee(kind="quadratic", multiplier=Decimal(1)), changes=(), event_changes={})
LISTING = Listing(series="K", symbol="BTC", index_id="BRTI", fees=FEES)
RESTING = Resting(venue_order_id=VenueOrderId("v-1"), ticker=Ticker("K"), exchange_index=2)
ORDER = NewOrder(
    client_order_id=ClientOrderId("c-1"),
    ticker=Ticker("K"),
    exchange_index=2,
    book_side=BookSide.BID,
    quantity=Quantity(10**15),
    price=Price(100),
)
TYPED = (Transient, VenueRefused, BadConfig)
VALUES = (
    OrderAccepted,
    OrderRejected,
    OrderUnknown,
    Cancelled,
    Amended,
    RequestRefused,
    OutcomeUnknown,
)

Read = Callable[[KalshiRest], Awaitable[Any]]
Amounts = list[Decimal]


@dataclass(frozen=True)
class Surface:
    """A read, the amounts that it found, and where the same amounts stand in the JSON."""

    read: Read
    found: Callable[[Any], Amounts]
    said: Callable[[Any], Amounts]


def scaled(digits: int, *values: int) -> Amounts:
    return [Decimal(value).scaleb(-digits) for value in values]


def texts(rows: Any, *fields: str) -> Amounts:
    return sorted(Decimal(row[field]) for row in rows for field in fields)


def no_amounts(_: Any) -> Amounts:
    return []


def counts_of(outcomes: Any) -> Amounts:
    """Of accepted orders only: nobody else claims an amount."""
    return sorted(
        amount
        for each in outcomes
        if isinstance(each, OrderAccepted)
        for amount in scaled(2, each.filled, each.remaining)
    )


async def one(outcome: Awaitable[Any]) -> list[Any]:
    return [await outcome]


def held(rows: Any) -> Amounts:
    last = {row["ticker"]: Decimal(row["position_fp"]) for row in rows["market_positions"]}
    return sorted(value for value in last.values() if value)


SURFACES: dict[str, Surface] = {
    "status": Surface(lambda rest: read_state(rest, 2, ()), no_amounts, no_amounts),
    "schedule": Surface(read_pauses, no_amounts, no_amounts),
    "as_of": Surface(account.as_of, no_amounts, no_amounts),
    "fees": Surface(
        lambda rest: read_fees(rest, "K"),
        lambda found: [found.now.multiplier] if found.now.multiplier.is_finite() else [],
        lambda said: [each for each in [Decimal(said["series"]["fee_multiplier"])] if each.is_finite()],
    ),
    "balance": Surface(
        account.balances,
        lambda found: scaled(6, found.total),
        lambda said: [Decimal(said["balance_dollars"])],
    ),
    "positions": Surface(
        account.positions, lambda found: sorted(scaled(2, *found.quantities.values())), held
    ),
    "fills": Surface(
        lambda rest: account.fills(rest, NOW.replace(year=9000)),
        lambda found: sorted(
            amount
            for each in found
            for amount in (*scaled(4, each.price), *scaled(2, each.quantity), *scaled(6, each.fee))
        ),
        lambda said: texts(last(said["fills"], "trade_id"), "yes_price_dollars", "count_fp", "fee_cost"),
    ),
    "orders": Surface(
        lambda rest: account.orders(rest, ticker=None, since=NOW.replace(year=9000)),
        lambda found: sorted(amount for each in found for amount in scaled(2, each.filled, each.remaining)),
        lambda said: texts(last(said["orders"], "order_id"), "fill_count_fp", "remaining_count_fp"),
    ),
    "settlements": Surface(
        lambda rest: read_settlements(rest, None),
        lambda found: sorted(Decimal(each.revenue_cents) for each in found),
        lambda said: sorted(
            Decimal(row.get("revenue") or 0)
            for row in said["settlements"]
            if row["market_result"] in ("yes", "no")
        ),
    ),
    "market": Surface(
        lambda rest: one_market(rest, Ticker("K"), LISTING),
        lambda found: [
            *(each for each in (found.floor_strike, found.cap_strike) if each is not None),
            *(amount for each in found.price_ranges for amount in scaled(4, each.start, each.end, each.step)),
        ],
        lambda said: [
            *(
                Decimal(said["market"][key])
                for key in ("floor_strike", "cap_strike")
                if said["market"].get(key) is not None and said["market"].get("strike_type", "") in KINDS
            ),
            *(
                Decimal(each[key])
                for each in said["market"]["price_ranges"]
                for key in ("start", "end", "step")
            ),
        ],
    ),
    "markets": Surface(lambda rest: markets.event_markets(rest, LISTING, NOW), no_amounts, no_amounts),
    "limits": Surface(
        account_limits.account_limits,
        lambda found: [Decimal(found.read.capacity), Decimal(found.write.refill)],
        lambda said: [Decimal(said["read"]["bucket_capacity"]), Decimal(said["write"]["refill_rate"])],
    ),
    "group": Surface(
        lambda rest: order_groups.group(rest, "g"),
        lambda found: scaled(2, found.limit) if found.limit is not None else [],
        lambda said: (
            [Decimal(said["contracts_limit_fp"])] if said.get("contracts_limit_fp") is not None else []
        ),
    ),
    "create": Surface(
        lambda rest: one(create(rest, ORDER, wait_seconds=1)),
        counts_of,
        lambda said: texts([said], "fill_count", "remaining_count"),
    ),
    "batch": Surface(
        lambda rest: create_batch(rest, [ORDER, ORDER], wait_seconds=1),
        counts_of,
        lambda said: sorted(
            Decimal(row[key]) for row in said["orders"] for key in ("fill_count", "remaining_count")
        ),
    ),
    "cancel": Surface(
        lambda rest: one(cancel(rest, RESTING)),
        lambda found: [
            amount for each in found if isinstance(each, Cancelled) for amount in scaled(2, each.reduced_by)
        ],
        lambda said: texts([said], "reduced_by"),
    ),
    "cancel batch": Surface(lambda rest: cancel_batch(rest, [RESTING, RESTING]), no_amounts, no_amounts),
    "amend": Surface(
        lambda rest: one(amend(rest, RESTING, book_side=BookSide.BID, price=Price(100), total=Quantity(1))),
        lambda found: [
            amount
            for each in found
            if isinstance(each, Amended) and each.remaining is not None
            for amount in scaled(2, each.remaining)
        ],
        lambda said: texts([said], "remaining_count") if said.get("remaining_count") is not None else [],
    ),
}


def last(rows: Any, key: str) -> list[Any]:
    """Of rows with the same id the last: an id is a thing, and a thing is there once."""
    return list({row[key]: row for row in rows}.values())


CREATED = {
    "order_id": "v-1",
    "client_order_id": "c-1",
    "fill_count": "4.50",
    "remaining_count": "0.00",
    "average_fee_paid": "0.0175",
    "ts_ms": 1,
}
FILL = {
    "trade_id": "t",
    "order_id": "o",
    "ticker": "K",
    "book_side": "bid",
    "yes_price_dollars": "0.5200",
    "count_fp": "1.25",
    "fee_cost": "0.017500",
    "is_taker": True,
    "created_time": "2026-11-23T12:00:00.25Z",
}
ORDER_ROW = {
    "order_id": "v-1",
    "client_order_id": "c-1",
    "ticker": "K",
    "status": "resting",
    "book_side": "ask",
    "yes_price_dollars": "0.5250",
    "initial_count_fp": "3.00",
    "fill_count_fp": "1.00",
    "remaining_count_fp": "2.00",
    "taker_fill_cost_dollars": "0.520000",
    "maker_fill_cost_dollars": "0.000000",
    "taker_fees_dollars": "0.017500",
    "maker_fees_dollars": "0.000000",
    "created_time": "2026-06-11T06:29:20.866753Z",
    "expiration_time": None,
}
MARKET = {
    "ticker": "K-1",
    "event_ticker": "K",
    "open_time": "2026-11-23T12:00:00Z",
    "close_time": "2026-11-23T12:15:00Z",
    "status": "active",
    "strike_type": "between",
    "floor_strike": 84600,
    "cap_strike": 84699.99,
    "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
    "rules_primary": "If",
    "rules_secondary": "",
    "exchange_index": 2,
}
HOURS = [{"open_time": "00:00", "close_time": "03:00"}, {"open_time": "05:00", "close_time": "00:00"}]
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEK = dict.fromkeys(DAYS, HOURS) | {"start_time": "2024-12-01T00:00:00Z", "end_time": "2200-12-01T00:00:00Z"}
HAND_WRITTEN: list[tuple[str, int, Any]] = [
    (
        "status",
        200,
        {
            "exchange_active": True,
            "trading_active": True,
            "exchange_estimated_resume_time": None,
            "exchange_index_statuses": [
                {"exchange_index": 2, "exchange_active": True, "trading_active": False}
            ],
        },
    ),
    (
        "schedule",
        200,
        {
            "schedule": {
                "standard_hours": [WEEK],
                "maintenance_windows": [
                    {"start_datetime": "2026-11-26T10:00:00Z", "end_datetime": "2026-11-26T11:00:00Z"}
                ],
            }
        },
    ),
    ("as_of", 200, {"as_of_time": "2026-11-23T12:00:00.125Z"}),
    (
        "fees",
        200,
        {
            "series": {"ticker": "K", "fee_type": "quadratic", "fee_multiplier": 0.5},
            "series_fee_change_arr": [],
            "event_fee_changes": [],
        },
    ),
    (
        "balance",
        200,
        {"balance_dollars": "98.0186", "balance_breakdown": [{"exchange_index": 2, "balance": "98.0186"}]},
    ),
    ("positions", 200, {"market_positions": [{"ticker": "K", "position_fp": "-3.25"}], "cursor": ""}),
    ("fills", 200, {"fills": [FILL, FILL | {"trade_id": "u", "count_fp": "0.01"}], "cursor": ""}),
    ("orders", 200, {"orders": [ORDER_ROW], "cursor": ""}),
    (
        "settlements",
        200,
        {
            "settlements": [
                {
                    "ticker": "K",
                    "market_result": "yes",
                    "revenue": 1200,
                    "settled_time": "2026-11-23T12:15:08Z",
                }
            ],
            "cursor": "",
        },
    ),
    ("market", 200, {"market": MARKET, "events": [{"event_ticker": "K"}], "cursor": ""}),
    ("markets", 200, {"markets": [MARKET], "events": [{"event_ticker": "K"}], "cursor": ""}),
    (
        "limits",
        200,
        {
            "usage_tier": "basic",
            "read": {"bucket_capacity": 600, "refill_rate": 200},
            "write": {"bucket_capacity": 100, "refill_rate": 100},
        },
    ),
    ("group", 200, {"is_auto_cancel_enabled": True, "contracts_limit_fp": "10.50", "orders": ["v-1"]}),
    ("create", 201, CREATED),
    ("create", 400, {"error": {"code": "insufficient_balance", "message": "no", "details": "d"}}),
    ("batch", 201, {"orders": [CREATED, CREATED]}),
    ("batch", 201, {"orders": [CREATED, {"client_order_id": "c-1", "error": {"code": "invalid_price"}}]}),
    ("cancel", 200, {"order_id": "v-1", "reduced_by": "1.00", "ts_ms": 1}),
    ("cancel", 404, {"error": {"code": "not_found", "message": "not found"}}),
    ("cancel batch", 200, {"orders": [{"order_id": "v-1", "reduced_by": "1.00"}] * 2}),
    ("amend", 200, {"order_id": "v-1", "remaining_count": "1.00", "ts_ms": 1}),
]
RECORDED = {
    "auth__balance_ok": "balance",
    "auth__bad_signature": "balance",
    "auth__skew_plus5min": "balance",
    "exchange__status": "status",
    "fills__after_taker": "fills",
    "portfolio__orders_list": "orders",
    "portfolio__positions": "positions",
    "settlements__end_of_session": "settlements",
    "orders__create_v2_taker_ioc": "create",
    "orders__create_v2_maker": "create",
    "orders__duplicate_client_order_id": "create",
    "orders__invalid_price_structure": "create",
    "orders__cancel_v2": "cancel",
    "orders__cancel_unknown_id": "cancel",
    "account__limits": "limits",
    "markets__page1": "markets",
    "markets__single": "market",
}


def recorded_seeds() -> Iterator[tuple[str, int, Any]]:
    folder = DATA / "kalshi_demo_wire"
    for name, surface in RECORDED.items():
        if (folder / f"{name}.json").exists():
            meta = json.loads((folder / f"{name}.meta.json").read_text())
            yield surface, meta["status"], json.loads((folder / f"{name}.json").read_text())


SWAPS = (
    *(None, True, 0, -1, 0.1, "", "NaN", "-0.00", "1e3", "0x10", " 1", "１.００", "1.", ".5", "-", "1_0"),
    *("9" * 400, "0." + "1" * 40, [], {}, [[]], {"error": "x"}, "\ud800", "a\u0000b", "🂡"),
)
RAW = ("NaN", "Infinity", "-Infinity", "1e999", "1E5", "-0", "9" * 400, "[" * 3_000, '{"a":' * 3_000, "01")


def mutated(seed: Any, rng: random.Random) -> bytes:
    """One hostile version of a body."""
    kind = rng.randrange(8)
    if kind >= 3:
        return _rewritten(json.loads(json.dumps(seed)), rng, kind)
    body = bytearray(json.dumps(seed).encode())
    at = rng.randrange(len(body))
    if kind == 0:
        body[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del body[at:]
    else:
        del body[at : at + rng.randrange(1, 9)]
    return bytes(body)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in list(entries):
        yield value, key
        yield from _places(inner)


def _rewritten(body: Any, rng: random.Random, kind: int) -> bytes:
    inside, key = rng.choice(list(_places(body)))
    old, raw = inside[key], ""
    if kind == 3:
        inside[key] = rng.choice(SWAPS)
    elif kind == 4:
        del inside[key]
    elif kind == 5:
        inside[key] = _other_type(old)
    elif kind == 6:
        inside[key], raw = "@raw@", rng.choice(RAW)
    elif isinstance(inside, dict):
        inside[key], raw = "@raw@", f"{json.dumps(old)},{json.dumps(key)}:{json.dumps(rng.choice(SWAPS))}"
    else:
        inside.insert(0, old)
    return json.dumps(body).replace('"@raw@"', raw).encode("utf-8", "surrogatepass")


def _other_type(old: Any) -> Any:
    if isinstance(old, str):
        try:
            return float(old)
        except ValueError:
            return [old]
    return str(old) if isinstance(old, int | float) else {"inside": old}


def _json_of(body: bytes) -> Any:
    return json.loads(body.decode("utf-8", "replace"), parse_float=Decimal, parse_int=Decimal, strict=False)


def _amounts(value: Any) -> Iterator[Decimal]:
    """Every amount that stands anywhere in a body."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _amounts(inner)
    elif isinstance(value, str | Decimal):
        with suppress(InvalidOperation):
            yield Decimal(value)


def _claimed(outcome: Any) -> bool:
    """Whether every part of an outcome claims an amount: only then can all amounts be compared."""
    each = outcome if isinstance(outcome, list | tuple) else [outcome]
    return not any(
        isinstance(one, VALUES) and not isinstance(one, OrderAccepted | Cancelled | Amended) for one in each
    )


async def test_no_broken_answer_does_more_than_a_typed_outcome_or_tells_another_amount():
    rng = random.Random(20261123)
    seeds = [*HAND_WRITTEN, *recorded_seeds()]
    sent: dict[str, Any] = {}
    seen: Counter[str] = Counter()

    async def serve(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=sent["status"], body=sent["body"], content_type="application/json")

    async with local_venue(serve) as venue:
        rest = replace(venue.rest(), signer=None)
        for number in range(MUTATIONS):
            name, status, seed = seeds[number % len(seeds)]
            body = mutated(seed, rng)
            sent |= {"status": rng.choice((status,) * 9 + (500,)), "body": body}
            surface = SURFACES[name]
            try:
                outcome = await surface.read(rest)
            except TYPED as error:
                seen[type(error).__name__] += 1
                continue
            seen["read" if _claimed(outcome) else "value without a claim"] += 1
            if any(map(rest.set_aside.hides, rest.set_aside.by_list)):
                seen["rows set aside"] += 1
                rest.set_aside.by_list.clear()
                assert set(surface.found(outcome)) <= {Decimal(0), *_amounts(_json_of(body))}, (
                    name,
                    body[:2_000],
                )
            elif _claimed(outcome):
                assert surface.found(outcome) == surface.said(_json_of(body)), (name, body[:2_000])
    assert sum(seen.values()) == MUTATIONS + seen["rows set aside"]
    assert seen["rows set aside"] > MUTATIONS / 100
    assert seen["Transient"] > MUTATIONS / 10
    assert seen["read"] > MUTATIONS / 10


@pytest.mark.parametrize(("name", "status", "seed"), HAND_WRITTEN)
async def test_the_seeds_themselves_are_understood(name: str, status: int, seed: Any):
    """Otherwise the mutations above would prove nothing."""

    async def serve(_request: web.Request) -> web.StreamResponse:
        return web.json_response(seed, status=status)

    async with local_venue(serve) as venue:
        outcome = await SURFACES[name].read(replace(venue.rest(), signer=None))
    if status < 300 and _claimed(outcome):
        assert SURFACES[name].found(outcome) == SURFACES[name].said(_json_of(json.dumps(seed).encode()))


def test_an_error_is_said_in_one_line_without_control_characters_and_bounded():
    body = json.dumps({"error": "bad request\nsecond line \x1b[31mred " + "x" * 10_000}).encode()
    found = error_in(body)
    assert found is not None
    code, text = found
    assert code.startswith("bad_request_second_line_[31mred_x")
    assert text.startswith("bad request second line [31mred x")
    assert len(text) <= MOST_SAID
    wrapped = json.dumps({"error": {"code": "x\r\ny", "message": "a\tb", "details": "c\x00d"}}).encode()
    assert error_in(wrapped) == ("x y", "a b; c d")
