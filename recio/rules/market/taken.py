"""A book as it would be had the trades on paper been real: what they took of a level is not there for them; it takes nothing itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from msgspec.structs import replace as changed

from recio.messages.markets import BookView, MarketBoard, MarketView
from recio.messages.orders import TakenLevel
from recio.units import BookSide, Price, Quantity, Ticker

Levels = tuple[tuple[Price, Quantity], ...]


def board_without(board: MarketBoard | None, taken: Sequence[TakenLevel]) -> MarketBoard | None:
    """The board less what was taken; the very same one if nothing was."""
    if board is None or not taken:
        return board
    less = {
        ticker: view_without(board.by_ticker[ticker], taken)
        for ticker in {each.ticker for each in taken}
        if ticker in board.by_ticker
    }
    return replace(board, by_ticker={**board.by_ticker, **less})


def view_without(view: MarketView, taken: Sequence[TakenLevel]) -> MarketView:
    if view.book is None:
        return view
    book = BookView(
        bids=_left(view.book.bids, _of(view.market.ticker, BookSide.BID, taken)),
        asks=_left(view.book.asks, _of(view.market.ticker, BookSide.ASK, taken)),
    )
    return changed(view, book=book)


def _of(ticker: Ticker, side: BookSide, taken: Sequence[TakenLevel]) -> dict[Price, Quantity]:
    return {each.price: each.quantity for each in taken if each.ticker == ticker and each.side is side}


def _left(levels: Levels, taken: Mapping[Price, Quantity]) -> Levels:
    if not taken:
        return levels
    left = ((price, Quantity(there - taken.get(price, 0))) for price, there in levels)
    return tuple(each for each in left if each[1] > 0)
