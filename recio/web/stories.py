"""One trade's whole story as the interface has it: what was seen, why, each order with its times and fills, the end, and what to replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import anyio.to_thread
import asyncpg

from recio.db import trade_stories
from recio.db.trade_stories import Rows
from recio.recording.instants import Instant
from recio.report.past_trades import Kind
from recio.units import Side, money_of, money_text, price_of, price_text, quantity_of, quantity_text
from recio.web.answers import FillTold, Nothing, OrderTold, ReplayAt, Step, Story, StoryPath
from recio.web.history import reading
from recio.web.interface import Asked, Route
from recio.web.refusals import NotAsked

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Recorded = Callable[[datetime], Instant | None]
ANSWERS = (
    "order resting",
    "order filled",
    "order cancelled",
    "order rejected",
    "order unknown",
    "order not_found",
)


def story_route(pool: Pool, recorded: Recorded) -> Route:
    """`recorded`: the file of the recording that holds a moment; it reads a folder."""

    async def tell(asked: Asked[Nothing, Nothing, StoryPath]) -> Story:
        path = asked.path
        async with reading(pool) as connection:
            if path.kind == Kind.SHADOW:
                paper = await trade_stories.of_paper_trade(connection, path.number)
                found = None if paper is None else _of_paper(paper)
            else:
                rows = await trade_stories.of_trade(connection, path.number)
                found = None if rows is None else _of_rows(rows)
        if found is None:
            raise NotAsked(404, f"number = {path.number}: there is no such {path.kind} trade")
        instant = await anyio.to_thread.run_sync(recorded, found.decided_at)
        return (
            found
            if instant is None
            else found.model_copy(update={"replay": _replay(instant, found.decided_at)})
        )

    return Route(
        method="GET", path="/trades/{kind}/{number}", name="trade_story", gives=Story, do=tell, parts=StoryPath,
        summary="One trade's whole story", refusals=(404,),
    )  # fmt: skip


def _of_rows(rows: Rows) -> Story:
    trade, side = rows.trade, Side(rows.trade["side"])
    exits = [row["detail"]["why"] for row in rows.log if _is_exit(row["detail"])]
    return Story(
        kind=Kind.REAL,
        number=str(trade["trade_id"]),
        strategy=trade["strategy"],
        ticker=trade["ticker"],
        event_ticker=trade["event_ticker"],
        rules=trade["rules_primary"],
        side=side.value,
        state=trade["state"],
        decided_at=trade["opened_at"],
        closes_at=trade["closes_at"],
        ended_at=trade["closed_at"],
        why_bought=trade["why"],
        seen={name: str(value) for name, value in trade["inputs"].items()},
        bought=_contracts(trade["entry_quantity"]),
        paid=_dollars(trade["entry_cost"]),
        sold=_contracts(trade["exit_quantity"]),
        received=_dollars(trade["exit_proceeds"]),
        payout=_dollars(trade["payout"]) if trade["ended_by"] else None,
        fees=_dollars(trade["fees"]),
        net_pnl=_net(trade),
        why_sold=exits,
        ended_by=trade["ended_by"],
        result=None if rows.settlement is None else rows.settlement["result"],
        settled_at=None if rows.settlement is None else rows.settlement["settled_at"],
        settled_by=None if rows.settlement is None else rows.settlement["set_by"] or "the venue",
        orders=[_order(row, rows, side) for row in rows.orders],
        steps=[_step(row) for row in rows.log],
        is_cut=rows.is_cut,
        replay=None,
    )


def _of_paper(row: asyncpg.Record) -> Story:
    """A trade on paper has no orders and no log: its row is all there is."""
    is_over = row["sold_at"] is not None or row["result"] is not None
    value = Decimal(row["result"] == Side.YES) if row["value"] is None else row["value"]
    each_pays = value if row["side"] == Side.YES else 1 - value
    payout = (row["quantity"] - row["sold"]) * each_pays if row["result"] is not None else Decimal(0)
    net = row["proceeds"] + payout - row["cost"] - row["fees"] if is_over else None
    return Story(
        kind=Kind.SHADOW,
        number=str(row["paper_trade_id"]),
        strategy=row["strategy"],
        ticker=row["ticker"],
        event_ticker=row["event_ticker"],
        rules=None,
        side=row["side"],
        state="closed" if is_over else "open",
        decided_at=row["decided_at"],
        closes_at=row["closes_at"],
        ended_at=row["sold_at"] or row["settled_at"],
        why_bought=row["why"],
        seen={"probability": f"{row['probability']:.6f}"},
        bought=_contracts(row["quantity"]),
        paid=_dollars(row["cost"]),
        sold=_contracts(row["sold"]),
        received=_dollars(row["proceeds"]),
        payout=_dollars(payout) if is_over else None,
        fees=_dollars(row["fees"]),
        net_pnl=None if net is None else _dollars(net),
        why_sold=[],
        ended_by="exit" if row["sold_at"] else "settlement" if is_over else None,
        result=row["result"],
        settled_at=row["settled_at"],
        settled_by=None if row["result"] is None else "the venue",
        orders=[],
        steps=[],
        is_cut=False,
        replay=None,
    )


def _order(row: asyncpg.Record, rows: Rows, side: Side) -> OrderTold:
    own = [each for each in rows.log if each["client_order_id"] == row["client_order_id"]]
    return OrderTold(
        client_order_id=row["client_order_id"],
        venue_order_id=row["venue_order_id"],
        purpose=row["purpose"],
        state=row["state"],
        limit=_own_price(row["price"], side),
        quantity=_contracts(row["quantity"]),
        filled=_contracts(row["filled"]),
        ask=None if row["ask"] is None else price_text(price_of(row["ask"])),
        model_value=None if row["model_value"] is None else str(row["model_value"]),
        why=next((each["detail"]["why"] for each in own if "why" in each["detail"]), None),
        written_at=row["created_at"],
        answered_at=next((each["at"] for each in own if each["kind"] in ANSWERS), None),
        ended_at=row["ended_at"],
        note=row["note"],
        fees=_dollars(sum((each["fee"] for each in _fills(row, rows.fills)), Decimal(0))),
        fills=[_fill(each, side) for each in _fills(row, rows.fills)],
        run=row["fencing"],
        version=row["version"],
    )


def _fill(row: asyncpg.Record, side: Side) -> FillTold:
    return FillTold(
        fill_id=row["fill_id"],
        at=row["at"],
        price=_own_price(row["price"], side),
        quantity=_contracts(row["quantity"]),
        fee=_dollars(row["fee"]),
        is_taker=row["is_taker"],
    )


def _fills(order: asyncpg.Record, fills: Sequence[asyncpg.Record]) -> list[asyncpg.Record]:
    return [each for each in fills if each["client_order_id"] == order["client_order_id"]]


def _is_exit(detail: Mapping[str, Any]) -> bool:
    return detail.get("purpose") == "exit" and "why" in detail


def _step(row: asyncpg.Record) -> Step:
    return Step(
        at=row["at"], what=row["kind"], client_order_id=row["client_order_id"],
        detail={name: str(value) for name, value in row["detail"].items() if value not in ("", None)},
    )  # fmt: skip


def _replay(instant: Instant, at: datetime) -> ReplayAt:
    path: Path = instant.path
    return ReplayAt(
        file=path.name,
        began_at=instant.began,
        seconds_into=round((at - instant.began).total_seconds(), 3),
        command=f"recio replay {path}",
    )


def _net(trade: asyncpg.Record) -> str | None:
    """None while it is live."""
    if trade["ended_by"] is None:
        return None
    return _dollars(trade["exit_proceeds"] + trade["payout"] - trade["entry_cost"] - trade["fees"])


def _own_price(yes_price: Decimal, side: Side) -> str:
    return price_text(price_of(yes_price if side is Side.YES else 1 - yes_price))


def _dollars(value: Decimal) -> str:
    return money_text(money_of(value))


def _contracts(value: Decimal) -> str:
    return quantity_text(quantity_of(value))
