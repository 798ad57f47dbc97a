"""failure_detector: a position that differs from the venue's becomes a halt row, once, and it stays when a restart comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import anyio
import asyncpg

from recio.clock import Clock
from recio.db import halts
from recio.db.connection import transaction
from recio.messages.account import ForgottenOrder, PositionDifference
from recio.messages.controls import Halt, HaltLevel, HaltRequest, ResumeRequest, TradingControls
from recio.messages.orders import OpenTrades, OrderState
from recio.rules.account.refusals import HALT_AFTER, refusal_note
from recio.settings.config import Config
from recio.supervisor import HealthByTask
from recio.tasks.failure_detector import FailureDetector
from recio.units import ClientOrderId, Money, Quantity, Ticker, TradeId
from recio.wires import Wires
from tests.builders import NOW, TICKER, account, open_trades, order
from tests.db.test_trade_store import opened
from tests.runs import begun

AT_NOW = Clock(speed=1e-9, venue_origin=NOW.timestamp())
DIFFERS = replace(
    account(),
    differences=(PositionDifference(ticker=TICKER, venue=Quantity(500), ours=Quantity(1000)),),
)


def forgotten_order(number: int, ticker: Ticker = TICKER, **changes: bool) -> ForgottenOrder:
    name = ClientOrderId(f"recio-0000000a-{number}-entry-1")
    return ForgottenOrder(client_order_id=name, ticker=ticker, **changes)


@asynccontextmanager
async def looking(
    pool: asyncpg.Pool[asyncpg.Record], wires: Wires, unwritten: list[Halt] | None = None
) -> AsyncIterator[None]:
    """The detector at work for as long as the block lasts."""
    detector = FailureDetector(
        pool=pool,
        clock=AT_NOW,
        config=Config(),
        task_health=HealthByTask(),
        depths=wires.depths,
        disks=(),
        prices=wires.prices,
        board=wires.board,
        listings=wires.listings,
        account=wires.account,
        open_trades=wires.open_trades,
        halt_requests=wires.halt_requests,
        controls=wires.controls,
        unwritten=[] if unwritten is None else unwritten,
    )
    async with anyio.create_task_group() as group:
        group.start_soon(detector.run, lambda _sentence: None)
        yield
        group.cancel_scope.cancel()


async def halted(wires: Wires) -> TradingControls:
    version = 0
    with anyio.fail_after(10):
        while True:
            version = await wires.controls.newer_than(version)
            said = wires.controls.get()
            if said is not None and said.halts:
                return said


async def looked_until_halted(pool: asyncpg.Pool[asyncpg.Record], wires: Wires) -> TradingControls:
    async with looking(pool, wires):
        return await halted(wires)


async def test_a_confirmed_difference_of_positions_halts_with_its_figures_and_its_way_out(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires = Wires()
    wires.account.set(DIFFERS)
    (halt,) = (await looked_until_halted(pool, wires)).halts
    assert "venue +5.00, recio +10.00" in halt.cause
    assert "recio resume" in halt.resolution
    wires.close()


async def test_after_a_restart_the_halt_of_a_difference_still_holds_though_the_difference_is_gone(
    pool: asyncpg.Pool[asyncpg.Record],
):
    first, second = Wires(), Wires()
    first.account.set(DIFFERS)
    before = (await looked_until_halted(pool, first)).halts
    second.account.set(account())
    assert (await looked_until_halted(pool, second)).halts == before
    async with transaction(pool) as connection:
        assert len(await halts.active(connection)) == 1
    first.close()
    second.close()


async def test_an_order_without_a_row_halts_until_somebody_accepts_it_and_then_never_again(
    pool: asyncpg.Pool[asyncpg.Record],
):
    forgotten = replace(account(), unrecorded=(forgotten_order(9),))
    first, second = Wires(), Wires()
    first.account.set(forgotten)
    (halt,) = (await looked_until_halted(pool, first)).halts
    assert "recio-0000000a-9-entry-1 is at the venue and has no row" in halt.cause
    async with transaction(pool) as connection:
        await halts.clear_all(connection, NOW, "somebody")
    second.account.set(replace(forgotten, differences=DIFFERS.differences))
    (other,) = (await looked_until_halted(pool, second)).halts
    assert "differs" in other.cause
    first.close()
    second.close()


async def test_a_day_of_forgotten_orders_is_one_halt_that_names_what_they_left_unguarded_and_one_for_each_at_rest(
    pool: asyncpg.Pool[asyncpg.Record],
):
    other = Ticker("KX-OTHER")
    orders = (*(forgotten_order(each) for each in range(2, 40)), forgotten_order(40, other))
    forgotten = replace(
        account(), positions={other: Quantity(500)}, unrecorded=(*orders, forgotten_order(7, rests=True))
    )
    first, second = Wires(), Wires()
    first.account.set(forgotten)
    found = {each.cause: each for each in (await looked_until_halted(pool, first)).halts}
    resting, held = sorted(found, key=len)
    assert "recio-0000000a-7-entry-1" in resting
    assert "this halt cancels it" in found[resting].resolution
    assert "recio-0000000a-40-entry-1" in held
    assert "39 such orders" in found[held].resolution
    assert other in found[held].resolution
    async with transaction(pool) as connection:
        await halts.clear_all(connection, NOW, "somebody")
    # Fewer are listed after a restart, and what rested was cancelled: nothing of it is news.
    second.account.set(replace(forgotten, unrecorded=orders[-3:], differences=DIFFERS.differences))
    (only,) = (await looked_until_halted(pool, second)).halts
    assert "differs" in only.cause
    first.close()
    second.close()


async def test_a_difference_of_cash_halts_with_its_amount(pool: asyncpg.Pool[asyncpg.Record]):
    wires = Wires()
    wires.account.set(replace(account(), cash_difference=Money(-2_500_000)))
    (halt,) = (await looked_until_halted(pool, wires)).halts
    assert "-2.500000 dollars" in halt.cause
    wires.close()


async def test_too_many_losses_in_a_row_halt_and_a_resume_is_not_undone_before_the_rows_are_read_anew(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires = Wires()
    wires.account.set(account())
    wires.open_trades.set(open_trades(losses_in_a_row=8))
    async with looking(pool, wires):
        (halt,) = (await halted(wires)).halts
        assert halt.cause.startswith("8 trades in a row lost")
        assert "recio resume" in halt.resolution
        async with transaction(pool) as connection:
            await halts.clear_all(connection, NOW, "somebody")
        # The same stale figure beside something new: only the new one halts.
        wires.account.set(DIFFERS)
        with anyio.fail_after(10):
            while "differs" not in (found := (await halted(wires)).halts)[0].cause:
                await wires.controls.newer_than(wires.controls.version)
        assert len(found) == 1
    wires.close()


async def test_a_halt_whose_row_could_not_be_written_is_written_once_the_database_takes_it(
    pool: asyncpg.Pool[asyncpg.Record], database_dsn: str
):
    wires = Wires()
    wires.account.set(account())
    wires.open_trades.set(open_trades(losses_in_a_row=8))
    stranger = await asyncpg.connect(database_dsn)
    hold = stranger.transaction()
    await hold.start()
    await stranger.execute("LOCK TABLE halts IN EXCLUSIVE MODE")
    async with looking(pool, wires):
        waits = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'halts'::regclass"
        with anyio.fail_after(10):
            while (pid := await stranger.fetchval(waits)) is None:  # noqa: ASYNC110 - the server's own state
                await anyio.sleep(0.01)
        await stranger.execute("SELECT pg_terminate_backend($1)", pid)
        await hold.rollback()
        (halt,) = (await halted(wires)).halts
        assert halt.cause.startswith("8 trades in a row lost")
    await stranger.close()
    wires.close()


async def test_a_resume_of_the_page_clears_the_rows_it_names_and_leaves_what_came_since(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires = Wires()
    wires.account.set(account())
    async with transaction(pool) as connection:
        for cause in ("shown", "came since"):
            await halts.set_halt(connection, Halt(cause=cause, since=NOW, by="test", resolution="resume"))
    async with looking(pool, wires):
        assert len((await halted(wires)).halts) == 2
        await wires.halt_requests.send(ResumeRequest(causes=("shown",), by="status page", at=NOW))
        with anyio.fail_after(10):
            version = 0
            while len((await halted(wires)).halts) != 1:
                version = await wires.controls.newer_than(version)
    async with transaction(pool) as connection:
        (left,) = await halts.active(connection)
        cleared_by = await connection.fetchval("SELECT cleared_by FROM halts WHERE cause = 'shown'")
    assert (left.cause, cleared_by) == ("came since", "status page")
    wires.close()


async def test_a_resume_that_was_shown_an_older_halt_leaves_the_newer_one_of_the_same_cause(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """Every halt of the page without a reason has the same cause, and a page may have stood open since the one before."""
    wires, newer = Wires(), NOW + timedelta(minutes=5, microseconds=1_234)
    wires.account.set(account())
    async with transaction(pool) as connection:
        for cause, since in (("halted", newer), ("other", NOW)):
            await halts.set_halt(connection, Halt(cause=cause, since=since, by="test", resolution="resume"))
    shown = newer.replace(microsecond=1_000)

    async def left(count: int) -> list[str]:
        version = 0
        with anyio.fail_after(10):
            while len((found := await halted(wires)).halts) != count:
                version = await wires.controls.newer_than(version)
        return [each.cause for each in found.halts]

    async with looking(pool, wires):
        assert len(await left(2)) == 2
        stale = ResumeRequest(causes=("halted", "other"), by="status page", at=newer, since=(NOW, NOW))
        await wires.halt_requests.send(stale)
        assert await left(1) == ["halted"]
        await wires.halt_requests.send(replace(stale, causes=("halted",), since=(shown,)))
        with anyio.fail_after(10):
            version = 0
            while (seen := wires.controls.get()) is None or seen.halts:
                version = await wires.controls.newer_than(version)
    wires.close()


async def test_a_halt_that_had_no_row_when_its_database_went_is_in_force_in_the_next_life(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """The page said that it was in force: a run that ends with its database must not make that a lie."""
    wires = Wires()
    wires.account.set(account())
    carried = [Halt(cause="halted by the status page", since=NOW, by="status page", resolution="resume")]
    async with looking(pool, wires, carried):
        assert [each.cause for each in (await halted(wires)).halts] == ["halted by the status page"]
        with anyio.fail_after(10):
            version = 0
            while carried:
                version = await wires.controls.newer_than(version)
    async with transaction(pool) as connection:
        assert len(await halts.active(connection)) == 1
    wires.close()


async def test_refusals_that_somebody_has_looked_at_never_halt_again_and_as_many_new_ones_do(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with transaction(pool) as connection:
        looked_at = await opened(connection, await begun(connection))

    def refused(count: int) -> OpenTrades:
        orders = (
            order(
                client_order_id=ClientOrderId(f"recio-0000000a-{each}-entry-1"),
                trade_id=looked_at if each < HALT_AFTER else TradeId(looked_at + each),
                ticker=Ticker(f"KX-{each % 2}"),
                state=OrderState.REJECTED,
                created_at=NOW + timedelta(milliseconds=each),
                note=refusal_note("invalid_order", "order group triggered"),
            )
            for each in range(count)
        )
        return open_trades(recent_orders=tuple(orders))

    wires = Wires()
    wires.account.set(account())
    wires.open_trades.set(refused(HALT_AFTER))
    async with looking(pool, wires):
        (halt,) = (await halted(wires)).halts
        assert halt.cause == "the venue refused the last 8 entries (invalid_order order group triggered)"
        async with transaction(pool) as connection:
            await halts.clear_all(connection, NOW, "somebody")
        await resumed(wires)
        for count in range(HALT_AFTER + 1, 2 * HALT_AFTER):
            wires.open_trades.set(refused(count))
        await looks(wires, 3)
        assert (said := wires.controls.get()) is not None
        assert said.halts == ()
        wires.open_trades.set(refused(2 * HALT_AFTER))
        (again,) = (await halted(wires)).halts
        assert "the last 8 entries" in again.cause
        async with transaction(pool) as connection:
            await halts.clear_all(connection, NOW, "somebody")
    wires.close()


async def test_refusals_that_somebody_has_looked_at_do_not_halt_the_next_run_either(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with transaction(pool) as connection:
        looked_at = await opened(connection, await begun(connection))
        await halts.set_halt(connection, Halt(cause="x", since=NOW, by="x", resolution="y"))
        await halts.clear_all(connection, NOW, "somebody")
    orders = tuple(
        order(
            client_order_id=ClientOrderId(f"recio-0000000a-{each}-entry-1"),
            trade_id=looked_at,
            ticker=Ticker(f"KX-{each}"),
            state=OrderState.REJECTED,
            note=refusal_note("invalid_order", "x"),
        )
        for each in range(HALT_AFTER)
    )
    wires = Wires()
    wires.account.set(account())
    wires.open_trades.set(open_trades(recent_orders=orders))
    async with looking(pool, wires):
        await looks(wires, 3)
        assert (said := wires.controls.get()) is not None
        assert said.halts == ()
    wires.close()


async def test_a_halt_whose_reason_no_row_can_hold_halts_all_the_same_gets_its_row_and_can_be_cleared(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires = Wires()
    wires.account.set(account())
    cause = "halted by the status page: \x00 and \udc80"
    async with looking(pool, wires):
        await wires.halt_requests.send(
            HaltRequest(level=HaltLevel.HALT, cause=cause, by="status page", at=NOW)
        )
        (halt,) = (await halted(wires)).halts
        assert halt.cause == "halted by the status page: ? and ?"
        with anyio.fail_after(10):
            while not await pool.fetchval("SELECT count(*) FROM halts"):  # noqa: ASYNC110 - rows
                await anyio.sleep(0.01)
        await wires.halt_requests.send(ResumeRequest(causes=(cause,), by="status page", at=NOW))
        await resumed(wires)
    wires.close()


async def looks(wires: Wires, count: int) -> None:
    """So many further looks."""
    with anyio.fail_after(10):
        for _ in range(count):
            await wires.controls.newer_than(wires.controls.version)


async def resumed(wires: Wires) -> None:
    with anyio.fail_after(10):
        while (said := wires.controls.get()) is None or said.halts:
            await wires.controls.newer_than(wires.controls.version)
