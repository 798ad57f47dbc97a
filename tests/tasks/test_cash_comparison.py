"""account_sync explains the venue's balance item by item, on real rows: what was moved is taken in, and a hundredth is found."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from recio.db import cash, settle_requests, trade_store
from recio.db.connection import transaction
from recio.kalshi.account_figures import IN_MOTION
from recio.kalshi.cash_movements import PATIENCE
from recio.messages.account import AccountView, FillSeen
from recio.rules.account.cash import CASH_COMPARISONS, MOST_HIDDEN
from recio.units import Money, Price
from recio.wires import Wires
from tests.builders import NOW, TICKER, open_trades, order
from tests.db.test_settled_by_hand import CLOSED
from tests.db.test_trade_store import opened
from tests.runs import begun
from tests.tasks.test_account_comparison import LISTED_FILL, Script, by_hand, compared, comparing, reads

STEADY = CASH_COMPARISONS + 4
"""The lists are read beside the comparisons."""
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
        view = await compared(wires, script, 2)
        assert not view.cash_agreed
        # What was there before recio is no difference of anything.
        assert "the opening balance once it stays the same" in view.cash_waits
        await agreed(wires, script)
    wires = quiet()
    async with comparing(script, pool, wires):
        assert (await compared(wires, script, 2)).cash_agreed
    wires, script.balance = quiet(), "150.0000"
    async with comparing(script, pool, wires):
        assert not (await compared(wires, script, 2)).cash_agreed
        script.deposits = [payment(1, 5_000)]
        await agreed(wires, script)


async def test_a_first_agreement_is_reached_while_the_venue_s_clock_goes_on(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """What the lists are asked for must not change with each comparison, or their answer never fits what is asked."""
    async with transaction(pool) as connection:
        await trade_store.record_fact(connection, by_hand(), NOW)
    wires, script = quiet(), Script(shards=SHARDS)
    async with comparing(script, pool, wires):
        view = await compared(wires, script, 2)
        for _ in range(2 * STEADY):
            script.as_of += timedelta(seconds=2)
            view = await compared(wires, script, 1)
        assert view.cash_agreed


async def later(wires: Wires, script: Script, **by: float) -> AccountView:
    """Comparisons so much later by the venue's clock."""
    script.as_of += timedelta(**by)
    return await compared(wires, script, 3)


BETWEEN_SHARDS = exchanged("50.0000", "event_contract", "event_contract")


async def test_a_transfer_between_shards_explains_no_loss_of_its_size_that_comes_after_the_cash_agreed(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires, script = quiet(), Script(shards=SHARDS)
    async with comparing(script, pool, wires):
        await agreed(wires, script)
        script.exchanged = [BETWEEN_SHARDS]
        await later(wires, script, hours=1)
        await later(wires, script, minutes=5)
        script.balance = "50.0000"
        assert (await compared(wires, script, 2 * STEADY)).cash_difference == Money(-50_000_000)
    # The next run knows it as well.
    wires = quiet()
    async with comparing(script, pool, wires):
        assert (await compared(wires, script, 2 * STEADY)).cash_difference == Money(-50_000_000)


async def test_a_settlement_by_hand_explains_nothing_once_the_cash_agreed_without_it(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with transaction(pool) as connection:
        await opened(connection, await begun(connection))
    wires, script = quiet(), Script(shards=SHARDS)
    async with comparing(script, pool, wires):
        await agreed(wires, script)
        await settled_at(pool, 3700, CLOSED)
        script.balance = "103.7000"
        script.as_of = CLOSED
        assert (await compared(wires, script, STEADY)).cash_difference is None
        await later(wires, script, hours=1)
        script.balance = "100.0000"
        assert (await compared(wires, script, 2 * STEADY)).cash_difference == Money(-3_700_000)


async def test_what_was_moved_while_the_balance_was_looked_at_for_the_first_time_is_not_in_it(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """The lists are newer than the balances that they are to explain."""
    wires = quiet()
    script = Script(shards=SHARDS, deposits=[payment(1, 5_000, at=SECOND + 30)])
    async with comparing(script, pool, wires):
        await agreed(wires, script)
        script.balance = "150.0000"
        assert (await compared(wires, script, 2 * STEADY)).cash_difference is None
        script.balance = "200.0000"
        assert (await compared(wires, script, 2 * STEADY)).cash_difference == Money(50_000_000)


async def test_money_on_its_way_when_the_balance_was_opened_is_taken_in_when_it_arrives_hours_later(
    pool: asyncpg.Pool[asyncpg.Record],
):
    moving = exchanged("40.0000", "event_contract", "event_contract", "pending")
    wires, script = quiet(), Script(shards=SHARDS, exchanged=[moving])
    async with comparing(script, pool, wires):
        await agreed(wires, script)
        await later(wires, script, hours=3)
        script.exchanged, script.balance = [moving | {"status": "complete"}], "140.0000"
        assert (await compared(wires, script, 2 * STEADY)).cash_difference is None
        script.balance = "180.0000"
        assert (await compared(wires, script, 2 * STEADY)).cash_difference == Money(40_000_000)


async def test_a_list_that_is_null_hides_no_other_and_its_difference_waits_and_is_found_at_last(
    pool: asyncpg.Pool[asyncpg.Record],
):
    wires, script = quiet(), Script(shards=SHARDS)
    async with comparing(script, pool, wires):
        await agreed(wires, script)
        script.nulls, script.withdrawals, script.balance = ("deposits",), [payment(1, 3_000)], "70.0000"
        view = await compared(wires, script, 2 * STEADY)
        assert (view.cash_difference, view.cash_waits) == (None, "")
        script.balance = "69.9900"
        view = await compared(wires, script, STEADY)
        assert (view.cash_difference, "list is null" in view.cash_waits) == (None, True)
        view = await compared(wires, script, 8 * PATIENCE)
        assert view.cash_difference == Money(-10_000)


async def test_a_cursor_that_is_null_ends_a_list(pool: asyncpg.Pool[asyncpg.Record]):
    wires, script = quiet(), Script(shards=SHARDS, cursor=None)
    async with comparing(script, pool, wires):
        await agreed(wires, script)
        script.deposits, script.balance = [payment(1, 5_000)], "150.0000"
        view = await compared(wires, script, 2 * STEADY)
        assert (view.cash_difference, view.cash_waits) == (None, "")


async def test_of_long_lists_only_what_is_newer_is_read(pool: asyncpg.Pool[asyncpg.Record]):
    """Years of payments: they were in the balance long ago."""
    old = [payment(number, 100, at=SECOND - 86_400 * 100 - number) for number in range(500)]
    wires, script = quiet(), Script(shards=SHARDS, deposits=old, page=100)
    async with comparing(script, pool, wires):
        await agreed(wires, script)
        script.asked.clear()
        script.deposits, script.balance = [payment(1_000, 5_000), *old], "150.0000"
        assert (await compared(wires, script, 2 * STEADY)).cash_difference is None
        assert 0 < script.asked.count("deposits") <= 2


async def test_no_comparison_waits_for_the_lists(pool: asyncpg.Pool[asyncpg.Record]):
    wires, script = quiet(), Script(shards=SHARDS)
    async with comparing(script, pool, wires):
        await agreed(wires, script)
        script.hangs, script.balance = "withdrawals", "150.0000"
        view = await compared(wires, script, 2 * STEADY)
        assert view.cash_waits == cash.ASKING
        assert (view.balance, view.cash_difference) == (Money(150_000_000), None)


async def test_cash_that_has_not_agreed_names_why(pool: asyncpg.Pool[asyncpg.Record]):
    async with transaction(pool) as connection:
        await trade_store.record_fact(connection, by_hand(), NOW)
    wires, script = Wires(), Script(shards=SHARDS)
    wires.open_trades.set(open_trades(orders=(order(),)))
    async with comparing(script, pool, wires):
        view = await compared(wires, script, 3)
        assert (view.cash_agreed, view.cash_waits) == (False, IN_MOTION)


@pytest.mark.parametrize("named", [True, False])
async def test_a_settlement_that_cannot_be_read_hides_a_difference_only_where_it_may_be_of_ours_and_not_for_ever(
    pool: asyncpg.Pool[asyncpg.Record], named: bool
):
    wires, script = quiet(), Script(shards=SHARDS)
    async with comparing(script, pool, wires):
        await agreed(wires, script)
        at = NOW.isoformat().replace("+00:00", "Z")
        unread: dict[str, Any] = {"market_result": "tomorrow", "settled_time": at}
        script.settlements = [unread | ({"ticker": "KX-NEVER-HELD"} if named else {})]
        script.balance = "99.9900"
        view = await compared(wires, script, 2 * STEADY)
        assert view.cash_difference == (Money(-10_000) if named else None)
        assert ("cannot be read" in view.cash_waits) is not named
        view = await compared(wires, script, MOST_HIDDEN)
        assert view.cash_difference == Money(-10_000)


@pytest.mark.parametrize("is_locked", [True, False])
async def test_a_balance_without_shards_proves_no_lock_and_no_fill_is_lost_until_it_is_known(
    pool: asyncpg.Pool[asyncpg.Record], is_locked: bool
):
    wires, script = quiet(), Script(is_locked=is_locked, fills=[sub_fill(3)], broken="balance")
    async with comparing(script, pool, wires) as facts:
        await reads(script, 3)
        assert not any(isinstance(each, FillSeen) for each in facts)
        script.broken, script.as_of = "", NOW + timedelta(hours=1)
        script.only_since = True
        await compared(wires, script, 4)
        assert any(isinstance(each, FillSeen) for each in facts) is is_locked
        facts.clear()
        # Shards that are shown prove that the key is free, and it stays so when an answer lacks them.
        script.shards = SHARDS
        await compared(wires, script, 2)
        script.only_since = False
        script.shards, script.fills = None, [sub_fill(4) | {"trade_id": "t-2"}]
        facts.clear()
        await compared(wires, script, 4)
        assert not any(isinstance(each, FillSeen) for each in facts)


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
