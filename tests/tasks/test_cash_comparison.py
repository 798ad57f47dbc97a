"""account_sync explains the venue's balance item by item, on real rows: what was moved is taken in, and a hundredth is found."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from recio.db import cash, settle_requests, trade_store
from recio.db.connection import transaction
from recio.messages.account import AccountView, FillSeen
from recio.rules.account.cash import CASH_COMPARISONS
from recio.units import Money, Price
from recio.wires import Wires
from tests.builders import NOW, TICKER, open_trades
from tests.db.test_settled_by_hand import CLOSED
from tests.db.test_trade_store import opened
from tests.runs import begun
from tests.tasks.test_account_comparison import LISTED_FILL, Script, by_hand, compared, comparing

STEADY = CASH_COMPARISONS + 2
SECOND = int(NOW.timestamp())
SHARDS = [{"exchange_index": 2, "balance": "100.0000"}]


def payment(
    number: int, cents: int, status: str = "applied", fee: int = 0, at: int = SECOND
) -> dict[str, Any]:
    ended = {} if status == "pending" else {"finalized_ts": at}
    return {
        "id": f"p-{number}",
        "status": status,
        "type": "ach",
        "amount_cents": cents,
        "fee_cents": fee,
        "created_ts": at,
    } | ended


def transfer(cents: int, of: int, to: int) -> dict[str, Any]:
    return {
        "transfer_id": f"t-{of}-{to}",
        "from_subaccount": of,
        "to_subaccount": to,
        "amount_cents": cents,
        "created_ts": SECOND,
        "exchange_index": 2,
    }


def exchanged(amount: str, of: str, to: str, status: str = "complete") -> dict[str, Any]:
    return {
        "transfer_id": f"x-{of}-{to}-{status}",
        "source": of,
        "destination": to,
        "source_exchange_shard": 0,
        "destination_exchange_shard": 2,
        "amount": amount,
        "status": status,
        "created_ts": SECOND,
    }


def quiet() -> Wires:
    wires = Wires()
    wires.open_trades.set(open_trades())
    return wires


async def agreed(wires: Wires, script: Script) -> AccountView:
    """The first agreement."""
    view = await compared(wires, script, STEADY)
    assert (view.cash_difference, view.cash_agreed) == (None, True)
    return view


MOVED = {
    "a deposit": ({"deposits": [payment(1, 5_000)]}, "150.0000"),
    "a deposit whose fee is part of it": ({"deposits": [payment(1, 5_000, fee=200)]}, "148.0000"),
    "a deposit whose fee was charged elsewhere": ({"deposits": [payment(1, 5_000, fee=200)]}, "150.0000"),
    "a withdrawal": ({"withdrawals": [payment(1, 3_000)]}, "70.0000"),
    "a withdrawal with its fee": ({"withdrawals": [payment(1, 3_000, fee=100)]}, "69.0000"),
    "a withdrawal on its way": ({"withdrawals": [payment(1, 3_000, "pending")]}, "70.0000"),
    "both": ({"deposits": [payment(1, 5_000)], "withdrawals": [payment(2, 3_000)]}, "120.0000"),
    "a transfer to a subaccount": ({"transfers": [transfer(2_500, 0, 3)]}, "75.0000"),
    "a transfer from a subaccount": ({"transfers": [transfer(2_500, 3, 0)]}, "125.0000"),
    "money on its way between shards": (
        {"exchanged": [exchanged("40.0000", "event_contract", "event_contract", "pending")]},
        "60.0000",
    ),
    "a transfer to the margined exchange": (
        {"exchanged": [exchanged("40.0000", "event_contract", "margined")]},
        "60.0000",
    ),
}
CHANGES_NOTHING = {
    "a failed deposit": {"deposits": [payment(1, 5_000, "failed")]},
    "a transfer between others": {"transfers": [transfer(5_000, 3, 4)]},
    "a transfer between shards": {"exchanged": [exchanged("50.0000", "event_contract", "event_contract")]},
}


@pytest.mark.parametrize("moved", MOVED)
async def test_money_that_was_moved_explains_the_balance_and_a_hundredth_more_is_found(
    pool: asyncpg.Pool[asyncpg.Record], moved: str
):
    lists, balance = MOVED[moved]
    wires, script = quiet(), Script(shards=SHARDS)
    async with comparing(script, pool, wires):
        await agreed(wires, script)
        for name, rows in lists.items():
            setattr(script, name, rows)
        script.balance = balance
        assert (await compared(wires, script, 2 * STEADY)).cash_difference is None
        script.balance = f"{float(balance) - 0.01:.4f}"
        found = await compared(wires, script, 2 * STEADY)
        pending = "way" in moved
        whole = round((float(balance) - 0.01 - 100) * 1_000_000)
        assert found.cash_difference == Money(whole if pending else -10_000)


@pytest.mark.parametrize("name", CHANGES_NOTHING)
async def test_what_moved_nothing_of_ours_explains_nothing_but_what_it_may_have_moved(
    pool: asyncpg.Pool[asyncpg.Record], name: str
):
    wires, script = quiet(), Script(shards=SHARDS)
    async with comparing(script, pool, wires):
        await agreed(wires, script)
        for each, rows in CHANGES_NOTHING[name].items():
            setattr(script, each, rows)
        script.balance = "99.9900"
        assert (await compared(wires, script, STEADY)).cash_difference == Money(-10_000)


async def test_a_deposit_is_taken_in_once_and_taken_out_again_where_the_bank_takes_it_back(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires, script = quiet(), Script(shards=SHARDS)
    async with comparing(script, pool, wires):
        await agreed(wires, script)
        script.deposits, script.balance = [payment(1, 5_000)], "150.0000"
        assert (await compared(wires, script, 2 * STEADY)).cash_difference is None
        script.balance = "200.0000"
        assert (await compared(wires, script, STEADY)).cash_difference == Money(50_000_000)
        script.deposits, script.balance = [payment(1, 5_000, "returned")], "100.0000"
        assert (await compared(wires, script, 2 * STEADY)).cash_difference is None
    rows = await pool.fetch("SELECT name, amount FROM cash_movements ORDER BY name")
    assert [(row["name"], row["amount"]) for row in rows] == [
        ("deposit p-1", 50),
        ("deposit p-1 returned", -50),
    ]


async def test_what_was_there_at_the_first_agreement_explains_nothing_later(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """Deposits of years lie in the balance that the ledger began with."""
    old = payment(2, 700, at=SECOND - 86_400)
    wires, script = quiet(), Script(shards=SHARDS, deposits=[payment(1, 5_000), old])
    async with comparing(script, pool, wires):
        await agreed(wires, script)
        script.balance = "150.0000"
        assert (await compared(wires, script, STEADY)).cash_difference == Money(50_000_000)
        script.balance = "107.0000"
        assert (await compared(wires, script, STEADY)).cash_difference == Money(7_000_000)


@pytest.mark.parametrize(
    "broken", ["deposits", "withdrawals", "transfers", "intra_exchange_instance_transfers"]
)
async def test_lists_that_fail_for_a_while_halt_nothing_and_lists_that_are_refused_do_not_hide_a_difference(
    pool: asyncpg.Pool[asyncpg.Record], broken: str
):
    wires, script = quiet(), Script(shards=SHARDS)
    async with comparing(script, pool, wires):
        await agreed(wires, script)
        script.broken, script.balance = broken, "150.0000"
        assert (await compared(wires, script, STEADY)).cash_difference is None
        script.status = 403
        assert (await compared(wires, script, STEADY)).cash_difference == Money(50_000_000)


def sub_fill(number: int | None) -> dict[str, Any]:
    return LISTED_FILL if number is None else LISTED_FILL | {"subaccount_number": number}


@pytest.mark.parametrize(
    ("shards", "number", "told"),
    [(SHARDS, None, True), (SHARDS, 0, True), (SHARDS, 3, False), (None, 3, True), (None, None, True)],
    ids=["no number", "the primary one", "another one", "a key that is locked to it", "locked, no number"],
)
async def test_fills_of_another_subaccount_are_not_ours_unless_the_key_is_locked_to_it(
    pool: asyncpg.Pool[asyncpg.Record], shards: list[dict[str, Any]] | None, number: int | None, told: bool
):
    wires, script = quiet(), Script(shards=shards, fills=[sub_fill(number)])
    async with comparing(script, pool, wires) as facts:
        await compared(wires, script, 4)
        assert any(isinstance(each, FillSeen) for each in facts) is told


async def test_a_key_that_is_locked_to_a_subaccount_has_its_transfers_explained_either_way(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires, script = quiet(), Script()
    async with comparing(script, pool, wires):
        await agreed(wires, script)
        script.transfers, script.balance = [transfer(2_500, 0, 3)], "125.0000"
        assert (await compared(wires, script, 2 * STEADY)).cash_difference is None
        script.transfers, script.balance = [*script.transfers, transfer(1_000, 3, 0)], "115.0000"
        assert (await compared(wires, script, 2 * STEADY)).cash_difference is None
        script.balance = "114.9999"
        assert (await compared(wires, script, 2 * STEADY)).cash_difference == Money(-100)


async def test_after_a_start_cash_has_not_agreed_until_it_is_explained(pool: asyncpg.Pool[asyncpg.Record]):
    async with transaction(pool) as connection:
        await trade_store.record_fact(connection, by_hand(), NOW)
    wires, script = quiet(), Script(shards=SHARDS)
    async with comparing(script, pool, wires):
        assert not (await compared(wires, script, 2)).cash_agreed
        await agreed(wires, script)
    wires = quiet()
    async with comparing(script, pool, wires):
        assert (await compared(wires, script, 2)).cash_agreed
    wires, script.balance = quiet(), "150.0000"
    async with comparing(script, pool, wires):
        assert not (await compared(wires, script, 2)).cash_agreed
        script.deposits = [payment(1, 5_000)]
        await agreed(wires, script)


async def settled_at(pool: asyncpg.Pool[asyncpg.Record], value: int, at: datetime) -> None:
    async with transaction(pool) as connection:
        await settle_requests.ask(connection, TICKER, Price(value), "ann", "seen")
        (asked,) = await settle_requests.waiting(connection)
        assert (await settle_requests.carry_out(connection, asked, at))[1].accepted


async def test_what_a_person_settled_and_the_venue_has_not_paid_is_no_difference_and_another_value_is_one(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with transaction(pool) as connection:
        await opened(connection, await begun(connection))
        bought = await cash.ledger_cash(connection)
    wires, script = quiet(), Script(shards=SHARDS)
    async with comparing(script, pool, wires):
        await agreed(wires, script)
        assert bought < 0
        await settled_at(pool, 3700, CLOSED)
        assert (await compared(wires, script, 2 * STEADY)).cash_difference is None
        # The venue pays, in a row that cannot be read, and not what the person said.
        at = (NOW + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
        script.settlements = [{"ticker": TICKER, "market_result": "tomorrow", "settled_time": at}]
        script.balance = "103.7000"
        assert (await compared(wires, script, 2 * STEADY)).cash_difference is None
        script.balance = "105.0000"
        assert (await compared(wires, script, 2 * STEADY)).cash_difference == Money(1_300_000)
