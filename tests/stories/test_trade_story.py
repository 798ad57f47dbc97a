"""`recio trade` buys what a person asks for through the daemon's gates, once, or says why not."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from typing import Any

import pytest

from recio.errors import ExitCode
from recio.test_hooks.crash_points import VARIABLE
from tests.stories.world import World, a_world, books_agree, until

pytestmark = pytest.mark.timeout(400)


def program_off(text: str) -> str:
    """The program itself enters nothing, and a person may pay far more than is asked."""
    text = text.replace("enabled = true\nmin_edge", "enabled = false\nonly_what_exit_keeps = false\nmin_edge")
    return text.replace("[risk]\n", "[risk]\nprice_collar_dollars = 0.9\n")


def command(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", "recio", *arguments, "--config", str(world.root / "recio.toml")]
    return subprocess.run(whole, capture_output=True, text=True, timeout=120, check=False)


def ask(world: World, side: str, ticker: str, price: str, *guard: str) -> subprocess.CompletedProcess[str]:
    words = ("--max-price", price, "--by", "ann", "--why", "a feeling", *guard)
    return command(world, "trade", side, ticker, "--contracts", "2", *words)


def offered(world: World) -> dict[str, Any] | None:
    """An open market far enough from its close on which both sides are offered and the model has an opinion."""
    rows = [
        row
        for row in world.status()["board"]
        if row["status"] == "active" and row["yes_ask"] and row["probability"] and row["book_ok"]
    ]
    good = [
        row
        for row in rows
        if 300 < row["seconds_to_close"] < 800
        and 0.2 < float(row["yes_ask"]) < 0.8
        and 0.2 < row["probability"] < 0.8
    ]
    return good[0] if good else None


async def asked_until_taken(world: World) -> subprocess.CompletedProcess[str]:
    """A slow machine is blocked now and then, and a refused request orders nothing either: it is asked again."""
    while True:
        await until(lambda: offered(world))
        row = offered(world) or {"ticker": "none"}
        said = await asyncio.to_thread(ask, world, "yes", row["ticker"], AT_ANY_PRICE, "--no-stop")
        if "was refused" not in said.stderr:
            return said


AT_ANY_PRICE = "0.95"
"""The market moves by minutes while a command starts."""


@pytest.mark.long
async def test_a_persons_trade_is_bought_once_through_the_gates_and_refused_with_its_reason():
    with a_world() as world:
        world.speed = 10.0
        await world.start_exchange()
        world.start_daemon(settings=program_off)
        await until(lambda: world.events("cash agreed"))
        await until(lambda: not world.status()["blocks"] and offered(world))
        row = offered(world)
        assert row is not None
        # Neither the program's switch nor its stops concern what a person asks for with no stop at all.
        turned = command(world, "switch", "entry", "off")
        await until(lambda: world.events("switched off"))
        bought = ask(world, "yes", row["ticker"], AT_ANY_PRICE, "--no-stop")
        again = ask(world, "yes", row["ticker"], AT_ANY_PRICE, "--no-stop")
        unknown = ask(world, "no", "KXDOGE15M-NONE", "0.50")
        trades = await world.rows("SELECT trade_id, strategy, ticker, why, state FROM trades")
        orders = await world.rows("SELECT state FROM orders WHERE purpose = 'entry'")
        closed = command(world, "close", str(trades[0]["trade_id"]), "--by", "ann", "--why", "enough")
        closed_again = command(world, "close", str(trades[0]["trade_id"]))
        gone = command(world, "close", "77")
        await books_agree(world)
        chart = world.page(f"api/v1/markets/{row['ticker']}/chart")
        assert world.stop() == 0

        late = ask(world, "yes", row["ticker"], "0.50")
        world.start_daemon(settings=program_off)
        await until(lambda: world.events("request answered"))
        (told,) = world.events("request answered")
        assert world.stop() == 0

    assert bought.returncode == 0, bought.stdout + bought.stderr
    assert "asked for by ann: a feeling" in bought.stdout
    assert "with 2.00 contracts" in bought.stdout or "with 2 contracts" in bought.stdout
    assert [(each["strategy"], each["ticker"]) for each in trades] == [("manual", row["ticker"])]
    assert len(orders) == 1
    assert again.returncode == ExitCode.FATAL
    assert "on this market" in again.stderr
    assert unknown.returncode == ExitCode.FATAL
    assert "not on the board" in unknown.stderr
    assert (turned.returncode, closed.returncode) == (0, 0), closed.stdout + closed.stderr
    assert re.search(r"sold \d+\.\d\d yes of KX\S+ \(trade 1\) at \$0\.\d{4}", closed.stdout), closed.stdout
    assert "trade 1 has ended: exit" in closed.stdout
    assert (closed_again.returncode, "has ended already: exit" in closed_again.stdout) == (0, True)
    assert (gone.returncode, "there is no trade 77" in gone.stderr) == (ExitCode.FATAL, True)
    assert {each["what"] for each in chart["own"]} == {"bought", "sold"}
    assert chart["price"]["at"]
    assert any(chart["quotes"]["yes_bid"])
    assert any(each is not None for each in chart["quotes"]["probability"])
    # Nobody was there: it expired, and the next life does not act on it either.
    assert late.returncode == ExitCode.TEMPORARY
    assert "has expired" in late.stderr
    assert (told["accepted"], "ask again" in told["sentence"]) == (False, True)


@pytest.mark.long
async def test_a_daemon_killed_between_its_answer_and_its_intent_orders_nothing_and_neither_does_the_next():
    with a_world() as world:
        world.speed = 10.0
        await world.start_exchange()
        world.surroundings[VARIABLE] = "ENTRY_DECIDED:1"
        world.start_daemon(settings=program_off)
        await until(lambda: world.events("cash agreed"))
        asking = asyncio.create_task(asked_until_taken(world))
        await until(lambda: world.daemon is not None and world.daemon.poll() is not None)
        assert world.daemon is not None
        assert world.daemon.returncode == -signal.SIGKILL
        del world.surroundings[VARIABLE]
        world.start_daemon(settings=program_off)
        asked = await asking
        await until(lambda: world.events("database ready"))
        answers = await world.rows("SELECT accepted FROM trade_answers")
        orders = await world.rows("SELECT 1 FROM orders")
        assert world.stop() == 0
        ledger = world.ledger()

    assert [each["accepted"] for each in answers].count(True) == 1
    assert (orders, ledger["orders"]) == ([], [])
    assert "no trade has come of it" in asked.stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["yes", "T", "--contracts", "0", "--max-price", "0.5"], "--contracts 0 is refused"),
        (["yes", "T", "--contracts", "1.005", "--max-price", "0.5"], "--contracts 1.005 is refused"),
        (["no", "T", "--contracts", "1", "--max-price", "55"], "did you mean 0.55?"),
        (
            ["no", "T", "--contracts", "1", "--max-price", "0.5", "--stop-price", "0.5"],
            "--stop-price is refused",
        ),
        (
            ["no", "T", "--contracts", "1", "--max-price", "0.5", "--stop-price", "0.3", "--no-stop"],
            "--no-stop does not go with",
        ),
        (
            [
                "no",
                "T",
                "--contracts",
                "1",
                "--max-price",
                "0.5",
                "--stop-price",
                "0.4",
                "--take-profit",
                "0.3",
            ],
            "--take-profit 0.3 is refused",
        ),
    ],
)
def test_a_request_that_cannot_be_is_refused_before_anything_is_opened(
    tmp_path, options: list[str], told: str
):
    command = [sys.executable, "-m", "recio", "trade", *options, "--by", "ann"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == ExitCode.CONFIG
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []
