"""Reads that only tests need: one market by the daemon's own parser, one order and one book as the venue writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from recio import units
from recio.errors import Transient
from recio.kalshi import market_bodies
from recio.kalshi.fees import read_overrides
from recio.kalshi.market_bodies import Listing, MarketBody
from recio.kalshi.rest import KalshiRest
from recio.messages.markets import Market
from recio.units import EventTicker, Price, Quantity, Ticker, VenueOrderId


class _OneMarket(msgspec.Struct):
    market: MarketBody


@dataclass(frozen=True)
class Book:
    """Bids of both outcomes by price, each side's in its own terms."""

    yes: dict[Price, Quantity]
    no: dict[Price, Quantity]


async def one_market(rest: KalshiRest, ticker: Ticker, listing: Listing) -> Market:
    """Raises Transient if it cannot be understood."""
    now = rest.clock.utc()
    body = (await rest.read(f"/markets/{ticker}", _OneMarket)).market
    overrides = await read_overrides(rest, listing.series, min(now, body.close_time))
    try:
        return market_bodies.market_from_body(
            body, listing, overrides.get(EventTicker(body.event_ticker)), now
        )
    except units.UnitError as error:
        raise Transient(f"market {ticker}: {error}") from error


async def one_order(rest: KalshiRest, venue_order_id: VenueOrderId) -> dict[str, Any]:
    """The venue's own words for one order."""
    found = await rest.read(f"/portfolio/orders/{venue_order_id}", dict[str, Any])
    return found["order"]


async def one_book(rest: KalshiRest, ticker: Ticker) -> Book:
    sides = (await rest.read(f"/markets/{ticker}/orderbook", dict[str, Any]))["orderbook_fp"]
    yes, no = (
        {units.price(price): units.quantity(quantity) for price, quantity in sides[f"{side}_dollars"] or ()}
        for side in ("yes", "no")
    )
    return Book(yes=yes, no=no)
