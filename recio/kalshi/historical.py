"""Reads our fills and orders that have left the live lists, and where those lists end; it never reads the live ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from recio.kalshi import account_bodies
from recio.kalshi.account_bodies import FillBody, Fills, OrderBody, Orders, list_params
from recio.kalshi.rate_limit import Priority
from recio.kalshi.responses import NOT_FOUND, Instant, decoded
from recio.kalshi.rest import KalshiRest
from recio.messages.account import FillSeen, OrderSeen
from recio.units import Ticker

CUTOFF = "/historical/cutoff"
OLD_ORDERS = "historical orders"
NO_SUCH_PATH = b"404 page not found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoff:
    """What is older than these is in the historical tier only."""

    trades: datetime
    """Fills too."""
    orders: datetime


class _Cutoff(msgspec.Struct):
    trades_created_ts: Instant
    orders_updated_ts: Instant


async def cutoff(rest: KalshiRest) -> Cutoff | None:
    """None where the venue has no such tier, which it says as of any path it does not know."""
    body = await rest.get(CUTOFF, statuses=(200, NOT_FOUND), priority=Priority.ORDER_READ)
    if body.strip() == NO_SUCH_PATH:
        return None
    said = decoded(body, _Cutoff, CUTOFF)
    return Cutoff(
        trades=said.trades_created_ts.astimezone(UTC),
        orders=said.orders_updated_ts.astimezone(UTC),
    )


async def fills(rest: KalshiRest, since: datetime | None) -> tuple[FillSeen, ...]:
    """Our fills that have left the live list, since a time."""
    pages = await rest.pages("/historical/fills", Fills, list_params(since))
    rows = (raw for page in pages for raw in page.fills)
    found = rest.set_aside.readable("historical fills", rows, FillBody, account_bodies.fill_from_row)
    return tuple(each for each in found if since is None or each.at >= since)


async def orders(rest: KalshiRest, *, ticker: Ticker | None, since: datetime | None) -> tuple[OrderSeen, ...]:
    """Our orders that have left the live list."""
    pages = await rest.pages("/historical/orders", Orders, list_params(since, ticker))
    rows = (raw for page in pages for raw in page.orders)
    return tuple(rest.set_aside.readable(OLD_ORDERS, rows, OrderBody, account_bodies.order_from_row))
