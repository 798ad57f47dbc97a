"""Trades of the past, of each kind, one after another in the order in which they ended; it only reads, and no order waits for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from asyncpg import Record

from recio.db.connection import Connection
from recio.db.paper_trades import PAYOUT
from recio.report.past_trades import Kind, PastTrade
from recio.units import Money, Side, Ticker, money_of, quantity_of

AT_ONCE = 500
# Every query: $1 and $2 bound the end, $3 names one strategy, $4 begins the ticker; NULL asks for all. $5: the mode of the account.
_ASKED = """
    WHERE ($1::timestamptz IS NULL OR closed_at >= $1 OR closed_at IS NULL) AND ($2::timestamptz IS NULL OR closed_at < $2)
      AND ($3::text IS NULL OR strategy = $3) AND ($4::text IS NULL OR starts_with(ticker, $4))
      AND (mode IS NULL OR mode = $5)
"""
_OLDEST_FIRST = "ORDER BY closed_at NULLS LAST, opened_at, number"
_NEWEST_FIRST = "ORDER BY closed_at DESC NULLS FIRST, opened_at DESC, number DESC LIMIT $6 OFFSET $7"
_REAL = """
    SELECT NULL::text AS mode, trade_id AS number, strategy, ticker, side, entry_quantity AS quantity, entry_cost, exit_proceeds, payout, fees,
        opened_at, closes_at, closed_at, coalesce(ended_by, '') AS ended_by, why, inputs ->> 'probability' AS probability,
        CASE ended_by WHEN 'exit' THEN (
            SELECT split_part(a.detail ->> 'why', ':', 1) FROM audit_log AS a
            WHERE a.trade_id = t.trade_id AND a.detail ->> 'purpose' = 'exit' ORDER BY a.seq DESC LIMIT 1
        ) END AS exit_reason,
        (SELECT s.result FROM settlements AS s WHERE s.ticker = t.ticker) AS result
    FROM trades AS t WHERE entry_quantity > 0
"""
_SHADOW = f"""
    SELECT NULL::text AS mode, paper_trade_id AS number, strategy, ticker, side, quantity, cost AS entry_cost, proceeds AS exit_proceeds,
        {PAYOUT} AS payout, fees, decided_at AS opened_at, closes_at,
        coalesce(sold_at, settled_at) AS closed_at,
        CASE WHEN sold_at IS NOT NULL THEN 'exit' WHEN result IS NOT NULL THEN 'settlement' ELSE '' END AS ended_by,
        why, probability::text AS probability, NULL AS exit_reason, result
    FROM paper_trades WHERE quantity > 0
"""
_IMPORTED = """
    SELECT t.mode, t.mode || ' ' || t.ticker || ' ' || t.number AS number, coalesce(l.strategy, '') AS strategy, t.ticker, t.side,
        t.quantity, t.entry_cost, t.exit_proceeds, t.payout, t.fees, t.opened_at, NULL::timestamptz AS closes_at, t.closed_at,
        CASE WHEN t.payout IS NULL AND t.closed_at IS NULL THEN 'unknown' WHEN t.payout > 0 THEN 'settlement'
            WHEN t.payout IS NULL OR t.exit_proceeds = 0 OR t.quantity > (
                SELECT sum(p.quantity) FROM imported_trade_fills AS p
                WHERE p.mode = t.mode AND p.ticker = t.ticker AND p.number = t.number AND p.is_exit
            ) THEN 'settlement' ELSE 'exit' END AS ended_by, '' AS why, NULL AS probability,
        l.close_method AS exit_reason, NULL AS result
    FROM imported_trades AS t LEFT JOIN imported_ledger_rows AS l ON l.mode = t.mode AND l.key = t.ledger_key
"""
_DAYS = "SELECT day, realised, fees, wins, losses FROM day_figures ORDER BY day DESC LIMIT $1"
ROWS: Mapping[Kind, str] = {Kind.REAL: _REAL, Kind.SHADOW: _SHADOW, Kind.IMPORTED: _IMPORTED}
"""A query of each kind without parameters; `mode` is NULL for what is recio's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which trades are asked for."""

    kind: Kind
    since: datetime | None = None
    until: datetime | None = None
    """Bounds of when they ended; trades that are held pass both."""
    strategy: str | None = None
    ticker: str | None = None
    """What their tickers begin with."""
    mode: str = "prod"
    """Of imported trades: the account mode that the old system ran in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What the trades that ended on a day of UTC came to."""

    day: date
    net: Money
    fees: Money
    wins: int
    losses: int


async def past_trades(  # noqa: ASYNC900 - what it holds ends with the transaction
    connection: Connection, asked: Asked, at_once: int = AT_ONCE
) -> AsyncGenerator[PastTrade]:
    """In the order in which they ended, those that are held last. Takes a connection in a transaction.

    `at_once`: rows that are read without letting anybody else run.
    """
    query = f"SELECT * FROM ({ROWS[asked.kind]}) AS each {_ASKED} {_OLDEST_FIRST}"
    async for row in connection.cursor(query, *_values(asked), prefetch=at_once):
        yield _past_trade(asked.kind, row)


async def newest(connection: Connection, asked: Asked, offset: int, most: int) -> list[PastTrade]:
    """Those that are held first, then the last that ended; `offset` of them are left out."""
    query = f"SELECT * FROM ({ROWS[asked.kind]}) AS each {_ASKED} {_NEWEST_FIRST}"
    rows = await connection.fetch(query, *_values(asked), most, offset)
    return [_past_trade(asked.kind, row) for row in rows]


async def days(connection: Connection, most: int) -> list[Day]:
    """The last days with a trade that ended, oldest first, as the counters have them."""
    rows = await connection.fetch(_DAYS, most)
    return [
        Day(
            day=row["day"],
            net=money_of(row["realised"]),
            fees=money_of(row["fees"]),
            wins=row["wins"],
            losses=row["losses"],
        )
        for row in reversed(rows)
    ]


def _values(asked: Asked) -> tuple[object, ...]:
    return asked.since, asked.until, asked.strategy, asked.ticker, asked.mode


def _past_trade(kind: Kind, row: Record) -> PastTrade:
    return PastTrade(
        kind=kind,
        number=str(row["number"]),
        strategy=row["strategy"],
        ticker=Ticker(row["ticker"]),
        side=Side(row["side"]),
        quantity=quantity_of(row["quantity"]),
        entry_cost=_money(row["entry_cost"]),
        exit_proceeds=_money(row["exit_proceeds"]),
        payout=_money(row["payout"]),
        fees=_money(row["fees"]),
        opened_at=row["opened_at"],
        closes_at=row["closes_at"],
        closed_at=row["closed_at"],
        ended_by=row["ended_by"],
        exit_reason=row["exit_reason"] or "",
        probability=None if row["probability"] is None else Decimal(row["probability"]),
        why=row["why"],
        result=Side(row["result"]) if row["result"] in ("yes", "no") else None,
    )


def _money(value: Decimal | None) -> Money | None:
    return None if value is None else money_of(value)
