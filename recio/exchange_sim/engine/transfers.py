"""Moves the member's own money between shards and subaccounts, once per client id; it creates none."""

from __future__ import annotations

from recio.exchange_sim.engine.account import Account, Transfer, Wallet
from recio.exchange_sim.engine.allocation import SHARDS
from recio.exchange_sim.engine.orders import FORBIDDEN, INSUFFICIENT_BALANCE, NO_SUCH_SHARD, Refused
from recio.exchange_sim.engine.venue import Venue

MOST_SUBACCOUNTS = 63
REPEATED = Refused(code="transfer_already_exists")
BAD_AMOUNT = Refused(code="invalid_parameters", details="amount")


def transfer(
    venue: Venue, *, source: Wallet, target: Wallet, amount: int, client_id: str
) -> Transfer | Refused:
    """Free money only: what backs resting orders stays where it is."""
    accounts = venue.accounts
    if source.subaccount not in accounts or target.subaccount not in accounts:
        return FORBIDDEN
    if not {source.shard, target.shard} <= SHARDS:
        return NO_SUCH_SHARD
    if amount <= 0 or source == target:
        return BAD_AMOUNT
    if client_id and client_id in venue.used_transfer_ids:
        return REPEATED
    if amount > venue.available(source.shard, source.subaccount):
        return INSUFFICIENT_BALANCE
    if client_id:
        venue.used_transfer_ids.add(client_id)
    accounts[source.subaccount].move(source.shard, -amount, venue.now_ms)
    accounts[target.subaccount].move(target.shard, amount, venue.now_ms)
    return Transfer(
        transfer_id=venue.new_id(),
        source=source,
        target=target,
        amount=amount,
        created_ms=venue.now_ms,
        sequence=venue.next_sequence(),
    )


def open_subaccount(venue: Venue, shard: int) -> int | Refused:
    """The next free number, with nothing in it."""
    number = len(venue.accounts)
    if number > MOST_SUBACCOUNTS:
        return FORBIDDEN
    if shard not in SHARDS:
        return NO_SUCH_SHARD
    primary = venue.account
    venue.accounts[number] = Account(
        user_id=primary.user_id,
        cash={shard: 0},
        number=number,
        horizon=primary.horizon,
        owner=primary.owner,
    )
    return number
