"""The stand-in's WebSocket channels: books with their sequence, the account's own messages, and the price source; it measures nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from benchmarks.venue.market import BookOfMarket, Ladder, delta_frame, stamp
from benchmarks.venue.wire import Socket

BOOKS = "orderbook_delta"
PRODUCT = "BTC-USD"


@dataclass(slots=True)
class VenueChannels:
    """The newest socket to the venue: whoever connects next takes its place."""

    ladder: Ladder
    socket: Socket | None = None
    sids: dict[str, int] = field(default_factory=dict[str, int])
    wanted: set[str] = field(default_factory=set[str])
    seq: int = 0

    def open(self, socket: Socket) -> Callable[[str], None]:
        self.socket, self.sids, self.wanted, self.seq = socket, {}, set(), 0
        return self._command

    def delta(self, book: BookOfMarket, side: str, price: str, amount: int) -> bytes | None:
        """The change made in the book, and its frame if anybody listens to it."""
        book.change(side, price, amount)
        if self.socket is None or not self.socket.is_open or book.ticker not in self.wanted:
            return None
        self.seq += 1
        return delta_frame(book, side, price, amount, self.sids[BOOKS], self.seq)

    def send(self, frame: bytes | None) -> None:
        if frame is not None and self.socket is not None:
            self.socket.text(frame)

    def private(self, channel: str, kind: str, body: dict[str, Any]) -> None:
        if channel in self.sids:
            self.send(json.dumps({"type": kind, "sid": self.sids[channel], "msg": body}).encode())

    def _say(self, **frame: Any) -> None:
        assert self.socket is not None
        self.socket.text(json.dumps(frame).encode())

    def _command(self, text: str) -> None:
        asked = json.loads(text)
        number, params = asked["id"], asked.get("params", {})
        match asked["cmd"], params.get("action"):
            case "subscribe", _:
                self._subscribe(number, params)
            case "list_subscriptions", _:
                msg = [{"channel": channel, "sid": sid} for channel, sid in self.sids.items()]
                self._say(id=number, type="ok", msg=msg)
            case _, action:
                tickers = params.get("market_tickers", [])
                self._say(id=number, type="ok", msg={"market_tickers": tickers})
                if action == "delete_markets":
                    self.wanted -= set(tickers)
                else:
                    self._snapshots(tickers)

    def _subscribe(self, number: int, params: dict[str, Any]) -> None:
        for channel in params["channels"]:
            sid = self.sids.setdefault(channel, len(self.sids) + 1)
            self._say(id=number, type="subscribed", msg={"channel": channel, "sid": sid})
        if BOOKS in params["channels"]:
            self._snapshots(params.get("market_tickers", []))

    def _snapshots(self, tickers: Iterable[str]) -> None:
        books = {each.ticker: each for each in self.ladder.books}
        for ticker in tickers:
            self.wanted.add(ticker)
            self.seq += 1
            self._say(
                type="orderbook_snapshot", sid=self.sids[BOOKS], seq=self.seq, msg=books[ticker].snapshot()
            )


@dataclass(slots=True)
class PriceChannel:
    """Coinbase's feed of one coin, by every socket that is open to it."""

    sockets: list[Socket] = field(default_factory=list[Socket])
    trades: int = 0

    def open(self, socket: Socket) -> Callable[[str], None]:
        self.sockets = [*(each for each in self.sockets if each.is_open), socket]
        return lambda _text: None

    def match(self, price: float) -> bytes:
        self.trades += 1
        body = {
            "type": "match",
            "trade_id": self.trades,
            "product_id": PRODUCT,
            "price": f"{price:.2f}",
            "size": "0.01",
            "side": "buy",
            "time": stamp(datetime.now(UTC)),
        }
        return json.dumps(body).encode()

    def heartbeat(self) -> bytes:
        body = {
            "type": "heartbeat",
            "last_trade_id": self.trades,
            "product_id": PRODUCT,
            "time": stamp(datetime.now(UTC)),
        }
        return json.dumps(body).encode()

    def send(self, frame: bytes) -> None:
        for socket in self.sockets:
            if socket.is_open:
                socket.text(frame)
