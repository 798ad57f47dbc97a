"""Cash and positions of one account: fills, netting and settlement in exact integers; it knows no order or book."""

from __future__ import annotations

import sys
from copy import copy
from dataclasses import dataclass, field, replace
from enum import StrEnum

from recio.exchange_sim.engine.units import ONE_DOLLAR, PAYOUT_PER_UNIT
from recio.exchange_sim.engine.versions import Horizon, Versions

NEVER_MS = sys.maxsize


class Correction(StrEnum):
    """How a correction shows in the settlements of an account; nobody has seen how the real venue does it."""

    REPLACED = "replaced"
    """A row with a new time in place of the first."""
    IN_PLACE = "in-place"
    """The first row has another result; its time and its place in the list stay."""
    BESIDE = "beside"
    """A second row with all that is right, and the first one stays."""
    DIFFERENCE = "difference"
    """The same, and the second row's revenue is what it adds to the first's, below zero where money is taken back."""


@dataclass(slots=True)
class Position:
    """What the account holds in one market. `quantity` is signed: positive long YES, negative long NO."""

    ticker: str
    event_ticker: str
    shard: int
    quantity: int = 0
    cost: int = 0
    realized: int = 0
    fees: int = 0
    traded: int = 0
    volume: int = 0
    yes_bought: int = 0
    yes_cost: int = 0
    no_bought: int = 0
    no_cost: int = 0
    updated_ms: int = 0
    settled: bool = False
    subaccount: int = 0
    owner: int = 0
    """The member's number among the participants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What one market paid the account."""

    ticker: str
    event_ticker: str
    shard: int
    result: str
    yes_count: int
    yes_cost: int
    no_count: int
    no_cost: int
    payout: int
    revenue: int
    fees: int
    settled_ms: int
    sequence: int
    subaccount: int = 0
    holds_from_ms: int = 0
    """When it came to stand in its place, if that is later than it says."""
    holds_until_ms: int = NEVER_MS
    """From then on a correction stands in its place."""

    @property
    def held(self) -> int:
        """Signed quantity that was paid for: what was bought of NO closed what was bought of YES."""
        return self.yes_count - self.no_count

    def holds(self, as_of_ms: int) -> bool:
        return max(self.settled_ms, self.holds_from_ms) <= as_of_ms < self.holds_until_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """Where money is: a subaccount's part of one shard."""

    subaccount: int
    shard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    transfer_id: str
    source: Wallet
    target: Wallet
    amount: int
    created_ms: int
    sequence: int


@dataclass(slots=True)
class Account:
    """Money by shard, positions by market, and the totals that the books must agree with."""

    user_id: str
    cash: dict[int, int]
    deposits: int = 0
    fees: int = 0
    payouts: int = 0
    positions: dict[str, Position] = field(default_factory=dict[str, Position])
    settlements: list[Settlement] = field(default_factory=list[Settlement])
    settled: int = 0
    """How many there ever were."""
    number: int = 0
    """0 is the primary account, others are subaccounts."""
    owner: int = 0
    """Its member's number among the participants."""
    horizon: Horizon = field(default_factory=Horizon)
    cash_versions: Versions[dict[int, int]] = field(init=False)
    position_versions: dict[str, Versions[Position]] = field(default_factory=dict[str, Versions[Position]])

    def __post_init__(self) -> None:
        self.cash_versions = Versions(self.horizon)
        self.cash_versions.add(0, dict(self.cash))

    def held(self, ticker: str) -> int:
        position = self.positions.get(ticker)
        return position.quantity if position else 0

    def move(self, shard: int, amount: int, now_ms: int) -> None:
        """Money comes in from, or goes out to, another shard or subaccount of the same member."""
        self.cash[shard] = self.cash.get(shard, 0) + amount
        self.deposits += amount
        self.cash_versions.add(now_ms, dict(self.cash))

    def remember(self, position: Position, now_ms: int) -> None:
        """Keep what a read that lags behind will show of this moment."""
        self.cash_versions.add(now_ms, dict(self.cash))
        versions = self.position_versions.get(position.ticker)
        if versions is None:
            versions = self.position_versions[position.ticker] = Versions(self.horizon)
        versions.add(now_ms, copy(position))


def apply_fill(
    account: Account, position: Position, *, bid: bool, price: int, quantity: int, fee: int, now_ms: int
) -> None:
    """Book one fill at a YES price: it first closes the opposite position, the rest opens or adds."""
    signed = quantity if bid else -quantity
    outcome_price = price if bid else ONE_DOLLAR - price
    opposite = position.quantity if (position.quantity > 0) != bid else 0
    closing = min(quantity, abs(opposite))
    _close_part(position, closing, proceeds=(ONE_DOLLAR - outcome_price) * closing)
    position.cost += outcome_price * (quantity - closing)
    position.quantity += signed
    account.cash[position.shard] += PAYOUT_PER_UNIT * closing - outcome_price * quantity - fee
    account.fees += fee
    position.fees += fee
    position.traded += outcome_price * quantity
    position.volume += quantity
    position.updated_ms = now_ms
    _count_bought(position, bid=bid, quantity=quantity, cost=outcome_price * quantity)
    account.remember(position, now_ms)


def settle(
    account: Account, position: Position, *, result: str, now_ms: int, payout: int | None = None
) -> Settlement:
    """Pay a position and file the row. The position is empty afterwards.

    `payout` is what a contract of YES gets, in $0.0001; one of NO gets the rest of a dollar. None: all of it to the result.
    """
    if payout is None:
        payout = ONE_DOLLAR if result == "yes" else 0
    revenue = _worth(position.quantity, payout)
    account.cash[position.shard] += revenue
    account.payouts += revenue
    position.realized += revenue - position.cost
    row = Settlement(
        ticker=position.ticker,
        event_ticker=position.event_ticker,
        shard=position.shard,
        result=result,
        yes_count=position.yes_bought,
        yes_cost=position.yes_cost,
        no_count=position.no_bought,
        no_cost=position.no_cost,
        payout=payout,
        revenue=revenue,
        fees=position.fees,
        settled_ms=now_ms,
        sequence=_next_settlement(account),
        subaccount=position.subaccount,
    )
    position.quantity = 0
    position.cost = 0
    position.updated_ms = now_ms
    position.settled = True
    account.settlements.append(row)
    account.remember(position, now_ms)
    return row


def correct(
    account: Account, ticker: str, *, result: str, payout: int, now_ms: int, shape: Correction
) -> Position | None:
    """Take back what a market was paid at and pay it at another result, and show it in this shape.

    None where the account was not paid anything in it. What is taken back may be spent already: cash can go below zero.
    """
    places = (at for at, row in enumerate(account.settlements) if _stands(row, ticker))
    place = max(places, default=None)
    position = account.positions.get(ticker)
    if place is None or position is None:
        return None
    was = account.settlements[place]
    revenue = _worth(was.held, payout)
    added = revenue - _worth(was.held, was.payout)
    account.cash[position.shard] += added
    account.payouts += added
    position.realized += added
    position.updated_ms = now_ms
    right = replace(was, result=result, payout=payout, revenue=revenue, holds_from_ms=now_ms)
    if shape in (Correction.REPLACED, Correction.IN_PLACE):
        account.settlements[place] = replace(was, holds_until_ms=now_ms)
    if shape is not Correction.IN_PLACE:
        right = replace(right, settled_ms=now_ms, sequence=_next_settlement(account))
    if shape is Correction.DIFFERENCE:
        right = replace(right, revenue=added)
    account.settlements.append(right)
    account.remember(position, now_ms)
    return position


def _next_settlement(account: Account) -> int:
    account.settled += 1
    return account.settled


def _stands(row: Settlement, ticker: str) -> bool:
    return row.ticker == ticker and row.holds_until_ms == NEVER_MS


def _worth(quantity: int, payout: int) -> int:
    """What a signed quantity is paid where a contract of YES gets so much."""
    return quantity * payout if quantity > 0 else -quantity * (ONE_DOLLAR - payout)


def collateral(*, bid: bool, price: int, quantity: int) -> int:
    """The most that an opening order can lose."""
    return (price if bid else ONE_DOLLAR - price) * quantity


def _close_part(position: Position, closing: int, *, proceeds: int) -> None:
    if not closing:
        return
    share = position.cost * closing // abs(position.quantity)
    position.cost -= share
    position.realized += proceeds - share


def _count_bought(position: Position, *, bid: bool, quantity: int, cost: int) -> None:
    if bid:
        position.yes_bought += quantity
        position.yes_cost += cost
    else:
        position.no_bought += quantity
        position.no_cost += cost
