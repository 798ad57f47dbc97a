"""A person beside recio, on real processes: pays in and out, moves money, trades by hand; no halt that is false, one that is true."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.stories.person import BUY, SELL, by_hand, net, open_ticker, pay, person
from tests.stories.world import World, a_world, cash_agrees, until

pytestmark = pytest.mark.timeout(500)


def movements(world: World) -> set[str]:
    return {line["movement"].split()[0] for line in world.events("cash moved")}


async def no_halt_but(world: World, *causes: str) -> None:
    assert [line["cause"] for line in world.events("halted")] == [*causes]


@pytest.mark.parametrize(
    "options", [(), ("--cent-alignment",), ("--locked-to", "2")], ids=["plain", "cents", "locked"]
)
@pytest.mark.long
async def test_money_that_a_person_moves_halts_nothing_and_a_hundredth_that_nobody_moved_does(
    options: tuple[str, ...],
):
    with a_world() as world:
        await world.start_exchange("--window-seconds", "300", "--balance", "500.00", *options)
        world.start_daemon()
        await until(lambda: world.events("cash agreed"))
        await until(lambda: world.events("trade open"))
        ticker = open_ticker(world)
        # On the side that recio holds: who sells what is recio's gives a true reason to halt.
        takes, gives = (BUY, SELL) if net(world, ticker) >= 0 else (SELL, BUY)
        for number in range(3):
            by_hand(world, ticker, *takes, number)
        pay(world, "deposit", 12_345)
        await until(lambda: "deposit" in movements(world))
        pay(world, "withdrawal", 2_301, fee_cents=200)
        await until(lambda: "withdrawal" in movements(world))
        if not options:
            person(world, "POST", "/portfolio/subaccounts", {"exchange_index": 2})
            moved = {
                "client_transfer_id": "3f0e1a53-8a2b-4a3a-9d5e-0a1b2c3d4e5f",
                "from_subaccount": 0,
                "to_subaccount": 1,
                "amount_cents": 777,
            }
            person(world, "POST", "/portfolio/subaccounts/transfer", {**moved, "exchange_index": 2})
            await until(lambda: "transfer" in movements(world))
            shard = {"source": "event_contract", "destination": "event_contract", "amount": 10_000}
            between = {"source_exchange_shard": 2, "destination_exchange_shard": 0}
            person(world, "POST", "/portfolio/intra_exchange_instance_transfer", shard | between)
        for number in range(3, 6):
            by_hand(world, ticker, *gives, number)
        before = len(world.events("trade open"))
        await until(lambda: len(world.events("trade open")) > before)
        await no_halt_but(world)
        # The cash of a person's trade that no list shows: nothing explains it.
        world.kill()
        rows = await world.rows(
            "INSERT INTO opening_balances (at, venue_balance, ledger_cash, halts_before)"
            " SELECT at, venue_balance + 0.01, ledger_cash, halts_before FROM opening_balances"
            " ORDER BY opening_balance_id DESC LIMIT 1 RETURNING venue_balance"
        )
        assert rows
        world.start_daemon()
        await until(lambda: world.events("halted"))
        (halted,) = world.events("halted")
        assert "-0.010000 dollars" in halted["cause"]
        assert world.events("trade open") == []
        assert world.stop() == 0
        await cash_agrees(world)
        paid = Decimal("123.45") - Decimal("23.01") - Decimal(2) - (0 if options else Decimal("7.77"))
        taken = await world.rows("SELECT sum(amount) FROM cash_movements")
        assert taken[0][0] == paid
