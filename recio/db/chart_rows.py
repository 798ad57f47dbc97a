"""Rows that a market's chart is drawn from: its terms, the strikes beside it, own fills, the price; it only reads, and no order waits for it.

Found by the times that indexes know, and bounded: a market of any age costs the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from asyncpg import Record

from recio.db.connection import Connection

MOST = 200
"""Own fills, or trades on paper, of one event: the last ones."""
STRIKES = 500
LATE = timedelta(hours=1)
"""A fill may bear a time so much after the close."""
_MARKET = "SELECT * FROM markets WHERE ticker = $1"
_STRIKES = f"""
    SELECT ticker, strike_type, floor_strike, cap_strike FROM markets
    WHERE close_time = $1 AND event_ticker = $2 ORDER BY coalesce(floor_strike, cap_strike) LIMIT {STRIKES}
"""
_FILLS = f"""
    SELECT f.ticker, f.at, f.price, f.quantity, o.purpose, t.trade_id, t.side, t.strategy
    FROM fills AS f JOIN orders AS o USING (venue_order_id) JOIN trades AS t USING (trade_id)
    WHERE f.at >= $2 AND f.at < $3 AND f.ticker = ANY($1::text[]) ORDER BY f.at DESC, f.fill_id DESC LIMIT {MOST}
"""
_PAPER = f"""
    SELECT * FROM paper_trades WHERE closes_at = $2 AND ticker = ANY($1::text[]) AND quantity > 0
    ORDER BY decided_at DESC LIMIT {MOST}
"""
_RESULT = "SELECT result FROM settlements WHERE ticker = $1"
_PRICE = """
    SELECT second, price FROM price_seconds
    WHERE symbol = $1 AND second BETWEEN $2 AND $3 AND (second % $4 = 0 OR second >= $5) ORDER BY second
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """As the tables have them; their comments in schema.sql give units."""

    strikes: list[Record]
    """Of the event, ascending; none where the market is forgotten."""
    fills: list[Record]
    """The oldest first, as those on paper."""
    paper: list[Record]
    result: str | None
    """None: not settled, or it was not held then."""

    @property
    def is_cut(self) -> bool:
        """More fills or trades on paper may be there than are told."""
        return max(len(self.fills), len(self.paper)) >= MOST


async def market(connection: Connection, ticker: str) -> Record | None:
    """Its terms as they were last seen; None once they are forgotten, some days after its close."""
    return await connection.fetchrow(_MARKET, ticker)


async def beside(
    connection: Connection, ticker: str, event: str, opened_at: datetime, closes_at: datetime
) -> Beside:
    """What was traded in any market of the event is beside; `opened_at` and `closes_at` are those of the market."""
    strikes = await connection.fetch(_STRIKES, closes_at, event)
    tickers = [ticker, *(row["ticker"] for row in strikes if row["ticker"] != ticker)]
    return Beside(
        strikes=strikes,
        fills=(await connection.fetch(_FILLS, tickers, opened_at, closes_at + LATE))[::-1],
        paper=(await connection.fetch(_PAPER, tickers, closes_at))[::-1],
        result=await connection.fetchval(_RESULT, ticker),
    )


async def price(
    connection: Connection, symbol: str, begins: int, ends: int, *, step: int, whole_from: int
) -> list[Record]:
    """(second, price) of every `step`-th Unix second, and of every one from `whole_from` on."""
    return await connection.fetch(_PRICE, symbol, begins, ends, step, whole_from)
