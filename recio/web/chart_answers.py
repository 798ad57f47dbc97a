"""What the routes behind the charts take and give, as models; times in columns are Unix seconds, and null is unknown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from recio.report.past_trades import Kind
from recio.web.answers import DecimalText, Given, Moment, Taken, TickerText


class MarketPath(Taken):
    ticker: TickerText


class StrikeRow(Given):
    ticker: str
    strike_type: str
    floor_strike: DecimalText | None
    """Dollars of the coin, as the cap."""
    cap_strike: DecimalText | None


class PriceColumns(Given):
    at: list[int]
    price: list[DecimalText]
    """Dollars of the coin: the last of that second."""


class QuoteColumns(Given):
    """One point every five seconds, since `kept_since`; columns of one length."""

    kept_since: datetime | None
    """None: nothing is kept of this market."""
    at: list[int]
    yes_bid: list[DecimalText | None]
    yes_ask: list[DecimalText | None]
    probability: list[float | None]
    """What the model gave YES."""


class AverageColumns(Given):
    """The settlement average as it formed: the mean of the closing minute's values so far."""

    source: Literal["index", "price", "none"]
    """Prints of the settlement index, or, where none was heard, the price made of all sources."""
    at: list[int]
    mean: list[DecimalText]
    values: list[int]
    """Of how many of the sixty values each is the mean."""


class MomentumColumns(Given):
    at: list[int]
    basis_points: list[float]


class OwnMark(Given):
    """One fill of ours, or one purchase or sale on paper."""

    kind: Literal["real", "shadow"]
    number: str
    ticker: str
    """Of the market charted, or of another of its event."""
    strategy: str
    side: Literal["yes", "no"]
    what: Literal["bought", "sold"]
    at: datetime
    price: DecimalText
    """Dollars for one contract of `side`."""
    quantity: DecimalText


class MarketChart(Given):
    """A market over its life: the price against its strikes, what it was worth to the model and the market, and own trades in the whole event."""

    ticker: str
    event: str
    symbol: str
    begins_at: datetime
    ends_at: datetime
    """Of the time that is shown: the close, or a little beyond now while that is far."""
    closes_at: datetime
    now: datetime
    strike: StrikeRow
    strikes: list[StrikeRow]
    """Of the event, ascending: those nearest to the price."""
    price: PriceColumns
    quotes: QuoteColumns
    average: AverageColumns
    momentum: MomentumColumns
    own: list[OwnMark]
    has_more_own: bool
    """More may be there: these are the last ones."""
    result: str | None


class PerformanceQuery(Taken):
    kind: Kind = Kind.REAL
    mode: Literal["prod", "demo"] = "prod"
    """Of imported trades: the account mode that the old system ran in."""
    since: Moment | None = None
    """Of their end, in UTC where no zone is said."""
    days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """Today and so many whole days of UTC before it, by market time."""
    until: Moment | None = None
    strategy: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")] | None = None
    ticker: TickerText | None = None


class GroupRow(Given):
    """What some trades came to; dollars after fees but where it says fees."""

    group: str
    trades: int
    wins: int
    losses: int
    unknown: int
    """Trades whose result old data cannot say: in no other figure."""
    closes: int
    net_pnl: DecimalText
    fees: DecimalText
    mean: DecimalText | None
    """Of a trade."""
    mean_low: DecimalText | None
    """95 %, by whole closes; None where there are too few."""
    mean_high: DecimalText | None


class EquityRow(Given):
    at: datetime
    net_pnl: DecimalText
    """Of everything up to here."""
    drawdown: DecimalText
    """The deepest below the highest point before, since the row before."""


class CalibrationRow(Given):
    """Trades of one tenth of the probability; shares from 0 to 1."""

    tenth: int
    trades: int
    closes: int
    """Events that are draws of their own."""
    said: float
    """The mean probability of what was bought."""
    happened: float
    """The share of it that ended so."""
    low: float | None
    """95 % around what happened; None for too few closes."""
    high: float | None


class Performance(Given):
    """What the trades of one kind came to."""

    kind: Kind
    now: datetime
    """Market time at which it was summed: what ended since is in no figure."""
    held: int
    """Trades that are not over: in no figure."""
    total: GroupRow
    max_drawdown: DecimalText
    equity: list[EquityRow]
    undated: int
    """Trades of old data that are in no point of the equity: nobody knows when they ended."""
    by_day: list[GroupRow]
    by_strategy: list[GroupRow]
    by_hour: list[GroupRow]
    """Of UTC, when they were bought."""
    by_price: list[GroupRow]
    """Paid for one contract, in dollars."""
    calibration: list[CalibrationRow]
    unjudged: int
    """Trades in no row of the calibration: no probability was kept, or the end of the market was not told."""
