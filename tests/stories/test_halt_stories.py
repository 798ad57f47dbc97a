"""Halts on real processes: each stops new orders within a second, is verified at the venue, and outlives its daemon."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from decimal import Decimal

import pytest

from tests.stories.failing_reads import held_for_a_while
from tests.stories.world import World, a_world, books_come_to_agree, until

pytestmark = pytest.mark.timeout(400)

CAUSE = "halted by command: a test"


def _recio(world: World, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "recio", *arguments, "--config", "recio.toml", "--by", "me"],
        cwd=world.root,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def _held(world: World) -> list[str]:
    """Markets whose net position at the venue is not zero and that have not settled."""
    ledger = world.ledger()
    settled = {row["ticker"] for row in ledger["settlements"]}
    held: dict[str, Decimal] = {}
    for fill in ledger["fills"]:
        sign = 1 if fill["book_side"] == "bid" else -1
        held[fill["ticker"]] = held.get(fill["ticker"], Decimal(0)) + sign * Decimal(fill["count_fp"])
    return [ticker for ticker, count in held.items() if count and ticker not in settled]


def _pull(world: World, level: str, token: str, why: str = "a test") -> dict[str, object]:
    body = json.dumps({"level": level, "confirm": level.upper(), "token": token, "why": why}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{world.port}/halt", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def _entries(world: World) -> set[str]:
    return {
        order["client_order_id"]
        for order in world.ledger()["orders"]
        if "-entry-" in order["client_order_id"]
    }


def _refusals(world: World) -> int:
    return sum(CAUSE in line.get("sentence", "") for line in world.events("no entry"))


async def test_a_halt_by_command_line_stops_new_orders_within_a_second_until_somebody_resumes():
    with a_world() as world:
        # Short markets: an entry after the way out must not wait for a quarter of an hour to end.
        await world.start_exchange("--window-seconds", "300")
        world.start_daemon()
        await until(lambda: _entries(world))
        said = _recio(world, "halt", "--why", "a test")
        stopped = re.search(r"the daemon stopped new orders \(seen after (\d+\.\d\d) s\)", said)
        assert stopped is not None, said
        assert float(stopped[1]) < 1.0
        proven = re.search(r"nothing of ours rests \((\d+\.\d\d) s after the halt", said)
        assert proven is not None, said
        assert float(proven[1]) < 3.0
        before = _entries(world)
        await until(lambda: _refusals(world))
        assert _entries(world) == before

        world.kill()
        assert "no daemon answers" in _recio(world, "halt", "--why", "a test")
        world.start_daemon()
        await until(lambda: _refusals(world))
        assert _entries(world) == before
        assert _recio(world, "resume") == f"cleared: {CAUSE}\n"
        await until(lambda: _entries(world) > before)
        assert [line["cause"] for line in world.events("halt cleared")] == [CAUSE]
        await books_come_to_agree(world)
        world.stop()


@pytest.mark.long
async def test_a_flatten_by_signal_sells_everything_although_exits_are_switched_off_and_says_how_long_it_took():
    with a_world() as world:
        await world.start_exchange("--window-seconds", "300")
        world.start_daemon(settings=lambda text: text.replace("[exit]", "[exit]\nenabled = false"))
        await until(lambda: _held(world))
        assert world.daemon is not None
        world.daemon.send_signal(signal.SIGUSR2)
        await until(lambda: world.events("flat"))
        (halt,) = world.status()["halts"]
        assert (halt["level"], halt["by"], halt["cause"]) == ("flatten", "SIGUSR2", "flatten by SIGUSR2")
        assert halt["verified_after"] < 3.0
        assert halt["flat_after"] >= halt["verified_after"]
        assert _held(world) == []
        before = _entries(world)
        assert _recio(world, "resume") == "cleared: flatten by SIGUSR2\n"
        await until(lambda: _entries(world) > before)

        # Without a daemon nothing is sold, which is no success; with one it is told what was sold, and at what price.
        await until(lambda: _held(world))
        world.kill()
        if _held(world):
            assert "NOTHING IS SOLD until recio run starts; held:" in _recio(world, "flatten", code=75)
            assert "cleared" in _recio(world, "resume")
        world.start_daemon(settings=lambda text: text.replace("[exit]", "[exit]\nenabled = false"))
        await until(lambda: world.events("trade open") and _held(world))
        await held_for_a_while(world)
        said = _recio(world, "flatten")
        assert re.search(r"sold \d+\.\d\d (yes|no) of KXBTC15M\S+ \(trade \d+\) at \$0\.\d{4}\n", said), said
        assert "flat: nothing that recio bought is held any more" in said
        assert _held(world) == []
        await books_come_to_agree(world)
        world.stop()


@pytest.mark.long
async def test_a_stop_by_the_page_ends_the_daemon_until_somebody_resumes_and_a_switch_stays_where_it_was_put():
    with a_world() as world:
        await world.start_exchange("--window-seconds", "300")
        world.start_daemon()
        await until(lambda: _entries(world))
        token = (world.root / "data" / "halt-token").read_text(encoding="ascii").strip()
        assert token not in json.dumps(world.status())
        said = _pull(world, "stop", token)
        assert said["cause"] == "stopped by the status page: a test"
        assert world.daemon is not None
        assert world.daemon.wait(timeout=40) == 0
        assert [line["verified"] for line in world.events("stopped")] == [True]
        assert token not in world.log()
        before = _entries(world)

        world.start_daemon()
        assert world.daemon.wait(timeout=40) == 78
        assert "recio was stopped by status page" in world.log()
        assert "recio resume --by NAME" in world.log()
        assert _recio(world, "switch", "entry", "off", "--why", "enough") == "entry is switched off\n"
        assert _recio(world, "resume") == "cleared: stopped by the status page: a test\n"

        world.start_daemon()
        await until(
            lambda: any("switched off by me" in x.get("sentence", "") for x in world.events("no entry"))
        )
        assert world.status()["switches"] == {"entry": False, "exit": True}
        assert _entries(world) == before
        assert _recio(world, "switch", "entry", "on") == "entry is switched on\n"
        await until(lambda: _entries(world) > before)
        await books_come_to_agree(world)
        world.stop()
