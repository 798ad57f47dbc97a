"""A market whose end the venue does not tell, on real processes: settled by hand, and corrected by the venue's later word."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.stories.world import World, a_world, books_agree, until

pytestmark = pytest.mark.timeout(400)
HOLD = "[exit]\nmax_price_age_seconds = 60.0"


def recio(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "recio", *arguments, "--config", "recio.toml"],
        cwd=world.root,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def settle(world: World, market: str, value: str) -> subprocess.CompletedProcess[str]:
    return recio(
        world, "settle", market, "--at", value, "--by", "ann", "--why", "the venue's own page says so"
    )


@pytest.mark.long
async def test_a_trade_that_waits_for_its_market_s_end_is_settled_by_hand_and_the_venue_has_the_last_word():
    with a_world() as world:
        await world.start_exchange("--window-seconds", "300")
        world.start_daemon(settings=lambda text: text.replace(HOLD, f"{HOLD}\nenabled = false"))
        await until(lambda: world.events("trade open"))
        world.arm("delay_settlement", seconds=30.0)
        (first, *_) = world.events("trade open")
        trade, ticker = str(first["trade"]), first["ticker"]
        early = settle(world, trade, "0.37")
        assert early.returncode == 1, early.stdout + early.stderr
        assert "can be sold until then" in early.stderr
        assert recio(world, "switch", "entry", "off").returncode == 0

        done = settle(world, ticker, "0.37")
        while done.returncode != 0:
            assert "can be sold until then" in done.stderr, done.stdout + done.stderr
            done = settle(world, ticker, "0.37")
        assert f"{ticker} is settled at 0.3700; trade {trade} came to" in done.stdout
        (by_hand,) = world.events("settled by hand")
        assert (by_hand["ticker"], by_hand["by"], by_hand["value"]) == (ticker, "ann", "0.3700")
        await until(lambda: any(row["ticker"] == ticker for row in world.ledger()["settlements"]))
        await until(lambda: [e for e in world.events("settlement") if e["ticker"] == ticker])
        (row,) = await world.rows(f"SELECT result, value, set_by FROM settlements WHERE ticker = '{ticker}'")
        assert (row["result"] in ("yes", "no"), row["set_by"]) == (True, "")
        await books_agree(world)
        assert world.events("halted") == []
        late = settle(world, trade, "0.37")
        assert (late.returncode, "its word stands" in late.stderr) == (1, True)
        assert world.stop() == 0
