"""Reads our account from Kalshi: balances, positions, fills, orders; it never returns a list that was read in part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from recio import units
from recio.errors import Transient
from recio.kalshi import account_bodies, historical
from recio.kalshi.account_bodies import (
    FillBody,
    Fills,
    OrderBody,
    Orders,
    PositionBody,
    Positions,
    list_params,
)
from recio.kalshi.historical import Cutoff
from recio.kalshi.order_changes import Resting
from recio.kalshi.rate_limit import Priority
from recio.kalshi.responses import Instant, VenueRefused, read_amount
from recio.kalshi.rest import KalshiRest
from recio.messages.account import FillSeen, OrderSeen, VenueOrderStatus
from recio.units import BookSide, ClientOrderId, FillId, Money, Quantity, Ticker, VenueOrderId

SURELY_LIVE = timedelta(days=1)
"""What is younger is never in the historical tier alone: the live lists reach back for weeks."""
URGENT = Priority.ORDER_READ
BALANCE_PATH = "/portfolio/balance"
PRIMARY = "0"
NOT_ITS_OWN = (400, 403)
"""How a key is answered that names a subaccount which is not its own."""
POSITIONS, FILLS, ORDERS = "positions", "fills", "orders"
SHARDS = "shards of the balance"
"""The lists by which rows that were set aside are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardedMoney:
    """An amount, and what of it lies on each shard where the venue says so."""

    total: Money
    by_shard: Mapping[int, Money]
    may_be_locked: bool = False
    """Whether the key may be locked to one subaccount: such a key is shown no shards, and any answer may lack them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPositions:
    """What the account holds by market: signed quantities, and cost."""

    quantities: Mapping[Ticker, Quantity]
    costs: Mapping[Ticker, Money]
    unread: frozenset[Ticker] | None = frozenset()
    """Markets whose position could not be read; None: it may be that of any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestingOrder:
    """An order that rests at the venue, and by what it can be cancelled."""

    client_order_id: ClientOrderId | None
    resting: Resting
    subaccount: int
    """Of the member, whose it is; 0 is the primary one."""
    worst_cost: Money
    """What the rest of it may cost without its fee; its whole payout where the venue does not tell its price."""


class _ShardBalance(msgspec.Struct):
    exchange_index: int
    balance: str


class _Balance(msgspec.Struct):
    balance_dollars: str
    balance_breakdown: list[msgspec.Raw] | None = None


class _RestingRow(msgspec.Struct):
    order_id: str
    ticker: str
    status: str
    remaining_count_fp: str
    client_order_id: str | None = None
    exchange_index: int | None = None
    book_side: BookSide | None = None
    yes_price_dollars: str | None = None
    subaccount_number: int | None = None


class _RestingRows(msgspec.Struct):
    orders: list[msgspec.Raw]
    cursor: str | None = None


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
    by_shard = _by_shard(rest, found.balance_breakdown or (), exchange_index)
    if not by_shard and exchange_index is not None:
        of_shard = await rest.read(BALANCE_PATH, _Balance, {"exchange_index": str(exchange_index)})
        by_shard = {exchange_index: _cash(of_shard)}
    return ShardedMoney(total=_cash(found), by_shard=by_shard, may_be_locked=found.balance_breakdown is None)


async def is_locked(rest: KalshiRest) -> bool:
    """Whether the key is locked to another subaccount than the primary one: it may name no other than its own.

    For a key whose balance comes without shards. Raises Transient, and VenueRefused for any other refusal.
    """
    try:
        await rest.read(BALANCE_PATH, _Balance, {"subaccount": PRIMARY})
    except VenueRefused as refused:
        if refused.status not in NOT_ITS_OWN:
            raise
        return True
    return False


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
    rows = (raw for page in pages for raw in page.market_positions)
    turned = rest.set_aside.readable(POSITIONS, rows, PositionBody, account_bodies.position_from_row)
    held = [(ticker, quantity, cost) for ticker, quantity, cost in turned if quantity]
    return HeldPositions(
        quantities={ticker: quantity for ticker, quantity, _ in held},
        costs={ticker: cost for ticker, _, cost in held},
        unread=rest.set_aside.tickers(POSITIONS),
    )


async def fills(rest: KalshiRest, since: datetime | None) -> tuple[FillSeen, ...]:
    """Every fill since a time, oldest first, each once, also where it has left the live list."""
    pages = await rest.pages("/portfolio/fills", Fills, list_params(since), priority=URGENT)
    rows = (raw for page in pages for raw in page.fills)
    turned = rest.set_aside.readable(FILLS, rows, FillBody, account_bodies.fill_from_row)
    seen = {each.fill_id: each for each in turned}
    limit = await _cutoff(rest, since)
    if limit is not None and (since is None or since < limit.trades):
        older: dict[FillId, FillSeen] = {each.fill_id: each for each in await historical.fills(rest, since)}
        seen = older | seen
    return tuple(sorted(seen.values(), key=lambda fill: fill.at))


async def orders(rest: KalshiRest, *, ticker: Ticker | None, since: datetime | None) -> tuple[OrderSeen, ...]:
    """Every order since a time, of one market or of all, each once, also where it has left the live list."""
    params = list_params(since, ticker)
    pages = await rest.pages("/portfolio/orders", Orders, params, priority=URGENT)
    rows = (raw for page in pages for raw in page.orders)
    turned = rest.set_aside.readable(ORDERS, rows, OrderBody, account_bodies.order_from_row)
    seen = {each.venue_order_id: each for each in turned}
    limit = await _cutoff(rest, since)
    if limit is not None and (since is None or since < limit.orders):
        older = await historical.orders(rest, ticker=ticker, since=since)
        seen |= {each.venue_order_id: each for each in older if each.venue_order_id not in seen}
    return tuple(seen.values())


async def resting(rest: KalshiRest) -> tuple[RestingOrder, ...]:
    """Every order that rests now, by whomever it was placed."""
    params = list_params(None) | {"status": VenueOrderStatus.RESTING.value}
    pages = await rest.pages("/portfolio/orders", _RestingRows, params, priority=URGENT)
    rows = (raw for page in pages for raw in page.orders)
    turned = rest.set_aside.readable("resting orders", rows, _RestingRow, _resting_order)
    resting = {each.resting.venue_order_id: each for each in turned if each is not None}
    return tuple(resting.values())


def _resting_order(row: _RestingRow) -> RestingOrder | None:
    """None for one that rests no more. A status of tomorrow is taken for resting: who cancels it hears the truth of it."""
    if row.status in (VenueOrderStatus.CANCELED, VenueOrderStatus.EXECUTED):
        return None
    return RestingOrder(
        client_order_id=ClientOrderId(row.client_order_id) if row.client_order_id else None,
        resting=Resting(
            venue_order_id=VenueOrderId(row.order_id),
            ticker=Ticker(row.ticker),
            exchange_index=row.exchange_index,
        ),
        subaccount=row.subaccount_number or 0,
        worst_cost=_worst_cost(row),
    )


def _worst_cost(row: _RestingRow) -> Money:
    """Never below nothing, whatever is written there: what a person may still pay frees nothing of the limits."""
    remaining = read_amount(units.quantity, row.remaining_count_fp, "remaining_count_fp")
    if row.book_side is None or row.yes_price_dollars is None:
        return Money(max(0, remaining) * units.PAYOUT_PER_UNIT)
    price = read_amount(units.price, row.yes_price_dollars, "yes_price_dollars")
    cost = units.notional(price if row.book_side is BookSide.BID else units.complement(price), remaining)
    return max(Money(0), cost)


def external_cost(
    positions: HeldPositions, manual: Iterable[RestingOrder], external: Iterable[Ticker]
) -> Mapping[Ticker, Money]:
    """What was bought without recio and what external orders may still buy, by market."""
    costs = {ticker: positions.costs[ticker] for ticker in external}
    for each in manual:
        ticker = each.resting.ticker
        costs[ticker] = Money(costs.get(ticker, 0) + each.worst_cost)
    return costs


async def _cutoff(rest: KalshiRest, since: datetime | None) -> Cutoff | None:
    """Where the live lists end; not asked for times that they surely cover."""
    if since is not None and since > rest.clock.utc() - SURELY_LIVE:
        return None
    return await historical.cutoff(rest)


def _cash(said: _Balance) -> Money:
    return read_amount(units.money, said.balance_dollars, "balance_dollars")


def _by_shard(rest: KalshiRest, rows: Iterable[msgspec.Raw], exchange_index: int | None) -> dict[int, Money]:
    """A row about another shard that cannot be read costs nobody anything. Raises Transient where it may be about this one."""
    found = dict(rest.set_aside.readable(SHARDS, rows, _ShardBalance, _of_shard))
    if exchange_index is not None and exchange_index not in found and rest.set_aside.hides(SHARDS):
        raise Transient(f"GET {BALANCE_PATH}: what lies on shard {exchange_index} cannot be read")
    return found


def _of_shard(row: _ShardBalance) -> tuple[int, Money]:
    return row.exchange_index, read_amount(units.money, row.balance, "balance")
