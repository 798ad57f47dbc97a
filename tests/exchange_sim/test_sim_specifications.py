"""Every answer and every frame of the exchange is what the venue's own specifications say: fields, types, words.

A difference is a fault here, or one that the venue's wire was seen to have: then it stands in DIFFERS with its reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from recio.exchange_sim.market.series import Timetable
from recio.exchange_sim.wire.rest import market_routes, private_api
from recio.exchange_sim.wire.rest.rules import RestRules
from recio.exchange_sim.wire.ws.rules import SocketRules
from tests.exchange_sim import specifications as spec

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not spec.FOLDER.is_dir(), reason=spec.ABSENT),
]

DIFFERS: dict[str, str] = {}
"""A flaw by the specifications, and why it is there all the same."""
NOT_SPECIFIED: dict[tuple[str, str], str] = {
    ("GET", "/cfbenchmarks/values"): "handed through to the index provider, described in prose alone",
    ("GET", "/cfbenchmarks/history/values"): "handed through to the index provider, described in prose alone",
    (
        "PUT",
        "/portfolio/target_balance_allocation",
    ): "the changelog's word for what the specification calls POST",
}
"""Routes of which the specifications know nothing, and why they are here."""

SOCKET_CHANNELS = [
    "orderbook_delta",
    "ticker",
    "trade",
    "fill",
    "user_orders",
    "market_positions",
    "market_lifecycle_v2",
    "order_group_updates",
    "cfbenchmarks_value",
    "cfbenchmarks_value_5hz",
]
ORDERS = "/portfolio/events/orders"
GROUP = "/portfolio/order_groups/{order_group_id}"


class Checked:
    """Asks for things, and keeps every flaw of what comes back."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.asked: set[tuple[str, str]] = set()
        self.heard: set[str] = set()
        self.flaws: set[str] = set()

    async def ask(self, method: str, path: str, body: Any = None, *, expect: int = 200, **query: Any) -> Any:
        """`path` is as the specifications write it; names in braces are taken out of the query."""
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        where = path.format(**{name: query.pop(name) for name in names})
        got, answer = await self.client.request(method, where, body, **query)
        assert got == expect, (method, where, got, answer)
        self.asked.add((method, path))
        schema = spec.answers()[method, path].get(str(expect))
        if schema is not None:
            found = spec.flaws(answer, schema, of=spec.openapi())
            self.flaws |= {f"{method} {path} {flaw}" for flaw in found}
        return answer

    async def read(self, path: str, query: dict[str, Any]) -> Any:
        return await self.ask("GET", path, **query)

    async def rows(self, path: str, name: str, **query: Any) -> Any:
        """A list, asked for until there is something in it."""
        for _ in range(600):
            answer = await self.ask("GET", path, **query)
            if answer[name]:
                return answer[name]
            await asyncio.sleep(0.02)
        raise AssertionError(f"{path} stayed empty")

    def frame(self, message: Any) -> None:
        kind = message["type"]
        about = message.get("msg")
        self.heard.add(about["event_type"] if kind == "market_lifecycle_v2" else kind)
        schemas = spec.frames().get(kind, [])
        found = [set(spec.flaws(message, schema, of=spec.asyncapi())) for schema in schemas]
        if all(found):
            least: set[str] = min(found, key=len) if found else {"is not specified"}
            self.flaws |= {f"frame {kind} {flaw}" for flaw in least}


def routed() -> set[tuple[str, str]]:
    routes = {(route.method, route.path) for route in (*market_routes.ROUTES, *private_api.ROUTES)}
    return {
        (method, path)
        for method, path in routes
        if method == "GET" or not path.startswith("/portfolio/orders")
    }


@asynccontextmanager
async def listening(checked: Checked, *channels: str, **params: Any) -> AsyncIterator[Any]:
    """A socket of which every frame is looked at for as long as this lasts."""
    socket = await checked.client.socket()
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": {"channels": channels} | params})

    async def read() -> None:
        async for message in socket:
            checked.frame(message.json())

    reading = asyncio.create_task(read())
    try:
        yield socket
    finally:
        await socket.close()
        await reading


async def until(checked: Checked, *heard: str) -> None:
    for _ in range(1_500):
        if checked.heard >= set(heard):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"never heard {set(heard) - checked.heard}")


def test_every_route_is_one_of_the_venue() -> None:
    assert routed() - set(spec.answers()) == set(NOT_SPECIFIED)


async def test_every_answer_and_frame_is_as_specified(start_exchange: Any) -> None:
    """One run over everything that a market offers while it is open, and one over what is over."""
    table = Timetable(ladder_strikes=3, settlement_factor=0.02)
    client = await start_exchange(
        series="KXBTC15M,KXBTCD,KXDOGE",
        timetable=table,
        sockets=SocketRules(),
        rest=RestRules(incentives=True),
    )
    checked = Checked(client)
    ticker = await client.open_ticker()
    everything = {"index_ids": ["all"], "market_ticker": ticker, "send_initial_snapshot": True}
    async with listening(checked, *SOCKET_CHANNELS, **everything) as socket:
        await socket_commands(socket, ticker)
        await orders(checked, ticker)
        await money(checked)
        await markets(checked, ticker)
        await interventions(checked, ticker)
        await checked.rows("/portfolio/settlements", "settlements")
        await until(checked, *FRAMES)
    await history(checked, start_exchange)
    assert routed() - checked.asked == set(NOT_SPECIFIED)
    unexplained = "\n".join(sorted(checked.flaws - set(DIFFERS)))
    assert not unexplained, unexplained
    assert set(DIFFERS) <= checked.flaws, "what no longer differs is to be taken out of DIFFERS"


FRAMES = {
    "subscribed",
    "unsubscribed",
    "ok",
    "error",
    "orderbook_snapshot",
    "orderbook_delta",
    "ticker",
    "trade",
    "fill",
    "user_order",
    "market_position",
    "order_group_updates",
    "cfbenchmarks_value",
    "cfbenchmarks_value_5hz",
    "cfbenchmarks_value_indexlist",
    "cfbenchmarks_value_5hz_indexlist",
    "determined",
    "settled",
    "deactivated",
    "activated",
    "close_date_updated",
    "price_level_structure_updated",
}
PASSING = ("created", "metadata_updated", "event_lifecycle")
"""What only a window says that comes and goes."""


async def socket_commands(socket: Any, ticker: str) -> None:
    def update(sid: int, action: str, **how: Any) -> dict[str, Any]:
        return {"id": 2, "cmd": "update_subscription", "params": {"sid": sid, "action": action, **how}}

    sids = {channel: number for number, channel in enumerate(SOCKET_CHANNELS, 1)}
    for command in (
        update(sids["orderbook_delta"], "get_snapshot", market_ticker=ticker),
        update(sids["ticker"], "add_markets", market_ticker=ticker),
        update(sids["cfbenchmarks_value"], "indexlist"),
        update(sids["cfbenchmarks_value_5hz"], "indexlist"),
        update(sids["cfbenchmarks_value"], "subscribe_indices", index_ids=["BRTI"]),
        {"id": 3, "cmd": "list_subscriptions"},
        {"id": 4, "cmd": "subscribe", "params": {"channels": ["communications"]}},
        {"id": 5, "cmd": "unsubscribe", "params": {"sids": [len(sids) + 1]}},
        {"id": 6, "cmd": "unsubscribe", "params": {"sids": [99]}},
        {"id": 7, "cmd": "subscribe", "params": {"channels": ["ticker"], "market_ticker": "NONE"}},
    ):
        await socket.send_json(command)


def order(ticker: str, price: str, count: str, **rest: Any) -> dict[str, Any]:
    return {
        "ticker": ticker,
        "side": "bid",
        "price": price,
        "count": count,
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "maker",
    } | rest


async def orders(checked: Checked, ticker: str) -> None:
    ask = checked.ask
    group = await ask(
        "POST", "/portfolio/order_groups/create", {"contracts_limit": 9, "exchange_index": 2}, expect=201
    )
    name = {"order_group_id": group["order_group_id"]}
    late = checked.client.venue_ms() // 1000 + 900
    kept = order(
        ticker, "0.0100", "5", client_order_id="kept", expiration_time=late, cancel_order_on_pause=True
    )
    placed = await ask("POST", ORDERS, kept | name, expect=201)
    one = {"order_id": placed["order_id"]}
    taking = order(ticker, "0.9900", "1", time_in_force="immediate_or_cancel")
    while (await ask("POST", ORDERS, taking, expect=201))["fill_count"] == "0.00":
        pass
    batch = await ask(
        "POST", f"{ORDERS}/batched", {"orders": [kept, order(ticker, "0.0200", "1")]}, expect=201
    )
    reads = (
        ("/portfolio/orders", {}),
        ("/portfolio/orders/{order_id}", one),
        ("/portfolio/orders/{order_id}/queue_position", one),
        ("/portfolio/orders/queue_positions", {"market_tickers": ticker}),
        ("/portfolio/order_groups", {}),
        (GROUP, name),
        ("/portfolio/summary/total_resting_order_value", {}),
    )
    for path, how in reads:
        await checked.read(path, how)
    amended = order(ticker, "0.0200", "4", client_order_id="kept", updated_client_order_id="new")
    await ask("POST", f"{ORDERS}/{{order_id}}/amend", amended, **one)
    smaller = {"reduce_by": "1", "exchange_index": 2}
    await ask("POST", f"{ORDERS}/{{order_id}}/decrease", smaller, **one)
    gone = [{"order_id": batch["orders"][1]["order_id"], "market_ticker": ticker}, {"order_id": "none"}]
    await ask("DELETE", f"{ORDERS}/batched", {"orders": gone})
    await ask("DELETE", f"{ORDERS}/{{order_id}}", exchange_index="2", **one)
    await ask("PUT", f"{GROUP}/limit", {"contracts_limit_fp": "7.00"}, **name)
    await ask("PUT", f"{GROUP}/trigger", **name)
    await ask("PUT", f"{GROUP}/reset", **name)
    await ask("DELETE", GROUP, **name)
    await ask("DELETE", ORDERS, expect=204)


async def money(checked: Checked) -> None:
    ask = checked.ask
    number = (await ask("POST", "/portfolio/subaccounts", {"exchange_index": 2}, expect=201))[
        "subaccount_number"
    ]
    moved = {
        "client_transfer_id": "3f0e1a53-8a2b-4a3a-9d5e-0a1b2c3d4e5f",
        "from_subaccount": 0,
        "to_subaccount": number,
        "amount_cents": 100,
    }
    await ask("POST", "/portfolio/subaccounts/transfer", moved | {"exchange_index": 2})
    between = {"source": "event_contract", "destination": "event_contract", "amount": 10_000}
    between |= {"source_exchange_shard": 2, "destination_exchange_shard": 0}
    done = await ask("POST", "/portfolio/intra_exchange_instance_transfer", between)
    one = "/portfolio/intra_exchange_instance_transfers/{transfer_id}"
    await ask("GET", one, transfer_id=done["transfer_id"])
    spread = [{"exchange_index": 0, "percent": 20}, {"exchange_index": 2, "percent": 80}]
    await ask("POST", "/portfolio/target_balance_allocation", {"allocations": spread})
    for path in (
        "/portfolio/intra_exchange_instance_transfers",
        "/portfolio/subaccounts/balances",
        "/portfolio/subaccounts/transfers",
        "/portfolio/balance",
        "/portfolio/positions",
        "/portfolio/fills",
        "/portfolio/deposits",
        "/portfolio/withdrawals",
        "/account/limits",
        "/portfolio/target_balance_allocation",
        "/account/endpoint_costs",
        "/api_keys",
    ):
        await ask("GET", path)


async def markets(checked: Checked, ticker: str) -> None:
    series, event = ticker.partition("-")[0], ticker.rpartition("-")[0]
    now = checked.client.venue_ms() // 1000
    span = {"start_ts": now - 120, "end_ts": now + 60, "period_interval": 1}
    reads = (
        ("/exchange/status", {}),
        ("/incentive_programs", {"status": "active", "type": "liquidity"}),
        ("/exchange/schedule", {}),
        ("/exchange/user_data_timestamp", {}),
        ("/series", {"include_volume": "true"}),
        ("/series/fee_changes", {}),
        ("/series/{series_ticker}", {"series_ticker": series}),
        ("/events", {"with_nested_markets": "true", "with_milestones": "true"}),
        ("/events/fee_changes", {}),
        ("/events/{event_ticker}", {"event_ticker": event, "with_nested_markets": "true"}),
        ("/events/{event_ticker}/metadata", {"event_ticker": event}),
        ("/markets", {}),
        ("/markets/trades", {}),
        ("/markets/orderbooks", {"tickers": ticker}),
        ("/markets/{ticker}", {"ticker": ticker}),
        ("/markets/{ticker}/orderbook", {"ticker": ticker}),
        ("/live_data/events/{event_ticker}", {"event_ticker": event}),
        ("/markets/candlesticks", {"market_tickers": ticker} | span),
        (
            "/series/{series_ticker}/markets/{ticker}/candlesticks",
            {"series_ticker": series, "ticker": ticker} | span,
        ),
        (
            "/series/{series_ticker}/events/{ticker}/candlesticks",
            {"series_ticker": series, "ticker": event} | span,
        ),
    )
    for path, how in reads:
        await checked.read(path, how)


async def interventions(checked: Checked, ticker: str) -> None:
    async def fault(kind: str, seconds: float) -> None:
        body = {"kind": kind, "seconds": seconds, "ticker": ticker}
        assert (await checked.client.plain("POST", "/admin/faults", body))[0] == 200

    await fault("deactivate", 0.1)
    await until(checked, "activated")
    await fault("change_grid", 0)
    await fault("move_close", 5)
    await fault("correct_settlement", 0)
    await fault("early_close", 0)


async def history(checked: Checked, start_exchange: Any) -> None:
    """Another exchange, on which what is over leaves the live endpoints at once."""
    table = Timetable(settlement_factor=0.02, history_seconds=1)
    client = await start_exchange(timetable=table, window_seconds=60, speed=20, tolerance_seconds=1_000)
    checked.client = client
    async with listening(checked, "market_lifecycle_v2"):
        ticker = await client.open_ticker()
        taking = order(ticker, "0.9900", "1", time_in_force="immediate_or_cancel")
        await client.request("POST", ORDERS, taking)
        await checked.ask("GET", "/historical/cutoff")
        await checked.rows("/historical/orders", "orders")
        await checked.rows("/historical/trades", "trades")
        await checked.rows("/historical/markets", "markets")
        await until(checked, *PASSING)
    await checked.ask("GET", "/historical/fills")
    await checked.ask("GET", "/historical/positions")
    await checked.ask("GET", "/historical/markets/{ticker}", ticker=ticker)
    now = client.venue_ms() // 1000
    span = {"start_ts": now - 120, "end_ts": now, "period_interval": 1}
    await checked.ask("GET", "/historical/markets/{ticker}/candlesticks", ticker=ticker, **span)
