"""Reads our account from Kalshi: balances, positions, fills, orders, settlements; it never returns a list that was read in part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from recio import units
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
from recio.messages.account import FillSeen, OrderSeen, SettlementSeen, VenueOrderStatus
from recio.units import BookSide, ClientOrderId, FillId, Money, Price, Quantity, Side, Ticker, VenueOrderId

SURELY_LIVE = timedelta(days=1)
"""What is younger is never in the historical tier alone: the live lists reach back for weeks."""
CENTS = 100
URGENT = Priority.ORDER_READ
BALANCE_PATH = "/portfolio/balance"
PRIMARY = "0"
NOT_ITS_OWN = (400, 403)
"""How a key is answered that names a subaccount which is not its own."""
POSITIONS, FILLS, ORDERS, SETTLEMENTS = "positions", "fills", "orders", "settlements"
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
    balance_breakdown: list[_ShardBalance] | None = None


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
    cursor: str = ""


class _Settlement(msgspec.Struct):
    ticker: str
    market_result: str
    settled_time: Instant
    revenue: int | None = None
    value: int | None = None
    yes_count_fp: str | None = None
    no_count_fp: str | None = None


class _Settlements(msgspec.Struct):
    settlements: list[msgspec.Raw]
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
    """Every settlement since a time; one whose value cannot be made out is set aside, and its market waits for a person."""
    pages = await rest.pages("/portfolio/settlements", _Settlements, list_params(since))
    rows = (raw for page in pages for raw in page.settlements)
    seen = rest.set_aside.readable(SETTLEMENTS, rows, _Settlement, _settlement)
    unclear = _contradictory(seen)
    for ticker in sorted(unclear):
        rest.set_aside.refuse(SETTLEMENTS, ticker, "two settlements of one moment have different values")
    return tuple(each for each in seen if each.ticker not in unclear)


def _contradictory(seen: Iterable[SettlementSeen]) -> set[Ticker]:
    """Markets whose newest word is two: each would correct the other at every read, and nobody knows which one is true."""
    newest: dict[Ticker, tuple[datetime, set[Price]]] = {}
    for each in seen:
        at, values = newest.get(each.ticker, (each.settled_at, set[Price]()))
        if each.settled_at > at:
            at, values = each.settled_at, set[Price]()
        if each.settled_at == at:
            values = {*values, each.yes_value}
        newest[each.ticker] = at, values
    return {ticker for ticker, (_, values) in newest.items() if len(values) > 1}


def _settlement(row: _Settlement) -> SettlementSeen:
    result = Side(row.market_result) if row.market_result in tuple(Side) else None
    return SettlementSeen(
        ticker=Ticker(row.ticker),
        result=result,
        settled_at=row.settled_time.astimezone(UTC),
        revenue_cents=row.revenue or 0,
        value=None if result is not None else _value_of(row),
    )


def _value_of(row: _Settlement) -> Price:
    """What one YES pays of a market that neither side won, whatever word the venue has for that. Raises UnitError."""
    if row.value is not None and 0 <= row.value <= CENTS:
        return Price(row.value * CENTS)
    yes = units.quantity(row.yes_count_fp or "0")
    no = units.quantity(row.no_count_fp or "0")
    # A hundredth of a contract that is worth a dollar pays a cent.
    if row.revenue is not None and (yes > 0) is not (no > 0):
        own, rest = divmod(row.revenue * units.ONE_DOLLAR, yes or no)
        if not rest and 0 <= own <= units.ONE_DOLLAR:
            return Price(own) if yes else units.complement(Price(own))
    raise units.UnitError(f"market_result {row.market_result[:40]!r} does not say what a contract pays")


async def _cutoff(rest: KalshiRest, since: datetime | None) -> Cutoff | None:
    """Where the live lists end; not asked for times that they surely cover."""
    if since is not None and since > rest.clock.utc() - SURELY_LIVE:
        return None
    return await historical.cutoff(rest)


def _cash(said: _Balance) -> Money:
    return read_amount(units.money, said.balance_dollars, "balance_dollars")


def _by_shard(rows: list[_ShardBalance] | None) -> dict[int, Money]:
    return {each.exchange_index: read_amount(units.money, each.balance, "balance") for each in rows or ()}
