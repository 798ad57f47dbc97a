"""Acts of the page: who may, each done once for its key, in the rows that commands use, and answered by what came of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import aiohttp
import anyio
import asyncpg
import pytest

from recio.db.connection import transaction
from recio.messages.alerts import Acknowledge, TryChannels
from recio.messages.controls import (
    Halt,
    HaltLevel,
    HaltRequest,
    HaltVerification,
    LowerLimit,
    ResumeRequest,
    Switch,
    SwitchedOff,
    TradingControls,
)
from recio.settings.risk import RiskSection
from recio.times import time_text
from recio.web import acting, site
from recio.web.gate import HALT_TOKEN_HEADER
from recio.wires import Wires
from tests.builders import NOW
from tests.db.breaches import GOOD
from tests.db.trigger_scenarios import insert
from tests.runs import begun
from tests.tasks.status_server import TOKEN, served

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
BODY: dict[str, Any] = {"ready": True, "reasons": []}
WITH_TOKEN = {HALT_TOKEN_HEADER: TOKEN}
KEY = "a-key-of-a-tap"
TRADE = {
    "key": KEY,
    "ticker": "KXBTC15M-1",
    "side": "yes",
    "contracts": "3",
    "max_price": "0.60",
    "confirm": "TRADE",
}

RAISE = {
    "key": KEY,
    "limit": "max_open_cost_dollars",
    "amount": "150",
    "confirm": "RAISE",
    "shown": "as it was",
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(site), "WRONG_COSTS", 0.01)
    monkeypatch.setitem(vars(acting), "SETTLES_WITHIN", 0.3)
    monkeypatch.setitem(vars(acting), "LOOK_EVERY", 0.02)


class Asking:
    """Asks for acts at the machine itself."""

    def __init__(self, session: aiohttp.ClientSession, url: str, wires: Wires) -> None:
        self.session, self.url, self.wires = session, url, wires

    async def act(
        self, name: str, body: dict[str, Any], headers: dict[str, str] = WITH_TOKEN
    ) -> tuple[int, dict[str, Any]]:
        async with self.session.post(f"{self.url}/api/v1/acts/{name}", json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def look_at_raise(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        query = {name: body[name] for name in ("limit", "amount")}
        async with self.session.get(f"{self.url}/api/v1/limits/raise", params=query) as answer:
            return answer.status, await answer.json()

    async def look(self, key: str = KEY) -> dict[str, Any]:
        async with self.session.get(f"{self.url}/api/v1/outcomes/{key}") as answer:
            return await answer.json()


@asynccontextmanager
async def asking(pool: Pool, limits: RiskSection | None = None) -> AsyncIterator[Asking]:
    """`limits`: those of the start."""
    wires = Wires()
    async with served(BODY, wires, pool, limits) as url, aiohttp.ClientSession() as session:
        yield Asking(session, url, wires)
    wires.close()


async def obeying(wires: Wires, times: int = 1) -> None:
    """What the failure detector makes of halts and of their ends."""
    for _ in range(times):
        asked = await wires.halt_requests.receive()
        seen = wires.controls.get() or TradingControls()
        if isinstance(asked, HaltRequest):
            halt = Halt(
                level=asked.level, cause=asked.cause, since=NOW, by=asked.by, resolution="", halt_id=7
            )
            wires.controls.set(replace(seen, halts=(*seen.halts, halt)))
        else:
            assert isinstance(asked, ResumeRequest)
            wires.controls.set(
                replace(seen, halts=tuple(each for each in seen.halts if each.cause not in asked.causes))
            )


async def kinds(pool: Pool) -> list[str]:
    return [row["kind"] for row in await pool.fetch("SELECT kind FROM audit_log ORDER BY seq")]


async def a_trade(pool: Pool) -> None:
    async with transaction(pool) as connection:
        await insert(connection, "trades")


async def test_one_tap_halts_without_a_token_and_two_taps_are_one(pool: Pool):
    async with asking(pool) as page, anyio.create_task_group() as group:
        group.start_soon(obeying, page.wires)
        status, told = await page.act("halt", {"key": KEY}, {})
        assert (status, told["act"], told["finished"]) == (200, "halt", False)
        assert (await page.act("halt", {"key": KEY}, {}))[1]["sentence"] == told["sentence"]
        assert page.wires.halt_requests.depth == 0
        page.wires.halt_verifications.set((HaltVerification(halt_id=7, cancelled=0, verified_after=0.5),))
        assert (await page.look())["worked"] is True
        assert "nothing of ours rests at the venue" in (await page.look())["sentence"]
    assert await kinds(pool) == ["asked on the page"]


async def test_two_taps_of_one_key_at_the_same_instant_are_one_act_and_another_body_is_refused(pool: Pool):
    answers: list[tuple[int, dict[str, Any]]] = []
    async with asking(pool) as page:

        async def tap(why: str) -> None:
            answers.append(await page.act("halt", {"key": KEY, "why": why}, {}))

        async with anyio.create_task_group() as group:
            for why in ("one", "one", "two"):
                group.start_soon(tap, why)
        assert page.wires.halt_requests.depth == 1
        lower = {"key": KEY, "limit": "max_open_trades", "amount": "1", "confirm": "LOWER"}
        assert (await page.act("lower", lower))[0] == 409
    statuses = sorted(status for status, _ in answers)
    assert statuses in ([200, 200, 409], [200, 409, 409]), "whichever came first is the act"
    assert await pool.fetchval("SELECT count(*) FROM page_acts") == 1


async def test_a_flatten_is_finished_once_the_venue_shows_nothing_held(pool: Pool):
    async with asking(pool) as page, anyio.create_task_group() as group:
        group.start_soon(obeying, page.wires)
        status, told = await page.act("flatten", {"key": KEY, "confirm": "FLATTEN", "why": "enough"})
        assert (status, told["finished"]) == (200, False)
        proof = HaltVerification(halt_id=7, cancelled=0, verified_after=0.5, flat_after=2.0)
        page.wires.halt_verifications.set((proof,))
        found = await page.look()
        assert (found["finished"], "flat after 2.0 s" in found["sentence"]) == (True, True)
        seen = page.wires.controls.get()
        assert seen is not None
        assert seen.halts[0].level is HaltLevel.FLATTEN


async def test_a_resume_says_when_a_newer_halt_of_the_same_cause_stays(pool: Pool):
    shown = Halt(cause="halted", since=NOW, by="x", resolution="y")
    newer = replace(shown, since=NOW + timedelta(minutes=5))
    since = [time_text(NOW)]
    body = {"key": KEY, "causes": ["halted"], "since": since, "confirm": "RESUME"}
    async with asking(pool) as page:
        page.wires.controls.set(TradingControls(halts=(newer,)))
        status, told = await page.act("resume", body)
        assert (status, told["finished"], "newer than what was shown" in told["sentence"]) == (
            200,
            True,
            True,
        )
        asked = await page.wires.halt_requests.receive()
        assert isinstance(asked, ResumeRequest)
        assert (asked.causes, asked.since) == (("halted",), (NOW,))
        assert (await page.act("resume", body))[1]["finished"] is True, "the same words are the same act"
        odd = body | {"key": KEY + "2", "since": since * 2}
        assert (await page.act("resume", odd))[0] == 409


async def test_a_late_second_tap_of_a_resume_clears_no_halt_that_came_since(pool: Pool):
    body = {"key": KEY, "causes": ["difference"], "confirm": "RESUME"}
    difference = Halt(cause="difference", since=NOW, by="x", resolution="y")
    async with asking(pool) as page, anyio.create_task_group() as group:
        page.wires.controls.set(TradingControls(halts=(difference,)))
        group.start_soon(obeying, page.wires)
        status, told = await page.act("resume", body)
        assert (status, told["worked"]) == (200, True)
        page.wires.controls.set(TradingControls(halts=(difference,)))
        assert (await page.act("resume", body))[1]["finished"] is False
        assert page.wires.halt_requests.depth == 0


async def test_a_close_is_the_row_of_the_command_once_and_is_told_until_the_trade_has_ended(pool: Pool):
    await a_trade(pool)
    body = {"key": KEY, "trade_id": GOOD["trades"]["trade_id"], "confirm": "CLOSE", "min_price": "0.10"}
    async with asking(pool) as page:
        for _ in range(2):
            status, told = await page.act("close", body)
            assert (status, told["number"], told["finished"]) == (200, 1, False)
        assert await pool.fetchval("SELECT count(*) FROM trade_closes WHERE floor = 0.10") == 1
        assert (await page.act("close", body | {"min_price": "0.20"}))[0] == 409
        assert (await page.act("close", body | {"key": KEY + "2", "trade_id": 99}))[0] == 404
    assert await kinds(pool) == ["asked on the page", "close asked for"]


async def test_two_taps_at_the_same_moment_ask_for_one_trade(pool: Pool):
    async with asking(pool) as page:
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(page.act, "trade", TRADE)
        rows = await pool.fetch("SELECT ticker, quantity, price, guard, asked_by FROM trade_requests")
        assert [tuple(map(str, row.values())) for row in rows] == [
            ("KXBTC15M-1", "3.00", "0.6000", "exit", "status page")
        ]
        assert (await page.look())["sentence"] == "request 1 waits for its answer"
        await pool.execute(
            "INSERT INTO trade_answers (request_id, accepted, sentence) VALUES (1, false, 'the limit is full')"
        )
        found = await page.look()
        assert (found["finished"], found["worked"]) == (True, False)
        assert "the limit is full" in found["sentence"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"guard": "own", "stop_price": "0.70"}, "stop_price"),
        ({"guard": "own", "stop_price": "0.20", "take_profit": "0.10"}, "take_profit"),
        ({"stop_price": "0.10"}, "guard"),
    ],
)
async def test_a_trade_that_contradicts_itself_is_not_asked_for(
    pool: Pool, changes: dict[str, str], named: str
):
    async with asking(pool) as page:
        status, told = await page.act("trade", TRADE | changes)
        assert (status, named in told["error"]) == (409, True)
    assert await kinds(pool) == []


async def test_a_switch_is_told_once_the_daemon_follows(pool: Pool):
    async with asking(pool) as page:
        body = {"key": KEY, "name": "entry", "is_on": False, "confirm": "SWITCH", "why": "news"}
        assert (await page.act("switch", body))[1]["finished"] is False
        off = SwitchedOff(switch=Switch.ENTRY, since=NOW, by="status page", why="news")
        page.wires.controls.set(TradingControls(switched_off=(off,)))
        assert (await page.look())["sentence"] == "entry is switched off"
    assert await kinds(pool) == ["asked on the page", "switch turned"]


async def test_entries_of_one_strategy_are_switched_in_a_row_of_their_own(pool: Pool):
    async with asking(pool) as page:
        body = {"key": KEY, "name": "entry", "strategy": "default", "is_on": False, "confirm": "SWITCH"}
        for _ in range(2):
            assert (await page.act("switch", body))[1]["finished"] is False
        rows = await pool.fetch("SELECT name, strategy, is_on, set_by FROM switches")
        assert [tuple(row) for row in rows] == [("entry", "default", False, "status page")]
        everything = SwitchedOff(switch=Switch.ENTRY, since=NOW, by="somebody", why="")
        page.wires.controls.set(TradingControls(switched_off=(everything,)))
        assert (await page.look())["finished"] is False
        page.wires.controls.set(TradingControls(switched_off=(replace(everything, strategy="default"),)))
        assert (await page.look())["sentence"] == "entry of default is switched off"
        for wrong, status in ({"strategy": "odd"}, 404), ({"name": "exit"}, 409):
            assert (await page.act("switch", body | {"key": KEY + "2"} | wrong))[0] == status
    assert await kinds(pool) == ["asked on the page", "switch turned"]


async def test_a_limit_is_lowered_once_and_told_when_decisions_follow(pool: Pool):
    async with transaction(pool) as connection:
        await begun(connection, RiskSection())
    body = {"key": KEY, "limit": "max_open_trades", "amount": "2", "why": "calm", "confirm": "LOWER"}
    async with asking(pool) as page:
        for _ in range(2):
            status, told = await page.act("lower", body)
            assert (status, told["finished"]) == (200, False), told
        page.wires.controls.set(
            TradingControls(lowered=(LowerLimit(name="max_open_trades", amount=Decimal(2)),))
        )
        assert (await page.look())["sentence"] == "max_open_trades is 2 now"
    async with asking(pool, RiskSection(max_open_trades=2)) as page:
        page.wires.controls.set(TradingControls())
        assert (await page.look())["finished"] is True  # the next start has it among its own
    rows = await pool.fetch("SELECT name, amount, cut_by, why FROM limit_cuts")
    assert [tuple(row) for row in rows] == [("max_open_trades", Decimal(2), "status page", "calm")]
    assert (await kinds(pool))[-2:] == ["asked on the page", "limit lowered"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"amount": "3"}, "can only be lowered"),
        ({"amount": "4"}, "recio limits grant"),
        ({"amount": "1.5"}, "whole number"),
        ({"limit": "max_consecutive_losses", "amount": "0"}, "it must be greater than or equal to 1"),
        ({"limit": "max_contracts_per_order", "amount": "1.234"}, "more than 2 decimals"),
        ({"limit": "max_contracts_per_order", "amount": "0"}, "at least 0.01"),
        ({"limit": "max_send_delay_seconds", "amount": "1"}, "choose max_contracts_per_order"),
    ],
)
async def test_no_limit_is_raised_or_spoilt_on_the_page(pool: Pool, changes: dict[str, str], named: str):
    async with transaction(pool) as connection:
        await begun(connection, RiskSection())
    body = {"key": KEY, "limit": "max_open_trades", "amount": "2", "confirm": "LOWER"} | changes
    async with asking(pool) as page:
        status, told = await page.act("lower", body)
        assert (status, named in told["error"]) == (409, True), told
    assert await pool.fetchval("SELECT count(*) FROM limit_cuts") == 0


async def test_alerts_are_acknowledged_and_tried_by_the_task_that_has_them(pool: Pool):
    async with asking(pool) as page:
        assert (await page.act("acknowledge", {"key": KEY, "cause": "no price"}))[0] == 200
        assert (await page.act("test-alert", {"key": KEY + "2"}))[0] == 200
        taken, _ = page.wires.alert_requests.take()
    assert taken == [Acknowledge(cause="no price", by="status page"), TryChannels(by="status page")]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("flatten", {"key": KEY, "confirm": "FLATTEN"}),
        ("stop", {"key": KEY, "confirm": "STOP"}),
        ("resume", {"key": KEY, "causes": ["c"], "confirm": "RESUME"}),
        ("close", {"key": KEY, "trade_id": 1, "confirm": "CLOSE"}),
        ("trade", TRADE),
        ("switch", {"key": KEY, "name": "entry", "is_on": False, "confirm": "SWITCH"}),
        ("lower", {"key": KEY, "limit": "max_open_trades", "amount": "1", "confirm": "LOWER"}),
        ("raise", RAISE),
        ("acknowledge", {"key": KEY, "cause": "c"}),
        ("test-alert", {"key": KEY}),
    ],
)
async def test_no_act_but_a_halt_is_done_for_whoever_is_no_operator(
    pool: Pool, name: str, body: dict[str, Any]
):
    await a_trade(pool)
    async with asking(pool) as page:
        for headers in ({}, {HALT_TOKEN_HEADER: "a guess"}, WITH_TOKEN | {"Origin": "https://evil.example"}):
            assert (await page.act(name, body, headers))[0] == 403
        assert page.wires.halt_requests.depth == 0
        assert not page.wires.alert_requests.take()[0]
    assert await kinds(pool) == []


@pytest.mark.parametrize(
    ("name", "body", "named"),
    [
        ("flatten", {"key": KEY}, "confirm"),
        ("flatten", {"key": "short", "confirm": "FLATTEN"}, "key"),
        ("close", {"key": KEY, "trade_id": "1", "confirm": "CLOSE"}, "trade_id"),
        ("close", {"key": KEY, "trade_id": 0, "confirm": "CLOSE"}, "trade_id"),
        ("trade", TRADE | {"max_price": "60"}, "max_price"),
        ("trade", TRADE | {"contracts": "-1"}, "contracts"),
        ("switch", {"key": KEY, "name": "entry", "is_on": 1, "confirm": "SWITCH"}, "is_on"),
        ("halt", {"key": KEY, "why": "x\ny"}, "why"),
        ("halt", {"key": KEY, "hard": True}, "hard"),
    ],
)
async def test_what_is_asked_wrongly_is_named_and_nothing_is_done(
    pool: Pool, name: str, body: dict[str, Any], named: str
):
    async with asking(pool) as page:
        status, told = await page.act(name, body)
        assert (status, named in told["error"]) == (400, True), told
    assert await kinds(pool) == []
