"""Two strategies on one market and a person who trades beside them, on real processes: no halt that is false, and a hundredth that is true."""

from __future__ import annotations

import subprocess
import sys
import time

import anyio
import pytest

from tests.stories.failing_reads import rows_until
from tests.stories.person import BUY, SELL, by_hand, net, open_ticker, pay
from tests.stories.test_people_story import no_halt_but
from tests.stories.world import World, a_world, until

pytestmark = pytest.mark.timeout(900)

MINUTES = 3
STRATEGIES = """
[strategies.calm]
stage = "live"
budget_dollars = 20
[strategies.quick]
stage = "live"
budget_dollars = 20
[strategies.quick.entry]
contracts = 3
only_what_exit_keeps = false
[strategies.quick.exit]
take_profit_dollars = 0.01
retry_seconds = 1
"""


async def trades_beside(world: World, minutes: float) -> None:
    """A person who buys and sells each second, and moves money now and then, all with the account's own key. It is never recio's
    contracts that are sold: that would be a true reason to halt."""
    ends, number = time.monotonic() + minutes * 60, 0
    own: dict[str, bool] = {}
    while time.monotonic() < ends:
        number += 1
        try:
            ticker = open_ticker(world)
        except StopIteration:
            await anyio.sleep(1.0)
            continue
        if ticker not in own:
            buys = net(world, ticker) >= 0
            own = {ticker: buys} if by_hand(world, ticker, *(BUY if buys else SELL), number) else {}
        elif by_hand(world, ticker, *(SELL if own[ticker] else BUY), number):
            own = {}
        if number % 20 == 0:
            pay(world, "deposit", 1_000 + number)
        if number % 30 == 0:
            pay(world, "withdrawal", 500 + number, fee_cents=25)
        await anyio.sleep(1.0)


@pytest.mark.long
async def test_two_strategies_and_a_person_on_one_market_halt_nothing_and_a_hundredth_that_is_missing_does():
    with a_world() as world:
        await world.start_exchange("--window-seconds", "300", "--balance", "500.00")
        world.start_daemon(settings=lambda text: text + STRATEGIES)
        await until(lambda: world.events("cash agreed"))
        await until(lambda: world.events("trade open"))
        await trades_beside(world, MINUTES)
        await no_halt_but(world)
        traded = await rows_until(
            world, "SELECT DISTINCT strategy FROM trades", lambda rows: len(rows) == 2, patience=240
        )
        assert {each["strategy"] for each in traded} == {"calm", "quick"}
        _recio(world, "switch", "entry", "off", "--by", "Ann")
        await rows_until(world, "SELECT count(*) FROM trades WHERE is_live", lambda rows: not rows[0][0])
        await until(lambda: world.events("cash moved"), 240)
        # Whatever was moved is taken in before the row of the balance is made wrong.
        agreed = "SELECT count(*) FROM cash_movements"
        known = (await world.rows(agreed))[0][0]
        await anyio.sleep(20)
        assert (await world.rows(agreed))[0][0] >= known
        await no_halt_but(world)
        await world.rows(
            "INSERT INTO opening_balances (at, venue_balance, ledger_cash, halts_before, under_way)"
            " SELECT at, venue_balance + 0.01, ledger_cash, halts_before, under_way FROM opening_balances"
            " ORDER BY opening_balance_id DESC LIMIT 1 RETURNING venue_balance"
        )
        await until(lambda: world.events("halted"), 240)
        (halted,) = world.events("halted")
        assert "cash at the venue differs by -0.010000 dollars" in halted["cause"]
        assert world.stop() == 0
        assert known > 0


def _recio(world: World, *arguments: str) -> None:
    command = [sys.executable, "-m", "recio", *arguments, "--config", str(world.root / "recio.toml")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
