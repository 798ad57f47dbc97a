"""The board's wire: every reader learns of every change, each once, and nothing that did not change is copied."""

from __future__ import annotations

from recio.board_wire import BoardWire
from recio.messages.markets import MarketView
from recio.units import Ticker
from tests.builders import NOW, TRADING, book, market, view

FIRST, SECOND = Ticker("KX-1"), Ticker("KX-2")


def of(ticker: Ticker, bid: int = 5_000) -> MarketView:
    return view(market(ticker=ticker), book(bid, bid + 200))


def published(wire: BoardWire) -> None:
    wire.publish(venue=TRADING, heard_at=NOW, clock_offset=None)


def laid_out(*views: MarketView) -> BoardWire:
    wire = BoardWire()
    wire.lay_out(views)
    published(wire)
    return wire


def test_before_anything_is_published_there_is_no_board():
    assert BoardWire().get() is None


def test_each_reader_is_told_of_a_change_once_and_of_the_newest():
    wire = laid_out(of(FIRST), of(SECOND))
    board = wire.get()
    assert board is not None
    one, other = wire.watch(), wire.watch()
    one.take(board)
    wire.put(of(FIRST, 5_100))
    wire.put(of(FIRST, 5_200))
    published(wire)
    assert one.take(board).views == (of(FIRST, 5_200),)
    assert one.take(board).views == ()
    assert other.take(board).tickers == (FIRST, SECOND)


def test_a_new_reader_is_told_of_the_whole_board():
    wire = laid_out(of(FIRST), of(SECOND))
    board = wire.get()
    assert board is not None
    change = wire.watch().take(board)
    assert (change.views, change.tickers) == ((of(FIRST), of(SECOND)), (FIRST, SECOND))


def test_a_board_laid_out_anew_is_told_whole_and_holds_no_other_market():
    wire = laid_out(of(FIRST), of(SECOND))
    watch, board = wire.watch(), wire.get()
    assert board is not None
    watch.take(board)
    wire.put(of(FIRST, 5_100))
    wire.lay_out([of(SECOND)])
    published(wire)
    change = watch.take(board)
    assert (change.views, change.tickers) == ((of(SECOND),), (SECOND,))
    assert list(board.by_ticker) == [SECOND]


def test_a_change_leaves_the_views_of_all_others_the_same_objects():
    wire = laid_out(of(FIRST), of(SECOND))
    board = wire.get()
    assert board is not None
    untouched = board.by_ticker[SECOND]
    wire.put(of(FIRST, 5_100))
    published(wire)
    assert wire.get() is board
    assert board.by_ticker[SECOND] is untouched
