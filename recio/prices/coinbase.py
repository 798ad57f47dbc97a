"""Coinbase Exchange's keyless feed: the last trade of each product, and its heartbeats; nothing is interpolated.

The last trade and not the middle of the book: this feed's book carries no sequence and no checksum, so nobody could
tell a broken one, while each heartbeat names the last trade, which proves that none was missed. On a coin that trades
each second the two differ by less than the spread. Every product is subscribed by a message of its own, because one
unknown name refuses the whole message that it stands in.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from recio.prices.feed import FeedError, Heard, Heartbeat, Parser, Quoted, Source, Unpriced, dollars, moment

NAME = "coinbase"


class _Kind(msgspec.Struct):
    type: str


class _Message(msgspec.Struct):
    product_id: str = ""
    price: str = ""
    time: datetime | None = None
    trade_id: int | None = None
    last_trade_id: int | None = None
    message: str = ""
    reason: str = ""


_kind = msgspec.json.Decoder(_Kind)
_message = msgspec.json.Decoder(_Message)


def source(url: str, products: Mapping[str, str]) -> Source:
    """`products` maps each product, such as BTC-USD, to its symbol."""
    subscribe = tuple(
        {"type": "subscribe", "product_ids": [product], "channels": ["matches", "heartbeat"]}
        for product in products
    )
    return Source(name=NAME, url=url, subscribe=subscribe, parser=lambda: parser(products))


def parser(products: Mapping[str, str]) -> Parser:
    """Keeps the number of each product's newest trade."""
    newest: dict[str, int] = {}

    def parse(raw: str | bytes) -> tuple[Heard, ...]:
        try:
            return _heard(raw, products, newest)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise FeedError(f"{NAME}: {error}") from error

    return parse


def _heard(raw: str | bytes, products: Mapping[str, str], newest: dict[str, int]) -> tuple[Heard, ...]:
    match _kind.decode(raw).type:
        case "match" | "last_match":
            return _traded(_message.decode(raw), products, newest)
        case "heartbeat":
            return (_beat(_message.decode(raw), products, newest),)
        case "error":
            return (_refused(_message.decode(raw), products),)
        case _:
            return ()


def _traded(message: _Message, products: Mapping[str, str], newest: dict[str, int]) -> tuple[Heard, ...]:
    symbol = _symbol(message, products)
    price = dollars(message.price, f"{NAME}: price of {message.product_id}")
    at = moment(message.time, f"{NAME}: time of {message.product_id}")
    number = _number(message.trade_id, "trade_id")
    if number < newest.get(message.product_id, number):
        return ()  # a trade that came late is not the last one
    newest[message.product_id] = number
    return (Quoted(symbol=symbol, price=price, at=at),)


def _beat(message: _Message, products: Mapping[str, str], newest: Mapping[str, int]) -> Heartbeat:
    symbol, last = _symbol(message, products), _number(message.last_trade_id, "last_trade_id")
    unchanged = last <= newest.get(message.product_id, last - 1)
    at = moment(message.time, f"{NAME}: time of {message.product_id}")
    return Heartbeat(at=at, symbol=symbol, unchanged=unchanged)


def _refused(message: _Message, products: Mapping[str, str]) -> Unpriced:
    """An error that names one of our products is about that one only."""
    said = f"{message.message} {message.reason}".strip()[:200]
    named = [symbol for product, symbol in products.items() if product in message.reason.split()]
    if len(named) != 1:
        raise FeedError(f"{NAME}: {said}")
    return Unpriced(symbol=named[0], why=said)


def _symbol(message: _Message, products: Mapping[str, str]) -> str:
    symbol = products.get(message.product_id)
    if symbol is None:
        raise FeedError(f"{NAME}: product_id {message.product_id[:40]!r} was not asked for")
    return symbol


def _number(value: int | None, what: str) -> int:
    if value is None or value < 0:
        raise FeedError(f"{NAME}: {what} {value} is not the number of a trade")
    return value
