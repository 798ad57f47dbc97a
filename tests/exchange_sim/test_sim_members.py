"""Several members on one exchange: they trade with each other, and nobody sees or touches what is another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from recio.commands import exchange
from recio.exchange_sim.credentials import CREDENTIALS_FILE, Credentials
from recio.exchange_sim.engine.account import Account
from recio.exchange_sim.engine.group_entry import create_group
from recio.exchange_sim.engine.groups import OrderGroup
from recio.exchange_sim.engine.order_entry import create
from recio.exchange_sim.engine.orders import Order
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.server import ExchangeSettings, serve
from recio.exchange_sim.wire.ws.rules import SocketRules


async def two(start_exchange: Any, **changes: Any) -> tuple[Any, Any]:
    """Clients of the first and of the second member, on a market without anybody else."""
    first = await start_exchange(quiet_traders=True, members=2, **changes)
    folder = Path(first.credentials.key_path).parent / "member-2"
    other = msgspec.json.decode((folder / CREDENTIALS_FILE).read_bytes(), type=Credentials)
    return first, type(first)(other, first.session)


async def ledger(client: Any, member: int) -> Any:
    return msgspec.json.decode((await client.plain("GET", f"/admin/ledger?member={member}"))[1])


async def listening(client: Any, ticker: str, *channels: str) -> Any:
    socket = await client.socket()
    params = {"channels": channels, "market_ticker": ticker}
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": params})
    for _ in range(len(channels) + ("orderbook_delta" in channels)):
        await socket.receive_json()
    return socket


async def test_each_ledger_counts_what_its_own_member_asked_for(start_exchange: Any) -> None:
    one, other = await two(start_exchange)
    ticker = await one.open_ticker()
    await one.order(ticker, "bid", "0.4000", "10", client_order_id="same")
    await other.order(ticker, "bid", "0.3000", "1", client_order_id="same")
    await other.order(ticker, "bid", "0.3000", "1", client_order_id="same")
    asked = [(await ledger(one, member))["asked_for"] for member in (1, 2)]
    assert asked == [{"same": 1}, {"same": 2}]


async def test_what_one_member_rests_another_takes_and_no_money_comes_or_goes(start_exchange: Any) -> None:
    maker, taker = await two(start_exchange)
    ticker = await maker.open_ticker()
    _, resting = await maker.order(ticker, "bid", "0.4000", "10")
    status, taken = await taker.order(ticker, "ask", "0.3900", "4")
    assert (status, taken["fill_count"], taken["average_fill_price"]) == (201, "4.00", "0.4000")
    (made,), (took,) = [(await client.get("/portfolio/fills"))["fills"] for client in (maker, taker)]
    assert made["trade_id"] == took["trade_id"]
    assert (made["is_taker"], took["is_taker"]) == (False, True)
    assert made["order_id"] == resting["order_id"]
    positions = [(await client.get("/portfolio/positions"))["market_positions"] for client in (maker, taker)]
    assert [rows[0]["position_fp"] for rows in positions] == ["4.00", "-4.00"]
    books = [await ledger(maker, member) for member in (1, 2)]
    spent = sum(1000 - float(each["cash"]) for each in books)
    assert spent == pytest.approx(4.0 + sum(float(each["fees"]) for each in books))


async def test_a_member_sees_and_touches_nothing_of_another(start_exchange: Any) -> None:
    one, other = await two(start_exchange)
    ticker = await one.open_ticker()
    _, order = await one.order(ticker, "bid", "0.4000", "10", client_order_id="mine")
    path = f"/portfolio/orders/{order['order_id']}"
    assert (await other.request("GET", path))[0] == 404
    assert (await other.get("/portfolio/orders"))["orders"] == []
    cancelled = f"/portfolio/events/orders/{order['order_id']}"
    assert (await other.request("DELETE", cancelled, market_ticker=ticker))[0] == 404
    assert (await other.request("DELETE", "/portfolio/events/orders"))[0] == 204
    assert (await one.get(path))["order"]["status"] == "resting"
    assert (await other.get("/portfolio/balance"))["balance_dollars"] == "1000.0000"
    assert (await other.order(ticker, "bid", "0.3000", "1", client_order_id="mine"))[0] == 201
    keys = [(await client.get("/api_keys"))["api_keys"] for client in (one, other)]
    assert [rows[0]["api_key_id"] for rows in keys] == [one.credentials.key_id, other.credentials.key_id]


async def test_private_messages_go_to_their_member_and_a_change_of_the_book_names_his_order_to_him_alone(
    start_exchange: Any,
) -> None:
    one, other = await two(start_exchange)
    ticker = await one.open_ticker()
    mine = await listening(one, ticker, "user_orders", "fill", "orderbook_delta")
    theirs = await listening(other, ticker, "user_orders", "fill", "orderbook_delta")
    await one.order(ticker, "bid", "0.4000", "10", client_order_id="mine")
    await other.order(ticker, "ask", "0.4000", "4", client_order_id="theirs")
    seen = [await mine.receive_json() for _ in range(5)]
    assert {frame["msg"].get("client_order_id") for frame in seen if frame["type"] != "orderbook_delta"} == {
        "mine"
    }
    deltas = [frame["msg"].get("client_order_id") for frame in seen if frame["type"] == "orderbook_delta"]
    assert deltas == ["mine", "mine"]
    seen = [await theirs.receive_json() for _ in range(4)]
    assert [frame["type"] for frame in seen].count("orderbook_delta") == 2
    assert {frame["msg"].get("client_order_id") for frame in seen} == {None, "theirs"}
    assert all("subaccount" not in each["msg"] for each in seen if each["type"] == "orderbook_delta")


async def test_each_member_has_buckets_and_connections_of_his_own(start_exchange: Any) -> None:
    rules = SocketRules(sending_times=False, most_connections=1)
    one, other = await two(start_exchange, rate_limits="basic", sockets=rules)
    statuses = {(await one.request("GET", "/portfolio/balance"))[0] for _ in range(6)}
    assert 429 in statuses
    assert (await other.request("GET", "/portfolio/balance"))[0] == 200
    sockets = [await one.socket(), await other.socket()]
    assert all(not socket.closed for socket in sockets)


def admitted(d: Any) -> Venue:
    return d.venue.admit(Account(user_id="second", cash={0: 0, 2: 10**9}, deposits=10**9))


def test_a_makers_group_stops_when_another_member_takes_its_limit(trading_session: Any) -> None:
    d = trading_session()
    second = admitted(d)
    group = create_group(d.venue, limit=500, subaccount=0, shard=2)
    assert isinstance(group, OrderGroup)
    for price in (4_000, 3_900):
        create(d.venue, d.order("bid", price, 500, group_id=group.group_id))
    create(second, d.order("ask", 4_000, 500))
    assert group.triggered
    assert d.venue.open_orders == {}
    assert second.account.held(d.market.ticker) == -500


def test_a_market_pays_both_sides_of_a_trade_between_members(trading_session: Any) -> None:
    d = trading_session()
    second = admitted(d)
    assert isinstance(create(d.venue, d.order("bid", 4_000, 1_000)), Order)
    assert isinstance(create(second, d.order("ask", 4_000, 1_000)), Order)
    d.run_to(d.market.close_ms + 10_000)
    paid = [member.account.payouts for member in (d.venue, second)]
    assert sorted(paid) == [0, 10 * 1_000_000]
    fees = sum(member.account.fees for member in (d.venue, second))
    assert sum(sum(member.account.cash.values()) for member in (d.venue, second)) == 2 * 10**9 - fees


def test_a_recording_has_one_member(tmp_path: Path) -> None:
    settings = ExchangeSettings(credentials_dir=tmp_path, members=2, recording=tmp_path)
    with pytest.raises(ValueError, match="one member"):
        serve(settings).send(None)
    assert list(tmp_path.iterdir()) == []


def test_the_command_tells_where_every_member_finds_his_key(tmp_path: Path) -> None:
    given = msgspec.convert(
        {
            "key_id": "k",
            "key_path": str(tmp_path / "private_key.pem"),
            "rest_url": "http://h/trade-api/v2",
            "ws_url": "",
            "price_url": "",
            "kraken_url": "",
            "instance": "",
            "pid": 1,
            "clock": {"speed": 1.0, "host_origin": 0.0, "venue_origin": 0.0},
        },
        Credentials,
    )
    assert f"{tmp_path}/member-3/credentials.json" in exchange.welcome(given, 3)


async def test_a_bank_pays_the_member_that_it_is_told(start_exchange: Any) -> None:
    first, second = await two(start_exchange)
    paid = {"kind": "deposit", "amount_cents": 12_345, "member": 2}
    assert (await first.plain("POST", "/admin/payments", paid))[0] == 200
    assert (await second.get("/portfolio/balance"))["balance_dollars"] == "1123.4500"
    assert (await first.get("/portfolio/balance"))["balance_dollars"] == "1000.0000"
    assert (await first.get("/portfolio/deposits"))["deposits"] == []
    assert [row["amount_cents"] for row in (await second.get("/portfolio/deposits"))["deposits"]] == [12_345]
