"""The keyless spot feed: Coinbase Exchange's subscribe, match, ticker and heartbeat messages; it makes no prices."""

from __future__ import annotations

from typing import Literal
from uuid import UUID, uuid5

import anyio
import msgspec
from aiohttp import WSMsgType, web

from recio.exchange_sim.clock import iso_micros
from recio.exchange_sim.events import SpotHeartbeat, SpotTraded
from recio.exchange_sim.exchange import Exchange, exchange_of
from recio.exchange_sim.rest.market_json import Json
from recio.exchange_sim.ws.hub import SpotEvent
from recio.exchange_sim.ws.sockets import connected, write_queue
from recio.exchange_sim.ws.subscriptions import Session

PRODUCT = "BTC-USD"
CHANNELS = ("matches", "ticker", "heartbeat")
_ORDER_IDS = UUID("5d1c0f5e-0a86-4c52-8f0a-6f2f3c1f7a11")


class NamedChannel(msgspec.Struct):
    name: str
    product_ids: list[str] = []


class Request(msgspec.Struct):
    type: Literal["subscribe", "unsubscribe"]
    product_ids: list[str] = []
    channels: list[str | NamedChannel] = []


class SpotClient:
    """One connected listener and the channels it asked for."""

    def __init__(self, exchange: Exchange, session: Session) -> None:
        self._exchange = exchange
        self._session = session
        self._channels: list[str] = []

    def answer(self, text: str) -> None:
        """Carry out one request, or say in the feed's words why not."""
        try:
            request = msgspec.json.decode(text, type=Request)
        except (msgspec.ValidationError, msgspec.DecodeError):
            self._session.send_object({"type": "error", "message": "Malformed JSON"})
            return
        names = [channel if isinstance(channel, str) else channel.name for channel in request.channels]
        products = {*request.product_ids}
        for channel in request.channels:
            products |= set() if isinstance(channel, str) else set(channel.product_ids)
        reason = _refusal(request, names, products)
        if reason is not None:
            self._session.send_object({"type": "error", "message": "Failed to subscribe", "reason": reason})
            return
        self._change(request.type == "subscribe", names)

    def heard(self, event: SpotEvent) -> None:
        """Pass on what this listener asked for."""
        if isinstance(event, SpotHeartbeat):
            if "heartbeat" in self._channels:
                self._session.send_object(heartbeat_message(event))
            return
        if "matches" in self._channels:
            self._session.send_object(match_message(event, "match"))
        if "ticker" in self._channels:
            self._session.send_object(ticker_message(event))

    def _change(self, subscribing: bool, names: list[str]) -> None:
        fresh = [name for name in names if name not in self._channels]
        if subscribing:
            self._channels += fresh
        else:
            self._channels = [name for name in self._channels if names and name not in names]
        listed = [{"name": name, "product_ids": [PRODUCT], "account_ids": None} for name in self._channels]
        self._session.send_object({"type": "subscriptions", "channels": listed})
        if subscribing and "matches" in fresh:
            self._session.send_object(match_message(self._exchange.simulation.spot.last, "last_match"))


async def spot_socket(request: web.Request) -> web.WebSocketResponse:
    exchange = exchange_of(request)
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    session = Session()
    client = SpotClient(exchange, session)
    async with connected(request, socket), anyio.create_task_group() as tasks:
        exchange.hub.spot_listeners.add(client.heard)
        try:
            tasks.start_soon(write_queue, socket, session)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    exchange.catch_up()
                    client.answer(message.data)
        finally:
            exchange.hub.spot_listeners.discard(client.heard)
            tasks.cancel_scope.cancel()
    return socket


def match_message(event: SpotTraded, kind: str) -> Json:
    return {
        "type": kind,
        "trade_id": event.trade_id,
        "maker_order_id": str(uuid5(_ORDER_IDS, f"maker {event.trade_id}")),
        "taker_order_id": str(uuid5(_ORDER_IDS, f"taker {event.trade_id}")),
        "side": _maker_side(event),
        "size": _size(event.size),
        "price": _price(event.price),
        "product_id": PRODUCT,
        "sequence": event.sequence,
        "time": iso_micros(event.now_ms, event.trade_id % 1000),
    }


def ticker_message(event: SpotTraded) -> Json:
    price = _price(event.price)
    return {
        "type": "ticker",
        "sequence": event.sequence,
        "product_id": PRODUCT,
        "price": price,
        "open_24h": price,
        "volume_24h": "0.00000000",
        "low_24h": price,
        "high_24h": price,
        "volume_30d": "0.00000000",
        "best_bid": _price(event.price if event.buyer_is_maker else event.price - 100),
        "best_bid_size": "0.10000000",
        "best_ask": _price(event.price + 100 if event.buyer_is_maker else event.price),
        "best_ask_size": "0.10000000",
        "side": "sell" if event.buyer_is_maker else "buy",
        "time": iso_micros(event.now_ms, event.trade_id % 1000),
        "trade_id": event.trade_id,
        "last_size": _size(event.size),
    }


def heartbeat_message(event: SpotHeartbeat) -> Json:
    return {
        "type": "heartbeat",
        "last_trade_id": event.last_trade_id,
        "product_id": PRODUCT,
        "sequence": event.sequence,
        "time": iso_micros(event.now_ms, 0),
    }


def _maker_side(event: SpotTraded) -> str:
    """The feed names the maker's side: a buy is a resting bid that was hit."""
    return "buy" if event.buyer_is_maker else "sell"


def _price(cents: int) -> str:
    """8400050 -> '84000.5': the feed trims trailing zeros."""
    return f"{cents // 100}.{cents % 100:02d}".rstrip("0").rstrip(".")


def _size(satoshis: int) -> str:
    return f"{satoshis // 10**8}.{satoshis % 10**8:08d}".rstrip("0").rstrip(".")


def _refusal(request: Request, names: list[str], products: set[str]) -> str | None:
    if not names and request.type == "subscribe":
        return "No channels provided"
    unknown = next((name for name in names if name not in CHANNELS), None)
    if unknown is not None:
        return f"{unknown} is not a valid channel"
    wrong = next((product for product in sorted(products) if product != PRODUCT), None)
    return None if wrong is None else f"{wrong} is not a valid product"
