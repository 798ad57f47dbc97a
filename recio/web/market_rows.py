"""The market part of GET /status: prices, the venue itself and the strike board, as plain values; it reads only.

Decimals are strings, times RFC 3339, and null is unknown: never zero, never one half.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from recio.kalshi.rate_limit import LimitsView
from recio.messages.account import PrivateStream
from recio.messages.decisions import StrikeAssessment
from recio.messages.markets import MarketBoard, MarketView, VenueRead
from recio.messages.prices import Prices, PriceView, SourceView
from recio.rules.market.quotes import ask_of, bid_of
from recio.times import time_text
from recio.units import (
    EventTicker,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    money_decimal,
    price_text,
    quantity_text,
)
from recio.wires import Wires

SHOWN_STRIKES = 21
"""Of each event, nearest to the price; `?board=all` shows every one."""


def price_rows(prices: Prices, now: datetime) -> list[dict[str, Any]]:
    symbols = [*prices.by_symbol, *(each for each in prices.sources if each not in prices.by_symbol)]
    return [_price_of(symbol, prices, now) for symbol in symbols]


def _price_of(symbol: str, prices: Prices, now: datetime) -> dict[str, Any]:
    view = prices.by_symbol.get(symbol)
    sources = prices.sources.get(symbol, view.sources if view else ())
    shown: dict[str, Any] = {
        "symbol": symbol,
        "sources": [_source(each, now) for each in sources],
        "source": None,
        "price": None,
        "at": None,
        "age_seconds": None,
        "volatility": None,
        "unreliable": "no price yet",
    }
    return shown if view is None else shown | _known_price(view, now)


def _known_price(view: PriceView, now: datetime) -> dict[str, Any]:
    return {
        "source": view.tick.source,
        "price": str(view.tick.price),
        "at": time_text(view.tick.at),
        "age_seconds": age_seconds(view.tick.at, now),
        "volatility": None if view.volatility is None else f"{view.volatility:.9f}",
        "unreliable": view.unreliable or view.doubt,
    }


def _source(source: SourceView, now: datetime) -> dict[str, Any]:
    return {
        "source": source.source,
        "state": source.state.value,
        "price": None if source.price is None else str(source.price),
        "age_seconds": None if source.at is None else age_seconds(source.at, now),
        "note": source.note,
    }


def venue_row(wires: Wires, limits: LimitsView, now: datetime) -> dict[str, Any]:
    """What the venue says of itself, and how old what was read of it is."""
    listings = wires.listings.get()
    reads = listings.reads if listings else ()
    board = wires.board.get()
    state = None if board is None else board.venue
    pause = None if state is None else state.next_pause
    index = wires.index.get()
    return {
        "phase": None if state is None else state.phase.value,
        "resumes_at": None if state is None or state.resumes_at is None else time_text(state.resumes_at),
        "next_pause": None if pause is None else [time_text(pause[0]), time_text(pause[1])],
        "clock_offset_seconds": None
        if board is None or board.clock_offset is None
        else round(board.clock_offset, 3),
        "private_stream": _private_stream(wires.private_stream.get(), now),
        "index": None if index is None else index.why_none,
        "limits": asdict(limits),
        "reads": [_read(each, now) for each in reads],
        "read": _read_sentence(reads, now),
    }


def _private_stream(stream: PrivateStream | None, now: datetime) -> dict[str, Any] | None:
    """How far the channels of our orders and fills lag behind; None before the first message that told when it was sent."""
    if stream is None:
        return None
    return {
        "lag_seconds": round(stream.lag_seconds, 3),
        "worst_seconds": round(stream.worst_seconds, 3),
        "messages": stream.messages,
        "age_seconds": age_seconds(stream.heard_at, now),
    }


def _read_sentence(reads: Sequence[VenueRead], now: datetime) -> str:
    """How old the oldest of what is known is, and how much of it cannot be read."""
    if not reads:
        return "nothing read yet"
    oldest, failing = max(reads, key=lambda each: _overdue(each, now)), [each for each in reads if each.fault]
    age = (
        "not yet"
        if oldest.confirmed_at is None
        else f"{(now - oldest.confirmed_at).total_seconds():.0f} s ago"
    )
    fails = f"{len(failing)} of {len(reads)} reads fail; " if failing else ""
    return f"{fails}{oldest.name} read {age}"


def _overdue(read: VenueRead, now: datetime) -> float:
    """How far beyond its own rhythm a read is; one that never succeeded comes first."""
    known_at = read.confirmed_at
    return math.inf if known_at is None else (now - known_at).total_seconds() - read.every


def _read(read: VenueRead, now: datetime) -> dict[str, Any]:
    return {
        "read": read.name,
        "every_seconds": read.every,
        "confirmed_at": None if read.confirmed_at is None else time_text(read.confirmed_at),
        "age_seconds": None if read.confirmed_at is None else age_seconds(read.confirmed_at, now),
        "fault": read.fault,
    }


def board_rows(wires: Wires, now: datetime, *, whole: bool) -> list[dict[str, Any]]:
    board = wires.board.get()
    said = wires.assessments.get()
    by_ticker = {each.ticker: each for each in (said.strikes if said else ())}
    watching = said.watchlist if said else ()
    markets = () if board is None else board.markets if whole else _nearest(board.markets, wires)
    strikes = Counter(view.market.event_ticker for view in (board.markets if board else ()))
    return [
        _board_row(view, by_ticker.get(view.market.ticker), now, watched=view.market.ticker in watching)
        | {
            "event_strikes": strikes[view.market.event_ticker],
            "book_age_seconds": _book_age(board, view, now),
        }
        for view in markets
    ]


def _nearest(markets: Sequence[MarketView], wires: Wires) -> list[MarketView]:
    """Of each event the strikes nearest to the price, and wherever something is held; in the given order."""
    trades, prices = wires.open_trades.get(), wires.prices.get() or Prices()
    held = {trade.ticker for trade in (trades.trades if trades else ())}
    by_event: dict[EventTicker, list[MarketView]] = {}
    for view in markets:
        by_event.setdefault(view.market.event_ticker, []).append(view)
    chosen: set[Ticker] = set(held)
    for views in by_event.values():
        near = sorted(views, key=lambda view: _distance(view, prices))
        chosen |= {view.market.ticker for view in near[:SHOWN_STRIKES]}
    return [view for view in markets if view.market.ticker in chosen]


def _distance(view: MarketView, prices: Prices) -> Decimal:
    price = prices.by_symbol.get(view.market.symbol)
    strike = view.market.floor_strike if view.market.floor_strike is not None else view.market.cap_strike
    return Decimal(0) if price is None or strike is None else abs(strike - price.tick.price)


def _board_row(
    view: MarketView, strike: StrikeAssessment | None, now: datetime, *, watched: bool
) -> dict[str, Any]:
    market = view.market
    yes_bid, yes_ask = bid_of(view, Side.YES), ask_of(view, Side.YES)
    no_bid, no_ask = bid_of(view, Side.NO), ask_of(view, Side.NO)
    return {
        "ticker": market.ticker,
        "event": market.event_ticker,
        "symbol": market.symbol,
        "strike": _number(market.floor_strike if market.floor_strike is not None else market.cap_strike),
        "cap_strike": _number(market.cap_strike),
        "strike_type": market.strike_type.value,
        "closes_at": time_text(market.close_time),
        "seconds_to_close": round((market.close_time - now).total_seconds(), 1),
        "status": market.status.value,
        "yes_bid": _price(yes_bid),
        "yes_ask": _price(yes_ask),
        "no_bid": _price(no_bid),
        "no_ask": _price(no_ask),
        "yes_ask_size": None if yes_ask is None else quantity_text(yes_ask[1]),
        "no_ask_size": None if no_ask is None else quantity_text(no_ask[1]),
        "probability": None if strike is None or strike.probability is None else round(strike.probability, 4),
        "edge_yes": None if strike is None else dollars_text(strike.yes_edge),
        "edge_no": None if strike is None else dollars_text(strike.no_edge),
        "book_ok": view.book is not None,
        "watched": watched,
        "note": ("watched: " if watched else "")
        + ((strike.note if strike is not None else "") or view.why_no_book),
    }


def _book_age(board: MarketBoard | None, view: MarketView, now: datetime) -> float | None:
    if board is None or board.heard_at is None or view.book is None:
        return None
    return age_seconds(board.heard_at, now)


def age_seconds(at: datetime, now: datetime) -> float:
    return round((now - at).total_seconds(), 2)


def _number(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _price(quote: tuple[Price, Quantity] | None) -> str | None:
    return None if quote is None else price_text(quote[0])


def dollars_text(amount: Money | None) -> str | None:
    return None if amount is None else f"{money_decimal(amount):.4f}"
