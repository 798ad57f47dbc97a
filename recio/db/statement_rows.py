"""What the own books say that the venue's statement says too: fills, settlements, the ledger's cash by day and now; it only reads."""

from __future__ import annotations

from datetime import date, datetime

from recio.db import cash, lots
from recio.db.connection import Connection
from recio.messages.account import FillSeen
from recio.report.lots import Settled
from recio.report.statement import Side
from recio.units import FillId, Money, Ticker, money_of

_BY_DAY = """
    SELECT (coalesce(s.settled_at, t.at) AT TIME ZONE 'UTC')::date AS day, sum(p.amount) AS change
    FROM postings AS p JOIN ledger_transactions AS t USING (transaction_id)
        LEFT JOIN settlements AS s ON s.ticker = t.ticker AND t.kind IN ('settlement', 'correction')
    WHERE p.account = 'cash' GROUP BY 1
"""
"""What a market's end paid counts on the day of the venue's last word of it: the venue's list knows no earlier one."""
_BEGINS = "SELECT least((SELECT min(at) FROM fills), (SELECT min(at) FROM opening_balances))"


async def own_side(connection: Connection) -> Side:
    fills: dict[FillId, FillSeen] = {}
    settled: dict[Ticker, Settled] = {}
    async for ticker, ones, end in lots.markets(connection):
        fills |= {each.fill_id: each for each in ones}
        if end is not None:
            settled[ticker] = end
    opening = await cash.opening_balance(connection)
    in_ledger = await cash.ledger_cash(connection)
    return Side(
        fills=fills,
        settled=settled,
        by_day=await _by_day(connection),
        cash=None if opening is None else Money(in_ledger + opening.amount),
    )


async def begins(connection: Connection) -> datetime | None:
    """What the venue did earlier is not in these books; None: they hold nothing yet."""
    return await connection.fetchval(_BEGINS)


async def _by_day(connection: Connection) -> dict[date, Money]:
    return {row["day"]: money_of(row["change"]) for row in await connection.fetch(_BY_DAY)}
