"""discovery against a scripted venue: a read that fails, whichever and however, takes nothing away from anybody."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import anyio
import asyncpg
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from recio.clock import Clock
from recio.kalshi.frame_kinds import LifecycleSeen
from recio.kalshi.frames import parse_frame
from recio.messages.markets import (
    ListeningAnew,
    Listings,
    MarketMoved,
    MarketSays,
    MarketStatus,
    StrikeType,
    Traded,
    VenuePhase,
)
from recio.settings.venue import MarketSection
from recio.tasks.discovery import Discovery
from recio.units import Side, Ticker
from recio.wires import Wires
from tests.builders import open_trades, trade
from tests.kalshi.local_venue import local_venue
from tests.kalshi.test_market_reads import MARKET, NOW, TICKER

AT_NOW = Clock(speed=1e-9, venue_origin=NOW.timestamp())
SERIES = Traded(series="KXBTC15M", symbol="BTC", index_id="BRTI")
SETTLED = NOW + timedelta(minutes=1)
GOOD: dict[str, object] = {
    "/series/KXBTC15M": {"series": {"fee_type": "quadratic", "fee_multiplier": 1}},
    "/series/fee_changes": {"series_fee_change_arr": []},
    "/events/fee_changes": {"event_fee_changes": [], "cursor": ""},
    "/events": {"events": [{"event_ticker": MARKET["event_ticker"]}], "cursor": ""},
    "/markets": {"markets": [MARKET], "cursor": ""},
    "/exchange/status": {"exchange_active": True, "trading_active": True},
    "/exchange/schedule": {"schedule": {"standard_hours": [], "maintenance_windows": []}},
}
FAULTS: dict[str, Callable[[], web.StreamResponse]] = {
    **{
        str(status): lambda status=status: web.json_response(
            {"error": {"code": "broken", "message": "b"}}, status=status
        )
        for status in (400, 401, 403, 404, 429, 500, 503)
    },
    "a page": lambda: web.Response(text="<html>", content_type="text/html"),
    "half a body": lambda: web.Response(text="{", content_type="application/json"),
    "another body": lambda: web.json_response({"else": 1}),
    "an error in a success": lambda: web.json_response({"error": {"code": "x", "message": "y"}}),
}

FEW = frozenset({"401", "404", "half a body"})
"""What every read meets; the list of markets meets them all."""


@dataclass(slots=True)
class Script:
    """What the venue answers now, by path."""

    bodies: dict[str, object] = field(default_factory=lambda: dict(GOOD))
    failing: dict[str, Callable[[], web.StreamResponse]] = field(
        default_factory=dict[str, Callable[[], web.StreamResponse]]
    )

    asked: Counter[str] = field(default_factory=Counter[str])

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/trade-api/v2")
        self.asked[path] += 1
        return self.failing[path]() if path in self.failing else web.json_response(self.bodies[path])


@asynccontextmanager
async def discovering(
    script: Script, pool: asyncpg.Pool[asyncpg.Record], wires: Wires
) -> AsyncIterator[None]:
    async with local_venue(script.answer) as venue, anyio.create_task_group() as group:
        task = Discovery(
            pool=pool,
            rest=venue.rest(timeout_seconds=1.0),
            clock=AT_NOW,
            settings=MarketSection(discover_every_seconds=0.1),
            traded=(SERIES,),
            open_trades=wires.open_trades,
            market_news=wires.market_news,
            known_before=wires.listings,
            listings=wires.listings,
            books_to_compare=wires.books_to_compare,
            rest_books=wires.rest_books,
            use_index=True,
            index=wires.index,
            rest_index=wires.rest_index,
        )
        group.start_soon(task.run, lambda _sentence: None)
        try:
            with anyio.fail_after(20):
                yield
        finally:
            group.cancel_scope.cancel()
            wires.close()


async def until(wires: Wires, fits: Callable[[Listings], object]) -> Listings:
    version = 0
    while True:
        version = await wires.listings.newer_than(version)
        found = wires.listings.get()
        if found is not None and fits(found):
            return found


def all_good(found: Listings) -> bool:
    return bool(found.markets) and all(each.confirmed_at and not each.fault for each in found.reads)


@pytest.mark.parametrize("path", GOOD)
async def test_a_read_that_fails_ages_itself_alone_whatever_it_answers(
    pool: asyncpg.Pool[asyncpg.Record], path: str
):
    wires, script = Wires(), Script()
    async with discovering(script, pool, wires):
        before = await until(wires, all_good)
        assert before.markets[TICKER].untradable == ""
        for name, fault in FAULTS.items():
            is_tried = path == "/markets" or name in FEW
            if not is_tried or (name == "404" and path.endswith("fee_changes")):
                continue  # a venue that has no such page announces no changes
            script.failing = {path: fault}
            wires.market_news.put(MarketMoved(ticker=TICKER, kind="fee", says=MarketSays()))
            wires.market_news.put(ListeningAnew())
            found = await until(wires, lambda found: any(each.fault for each in found.reads))
            assert found.markets == before.markets
            assert found.venue == before.venue
            assert len([each for each in found.reads if each.fault]) == 1
            script.failing = {}
            await until(wires, all_good)


async def test_one_strange_market_costs_itself_and_no_other_and_is_told_once(
    pool: asyncpg.Pool[asyncpg.Record],
):
    strange = [
        {**MARKET, "ticker": "KXBTC15M-1", "close_time": "0001-01-01T00:00:00+14:00"},
        {**MARKET, "ticker": "KXBTC15M-2", "strike_type": "custom"},
        {**MARKET, "ticker": "KXBTC15M-3", "strike_type": "custom"},
        {**MARKET, "ticker": "KXBTC15M-4", "floor_strike": 1e300},
        {"ticker": 7},
        None,
    ]
    script = Script(bodies=GOOD | {"/markets": {"markets": [*strange, MARKET], "cursor": ""}})
    wires = Wires()
    with capture_logs() as said:
        async with discovering(script, pool, wires):
            found = await until(wires, all_good)
            looks = script.asked["/markets"]
            await until(wires, lambda _: script.asked["/markets"] > looks + 2)
    assert {ticker for ticker, each in found.markets.items() if not each.untradable} == {TICKER}
    assert found.markets.keys() == {TICKER, "KXBTC15M-2", "KXBTC15M-3"}
    told = [each for each in said if each["event"] in ("market refused", "market not traded")]
    assert sorted(each["ticker"] for each in told) == [
        "(no ticker)",
        "(no ticker)",
        "KXBTC15M-1",
        "KXBTC15M-26NOV230715 (2 strikes)",
        "KXBTC15M-4",
    ]


UNSET = {name: each for name, each in MARKET.items() if name not in ("strike_type", "floor_strike")}
A_WINDOW = GOOD | {"/markets": {"markets": [UNSET], "cursor": ""}}


async def test_a_window_is_known_before_its_strike_and_has_it_as_soon_as_the_socket_sets_it(
    pool: asyncpg.Pool[asyncpg.Record],
):
    script, wires = Script(bodies=A_WINDOW), Wires()
    async with discovering(script, pool, wires):
        before = (await until(wires, all_good)).markets[TICKER]
        assert (before.strike_type, before.floor_strike, before.untradable) == (StrikeType.UNSET, None, "")
        says = MarketSays(strike_type=StrikeType.GREATER_OR_EQUAL, strikes=(Decimal(84_000), None), unread="")
        wires.market_news.put(MarketMoved(ticker=TICKER, kind="metadata_updated", says=says))
        await until(wires, lambda found: found.markets[TICKER].floor_strike == 84_000)
        looks = script.asked["/markets"]
        found = await until(
            wires, lambda _: script.asked["/markets"] > looks + 1
        )  # lists that do not know it yet
        assert found.markets[TICKER].strike_type is StrikeType.GREATER_OR_EQUAL
        while await pool.fetchval("SELECT strike_type FROM markets") != "greater_or_equal":  # noqa: ASYNC110
            await anyio.sleep(0.02)


async def test_a_list_that_a_cache_had_kept_neither_undoes_what_was_heard_since_nor_a_newer_list(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """Its age counts: what it says is as old as that, and so is what is shown to be known."""

    def kept(seconds: int, **changes: object) -> Callable[[], web.StreamResponse]:
        body = {"markets": [MARKET | changes], "cursor": ""}
        return lambda: web.json_response(body, headers={"Age": str(seconds)})

    async def looked(times: int = 2) -> Listings:
        looks = script.asked["/markets"]
        return await until(wires, lambda _: script.asked["/markets"] > looks + times)

    script, wires = Script(failing={"/markets": kept(900_000)}), Wires()
    async with discovering(script, pool, wires):
        (before,) = (each for each in (await until(wires, all_good)).reads if each.name == MARKETS)
        assert before.confirmed_at is not None
        shown = (AT_NOW.utc() - before.confirmed_at).total_seconds()
        assert shown == pytest.approx(900_000 * AT_NOW.speed, abs=2e-6)
        says = MarketSays(status=MarketStatus.INACTIVE)
        wires.market_news.put(MarketMoved(ticker=TICKER, kind="deactivated", says=says))
        await until(wires, lambda found: found.markets[TICKER].status is MarketStatus.INACTIVE)
        script.failing = {"/markets": kept(1, floor_strike=84_001)}
        await until(wires, lambda found: found.markets[TICKER].floor_strike == 84_001)
        script.failing = {"/markets": kept(500)}
        assert (await looked()).markets[TICKER].floor_strike == 84_001
        script.failing = {}
        await until(wires, lambda found: found.markets[TICKER].floor_strike == Decimal("83990.12"))


MARKETS = "markets of KXBTC15M"


async def test_a_strike_that_only_a_list_tells_is_taken_from_it(pool: asyncpg.Pool[asyncpg.Record]):
    script, wires = Script(bodies=A_WINDOW), Wires()
    async with discovering(script, pool, wires):
        await until(wires, all_good)
        script.bodies["/markets"] = GOOD["/markets"]
        found = await until(wires, lambda found: found.markets[TICKER].floor_strike is not None)
        assert (found.markets[TICKER].strike_type, found.markets[TICKER].untradable) == (
            StrikeType.GREATER_OR_EQUAL,
            "",
        )


async def test_after_a_restart_a_list_of_before_the_strike_takes_it_from_no_position(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """A cache may go on for 15 s with a list that has no strike yet, and what the socket said of it went with the process."""
    async with discovering(Script(), pool, earlier := Wires()):
        terms = (await until(earlier, all_good)).markets[TICKER]
        while not await pool.fetchval("SELECT count(*) FROM markets"):  # noqa: ASYNC110 - a table has no event
            await anyio.sleep(0.02)
    script, wires = Script(bodies=dict(A_WINDOW), failing={"/markets": FAULTS["503"]}), Wires()
    wires.open_trades.set(open_trades(trades=(trade(ticker=TICKER),)))
    async with discovering(script, pool, wires):
        await until(wires, lambda found: TICKER in found.markets)
        script.failing = {}
        await until(wires, all_good)
        looks = script.asked["/markets"]
        found = (await until(wires, lambda _: script.asked["/markets"] > looks + 1)).markets[TICKER]
        assert (found.strike_type, found.floor_strike, found.untradable) == (
            terms.strike_type,
            terms.floor_strike,
            "",
        )
        assert await pool.fetchval("SELECT floor_strike FROM markets") == terms.floor_strike


async def test_a_strike_that_the_socket_sets_in_an_unknown_kind_is_a_doubt_about_that_market_until_it_says_better(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires = Wires()
    async with discovering(Script(), pool, wires):
        await until(wires, all_good)
        wires.market_news.put(
            MarketMoved(ticker=TICKER, kind="metadata_updated", says=MarketSays(unread="strange"))
        )
        await until(wires, lambda found: found.markets[TICKER].untradable == "strange")
        says = MarketSays(strike_type=StrikeType.GREATER_OR_EQUAL, strikes=(Decimal(1), None), unread="")
        wires.market_news.put(MarketMoved(ticker=TICKER, kind="metadata_updated", says=says))
        found = await until(wires, lambda found: found.markets[TICKER].untradable == "")
        assert found.markets[TICKER].floor_strike == 1


async def test_what_is_held_stays_known_though_no_list_shows_it_and_its_close_has_passed(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires, script = Wires(), Script()
    wires.open_trades.set(open_trades(trades=(trade(ticker=TICKER),)))
    async with discovering(script, pool, wires):
        await until(wires, all_good)
        script.bodies["/markets"] = {"markets": [], "cursor": ""}
        wires.market_news.put(
            MarketMoved(ticker=TICKER, kind="close_date_updated", says=MarketSays(close_time=NOW))
        )
        found = await until(wires, lambda found: found.markets[TICKER].close_time == NOW)
        listed_anew = wires.listings.version + 20
        found = await until(wires, lambda _: wires.listings.version > listed_anew)
        assert TICKER in found.markets
        wires.open_trades.set(open_trades())
        await until(wires, lambda found: TICKER not in found.markets)


async def test_a_settlement_is_the_last_result_announced_and_one_of_before_a_silence_is_none(
    pool: asyncpg.Pool[asyncpg.Record],
):
    def told(kind: str, **says: Any) -> None:
        wires.market_news.put(MarketMoved(ticker=TICKER, kind=kind, says=MarketSays(**says)))

    wires, script = Wires(), Script()
    async with discovering(script, pool, wires):
        await until(wires, all_good)
        told("determined", status=MarketStatus.DETERMINED, result=Side.YES)
        wires.market_news.put(ListeningAnew())
        told("settled", status=MarketStatus.FINALIZED, settled_at=SETTLED)
        found = await until(wires, lambda found: found.markets[TICKER].status is MarketStatus.FINALIZED)
        assert found.settled == {}
        told("determined", status=MarketStatus.DETERMINED, result=Side.YES)
        told("determined", status=MarketStatus.AMENDED, result=Side.NO)
        told("settled", status=MarketStatus.FINALIZED, settled_at=SETTLED)
        found = await until(wires, lambda found: found.settled)
        assert found.settled[Ticker(TICKER)].result is Side.NO


async def test_a_result_that_a_later_determination_replaces_by_another_than_yes_or_no_settles_nothing(
    pool: asyncpg.Pool[asyncpg.Record],
):
    def told(kind: str, **said: object) -> None:
        body = {"market_ticker": TICKER, "event_type": kind} | said
        raw = json.dumps({"type": "market_lifecycle_v2", "sid": 1, "seq": 1, "msg": body})
        seen = parse_frame(raw)
        assert isinstance(seen, LifecycleSeen)
        wires.market_news.put(MarketMoved(ticker=seen.ticker, kind=seen.kind, says=seen.says))

    wires, script = Wires(), Script()
    async with discovering(script, pool, wires):
        await until(wires, all_good)
        told("determined", result="yes", settlement_value="1.0000")
        told("determined", result="scalar", settlement_value="0.5000")
        told("settled", settled_ts=int(SETTLED.timestamp()))
        found = await until(wires, lambda found: found.markets[TICKER].status is MarketStatus.FINALIZED)
        assert found.settled == {}


async def test_a_restart_knows_what_was_known_before_any_read_succeeds(pool: asyncpg.Pool[asyncpg.Record]):
    wires, script = Wires(), Script()
    async with discovering(script, pool, wires):
        before = await until(wires, all_good)
    anew = Wires()
    anew.listings.set(before)
    async with discovering(Script(failing=dict.fromkeys(GOOD, FAULTS["503"])), pool, anew):
        found = await until(anew, lambda found: any(each.fault for each in found.reads))
        assert found.markets == before.markets
        assert found.venue.phase is VenuePhase.TRADING
        unknown = {each.name for each in found.reads if each.confirmed_at is None}
        assert "schedule of pauses" in unknown


async def test_a_held_market_is_recalled_as_soon_as_the_database_answers_though_no_trade_changes(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with discovering(Script(), pool, before := Wires()):
        await until(before, all_good)
        while not await pool.fetchval("SELECT count(*) FROM markets"):  # noqa: ASYNC110 - a table has no event
            await anyio.sleep(0.02)
    wires, nothing = Wires(), Script(failing=dict.fromkeys(GOOD, FAULTS["503"]))
    async with pool.acquire() as other:
        locked = other.transaction()
        await locked.start()
        await other.execute("LOCK TABLE markets")
        wires.open_trades.set(open_trades(trades=(trade(ticker=TICKER),)))
        async with discovering(nothing, pool, wires):
            while not await pool.fetchval(CUT):  # noqa: ASYNC110 - the server tells of no waiting
                await anyio.sleep(0.02)
            await locked.rollback()
            assert TICKER in (await until(wires, lambda found: found.markets)).markets


CUT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%FROM markets%' LIMIT 1
"""


async def test_whether_a_market_that_had_stopped_goes_on_is_unknown_after_a_silence_until_a_list_says_it(
    pool: asyncpg.Pool[asyncpg.Record],
):
    def has_status(status: MarketStatus) -> Callable[[Listings], bool]:
        return lambda found: found.markets[Ticker(TICKER)].status is status

    wires, script = Wires(), Script()
    async with discovering(script, pool, wires):
        await until(wires, all_good)
        stopped = MarketSays(status=MarketStatus.INACTIVE)
        wires.market_news.put(MarketMoved(ticker=TICKER, kind="deactivated", says=stopped))
        await until(wires, has_status(MarketStatus.INACTIVE))
        script.failing = {"/markets": FAULTS["503"]}
        wires.market_news.put(ListeningAnew())
        await until(wires, has_status(MarketStatus.UNKNOWN))
        script.failing = {}
        await until(wires, has_status(MarketStatus.ACTIVE))
