"""Reads our account from Kalshi: balances, positions, fills, orders, settlements; it never returns a list that was read in part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from recio import units
from recio.kalshi import account_bodies, historical
from recio.kalshi.account_bodies import Fills, Orders, Positions, list_params
from recio.kalshi.historical import Cutoff
from recio.kalshi.order_changes import Resting
from recio.kalshi.rate_limit import Priority
from recio.kalshi.responses import Instant, read_amount
from recio.kalshi.rest import KalshiRest
from recio.messages.account import FillSeen, OrderSeen, SettlementSeen, VenueOrderStatus
from recio.units import BookSide, ClientOrderId, FillId, Money, Quantity, Side, Ticker, VenueOrderId

log: structlog.stdlib.BoundLogger = structlog.get_logger()

SURELY_LIVE = timedelta(days=1)
"""What is younger is never in the historical tier alone: the live lists reach back for weeks."""
URGENT = Priority.ORDER_READ
BALANCE_PATH = "/portfolio/balance"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardedMoney:
    """An amount, and what of it lies on each shard where the venue says so."""

    total: Money
    by_shard: Mapping[int, Money]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPositions:
    """What the account holds by market: signed quantities, and cost."""

    quantities: Mapping[Ticker, Quantity]
    costs: Mapping[Ticker, Money]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestingOrder:
    """An order that rests at the venue, and by what it can be cancelled."""

    client_order_id: ClientOrderId | None
    resting: Resting
    worst_cost: Money
    """What the rest of it may cost without its fee; its whole payout where the venue does not tell its price."""


class _ShardBalance(msgspec.Struct):
    exchange_index: int
    balance: str


class _Balance(msgspec.Struct):
    balance_dollars: str
    balance_breakdown: list[_ShardBalance] | None = None


class _RestingRow(msgspec.Struct):
    order_id: str
    ticker: str
    status: VenueOrderStatus
    remaining_count_fp: str
    client_order_id: str | None = None
    exchange_index: int | None = None
    book_side: BookSide | None = None
    yes_price_dollars: str | None = None


class _RestingRows(msgspec.Struct):
    orders: list[_RestingRow]
    cursor: str = ""


class _Settlement(msgspec.Struct):
    ticker: str
    market_result: str
    revenue: int
    settled_time: Instant


class _Settlements(msgspec.Struct):
    settlements: list[_Settlement]
    cursor: str = ""


class _AsOf(msgspec.Struct):
    as_of_time: Instant


async def as_of(rest: KalshiRest) -> datetime:
    """How current the venue's account reads are, by its own clock."""
    found = await rest.read("/exchange/user_data_timestamp", _AsOf, priority=URGENT)
    return found.as_of_time.astimezone(UTC)


async def balances(rest: KalshiRest, exchange_index: int | None = None) -> ShardedMoney:
    """Cash, altogether and by shard: only what lies on a shard can be spent there.

    A key that is locked to one subaccount is told the sum alone: then `exchange_index` is asked for by itself.
    """
    found = await rest.read(BALANCE_PATH, _Balance)
    by_shard = _by_shard(found.balance_breakdown)
    if not by_shard and exchange_index is not None:
        of_shard = await rest.read(BALANCE_PATH, _Balance, {"exchange_index": str(exchange_index)})
        by_shard = {exchange_index: _cash(of_shard)}
    return ShardedMoney(total=_cash(found), by_shard=by_shard)


def spendable(found: ShardedMoney, exchange_index: int | None) -> Money:
    """Cash on the shard; the sum of all shards only where no shard is known."""
    if exchange_index is None or not found.by_shard:
        return found.total
    return found.by_shard.get(exchange_index, Money(0))


async def balance(rest: KalshiRest, exchange_index: int | None) -> Money:
    """Cash that can be spent on a shard."""
    return spendable(await balances(rest, exchange_index), exchange_index)


async def positions(rest: KalshiRest) -> HeldPositions:
    """Signed positions, + YES and - NO, and what they cost; markets without one are left out."""
    pages = await rest.pages("/portfolio/positions", Positions, list_params(None))
    held = account_bodies.held_positions(pages)
    return HeldPositions(
        quantities={ticker: quantity for ticker, (quantity, _) in held.items()},
        costs={ticker: cost for ticker, (_, cost) in held.items()},
    )


async def fills(rest: KalshiRest, since: datetime | None) -> tuple[FillSeen, ...]:
    """Every fill since a time, oldest first, each once, also where it has left the live list."""
    pages = await rest.pages("/portfolio/fills", Fills, list_params(since), priority=URGENT)
    seen = {
        each.fill_id: each
        for each in (account_bodies.fill_from_row(row) for page in pages for row in page.fills)
    }
    limit = await _cutoff(rest, since)
    if limit is not None and (since is None or since < limit.trades):
        older: dict[FillId, FillSeen] = {each.fill_id: each for each in await historical.fills(rest, since)}
        seen = older | seen
    return tuple(sorted(seen.values(), key=lambda fill: fill.at))


async def orders(rest: KalshiRest, *, ticker: Ticker | None, since: datetime | None) -> tuple[OrderSeen, ...]:
    """Every order since a time, of one market or of all, each once, also where it has left the live list."""
    params = list_params(since, ticker)
    pages = await rest.pages("/portfolio/orders", Orders, params, priority=URGENT)
    seen = {
        each.venue_order_id: each
        for each in (account_bodies.order_from_row(row) for page in pages for row in page.orders)
    }
    limit = await _cutoff(rest, since)
    if limit is not None and (since is None or since < limit.orders):
        older = await historical.orders(rest, ticker=ticker, since=since)
        seen |= {each.venue_order_id: each for each in older if each.venue_order_id not in seen}
    return tuple(seen.values())


async def resting(rest: KalshiRest) -> tuple[RestingOrder, ...]:
    """Every order that rests now, by whomever it was placed."""
    params = list_params(None) | {"status": VenueOrderStatus.RESTING.value}
    pages = await rest.pages("/portfolio/orders", _RestingRows, params, priority=URGENT)
    rows = {row.order_id: row for page in pages for row in page.orders}
    return tuple(
        RestingOrder(
            client_order_id=ClientOrderId(row.client_order_id) if row.client_order_id else None,
            resting=Resting(
                venue_order_id=VenueOrderId(row.order_id),
                ticker=Ticker(row.ticker),
                exchange_index=row.exchange_index,
            ),
            worst_cost=_worst_cost(row),
        )
        for row in rows.values()
        if row.status is VenueOrderStatus.RESTING
    )


def _worst_cost(row: _RestingRow) -> Money:
    remaining = read_amount(units.quantity, row.remaining_count_fp, "remaining_count_fp")
    if row.book_side is None or row.yes_price_dollars is None:
        return Money(remaining * units.PAYOUT_PER_UNIT)
    price = read_amount(units.price, row.yes_price_dollars, "yes_price_dollars")
    return units.notional(price if row.book_side is BookSide.BID else units.complement(price), remaining)


def external_cost(
    positions: HeldPositions, manual: Iterable[RestingOrder], external: Iterable[Ticker]
) -> Mapping[Ticker, Money]:
    """What was bought without recio and what external orders may still buy, by market."""
    costs = {ticker: positions.costs[ticker] for ticker in external}
    for each in manual:
        ticker = each.resting.ticker
        costs[ticker] = Money(costs.get(ticker, 0) + each.worst_cost)
    return costs


async def settlements(rest: KalshiRest, since: datetime | None) -> tuple[SettlementSeen, ...]:
    """Every settlement since a time; one that is neither yes nor no is reported and left out."""
    found: list[SettlementSeen] = []
    for page in await rest.pages("/portfolio/settlements", _Settlements, list_params(since)):
        for each in page.settlements:
            if each.market_result not in ("yes", "no"):
                log.warning(
                    "settlement left out: neither yes nor no", ticker=each.ticker, result=each.market_result
                )
                continue
            found.append(
                SettlementSeen(
                    ticker=Ticker(each.ticker),
                    result=Side(each.market_result),
                    settled_at=each.settled_time.astimezone(UTC),
                    revenue_cents=each.revenue,
                )
            )
    return tuple(found)


async def _cutoff(rest: KalshiRest, since: datetime | None) -> Cutoff | None:
    """Where the live lists end; not asked for times that they surely cover."""
    if since is not None and since > rest.clock.utc() - SURELY_LIVE:
        return None
    return await historical.cutoff(rest)


def _cash(said: _Balance) -> Money:
    return read_amount(units.money, said.balance_dollars, "balance_dollars")


def _by_shard(rows: list[_ShardBalance] | None) -> dict[int, Money]:
    return {each.exchange_index: read_amount(units.money, each.balance, "balance") for each in rows or ()}
