"""Raising a limit in two steps: what was shown is what is granted, or nothing is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import anyio
import pytest

from recio.db.connection import transaction
from recio.db.limits import newest
from recio.settings.risk import RiskSection
from recio.units import money
from recio.web import acting
from tests.runs import begun, begun_under
from tests.web.test_acts import KEY, RAISE, Asking, Pool, asking, kinds


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(acting), "SETTLES_WITHIN", 0.3)
    monkeypatch.setitem(vars(acting), "LOOK_EVERY", 0.02)


async def test_a_raise_is_shown_granted_once_and_in_force_from_the_next_start_on(pool: Pool):
    limits = RiskSection.model_validate({"max_daily_loss_dollars": 500})
    async with transaction(pool) as connection:
        await begun(connection, limits)
    async with asking(pool, limits) as page:
        _, seen = await page.look_at_raise(RAISE)
        assert (seen["now"], seen["becomes"]) == ("100", "150")
        assert (seen["at_most_now"]["all that is open"], seen["at_most_then"]["all that is open"]) == (
            "100",
            "150",
        )
        assert "all that is open $100.00 \u2192 $150.00" in seen["sentence"]
        assert "a day $" not in seen["sentence"], "what stays is not told as if it changed"
        for _ in range(2):
            status, told = await page.act("raise", RAISE | {"shown": seen["sentence"]})
            assert (status, told["finished"], told["worked"]) == (200, True, True), told
            assert "may become 150 at the next start" in told["sentence"]
            assert "it is 100 now" in told["sentence"]
    rows = await pool.fetch("SELECT name, amount, granted_by FROM limit_grants")
    assert [tuple(row) for row in rows] == [("max_open_cost_dollars", Decimal(150), "status page")]
    assert (await kinds(pool))[-2:] == ["asked on the page", "limit granted"]
    async with transaction(pool) as connection:
        assert (await newest(connection))["max_open_cost_dollars"] == 100, "nothing changes until then"
        wanted = RiskSection.model_validate({"max_open_cost_dollars": 200, "max_daily_loss_dollars": 500})
        _, anew = await begun_under(connection, wanted)
    assert anew.max_open_cost_dollars == money("150")


async def refused_as_it_changed(page: Asking, body: dict[str, Any], now: str) -> None:
    status, told = await page.act("raise", body)
    assert (status, "it is no longer so, and nothing was granted" in told["error"]) == (409, True), told
    assert now in told["error"], "it says what is so now"


async def test_a_raise_is_refused_where_a_limit_it_was_shown_with_has_changed_since(pool: Pool):
    limits = RiskSection.model_validate({"max_daily_loss_dollars": 500, "max_event_cost_dollars": 40})
    async with transaction(pool) as connection:
        await begun(connection, limits)
    async with asking(pool, limits) as page:
        _, seen = await page.look_at_raise(RAISE)
        asked = RAISE | {"shown": seen["sentence"]}
        lower = {"key": KEY + "l", "limit": "max_open_cost_dollars", "amount": "60", "confirm": "LOWER"}
        assert (await page.act("lower", lower))[0] == 200
        await refused_as_it_changed(page, asked, "max_open_cost_dollars: 60 \u2192 150")
        async with transaction(pool) as connection:
            await begun(
                connection, RiskSection.model_validate(limits.model_dump() | {"max_daily_loss_dollars": 70})
            )
        _, seen = await page.look_at_raise(RAISE)
        assert "all that is open $60.00 \u2192 $70.00" in seen["sentence"], "another start has other limits"
        assert (await page.act("raise", RAISE | {"shown": seen["sentence"]}))[0] == 200
    assert await pool.fetchval("SELECT count(*) FROM limit_grants") == 1


async def test_of_two_who_raise_at_once_the_second_is_shown_what_the_first_was_granted(pool: Pool):
    async with transaction(pool) as connection:
        await begun(connection)
    of_a_day = RAISE | {"key": KEY + "d", "limit": "max_daily_loss_dollars", "amount": "80"}
    async with asking(pool) as page:
        shown = [(await page.look_at_raise(each))[1]["sentence"] for each in (RAISE, of_a_day)]
        answers: list[int] = []

        async def grant(body: dict[str, Any], sentence: str) -> None:
            answers.append((await page.act("raise", body | {"shown": sentence}))[0])

        async with anyio.create_task_group() as group:
            for body, sentence in zip((RAISE, of_a_day), shown, strict=True):
                group.start_soon(grant, body, sentence)
        assert sorted(answers) == [200, 409]
        assert await pool.fetchval("SELECT count(*) FROM limit_grants") == 1
        second = of_a_day if await pool.fetchval("SELECT name FROM limit_grants") == RAISE["limit"] else RAISE
        _, seen = await page.look_at_raise(second)
        assert "Granted before for the same start: " in seen["sentence"]
        assert seen["at_most_then"]["all that is open"] == "80", "the open cost of 150, bound by the day's 80"
        assert (await page.act("raise", second | {"shown": seen["sentence"]}))[0] == 200


async def test_a_raise_below_what_was_granted_already_is_refused_as_it_would_change_nothing(pool: Pool):
    async with transaction(pool) as connection:
        await begun(connection)
    async with asking(pool) as page:
        _, seen = await page.look_at_raise(RAISE)
        assert (await page.act("raise", RAISE | {"shown": seen["sentence"]}))[0] == 200
        status, told = await page.look_at_raise(RAISE | {"amount": "120"})
        assert (status, "was granted 150 for the next start already" in told["error"]) == (409, True), told


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"amount": "100"}, "lower it instead, or name more"),
        ({"amount": "99"}, "lower it instead, or name more"),
        ({"amount": "10000001"}, "at most 10000000"),
        ({"limit": "max_open_trades", "amount": "4.5"}, "whole number"),
        ({"limit": "max_send_delay_seconds"}, "choose max_contracts_per_order"),
    ],
)
async def test_what_is_no_raise_is_neither_shown_nor_granted(pool: Pool, changes: dict[str, str], named: str):
    async with transaction(pool) as connection:
        await begun(connection, RiskSection())
    async with asking(pool) as page:
        status, told = await page.act("raise", RAISE | changes)
        assert (status, named in told["error"]) == (409, True), told
        status, told = await page.look_at_raise(RAISE | changes)
        assert (status, named in told["error"]) == (409, True)
    assert await pool.fetchval("SELECT count(*) FROM limit_grants") == 0
