"""The keyless spot feed that speaks Coinbase Exchange's protocol: subscribing to channels; it makes no prices."""

from __future__ import annotations

from typing import Literal

import msgspec
from aiohttp import web

from recio.exchange_sim.faults.faults import Faults
from recio.exchange_sim.spot import coinbase_frames
from recio.exchange_sim.spot.feeds import FEEDS, Feed
from recio.exchange_sim.spot.sockets import serve_feed
from recio.exchange_sim.wire.outbox import Outbox
from recio.exchange_sim.wire.texts import Json

_SHOWN = {coinbase_frames.BOOK: "level2_50"}
"""Channels that the feed calls by another name in its answers."""
CHANNELS = frozenset({"matches", "ticker", "heartbeat", coinbase_frames.BOOK})


class NamedChannel(msgspec.Struct):
    name: str
    product_ids: list[str] = []


class CoinbaseRequest(msgspec.Struct):
    type: Literal["subscribe", "unsubscribe"]
    product_ids: list[str] = []
    channels: list[str | NamedChannel] = []

    def asked(self) -> list[tuple[str, str]]:
        """Every channel with every product it is asked for; an unsubscribe without products means all."""
        found: list[tuple[str, str]] = []
        for channel in self.channels:
            name = channel if isinstance(channel, str) else channel.name
            own = [] if isinstance(channel, str) else channel.product_ids
            found += [(name, product) for product in dict.fromkeys([*own, *self.product_ids])]
        return found


class CoinbaseClient:
    """One connected listener and what it asked for."""

    def __init__(self, feed: Feed, outbox: Outbox) -> None:
        self._feed = feed
        self._outbox = outbox
        self._asked: dict[tuple[str, str], None] = {}

    def answer(self, text: str) -> None:
        """Carry out one request, or say in the feed's words why not."""
        try:
            request = msgspec.json.decode(text, type=CoinbaseRequest)
        except (msgspec.DecodeError, RecursionError):
            self._outbox.put_object({"type": "error", "message": "Malformed JSON"})
            return
        reason = self._refusal(request)
        if reason is not None:
            answer = {"type": "error", "message": "Failed to subscribe", "reason": reason}
            self._outbox.put_object(answer)
        elif request.type == "subscribe":
            self._subscribe(request.asked())
        else:
            self._unsubscribe(request)

    def _subscribe(self, asked: list[tuple[str, str]]) -> None:
        fresh = [place for place in asked if place not in self._asked]
        for channel, product in fresh:
            self._asked[channel, product] = None
            self._feed.subscribe(self._outbox, channel, product)
        self._list()
        for channel, product in fresh:
            self._start(channel, product)

    def _start(self, channel: str, product: str) -> None:
        """What a channel begins with."""
        if self._feed.quiet:
            return
        market = self._feed.markets[product]
        if channel == "matches":
            self._outbox.put_object(coinbase_frames.match_message(market, market.last, "last_match"))
        elif channel == "ticker":
            self._outbox.put_object(coinbase_frames.ticker_message(market, market.last))
        elif channel == coinbase_frames.BOOK:
            self._outbox.put_object(coinbase_frames.snapshot_message(market))

    def _unsubscribe(self, request: CoinbaseRequest) -> None:
        names = {channel if isinstance(channel, str) else channel.name for channel in request.channels}
        products = {product for _, product in request.asked()} or set(request.product_ids)
        for channel, product in list(self._asked):
            if (not names or channel in names) and (not products or product in products):
                del self._asked[channel, product]
                self._feed.unsubscribe(self._outbox, channel, product)
        self._list()

    def _list(self) -> None:
        by_channel: dict[str, list[str]] = {}
        for channel, product in self._asked:
            by_channel.setdefault(channel, []).append(product)
        listed: list[Json] = [
            {"name": _SHOWN.get(channel, channel), "product_ids": products, "account_ids": None}
            for channel, products in by_channel.items()
        ]
        self._outbox.put_object({"type": "subscriptions", "channels": listed})

    def _refusal(self, request: CoinbaseRequest) -> str | None:
        if not request.channels and request.type == "subscribe":
            return "No channels provided"
        for channel in request.channels:
            name = channel if isinstance(channel, str) else channel.name
            if name not in CHANNELS:
                return f"{name} is not a valid channel"
        products = {product for _, product in request.asked()} | set(request.product_ids)
        wrong = next((product for product in sorted(products) if product not in self._feed.markets), None)
        if wrong is not None:
            return f"{wrong} is not a valid product"
        return None if products or request.type == "unsubscribe" else "No products provided"


def coinbase_feed(faults: Faults) -> Feed:
    return Feed(
        coinbase_frames.NAME,
        faults,
        publish=coinbase_frames.publish,
        heartbeat=coinbase_frames.heartbeat,
        books=frozenset({coinbase_frames.BOOK}),
    )


async def coinbase_socket(request: web.Request) -> web.WebSocketResponse:
    feed = request.app[FEEDS].by_name[coinbase_frames.NAME]
    return await serve_feed(request, feed, lambda _, feed, outbox: CoinbaseClient(feed, outbox).answer)
