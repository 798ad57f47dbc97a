"""The keyless spot feed that speaks Kraken's version 2 protocol: subscribe, unsubscribe, ping; it makes no prices."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from aiohttp import web

from recio.exchange_sim.clock import VenueClock, iso_micros
from recio.exchange_sim.faults.faults import Faults
from recio.exchange_sim.spot import kraken_frames
from recio.exchange_sim.spot.feeds import FEEDS, Feed
from recio.exchange_sim.spot.sockets import serve_feed
from recio.exchange_sim.spot.spot_market import SpotMarket
from recio.exchange_sim.wire.outbox import Outbox
from recio.exchange_sim.wire.texts import Json

CHANNELS = ("book", "ticker", "trade")
_TRIGGERS = ("bbo", "trades")


class KrakenParams(msgspec.Struct):
    channel: str = ""
    symbol: list[str] = []
    depth: int = 10
    snapshot: bool | None = None
    event_trigger: str = "trades"


class KrakenRequest(msgspec.Struct):
    method: str
    params: KrakenParams = msgspec.field(default_factory=KrakenParams)
    req_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KrakenSubscription:
    """What a subscription asks for, apart from the symbol."""

    channel: str
    place: str
    """The feed's name for the channel with its options."""
    snapshot: bool
    shown: Json
    """The options as a reply repeats them."""


class KrakenClient:
    """One connected listener."""

    def __init__(self, clock: VenueClock, feed: Feed, outbox: Outbox) -> None:
        self._clock = clock
        self._feed = feed
        self._outbox = outbox
        self._places: set[tuple[str, str]] = set()
        self._beating = ""
        """The symbol whose heartbeats this connection gets."""
        status: Json = {
            "version": "2.0.10",
            "system": "online",
            "api_version": "v2",
            "connection_id": (id(self) << 20) + self._clock.milliseconds() % 1_000_000,
        }
        self._outbox.put_object({"channel": "status", "type": "update", "data": [status]})

    def answer(self, text: str) -> None:
        """Carry out one request; every symbol is answered on its own."""
        received = self._now()
        try:
            request = msgspec.json.decode(text, type=KrakenRequest)
        except (msgspec.DecodeError, RecursionError):
            self._reply(received, None, {"error": "Malformed request", "method": "", "success": False})
            return
        if request.method == "ping":
            self._reply(received, request.req_id, {"method": "pong"})
        elif request.method in ("subscribe", "unsubscribe"):
            self._change(received, request)
        else:
            refused: Json = {"error": "Unknown method", "method": request.method, "success": False}
            self._reply(received, request.req_id, refused)

    def _change(self, received: str, request: KrakenRequest) -> None:
        error = _flaw(request.params)
        if error is not None:
            refused: Json = {"error": error, "method": request.method, "success": False}
            self._reply(received, request.req_id, refused)
            return
        asked = _asked(request.params)
        accepted = [symbol for symbol in request.params.symbol if self._one(received, request, asked, symbol)]
        if request.method == "subscribe" and asked.snapshot and not self._feed.quiet:
            for symbol in accepted:
                self._outbox.put(_snapshot(self._feed.markets[symbol], asked, request.params.depth))

    def _one(self, received: str, request: KrakenRequest, asked: KrakenSubscription, symbol: str) -> bool:
        """Subscribe or unsubscribe one symbol. False when it is refused."""
        place = (asked.place, symbol)
        if symbol not in self._feed.markets:
            error = f"Currency pair not supported {symbol}"
        elif request.method == "subscribe":
            error = "Already subscribed" if place in self._places else None
        else:
            error = None if place in self._places else "Subscription Not Found"
        if error is not None:
            refused: Json = {"error": error, "method": request.method, "success": False, "symbol": symbol}
            self._reply(received, request.req_id, refused)
            return False
        if request.method == "subscribe":
            self._places.add(place)
            self._feed.subscribe(self._outbox, *place)
        else:
            self._places.discard(place)
            self._feed.unsubscribe(self._outbox, *place)
        self._find_heartbeat()
        result = asked.shown | {"symbol": symbol}
        self._reply(received, request.req_id, {"method": request.method, "result": result, "success": True})
        return True

    def _find_heartbeat(self) -> None:
        """One heartbeat a second, however many symbols are subscribed."""
        symbols = sorted({symbol for _, symbol in self._places})
        if self._beating in symbols:
            return
        self._feed.unsubscribe(self._outbox, "heartbeat", self._beating)
        self._beating = symbols[0] if symbols else ""
        if symbols:
            self._feed.subscribe(self._outbox, "heartbeat", self._beating)

    def _reply(self, received: str, req_id: int | None, body: Json) -> None:
        stamps: Json = {"time_in": received, "time_out": self._now()}
        number: Json = {} if req_id is None else {"req_id": req_id}
        self._outbox.put_object(body | stamps | number)

    def _now(self) -> str:
        return iso_micros(self._clock.milliseconds(), 0)


def _flaw(params: KrakenParams) -> str | None:
    if params.channel not in CHANNELS:
        return "Channel field not recognized"
    if not params.symbol:
        return "Symbol(s) missing"
    if params.channel == "book" and params.depth not in kraken_frames.DEPTHS:
        return "Subscription depth not supported"
    if params.channel == "ticker" and params.event_trigger not in _TRIGGERS:
        return "Event trigger not supported"
    return None


def _asked(params: KrakenParams) -> KrakenSubscription:
    """The subscription with the defaults of its channel."""
    wanted = params.snapshot
    match params.channel:
        case "book":
            snapshot, place = wanted is not False, kraken_frames.book_channel(params.depth)
            options: Json = {"channel": "book", "depth": params.depth, "snapshot": snapshot}
        case "ticker":
            snapshot, place = wanted is not False, f"ticker:{params.event_trigger}"
            options = {"channel": "ticker", "event_trigger": params.event_trigger, "snapshot": snapshot}
        case _:
            snapshot, place = wanted is True, "trade"
            options = {"channel": "trade", "snapshot": snapshot}
    return KrakenSubscription(channel=params.channel, place=place, snapshot=snapshot, shown=options)


def _snapshot(market: SpotMarket, asked: KrakenSubscription, depth: int) -> bytes:
    if asked.channel == "book":
        return kraken_frames.book_snapshot(market, depth)
    if asked.channel == "ticker":
        return kraken_frames.ticker(market, "snapshot")
    return kraken_frames.trades(market, [market.last], "snapshot")


def kraken_feed(faults: Faults) -> Feed:
    return Feed(
        kraken_frames.NAME,
        faults,
        publish=kraken_frames.publish,
        heartbeat=kraken_frames.heartbeat,
        books=kraken_frames.BOOKS,
    )


async def kraken_socket(request: web.Request) -> web.WebSocketResponse:
    feed = request.app[FEEDS].by_name[kraken_frames.NAME]
    return await serve_feed(
        request, feed, lambda exchange, feed, outbox: KrakenClient(exchange.clock, feed, outbox).answer
    )
