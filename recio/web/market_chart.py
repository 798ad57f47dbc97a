"""One market over its life, for its chart: the price, quotes and model as they were seen, own trades; asked for only while a chart is open."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

import asyncpg

from recio.db import chart_rows
from recio.db.connection import Connection
from recio.messages.markets import Market
from recio.messages.prices import Prices, PriceView
from recio.rules.market.settlement import PRINTS, forming
from recio.units import Price, Side, Ticker, price_of, price_text, quantity_of, quantity_text
from recio.web.answers import Nothing
from recio.web.chart_answers import (
    AverageColumns,
    MarketChart,
    MarketPath,
    MomentumColumns,
    OwnMark,
    PriceColumns,
    QuoteColumns,
    StrikeRow,
)
from recio.web.history import reading
from recio.web.interface import Asked, Route
from recio.web.market_history import PER_WHOLE, MarketHistory, Quotes
from recio.web.refusals import NotAsked

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
SPAN = timedelta(hours=1)
"""Of the past; a market that opened later begins then, and one whose own trades are older begins with them."""
AHEAD = SPAN / 4
"""Of the time to come, where the close is further away than SPAN."""
POINTS = 360
"""Of the price, beside each second of the closing minute."""
STRIKES = 21
"""Of the event, those nearest to the price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a chart needs to know of its market."""

    ticker: str
    event: str
    symbol: str
    opened_at: datetime
    closes_at: datetime
    strike: StrikeRow

    @property
    def close_second(self) -> int:
        return int(self.closes_at.timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The time that a chart shows."""

    begins: datetime
    ends: datetime

    @property
    def first(self) -> int:
        """In Unix seconds, as the last."""
        return int(self.begins.timestamp())

    @property
    def last(self) -> int:
        return int(self.ends.timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Dollars of the coin by Unix second."""

    price: Mapping[int, Decimal]
    prints: Mapping[int, Decimal]
    """Of the index, in the closing minute."""


def chart_route(
    pool: Pool,
    history: MarketHistory,
    prices: Callable[[], Prices | None],
    series: Mapping[str, str],
    now: Callable[[], datetime],
) -> Route:
    """`series`: the coin of each series. `now`: market time."""

    async def tell(asked: Asked[Nothing, Nothing, MarketPath]) -> MarketChart:
        ticker = Ticker(asked.path.ticker)
        quotes = history.markets.get(ticker)
        async with reading(pool) as connection:
            terms = None if quotes is None else _of_market(quotes.market)
            if terms is None:
                row = await chart_rows.market(connection, ticker)
                terms = None if row is None else _of_row(row, series)
            if terms is None:
                raise NotAsked(404, f"ticker = {ticker}: no such market is known, or it was forgotten")
            rows = await chart_rows.beside(connection, ticker, terms.event, terms.opened_at, terms.closes_at)
            own = [*_fills(rows.fills), *_paper(rows.paper)]
            time = stretch(terms, own, now())
            stored = await _stored(connection, terms, time)
        view = None if (said := prices()) is None else said.by_symbol.get(terms.symbol)
        heard = Heard(
            price=stored | _just_heard(view, time, stored),
            prints=history.closing.get((terms.symbol, terms.close_second), {}) | _just_printed(view, terms),
        )
        return _chart(terms, time, now(), heard, rows, own, history)

    return Route(
        method="GET", path="/markets/{ticker}/chart", name="market_chart", gives=MarketChart, do=tell, parts=MarketPath,
        summary="A market over its life, with own trades", refusals=(404,),
    )  # fmt: skip


def _chart(
    terms: Terms,
    time: Stretch,
    now: datetime,
    heard: Heard,
    rows: chart_rows.Beside,
    own: Sequence[OwnMark],
    history: MarketHistory,
) -> MarketChart:
    points = sorted(heard.price.items())
    level = points[-1][1] if points else None
    return MarketChart(
        ticker=terms.ticker,
        event=terms.event,
        symbol=terms.symbol,
        begins_at=time.begins,
        ends_at=time.ends,
        closes_at=terms.closes_at,
        now=now,
        strike=terms.strike,
        strikes=nearest([_strike(row) for row in rows.strikes], level),
        price=PriceColumns(at=[at for at, _ in points], price=[f"{value:f}" for _, value in points]),
        quotes=quote_columns(history.markets.get(Ticker(terms.ticker)), history.since, time),
        average=average(heard, terms),
        momentum=_momentum(history.momentum.get(terms.symbol, {}), time),
        own=sorted(own, key=lambda each: each.at),
        has_more_own=rows.is_cut,
        result=rows.result,
    )


def average(heard: Heard, terms: Terms) -> AverageColumns:
    """Of the index where one of its prints was heard in that minute, else of the price."""
    values = heard.prints or heard.price
    formed = list(forming(values, terms.close_second))
    return AverageColumns(
        source="index" if heard.prints else "price" if formed else "none",
        at=[at for at, _, _ in formed],
        mean=[f"{mean:.6f}" for _, mean, _ in formed],
        values=[number for _, _, number in formed],
    )


def quote_columns(quotes: Quotes | None, since: datetime | None, time: Stretch) -> QuoteColumns:
    """Of what is kept in memory, within that time."""
    if quotes is None:
        return QuoteColumns(kept_since=None, at=[], yes_bid=[], yes_ask=[], probability=[])
    first = bisect_left(quotes.at, time.first)
    return QuoteColumns(
        kept_since=since,
        at=list(quotes.at[first:]),
        yes_bid=[_price(each) for each in quotes.bid[first:]],
        yes_ask=[_price(each) for each in quotes.ask[first:]],
        probability=[None if each < 0 else each / PER_WHOLE for each in quotes.probability[first:]],
    )


def nearest(strikes: Sequence[StrikeRow], level: Decimal | None) -> list[StrikeRow]:
    """In the given order; without a price the middle of the ladder."""

    def distance(number: int) -> Decimal:
        strike = strikes[number].floor_strike or strikes[number].cap_strike
        if level is None or strike is None:
            return Decimal(abs(number - len(strikes) // 2))
        return abs(Decimal(strike) - level)

    chosen = sorted(range(len(strikes)), key=distance)[:STRIKES]
    return [strikes[number] for number in sorted(chosen)]


def stretch(terms: Terms, own: Sequence[OwnMark], now: datetime) -> Stretch:
    """To the close, or, while that is far, to a little beyond now."""
    ends = terms.closes_at if now > terms.closes_at - SPAN else max(now, terms.opened_at) + AHEAD
    past = min([min(now, terms.closes_at) - SPAN, terms.closes_at - SPAN, *(each.at for each in own)])
    return Stretch(begins=max(terms.opened_at, past), ends=ends)


async def _stored(connection: Connection, terms: Terms, time: Stretch) -> dict[int, Decimal]:
    step = max(1, (time.last - time.first) // POINTS)
    whole_from = terms.close_second - PRINTS
    rows = await chart_rows.price(
        connection, terms.symbol, time.first, time.last, step=step, whole_from=whole_from
    )
    return {row["second"]: row["price"] for row in rows}


def _just_heard(view: PriceView | None, time: Stretch, stored: Mapping[int, Decimal]) -> dict[int, Decimal]:
    """What came after the newest second that is stored."""
    newest = max(stored, default=time.first - 1)
    heard = () if view is None else view.last_minute
    return {at: value for at, value in heard if newest < at <= time.last}


def _just_printed(view: PriceView | None, terms: Terms) -> dict[int, Decimal]:
    prints = () if view is None else view.prints
    return {at: value for at, value in prints if terms.close_second - PRINTS <= at < terms.close_second}


def _momentum(points: Mapping[int, float], time: Stretch) -> MomentumColumns:
    within = [(at, bp) for at, bp in points.items() if time.first <= at <= time.last]
    return MomentumColumns(at=[at for at, _ in within], basis_points=[round(bp, 2) for _, bp in within])


def _of_market(market: Market) -> Terms:
    return Terms(
        ticker=market.ticker,
        event=market.event_ticker,
        symbol=market.symbol,
        opened_at=market.open_time,
        closes_at=market.close_time,
        strike=StrikeRow(
            ticker=market.ticker,
            strike_type=market.strike_type.value,
            floor_strike=_number(market.floor_strike),
            cap_strike=_number(market.cap_strike),
        ),
    )


def _of_row(row: asyncpg.Record, series: Mapping[str, str]) -> Terms:
    return Terms(
        ticker=row["ticker"],
        event=row["event_ticker"],
        symbol=series.get(row["series_ticker"], row["series_ticker"]),
        opened_at=row["open_time"],
        closes_at=row["close_time"],
        strike=_strike(row),
    )


def _strike(row: asyncpg.Record) -> StrikeRow:
    return StrikeRow(
        ticker=row["ticker"],
        strike_type=row["strike_type"],
        floor_strike=_number(row["floor_strike"]),
        cap_strike=_number(row["cap_strike"]),
    )


def _fills(rows: Sequence[asyncpg.Record]) -> Iterator[OwnMark]:
    for row in rows:
        yes = price_of(row["price"])
        own = yes if row["side"] == Side.YES else price_of(1 - row["price"])
        yield OwnMark(
            kind="real",
            number=str(row["trade_id"]),
            ticker=row["ticker"],
            strategy=row["strategy"],
            side=row["side"],
            what="bought" if row["purpose"] == "entry" else "sold",
            at=row["at"],
            price=price_text(own),
            quantity=quantity_text(quantity_of(row["quantity"])),
        )


def _paper(rows: Sequence[asyncpg.Record]) -> Iterator[OwnMark]:
    """A trade on paper keeps the mean of what it paid and got, and when the last contract was sold."""
    for row in rows:
        for what, at, contracts, dollars in (
            ("bought", row["decided_at"], row["quantity"], row["cost"]),
            ("sold", row["sold_at"], row["sold"], row["proceeds"]),
        ):
            if at is not None:
                yield OwnMark(
                    kind="shadow",
                    number=str(row["paper_trade_id"]),
                    ticker=row["ticker"],
                    strategy=row["strategy"],
                    side=row["side"],
                    what="bought" if what == "bought" else "sold",
                    at=at,
                    price=f"{dollars / contracts:.4f}",
                    quantity=quantity_text(quantity_of(contracts)),
                )


def _price(units: int) -> str | None:
    return None if units < 0 else price_text(Price(units))


def _number(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"
