"""Reads what one comparison of the account needs to be whole: how current it is, balance, positions and what rests; it judges nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio

from recio.clock import Clock
from recio.kalshi import account
from recio.kalshi.answers import Round
from recio.kalshi.rest import KalshiRest
from recio.kalshi.settlements import SETTLEMENTS
from recio.messages.account import ForgottenOrder, OrderSeen, PositionDifference
from recio.messages.orders import OpenTrades
from recio.rules.account.reconcile import MarketLedger, Suspicion, compare, suspected
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.texts import counted
from recio.units import Money, Ticker, money_decimal

SIGN_OF_LIFE = 1.0
"""Host seconds."""
IN_MOTION = "an order has no proven end yet, or a trade waits for its settlement"
"""Why nothing is quiet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one complete read of the account says."""

    as_of: datetime
    """By the venue's clock."""
    balance_at: datetime
    """By ours: what was done before is in the balances."""
    balances: account.ShardedMoney
    is_locked: bool
    """Whether the key is locked to one subaccount of several."""
    positions: account.HeldPositions
    resting: tuple[account.RestingOrder, ...]
    """By whomever they were placed."""


async def read_as_of(rest: KalshiRest, asked: Round, told: Callable[[], None]) -> datetime | None:
    """How current the venue's reads are, as far as it says so."""
    as_of = await asked.ask(account.as_of(rest))
    reached(CrashPoint.AS_OF_READ)
    told()
    return as_of


async def read_figures(
    rest: KalshiRest,
    clock: Clock,
    asked: Round,
    told: Callable[[], None],
    as_of: datetime | None,
    exchange_index: int | None,
    known_lock: bool | None = None,
) -> Figures | None:
    """The figures if every read succeeded. `as_of`: how current the venue's reads are, as far as it says so.
    `known_lock`: what is known of the key by now.

    `told` is called after each read: one that waits for an answer is not frozen.
    """
    positions = await asked.ask(account.positions(rest))
    reached(CrashPoint.POSITIONS_READ)
    told()
    resting = await asked.ask(account.resting(rest))
    reached(CrashPoint.RESTING_READ)
    told()
    # Last, because it may be asked for once a second only: nothing else waits for it.
    balance_at = clock.utc()
    balances = await asked.ask(account.balances(rest, exchange_index))
    reached(CrashPoint.BALANCE_READ)
    told()
    is_locked = None if balances is None else await _lock(rest, asked, known_lock, balances)
    if as_of is None or balances is None or is_locked is None or positions is None or resting is None:
        return None
    return Figures(
        as_of=as_of,
        balance_at=min(balance_at, as_of - venue_ahead_at_most(rest)),
        balances=balances,
        is_locked=is_locked,
        positions=positions,
        resting=resting,
    )


async def _lock(
    rest: KalshiRest, asked: Round, known: bool | None, balances: account.ShardedMoney
) -> bool | None:
    """What a key is shown of the shards proves that it is free; what it is not shown proves nothing, and is asked for once."""
    if not balances.may_be_locked:
        return False
    return known if known is not None else await asked.ask(account.is_locked(rest))


def venue_ahead_at_most(rest: KalshiRest) -> timedelta:
    """By how much the venue's clock may be ahead of ours, as far as that is known; never less than nothing."""
    known = rest.venue_clock.offset
    return timedelta(seconds=0.0 if known is None else max(0.0, known.nearest + known.uncertainty))


def venue_time(rest: KalshiRest, clock: Clock) -> datetime:
    """The venue's clock now, as well as it is known."""
    known = rest.venue_clock.offset
    return clock.utc() + timedelta(seconds=0.0 if known is None else known.nearest)


def cash_at_rest(manual: tuple[account.RestingOrder, ...]) -> Money:
    """The most that the venue holds back of the balance for these orders."""
    return Money(sum(each.worst_cost for each in manual))


def may_be_forgotten(
    seen: Iterable[OrderSeen | account.RestingOrder],
    is_ours: Callable[[OrderSeen | account.RestingOrder], bool],
) -> Iterator[ForgottenOrder]:
    """Orders of ours as they are named where no row knows them.

    What rests is asked for at each comparison: the list of orders, which is read once, may have lagged.
    """
    for each in (each for each in seen if is_ours(each)):
        if each.client_order_id is not None:
            ticker = each.ticker if isinstance(each, OrderSeen) else each.resting.ticker
            rests = each.remaining > 0 if isinstance(each, OrderSeen) else True
            yield ForgottenOrder(client_order_id=each.client_order_id, ticker=ticker, rests=rests)


def manual_orders(
    figures: Figures, is_ours: Callable[[account.RestingOrder], bool]
) -> tuple[account.RestingOrder, ...]:
    """Orders at rest that are not ours; those of another subaccount bind none of our cash."""
    here = (each for each in figures.resting if figures.is_locked or not each.subaccount)
    return tuple(each for each in here if not is_ours(each))


def is_quiet(trades: OpenTrades, now: datetime) -> bool:
    """Whether no order is without its end, and no trade waits for its settlement."""
    return not trades.orders and all(each.closes_at > now for each in trades.trades)


def found_differences(
    figures: Figures,
    rows: tuple[OpenTrades, OpenTrades],
    ledgers: Mapping[Ticker, MarketLedger],
    now: datetime,
) -> tuple[PositionDifference, ...]:
    """Of positions, apart from markets with an order in motion in the rows before the reads or after them."""
    held = figures.positions
    return compare(held.quantities, rows[1].trades, _in_motion(rows), now, ledgers, held.unread)


def suspects_after(
    rest: KalshiRest,
    clock: Clock,
    found: Iterable[PositionDifference],
    rows: tuple[OpenTrades, OpenTrades],
    ledgers: Mapping[Ticker, MarketLedger],
    before: Mapping[Ticker, Suspicion],
) -> dict[Ticker, Suspicion]:
    """What the next comparison has to find as well, after one of these rows that has just ended."""
    return suspected(found, ledgers, venue_time(rest, clock), before, _in_motion(rows))


def _in_motion(rows: tuple[OpenTrades, OpenTrades]) -> frozenset[Ticker]:
    return frozenset(order.ticker for each in rows for order in each.orders)


def unsettled(rest: KalshiRest, trades: OpenTrades) -> tuple[Ticker, ...]:
    """Markets in which a trade waits for a settlement that is there and cannot be read."""
    named = rest.set_aside.named(SETTLEMENTS)
    return tuple(each.ticker for each in trades.trades if each.ticker in named)


def sentence_of(balance: Money, positions: int, differences: int, compared: int, unread: int) -> str:
    """What a comparison found, for a person."""
    found = f"balance ${money_decimal(balance):,.2f}, {counted(positions, 'position', 'positions')},"
    found += (
        f" {counted(differences, 'difference', 'differences')}, compared {counted(compared, 'time', 'times')}"
    )
    return found + (f"; {counted(unread, 'row', 'rows')} could not be read" if unread else "")


async def wait_telling(told: Callable[[], None]) -> None:
    """Until it is cancelled: whoever waits for its time is not frozen; one that waits for an answer may be."""
    while True:
        told()
        await anyio.sleep(SIGN_OF_LIFE)
