"""Reads from Kalshi what runs before a restore had ordered: their orders with all that makes a row, and the markets of their entries.

It completes no row: one that cannot be read is set aside, told, and left for the comparison to name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from recio.errors import Transient
from recio.kalshi import account_bodies, historical
from recio.kalshi.account_bodies import OrderBody, Orders, list_params
from recio.kalshi.amounts import contract_count, trade_price
from recio.kalshi.answers import Round
from recio.kalshi.names import insist_on_writable
from recio.kalshi.rate_limit import Priority
from recio.kalshi.responses import NOT_FOUND, Instant, VenueRefused
from recio.kalshi.rest import KalshiRest
from recio.messages.account import VenueOrderStatus
from recio.messages.orders import OrderPurpose
from recio.messages.past_account import PastMarket, PastOrder, PastRead
from recio.rules.account import forgotten
from recio.rules.account.reconcile import is_ours
from recio.units import BookSide, ClientOrderId, EventTicker, Ticker, UnitError

LISTS = ("/portfolio/orders", "/historical/orders")


class _PastOrderBody(msgspec.Struct, kw_only=True):
    order_id: str
    ticker: str
    status: VenueOrderStatus
    fill_count_fp: str
    remaining_count_fp: str
    client_order_id: str | None = None
    book_side: BookSide
    yes_price_dollars: str
    initial_count_fp: str
    created_time: Instant
    last_update_time: Instant | None = None
    exchange_index: int | None = None


class _MarketBody(msgspec.Struct):
    event_ticker: str
    close_time: Instant


class _OneMarket(msgspec.Struct):
    market: _MarketBody


WithoutRow = Callable[[Iterable[ClientOrderId]], Awaitable[frozenset[ClientOrderId]]]


@dataclass(slots=True, kw_only=True)
class PastReads:
    """What a restored database is asked for, again and again until all of it has its rows; each market is read once."""

    since: datetime
    tag: str
    markets: dict[Ticker, PastMarket] = field(default_factory=dict[Ticker, PastMarket])

    async def read(self, rest: KalshiRest, asked: Round, without_row: WithoutRow) -> PastRead | None:
        """The orders that have no row yet, in their order, those left out whose market cannot be read now; None: no list."""
        listed = await asked.ask(_orders(rest, self.since, self.tag))
        if listed is None:
            return None
        missing = await without_row([each.name for each in listed])
        unknown = [each for each in listed if each.name in missing]
        return PastRead(
            orders=tuple(await self._whole(rest, asked, [each for each in unknown if not _is_resting(each)])),
            resting=tuple(each.name for each in unknown if _is_resting(each)),
        )

    async def _whole(self, rest: KalshiRest, asked: Round, orders: Iterable[PastOrder]) -> list[PastOrder]:
        """No later entry on a market either that could not be read for one: it would take the place of that one."""
        found: list[PastOrder] = []
        unread: set[Ticker] = set()
        for each in orders:
            ticker = each.seen.ticker
            if each.purpose is OrderPurpose.ENTRY and ticker in unread:
                continue
            whole = await asked.ask(self._with_market(rest, each))
            if whole is None:
                unread.add(ticker)
            else:
                found.append(whole)
        return found

    async def _with_market(self, rest: KalshiRest, order: PastOrder) -> PastOrder:
        """An entry with what its trade has to know of its market. Raises Transient while that cannot be read."""
        if order.purpose is not OrderPurpose.ENTRY:
            return order
        ticker = order.seen.ticker
        if ticker not in self.markets:
            self.markets[ticker] = await _market(rest, ticker) or _by_its_name(order)
        return replace(order, market=self.markets[ticker])


async def _orders(rest: KalshiRest, since: datetime, tag: str) -> list[PastOrder]:
    """Every order of ours since a time as they were made, each once, also where it has left the live list."""
    cutoff = await historical.cutoff(rest)
    seen: dict[ClientOrderId, PastOrder] = {}
    for path in LISTS if cutoff is not None and since < cutoff.orders else LISTS[:1]:
        for each in await _listed(rest, path, since):
            if each is not None and is_ours(each.name, tag, None):
                seen.setdefault(each.name, each)
    return forgotten.in_order(seen.values())


async def _listed(rest: KalshiRest, path: str, since: datetime) -> list[PastOrder | None]:
    pages = await rest.pages(path, Orders, list_params(since), priority=Priority.ORDER_READ)
    rows = (raw for page in pages for raw in page.orders)
    return rest.set_aside.readable(f"past orders of {path}", rows, _PastOrderBody, _past_order)


def _past_order(row: _PastOrderBody) -> PastOrder | None:
    """None for one whose name is none of ours. Raises UnitError naming a field that is out of its unit."""
    seen = account_bodies.order_from_row(
        OrderBody(
            order_id=row.order_id,
            ticker=row.ticker,
            status=row.status,
            fill_count_fp=row.fill_count_fp,
            remaining_count_fp=row.remaining_count_fp,
            client_order_id=row.client_order_id,
        )
    )
    name = None if seen.client_order_id is None else forgotten.named(seen.client_order_id)
    if seen.client_order_id is None or name is None:
        return None
    created = row.created_time.astimezone(UTC)
    changed = created if row.last_update_time is None else row.last_update_time.astimezone(UTC)
    return PastOrder(
        name=seen.client_order_id,
        seen=seen,
        purpose=name.purpose,
        book_side=row.book_side,
        price=trade_price(row.yes_price_dollars),
        quantity=contract_count(row.initial_count_fp, "initial_count_fp", least=1),
        exchange_index=row.exchange_index,
        created_at=created,
        changed_at=max(created, changed),
    )


def _is_resting(order: PastOrder) -> bool:
    """Nothing of ours rests at the venue by intention: a halt cancels it."""
    return order.seen.status is VenueOrderStatus.RESTING


async def _market(rest: KalshiRest, ticker: Ticker) -> PastMarket | None:
    """None where the venue has it no more. Raises Transient."""
    for tier in ("/markets", "/historical/markets"):
        try:
            body = (await rest.read(f"{tier}/{quote(ticker, safe='')}", _OneMarket)).market
        except VenueRefused as refused:
            if refused.status != NOT_FOUND:
                raise
            continue
        try:
            insist_on_writable(body)
        except UnitError as error:
            raise Transient(f"market {ticker}: {error}") from error
        return PastMarket(
            event_ticker=EventTicker(body.event_ticker), closes_at=body.close_time.astimezone(UTC)
        )
    return None


def _by_its_name(order: PastOrder) -> PastMarket:
    """A market that is gone has closed: its trade waits for a settlement or for a person, who is told."""
    event = order.seen.ticker.rpartition("-")[0] or order.seen.ticker
    return PastMarket(event_ticker=EventTicker(event), closes_at=order.created_at)
