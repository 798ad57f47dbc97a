"""The lists of the past over HTTP: a page of each by keyset, or all that was asked for as CSV; one reader at a time, which cannot write."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any, TypeAlias

import asyncpg
from pydantic import BaseModel

from recio.db import past_lists
from recio.db.past_lists import Place, Wanted
from recio.report.past_list_text import cell
from recio.report.past_lists import LISTS, PastList
from recio.report.past_trades import Kind
from recio.report.text import cells
from recio.texts import writable
from recio.web.answers import Nothing, moment
from recio.web.gate import Visitor
from recio.web.history import reading
from recio.web.interface import Asked, Route, Text
from recio.web.logins import Role
from recio.web.past_list_bodies import (
    Bookmark,
    Lists,
    bookmark,
    columns_told,
    query_of,
    rows_of,
    told,
    values,
)
from recio.web.refusals import NotAsked

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
AT_ONCE = 50
CSV_MOST = 20_000
"""Rows in one file."""


def past_list_routes(pool: Pool) -> list[Route]:
    async def which(_asked: Asked[Nothing, Nothing, Nothing]) -> Lists:
        return Lists(lists=[told(each) for each in LISTS.values()])

    return [
        Route(method="GET", path="/history", name="lists", summary="Which lists of the past there are", gives=Lists, do=which),
        *(_page_route(pool, each) for each in LISTS.values()),
        *(_file_route(pool, each) for each in LISTS.values()),
    ]  # fmt: skip


def _page_route(pool: Pool, of: PastList) -> Route:
    gives = rows_of(of)

    async def tell(asked: Asked[BaseModel, Nothing, Nothing]) -> BaseModel:
        query = values(asked.query)
        return gives.model_validate(await _page(pool, _wanted(of, query, asked.who), query))

    return Route(
        method="GET", path=f"/history/{of.name}", name=f"list_{of.name}", summary=f"{of.title} of the past, a page at a time",
        gives=gives, do=tell, query=query_of(of, is_file=False), refusals=(409,),
    )  # fmt: skip


def _file_route(pool: Pool, of: PastList) -> Route:
    async def tell(asked: Asked[BaseModel, Nothing, Nothing]) -> Text:
        return Text(
            text=await _file(pool, _wanted(of, values(asked.query), asked.who)), file_name=f"{of.name}.csv"
        )

    return Route(
        method="GET", path=f"/history/{of.name}.csv", name=f"file_{of.name}", summary=f"{of.title} of the past as CSV",
        gives=Text, media="text/csv", do=tell, query=query_of(of, is_file=True), refusals=(409,),
    )  # fmt: skip


def _wanted(of: PastList, query: dict[str, Any], who: Visitor) -> Wanted:
    """Raises NotAsked: 409 for a column that this kind does not have, 403 for rows that are for operators alone."""
    kind = Kind(query["kind"])
    there = [each.name for each in of.columns_of(kind)]
    if query["sort"] not in there:
        raise NotAsked(
            409, f"sort = {query['sort']!r}: {kind} {of.name} have none; choose one of {', '.join(there)}"
        )
    words = {name: query[name] for name in (*of.picks, "strategy") if query.get(name) is not None}
    for name, word in words.items():
        if name not in there:
            raise NotAsked(409, f"{name} = {word!r}: {kind} {of.name} have none; leave it out")
        if word in of.reserved.get(name, ()) and who.role is not Role.OPERATOR:
            raise NotAsked(
                403, f"{name} = {word!r}: only operators see these; log in as one, or leave it out"
            )
    return Wanted(
        of=of,
        kind=kind,
        sort=query["sort"],
        down=query["order"] == "down",
        mode=query.get("mode", "prod"),
        since=moment(query["since"]),
        until=moment(query["until"]),
        ticker=query.get("ticker"),
        text=None if query["text"] is None else writable(query["text"]),
        words=words,
        without={} if who.role is Role.OPERATOR else of.reserved,
    )


async def _page(pool: Pool, wanted: Wanted, query: dict[str, Any]) -> dict[str, Any]:
    """Raises NotAsked: 409 for a place of another order, 503 where the past cannot be read now."""
    after, before, most = query["after"], query["before"], query["most"]
    if after is not None and before is not None:
        raise NotAsked(409, "after, before: a page lies on one side of a row; leave one of them out")
    beside = _place(wanted, after or before)
    try:
        async with reading(pool) as connection:
            rows = await past_lists.page(connection, wanted, most + 1, beside, before=before is not None)
    except asyncpg.DataError:
        raise NotAsked(409, "after, before: that is no place in this list; leave it out") from None
    has_more = len(rows) > most
    shown = rows[-most:] if before is not None else rows[:most]
    has_before, has_after = (has_more, True) if before is not None else (after is not None, has_more)
    return {
        "kind": wanted.kind,
        "columns": columns_told(wanted.of, wanted.kind),
        "rows": [_row(wanted, each) for each in shown],
        "before": _bookmark(wanted, shown[0]) if shown and has_before else None,
        "after": _bookmark(wanted, shown[-1]) if shown and has_after else None,
    }


async def _file(pool: Pool, wanted: Wanted) -> str:
    """Raises NotAsked: 409 for too many, 503 where the past cannot be read now."""
    text = StringIO()
    table = csv.DictWriter(
        text, [each.name for each in wanted.of.columns_of(wanted.kind)], lineterminator="\n"
    )
    table.writeheader()
    written = 0
    async with reading(pool) as connection:
        async for row in past_lists.every(connection, wanted, AT_ONCE):
            if written == CSV_MOST:
                raise NotAsked(
                    409,
                    f"since, until: there are more than {CSV_MOST} {wanted.of.name}; ask for less, or take"
                    f" recio history {wanted.of.name} --csv",
                )
            table.writerow(cells(_row(wanted, row)))
            written += 1
    return text.getvalue()


def _row(wanted: Wanted, row: asyncpg.Record) -> dict[str, object]:
    return {each.name: cell(each.of, row[each.name]) for each in wanted.of.columns_of(wanted.kind)}


def _bookmark(wanted: Wanted, row: asyncpg.Record) -> str:
    of, kind = wanted.of.name, wanted.kind.value
    return Bookmark(
        of=of, kind=kind, sort=wanted.sort, down=wanted.down, place=past_lists.place_of(row)
    ).text()


def _place(wanted: Wanted, text: str | None) -> Place | None:
    if text is None:
        return None
    found = bookmark(text)
    if found is None or (found.of, found.kind, found.sort, found.down) != (
        wanted.of.name, wanted.kind.value, wanted.sort, wanted.down,
    ):  # fmt: skip
        raise NotAsked(409, "after, before: that is no place in this list and order; leave it out")
    return found.place
