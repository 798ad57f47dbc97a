"""Books and trades over REST: exact, best first, and refused with the field's name when they cannot be."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from recio.errors import Transient
from recio.kalshi import market_history
from recio.units import BookSide, Ticker
from tests.kalshi.local_venue import answers, by_path, local_venue, pages

T = Ticker("KX-1")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def book(body: object) -> market_history.RestBook:
    async with local_venue(answers(200, json.dumps(body))) as venue:
        return await market_history.book(venue.rest(), T)


@pytest.mark.parametrize("turn", [1, -1])
async def test_a_book_is_best_first_whichever_way_the_venue_sorts_it(turn: int):
    sides = {
        "yes_dollars": [["0.0100", "25488.00"], ["0.4700", "3.01"]][::turn],
        "no_dollars": [["0.4800", "3.00"]],
    }
    found = await book({"orderbook_fp": sides})
    assert found.yes == ((4700, 301), (100, 2_548_800))
    assert found.no == ((4800, 300),)


@pytest.mark.parametrize("sides", [{}, {"yes_dollars": None, "no_dollars": []}])
async def test_an_empty_book_is_empty(sides: dict[str, Any]):
    assert (await book({"orderbook_fp": sides})).yes == ()


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"orderbook": {"yes": None}}, "orderbook_fp"),
        ({"orderbook_fp": {"yes_dollars": [["0.47", 3]]}}, "yes_dollars"),
        ({"orderbook_fp": {"no_dollars": [["0.47005", "3.00"]]}}, "no_dollars"),
        ({"orderbook_fp": {"no_dollars": [["1.0000", "3.00"]]}}, "no_dollars"),
        ({"orderbook_fp": {"yes_dollars": [["0.4700", "-3.00"]]}}, "yes_dollars"),
        ({"orderbook_fp": {"yes_dollars": [["0.4700", "3.00"], ["0.47", "1.00"]]}}, "yes_dollars"),
        ({"orderbook_fp": {"yes_dollars": [["0.4700", "3.00", "1"]]}}, "yes_dollars"),
    ],
)
async def test_a_book_that_cannot_be_is_named(body: object, named: str):
    with pytest.raises(Transient, match=named):
        await book(body)


async def test_many_books_are_read_a_hundred_at_a_time():
    asked: list[list[str]] = []

    def some(request: web.Request) -> object:
        asked.append(request.query.getall("tickers"))
        return {"orderbooks": [{"ticker": name, "orderbook_fp": {}} for name in asked[-1]]}

    wanted = [Ticker(f"KX-{n}") for n in range(250)]
    async with local_venue(by_path(orderbooks=some)) as venue:
        found = await market_history.books(venue.rest(), wanted)
    assert [each.ticker for each in found] == wanted
    assert [len(each) for each in asked] == [100, 100, 50]


TRADE = {
    "trade_id": "t1",
    "ticker": T,
    "count_fp": "7.77",
    "yes_price_dollars": "0.0300",
    "taker_book_side": "ask",
    "created_time": "2026-06-15T15:48:42.609997Z",
    "is_block_trade": False,
}


async def test_trades_of_all_pages_come_oldest_first():
    older = TRADE | {"trade_id": "t0", "created_time": "2026-06-15T15:48:41Z"}
    bodies = [{"trades": [TRADE], "cursor": "1"}, {"trades": [older], "cursor": ""}]
    async with local_venue(pages(*bodies)) as venue:
        found = await market_history.trades(venue.rest(), T, NOW)
        await market_history.trades(venue.rest(), T, NOW, historical=True)
        assert venue.requests[0][1].startswith("/trade-api/v2/markets/trades?ticker=KX-1&min_ts=")
        assert venue.requests[2][1].startswith("/trade-api/v2/historical/trades?ticker=KX-1")
    assert [each.trade_id for each in found] == ["t0", "t1"]
    assert (found[1].price, found[1].quantity, found[1].taker_side) == (300, 777, BookSide.ASK)
