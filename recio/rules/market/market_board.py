"""Which markets are on the board and what is shown of each; a book that is not whole is shown as none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from recio.messages.markets import BoardChange, BookView, Market, MarketBoard, MarketStatus, MarketView
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


def strike_text(market: Market) -> str:
    """The one strike of a market, or the lower one, with all its decimals."""
    strike = market.floor_strike if market.floor_strike is not None else market.cap_strike
    return "not set yet" if strike is None else f"{strike:f}"


def market_view(
    market: Market, book_of: Callable[[Ticker], BookView | None], *, wrong: str = ""
) -> MarketView:
    """`wrong`: why nothing that its book shows can be believed; it is shown as none then."""
    book = None if wrong else book_of(market.ticker)
    return MarketView(market=market, book=book, why_no_book=wrong or (NO_BOOK if book is None else ""))


def everything(board: MarketBoard) -> BoardChange:
    """The whole board as a change of nothing."""
    return BoardChange(
        views=board.markets,
        tickers=tuple(board.by_ticker),
        venue=board.venue,
        heard_at=board.heard_at,
        clock_offset=board.clock_offset,
    )


def apply(board: MarketBoard | None, change: BoardChange) -> MarketBoard:
    """The board with a change, in place; one that was laid out anew has no other markets than it names."""
    if board is None:
        board = MarketBoard(venue=change.venue)
    for view in change.views:
        board.by_ticker[view.market.ticker] = view
    if change.tickers is not None:
        board.by_ticker = {ticker: board.by_ticker[ticker] for ticker in change.tickers}
    board.venue, board.heard_at, board.clock_offset = change.venue, change.heard_at, change.clock_offset
    return board


def news_lines(
    changed: Iterable[Market], before: Mapping[Ticker, Market]
) -> Iterator[tuple[str, dict[str, str]]]:
    """What is to be told: one line for each event that changed, and one for each new reason not to trade markets of it."""
    for event, group in groupby(
        sorted(changed, key=lambda each: each.event_ticker), lambda each: each.event_ticker
    ):
        markets = list(group)
        first = min(markets, key=strike_of)
        yield (
            "market",
            {
                "ticker": _named(event, markets),
                "status": first.status.value,
                "strike": strike_text(first),
                "closes": first.close_time.isoformat(timespec="seconds"),
            },
        )
        for why, same in _newly_untradable(markets, before):
            yield "market not traded", {"ticker": _named(event, same), "why": why}


def _newly_untradable(
    markets: Iterable[Market], before: Mapping[Ticker, Market]
) -> Iterator[tuple[str, list[Market]]]:
    """By reason, the markets that are not traded for one that they did not have before."""
    had = {ticker: each.untradable for ticker, each in before.items()}
    news = [each for each in markets if each.untradable and had.get(each.ticker) != each.untradable]
    for why, same in groupby(sorted(news, key=lambda each: each.untradable), lambda each: each.untradable):
        yield why, list(same)


def _named(event: EventTicker, markets: list[Market]) -> str:
    return markets[0].ticker if len(markets) == 1 else f"{event} ({len(markets)} strikes)"


def blind(board: MarketBoard, now: datetime) -> list[Ticker]:
    """Markets that trade while their book is unknown; after the close a venue may have none to show."""
    return [
        view.market.ticker
        for view in board.by_ticker.values()
        if view.book is None and view.market.status is MarketStatus.ACTIVE and view.market.close_time > now
    ]


def sentence(board: MarketBoard) -> str:
    """What market_sync says of itself."""
    views = board.markets
    if not views:
        return "no market is open or listed"
    events = {view.market.event_ticker: view.market.status for view in views}
    whole = sum(view.book is not None for view in views)
    shown = ", ".join(f"{event} is {status}" for event, status in events.items())
    return f"{shown}; {whole} of {len(views)} books whole"


def traded_shard(board: MarketBoard | None) -> int | None:
    """The shard of the markets that are traded; None where no market says so."""
    return next((view.market.exchange_index for view in (board.markets if board else ())), None)
