"""What lots are made of: every fill of the account by market, and how each ended; it only reads."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from recio.db.connection import Connection
from recio.messages.account import FillSeen
from recio.report.lots import Settled
from recio.units import BookSide, FillId, Money, Ticker, VenueOrderId, money_of, price_of, quantity_of

AT_ONCE = 1_000
_FILLS = """
    SELECT f.fill_id, f.venue_order_id, f.ticker, f.book_side, f.price, f.quantity, f.fee, f.is_taker, f.at,
        s.value, s.settled_at, s.revenue_cents
    FROM fills AS f LEFT JOIN settlements AS s ON s.ticker = f.ticker ORDER BY f.ticker, f.at, f.fill_id
"""
_LEDGER = """
    SELECT coalesce(sum(amount) FILTER (WHERE account = 'cash'), 0) AS cash,
        coalesce(sum(amount) FILTER (WHERE account IN ('fees', 'rounding')), 0) AS fees
    FROM ledger_balances
"""
CENT = 10_000


async def markets(  # noqa: ASYNC900 - read to its end by whoever asks
    connection: Connection,
) -> AsyncGenerator[tuple[Ticker, list[FillSeen], Settled | None]]:  # noqa: ASYNC900 - what it holds ends with the transaction
    """One market after another. Takes a connection in a transaction."""
    ticker, fills, settled = Ticker(""), list[FillSeen](), None
    async for row in connection.cursor(_FILLS, prefetch=AT_ONCE):
        if row["ticker"] != ticker:
            if fills:
                yield ticker, fills, settled
            ticker, fills, settled = Ticker(row["ticker"]), [], None
            if row["value"] is not None:
                settled = Settled(
                    value=price_of(row["value"]),
                    at=row["settled_at"],
                    revenue=Money(row["revenue_cents"] * CENT),
                )
        fills.append(
            FillSeen(
                fill_id=FillId(row["fill_id"]),
                venue_order_id=VenueOrderId(row["venue_order_id"]),
                ticker=ticker,
                book_side=BookSide(row["book_side"]),
                price=price_of(row["price"]),
                quantity=quantity_of(row["quantity"]),
                fee=money_of(row["fee"]),
                is_taker=row["is_taker"],
                at=row["at"],
            )
        )
    if fills:
        yield ticker, fills, settled


async def ledger_says(connection: Connection) -> tuple[Money, Money]:
    """(cash, fees with rounding), as the double entry has them."""
    row = await connection.fetchrow(_LEDGER)
    assert row is not None
    return money_of(row["cash"]), money_of(row["fees"])
