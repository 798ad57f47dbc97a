"""A market over its life and two months of trades on paper, made by fixed rules, for tests of the charts."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from recio.db import market_data
from recio.db.connection import Connection
from recio.messages.prices import Momentum
from recio.units import Ticker
from recio.web.market_history import EVERY, MarketHistory, Seen
from tests.builders import EVENT, NOW, TICKER, board, book, market, open_trades, price, prices, trade, view
from tests.web.test_market_history import said

OPENED, CLOSES = int(market().open_time.timestamp()), int(market().close_time.timestamp())
PAPER = """
    INSERT INTO paper_trades (strategy, ticker, event_ticker, side, quantity, cost, fees, probability, why, decided_at, closes_at,
        result, settled_at)
    SELECT (ARRAY['average', 'tables', 'late'])[1 + i % 3], 'KXBTC15M-' || i, 'E-' || i, 'yes', 10,
        round((10 * paid)::numeric, 2), 0.12, least(0.98, paid + 0.04), 'edge', at, at + interval '9 min',
        CASE WHEN ((i * 7919) % 1000) / 1000.0 < paid + 0.03 * sin(i / 40.0) THEN 'yes' ELSE 'no' END, at + interval '10 min'
    FROM (
        SELECT i, (8 + (i * 37) % 86) / 100.0 AS paid, $1::timestamptz - (900 - i) * interval '97 min' AS at
        FROM generate_series(1, 900) AS i
    ) AS made
"""


def walked(second: int) -> Decimal:
    """Dollars of the coin; it wanders around the strike."""
    passed = second - OPENED
    moved = 60 * math.sin(passed / 170) + 25 * math.sin(passed / 31) + 9 * math.sin(passed / 7) - passed / 40
    return Decimal(f"{84_030 + moved:.2f}")


async def add_market(connection: Connection, until: int = CLOSES) -> None:
    """A ladder of strikes fifty dollars apart beside the market, and its price up to a second."""
    ladder = [
        market(ticker=Ticker(f"{EVENT}-T{number}"), floor_strike=Decimal(83_550 + 50 * number))
        for number in range(18)
    ]
    await market_data.note_markets(connection, [market(), *ladder])
    seconds = [(second, walked(second)) for second in range(OPENED, until + 1)]
    await market_data.note_seconds(connection, "BTC", seconds)


async def add_paper_trades(connection: Connection) -> None:
    await connection.execute(PAPER, NOW - timedelta(days=1))


def watched(until: int = CLOSES) -> MarketHistory:
    """What was kept of the market from a minute after its opening on."""
    history, step = MarketHistory(), int(EVERY.total_seconds())
    for second in range(OPENED + 60, until, step):
        passed, distance = second - OPENED, float(walked(second)) - 84_000
        probability = 1 / (1 + math.exp(-distance / max(6, (CLOSES - second) / 14)))
        bid = min(9_700, max(100, round(100 * probability - 2 + 2 * math.sin(passed / 23)) * 100))
        moving = Momentum(bp=6 * math.sin(passed / 90), whole=True)
        history.look(
            Seen(
                board=board(view(market(), book(bid, bid + 200))),
                prices=prices(replace(price(), momentum=moving)),
                assessments=said(round(probability, 4)),
                trades=open_trades(trades=(trade(),)),
            ),
            datetime.fromtimestamp(second, NOW.tzinfo),
        )
    closing = {second: walked(second) for second in range(CLOSES - 60, min(until, CLOSES))}
    if closing:
        history.closing["BTC", CLOSES] = closing
    return history


MARKET = f"#markets/{TICKER}"
