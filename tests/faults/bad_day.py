"""`python -m tests.faults.bad_day`: a whole market day in which nothing goes well, on real processes; it stops by itself.

Two strategies trade two coins at speed. Meanwhile reads fail in every manner, orders are answered late or never, a person
trades, rests orders and moves money on the same account, and the daemon is killed now and then. Each halt is noted with its cause and
cleared, each wish to sell is looked for among the orders, and at the end both books must agree to the last millionth.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import asyncpg

from tests.faults.proof_reports import PROOF, commit, write
from tests.faults.run_grid import say
from tests.stories.failing_reads import ANSWERS, EVERYTHING, READS, rows_until
from tests.stories.person import BUY, SELL, by_hand, net, open_tickers, pay, person
from tests.stories.world import PATIENCE, World, a_world, cash_agrees, until

LATE_ORDERS = (
    "late_request",
    "delay_request",
    "lose_reply",
    "lose_request",
    "reset",
    "delay_reply",
    "error_503",
)
WANTED = "exit wanted"
ORDERED_WITHIN = 10.0
"""Host seconds from a wish to sell to an order's row; what comes later, or never, is a lost stop."""
ENDED_WITHIN = 180.0
"""Host seconds until every trade has ended once nothing is bought any more and nothing fails."""
SETTINGS = """
[symbols.ETH]
series = ["KXETH15M"]
[strategies.calm]
stage = "live"
budget_dollars = 40
[strategies.quick]
stage = "live"
budget_dollars = 40
[strategies.quick.entry]
contracts = 3
only_what_exit_keeps = false
[strategies.quick.exit]
take_profit_dollars = 0.02
retry_seconds = 1
"""
SHRUGGED_AT = (OSError, ValueError, KeyError, TypeError, IndexError)
"""What the same bad reads do to a person who trades beside recio: he tries again later."""
SERIES = "KXBTC15M,KXETH15M,KXSOL15M"
PERSONS_OWN = "KXSOL15M"
"""Which recio does not trade: there a person does as he likes."""
ON_RECIOS = 0.1
"""How often he trades where recio does, which then buys nothing more there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    hours: float
    speed: float
    seed: int
    logs: Path | None

    @property
    def host_seconds(self) -> float:
        return self.hours * 3600 / self.speed


@dataclass(slots=True)
class Day:
    world: World
    plan: Plan
    ends: float
    faults: Counter[str] = field(default_factory=Counter[str])
    deeds: Counter[str] = field(default_factory=Counter[str])
    halts: list[str] = field(default_factory=list[str])
    looks: Counter[str] = field(default_factory=Counter[str])
    why_unguarded: Counter[str] = field(default_factory=Counter[str])
    alive: bool = True
    """False from before the daemon is killed until it answers again."""

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self.ends


def settings(text: str) -> str:
    return text + SETTINGS


async def bad_day(plan: Plan) -> dict[str, Any]:
    began = time.monotonic()
    with a_world() as world, _logs_kept(world, plan.logs):
        world.speed = plan.speed
        await world.start_exchange("--series", SERIES, "--balance", "2000.00", "--seed", str(plan.seed))
        world.start_daemon(settings=settings)
        await until(lambda: world.shows(lambda seen: seen["ready"]), patience=300)
        day = Day(world=world, plan=plan, ends=time.monotonic() + plan.host_seconds)
        async with anyio.create_task_group() as group:
            for nth, deed in enumerate((_faults, _person, _lives, _watch)):
                group.start_soon(deed, day, random.Random(f"{plan.seed}:{nth}"))
        await _told(world.disarm)
        failed = await _end(day)
        return await _report(day, failed, time.monotonic() - began)


@contextmanager
def _logs_kept(world: World, place: Path | None) -> Iterator[None]:
    """Also of a day that did not come to its end."""
    try:
        yield
    finally:
        if place is not None:
            place.mkdir(parents=True, exist_ok=True)
            for log in world.root.glob("*.log"):
                shutil.copy(log, place)


async def _faults(day: Day, draw: random.Random) -> None:
    """One at a time, for up to half a minute of the host; orders meet theirs all the while."""
    orders = {"kind": "random", "seed": day.plan.seed, "rate": 0.04, "on": "orders", "delay_seconds": 0.5}
    while day.goes_on:
        await _told(day.world.disarm)
        await _told(partial(day.world.arm, **orders, kinds=LATE_ORDERS))
        orders["seed"] += 1
        await anyio.sleep(draw.uniform(2, 12))
        match draw.randrange(4):
            case 0:
                kind = draw.choice(
                    ("drop_sockets", "silence", "skip_seq", "late_books", "hold_fills", "shuffle_private")
                )
                more = {"seconds": draw.uniform(1, 8)} if kind not in ("drop_sockets", "skip_seq") else {}
                late = {"lag_seconds": 0.5} if kind in ("late_books", "shuffle_private") else {}
                await _told(partial(day.world.arm, kind, **more, **late))
                day.faults[kind] += 1
            case _:
                path = draw.choice((*READS, EVERYTHING))
                answer = draw.choice(sorted(ANSWERS))
                await _told(partial(day.world.arm, "fail_reads", path=path, **ANSWERS[answer]))
                day.faults[f"reads: {answer}"] += 1
        await anyio.sleep(draw.uniform(1, 30))


async def _told(tell: Callable[[], None]) -> None:
    """A machine with other work may let the exchange wait for seconds: what it was told is told again."""
    with anyio.fail_after(PATIENCE):
        while True:
            with suppress(OSError):
                return await anyio.to_thread.run_sync(tell)


async def _person(day: Day, draw: random.Random) -> None:
    """Never sells what is recio's: that would be a true reason to halt."""
    own: dict[str, bool] = {}
    resting: list[str] = []
    number = 0
    while day.goes_on:
        number += 1
        await anyio.sleep(draw.uniform(0.5, 2.5))
        with suppress(*SHRUGGED_AT):
            match draw.randrange(12):
                case 0:
                    pay(day.world, "deposit", 1_000 + number)
                    day.deeds["paid in"] += 1
                case 1:
                    pay(day.world, "withdrawal", 500 + number, fee_cents=25)
                    day.deeds["paid out"] += 1
                case 2:
                    resting.append(_rest(day.world, draw, number))
                    day.deeds["rested an order"] += 1
                case 3:
                    _take_back(day.world, resting.pop(0))
                    day.deeds["took an order back"] += 1
                case _:
                    day.deeds["traded"] += _trade(day.world, draw, own, number)


def _trade(world: World, draw: random.Random, own: dict[str, bool], number: int) -> bool:
    on_recios = draw.random() < ON_RECIOS
    ticker = draw.choice(
        [each for each in open_tickers(world) if each.startswith(PERSONS_OWN) is not on_recios]
    )
    if ticker in own:
        done = by_hand(world, ticker, *(SELL if own[ticker] else BUY), number)
        own.pop(ticker) if done else None
        return done
    buys = draw.random() < 0.5 if ticker.startswith(PERSONS_OWN) else net(world, ticker) >= 0
    done = by_hand(world, ticker, *(BUY if buys else SELL), number)
    if done:
        own[ticker] = buys
    return done


def _rest(world: World, draw: random.Random, number: int) -> str:
    ticker = draw.choice([each for each in open_tickers(world) if each.startswith(PERSONS_OWN)])
    order = {
        "ticker": ticker,
        "side": "bid",
        "count": "2",
        "price": f"0.{draw.randrange(5, 30):02d}00",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
        "client_order_id": f"rest-{number}",
    }
    return person(world, "POST", "/portfolio/events/orders", order)["order_id"]


def _take_back(world: World, order_id: str) -> None:
    person(world, "DELETE", f"/portfolio/events/orders/{order_id}?exchange_index=2")


async def _lives(day: Day, draw: random.Random) -> None:
    """Two market hours each, more or less; most end by -9."""
    while True:
        ends = time.monotonic() + draw.uniform(0.5, 1.5) * 7_200 / day.plan.speed
        while time.monotonic() < ends:
            if not day.goes_on:
                return
            await anyio.sleep(0.5)
        day.alive = False
        if draw.random() < 0.75:
            day.world.kill()
            day.deeds["killed it"] += 1
        else:
            await anyio.to_thread.run_sync(day.world.stop)
            day.deeds["stopped it"] += 1
        day.world.start_daemon(settings=settings)
        await until(lambda: day.world.shows(bool), patience=300)
        day.alive = True


async def _watch(day: Day, draw: random.Random) -> None:
    """What the page says twice a second: who is unguarded and why; a halt is noted and cleared, so that the day goes on."""
    while day.goes_on:
        await anyio.sleep(draw.uniform(0.4, 0.6))
        seen = await anyio.to_thread.run_sync(_seen, day.world)
        if seen is None or seen["positions"] is None:
            # Just started, it does not know yet what it holds.
            day.looks["without an answer"] += day.alive
            continue
        day.looks["looks"] += 1
        day.looks["could trade"] += bool(seen["ready"])
        day.looks["held something"] += seen["positions"]["count"] > 0
        day.looks["unguarded"] += seen["positions"]["unguarded"] > 0
        day.why_unguarded.update(
            re.sub(r"\d[\d.,]*", "N", str(each["unguarded_why"]))
            for each in seen["trades"]
            if not each.get("guarded", True)
        )
        if seen["halts"]:
            await _clear(day)


def _seen(world: World) -> dict[str, Any] | None:
    try:
        return world.status()
    except OSError:
        return None


async def _clear(day: Day) -> None:
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        day.halts += [
            row["cause"]
            for row in await day.world.rows(
                "UPDATE halts SET cleared_at = now(), cleared_by = 'proof' WHERE cleared_at IS NULL RETURNING cause"
            )
        ]


async def _end(day: Day) -> list[str]:
    """Nothing fails any more and nothing is bought: every trade ends, and both books say the same."""
    world = day.world
    await until(lambda: world.shows(bool), patience=120)
    await _clear(day)
    await world.rows(
        "INSERT INTO switches (name, is_on, at, set_by) VALUES ('entry', false, now(), 'me') RETURNING name"
    )
    try:
        await rows_until(
            world,
            "SELECT count(*) AS n FROM trades WHERE is_live",
            lambda rows: rows[0]["n"] == 0,
            ENDED_WITHIN,
        )
    except TimeoutError:
        left = await world.rows("SELECT trade_id, ticker, state FROM trades WHERE is_live")
        return [f"trades that do not end: {[dict(each) for each in left]}"]
    failed = ["the books were never compared"]
    with anyio.move_on_after(ENDED_WITHIN):
        while True:
            with suppress(OSError):
                failed = await _differences(world)
                if not failed:
                    return []
            await anyio.sleep(1.0)
    return failed


async def _differences(world: World) -> list[str]:
    """Of our orders, fills, fees and cash from what the exchange's own books say."""
    try:
        ledger = world.ledger()
        orders = await world.rows("SELECT client_order_id, state, filled FROM orders")
        fills = await world.rows("SELECT fill_id, fee FROM fills JOIN orders USING (venue_order_id)")
        await cash_agrees(world)
    except AssertionError as error:
        return [str(error)]
    mine = [each for each in ledger["orders"] if not each["client_order_id"].startswith(("hand-", "rest-"))]
    ours = {each["client_order_id"]: each for each in orders}
    theirs = {each["client_order_id"]: each for each in mine}
    numbers = {each["order_id"] for each in mine}
    filled = {each["trade_id"] for each in ledger["fills"] if each["order_id"] in numbers}
    fees = sum(
        (Decimal(each["fee_cost"]) for each in ledger["fills"] if each["order_id"] in numbers), Decimal(0)
    )
    return [
        *(["an order was doubled"] if len(theirs) != len(mine) else []),
        *(f"{name} was sent {n} times" for name, n in ledger["asked_for"].items() if n > 1),
        *(f"the venue has {name}, which has no row" for name in theirs.keys() - ours.keys()),
        *(
            f"{name} is {row['state']} with {row['filled']} here, and {theirs[name]['fill_count_fp']} there"
            for name, row in ours.items()
            if name in theirs and f"{row['filled']:.2f}" != theirs[name]["fill_count_fp"]
        ),
        *([] if {each["fill_id"] for each in fills} == filled else ["the fills differ"]),
        *([] if sum((each["fee"] for each in fills), Decimal(0)) == fees else ["the fees differ"]),
    ]


async def _lost_stops(world: World, speed: float) -> tuple[int, list[str]]:
    """How often something was to be sold, and the wishes that no order followed although the daemon lived on."""
    orders = await world.rows(
        "SELECT trade_id, created_at FROM orders WHERE purpose = 'exit' ORDER BY created_at"
    )
    ends = {
        row["trade_id"]: row["closed_at"]
        for row in await world.rows("SELECT trade_id, closed_at FROM trades")
    }
    wishes, lost = 0, list[str]()
    for life in range(1, world.lives + 1):
        lines = _lines(world.root / f"daemon-{life}.log")
        last = max((_at(each) for each in lines), default=None)
        for each in lines:
            if each["event"] != WANTED:
                continue
            wishes += 1
            at, until_at = _at(each), _at(each) + timedelta(seconds=ORDERED_WITHIN * speed)
            followed = any(
                row["trade_id"] == each["trade"]
                and at - timedelta(seconds=speed) <= row["created_at"] <= until_at
                for row in orders
            )
            ended = (end := ends.get(each["trade"])) is not None and end <= until_at
            if not followed and not ended and last is not None and last > until_at:
                lost.append(f"life {life}: {each['why']} at {each['at']}, trade {each['trade']}")
    return wishes, lost


def _lines(log: Path) -> list[dict[str, Any]]:
    return [
        json.loads(each)
        for each in log.read_text(encoding="utf-8", errors="replace").splitlines()
        if each.startswith("{")
    ]


def _at(line: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(line["at"])


async def _report(day: Day, failed: list[str], seconds: float) -> dict[str, Any]:
    wishes, lost = await _lost_stops(day.world, day.plan.speed)
    counted = await day.world.rows(
        "SELECT (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM fills) AS fills,"
        " (SELECT count(*) FROM trades WHERE state = 'closed') AS trades,"
        " (SELECT count(*) FROM trades WHERE ended_by = 'settlement') AS settled"
    )
    restarts = Counter(
        f"{line['task']}"
        for life in range(1, day.world.lives + 1)
        for line in _lines(day.world.root / f"daemon-{life}.log")
        if line["event"] == "task restarts"
    )
    return {
        "commit": commit(),
        "hours": day.plan.hours,
        "speed": day.plan.speed,
        "seed": day.plan.seed,
        "seconds": round(seconds),
        **dict(counted[0]),
        "lives": day.world.lives,
        "faults": dict(sorted(day.faults.items())),
        "deeds": dict(sorted(day.deeds.items())),
        "looks": dict(day.looks),
        "why_unguarded": dict(day.why_unguarded.most_common(12)),
        "restarts": dict(restarts),
        "wishes_to_sell": wishes,
        "lost_stops": lost,
        "halts": dict(Counter(day.halts)),
        "failed": failed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="of market time")
    parser.add_argument("--speed", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, default=PROOF / "bad-day.json")
    parser.add_argument("--logs", type=Path, help="keeps the daemon's logs there, to be read by eye")
    options = parser.parse_args()
    found = anyio.run(
        bad_day, Plan(hours=options.hours, speed=options.speed, seed=options.seed, logs=options.logs)
    )
    write(options.report, found)
    say(json.dumps(found, indent=1))
    raise SystemExit(1 if found["failed"] or found["lost_stops"] or found["halts"] else 0)


if __name__ == "__main__":
    main()
