"""A list of the past has each row once, in the order that was asked for, page by page, and costs a page the same in every year."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from decimal import Decimal
from typing import Any, TypeAlias

import asyncpg
import pytest
from asyncpg import Record

from recio.db import past_lists
from recio.db.connection import bounded_read, transaction
from recio.db.past_list_rows import ROWS
from recio.db.past_lists import Wanted
from recio.report.past_lists import LISTS
from recio.report.past_trades import Kind
from tests.db.trigger_scenarios import insert
from tests.history import add_history
from tests.past_rows import add_past
from tests.runs import begun

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
EVERY = [(name, kind) for name, kind in ROWS]
AT_ONCE = 7


@pytest.fixture
async def past(pool: Pool) -> Pool:
    await add_past(pool)
    return pool


def wanted(name: str, kind: Kind = Kind.REAL, **asked: Any) -> Wanted:
    return Wanted(**({"of": LISTS[name], "kind": kind, "sort": LISTS[name].time} | asked))


async def whole(pool: Pool, asked: Wanted) -> list[Record]:
    async with bounded_read(pool, 10) as connection:
        return [row async for row in past_lists.every(connection, asked, 50)]


async def pages(pool: Pool, asked: Wanted, *, before: bool) -> AsyncGenerator[list[Record]]:
    """From the first on, or from behind the last back."""
    beside = None
    async with bounded_read(pool, 10) as connection:
        while rows := await past_lists.page(connection, asked, AT_ONCE, beside, before=before):
            yield rows
            beside = past_lists.place_of(rows[0 if before else -1])


def keys(rows: list[Record]) -> list[str]:
    return [row["place_key"] for row in rows]


def test_every_list_says_of_which_kinds_it_is_and_has_rows_of_each():
    assert set(ROWS) == {(each.name, kind) for each in LISTS.values() for kind in each.kinds}
    for each in LISTS.values():
        for name in (each.time, *each.searched, *each.picks):
            assert each.has(name), (each.name, name)


async def test_pages_have_each_row_once_and_in_order_by_every_column_up_and_down_there_and_back(past: Pool):
    for name, kind in EVERY:
        columns = LISTS[name].columns_of(kind)
        every = sorted(keys(await whole(past, wanted(name, kind))))
        assert len(every) == len(set(every)) > 0, (name, kind)
        for column in columns:
            for down in (True, False):
                asked = wanted(name, kind, sort=column.name, down=down)
                rows = await whole(past, asked)
                assert sorted(keys(rows)) == every
                there = [row async for page in pages(past, asked, before=False) for row in page]
                back = [page async for page in pages(past, asked, before=True)]
                assert there == rows, (name, kind, column.name, down)
                assert [row for page in reversed(back) for row in page] == rows, (
                    name,
                    kind,
                    column.name,
                    down,
                )
                known = [row[column.name] for row in rows if row[column.name] is not None]
                if known and not isinstance(known[0], str):  # texts go by the database's own rules
                    assert known == sorted(known, reverse=down), (name, kind, column.name, down)


async def test_a_row_that_comes_while_somebody_reads_moves_no_page(past: Pool):
    asked = wanted("fills")
    async with bounded_read(past, 10) as connection:
        first = await past_lists.page(connection, asked, AT_ONCE, None)
    async with transaction(past) as connection:
        await insert(connection, "fills", {"fill_id": "newest", "at": "2030-01-01T00:00:00Z"})
    async with bounded_read(past, 10) as connection:
        second = await past_lists.page(connection, asked, AT_ONCE, past_lists.place_of(first[-1]))
    assert keys(first) + keys(second) == keys(await whole(past, asked))[1 : 1 + 2 * AT_ONCE]


async def test_filters_leave_what_they_name(past: Pool):
    rows = await whole(past, wanted("orders"))
    times = sorted(row["written_at"] for row in rows)
    since, until = times[5], times[-5]
    cases: list[tuple[dict[str, Any], Callable[[Record], bool]]] = [
        ({"since": since, "until": until}, lambda row: since <= row["written_at"] < until),
        ({"ticker": "t-1"}, lambda row: row["ticker"].startswith("T-1")),
        ({"text": "OLD-T-2-ENTRY"}, lambda row: row["client_order_id"] == "recio-old-T-2-entry"),
        ({"words": {"state": "cancelled", "purpose": "entry"}}, lambda row: row["state"] == "cancelled"),
        ({"words": {"strategy": "average"}}, lambda row: True),
        ({"words": {"strategy": "nobody"}}, lambda row: False),
        ({"text": "100%_\\"}, lambda row: False),
    ]  # fmt: skip
    for asked, fits in cases:
        assert await whole(past, wanted("orders", **asked)) == [row for row in rows if fits(row)], asked
    coin = await whole(past, wanted("fills", Kind.IMPORTED, ticker="BTC"))
    assert coin == await whole(past, wanted("fills", Kind.IMPORTED)) != []


async def test_what_has_no_time_passes_every_bound(past: Pool):
    late = {"since": (await past.fetchval("SELECT now() + interval '1 year'"))}
    held = await whole(past, wanted("trades", **late))
    assert [(row["number"], row["outcome"]) for row in held] == [(10_000, "held")]
    assert {row["written_at"] for row in await whole(past, wanted("orders", Kind.IMPORTED, **late))} == {None}


async def test_what_a_trade_was_paid_out_is_not_known_while_it_is_held(past: Pool):
    """As `recio trades` says; a zero would be a loss."""
    rows = [row for kind in (Kind.REAL, Kind.SHADOW) for row in await whole(past, wanted("trades", kind))]
    held = [row["payout"] for row in rows if not row["ended_by"]]
    assert held
    assert set(held) == {None}
    assert None not in [row["payout"] for row in rows if row["ended_by"]]


async def test_kinds_and_accounts_stay_apart(past: Pool):
    count = await past.fetchval("SELECT count(*) FROM imported_fills WHERE mode = 'demo'")
    demo = await whole(past, wanted("fills", Kind.IMPORTED, mode="demo"))
    assert len(demo) == count == len(await whole(past, wanted("fills", Kind.IMPORTED)))
    own = {row["fill_id"] for row in await whole(past, wanted("fills"))}
    assert own.isdisjoint(row["fill_id"] for row in demo)


async def test_a_fill_of_an_order_of_somebody_else_has_the_price_of_yes_alone(past: Pool):
    (foreign,) = await whole(past, wanted("fills", text="foreign"))
    assert (foreign["side"], foreign["price"], foreign["amount"], foreign["trade"]) == (
        None,
        None,
        None,
        None,
    )
    assert foreign["yes_price"] is not None


async def test_a_settlement_has_the_trade_that_it_ended_with_what_that_came_to(past: Pool):
    figures = {
        row["trade_id"]: row
        for row in await past.fetch(
            "SELECT t.*, f.pnl FROM trades AS t JOIN trade_figures AS f USING (trade_id)"
        )
    }
    rows = await whole(past, wanted("settlements"))
    ended = sorted(number for number, row in figures.items() if row["ended_by"] == "settlement")
    assert sorted(row["trade"] for row in rows) == ended != []
    for row in rows:
        trade = figures[row["trade"]]
        assert (row["ticker"], row["payout"], row["net_pnl"]) == (
            trade["ticker"],
            trade["payout"],
            trade["pnl"],
        )
    paper = await whole(past, wanted("settlements", Kind.SHADOW))
    assert {(row["payout"], row["net_pnl"]) for row in paper} == {(1, Decimal("0.5"))}


async def test_what_people_did_has_who_when_from_and_to(past: Pool):
    rows = await whole(past, wanted("actions", down=False))
    told = [(row["by"], row["what"], row["subject"], row["from"], row["to"], row["why"]) for row in rows]
    for each in (
        ("anna", "switch turned", "entry", "true", "false", "news"),
        ("bert", "switch turned", "entry", "false", "true", None),
        ("anna", "halt set", "by hand", None, "halt", None),
        ("bert", "halt cleared", "by hand", None, None, None),
        ("anna", "asked on the page", "halt", None, None, "news"),
        ("anna", "close asked for", None, None, "0.3000", "enough"),
    ):
        assert each in told, told
    assert {row["what"] for row in rows} <= set(LISTS["actions"].picks["what"])
    assert await past.fetchval("SELECT count(*) FROM audit_log WHERE kind = 'order pending'") == 1


async def test_an_alert_has_the_messages_that_told_of_it(past: Pool):
    rows = {row["cause"]: row["messages"] for row in await whole(past, wanted("alerts"))}
    assert (rows["book 1"], rows["book 4"]) == ("phone sent", "mail failed")


async def test_a_page_touches_no_more_rows_after_a_hundred_times_as_much_trading(pool: Pool):
    touched: dict[int, list[int]] = {}
    async with transaction(pool) as connection:
        await begun(connection)
    for first, last in ((1, 60), (61, 6_000)):
        async with transaction(pool) as connection:
            await add_history(connection, first, last)
        touched[last] = [await _touched(pool, name) for name in ("orders", "fills")]
    assert max(touched[6_000]) <= max(touched[60]) + 30, touched


async def _touched(pool: Pool, name: str) -> int:
    """Rows that a page in the middle reads."""
    counted = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables"
    asked = wanted(name)
    async with bounded_read(pool, 10) as connection:
        first = await past_lists.page(connection, asked, AT_ONCE, None)
        before = await connection.fetchval(counted)
        await past_lists.page(connection, asked, AT_ONCE, past_lists.place_of(first[-1]))
        return await connection.fetchval(counted) - before
