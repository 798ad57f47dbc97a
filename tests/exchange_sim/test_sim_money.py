"""A whole fast window traded at random: not a millionth of a dollar may appear or vanish."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from random import Random
from typing import Any


async def trade_a_little(client: Any, ticker: str, random: Random) -> None:
    """One random request; whatever the venue answers is fine."""
    choice = random.random()
    if choice < 0.15:
        await client.request("DELETE", "/portfolio/events/orders")
        return
    price = f"{random.randrange(1, 100) / 100:.4f}"
    lasting = random.choice(["good_till_canceled", "immediate_or_cancel", "fill_or_kill"])
    prevention = random.choice(["taker_at_cross", "maker"])
    await client.order(
        ticker,
        random.choice(["bid", "ask"]),
        price,
        f"{random.randrange(1, 900) / 100:.2f}",
        time_in_force=lasting,
        self_trade_prevention_type=prevention,
        client_order_id=str(random.getrandbits(64)),
    )


def exact(text: str) -> Decimal:
    return Decimal(text)


async def test_cash_is_deposits_less_costs_and_fees_plus_payouts_to_the_last_millionth(
    start_exchange,
) -> None:
    client = await start_exchange(speed=20.0, window_seconds=30)
    random = Random(11)
    ticker = await client.open_ticker()
    socket = await client.socket()
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": {"channels": ["market_lifecycle_v2"]}})
    while (await client.get(f"/markets/{ticker}"))["market"]["status"] == "active":
        await trade_a_little(client, ticker, random)
    settled = {"event_type": "settled", "market_ticker": ticker}
    while not settled.items() <= (await asyncio.wait_for(socket.receive_json(), 10))["msg"].items():
        pass
    books = await client.ledger()
    fills = [fill for fill in books["fills"] if fill["ticker"] == ticker]
    assert len(fills) > 20
    cash = exact(books["deposits"])
    position = Decimal(0)
    for fill in fills:
        count = exact(fill["count_fp"])
        bought_yes = fill["book_side"] == "bid"
        paid = exact(fill["yes_price_dollars"] if bought_yes else fill["no_price_dollars"])
        closing = min(count, max(-position if bought_yes else position, Decimal(0)))
        cash += closing - paid * count - exact(fill["fee_cost"])
        position += count if bought_yes else -count
    result = (await client.get(f"/markets/{ticker}"))["market"]["result"]
    won = max(position, Decimal(0)) if result == "yes" else max(-position, Decimal(0))
    assert exact(books["cash"]) == cash + won
    assert sum(exact(fill["fee_cost"]) for fill in books["fills"]) == exact(books["fees"])
    row = next(row for row in books["settlements"] if row["ticker"] == ticker)
    assert Decimal(row["revenue"]) / 100 == won
    for order in books["orders"]:
        own = [exact(fill["fee_cost"]) for fill in fills if fill["order_id"] == order["order_id"]]
        assert sum(own) == exact(order["taker_fees_dollars"]) + exact(order["maker_fees_dollars"])
    assert exact(books["reserved"]) == 0
