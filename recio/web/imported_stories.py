"""One trade of the system before recio as the interface tells it: what was rebuilt beside what the old ledger said; it corrects neither."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import asyncpg

from recio.db import imported_stories
from recio.db.imported_stories import OldRows
from recio.report.past_list_text import cell
from recio.report.past_lists import LISTS, Of
from recio.report.past_trades import Kind
from recio.web.answers import DecimalText, Given, Nothing, Number, Taken, TickerText
from recio.web.history import reading
from recio.web.interface import Asked, Route
from recio.web.past_list_bodies import ColumnTold, columns_told
from recio.web.refusals import NotAsked

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
_PRICE = Decimal("0.0001")
COMPARED: tuple[tuple[str, str, Of, str | None, str | None], ...] = (
    ("position", "Contracts", Of.CONTRACTS, "old_quantity", "quantity"),
    ("buy_price", "Bought at", Of.PRICE, "buy_price", "entry_price"),
    ("sell_price", "Ended at", Of.PRICE, "sell_price", "exit_price"),
    ("fees", "Fees", Of.DOLLARS, "old_fees", "fees"),
    ("pnl", "Net", Of.DOLLARS, "old_pnl", "net_pnl"),
    ("opened_at", "Opened (UTC)", Of.TIME, "old_opened_at", "opened_at"),
    ("closed_at", "Ended (UTC)", Of.TIME, "old_closed_at", "closed_at"),
    ("status", "Status", Of.WORD, "status", None),
    ("win_loss", "Won or lost", Of.WORD, "win_loss", None),
    ("row", "The row itself", Of.WORD, None, None),
    ("revenue", "Paid by the settlement", Of.DOLLARS, None, None),
)
"""Name as a disagreement has it, title, unit, and the columns of both sides; where a side has none, a disagreement may say it."""


class ImportedPath(Taken):
    mode: Literal["prod", "demo"]
    ticker: TickerText
    number: Number


class ComparedFigure(Given):
    name: str
    title: str
    of: Of
    theirs: str | None
    """As the old ledger had it."""
    ours: str | None
    """As it was rebuilt from the records of the venue."""
    disagrees: bool


class OldRowsTold(Given):
    """Rows of its market, from its opening to its end, as the list of that name has them."""

    columns: list[ColumnTold]
    rows: list[dict[str, str | int | None]]


class OwnFill(Given):
    """What of one fill is of this trade: one fill may end a trade and begin another."""

    fill_id: str
    at: datetime
    is_exit: bool
    quantity: DecimalText
    price: DecimalText
    """Dollars that one contract of the trade's side cost, or brought."""
    fee: DecimalText | None


class ImportedStory(Given):
    """A trade of the system before recio; dollars are decimal strings, times UTC, and null is what cannot be known."""

    kind: Kind
    mode: Literal["prod", "demo"]
    ticker: str
    number: int
    side: Literal["yes", "no"]
    source: Literal["fills", "orders", "settlement", "ledger"]
    """What it was rebuilt from."""
    quantity: DecimalText
    entry_cost: DecimalText | None
    exit_proceeds: DecimalText | None
    payout: DecimalText | None
    fees: DecimalText | None
    net_pnl: DecimalText | None
    opened_at: datetime | None
    closed_at: datetime | None
    doubtful: bool
    """Its New York time had no offset and falls into the hour that autumn has twice."""
    old_row: str | None
    """Table and id of its row in the old ledger; null: it has none."""
    strategy: str | None
    entry_method: str | None
    close_method: str | None
    is_test: bool | None
    has_fees: bool | None
    """Whether the old figures include fees."""
    compared: list[ComparedFigure]
    trades_of_market: int
    own_fills: list[OwnFill]
    fills_tie: bool | None
    """Whether its own fills come to its cost, its proceeds and its fees, each to the millionth of a dollar; null: it has none."""
    orders: OldRowsTold
    fills: OldRowsTold
    settlements: OldRowsTold
    is_cut: bool
    """More rows may be there than are told."""


def imported_story_route(pool: Pool) -> Route:
    async def tell(asked: Asked[Nothing, Nothing, ImportedPath]) -> ImportedStory:
        path = asked.path
        async with reading(pool) as connection:
            found = await imported_stories.of_imported_trade(connection, path.mode, path.ticker, path.number)
        if found is None:
            raise NotAsked(
                404,
                f"number = {path.number}: there is no such imported trade of {path.ticker} in {path.mode}",
            )
        return _story(found)

    return Route(
        method="GET", path="/trades/imported/{mode}/{ticker}/{number}", name="imported_trade_story", gives=ImportedStory,
        do=tell, parts=ImportedPath, summary="One imported trade's whole story", refusals=(404,),
    )  # fmt: skip


def _story(rows: OldRows) -> ImportedStory:
    trade = rows.trade
    return ImportedStory.model_validate(
        {
            "kind": Kind.IMPORTED,
            **{
                name: trade[name]
                for name in (
                    "mode",
                    "ticker",
                    "number",
                    "side",
                    "source",
                    "opened_at",
                    "closed_at",
                    "doubtful",
                )
            },
            **{name: trade[name] or None for name in ("old_row", "strategy", "entry_method", "close_method")},
            **{name: trade[name] for name in ("is_test", "has_fees")},
            "quantity": cell(Of.CONTRACTS, trade["quantity"]),
            **{
                name: cell(Of.DOLLARS, trade[name])
                for name in ("entry_cost", "exit_proceeds", "payout", "fees", "net_pnl")
            },
            "compared": _compared(trade),
            "trades_of_market": trade["of_market"],
            "own_fills": [_own_fill(each) for each in rows.parts],
            "fills_tie": _tie(rows),
            **{name: _page(name, found) for name, found in rows.market.items()},
            "is_cut": rows.is_cut,
        }
    )


def _own_fill(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "fill_id": row["fill_id"],
        "at": row["at"],
        "is_exit": row["is_exit"],
        "quantity": cell(Of.CONTRACTS, row["quantity"]),
        "price": cell(Of.PRICE, row["price"]),
        "fee": cell(Of.DOLLARS, row["fee"]),
    }


def _tie(rows: OldRows) -> bool | None:
    """A figure that cannot be known is none to compare."""
    trade, sums = rows.trade, rows.come_to
    if not sums["n"]:
        return None
    return all(trade[each] in (None, sums[each]) for each in ("entry_cost", "exit_proceeds", "fees"))


def _page(name: str, found: list[asyncpg.Record]) -> dict[str, Any]:
    of = LISTS[name]
    columns = of.columns_of(Kind.IMPORTED)
    return {
        "columns": [each for each in columns_told(of, Kind.IMPORTED) if each.name != "ticker"],
        "rows": [{each.name: cell(each.of, row[each.name]) for each in columns} for row in found],
    }


def _compared(trade: asyncpg.Record) -> list[ComparedFigure]:
    """Every figure that either side has, and whatever else they disagree about."""
    said: dict[str, dict[str, str | None]] = {each["field"]: each for each in trade["disagreements"]}
    ours = {**trade, **_each(trade)}
    found: list[ComparedFigure] = []
    for name, title, of, their_column, our_column in COMPARED:
        told: Mapping[str, str | None] = said.get(name, {})
        figure = ComparedFigure(
            name=name, title=title, of=of, disagrees=name in said,
            theirs=_side(of, trade[their_column] if their_column else None, told.get("theirs")),
            ours=_side(of, ours[our_column] if our_column else None, told.get("ours")),
        )  # fmt: skip
        if figure.theirs is not None or figure.ours is not None or figure.disagrees:
            found.append(figure)
    return found


def _side(of: Of, column: object, told: str | None) -> str | None:
    if column is None or column == "":
        return told
    said = cell(of, column)
    return None if said is None else str(said)


def _each(trade: asyncpg.Record) -> dict[str, Decimal | None]:
    """What one contract cost and brought, to the hundredth of a cent."""
    cost, proceeds, payout, quantity = (
        trade[name] for name in ("entry_cost", "exit_proceeds", "payout", "quantity")
    )
    got = None if proceeds is None or payout is None or trade["closed_at"] is None else proceeds + payout
    return {
        "entry_price": None if cost is None else (cost / quantity).quantize(_PRICE),
        "exit_price": None if got is None else (got / quantity).quantize(_PRICE),
    }
