"""Books over REST: all that are wanted, each by itself, again as long as they are wanted."""

from __future__ import annotations

from collections.abc import Mapping

import anyio
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from recio.errors import Transient
from recio.kalshi import rest_books
from recio.kalshi.rest_books import BookReads, read_books
from recio.messages.markets import RestBook
from recio.rules.market.book_comparison import Likeness, likeness
from recio.units import Price, Quantity, Ticker
from recio.wires import Latest
from tests.kalshi.local_venue import local_venue

A, B = Ticker("K-A"), Ticker("K-B")
GOOD = {"yes_dollars": [["0.4700", "3.00"]], "no_dollars": None}
READ = RestBook(yes={Price(4700): Quantity(300)}, no={})


async def test_books_of_many_markets_are_read_a_hundred_at_a_time_and_a_strange_one_is_left_out():
    tickers = [Ticker(f"K-{number:03d}") for number in range(250)]
    strange = {"K-007": {"yes_dollars": [["0.47001", "3.00"]]}, "K-008": {"yes_dollars": 7}, "K-009": None}
    asked: list[int] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        named = request.query.getall("tickers")
        asked.append(len(named))
        rows = [{"ticker": each, "orderbook_fp": strange.get(each, GOOD)} for each in named]
        return web.json_response({"orderbooks": [None, *rows]})

    async with local_venue(serve) as venue:
        found = await read_books(venue.rest(), tickers)
    assert asked == [100, 100, 50]
    assert found == {each: READ for each in tickers if each not in strange}


async def test_books_that_a_cache_had_kept_are_not_compared_with_those_of_now():
    """A market that moved through the middle in the meantime looks like one whose side is read the wrong way round."""
    before = {Price(5100 + 100 * each): Quantity(100) for each in range(9)}
    now = {Price(4100 + 100 * each): Quantity(100) for each in range(9)}
    assert likeness(now, before) is Likeness.MIRRORED

    async def serve(request: web.Request) -> web.StreamResponse:
        rows = [{"ticker": each, "orderbook_fp": GOOD} for each in request.query.getall("tickers")]
        return web.json_response({"orderbooks": rows}, headers={"Age": age})

    async with local_venue(serve) as venue:
        for age in ("1", "14"):
            with pytest.raises(Transient, match=f"kept it for {age} s"):
                await read_books(venue.rest(), [A])
        age = "0"
        assert await read_books(venue.rest(), [A]) == {A: READ}


async def test_what_stays_wanted_is_read_again_and_a_failing_read_is_told_once_and_tried_on():
    failing = True
    wires: Latest[frozenset[Ticker]] = Latest()
    told: list[Mapping[Ticker, RestBook]] = []
    asked = 0

    async def serve(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        if failing:
            return web.Response(status=503)
        rows = [{"ticker": each, "orderbook_fp": GOOD} for each in request.query.getall("tickers")]
        return web.json_response({"orderbooks": rows})

    async def until_asked(times: int) -> None:
        while asked < times:  # noqa: ASYNC110 - counted by the server's own handler
            await anyio.sleep(0.01)

    async with local_venue(serve) as venue, anyio.create_task_group() as group:
        reads = BookReads(
            rest=venue.rest(),
            wanted=wires.get,
            changes=lambda: wires.version,
            newer_than=wires.newer_than,
            tell=told.append,
        )
        with capture_logs() as said, anyio.fail_after(20):
            group.start_soon(reads.keep)
            wires.set(frozenset({A}))
            await until_asked(3)
            failing = False
            while len(told) < 2:  # noqa: ASYNC110 - told by the reader itself
                await anyio.sleep(0.01)
            wires.set(frozenset({A, B}))
            while told[-1].keys() != {A, B}:  # noqa: ASYNC110
                await anyio.sleep(0.01)
            wires.set(frozenset())
            await anyio.sleep(3 * rest_books.BURST)
            before = asked
            await anyio.sleep(4 * rest_books.BURST)
        assert asked == before, "what nobody wants is not read"
        group.cancel_scope.cancel()
    assert [each["event"] for each in said] == ["reads fail", "reads succeed again"]
