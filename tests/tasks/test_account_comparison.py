"""account_sync against a scripted venue: absence is proven by the venue's clock, differences by two reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import anyio
import asyncpg
import pytest
from aiohttp import web

from recio.clock import Clock
from recio.db import halts, trade_store
from recio.db import orders as order_rows
from recio.db.connection import transaction
from recio.db.trade_store import Writer
from recio.kalshi.rest import KalshiRest
from recio.kalshi.venue_clock import VenueClock
from recio.messages.account import (
    AccountChannelsOpened,
    AccountView,
    CloseMoved,
    FillSeen,
    OrderProvenAbsent,
    OrderSeen,
    PositionDifference,
    SettlementSeen,
    VenueFact,
)
from recio.messages.controls import Halt
from recio.messages.markets import Listings, MarketSettled, VenuePhase, VenueState
from recio.messages.orders import OrderState
from recio.messages.past_account import PastFact
from recio.rules.account.cash import CASH_COMPARISONS, cash_cause
from recio.rules.account.risk import Approved, Collar
from recio.rules.health.clock_offset import Offset
from recio.settings.venue import KalshiSection
from recio.tasks.account_sync import HURRY, AccountSync
from recio.units import BookSide, ClientOrderId, FillId, Money, Price, Quantity, Side, Ticker, VenueOrderId
from recio.wires import Wires
from tests.builders import NOW, TICKER, market, open_trades, order, trade
from tests.kalshi.local_venue import local_venue, not_there
from tests.order_path import an_intent
from tests.runs import begun, placed_entry

TAG = "0000000a"
AT_NOW = Clock(speed=1e-9, venue_origin=NOW.timestamp())
MARGIN = timedelta(seconds=20)
OURS = ClientOrderId(f"recio-{TAG}-1-entry-1")


LISTED_FILL: dict[str, Any] = {
    "trade_id": "t-1",
    "order_id": "o-1",
    "ticker": TICKER,
    "book_side": "bid",
    "yes_price_dollars": "0.5200",
    "count_fp": "1.00",
    "fee_cost": "0.017500",
    "is_taker": True,
    "created_time": NOW.isoformat().replace("+00:00", "Z"),
}


@dataclass(slots=True)
class Script:
    """What the venue says now; `reads` counts complete comparisons."""

    as_of: datetime = NOW
    orders: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    positions: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    fills: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    settlements: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    reads: int = 0
    broken: str = ""
    status: int = 503
    balance: str = "100.0000"
    shards: list[dict[str, Any]] | None = None
    """What of the balance lies where; None as for a key that is locked to one subaccount."""
    is_locked: bool = True
    """Whether a key that is shown no shards is so because it is locked."""
    deposits: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    withdrawals: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    transfers: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    exchanged: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    asked: list[str] = field(default_factory=list[str])
    cursor: str | None = ""
    """Of a list that has ended."""
    nulls: tuple[str, ...] = ()
    """Lists that are null."""
    page: int = 1_000
    """Rows on one page of the deposits."""
    hangs: str = ""
    """The list that is never answered."""
    only_since: bool = False
    """Whether fills and orders are listed from the time that is asked for."""

    market: dict[str, Any] | None = None
    """What the venue says of any market; None: that it has none."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path.rsplit("/", 1)[-1])
        if "/markets/" in request.path and self.broken == "markets":
            return web.Response(status=self.status)
        if "/markets/" in request.path:
            return not_there(request) if self.market is None else web.json_response({"market": self.market})
        if "subaccount" in request.query and self.shards is None and self.is_locked:
            return web.json_response({"error": {"code": "forbidden", "message": "f"}}, status=403)
        if self.asked[-1] == self.hangs:
            await anyio.sleep_forever()
        if self.asked[-1] == "deposits":
            return self._deposits(int(request.query.get("cursor", "0")))
        if self.asked[-1] == "fills" and self.only_since:
            return self._fills(int(request.query["min_ts"]))
        if self.asked[-1] == "orders" and self.only_since and "min_ts" in request.query:
            return self._orders(int(request.query["min_ts"]))
        return self._rest(self.asked[-1])

    def _deposits(self, first: int) -> web.StreamResponse:
        if self.broken == "deposits" or self.nulls:
            return self._rest("deposits")
        after = first + self.page
        cursor = self.cursor if after >= len(self.deposits) else str(after)
        return web.json_response({"deposits": self.deposits[first:after], "cursor": cursor})

    def _fills(self, since: int) -> web.StreamResponse:
        newer = [
            each for each in self.fills if datetime.fromisoformat(each["created_time"]).timestamp() >= since
        ]
        return web.json_response({"fills": newer, "cursor": ""})

    def _orders(self, since: int) -> web.StreamResponse:
        newer = [
            each for each in self.orders if datetime.fromisoformat(each["created_time"]).timestamp() >= since
        ]
        return web.json_response({"orders": newer, "cursor": ""})

    def _rest(self, name: str) -> web.StreamResponse:
        if name == self.broken:
            return web.json_response({"error": {"code": "broken", "message": "b"}}, status=self.status)
        if name == "settlements":
            self.reads += 1
        bodies: dict[str, object] = {
            "user_data_timestamp": {"as_of_time": self.as_of.isoformat().replace("+00:00", "Z")},
            "balance": {"balance_dollars": self.balance}
            | ({} if self.shards is None else {"balance_breakdown": self.shards}),
            "deposits": {
                "deposits": None if "deposits" in self.nulls else self.deposits,
                "cursor": self.cursor,
            },
            "withdrawals": {"withdrawals": self.withdrawals, "cursor": self.cursor},
            "transfers": {"transfers": self.transfers, "cursor": self.cursor},
            "intra_exchange_instance_transfers": {"transfers": self.exchanged, "cursor": self.cursor},
            "positions": {"market_positions": self.positions, "cursor": ""},
            "fills": {"fills": self.fills, "cursor": ""},
            "orders": {"orders": self.orders, "cursor": ""},
            "settlements": {"settlements": self.settlements, "cursor": ""},
            "limits": {
                "usage_tier": "prestige",
                "read": {"refill_rate": 100_000, "bucket_capacity": 100_000},
                "write": {"refill_rate": 100_000, "bucket_capacity": 100_000},
                "grants": [],
            },
            "endpoint_costs": {"default_cost": 10, "endpoint_costs": []},
            "cutoff": {
                "market_settled_ts": "2020-01-01T00:00:00Z",
                "trades_created_ts": "2020-01-01T00:00:00Z",
                "orders_updated_ts": "2020-01-01T00:00:00Z",
            },
        }
        return web.json_response(bodies[name])


def sync_on(
    pool: asyncpg.Pool[asyncpg.Record],
    rest: KalshiRest,
    wires: Wires,
    every: float = 0.05,
    began_at: datetime = NOW,
) -> AccountSync:
    return AccountSync(
        pool=pool,
        rest=rest,
        clock=AT_NOW,
        venue=KalshiSection(reconcile_every_seconds=every),
        deadline_seconds=0.0,
        began_at=began_at,
        tag=TAG,
        account_hints=wires.account_hints,
        board=wires.board,
        listings=wires.listings,
        open_trades=wires.open_trades,
        venue_facts=wires.venue_facts,
        account=wires.account,
    )


@asynccontextmanager
async def comparing(
    script: Script,
    pool: asyncpg.Pool[asyncpg.Record],
    wires: Wires,
    every: float = 0.05,
    began_at: datetime = NOW,
) -> AsyncIterator[list[VenueFact]]:
    """account_sync running against the script; yields the facts that it has told so far."""
    told: list[VenueFact] = []

    async def collect() -> None:
        while True:
            fact = await wires.venue_facts.receive()
            assert not isinstance(fact, PastFact)  # nothing was restored
            told.append(fact)

    async with local_venue(script.answer) as venue, anyio.create_task_group() as group:
        task = sync_on(pool, venue.rest(), wires, every, began_at)
        group.start_soon(task.run, lambda _sentence: None)
        group.start_soon(collect)
        try:
            yield told
        finally:
            group.cancel_scope.cancel()
            wires.close()


async def reads(script: Script, more: int) -> None:
    """Wait for so many further complete comparisons."""
    target = script.reads + more
    with anyio.fail_after(20):
        while script.reads < target:  # noqa: ASYNC110 - counted by the server's own handler
            await anyio.sleep(0.01)


def unresolved() -> Wires:
    wires = Wires()
    unresolved = order(client_order_id=OURS, state=OrderState.UNKNOWN, created_at=NOW)
    wires.open_trades.set(open_trades(orders=(unresolved,)))
    return wires


async def test_reads_that_are_older_than_the_order_prove_nothing_however_many(
    pool: asyncpg.Pool[asyncpg.Record],
):
    script = Script(as_of=NOW + timedelta(seconds=1))
    async with comparing(script, pool, unresolved()) as told:
        await reads(script, 4)
        assert told == []


async def test_the_same_reading_twice_is_one_and_a_newer_one_completes_the_proof(
    pool: asyncpg.Pool[asyncpg.Record],
):
    script = Script(as_of=NOW + MARGIN)
    async with comparing(script, pool, unresolved()) as told:
        await reads(script, 3)
        assert told == []
        script.as_of += timedelta(seconds=1)
        await reads(script, 2)
    assert isinstance(told[0], OrderProvenAbsent)
    assert told[0].client_order_id == OURS


async def test_the_time_in_which_an_order_may_arrive_begins_when_its_row_is_there_and_not_with_what_stands_in_it(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """A slow database writes a row long after the decision, and only then the exit leaves."""
    wires, script = Wires(), Script(as_of=NOW + timedelta(seconds=1))
    wires.open_trades.set(open_trades())
    async with comparing(script, pool, wires) as told:
        await reads(script, 2)
        decided_at = NOW - timedelta(seconds=9)
        slow = order(client_order_id=OURS, state=OrderState.UNKNOWN, created_at=decided_at)
        wires.open_trades.set(open_trades(orders=(slow,)))
        script.as_of = decided_at + timedelta(seconds=2)
        for _ in range(3):
            script.as_of += timedelta(seconds=2)
            await reads(script, 2)
        assert not any(isinstance(each, OrderProvenAbsent) for each in told)
        script.as_of = NOW + MARGIN
        for _ in range(2):
            script.as_of += timedelta(seconds=1)
            await reads(script, 2)
        await until_told(told, OrderProvenAbsent)


async def test_a_comparison_that_begins_anew_takes_no_row_of_its_own_daemon_for_older_than_its_first_look(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """The exit of a row that a slow database has just written is on its way while account_sync begins again."""
    wires, decided_at = Wires(), NOW - timedelta(seconds=29)
    slow = order(client_order_id=OURS, state=OrderState.UNKNOWN, created_at=decided_at)
    wires.open_trades.set(open_trades(orders=(slow,)))
    script = Script(as_of=NOW - timedelta(seconds=12))
    async with comparing(script, pool, wires, began_at=NOW - timedelta(minutes=1)) as told:
        for _ in range(3):
            await reads(script, 2)
            script.as_of += timedelta(seconds=2)
        assert not any(isinstance(each, OrderProvenAbsent) for each in told)
        script.as_of = NOW + MARGIN
        for _ in range(2):
            script.as_of += timedelta(seconds=1)
            await reads(script, 2)
        await until_told(told, OrderProvenAbsent)


async def test_what_an_earlier_daemon_wrote_is_taken_at_its_word(pool: asyncpg.Pool[asyncpg.Record]):
    """Nothing leaves of it any more: a restart waits no longer than its own time asks for."""
    wires, decided_at = Wires(), NOW - timedelta(seconds=29)
    old = order(client_order_id=OURS, state=OrderState.UNKNOWN, created_at=decided_at)
    wires.open_trades.set(open_trades(orders=(old,)))
    script = Script(as_of=NOW - timedelta(seconds=12))
    async with comparing(script, pool, wires) as told:
        for _ in range(3):
            await reads(script, 2)
            script.as_of += timedelta(seconds=2)
        await until_told(told, OrderProvenAbsent)


async def test_an_order_of_a_clock_that_was_ahead_and_was_set_back_is_proven_absent_from_now_on_and_not_when_its_time_has_come(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires, script = Wires(), Script(as_of=NOW + timedelta(seconds=2))
    ahead = order(client_order_id=OURS, state=OrderState.UNKNOWN, created_at=NOW + timedelta(hours=1))
    wires.open_trades.set(open_trades(orders=(ahead,)))
    async with comparing(script, pool, wires) as told:
        for _ in range(3):
            script.as_of += timedelta(seconds=2)
            await reads(script, 2)
        await until_told(told, OrderProvenAbsent)


async def test_an_order_on_its_way_grows_no_older_when_the_clock_is_set_forward(
    pool: asyncpg.Pool[asyncpg.Record], monkeypatch: pytest.MonkeyPatch
):
    """An hour behind the venue when the row was written, and set right while the request may still arrive."""
    hour, behind = timedelta(hours=1), [timedelta(hours=1)]
    monkeypatch.setattr(Clock, "unix", lambda _: (NOW + hour - behind[0]).timestamp())
    known = lambda: Offset(nearest=behind[0].total_seconds(), uncertainty=10.0)  # noqa: E731 - read anew at each answer
    monkeypatch.setattr(VenueClock, "heard", lambda self, *_: setattr(self, "offset", known()))
    wires, script = unresolved(), Script(as_of=NOW + hour)
    async with comparing(script, pool, wires) as told:
        await reads(script, 2)
        behind[0] = timedelta(0)
        for _ in range(3):
            script.as_of += timedelta(seconds=2)
            await reads(script, 2)
        assert not any(isinstance(each, OrderProvenAbsent) for each in told)
        for _ in range(3):
            script.as_of += MARGIN
            await reads(script, 2)
        await until_told(told, OrderProvenAbsent)


async def test_an_order_of_a_clock_that_is_far_ahead_is_looked_for_no_later_than_at_the_venues_present(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """The list is asked for from a time on: by a clock that is an hour ahead it would not have what was ordered just now."""
    listed = {
        "order_id": "v-1",
        "client_order_id": OURS,
        "ticker": TICKER,
        "status": "executed",
        "fill_count_fp": "10.00",
        "remaining_count_fp": "0.00",
        "created_time": NOW.isoformat(),
    }
    wires, script = Wires(), Script(as_of=NOW + timedelta(seconds=2), orders=[listed], only_since=True)
    wires.open_trades.set(open_trades())
    async with comparing(script, pool, wires) as told:
        await reads(script, 2)
        ahead = order(client_order_id=OURS, state=OrderState.UNKNOWN, created_at=NOW + timedelta(hours=1))
        wires.open_trades.set(open_trades(orders=(ahead,)))
        for _ in range(3):
            script.as_of += timedelta(seconds=2)
            await reads(script, 2)
        assert {type(each) for each in told} == {OrderSeen}


async def test_no_fact_waits_for_the_balance_which_may_be_asked_for_once_a_second_only(
    pool: asyncpg.Pool[asyncpg.Record],
):
    script, wires = Script(broken="balance", status=429, fills=[LISTED_FILL]), unresolved()
    async with comparing(script, pool, wires) as told:
        assert isinstance(await until_told(told, FillSeen), FillSeen)
        with anyio.fail_after(20):
            while "balance" not in script.asked:  # noqa: ASYNC110 - noted by the server's own handler
                await anyio.sleep(0.01)
        before = script.asked[: script.asked.index("balance")]
        assert {"user_data_timestamp", "fills", "orders", "settlements"} <= {*before}


async def test_absence_is_proven_later_by_as_much_as_the_venues_clock_may_be_ahead(
    pool: asyncpg.Pool[asyncpg.Record], monkeypatch: pytest.MonkeyPatch
):
    """The order's row has our time, and what a read shows the venue's."""
    known = Offset(nearest=60.0, uncertainty=1.0)
    monkeypatch.setattr(VenueClock, "heard", lambda self, *_: setattr(self, "offset", known))
    wires, script = unresolved(), Script(as_of=NOW + MARGIN + timedelta(seconds=20))
    async with comparing(script, pool, wires) as told:
        for _ in range(3):
            script.as_of += timedelta(seconds=2)
            await reads(script, 2)
        assert not any(isinstance(each, OrderProvenAbsent) for each in told)
        for _ in range(3):
            script.as_of += timedelta(seconds=30)
            await reads(script, 2)
        await until_told(told, OrderProvenAbsent)


async def test_an_order_that_is_listed_is_adopted_and_never_called_absent(pool: asyncpg.Pool[asyncpg.Record]):
    listed = {
        "order_id": "v-1",
        "client_order_id": OURS,
        "ticker": TICKER,
        "status": "executed",
        "fill_count_fp": "10.00",
        "remaining_count_fp": "0.00",
    }
    strangers = {**listed, "order_id": "v-2", "client_order_id": "by hand"}
    script = Script(as_of=NOW + MARGIN, orders=[listed, strangers])
    async with comparing(script, pool, unresolved()) as told:
        await reads(script, 2)
        script.as_of += timedelta(seconds=1)
        await reads(script, 2)
    assert {type(fact) for fact in told} == {OrderSeen}
    assert {fact.client_order_id for fact in told if isinstance(fact, OrderSeen)} == {OURS}


@pytest.mark.parametrize("status", [401, 404, 503])
@pytest.mark.parametrize("broken", ["balance", "positions", "fills", "orders", "user_data_timestamp"])
async def test_a_comparison_with_a_broken_page_counts_for_nothing_and_the_next_whole_one_does(
    pool: asyncpg.Pool[asyncpg.Record], broken: str, status: int
):
    wires = unresolved()
    script = Script(as_of=NOW + MARGIN, broken=broken, status=status, fills=[LISTED_FILL])
    async with comparing(script, pool, wires) as told:
        await reads(script, 2)
        assert wires.account.get() is None
        assert not [each for each in told if isinstance(each, OrderProvenAbsent)]
        # What the other reads show is told all the same.
        assert broken == "fills" or [each for each in told if isinstance(each, FillSeen)]
        script.broken = ""
        with anyio.fail_after(20):
            await wires.account.newer_than(0)


def listed(**changes: Any) -> Listings:
    fields = {
        "markets": {TICKER: market()},
        "settled": {},
        "venue": VenueState(phase=VenuePhase.TRADING),
        "reads": (),
    }
    return Listings(**(fields | changes))


async def until_told(told: list[VenueFact], kind: type[VenueFact]) -> VenueFact:
    with anyio.fail_after(20):
        while not any(isinstance(each, kind) for each in told):  # noqa: ASYNC110 - a list has no event
            await anyio.sleep(0.01)
    return next(each for each in told if isinstance(each, kind))


async def test_a_close_that_the_venue_moves_is_told_without_any_read(pool: asyncpg.Pool[asyncpg.Record]):
    wires = Wires()
    wires.open_trades.set(open_trades(trades=(trade(),)))
    wires.listings.set(listed())
    async with comparing(Script(broken="user_data_timestamp"), pool, wires) as told:
        later = NOW + timedelta(hours=1)
        assert not [each for each in told if isinstance(each, CloseMoved)]
        wires.listings.set(listed(markets={TICKER: market(close_time=later)}))
        assert await until_told(told, CloseMoved) == CloseMoved(ticker=TICKER, closes_at=later)


@pytest.mark.parametrize("result", list(Side))
async def test_a_settlement_that_only_the_socket_told_is_booked_while_the_account_cannot_be_read(
    pool: asyncpg.Pool[asyncpg.Record], result: Side
):
    wires = Wires()
    held = trade(side=Side.YES)
    wires.open_trades.set(open_trades(trades=(held,)))
    just_now = NOW + timedelta(minutes=1)
    paid = MarketSettled(result=result, settled_at=just_now)
    wires.listings.set(listed(settled={TICKER: paid}))
    script = Script()
    async with comparing(script, pool, wires) as told:
        await reads(script, 3)
        # A list that can be read has the first word.
        assert not [each for each in told if isinstance(each, SettlementSeen)]
        script.broken = "settlements"
        assert await until_told(told, SettlementSeen) == SettlementSeen(
            ticker=TICKER,
            result=result,
            settled_at=just_now,
            revenue_cents=held.held if result is Side.YES else 0,
        )


def position(quantity: str, ticker: Ticker = TICKER) -> dict[str, Any]:
    return {"ticker": ticker, "position_fp": quantity}


async def compared(wires: Wires, script: Script, more: int) -> AccountView:
    await reads(script, more)
    view = wires.account.get()
    assert view is not None
    return view


async def until_it_differs(wires: Wires) -> tuple[PositionDifference, ...]:
    """A comparison whose reads were answered may still be on its way to be published."""
    with anyio.fail_after(20):
        while (view := wires.account.get()) is None or not view.differences:
            await wires.account.newer_than(wires.account.version)
    return view.differences


async def test_a_difference_counts_only_when_two_comparisons_agree_on_it(pool: asyncpg.Pool[asyncpg.Record]):
    wires = Wires()
    wires.open_trades.set(open_trades(trades=(trade(),)))
    script = Script(positions=[position("10.00")])
    async with comparing(script, pool, wires):
        assert (await compared(wires, script, 3)).differences == ()
        script.positions = [position("9.00")]
        assert (
            await compared(wires, script, 4)
        ).differences == ()  # the venue's reads are not newer than that
        script.as_of = NOW + timedelta(seconds=2)
        found = await until_it_differs(wires)
        assert [(each.venue, each.ours) for each in found] == [(Quantity(900), Quantity(1000))]


async def test_what_a_person_trades_beside_recio_is_explained_by_its_fills_and_a_hundredth_that_is_not_is_found(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires = Wires()
    wires.open_trades.set(open_trades())
    script = Script(as_of=NOW + timedelta(seconds=2), positions=[position("1.00")])
    async with transaction(pool) as connection:
        counted = "INSERT INTO market_entries VALUES ($1, $2, 0, $2)"
        await connection.execute(counted, TICKER, NOW - timedelta(hours=3))
        await trade_store.record_fact(connection, by_hand(), NOW)
    async with comparing(script, pool, wires):
        view = await compared(wires, script, 4)
        assert (view.differences, view.external) == ((), (TICKER,))
        script.positions = [position("1.01")]
        found = await until_it_differs(wires)
        assert [(each.venue, each.ours) for each in found] == [(Quantity(101), Quantity(100))]


def by_hand() -> FillSeen:
    return FillSeen(
        fill_id=FillId("t-1"),
        venue_order_id=VenueOrderId("o-1"),
        ticker=TICKER,
        book_side=BookSide.BID,
        price=Price(5200),
        quantity=Quantity(100),
        fee=Money(17_500),
        is_taker=True,
        at=NOW,
    )


async def test_rows_that_cannot_be_read_are_counted_and_hide_no_other_and_no_order_of_ours_is_absent_behind_one(
    pool: asyncpg.Pool[asyncpg.Record],
):
    def listed(**more: Any) -> dict[str, Any]:
        return {"order_id": "o-9", "ticker": "KX-ELSE", "status": "executed", "fill_count_fp": "1.00"} | more

    def foreign(**more: Any) -> dict[str, Any]:
        return LISTED_FILL | {"trade_id": "t-9", "ticker": "KXNBA-1"} | more

    wires, script = unresolved(), Script(as_of=NOW + MARGIN + timedelta(seconds=1))
    script.orders = [
        listed(remaining_count_fp="0.00", status="pending"),
        listed(client_order_id=OURS, remaining_count_fp="0.00", status="a status of tomorrow"),
    ]
    script.fills = [foreign(yes_price_dollars="0.123456"), foreign(yes_price_dollars="0.0000"), LISTED_FILL]
    script.positions = [position("1.00", Ticker("KXNBA-1")), {"ticker": "KXNBA-2", "position_fp": None}]
    script.settlements = [
        {"ticker": "KXNBA-3", "market_result": "perhaps", "settled_time": "2026-11-23T12:00:00Z"}
    ]
    async with comparing(script, pool, wires) as told:
        await reads(script, 2)
        script.as_of += timedelta(seconds=5)
        view = await compared(wires, script, 3)
        assert view.positions == {"KXNBA-1": 100}
        assert {each.fill_id for each in told if isinstance(each, FillSeen)} == {"t-1"}
        assert not any(isinstance(each, OrderProvenAbsent) for each in told)
        script.orders = script.orders[:1]
        script.as_of += timedelta(seconds=5)
        await reads(script, 2)
        script.as_of += timedelta(seconds=5)
        assert isinstance(await until_told(told, OrderProvenAbsent), OrderProvenAbsent)


@pytest.mark.parametrize(("hours", "named"), [(5.9, ()), (6.1, (TICKER,))])
async def test_a_market_of_ours_whose_end_does_not_come_is_named_after_hours(
    pool: asyncpg.Pool[asyncpg.Record], hours: float, named: tuple[Ticker, ...]
):
    wires = Wires()
    wires.open_trades.set(open_trades(trades=(trade(closes_at=NOW - timedelta(hours=hours)),)))
    script = Script()
    async with comparing(script, pool, wires):
        view = await compared(wires, script, 2)
        assert (view.overdue, view.unsettled) == (named, ())


@pytest.mark.parametrize(("ts", "told"), [(int(NOW.timestamp()), True), (None, False)])
async def test_a_fill_of_ours_is_booked_by_either_of_its_times_which_may_both_be_missing(
    pool: asyncpg.Pool[asyncpg.Record], ts: int | None, told: bool
):
    """A fill that is set aside leaves its trade without a stop: only what cannot be known may be missing."""
    row = {name: value for name, value in LISTED_FILL.items() if name != "created_time"}
    wires, script = unresolved(), Script(fills=[row if ts is None else row | {"ts": ts}])
    async with comparing(script, pool, wires) as facts:
        await reads(script, 2)
        assert [each.at for each in facts if isinstance(each, FillSeen)][:1] == ([NOW] if told else [])


async def test_a_settlement_that_cannot_be_read_is_named_with_its_market_and_a_correction_is_told_again(
    pool: asyncpg.Pool[asyncpg.Record],
):
    def row(result: str, second: int, **more: Any) -> dict[str, Any]:
        at = (NOW + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")
        return {"ticker": TICKER, "market_result": result, "revenue": 0, "settled_time": at} | more

    wires = Wires()
    wires.open_trades.set(open_trades(trades=(trade(closes_at=NOW),)))
    script = Script(settlements=[row("a word of tomorrow", 0)])
    async with comparing(script, pool, wires) as told:
        assert (await compared(wires, script, 2)).unsettled == (TICKER,)
        script.market = {"result": "scalar", "settlement_value_dollars": "0.5025"}
        script.settlements = [row("scalar", 0, value=50)]
        halves = await until_told(told, SettlementSeen)
        assert isinstance(halves, SettlementSeen)
        assert (halves.result, halves.yes_value) == (None, 5025)
        async with transaction(pool) as connection:
            await trade_store.record_fact(connection, halves, NOW)
        await reads(script, 2)
        told.clear()
        script.settlements = [row("yes", 5)]
        whole = await until_told(told, SettlementSeen)
        assert isinstance(whole, SettlementSeen)
        assert whole.yes_value == 10_000
        assert (await compared(wires, script, 2)).unsettled == ()


async def test_a_settlement_whose_market_cannot_be_read_holds_up_no_other_and_the_account_is_whole_again_with_it(
    pool: asyncpg.Pool[asyncpg.Record],
):
    at = NOW.isoformat().replace("+00:00", "Z")
    tie = {"ticker": TICKER, "market_result": "scalar", "value": 32, "revenue": 327, "settled_time": at}
    won = {"ticker": "KXBTC15M-W", "market_result": "yes", "revenue": 0, "settled_time": at}
    wires = Wires()
    wires.open_trades.set(open_trades(trades=(trade(closes_at=NOW),)))
    script = Script(settlements=[tie, won], broken="markets")
    async with comparing(script, pool, wires) as told:
        found = await until_told(told, SettlementSeen)
        assert isinstance(found, SettlementSeen)
        assert found.ticker == "KXBTC15M-W"
        assert wires.account.get() is None  # what is not whole counts as no comparison
        told.clear()
        script.market = {"result": "scalar", "settlement_value_dollars": "0.3275"}
        script.broken = ""
        values: dict[str, int] = {}
        while TICKER not in values:
            exact = await until_told(told, SettlementSeen)
            assert isinstance(exact, SettlementSeen)
            values[exact.ticker] = exact.yes_value
            told.remove(exact)
        assert values[TICKER] == 3_275
        assert (await compared(wires, script, 1)).unsettled == ()


@pytest.mark.parametrize("strange", ["KX\0C", "K" * 3_000], ids=["a NUL", "longer than an index takes"])
async def test_rows_with_names_that_no_row_of_ours_can_hold_cost_themselves_alone(
    pool: asyncpg.Pool[asyncpg.Record], strange: str
):
    at = NOW.isoformat().replace("+00:00", "Z")
    settled = {"market_result": "yes", "revenue": 0, "settled_time": at}
    seen = {"order_id": "o-1", "status": "canceled", "fill_count_fp": "0.00", "remaining_count_fp": "0.00"}
    wires, script = (
        unresolved(),
        Script(
            fills=[LISTED_FILL | {name: strange} for name in ("trade_id", "order_id", "ticker")]
            + [LISTED_FILL],
            positions=[{"ticker": strange, "position_fp": "1.00"}],
            settlements=[{"ticker": strange} | settled, {"ticker": TICKER} | settled],
            orders=[
                seen | {"ticker": TICKER, "client_order_id": f"recio-{TAG}-{strange}"},
                seen | {"ticker": strange, "client_order_id": f"recio-{TAG}-9-entry-9"},
            ],
        ),
    )
    async with comparing(script, pool, wires) as told:
        await compared(wires, script, 2)
        assert {each.fill_id for each in told if isinstance(each, FillSeen)} == {"t-1"}
        assert {each.ticker for each in told if isinstance(each, SettlementSeen)} == {TICKER}
        assert not [each for each in told if isinstance(each, OrderSeen)]
        for fact in told:
            async with transaction(pool) as connection:
                await trade_store.record_fact(connection, fact, NOW)


@pytest.mark.parametrize("status", [403, 404, 503])
@pytest.mark.parametrize("name", ["limits", "endpoint_costs"])
async def test_an_account_whose_limits_cannot_be_read_is_compared_like_any_other(
    pool: asyncpg.Pool[asyncpg.Record], name: str, status: int
):
    wires, script = Wires(), Script(broken=name, status=status)
    wires.open_trades.set(open_trades())
    async with comparing(script, pool, wires):
        await compared(wires, script, 2)
        script.broken, asked = "", script.asked.count("endpoint_costs")
        with anyio.fail_after(20):  # and they are asked for until they are known
            while script.asked.count("endpoint_costs") == asked:  # noqa: ASYNC110 - counted by the server's own handler
                await anyio.sleep(0.01)


async def test_two_settlements_of_one_moment_that_contradict_each_other_are_none_and_never_correct_each_other(
    pool: asyncpg.Pool[asyncpg.Record],
):
    at = NOW.isoformat().replace("+00:00", "Z")
    row = {"ticker": TICKER, "revenue": 0, "settled_time": at}
    wires = Wires()
    wires.open_trades.set(open_trades(trades=(trade(closes_at=NOW),)))
    script = Script(settlements=[row | {"market_result": word} for word in ("yes", "no")])
    async with comparing(script, pool, wires) as told:
        for _ in range(4):
            assert (await compared(wires, script, 2)).unsettled == (TICKER,)
            for fact in told:
                async with transaction(pool) as connection:
                    await trade_store.record_fact(connection, fact, NOW)
        assert told == []
        assert await pool.fetchval("SELECT count(*) FROM ledger_transactions WHERE kind = 'correction'") == 0
        # The same word twice, or an older one beside a newer, is no contradiction.
        older = row | {"market_result": "no", "settled_time": "2020-01-01T00:00:00Z"}
        script.settlements = [row | {"market_result": "yes"}, row | {"market_result": "yes"}, older]
        found = await until_told(told, SettlementSeen)
        assert isinstance(found, SettlementSeen)
        assert found.result is Side.YES
        assert (await compared(wires, script, 2)).unsettled == ()


async def test_an_order_that_counts_as_never_arrived_and_is_at_the_venue_with_a_fill_is_told(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with transaction(pool) as connection:
        approved = Approved(
            intent=an_intent(),
            reserved=Money(5_400_000),
            collar=Collar(ask=Price(5200), model_value=Decimal("0.55")),
        )
        command = await placed_entry(connection, await begun(connection), approved, NOW, timedelta(seconds=2))
        absent = OrderProvenAbsent(client_order_id=command.client_order_id, proof="two reads")
        await trade_store.record_fact(connection, absent, NOW)
        tag = command.client_order_id.split("-")[1]
    wires = Wires()
    wires.open_trades.set(open_trades())
    script = Script()
    async with local_venue(script.answer) as venue, anyio.create_task_group() as group:
        task = replace(sync_on(pool, venue.rest(), wires), tag=tag)
        group.start_soon(task.run, lambda _sentence: None)
        assert (await compared(wires, script, 3)).contradicted == ()
        row = {
            "order_id": "o-1",
            "ticker": TICKER,
            "status": "executed",
            "client_order_id": command.client_order_id,
        }
        script.orders = [row | {"fill_count_fp": "10.00", "remaining_count_fp": "0.00"}]
        script.positions = [position("10.00")]
        async with transaction(pool) as connection:
            await trade_store.record_fact(connection, by_hand(), NOW)
        view = await compared(wires, script, 4)
        assert view.contradicted == (command.client_order_id,)
        group.cancel_scope.cancel()
    wires.close()


async def test_a_position_made_externally_elsewhere_is_shown_and_not_a_difference(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires = Wires()
    wires.open_trades.set(open_trades())
    script = Script(as_of=NOW, positions=[position("-3.00", Ticker("KX-HAND"))])
    async with comparing(script, pool, wires):
        view = await compared(wires, script, 2)
        script.as_of = NOW + timedelta(seconds=2)  # only newer reads tell more
        view = await compared(wires, script, 3)
    assert (view.differences, view.external) == ((), ("KX-HAND",))
    assert view.positions == {"KX-HAND": -300}


async def test_what_was_made_externally_counts_at_what_it_cost_or_may_cost_and_else_at_its_whole_payout(
    pool: asyncpg.Pool[asyncpg.Record],
):
    def rests(name: str, ticker: str, **more: str) -> dict[str, Any]:
        row = {"order_id": name, "ticker": ticker, "status": "resting", "fill_count_fp": "0.00"}
        return row | {"remaining_count_fp": "10.00"} | more

    wires = Wires()
    wires.open_trades.set(open_trades())
    script = Script(
        positions=[
            position("-3.00", Ticker("KX-HAND")) | {"market_exposure_dollars": "1.200000"},
            position("3.00", Ticker("KX-UNTOLD")),
        ],
        orders=[
            rests("v-1", "KX-HAND", book_side="ask", yes_price_dollars="0.7000"),
            rests("v-2", "KX-OTHER"),
            rests("v-3", "KX-OURS", client_order_id=OURS, book_side="bid", yes_price_dollars="0.5000"),
        ],
    )
    async with comparing(script, pool, wires):
        view = await compared(wires, script, 2)
    assert view.external_cost == {
        "KX-HAND": Money(1_200_000 + 3_000_000),
        "KX-UNTOLD": Money(3_000_000),
        "KX-OTHER": Money(10_000_000),
    }
    assert view.external_orders == 2


async def test_channels_that_were_opened_anew_lead_to_a_comparison_at_once(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires = Wires()
    wires.open_trades.set(open_trades())
    script = Script(as_of=NOW)
    async with comparing(script, pool, wires, every=3_600):
        await reads(script, 1)
        await wires.account_hints.send(AccountChannelsOpened(at=NOW))
        await reads(script, 1)


async def test_reasons_to_look_that_come_by_the_hundred_make_no_more_comparisons_than_an_order_that_is_waited_for(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """Each frame that cannot be read is one: the rate limit is needed for stops."""
    wires, script = Wires(), Script(as_of=NOW)
    wires.open_trades.set(open_trades())
    async with comparing(script, pool, wires, every=3_600):
        await reads(script, 1)
        began, target = anyio.current_time(), script.reads + 3
        with anyio.fail_after(20):
            while script.reads < target:
                await wires.account_hints.send(AccountChannelsOpened(at=NOW))
                await anyio.sleep(0.01)
        assert anyio.current_time() - began > 2 * HURRY


async def test_a_fill_is_told_again_at_every_comparison_until_its_row_is_there_and_then_no_more(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """What was told may be lost on its way to the rows; only a row proves that it was not."""
    wires = Wires()
    wires.open_trades.set(open_trades())
    script = Script(as_of=NOW, fills=[LISTED_FILL])
    async with comparing(script, pool, wires) as told:
        with anyio.fail_after(20):
            while len(told) < 3:  # noqa: ASYNC110 - told by the task's own comparisons
                await anyio.sleep(0.01)
        (first, *_) = told
        assert isinstance(first, FillSeen)
        assert all(each == first for each in told)
        async with transaction(pool) as connection:
            assert await order_rows.insert_fill(connection, first)
        await reads(script, 2)
        before = len(told)
        await reads(script, 3)
        assert len(told) == before


async def test_orders_and_settlements_whose_rows_have_ended_are_told_no_more(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """A comparison that learns nothing queues nothing; one that may matter is told until its row is there."""
    async with transaction(pool) as connection:
        writer = Writer(tag=TAG, fencing=(await begun(connection)).fencing)
        collar = Collar(ask=Price(5200), model_value=Decimal("0.55"))
        intent = an_intent()
        command = await placed_entry(
            connection, writer, Approved(intent=intent, reserved=Money(1), collar=collar), NOW, MARGIN
        )
    listed = {
        "order_id": "v-1",
        "client_order_id": command.client_order_id,
        "ticker": TICKER,
        "status": "executed",
        "fill_count_fp": "10.00",
        "remaining_count_fp": "0.00",
    }
    settlement = {
        "ticker": TICKER,
        "market_result": "yes",
        "settled_time": NOW.isoformat().replace("+00:00", "Z"),
        "revenue": 1000,
    }
    wires = Wires()
    wires.open_trades.set(open_trades(orders=(order(client_order_id=OURS),)))
    script = Script(as_of=NOW, orders=[listed], settlements=[settlement])
    async with comparing(script, pool, wires) as told:
        await reads(script, 2)
        assert {type(fact) for fact in told} == {OrderSeen, SettlementSeen}
        async with transaction(pool) as connection:
            for fact in dict.fromkeys(told):
                await trade_store.record_fact(connection, fact, NOW)
        await reads(script, 2)
        told.clear()
        await reads(script, 3)
        assert told == []


async def test_a_fill_that_a_channel_tells_is_handed_on_at_once(pool: asyncpg.Pool[asyncpg.Record]):
    wires = Wires()
    wires.open_trades.set(open_trades())
    fill = FillSeen(
        fill_id=FillId("t-1"),
        venue_order_id=VenueOrderId("o-1"),
        ticker=TICKER,
        book_side=BookSide.BID,
        price=Price(5200),
        quantity=Quantity(100),
        fee=Money(17_500),
        is_taker=True,
        at=NOW,
    )
    async with comparing(Script(as_of=NOW), pool, wires, every=60.0) as told:
        await wires.account_hints.send(fill)
        with anyio.fail_after(20):
            while not told:  # noqa: ASYNC110 - the queue is the task's own
                await anyio.sleep(0.01)
        assert told == [fill]


async def test_an_order_of_ours_that_has_no_row_is_told_even_when_no_order_is_unknown(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """A database brought back from an older copy does not know what was sent after the copy was made."""
    wires = Wires()
    wires.open_trades.set(open_trades())
    forgotten = {
        "order_id": "v-9",
        "client_order_id": OURS,
        "ticker": TICKER,
        "status": "executed",
        "fill_count_fp": "10.00",
        "remaining_count_fp": "0.00",
    }
    # The same database under another tag, before it was restored or as another restore of it.
    sibling = OURS.replace(OURS.split("-")[1][4:], "beef", 1)
    stranger = OURS.replace(OURS.split("-")[1], "ffffffff")
    script = Script(
        orders=[
            forgotten,
            {**forgotten, "order_id": "v-10", "client_order_id": "by hand"},
            {**forgotten, "order_id": "v-11", "client_order_id": sibling},
            {**forgotten, "order_id": "v-12", "client_order_id": stranger},
        ]
    )
    async with comparing(script, pool, wires):
        view = await compared(wires, script, 3)
    assert {each.client_order_id for each in view.unrecorded} == {OURS, sibling}
    assert {each.ticker for each in view.unrecorded} == {TICKER}


async def test_cash_that_no_fill_explains_is_told_after_several_comparisons_until_somebody_accepts_it(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires, script = Wires(), Script()
    wires.open_trades.set(open_trades())
    async with comparing(script, pool, wires):
        assert (await compared(wires, script, CASH_COMPARISONS + 2)).cash_difference is None
        script.balance = "90.0000"
        assert (await compared(wires, script, CASH_COMPARISONS + 2)).cash_difference == Money(-10_000_000)
        async with transaction(pool) as connection:
            cause = cash_cause(Money(-10_000_000))
            await halts.set_halt(connection, Halt(cause=cause, since=NOW, by="x", resolution="y"))
            await halts.clear_all(connection, NOW, "somebody")
        assert (await compared(wires, script, 3)).cash_difference is None
        script.balance = "100.0000"
        assert (await compared(wires, script, CASH_COMPARISONS + 2)).cash_difference == Money(10_000_000)


async def test_cash_that_orders_at_rest_hold_back_is_no_difference_and_more_than_that_is(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires, script = Wires(), Script()
    wires.open_trades.set(open_trades())
    rests = {"order_id": "h-1", "ticker": "KX-HAND", "status": "resting", "fill_count_fp": "0.00"}
    async with comparing(script, pool, wires):
        await reads(script, CASH_COMPARISONS + 2)
        script.orders = [
            rests | {"remaining_count_fp": "50.00", "book_side": "bid", "yes_price_dollars": "0.0300"}
        ]
        script.balance = "98.5000"
        assert (await compared(wires, script, CASH_COMPARISONS + 2)).cash_difference is None
        script.balance = "98.4999"
        found = await compared(wires, script, CASH_COMPARISONS + 2)
        assert found.cash_difference == Money(-1_500_100)


async def test_cash_is_not_compared_while_an_order_is_without_its_end(pool: asyncpg.Pool[asyncpg.Record]):
    wires, script = Wires(), Script()
    wires.open_trades.set(open_trades())
    async with comparing(script, pool, wires):
        await reads(script, CASH_COMPARISONS + 2)
        wires.open_trades.set(open_trades(orders=(order(client_order_id=OURS, state=OrderState.RESTING),)))
        script.balance = "90.0000"
        assert (await compared(wires, script, CASH_COMPARISONS + 2)).cash_difference is None
