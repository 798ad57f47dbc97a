"""Keeps the member's free money spread over the shards as asked; what backs resting orders never moves."""

from __future__ import annotations

from dataclasses import dataclass

from recio.exchange_sim.engine.account import Account
from recio.exchange_sim.engine.fees import ALIGNMENT
from recio.exchange_sim.engine.orders import NO_SUCH_SHARD, Refused

SHARDS = frozenset(range(4))
"""The parts of the engine; crypto trades on number 2."""
WHOLE = 100
NOT_WHOLE = Refused(
    code="invalid_parameters", details="percents must be 1 to 100 and total 100, each shard once"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Percent of the free money by shard; none at all leaves money where it is."""

    percents: dict[int, int]
    reservation: str = "sum"
    """What the client asked to leave behind for resting orders. Whatever it says, all of it stays."""


def allocation_of(rows: list[tuple[int, int]], reservation: str) -> Allocation | Refused:
    """Of shards and their percents, as they were asked for."""
    if any(shard not in SHARDS for shard, _ in rows):
        return NO_SUCH_SHARD
    percents = dict(rows)
    fits = len(percents) == len(rows) and all(0 < percent <= WHOLE for percent in percents.values())
    if rows and (not fits or sum(percents.values()) != WHOLE):
        return NOT_WHOLE
    return Allocation(percents=percents, reservation=reservation)


def rebalance(account: Account, free: dict[int, int], wanted: Allocation, now_ms: int) -> None:
    """Move free money between the shards of one account; what cannot be divided goes to the last that is named."""
    if not wanted.percents:
        return
    left = total = sum(max(money, 0) for money in free.values())
    targets = dict.fromkeys(free, 0)
    for shard, percent in wanted.percents.items():
        targets[shard] = total * percent // WHOLE // ALIGNMENT * ALIGNMENT
        left -= targets[shard]
    targets[next(reversed(wanted.percents))] += left
    for shard, target in targets.items():
        moved = target - max(free.get(shard, 0), 0)
        if moved:
            account.move(shard, moved, now_ms)
