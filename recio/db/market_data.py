"""What was seen of markets and prices: markets are written by discovery, price seconds by price_feed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from asyncpg import Record

from recio.db.connection import Connection
from recio.messages.markets import Market, MarketStatus, StrikeType
from recio.messages.orders import TradeView
from recio.rules.market.quotes import WHOLE_CENTS
from recio.units import EventTicker, Ticker

_MARKET = """
    INSERT INTO markets (ticker, event_ticker, series_ticker, strike_type, floor_strike, cap_strike, open_time,
                         close_time, status, rules_primary, rules_secondary, untradable, fee_multiplier)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
    ON CONFLICT (ticker) DO UPDATE SET strike_type = excluded.strike_type,
        floor_strike = excluded.floor_strike, cap_strike = excluded.cap_strike,
        close_time = excluded.close_time, status = excluded.status, rules_primary = excluded.rules_primary,
        rules_secondary = excluded.rules_secondary, untradable = excluded.untradable,
        fee_multiplier = excluded.fee_multiplier,
        last_seen = now()
"""
_EXPIRE_MARKETS = """
    DELETE FROM markets AS m WHERE m.close_time < $1
        AND NOT EXISTS (SELECT FROM trades AS t WHERE t.ticker = m.ticker AND t.state NOT IN ('closed', 'void'))
"""
_MARKETS = "SELECT * FROM markets WHERE ticker = ANY($1::text[])"
_SECONDS = """
    INSERT INTO price_seconds (symbol, second, price)
    SELECT $1, * FROM unnest($2::bigint[], $3::numeric[]) ON CONFLICT DO NOTHING
"""
_RECALL = "SELECT second, price FROM price_seconds WHERE symbol = $1 AND second >= $2 ORDER BY second"
_EXPIRE = "DELETE FROM price_seconds WHERE symbol = $1 AND second < $2"


async def note_markets(connection: Connection, markets: Sequence[Market]) -> None:
    """What the venue now says of these markets; a ladder is one batch."""
    if markets:
        await connection.executemany(_MARKET, [_row(market) for market in markets])


async def expire_markets(connection: Connection, before: datetime) -> None:
    """Forget the markets that closed before, but for those that are held: the venue tells of the rest when it is asked."""
    await connection.execute(_EXPIRE_MARKETS, before)


def _row(market: Market) -> tuple[object, ...]:
    return (
        market.ticker,
        market.event_ticker,
        market.series_ticker,
        market.strike_type.value,
        market.floor_strike,
        market.cap_strike,
        market.open_time,
        market.close_time,
        market.status.value,
        market.rules_primary,
        market.rules_secondary,
        market.untradable,
        market.fee_multiplier,
    )


async def recall_markets(
    connection: Connection, held: Mapping[Ticker, TradeView], symbols: Mapping[str, str]
) -> list[Market]:
    """The markets of these trades as they were last seen, of the series in `symbols`: enough to sell what is held there.

    Close and shard are those of the trade. The grid is not kept: whole cents lie on every grid.
    """
    rows = await connection.fetch(_MARKETS, list(held))
    return [
        _market(row, held[Ticker(row["ticker"])], symbols[row["series_ticker"]])
        for row in rows
        if row["series_ticker"] in symbols
    ]


def _market(row: Record, trade: TradeView, symbol: str) -> Market:
    fee: Decimal | None = row["fee_multiplier"]
    return Market(
        ticker=trade.ticker,
        event_ticker=EventTicker(row["event_ticker"]),
        series_ticker=row["series_ticker"],
        symbol=symbol,
        exchange_index=trade.exchange_index,
        strike_type=StrikeType(row["strike_type"]),
        floor_strike=row["floor_strike"],
        cap_strike=row["cap_strike"],
        open_time=row["open_time"],
        close_time=trade.closes_at,
        status=MarketStatus(row["status"]),
        price_ranges=WHOLE_CENTS,
        fee_multiplier=Decimal(1) if fee is None else fee,
        rules_primary=row["rules_primary"],
        rules_secondary=row["rules_secondary"],
        untradable=row["untradable"] or ("" if fee is not None else "its fee was not recorded"),
    )


async def note_seconds(connection: Connection, symbol: str, seconds: Sequence[tuple[int, Decimal]]) -> None:
    """Store (Unix second, price) pairs; a second that is already there keeps its price."""
    await connection.execute(
        _SECONDS, symbol, [second for second, _ in seconds], [price for _, price in seconds]
    )


async def recall_seconds(connection: Connection, symbol: str, since: int) -> list[tuple[int, Decimal]]:
    return [(row["second"], row["price"]) for row in await connection.fetch(_RECALL, symbol, since)]


async def expire_seconds(connection: Connection, symbol: str, before: int) -> None:
    await connection.execute(_EXPIRE, symbol, before)
