"""A person beside recio on the same account: signed requests with its own key, trades by hand, payments in and out."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from tests.stories.world import World


def person(world: World, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
    """A signed request with the account's own key, as from the venue's app."""
    given = world.credentials
    key: Any = serialization.load_pem_private_key(Path(given["key_path"]).read_bytes(), None)
    clock = given["clock"]
    now = clock["venue_origin"] + (time.time() - clock["host_origin"]) * clock["speed"]
    stamp = str(int(now * 1000))
    text = f"{stamp}{method}/trade-api/v2{path.split('?')[0]}".encode()
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    headers = {
        "KALSHI-ACCESS-KEY": given["key_id"],
        "KALSHI-ACCESS-TIMESTAMP": stamp,
        "KALSHI-ACCESS-SIGNATURE": base64.b64encode(key.sign(text, pss, hashes.SHA256())).decode(),
        "Content-Type": "application/json",
    }
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(given["rest_url"] + path, data=data, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def pay(world: World, kind: str, cents: int, **more: object) -> str:
    url = world.credentials["rest_url"].removesuffix("/trade-api/v2") + "/admin/payments"
    body = json.dumps({"kind": kind, "amount_cents": cents, **more}).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)["id"]


BUY, SELL = ("bid", "0.9900"), ("ask", "0.0100")


def by_hand(world: World, ticker: str, side: str, price: str, number: int) -> bool:
    """Whether somebody was there to trade with."""
    order = {
        "ticker": ticker,
        "side": side,
        "count": "1",
        "price": price,
        "time_in_force": "immediate_or_cancel",
        "self_trade_prevention_type": "taker_at_cross",
        "client_order_id": f"hand-{number}",
    }
    with suppress(urllib.error.HTTPError):  # a market that has just closed
        return person(world, "POST", "/portfolio/events/orders", order)["fill_count"] == "1.00"
    return False


def net(world: World, ticker: str) -> Decimal:
    """What the account holds of it, whoever bought it; below zero: of NO."""
    fills = [each for each in world.ledger()["fills"] if each["ticker"] == ticker]
    return sum(
        (Decimal(each["count_fp"]) * (1 if each["book_side"] == "bid" else -1) for each in fills), Decimal(0)
    )


def open_tickers(world: World) -> list[str]:
    listed = person(world, "GET", "/markets?status=open&limit=1000")["markets"]
    return [each["ticker"] for each in listed if each["status"] == "active"]


def open_ticker(world: World) -> str:
    return next(iter(open_tickers(world)))
