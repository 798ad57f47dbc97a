"""trade_manager and executor on real rows and real HTTP: written down first, sent once, never guessed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import anyio
import anyio.lowlevel
import asyncpg
import pytest
from aiohttp import web

from recio.clock import Clock
from recio.db import halts, switches
from recio.db.connection import transaction
from recio.db.pool import open_pool
from recio.kalshi.rate_limit import RateLimits
from recio.kalshi.rest import KalshiRest
from recio.messages.account import SettlementSeen
from recio.messages.controls import Halt, OrderGroupReady, Switch, TradingControls
from recio.messages.decisions import CloseIntent
from recio.messages.orders import (
    OrderAccepted,
    OrderOutcome,
    OrderRejected,
    OrderState,
    OrderUnknown,
    PlaceOrder,
)
from recio.tasks import executor
from recio.tasks.executor import Executor
from recio.units import (
    BookSide,
    ClientOrderId,
    Price,
    Quantity,
    Side,
    Ticker,
    TradeId,
)
from recio.wires import Wires
from tests.builders import NOW, TICKER
from tests.kalshi.local_venue import answers, local_venue
from tests.order_path import AT_NOW, an_intent, bought, managed, seen, states

CREATED = '{"order_id":"v-1","fill_count":"10.00","remaining_count":"0.00","ts_ms":1}'
ORDER = PlaceOrder(
    client_order_id=ClientOrderId("recio-0123abcd-1-entry-1"),
    ticker=TICKER,
    exchange_index=2,
    book_side=BookSide.BID,
    quantity=Quantity(1000),
    price=Price(5200),
    reduce_only=False,
    send_before=NOW + timedelta(seconds=2),
)

BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


async def test_when_the_command_to_send_exists_its_row_is_already_committed(
    pool: asyncpg.Pool[asyncpg.Record], database_dsn: str
):
    async with managed(pool) as wires, open_pool(database_dsn, application_name="stranger") as stranger:
        await wires.open_intents.send(an_intent())
        with anyio.fail_after(10):
            command = await wires.orders.receive()
        row = await stranger.fetchrow(
            "SELECT state, reserved FROM orders WHERE client_order_id = $1", command.client_order_id
        )
        assert row is not None
        assert row["state"] == "pending"


async def test_two_intents_for_one_market_become_one_order(pool: asyncpg.Pool[asyncpg.Record]):
    async with managed(pool) as wires:
        for _ in range(2):
            await wires.open_intents.send(an_intent())
        await seen(wires, lambda w: w.open_intents.depth == 0 and states(w))
        await wires.open_intents.send(an_intent(ticker=Ticker("KX-OTHER")))
        commands = [await wires.orders.receive() for _ in range(2)]
        assert [command.ticker for command in commands] == [TICKER, "KX-OTHER"]
        assert wires.orders.depth == 0


async def test_who_wants_an_entry_hears_when_it_was_dealt_with_also_if_it_was_refused(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """Until then entry sends no other."""
    async with managed(pool) as wires:
        for intent in (an_intent(), an_intent()):
            await wires.open_intents.send(intent)
            with anyio.fail_after(10):
                await wires.open_intents.finished()
        assert wires.orders.depth == 1


async def test_a_stale_intent_is_refused_and_leaves_no_row(pool: asyncpg.Pool[asyncpg.Record]):
    async with managed(pool) as wires:
        await wires.open_intents.send(an_intent(NOW - timedelta(seconds=3)))
        await wires.open_intents.send(an_intent(ticker=Ticker("KX-FRESH")))
        with anyio.fail_after(10):
            assert (await wires.orders.receive()).ticker == "KX-FRESH"
    assert await pool.fetchval("SELECT count(*) FROM orders") == 1


async def test_a_close_that_was_decided_too_long_ago_becomes_no_order_and_a_fresh_one_does(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with managed(pool) as wires:
        await bought(wires)
        late = CloseIntent(
            trade_id=TradeId(1),
            exchange_index=2,
            quantity=Quantity(1000),
            floor=Price(1000),
            decided_at=NOW - timedelta(minutes=5),
            why="stop: decided five minutes ago",
        )
        await wires.close_intents.send(late)
        await wires.close_intents.send(replace(late, decided_at=NOW + timedelta(minutes=1)))
        with anyio.fail_after(10):
            assert (await wires.orders.receive()).reduce_only
    assert await pool.fetchval("SELECT count(*) FROM orders WHERE purpose = 'exit'") == 1


async def test_a_sale_waits_for_one_other_at_most_however_many_wait_for_a_slow_database(
    pool: asyncpg.Pool[asyncpg.Record], database_dsn: str
):
    async with managed(pool) as wires, open_pool(database_dsn, application_name="slow") as stranger:
        await bought(wires)
        sale = CloseIntent(
            trade_id=TradeId(1),
            exchange_index=2,
            quantity=Quantity(1000),
            floor=Price(1000),
            decided_at=NOW,
            why="stop",
        )
        async with transaction(stranger) as connection:
            await connection.execute("LOCK TABLE settlements IN ACCESS EXCLUSIVE MODE")
            settled = SettlementSeen(
                ticker=Ticker("KX-GONE"), result=Side.YES, settled_at=NOW, revenue_cents=0
            )
            await wires.venue_facts.send(settled)
            with anyio.fail_after(10):
                while not await stranger.fetchval(BLOCKED):
                    await anyio.lowlevel.checkpoint()
            await wires.open_intents.send(an_intent(ticker=Ticker("KX-OTHER")))
            await anyio.wait_all_tasks_blocked()
            await wires.close_intents.send(sale)
            await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(10):
            assert (await wires.orders.receive()).reduce_only
            assert (await wires.orders.receive()).ticker == "KX-OTHER"


async def test_from_intent_to_settlement_by_messages_alone(pool: asyncpg.Pool[asyncpg.Record]):
    async with managed(pool) as wires:
        await bought(wires)
        await wires.venue_facts.send(
            SettlementSeen(ticker=TICKER, result=Side.YES, settled_at=NOW, revenue_cents=1000)
        )
        await seen(wires, lambda w: states(w) == [])
        now = wires.open_trades.get()
        assert now is not None
        assert now.realised_today == 10_000_000 - 5_200_000 - 174_800


async def test_stopped_in_between_it_records_the_unanswered_order_as_unknown_and_its_successor_knows(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with managed(pool) as wires:
        await wires.open_intents.send(an_intent())
        with anyio.fail_after(10):
            await wires.orders.receive()
    async with managed(pool) as wires:
        now = wires.open_trades.get()
        assert now is not None
        assert [order.state for order in now.orders] == [OrderState.UNKNOWN]


@asynccontextmanager
async def executing(
    rest: KalshiRest,
    wires: Wires,
    clock: Clock = AT_NOW,
    may_send: Callable[[], bool] = lambda: True,
    free: bool = True,
) -> AsyncIterator[anyio.abc.TaskGroup]:
    sender = Executor(
        rest=rest,
        clock=clock,
        may_send=may_send,
        controls=wires.controls,
        order_group=wires.order_group,
        orders=wires.orders,
        outcomes=wires.outcomes,
    )
    if wires.controls.get() is None and free:
        wires.controls.set(TradingControls())
    async with anyio.create_task_group() as group:
        group.start_soon(sender.run, lambda _sentence: None)
        yield group
        group.cancel_scope.cancel()


async def outcome(wires: Wires) -> OrderOutcome:
    with anyio.fail_after(10):
        return await wires.outcomes.receive()


async def test_an_order_is_sent_once_and_its_answer_told():
    wires = Wires()
    async with local_venue(answers(201, CREATED)) as venue, executing(venue.rest(), wires):
        await wires.orders.send(ORDER)
        assert isinstance(await outcome(wires), OrderAccepted)
        assert len(venue.requests) == 1
    wires.close()


@pytest.mark.parametrize("turns", range(12))
async def test_an_executor_stopped_at_any_turn_says_what_came_of_every_order_that_it_took(turns: int):
    """Whatever the turn of the event loop: in the queue still, or an outcome; and one that was not sent did not arrive."""
    wires = Wires()
    async with local_venue(answers(201, CREATED)) as venue:
        async with executing(venue.rest(), wires) as group:
            await anyio.sleep(0.01)  # until the next order's task has started
            await wires.orders.send(ORDER)
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        if wires.orders.depth == 0:
            told = await outcome(wires)
            if isinstance(told, OrderRejected):
                assert (told.code, len(venue.requests)) == ("not_sent", 0)
        else:
            assert venue.requests == []
    wires.close()


async def test_the_next_order_is_signed_as_soon_as_one_has_left(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(executor, "IDLE_CYCLE", 3_600.0)
    stamps: list[int] = []

    async def created(request: web.Request) -> web.StreamResponse:
        stamps.append(int(request.headers["KALSHI-ACCESS-TIMESTAMP"]))
        return web.Response(status=201, text=CREATED, content_type="application/json")

    wires = Wires()
    async with local_venue(created) as venue:
        rest = venue.rest()
        async with executing(rest, wires):
            for _ in range(3):
                with anyio.fail_after(10):
                    while not rest.prepared.is_full:  # noqa: ASYNC110 - filled by the executor itself
                        await anyio.sleep(0.001)
                ready_at = rest.venue_clock.now_ms(rest.clock)
                await anyio.sleep(0.005)
                await wires.orders.send(ORDER)
                assert isinstance(await outcome(wires), OrderAccepted)
                # Two of one instant differ by a millisecond, so the second may bear a stamp that is still to come.
                assert stamps[-1] <= ready_at + 1
    assert len(set(stamps)) == 3
    wires.close()


async def test_orders_fly_side_by_side_also_when_one_is_not_answered():
    answer = anyio.Event()

    async def created(request: web.Request) -> web.StreamResponse:
        if (await request.json())["client_order_id"] == ORDER.client_order_id:
            await answer.wait()
        return web.Response(status=201, text=CREATED, content_type="application/json")

    wires = Wires()
    async with local_venue(created) as venue, executing(venue.rest(), wires):
        await wires.orders.send(ORDER)
        for number in range(3):
            other = ClientOrderId(f"recio-0123abcd-{number}-exit-1")
            await wires.orders.send(replace(ORDER, client_order_id=other))
            assert (await outcome(wires)).client_order_id == other
        answer.set()
        assert (await outcome(wires)).client_order_id == ORDER.client_order_id
        assert len(venue.requests) == 4
    wires.close()


@pytest.mark.parametrize("why", ["too late", "no lock"])
async def test_an_order_past_its_deadline_or_without_the_lock_is_never_sent(why: str):
    wires = Wires()
    order = replace(ORDER, send_before=NOW - timedelta(seconds=1)) if why == "too late" else ORDER
    async with (
        local_venue(answers(201, CREATED)) as venue,
        executing(venue.rest(), wires, may_send=lambda: why != "no lock"),
    ):
        await wires.orders.send(order)
        answer = await outcome(wires)
        assert isinstance(answer, OrderRejected)
        assert answer.code == "not_sent"
        assert venue.requests == []
    wires.close()


HALT = Halt(cause="halted by hand", since=NOW, by="test", resolution="recio resume")


@pytest.mark.parametrize(("reduce_only", "rides"), [(False, True), (True, False)])
async def test_entries_ride_in_the_order_group_that_a_halt_stops_and_exits_never_do(
    reduce_only: bool, rides: bool
):
    wires, bodies = Wires(), list[bytes]()

    async def answer(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.read())
        return web.Response(text=CREATED, status=201, content_type="application/json")

    wires.order_group.set(OrderGroupReady(group_id="g-7", exchange_index=ORDER.exchange_index))
    async with local_venue(answer) as venue, executing(venue.rest(), wires):
        await wires.orders.send(replace(ORDER, reduce_only=reduce_only))
        await outcome(wires)
    assert (json.loads(bodies[0]).get("order_group_id") == "g-7") is rides
    wires.close()


@pytest.mark.parametrize("controls", [None, TradingControls(halts=(HALT,))])
async def test_under_a_halt_an_entry_that_has_not_left_is_not_sent_and_an_exit_is(
    controls: TradingControls | None,
):
    wires = Wires()
    if controls is not None:
        wires.controls.set(controls)
    async with local_venue(answers(201, CREATED)) as venue, executing(venue.rest(), wires, free=False):
        await wires.orders.send(ORDER)
        refused = await outcome(wires)
        assert isinstance(refused, OrderRejected)
        assert (refused.code, "halt" in refused.text, venue.requests) == ("not_sent", True, [])
        await wires.orders.send(replace(ORDER, reduce_only=True))
        assert isinstance(await outcome(wires), OrderAccepted)
    wires.close()


@pytest.mark.parametrize(("is_halted", "why"), [(True, "halted"), (False, "another daemon")])
async def test_an_entry_that_waits_for_the_rate_limit_does_not_leave_once_a_halt_came_or_the_lock_is_not_proven(
    is_halted: bool, why: str
):
    wires, looked, proven = Wires(), anyio.Event(), [True]

    def may_send() -> bool:
        looked.set()
        return proven[0]

    async with local_venue(answers(201, CREATED)) as venue:
        rest = venue.rest(limits=RateLimits())
        for bucket in rest.limits.writes.values():
            bucket.backoff.closed_until = anyio.current_time() + 1.0
        async with executing(rest, wires, may_send=may_send):
            await wires.orders.send(replace(ORDER, send_before=rest.clock.utc() + timedelta(minutes=1)))
            with anyio.fail_after(10):
                await looked.wait()
            if is_halted:
                wires.controls.set(TradingControls(halts=(HALT,)))
            else:
                proven[0] = False
            refused = await outcome(wires)
            assert isinstance(refused, OrderRejected), refused
            assert (refused.code, why in refused.text, venue.requests) == ("not_sent", True, [])
    wires.close()


async def test_an_intent_after_a_committed_halt_leaves_no_row_until_it_is_cleared(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with managed(pool) as wires:
        async with transaction(pool) as connection:
            assert await halts.set_halt(connection, HALT)
        before = wires.open_trades.version
        await wires.open_intents.send(an_intent())
        await seen(wires, lambda w: w.open_intents.depth == 0 and w.open_trades.version > before)
        async with transaction(pool) as connection:
            await halts.clear_all(connection, NOW, "me")
        await wires.open_intents.send(an_intent(ticker=Ticker("KX-OTHER")))
        with anyio.fail_after(10):
            command = await wires.orders.receive()
        assert (command.ticker, wires.orders.depth) == ("KX-OTHER", 0)


async def test_an_executor_stopped_in_mid_flight_says_unknown():
    arrived = anyio.Event()

    async def hang(_request: web.Request) -> web.StreamResponse:
        arrived.set()
        await anyio.sleep_forever()
        raise AssertionError

    wires = Wires()
    async with local_venue(hang) as venue:
        async with executing(venue.rest(), wires) as group:
            await wires.orders.send(ORDER)
            with anyio.fail_after(10):
                await arrived.wait()
            group.cancel_scope.cancel()
        assert isinstance(await outcome(wires), OrderUnknown)
    wires.close()


async def test_an_order_without_an_answer_does_not_hold_up_the_next():
    async def hang_first(_request: web.Request) -> web.StreamResponse:
        if len(venue.requests) == 1:
            await anyio.sleep_forever()
        return web.Response(status=201, text=CREATED)

    wires = Wires()
    async with local_venue(hang_first) as venue, executing(venue.rest(), wires):
        await wires.orders.send(ORDER)
        await wires.orders.send(replace(ORDER, client_order_id=ClientOrderId("recio-0123abcd-2-exit-1")))
        answer = await outcome(wires)
        assert isinstance(answer, OrderAccepted)
        assert answer.client_order_id.endswith("exit-1")
    wires.close()


async def test_an_entry_that_nobody_vouches_for_is_not_sent_and_an_exit_is():
    wires = Wires()
    wires.controls.set(TradingControls(vouched_until=NOW - timedelta(seconds=1)))
    async with local_venue(answers(201, CREATED)) as venue, executing(venue.rest(), wires, free=False):
        await wires.orders.send(ORDER)
        refused = await outcome(wires)
        assert isinstance(refused, OrderRejected)
        assert (refused.code, "failure detector" in refused.text) == ("not_sent", True)
        assert venue.requests == []
        await wires.orders.send(replace(ORDER, reduce_only=True))
        assert isinstance(await outcome(wires), OrderAccepted)
    wires.close()


async def test_an_intent_after_the_entry_switch_was_turned_off_leaves_no_row_until_it_is_on(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """The row is what counts: a decision may have been made a moment before the switch."""
    async with managed(pool) as wires:
        async with transaction(pool) as connection:
            await switches.turn(connection, Switch.ENTRY, False, NOW, "me", "enough for today")
        before = wires.open_trades.version
        await wires.open_intents.send(an_intent())
        await seen(wires, lambda w: w.open_intents.depth == 0 and w.open_trades.version > before)
        assert await pool.fetchval("SELECT count(*) FROM orders") == 0
        async with transaction(pool) as connection:
            await switches.turn(connection, Switch.ENTRY, True, NOW, "me", "again")
        await wires.open_intents.send(an_intent(ticker=Ticker("KX-OTHER")))
        with anyio.fail_after(10):
            assert (await wires.orders.receive()).ticker == "KX-OTHER"
    assert await pool.fetchval("SELECT count(*) FROM orders") == 1


async def test_an_order_may_leave_up_to_the_moment_of_its_deadline():
    wires, stands_still = Wires(), Clock(speed=0.0, venue_origin=NOW.timestamp())
    async with (
        local_venue(answers(201, CREATED)) as venue,
        executing(venue.rest(), wires, clock=stands_still),
    ):
        await wires.orders.send(replace(ORDER, send_before=stands_still.utc()))
        assert isinstance(await outcome(wires), OrderAccepted)
    wires.close()
