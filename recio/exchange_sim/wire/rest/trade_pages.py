"""One page of the public tape, newest first, from the live or the historical side of the border; it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import dropwhile, takewhile

from aiohttp import web

from recio.exchange_sim.engine.events import Trade
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.wire.app_keys import exchange_of
from recio.exchange_sim.wire.rest.market_json import trade_json
from recio.exchange_sim.wire.rest.reading import is_historical
from recio.exchange_sim.wire.rest.replies import flag_of, limit_of, number_of, page, reply


def trade_page(request: web.Request, operation: str, *, historical: bool) -> web.Response:
    limit = limit_of(request, operation)
    ticker = request.query.get("ticker", "")
    earliest = number_of(request, "min_ts", operation)
    latest = number_of(request, "max_ts", operation)
    blocks = flag_of(request, "is_block_trade", operation)
    found = (
        trade
        for trade in _tape(exchange_of(request).venue, historical=historical)
        if (not ticker or trade.market.ticker == ticker)
        and (earliest is None or trade.now_ms >= earliest * 1000)
        and (latest is None or trade.now_ms <= latest * 1000)
    )
    wanted = () if blocks else found
    chosen, following = page(request, wanted, key=lambda trade: trade.sequence, limit=limit)
    return reply({"trades": [trade_json(trade) for trade in chosen], "cursor": following})


def _tape(venue: Venue, *, historical: bool) -> Iterator[Trade]:
    """Newest first."""
    newest = reversed(venue.trades)
    if historical:
        return dropwhile(lambda trade: not is_historical(venue, trade.now_ms), newest)
    return takewhile(lambda trade: not is_historical(venue, trade.now_ms), newest)
