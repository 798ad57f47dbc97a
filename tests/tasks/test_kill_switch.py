"""kill_switch against a scripted venue: only what is ours is cancelled, and a halt counts as verified when a new listing says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import anyio
import asyncpg
import pytest
from aiohttp import web

from recio.clock import Clock
from recio.db import halts
from recio.db.connection import transaction
from recio.exchange_sim.engine.groups import OrderGroup
from recio.messages.controls import Halt, HaltLevel, HaltVerification, LowerLimit, TradingControls
from recio.messages.orders import OrderState
from recio.settings.risk import RiskSection
from recio.tasks.kill_switch import KillSwitch, contracts_at_once
from recio.wires import Wires
from tests.builders import NOW, TICKER, open_trades, order, show, trade, view
from tests.kalshi.local_venue import local_venue

TAG = "0000000a"
AT_NOW = Clock(speed=1e-9, venue_origin=NOW.timestamp())
LATER = NOW + timedelta(seconds=10)


def resting(venue_id: str, client_id: str) -> dict[str, Any]:
    return {
        "order_id": venue_id,
        "client_order_id": client_id,
        "ticker": TICKER,
        "status": "resting",
        "remaining_count_fp": "1.00",
        "exchange_index": 2,
    }


@dataclass(slots=True)
class Script:
    """What rests at the venue, and what was asked of it."""

    as_of: datetime = LATER
    orders: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    cancelled: list[str] = field(default_factory=list[str])
    groups: list[str] = field(default_factory=list[str])
    group_limits: list[str] = field(default_factory=list[str])
    """Contracts that a group was made with or limited to, in order."""
    listed: int = 0
    group_refusal: tuple[int, str] | None = None
    """Status and code that answer every change of a group; its making goes through."""
    deaf: bool = False
    """Cancels are answered and have no effect."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.path.rsplit("/", 1)[-1]
        if "order_groups" in request.path:
            self.groups.append(name)
            if name in ("create", "limit"):
                self.group_limits.append((await request.json())["contracts_limit_fp"])
            if self.group_refusal is not None and name != "create":
                status, code = self.group_refusal
                return web.json_response({"error": {"code": code, "message": code}}, status=status)
            made = f"g-{self.groups.count('create')}"
            return web.json_response({"order_group_id": made}, status=201 if name == "create" else 200)
        if name == "user_data_timestamp":
            return web.json_response({"as_of_time": self.as_of.isoformat().replace("+00:00", "Z")})
        if request.method == "DELETE":
            self.cancelled.append(name)
            if not self.deaf:
                self.orders = [each for each in self.orders if each["order_id"] != name]
            return web.json_response({"order_id": name, "reduced_by": "1.00"})
        self.listed += 1
        return web.json_response({"orders": self.orders, "cursor": ""})


@asynccontextmanager
async def halting(script: Script, pool: asyncpg.Pool[asyncpg.Record], wires: Wires) -> AsyncIterator[None]:
    async with local_venue(script.answer) as venue, anyio.create_task_group() as group:
        task = KillSwitch(
            pool=pool,
            rest=venue.rest(),
            clock=AT_NOW,
            limits=RiskSection(),
            tag=TAG,
            board=wires.board,
            open_trades=wires.open_trades,
            controls=wires.controls,
            halt_verifications=wires.halt_verifications,
            order_group=wires.order_group,
        )
        group.start_soon(task.run, lambda _sentence: None)
        try:
            with anyio.fail_after(20):
                yield
        finally:
            group.cancel_scope.cancel()
            wires.close()


def quiet() -> Wires:
    wires = Wires()
    show(wires.board, view())
    wires.open_trades.set(open_trades())
    wires.controls.set(TradingControls())
    return wires


async def halted(pool: asyncpg.Pool[asyncpg.Record], wires: Wires, level: HaltLevel = HaltLevel.HALT) -> None:
    async with transaction(pool) as connection:
        await halts.set_halt(
            connection, Halt(cause="a test", since=NOW, by="me", resolution="resume", level=level)
        )
        wires.controls.set(TradingControls(halts=await halts.active(connection)))


async def checks(wires: Wires, count: int) -> None:
    version = 0
    while len(wires.halt_verifications.get() or ()) != count:
        version = await wires.halt_verifications.newer_than(version)


def the_only_check(wires: Wires) -> HaltVerification:
    found = wires.halt_verifications.get()
    assert found is not None
    (check,) = found
    return check


async def test_a_halt_that_is_cleared_while_it_is_carried_out_breaks_nothing(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires, script = quiet(), Script()
    async with halting(script, pool, wires):
        await halted(pool, wires)
        async with transaction(pool) as connection:
            await halts.clear_all(connection, NOW, "somebody")
        await listings(script, 1)
        wires.controls.set(TradingControls())
        await halted(pool, wires)
        await checks(wires, 1)


async def listings(script: Script, more: int) -> None:
    target = script.listed + more
    while script.listed < target:  # noqa: ASYNC110 - counted by the server's own handler
        await anyio.sleep(0.01)


async def test_a_halt_stops_the_group_of_entries_and_cancels_what_is_ours_and_nothing_else(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires = quiet()
    script = Script(orders=[resting("v-1", f"recio-{TAG}-1-entry-1"), resting("v-2", "by hand")])
    async with halting(script, pool, wires):
        await wires.order_group.newer_than(0)
        assert script.groups == ["create", "reset"]
        await halted(pool, wires)
        await checks(wires, 1)
        assert script.groups[2:] == ["trigger"]
    check = the_only_check(wires)
    assert (script.cancelled, check.cancelled) == (["v-1"], 1)
    assert check.verified_after is not None
    assert [each["order_id"] for each in script.orders] == ["v-2"]


async def test_what_rests_is_cancelled_and_a_sale_proven_while_the_venue_answers_for_no_order_group(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires = quiet()
    script = Script(orders=[resting("v-1", f"recio-{TAG}-1-entry-1")])
    async with halting(script, pool, wires):
        await wires.order_group.newer_than(0)
        script.group_refusal = (503, "unavailable")
        await halted(pool, wires, HaltLevel.FLATTEN)
        await checks(wires, 1)
        while the_only_check(wires).flat_after is None:
            await wires.halt_verifications.newer_than(0)
            await anyio.sleep(0.01)
        asked = script.groups.count("trigger")
        while script.groups.count("trigger") == asked:  # noqa: ASYNC110 - counted by the server's own handler
            await anyio.sleep(0.01)
    assert script.cancelled == ["v-1"]


async def test_a_halt_is_not_verified_while_something_of_ours_rests_or_may(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires = quiet()
    script = Script(orders=[resting("v-1", f"recio-{TAG}-1-entry-1")], deaf=True)
    async with halting(script, pool, wires):
        await halted(pool, wires)
        await listings(script, 3)
        assert not wires.halt_verifications.get()
        script.deaf = False
        wires.open_trades.set(open_trades(orders=(order(state=OrderState.UNKNOWN),)))
        await listings(script, 3)
        assert not wires.halt_verifications.get()
        wires.open_trades.set(open_trades())
        await checks(wires, 1)


async def test_a_listing_older_than_the_halt_verifies_nothing(pool: asyncpg.Pool[asyncpg.Record]):
    wires = quiet()
    script = Script(as_of=NOW - timedelta(seconds=1))
    async with halting(script, pool, wires):
        await halted(pool, wires)
        await listings(script, 3)
        assert not wires.halt_verifications.get()
        script.as_of = LATER
        await checks(wires, 1)


async def test_the_group_is_opened_again_when_the_halt_is_gone_and_is_the_same_one_after_a_restart(
    pool: asyncpg.Pool[asyncpg.Record],
):
    first, second, script = quiet(), quiet(), Script()
    async with halting(script, pool, first):
        await halted(pool, first)
        await checks(first, 1)
        async with transaction(pool) as connection:
            await halts.clear_all(connection, NOW, "me")
        first.controls.set(TradingControls())
        while script.groups[-1] != "reset":  # noqa: ASYNC110 - counted by the server's own handler
            await anyio.sleep(0.01)
    async with halting(script, pool, second):
        await second.order_group.newer_than(0)
    # Before the halt it may have found its group open and said so once more.
    at = script.groups.index("trigger")
    assert set(script.groups[:at]) <= {"create", "reset"}
    assert script.groups.count("create") == 1
    # Its limit follows those of the run that uses it.
    assert script.groups[at:] == ["trigger", "reset", "reset", "limit"]


async def test_a_flatten_is_flat_when_nothing_is_held_and_not_before(pool: asyncpg.Pool[asyncpg.Record]):
    wires, script = quiet(), Script()
    wires.open_trades.set(open_trades(trades=(trade(),)))
    async with halting(script, pool, wires):
        await halted(pool, wires, HaltLevel.FLATTEN)
        await checks(wires, 1)
        check = the_only_check(wires)
        assert check.flat_after is None
        wires.open_trades.set(open_trades())
        wires.controls.set(wires.controls.get() or TradingControls())
        version = wires.halt_verifications.version
        await wires.halt_verifications.newer_than(version)
        check = the_only_check(wires)
        assert check.flat_after is not None


async def group_calls(script: Script, name: str, count: int) -> None:
    while script.groups.count(name) < count:  # noqa: ASYNC110 - counted by the server's own handler
        await anyio.sleep(0.01)


LOWERED = (LowerLimit(name="max_contracts_per_order", amount=Decimal(2)),)
"""By which thirty orders in a minute come to sixty contracts."""


async def test_the_group_follows_a_limit_that_is_lowered_while_the_daemon_runs(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires, script = quiet(), Script()
    async with halting(script, pool, wires):
        await group_calls(script, "reset", 1)
        wires.controls.set(TradingControls(lowered=LOWERED))
        await group_calls(script, "limit", 1)
    assert script.group_limits == ["1500.01", "60.01"]
    # Whatever it stopped by that is for a person to open again.
    assert script.groups[-1] == "limit"


async def test_a_limit_that_the_venue_refuses_holds_up_no_halt(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires, script = quiet(), Script()
    async with halting(script, pool, wires):
        await group_calls(script, "reset", 1)
        script.group_refusal = (400, "no_such_limit")
        wires.controls.set(TradingControls(lowered=LOWERED))
        await group_calls(script, "limit", 1)
        script.group_refusal = None
        async with transaction(pool) as connection:
            await halts.set_halt(connection, Halt(cause="a test", since=NOW, by="me", resolution="resume"))
            told = TradingControls(halts=await halts.active(connection), lowered=LOWERED)
        wires.controls.set(told)
        await checks(wires, 1)
    assert script.groups[-2:] in (["limit", "trigger"], ["trigger", "limit"])


async def test_a_group_is_made_with_what_was_lowered_before_it(pool: asyncpg.Pool[asyncpg.Record]):
    wires, script = quiet(), Script()
    wires.controls.set(TradingControls(lowered=LOWERED))
    async with halting(script, pool, wires):
        await group_calls(script, "reset", 1)
    assert script.group_limits == ["60.01"]


@pytest.mark.parametrize("status", [400, 409])
async def test_a_pause_leaves_no_order_group_behind_and_verifies_a_halt_all_the_same(
    pool: asyncpg.Pool[asyncpg.Record], status: int
):
    wires, script = quiet(), Script(group_refusal=(status, "trading_is_paused"))
    async with halting(script, pool, wires):
        await group_calls(script, "reset", 2)
        await halted(pool, wires)
        await checks(wires, 1)
        await group_calls(script, "trigger", 2)
        script.group_refusal = None
        await wires.order_group.newer_than(0)
    assert script.groups.count("create") == 1


@pytest.mark.parametrize("stops_beyond", [False, True])
def test_the_group_outlives_all_that_our_own_limits_let_match_at_once(stops_beyond: bool) -> None:
    """Whether the venue stops a group when its limit is hit or only beyond it."""
    limits = RiskSection()
    most = int(limits.max_contracts_per_order) * limits.max_orders_per_minute
    group = OrderGroup(
        group_id="g", subaccount=0, shard=2, limit=contracts_at_once(limits), stops_beyond=stops_beyond
    )
    group.count(0, most)
    assert not group.exceeded(0)
    group.count(0, 2)
    assert group.exceeded(0)


async def test_a_halt_before_anything_is_known_of_the_markets_cancels_what_rests_all_the_same(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires = Wires()
    wires.open_trades.set(open_trades())
    wires.controls.set(TradingControls())
    script = Script(orders=[resting("v-9", f"recio-{TAG}-4-entry-1")])
    async with halting(script, pool, wires):
        assert wires.board.get() is None
        await halted(pool, wires)
        await checks(wires, 1)
    assert (script.cancelled, script.orders) == (["v-9"], [])
