"""Rows of the lists of the past, filtered, sorted by any column, and a page at a time from where the last one ended; it only reads.

A page costs what its rows cost and one look along the order that is asked for: none is counted or skipped on the way to it.
NULL stands above every value, as PostgreSQL sorts it and its indexes have it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from asyncpg import Record

from recio.db.connection import Connection
from recio.db.past_list_rows import ROWS
from recio.report.past_lists import Of, PastList
from recio.report.past_trades import Kind

_TYPES = {
    Of.TIME: "timestamptz",
    Of.DOLLARS: "numeric",
    Of.PRICE: "numeric",
    Of.CONTRACTS: "numeric",
    Of.PROBABILITY: "numeric",
    Of.COUNT: "bigint",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A row's place in the order that was asked for, in PostgreSQL's own text."""

    value: str | None
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows, in which order; None asks for all."""

    of: PastList
    kind: Kind
    sort: str
    """One of its columns for this kind."""
    down: bool = True
    """The newest or highest first."""
    mode: str = "prod"
    """Of the old system's: the account mode that it ran in."""
    since: datetime | None = None
    until: datetime | None = None
    ticker: str | None = None
    """What its ticker begins with, with or without KX."""
    text: str | None = None
    """Somewhere in its searched columns, in small letters or large."""
    words: Mapping[str, str] = field(default_factory=dict[str, str])
    """What columns of this kind have to hold, by their names."""
    without: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """What columns of this kind must not hold."""


@dataclass(slots=True)
class _Statement:
    """Conditions with their values, in the order of their numbers."""

    conditions: list[str] = field(default_factory=list[str])
    values: list[Any] = field(default_factory=list[Any])

    def value(self, value: object) -> str:
        self.values.append(value)
        return f"${len(self.values)}"

    def where(self) -> str:
        return f"WHERE {' AND '.join(self.conditions)}" if self.conditions else ""


async def page(
    connection: Connection, wanted: Wanted, most: int, beside: Place | None, *, before: bool = False
) -> list[Record]:
    """At most so many rows after `beside`, or those right before it; in the order that was asked for either way.

    Each row has its columns, and its place as place_value and place_key. Raises asyncpg.DataError for a place that is none.
    """
    statement = _filtered(wanted)
    down = wanted.down is not before
    if beside is not None:
        statement.conditions.append(_beyond(wanted, statement, beside, down=down))
    query = _select(wanted, statement, down=down, most=f"LIMIT {statement.value(most)}")
    rows = await connection.fetch(query, *statement.values)
    return rows[::-1] if before else rows


async def every(connection: Connection, wanted: Wanted, at_once: int) -> AsyncGenerator[Record]:  # noqa: ASYNC900 - what it holds ends with the transaction
    """All of them, one after another. Takes a connection in a transaction. `at_once`: read without letting anybody else run."""
    statement = _filtered(wanted)
    query = _select(wanted, statement, down=wanted.down, most="")
    async for row in connection.cursor(query, *statement.values, prefetch=at_once):
        yield row


def place_of(row: Record) -> Place:
    return Place(value=row["place_value"], key=row["place_key"])


def _select(wanted: Wanted, statement: _Statement, *, down: bool, most: str) -> str:
    """Places are made of the rows that are left, so that no column is worked out twice for those that are not."""
    columns = ", ".join(f'"{each.name}"' for each in wanted.of.columns_of(wanted.kind))
    rows = ROWS[wanted.of.name, wanted.kind]
    query = rows.sorted_by.get(wanted.sort, rows.query)
    return f"""
        SELECT {columns}, "{wanted.sort}"::text AS place_value, key::text AS place_key FROM (
            SELECT {columns}, key FROM ({query}) AS rows {statement.where()} {_order(wanted, "rows", down=down)} {most}
        ) AS page {_order(wanted, "page", down=down)}
    """


def _order(wanted: Wanted, of: str, *, down: bool) -> str:
    way = "DESC" if down else "ASC"
    return f'ORDER BY {of}."{wanted.sort}" {way}, {of}.key {way}'


def _beyond(wanted: Wanted, statement: _Statement, beside: Place, *, down: bool) -> str:
    """What comes after a place when the order goes up or down."""
    rows, sort = ROWS[wanted.of.name, wanted.kind], f'rows."{wanted.sort}"'
    sign = "<" if down else ">"
    key = f"{statement.value(beside.key)}::text::{rows.key}"
    if beside.value is None:
        of_no_value = f"({sort} IS NULL AND rows.key {sign} {key})"
        return f"({of_no_value} OR {sort} IS NOT NULL)" if down else of_no_value
    value = f"{statement.value(beside.value)}::text::{_type(wanted)}"
    of_values = f"({sort}, rows.key) {sign} ({value}, {key})"
    return of_values if down else f"({of_values} OR {sort} IS NULL)"


def _type(wanted: Wanted) -> str:
    of = next(each.of for each in wanted.of.columns if each.name == wanted.sort)
    if of is Of.TRADE:
        return "text" if wanted.kind is Kind.IMPORTED else "bigint"
    return _TYPES.get(of, "text")


def _filtered(wanted: Wanted) -> _Statement:
    it = _Statement()
    if wanted.kind is Kind.IMPORTED:
        it.conditions.append(f"mode = {it.value(wanted.mode)}")
    for bound, sign in ((wanted.since, ">="), (wanted.until, "<")):
        if bound is not None:
            it.conditions.append(_bound(wanted, sign, it.value(bound)))
    if wanted.ticker is not None:
        begins = it.value(wanted.ticker.upper())
        it.conditions.append(
            f"(starts_with(upper(ticker), {begins}) OR starts_with(upper(ticker), 'KX' || {begins}))"
        )
    if wanted.text is not None:
        it.conditions.append(_searched(wanted, it.value(wanted.text)))
    it.conditions += [f'"{name}" = {it.value(word)}' for name, word in wanted.words.items()]
    it.conditions += [
        f'"{name}" <> ALL ({it.value(list(words))}::text[])' for name, words in wanted.without.items()
    ]
    return it


def _bound(wanted: Wanted, sign: str, value: str) -> str:
    time = f'"{wanted.of.time}"'
    if ROWS[wanted.of.name, wanted.kind].may_lack_time:
        return f"({time} {sign} {value} OR {time} IS NULL)"
    return f"{time} {sign} {value}"


def _searched(wanted: Wanted, value: str) -> str:
    there = {each.name for each in wanted.of.columns_of(wanted.kind)}
    columns = ", ".join(f'"{each}"' for each in wanted.of.searched if each in there)
    return f"position(lower({value}::text) IN lower(concat_ws(' ', {columns}))) > 0"
