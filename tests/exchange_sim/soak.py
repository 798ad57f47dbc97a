"""`python -m tests.exchange_sim.soak`: lives market hours on the exchange with several members over a bad network.

Each member keeps books of his own from nothing but the fills that his socket told him; they must agree with the
exchange's to the last millionth of a dollar, and what the exchange holds on to must not grow with time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from recio.exchange_sim.credentials import CREDENTIALS_FILE, Credentials, member_folder
from recio.exchange_sim.market.series import Timetable
from recio.exchange_sim.server import ExchangeSettings, serve
from tests.exchange_sim.conftest import Client

ORDERS = "/portfolio/events/orders"
LATE = ("late_request", "delay_request", "lose_reply", "lose_request", "reset", "delay_reply")
KEPT_MARKETS = 8
LAST = 99
"""The number of the command whose answer is the last frame that a member waits for: all fills came before it."""
PATIENCE = 0.4
"""Host seconds after which a member gives a request up; the network is late by up to as much."""
DOLLAR = 10_000


@dataclass(slots=True)
class Books:
    """One member's own, from his fills: money in $0.000001, quantities in 0.01 contract."""

    cash: int = 0
    fees: int = 0
    held: Counter[str] = field(default_factory=Counter[str])
    trades: dict[str, tuple[str, str, str]] = field(default_factory=dict[str, tuple[str, str, str]])
    asked: int = 0
    unknown: int = 0
    errors: Counter[str] = field(default_factory=Counter[str])

    def fill(self, told: dict[str, Any]) -> None:
        bid = told["book_side"] == "bid"
        price = round(Decimal(told["yes_price_dollars"]) * DOLLAR)
        quantity = round(Decimal(told["count_fp"]) * 100)
        own = price if bid else DOLLAR - price
        held = self.held[told["market_ticker"]]
        closing = min(quantity, max(-held if bid else held, 0))
        fee = round(Decimal(told["fee_cost"]) * 1_000_000)
        self.cash += DOLLAR * closing - own * quantity - fee
        self.fees += fee
        self.held[told["market_ticker"]] += quantity if bid else -quantity
        assert told["trade_id"] not in self.trades, "a fill came twice"
        self.trades[told["trade_id"]] = told["book_side"], told["yes_price_dollars"], told["count_fp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    host_seconds: float
    speed: float
    least_orders: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    market_hours: float
    host_seconds: float
    orders: int
    unknown: int
    fills: int
    between_members: int
    late: int
    kept: dict[str, int]
    kept_early: dict[str, int]
    megabytes_early: float
    megabytes: float


async def soak(
    *,
    hours: float,
    speed: float,
    members: int,
    window_seconds: int,
    quiet: bool = False,
    least_orders: int = 0,
    seed: int = 1,
) -> Report:
    """Raises AssertionError where money or what is kept is not as it must be. `quiet`: members have but each other.

    It takes as long as that many market hours take, and until each member has sent so many orders.
    """
    with tempfile.TemporaryDirectory(prefix="recio-soak-") as folder:
        settings = ExchangeSettings(
            credentials_dir=Path(folder),
            speed=speed,
            members=members,
            seed=seed,
            window_seconds=window_seconds,
            align=True,
            quiet_traders=quiet,
            tolerance_seconds=10.0 * speed,
            latency_seconds=0.005,
            latency_spread=1.0,
            timetable=Timetable(window_seconds=window_seconds, kept_markets=KEPT_MARKETS),
        )
        ready = asyncio.get_running_loop().create_future()
        server = asyncio.create_task(serve(settings, started=ready.set_result))
        await ready
        try:
            async with aiohttp.ClientSession() as session:
                clients = [Client(_credentials(Path(folder), each), session) for each in range(members)]
                plan = Plan(
                    host_seconds=hours * 3600 / speed, speed=speed, least_orders=least_orders, seed=seed
                )
                return await _live(clients, plan)
        finally:
            server.cancel()
            with suppress(asyncio.CancelledError):
                await server


async def _live(clients: list[Client], plan: Plan) -> Report:
    begun = time.monotonic()
    every = [Books() for _ in clients]
    sockets = [await _fills(client) for client in clients]
    ears = [asyncio.create_task(_listen(socket, books)) for socket, books in zip(sockets, every, strict=True)]
    stream = {
        "kind": "random",
        "seed": plan.seed,
        "rate": 0.06,
        "kinds": LATE,
        "on": "orders",
        "delay_seconds": 0.5,
    }
    assert (await clients[0].plain("POST", "/admin/faults", stream))[0] == 200
    traders = [
        asyncio.create_task(_trade(client, books, random.Random(f"{plan.seed}:{number}"), plan))
        for number, (client, books) in enumerate(zip(clients, every, strict=True))
    ]
    await asyncio.sleep(plan.host_seconds / 3)
    early, early_bytes = await _kept(clients[0]), _megabytes()
    await asyncio.gather(*traders)
    late = sum(json.loads((await clients[0].plain("GET", "/admin/faults"))[1])["met"].values())
    await clients[0].plain("DELETE", "/admin/faults")
    await _end(clients)
    kept = await _kept(clients[0])
    for socket, ear in zip(sockets, ears, strict=True):
        await socket.send_json({"id": LAST, "cmd": "list_subscriptions"})
        await ear
    for number, (client, books) in enumerate(zip(clients, every, strict=True)):
        await _agree(client, number + 1, books)
    _check_kept(kept, len(clients))
    return Report(
        market_hours=plan.host_seconds * plan.speed / 3600,
        host_seconds=time.monotonic() - begun,
        orders=sum(books.asked for books in every),
        unknown=sum(books.unknown for books in every),
        fills=sum(len(books.trades) for books in every),
        between_members=_between(every),
        late=late,
        kept=kept,
        kept_early=early,
        megabytes_early=early_bytes,
        megabytes=_megabytes(),
    )


async def _trade(client: Client, books: Books, draw: random.Random, plan: Plan) -> None:
    until = time.monotonic() + plan.host_seconds
    mine: list[str] = []
    number = 0
    ticker, bid, ask = "", 4_900, 5_100
    while time.monotonic() < until or books.asked < plan.least_orders:
        number += 1
        if number % 5 == 1:
            ticker, bid, ask = await _best(client, ticker, bid, ask)
        if not ticker:
            await asyncio.sleep(0.02)
            continue
        await _act(client, books, draw, mine, ticker, bid, ask)
        await asyncio.sleep(draw.expovariate(1 / 0.03))


async def _act(
    client: Client, books: Books, draw: random.Random, mine: list[str], ticker: str, bid: int, ask: int
) -> None:
    """One request, and whether it was answered."""
    buys = draw.random() < 0.5
    kind = draw.choices(("rest", "take", "amend", "cancel", "all"), (45, 25, 10, 19, 1))[0]
    away = draw.choice((-100, 0, 100, 200)) if kind == "rest" else -200
    price = (bid - away if buys else ask + away) // 100 * 100
    body = {
        "ticker": ticker,
        "side": "bid" if buys else "ask",
        "price": f"{min(max(price, 100), 9_900) / DOLLAR:.4f}",
        "count": f"{draw.choice((0.5, 1, 2, 5, 17.25)):.2f}",
        "time_in_force": "immediate_or_cancel" if kind == "take" else "good_till_canceled",
        "self_trade_prevention_type": draw.choice(("taker_at_cross", "maker")),
    }
    if kind in ("rest", "take"):
        books.asked += 1
        answer = await _asked(client, books, "POST", ORDERS, body)
        if kind == "rest" and "order_id" in answer:
            mine.append(answer["order_id"])
    elif kind == "all":
        await _asked(client, books, "DELETE", ORDERS, None)
        mine.clear()
    elif mine and kind == "amend":
        changed = {key: body[key] for key in ("ticker", "side", "price", "count")}
        await _asked(client, books, "POST", f"{ORDERS}/{draw.choice(mine)}/amend", changed)
    elif mine:
        order = mine.pop(draw.randrange(len(mine)))
        await _asked(client, books, "DELETE", f"{ORDERS}/{order}?market_ticker={ticker}", None)


async def _asked(client: Client, books: Books, method: str, path: str, body: Any) -> dict[str, Any]:
    """The answer, empty where none came in time."""
    plain, _, query = path.partition("?")
    named = dict([query.split("=")]) if query else {}
    try:
        async with asyncio.timeout(PATIENCE):
            status, answer = await client.request(method, plain, body, **named)
    except (TimeoutError, aiohttp.ClientError, ValueError):
        books.unknown += 1
        return {}
    assert status < 500, (status, answer)
    if status >= 400:
        books.errors[str(answer)[:60]] += 1
    return answer or {}


async def _best(client: Client, ticker: str, bid: int, ask: int) -> tuple[str, int, int]:
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(5.0):
            found = (await client.get("/markets", status="open"))["markets"]
            for market in found:
                if "floor_strike" in market:
                    bid, ask = (
                        round(Decimal(market[name]) * DOLLAR)
                        for name in ("yes_bid_dollars", "yes_ask_dollars")
                    )
                    # Where nobody quotes, somebody begins in the middle.
                    return market["ticker"], bid or 4_900, ask if ask < DOLLAR else 5_100
            return "", bid, ask
    return ticker, bid, ask


async def _fills(client: Client) -> aiohttp.ClientWebSocketResponse:
    socket = await client.socket()
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": {"channels": ["fill", "user_orders"]}})
    for _ in range(2):
        assert (await socket.receive_json())["type"] == "subscribed"
    return socket


async def _listen(socket: aiohttp.ClientWebSocketResponse, books: Books) -> None:
    async for message in socket:
        told = json.loads(message.data)
        if told["type"] == "fill":
            books.fill(told["msg"])
        if told.get("id") == LAST:
            return


async def _end(clients: list[Client]) -> None:
    """What is late arrives, then nothing rests any more, and every frame of that is read."""
    await _until(clients[0], "requests")
    for client in clients:
        assert (await client.request("DELETE", ORDERS))[0] == 204
    await _until(clients[0], "resting")


async def _until(client: Client, name: str) -> None:
    """Until the exchange has none of these."""
    async with asyncio.timeout(60):
        while (await _kept(client))[name]:  # noqa: ASYNC110 - the exchange has no event of ours
            await asyncio.sleep(0.05)


async def _agree(client: Client, member: int, books: Books) -> None:
    """The exchange's books of a member are his own, to the last millionth."""
    told = json.loads((await client.plain("GET", f"/admin/ledger?member={member}"))[1])
    exact = {name: round(Decimal(told[name]) * 1_000_000) for name in ("cash", "fees", "deposits", "payouts")}
    assert exact["cash"] == exact["deposits"] + exact["payouts"] + books.cash, (member, exact, books.cash)
    assert exact["fees"] == books.fees
    assert told["reserved"] == "0.000000"
    positions = {row["ticker"]: round(Decimal(row["position_fp"]) * 100) for row in told["positions"]}
    assert all(books.held[ticker] == held for ticker, held in positions.items() if held)
    twice = [name for name, times in told["asked_for"].items() if times > 1]
    assert not twice


def _between(every: list[Books]) -> int:
    """Trades that two members had with each other; each side must tell the same of them."""
    seen: dict[str, tuple[str, str, str]] = {}
    between = 0
    for books in every:
        for trade_id, told in books.trades.items():
            if trade_id in seen:
                between += 1
                assert seen[trade_id][0] != told[0]
                assert seen[trade_id][1:] == told[1:]
            seen[trade_id] = told
    return between


def _check_kept(kept: dict[str, int], members: int) -> None:
    """Nothing of markets that are forgotten, nothing of orders that ended, no task of a request that did."""
    assert (kept["resting"], kept["resting_keys"]) == (0, 0)
    assert kept["markets"] <= KEPT_MARKETS + 12
    assert kept["positions"] <= members * kept["markets"]
    assert kept["settlements"] <= members * kept["markets"]
    assert kept["order_versions"] == kept["orders"]
    assert kept["sockets"] == members
    assert kept["tasks"] < 12 + 8 * members


async def _kept(client: Client) -> dict[str, int]:
    return json.loads((await client.plain("GET", "/admin/kept"))[1])


def _megabytes() -> float:
    """Of this process, which is exchange and members together."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def _credentials(folder: Path, member: int) -> Credentials:
    path = member_folder(folder, member) / CREDENTIALS_FILE
    return msgspec.json.decode(path.read_bytes(), type=Credentials)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.exchange_sim.soak")
    parser.add_argument("--hours", type=float, default=24.0, help="of market time")
    parser.add_argument("--speed", type=float, default=60.0)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--window-seconds", type=int, default=900)
    parser.add_argument("--quiet", action="store_true", help="no simulated traders")
    options = parser.parse_args()
    report = asyncio.run(soak(**vars(options)))
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n")


if __name__ == "__main__":
    main()
