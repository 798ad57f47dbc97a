"""The routes that only read: the status, the past, the log; each of a shape that the OpenAPI document has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import asyncpg

from recio.log import RECENT
from recio.web.answers import Days, Log, LogLine, Nothing, Parity, Status, StatusQuery, Trades, TradesQuery
from recio.web.history import days, parity, trades_page
from recio.web.imported_stories import imported_story_route
from recio.web.interface import Asked, Route, Text
from recio.web.past_lists import past_list_routes
from recio.web.plain import plain_page
from recio.web.stories import Recorded, story_route

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


def reading_routes(pool: Pool, status: Callable[[bool], dict[str, Any]], recorded: Recorded) -> list[Route]:
    """`status`: True with every strike of the board. `recorded`: the file of the recording that holds a moment."""

    async def whole(asked: Asked[StatusQuery, Nothing, Nothing]) -> Status:
        return Status.model_validate(status(asked.query.board == "all"))

    async def past(asked: Asked[TradesQuery, Nothing, Nothing]) -> Trades:
        return Trades.model_validate(await trades_page(pool, asked.query))

    async def by_day(_asked: Asked[Nothing, Nothing, Nothing]) -> Days:
        return Days.model_validate(await days(pool))

    async def beside_paper(_asked: Asked[Nothing, Nothing, Nothing]) -> Parity:
        return Parity.model_validate(await parity(pool))

    async def plain(_asked: Asked[Nothing, Nothing, Nothing]) -> Text:
        return Text(text=plain_page(status(False)))

    async def lines(_asked: Asked[Nothing, Nothing, Nothing]) -> Log:
        """The last lines of the log, oldest first."""
        return Log(lines=[LogLine(level=level, line=line) for level, line in RECENT])

    return [
        Route(method="GET", path="/status", name="status", summary="All that recio shows", gives=Status, do=whole,
              query=StatusQuery),
        Route(method="GET", path="/trades", name="trades", is_old=True, gives=Trades, do=past, query=TradesQuery,
              summary="Trades of the past, newest first; /history/trades goes on from a row and costs less"),
        story_route(pool, recorded),
        imported_story_route(pool),
        *past_list_routes(pool),
        Route(method="GET", path="/plain", name="plain", summary="The status as a page without scripts", gives=Text,
              media="text/html", do=plain),
        Route(method="GET", path="/days", name="days", summary="What each day of UTC came to", gives=Days, do=by_day),
        Route(method="GET", path="/parity", name="parity", summary="Live beside paper, by day and strategy", gives=Parity,
              do=beside_paper),
        Route(method="GET", path="/log", name="log", summary="The last lines of the log", gives=Log, do=lines),
    ]  # fmt: skip
