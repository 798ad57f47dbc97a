"""Every response recorded from the real demo environment comes out of a running exchange alike, or is named here."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from recio.exchange_sim.market.series import Timetable
from tests.exchange_sim.likeness import assert_alike

DATA = Path(os.environ.get("RECIO_DATA", Path(__file__).parents[3] / "shared" / "data")) / "kalshi_demo_wire"

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not DATA.is_dir(), reason="no recorded demo wire at RECIO_DATA"),
]

NO_SERVICE = b',"service":"exchange"'
"""The key `service` was dropped from errors on 2026-08-06."""

CANNOT = {
    "orders__legacy_create": "the old order endpoints were retired in June 2026: they answer 410 here too",
    "orders__legacy_cancel": "the old order endpoints were retired in June 2026: they answer 410 here too",
    "session__manifest": "the recorder's own report, not a response",
}

Ask = Callable[[], Awaitable[tuple[int, bytes]]]


class Wire:
    """One exchange, asked as the recorder asked the real one."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.ticker = ""

    async def ask(self, method: str, path: str, body: Any = None, **headers: Any) -> tuple[int, bytes]:
        bare = path.partition("?")[0]
        signed = self.client.headers(method, bare, skew_ms=headers.pop("skew_ms", 0)) | headers
        signed = {name: value for name, value in signed.items() if value}
        url = self.client.root + path
        async with self.client.session.request(method, url, json=body, headers=signed) as answer:
            return answer.status, await answer.read()

    async def get(self, path: str) -> tuple[int, bytes]:
        return await self.ask("GET", "/trade-api/v2" + path)

    async def public(self, path: str) -> tuple[int, bytes]:
        async with self.client.session.get(self.client.root + "/trade-api/v2" + path) as answer:
            return answer.status, await answer.read()

    async def create(self, price: str, client_order_id: str, **rest_of: Any) -> tuple[int, bytes]:
        self.ticker = self.ticker or await self.client.open_ticker()
        body = {
            "ticker": self.ticker,
            "side": "bid",
            "price": price,
            "count": "1.00",
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "taker_at_cross",
            "client_order_id": str(uuid5(NAMESPACE_URL, client_order_id)),
        }
        return await self.ask("POST", "/trade-api/v2/portfolio/events/orders", body | rest_of)

    async def rested(self) -> str:
        """The id of an order that rests."""
        return json.loads((await self.create("0.0100", "resting"))[1])["order_id"]

    async def cancel(self, order_id: str) -> tuple[int, bytes]:
        path = f"/trade-api/v2/portfolio/events/orders/{order_id}?market_ticker={self.ticker}"
        return await self.ask("DELETE", path)

    async def take(self) -> tuple[int, bytes]:
        """An order that filled at once, whole."""
        ids = itertools.count()
        return await until(
            lambda: self.create("0.9900", f"taker-{next(ids)}", time_in_force="immediate_or_cancel"),
            lambda _, body: json.loads(body)["fill_count"] == "1.00",
        )


async def until(ask: Ask, done: Callable[[int, bytes], bool]) -> tuple[int, bytes]:
    """Ask again until the answer is the one that was waited for."""
    async with asyncio.timeout(20):
        while not done(*(answer := await ask())):
            pass
    return answer


async def balance(wire: Wire) -> tuple[int, bytes]:
    return await wire.get("/portfolio/balance")


def skewed(milliseconds: int) -> Case:
    async def ask(wire: Wire) -> tuple[int, bytes]:
        return await wire.ask("GET", "/trade-api/v2/portfolio/balance", skew_ms=milliseconds)

    return ask


def reading(path: str) -> Case:
    async def ask(wire: Wire) -> tuple[int, bytes]:
        return await wire.get(path)

    return ask


async def bad_signature(wire: Wire) -> tuple[int, bytes]:
    other = wire.client.headers("GET", "/trade-api/v2/portfolio/other")
    return await wire.ask("GET", "/trade-api/v2/portfolio/balance", **other)


async def missing_signature(wire: Wire) -> tuple[int, bytes]:
    nothing = {"KALSHI-ACCESS-SIGNATURE": ""}
    return await wire.ask("GET", "/trade-api/v2/portfolio/balance", **nothing)


async def cancel_of_executed(wire: Wire) -> tuple[int, bytes]:
    return await wire.cancel(json.loads((await wire.take())[1])["order_id"])


async def cancel_again(wire: Wire) -> tuple[int, bytes]:
    order_id = await wire.rested()
    assert (await wire.cancel(order_id))[0] == 200
    return await wire.cancel(order_id)


async def cancel_unknown(wire: Wire) -> tuple[int, bytes]:
    return await wire.cancel("00000000-0000-0000-0000-000000000000")


async def cancel_resting(wire: Wire) -> tuple[int, bytes]:
    return await wire.cancel(await wire.rested())


async def make(wire: Wire) -> tuple[int, bytes]:
    return await wire.create("0.0100", "4a75a66e-0000-4000-8000-000000000000", post_only=False)


async def take(wire: Wire) -> tuple[int, bytes]:
    return await wire.take()


async def make_twice(wire: Wire) -> tuple[int, bytes]:
    await wire.create("0.0100", "once")
    return await wire.create("0.0100", "once")


async def off_grid(wire: Wire) -> tuple[int, bytes]:
    return await wire.create("0.5150", "off-grid", post_only=True)


async def order_after_create(wire: Wire) -> tuple[int, bytes]:
    return await wire.get(f"/portfolio/orders/{await wire.rested()}")


async def order_after_cancel(wire: Wire) -> tuple[int, bytes]:
    """The recorded read lagged behind the cancel that had been acknowledged: it still said resting."""
    order_id = await wire.rested()
    path = f"/portfolio/orders/{order_id}"
    await until(lambda: wire.get(path), lambda status, _: status == 200)
    assert (await wire.cancel(order_id))[0] == 200
    status, body = await wire.get(path)
    shown = json.loads(body)["order"]
    assert (shown["status"], shown["remaining_count_fp"]) == ("resting", "1.00")
    return status, body


async def fills(wire: Wire) -> tuple[int, bytes]:
    await wire.take()
    return await wire.get("/portfolio/fills?limit=10")


async def positions(wire: Wire) -> tuple[int, bytes]:
    await wire.take()
    return await wire.get("/portfolio/positions")


async def orders(wire: Wire) -> tuple[int, bytes]:
    await wire.take()
    await wire.cancel(await wire.rested())
    return await wire.get("/portfolio/orders?limit=10")


async def trades(wire: Wire) -> tuple[int, bytes]:
    ticker = await wire.client.open_ticker()
    path = f"/markets/trades?ticker={ticker}&limit=1"
    return await until(lambda: wire.public(path), lambda _, body: json.loads(body)["cursor"] != "")


async def second_page(wire: Wire) -> tuple[int, bytes]:
    cursor = json.loads((await wire.get("/markets?limit=2"))[1])["cursor"]
    return await wire.get(f"/markets?limit=2&cursor={cursor}")


async def one_market(wire: Wire) -> tuple[int, bytes]:
    return await wire.get(f"/markets/{await wire.client.open_ticker()}")


async def one_market_of_a_list(wire: Wire) -> tuple[int, bytes]:
    return await wire.get(f"/markets?tickers={await wire.client.open_ticker()}")


async def one_market_unsigned(wire: Wire) -> tuple[int, bytes]:
    return await wire.public(f"/markets/{await wire.client.open_ticker()}")


async def markets_unsigned(wire: Wire) -> tuple[int, bytes]:
    return await wire.public("/markets?limit=2")


async def settled_markets(wire: Wire) -> tuple[int, bytes]:
    path = "/markets?status=settled&limit=5"
    return await until(lambda: wire.get(path), lambda _, body: json.loads(body)["markets"] != [])


async def open_markets(wire: Wire) -> tuple[int, bytes]:
    await wire.client.open_ticker()
    return await wire.get("/markets?status=open&limit=200")


async def orderbook(wire: Wire) -> tuple[int, bytes]:
    ticker = await wire.client.open_ticker()
    path = f"/markets/{ticker}/orderbook"
    return await until(lambda: wire.get(path), lambda _, body: all(json.loads(body)["orderbook_fp"].values()))


Case = Callable[[Wire], Awaitable[tuple[int, bytes]]]
QUIET = {"quiet_traders": True}
FAST = {"quiet_traders": True, "speed": 60.0, "window_seconds": 5}
LADDERS = {"series": "KXBTCD,KXBTC", "timetable": Timetable(ladder_strikes=4)}
LAGGING = {"quiet_traders": True, "read_lag_seconds": 0.3}
BASIC = {"quiet_traders": True, "rate_limits": "basic", "burst_seconds": 1.0}

CASES: dict[str, tuple[Case, dict[str, Any]]] = {
    "account__limits": (reading("/account/limits"), BASIC),
    "auth__bad_signature": (bad_signature, QUIET),
    "auth__balance_alt_host": (balance, QUIET),
    "auth__balance_ok": (balance, QUIET),
    "auth__missing_signature_header": (missing_signature, QUIET),
    "auth__skew_minus5min": (skewed(-300_000), QUIET),
    "auth__skew_minus5s": (skewed(-5_000), QUIET),
    "auth__skew_plus5min": (skewed(300_000), QUIET),
    "auth__skew_plus5s": (skewed(5_000), QUIET),
    "cleanup__leftover_0": (cancel_of_executed, {}),
    "cleanup__leftover_1": (cancel_again, QUIET),
    "cleanup__leftover_2": (cancel_of_executed, {}),
    "exchange__status": (reading("/exchange/status"), QUIET),
    "fills__after_taker": (fills, {}),
    "markets__high_temp": (reading("/markets?limit=100"), LADDERS),
    "markets__limit_over_max": (reading("/markets?limit=1001"), QUIET),
    "markets__page1": (reading("/markets?limit=5"), LADDERS),
    "markets__page2": (second_page, LADDERS),
    "markets__page3": (second_page, LADDERS),
    "markets__single": (one_market, QUIET),
    "markets__single_filter_lastpage": (one_market_of_a_list, QUIET),
    "markets__status_open": (open_markets, QUIET),
    "markets__status_settled": (settled_markets, FAST),
    "markets__unauth_list": (markets_unsigned, LADDERS),
    "markets__unauth_single": (one_market_unsigned, QUIET),
    "orderbook__base": (orderbook, {}),
    "orders__cancel_already_canceled": (cancel_again, QUIET),
    "orders__cancel_unknown_id": (cancel_unknown, QUIET),
    "orders__cancel_v2": (cancel_resting, QUIET),
    "orders__create_v2_maker": (make, QUIET),
    "orders__create_v2_taker_ioc": (take, {}),
    "orders__duplicate_client_order_id": (make_twice, QUIET),
    "orders__get_after_cancel": (order_after_cancel, LAGGING),
    "orders__get_after_create": (order_after_create, QUIET),
    "orders__invalid_price_structure": (off_grid, QUIET),
    "orders__settlement_seed": (take, {}),
    "portfolio__orders_list": (orders, {}),
    "portfolio__positions": (positions, {}),
    "series__fee_changes": (reading("/series/fee_changes"), QUIET),
    "settlements__end_of_session": (reading("/portfolio/settlements?limit=10"), QUIET),
    "trades__public_recorded": (trades, {}),
}
"""How the exchange is brought to give each recorded answer, and the settings it needs for that."""
BYTE_FOR_BYTE = {"account__limits", "series__fee_changes", "settlements__end_of_session"}
"""Successes without anything of their own day in them; every error is compared to the byte anyway."""
NO_META = {"markets__high_temp": 200}
SOCKETS = ("ws__orderbook_trade_noleg", "ws__orderbook_trade_yes")


def test_every_recorded_file_is_listed() -> None:
    names = {path.name.partition(".")[0] for path in DATA.iterdir()} - {"README"}
    assert names == set(CASES) | set(CANNOT) | set(SOCKETS)


@pytest.mark.parametrize("name", CASES)
async def test_the_exchange_answers_like_the_recorded_one(start_exchange, name: str) -> None:
    case, settings = CASES[name]
    real = (DATA / f"{name}.json").read_bytes().strip()
    status = NO_META.get(name) or json.loads((DATA / f"{name}.meta.json").read_text())["status"]
    wire = Wire(await start_exchange(**settings))
    answered, body = await case(wire)
    assert answered == status, body
    if status >= 400 or name in BYTE_FOR_BYTE:
        assert body == real.replace(NO_SERVICE, b"")
    else:
        assert_alike(json.loads(real), json.loads(body))


@pytest.mark.parametrize("name", sorted(CANNOT))
async def test_what_cannot_be_reproduced_is_refused_for_the_named_reason(start_exchange, name: str) -> None:
    meta = json.loads((DATA / f"{name}.meta.json").read_text())
    if "path" not in meta:
        assert not (DATA / f"{name}.json").exists(), CANNOT[name]
        return
    wire = Wire(await start_exchange(quiet_traders=True))
    status, body = await wire.ask(meta["method"], meta["path"], meta["request_body"])
    assert (status, json.loads(body)["error"]["code"]) == (410, "deprecated_v1_order_endpoint")


@pytest.mark.parametrize("name", SOCKETS)
async def test_the_socket_speaks_like_the_recorded_one(start_exchange, name: str) -> None:
    meta = json.loads((DATA / f"{name}.meta.json").read_text())
    lines = [line for line in (DATA / f"{name}.jsonl").read_text().splitlines() if line.strip()]
    client = await start_exchange()
    command = meta["subscribe_cmd"]
    command["params"]["market_tickers"] = [await client.open_ticker()]
    socket = await client.socket()
    await socket.send_json(command)
    models = {json.loads(line)["type"]: json.loads(line) for line in lines}
    assert [await socket.receive_str() for _ in range(2)] == lines[:2]
    seen: set[str] = set()
    while seen < set(models) - {"subscribed"}:
        frame = await socket.receive_json()
        model = models.get(frame["type"])
        assert seen or frame["type"] != "orderbook_delta", "a delta before the snapshot"
        if model is not None:
            assert [key for key in frame["msg"] if key != "clock"] == list(model["msg"])
            assert_alike(model, frame)
            seen.add(frame["type"])
