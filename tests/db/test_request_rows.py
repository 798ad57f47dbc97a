"""A person's request is answered once, and after it expired only with no."""

from __future__ import annotations

import anyio
import asyncpg
import pytest

from recio.db import requests
from recio.db.connection import Connection, single_statement, transaction
from recio.messages.orders import Guard
from recio.units import Price, Quantity, Side
from tests.builders import TICKER


async def asked(connection: Connection, seconds: float) -> int:
    return await requests.ask(
        connection, TICKER, Side.YES, Quantity(200), Price(5_500), "ann", "a feeling", seconds
    )


async def test_a_request_is_answered_once(pool: asyncpg.Pool[asyncpg.Record]):
    async with transaction(pool) as connection:
        number = await asked(connection, 60)
        (waiting,) = await requests.waiting(connection)
        assert (waiting.request_id, waiting.is_late, waiting.quantity) == (number, False, 200)
        assert await requests.answer(connection, number, True, "accepted")
        assert not await requests.answer(connection, number, True, "accepted again")
        assert await requests.waiting(connection) == []
        assert await requests.answered(connection, number) == requests.RequestAnswer(
            accepted=True, sentence="accepted"
        )


async def test_an_expired_request_cannot_be_accepted_any_more_and_can_be_refused(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with transaction(pool) as connection:
        number = await asked(connection, 0.001)
        await connection.execute("SELECT pg_sleep(0.01)")
        assert not await requests.answer(connection, number, True, "too late to be accepted")
        assert (await requests.waiting(connection))[0].is_late
        assert await requests.answer(connection, number, False, "late")


async def test_who_asks_for_the_last_answer_waits_for_one_that_is_under_way(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with transaction(pool) as connection:
        number = await asked(connection, 60)
    found: list[requests.RequestAnswer | None] = []

    async def read() -> None:
        async with single_statement(pool) as reader:
            found.append(await requests.last_answer(reader, number))

    async with anyio.create_task_group() as group, transaction(pool) as connection:
        await requests.answer(connection, number, True, "accepted")
        group.start_soon(read)
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while not await pool.fetchval(waits):  # noqa: ASYNC110 - another connection has no event
            await anyio.sleep(0.01)
        assert found == []
    assert found == [requests.RequestAnswer(accepted=True, sentence="accepted")]


async def test_who_asks_for_the_last_answer_and_stops_keeps_nobody_from_answering(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with transaction(pool) as connection:
        number = await asked(connection, 60)
    async with single_statement(pool) as reader:
        assert await requests.last_answer(reader, number) is None
        with anyio.fail_after(5):
            async with transaction(pool) as connection:
                assert await requests.answer(connection, number, False, "late")


@pytest.mark.parametrize(
    "guard", [None, Guard(), Guard(stop_price=Price(3000)), Guard(take_profit=Price(9000))]
)
async def test_a_request_says_its_guard_again(pool: asyncpg.Pool[asyncpg.Record], guard: Guard | None):
    async with transaction(pool) as connection:
        await requests.ask(connection, TICKER, Side.YES, Quantity(200), Price(5_500), "ann", "", 60, guard)
        (waiting,) = await requests.waiting(connection)
    assert waiting.guard == guard


async def test_a_request_that_the_common_exit_guards_has_no_stops_of_its_own(
    pool: asyncpg.Pool[asyncpg.Record],
):
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute(
            "INSERT INTO trade_requests (ticker, side, quantity, price, asked_by, why, expires_at, guard, stop_price)"
            " VALUES ('T', 'yes', 1, 0.5, 'ann', '', clock_timestamp() + interval '1 minute', 'exit', 0.3)"
        )


@pytest.mark.parametrize(
    "values", ["1.0, 'ann', ''", "0.0, 'ann', ''", "0.5, '', ''", "0.5, 'ann', NULL", "0.5, NULL, ''"]
)
async def test_a_close_is_asked_for_by_somebody_at_a_price_that_a_contract_can_have(
    pool: asyncpg.Pool[asyncpg.Record], values: str
):
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await pool.execute(f"INSERT INTO trade_closes (trade_id, floor, asked_by, why) VALUES (1, {values})")


@pytest.mark.parametrize(
    "written",
    [
        "INSERT INTO trade_requests (ticker, side, quantity, price, asked_by, why, expires_at)"
        " VALUES ('KX', 'yes', 'NaN', 0.5, 'me', '', now() + interval '1 minute')",
        "INSERT INTO limit_grants (name, amount, granted_by, after_run) VALUES ('n', 'NaN', 'me', 1)",
    ],
    ids=["a trade", "a grant"],
)
async def test_an_amount_that_is_no_number_is_never_asked_for(
    pool: asyncpg.Pool[asyncpg.Record], written: str
):
    """No reader could make anything of it, and whoever reads it again and again would break each time."""
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute(written)
