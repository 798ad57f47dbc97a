"""What our markets were settled at, to the last digit: rows tell whole cents, a market may pay a part of one."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import msgspec
import pytest
from aiohttp import web

from recio.db import trade_store
from recio.db.connection import transaction
from recio.kalshi import account
from recio.kalshi.orders import TimeInForce, create
from recio.kalshi.rest import KalshiRest
from recio.kalshi.settlements import BEHIND, SETTLEMENTS, ExactValues, read_settlements
from recio.messages.account import FillSeen, SettlementSeen
from recio.messages.orders import OrderAccepted
from recio.units import BookSide, Price, Quantity, Ticker, money, price
from tests.kalshi.local_venue import Handler, by_path, local_venue, not_there
from tests.kalshi.test_against_exchange import exchange, new, open_market

TIE = Ticker("KXCRYPTOLEAD15M-T")
CASH = """
    SELECT coalesce(sum(amount), 0) FROM postings JOIN ledger_transactions USING (transaction_id)
    WHERE ticker = $1 AND account = 'cash'
"""


def row(now: datetime, **more: Any) -> dict[str, Any]:
    """Ten contracts of YES at $0.3275, as a row of whole cents tells it."""
    usual = {
        "ticker": TIE,
        "market_result": "scalar",
        "settled_time": now.isoformat().replace("+00:00", "Z"),
        "revenue": 327,
        "value": 32,
        "yes_count_fp": "10.00",
        "no_count_fp": "0.00",
    }
    return usual | more


def venue_with(rows: list[dict[str, Any]], market: Any) -> Handler:
    """`market`: what the market says of itself, or who answers in its place."""
    answer = market if callable(market) else {"market": market}
    return by_path(settlements={"settlements": rows, "cursor": ""}, **{TIE: answer})


def said(value: str | None, result: str | None = "scalar") -> dict[str, Any]:
    return {"ticker": TIE, "result": result, "settlement_value_dollars": value}


@pytest.mark.parametrize(
    ("value", "cents"), [("0.3275", 32), ("0.3275", 33), ("0.3200", 32), ("0.0001", 0), ("0.5", 50)]
)
@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=1)])
async def test_a_part_of_a_cent_is_taken_from_the_market_whichever_way_the_row_rounds(
    value: str, cents: int, age: timedelta
):
    async with local_venue(by_path()) as venue:
        now = venue.rest().clock.utc()
    async with local_venue(venue_with([row(now - age, value=cents)], said(value))) as venue:
        (seen,) = await read_settlements(venue.rest(), None)
        assert (seen.result, seen.yes_value) == (None, price(value))


@pytest.mark.parametrize(
    "market",
    [said(None, ""), said("0.0000", ""), said("0.5000")],
    ids=["not determined yet", "no result yet", "another value"],
)
async def test_a_market_that_does_not_say_it_yet_is_waited_for_and_then_a_person_is(market: dict[str, Any]):
    """Right after a settlement reads of markets may lag behind it; long after it nothing more is to come."""
    async with local_venue(by_path()) as venue:
        now = venue.rest().clock.utc()
    async with local_venue(venue_with([row(now)], market)) as venue:
        exact = ExactValues()
        assert await read_settlements(venue.rest(), None, exact) == ()
        assert TIE in exact.waiting
    async with local_venue(venue_with([row(now - BEHIND)], market)) as venue:
        rest, exact = venue.rest(), ExactValues()
        assert await read_settlements(rest, None, exact) == ()
        assert rest.set_aside.named(SETTLEMENTS) == {TIE}
        assert exact.waiting == ""


@pytest.mark.parametrize(
    "counts",
    [{}, {"yes_count_fp": "0.00", "no_count_fp": "10.00", "revenue": 672}],
    ids=["YES held", "NO held"],
)
@pytest.mark.parametrize("value", ["0.3275", "0.3300", "0.5000"])
async def test_where_a_row_tells_only_what_it_paid_the_market_is_held_against_that(
    counts: dict[str, Any], value: str
):
    async with local_venue(by_path()) as venue:
        now = venue.rest().clock.utc()
    rows = [row(now, value=None, **counts)]
    async with local_venue(venue_with(rows, said(value))) as venue:
        exact = ExactValues()
        found = await read_settlements(venue.rest(), None, exact)
        assert [each.yes_value for each in found] == ([3_275] if value == "0.3275" else [])
        assert bool(exact.waiting) is (value != "0.3275")


def broken(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=503)


def kept_by_a_cache(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"market": said("0.3275")}, headers={"Age": "60"})


def of_another_kind(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"market": {"ticker": TIE, "settlement_value_dollars": 0.3275}})


@pytest.mark.parametrize("market", [broken, kept_by_a_cache, of_another_kind])
async def test_a_market_that_cannot_be_read_is_tried_for_a_while_never_guessed_and_then_named_to_a_person(
    market: Any,
):
    async with local_venue(by_path()) as venue:
        now = venue.rest().clock.utc()
    answers = [market]
    venue_says = venue_with([row(now - timedelta(days=1))], lambda request: answers[-1](request))
    async with local_venue(venue_says) as venue:
        rest, exact = venue.rest(), ExactValues()
        for _ in range(2):
            assert await read_settlements(rest, None, exact) == ()
            assert exact.waiting
            assert not rest.set_aside.named(SETTLEMENTS)
        exact.failing = {row: since - BEHIND for row, since in exact.failing.items()}
        assert await read_settlements(rest, None, exact) == ()
        assert exact.waiting == ""
        assert rest.set_aside.named(SETTLEMENTS) == {TIE}
        answers.append(lambda _: web.json_response({"market": said("0.3275")}))
        (seen,) = await read_settlements(rest, None, exact)
        assert (seen.yes_value, rest.set_aside.named(SETTLEMENTS)) == (3_275, set())


async def test_one_market_that_fails_for_ever_hides_no_other_settlement_and_costs_one_request_in_a_round():
    async with local_venue(by_path()) as venue:
        now = venue.rest().clock.utc()
    at = {"settled_time": (now - timedelta(days=1)).isoformat().replace("+00:00", "Z")}
    won = {"ticker": "KXBTC15M-W", "market_result": "yes", "revenue": 1000, **at}
    sick = [row(now, ticker=name, **at) for name in ("KXSICK-1", "KXSICK-2", "KXSICK-3")]
    well = {"market": said("0.3275")}
    asked_of: list[str] = []

    def sickness(request: web.Request) -> web.StreamResponse:
        asked_of.append(request.path.rsplit("/", 1)[-1])
        return broken(request)

    rows = [*sick, row(now, **at), won]
    bodies: dict[str, Any] = dict.fromkeys((each["ticker"] for each in sick), sickness)
    handler = by_path(settlements={"settlements": rows, "cursor": ""}, **{TIE: well}, **bodies)
    async with local_venue(handler) as venue:
        rest, exact = venue.rest(), ExactValues()
        for turn in range(1, 8):
            found = {each.ticker for each in await read_settlements(rest, None, exact)}
            assert len(asked_of) == turn
            assert exact.waiting
        assert found == {TIE, "KXBTC15M-W"}
        assert set(asked_of[-3:]) == {each["ticker"] for each in sick}


@pytest.mark.parametrize(
    ("more", "worth"),
    [
        ({"value": 32, "revenue": 320}, 3_200),
        ({"value": 32, "revenue": 680, "yes_count_fp": "0.00", "no_count_fp": "10.00"}, 3_200),
        ({"value": 32, "revenue": None}, 3_200),
        ({"value": None, "revenue": 327}, 3_270),
        ({"value": 32, "revenue": 327}, None),
        ({"value": 32, "revenue": 672, "yes_count_fp": "0.00", "no_count_fp": "10.00"}, None),
        ({"value": None, "revenue": None}, None),
        ({"value": 101}, None),
    ],
)
async def test_where_the_market_is_gone_whole_cents_count_only_where_they_are_what_was_paid(
    more: dict[str, Any], worth: int | None
):
    async with local_venue(by_path()) as venue:
        now = venue.rest().clock.utc()
    rows = [row(now - timedelta(days=1), **more)]
    if more.get("value", 0) == 101:
        rows[0]["revenue"] = 1010
    async with local_venue(venue_with(rows, not_there)) as venue:
        found = await read_settlements(venue.rest(), None)
        assert [each.yes_value for each in found] == ([] if worth is None else [worth])


async def test_a_market_is_asked_once_for_each_word_of_its_row():
    async with local_venue(by_path()) as venue:
        now = venue.rest().clock.utc()
    rows = [row(now)]
    async with local_venue(venue_with(rows, said("0.3275"))) as venue:
        rest, exact = venue.rest(), ExactValues()
        for _ in range(3):
            await read_settlements(rest, None, exact)
        assert sum(TIE in path for _, path in venue.requests) == 1
        rows[0] |= {"revenue": 328}
        await read_settlements(rest, None, exact)
        assert sum(TIE in path for _, path in venue.requests) == 2
        rows.clear()
        await read_settlements(rest, None, exact)
        assert not exact.by_row


async def arm(rest: KalshiRest, **fault: object) -> None:
    root = rest.base_url.removesuffix("/trade-api/v2")
    async with rest.session.post(f"{root}/admin/faults", json=fault) as answer:
        assert answer.status == 200, await answer.text()


async def ledger_of(rest: KalshiRest) -> Any:
    root = rest.base_url.removesuffix("/trade-api/v2")
    async with rest.session.get(f"{root}/admin/ledger") as answer:
        return msgspec.json.decode(await answer.read())


@pytest.mark.parametrize(("side", "limit"), [(BookSide.BID, 9_900), (BookSide.ASK, 100)])
async def test_what_the_venue_pays_of_a_part_of_a_cent_is_what_the_ledger_books(
    pool: asyncpg.Pool[asyncpg.Record], tmp_path: Path, side: BookSide, limit: int
):
    """An exchange that pays $0.3275 for a contract of YES, our reads of it, and our rows: to the last digit."""
    async with exchange(tmp_path, quiet_traders=False, speed=10.0) as rest:
        await arm(rest, kind="scalar_settlement", percent=32.75)
        market = await open_market(rest)
        taken = new(
            market,
            book_side=side,
            price=Price(limit),
            quantity=Quantity(700),
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        )
        outcome = await create(rest, taken, wait_seconds=5)
        assert isinstance(outcome, OrderAccepted), outcome
        assert outcome.filled == 700
        before = money((await ledger_of(rest))["cash"])
        await arm(rest, kind="early_close", ticker=market.ticker)
        seen: tuple[SettlementSeen, ...] = ()
        with anyio.fail_after(20):
            while not seen:
                await anyio.sleep(0.05)
                seen = await read_settlements(rest, None)
        (fills, after) = await account.fills(rest, None), (await ledger_of(rest))["cash"]
    assert seen[0].yes_value == 3_275
    own = 3_275 if side is BookSide.BID else 10_000 - 3_275
    assert money(after) - before == 700 * own
    await record(pool, *fills, *seen)
    assert await pool.fetchval(CASH, market.ticker) == Decimal(after) - 1_000


async def record(pool: asyncpg.Pool[asyncpg.Record], *facts: FillSeen | SettlementSeen) -> None:
    for fact in facts:
        async with transaction(pool) as connection:
            await trade_store.record_fact(connection, fact, fact_time(fact))


def fact_time(fact: FillSeen | SettlementSeen) -> datetime:
    return fact.at if isinstance(fact, FillSeen) else fact.settled_at
