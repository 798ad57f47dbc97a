"""Which markets are on the board and what is shown of each; a book that is not whole is shown as none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from datetime import datetime
from decimal import Decimal

from recio.messages.markets import BookView, Market, MarketBoard, MarketStatus, MarketView
from recio.messages.orders import OpenTrades
from recio.units import EventTicker, Ticker

NO_BOOK = "waits for a whole snapshot"


def current(markets: Iterable[Market], now: datetime) -> list[Market]:
    """Of each series the markets of the event that closes next, by the venue's close time; by close and strike."""
    nearest: dict[str, tuple[datetime, EventTicker]] = {}
    ahead = [each for each in markets if each.close_time > now]
    for each in ahead:
        closes = (each.close_time, each.event_ticker)
        nearest[each.series_ticker] = min(nearest.get(each.series_ticker, closes), closes)
    chosen = (each for each in ahead if nearest[each.series_ticker][1] == each.event_ticker)
    return sorted(
        chosen, key=lambda each: (each.close_time, each.series_ticker, strike_of(each), each.ticker)
    )


def held_on(trades: OpenTrades | None) -> frozenset[Ticker]:
    """Markets where a trade lives or an order has no proven end."""
    if trades is None:
        return frozenset()
    return frozenset({*(each.ticker for each in trades.trades), *(each.ticker for each in trades.orders)})


def shown(markets: Mapping[Ticker, Market], held: Set[Ticker], now: datetime) -> list[Market]:
    """The current markets, and after them those that are held elsewhere or whose close has passed."""
    ahead = current(markets.values(), now)
    missing = held - {each.ticker for each in ahead}
    return [*ahead, *(markets[ticker] for ticker in sorted(missing & markets.keys()))]


def wanted(markets: Mapping[Ticker, Market], held: Set[Ticker], now: datetime) -> set[Ticker]:
    """The markets whose books are kept: all whose close is ahead, and all that are held."""
    return {each.ticker for each in markets.values() if each.close_time > now or each.ticker in held}


def strike_of(market: Market) -> Decimal:
    """Where a market stands in its ladder; one without a strike comes first."""
    if market.floor_strike is not None:
        return market.floor_strike
    return Decimal(-1) if market.cap_strike is None else market.cap_strike / 2


def market_view(
    market: Market, book_of: Callable[[Ticker], BookView | None], data_at: datetime
) -> MarketView:
    """`data_at` is the time that the newest data of the books speaks of."""
    book = book_of(market.ticker)
    return MarketView(
        market=market,
        book=book,
        book_at=None if book is None else data_at,
        why_no_book=NO_BOOK if book is None else "",
    )


def blind(board: MarketBoard, now: datetime) -> list[Ticker]:
    """Markets that trade while their book is unknown; after the close a venue may have none to show."""
    return [
        view.market.ticker
        for view in board.markets
        if view.book is None and view.market.status is MarketStatus.ACTIVE and view.market.close_time > now
    ]


def sentence(board: MarketBoard) -> str:
    """What market_sync says of itself."""
    if not board.markets:
        return "no market is open or listed"
    events = {view.market.event_ticker: view.market.status for view in board.markets}
    whole = sum(view.book is not None for view in board.markets)
    shown = ", ".join(f"{event} is {status}" for event, status in events.items())
    return f"{shown}; {whole} of {len(board.markets)} books whole"
