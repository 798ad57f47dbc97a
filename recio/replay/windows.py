"""The windows of a recording: what is known of each at a moment, and how each settled.

The description of a session is written afterwards and knows every strike and end; they count as known here only when they
were: a strike once the window before is determined, an end once it is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from recio.errors import BadRecording
from recio.messages.markets import Market, MarketStatus, PriceRange, StrikeType
from recio.replay.findings import NEXT_STRIKE, PUBLISHED, WindowFound
from recio.replay.session_files import is_price, without_mark
from recio.replay.spot import LONGEST_HOLE, ProxyMinute
from recio.rules.market.settlement import outcome, places_of
from recio.units import EventTicker, Price, Side, Ticker, price_of

WINDOWS = "15M"
"""How the name of a series ends that has one market at a time, whose strike is set when it opens."""
WINDOW, HOUR = timedelta(minutes=15), timedelta(hours=1)
OUTCOME_AFTER = timedelta(seconds=LONGEST_HOLE + 2)
"""Market time from a window's close until its outcome is looked at: late trades are in by then, and the venue has settled one
of fifteen minutes (8.2 s at most, as measured)."""
STRIKE_AFTER = timedelta(seconds=0.6)
"""Market time from the close before a window until its strike is heard of: half a second at the venue, and the delivery."""
EXCHANGE_INDEX = 2
TAPERED_DECI_CENT = (
    PriceRange(start=Price(0), end=Price(1_000), step=Price(10)),
    PriceRange(start=Price(1_000), end=Price(9_000), step=Price(100)),
    PriceRange(start=Price(9_000), end=Price(10_000), step=Price(10)),
)


class _Row(msgspec.Struct):
    ticker: Annotated[str, msgspec.Meta(min_length=1)]
    close_time: Annotated[datetime, msgspec.Meta(tz=True)]
    open_time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """None: a quarter of an hour before its close where its series says so (KXBTC15M), an hour before it elsewhere."""
    floor_strike: Decimal | None = None
    cap_strike: Decimal | None = None
    strike_type: StrikeType | None = None
    """None: YES is a mean of at least floor_strike."""
    result: Literal["yes", "no", "scalar", ""] | None = None
    settlement_value: Decimal | None = None
    """The mean that decided it."""
    settlement_value_dollars: Decimal | None = None
    """What one contract of YES paid, which only a scalar result needs."""


class _Description(msgspec.Struct):
    markets: list[_Row]


_description = msgspec.json.Decoder(_Description)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One market of the recording and what the recording knows of its end."""

    listed: Market
    """As it is shown before it opens: without a strike."""
    open: Market
    strike_known_at: datetime
    recorded_result: Side | None
    published_value: Decimal | None
    next_strike: Decimal | None
    """The strike of the window that opens when this one closes, if the recording has it."""
    scalar_value: Price | None = None
    """What one contract of YES paid where neither side won."""
    ended_at: datetime | None = None
    """When the venue was heard to tell its end, where that is recorded."""

    @property
    def ticker(self) -> Ticker:
        return self.open.ticker

    @property
    def closes_at(self) -> datetime:
        return self.open.close_time

    @property
    def known_at(self) -> datetime:
        """When its end counts as known here; a trade of it is held until then, as in live."""
        return max(self.closes_at + OUTCOME_AFTER, self.ended_at or self.closes_at)

    @property
    def places(self) -> int:
        return places_of(self.open.floor_strike, self.open.cap_strike)

    def market_at(self, now: datetime) -> Market:
        """The market as the venue would have described it now."""
        if now < self.open.open_time:
            return self.listed
        if now < self.strike_known_at:
            return replace(self.listed, status=MarketStatus.ACTIVE)
        return self.open


def read_windows(path: Path, symbol: str) -> tuple[Window, ...]:
    """The windows that session.json names, by close. Raises BadRecording naming the field."""
    try:
        rows = _description.decode(without_mark(path.read_bytes())).markets
    except OSError as error:
        raise BadRecording(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecording(f"{path} is not a description of a session: {error}") from error
    for row in rows:
        # One close is one moment, in whatever zone a description tells it: it is one draw of chance.
        row.close_time = row.close_time.astimezone(UTC)
        row.open_time = None if row.open_time is None else row.open_time.astimezone(UTC)
    rows.sort(key=lambda row: row.close_time)
    _check(path, rows)
    return tuple(_window(rows, place, symbol) for place in range(len(rows)))


def _check(path: Path, rows: Sequence[_Row]) -> None:
    known: set[str] = set()
    for row in rows:
        if row.ticker in known:
            raise BadRecording(f"{path} names {row.ticker} twice: keep one entry in `markets`")
        known.add(row.ticker)
        for name in ("floor_strike", "cap_strike", "settlement_value"):
            value: Decimal | None = getattr(row, name)
            if value is not None and not is_price(value):
                raise BadRecording(f"{path}: {name} {value} of {row.ticker} is not a positive price")
        paid = row.settlement_value_dollars
        if row.result == "scalar" and (paid is None or not paid.is_finite() or not 0 <= paid <= 1):
            raise BadRecording(
                f"{path}: {row.ticker} settled scalar, and settlement_value_dollars {paid} is not between 0 and 1: write what"
                " one contract of YES paid, or leave result empty"
            )
        if _opens(row) >= row.close_time:
            raise BadRecording(
                f"{path}: open_time {row.open_time} of {row.ticker} is not before its close_time"
            )


def _opens(row: _Row) -> datetime:
    if row.open_time is not None:
        return row.open_time
    return row.close_time - (WINDOW if _series(row.ticker).endswith(WINDOWS) else HOUR)


def _window(rows: Sequence[_Row], place: int, symbol: str) -> Window:
    row = rows[place]
    before = max((each.close_time for each in rows[:place] if each.close_time < row.close_time), default=None)
    following = [each for each in rows if _opens(each) == row.close_time]
    alone = len(following) == sum(each.close_time == row.close_time for each in rows) == 1
    is_next = alone and follows_on(row.ticker, following[0].ticker)
    opens = _opens(row)
    market = _market(row, opens, symbol)
    return Window(
        listed=replace(market, status=MarketStatus.INITIALIZED, floor_strike=None, cap_strike=None),
        open=market,
        strike_known_at=max(opens, before or opens) + STRIKE_AFTER,
        recorded_result=Side(row.result) if row.result in ("yes", "no") else None,
        scalar_value=None if row.result != "scalar" else price_of(row.settlement_value_dollars or Decimal(0)),
        published_value=row.settlement_value,
        next_strike=following[0].floor_strike if is_next else None,
    )


def follows_on(ended: str, opening: str) -> bool:
    """Whether the strike of the one that opens is the value that the other settled on: only of a series of windows.

    A ladder's strike is a round number, also where a recording holds a single market of it.
    """
    return _series(ended) == _series(opening) and _series(ended).endswith(WINDOWS)


def _series(ticker: str) -> str:
    return ticker.partition("-")[0]


def _market(row: _Row, opens: datetime, symbol: str) -> Market:
    return Market(
        ticker=Ticker(row.ticker),
        event_ticker=EventTicker(row.ticker.rpartition("-")[0] or row.ticker),
        series_ticker=_series(row.ticker),
        symbol=symbol,
        exchange_index=EXCHANGE_INDEX,
        strike_type=StrikeType.GREATER_OR_EQUAL if row.strike_type is None else row.strike_type,
        floor_strike=row.floor_strike,
        cap_strike=row.cap_strike,
        open_time=opens,
        close_time=row.close_time,
        status=MarketStatus.ACTIVE,
        price_ranges=TAPERED_DECI_CENT,
        fee_multiplier=Decimal(1),
        rules_primary="",
        rules_secondary="",
        untradable="",
    )


def current(windows: Sequence[Window], now: datetime) -> list[Window]:
    """The windows of the event that closes next."""
    first = next((window for window in windows if window.closes_at > now), None)
    if first is None:
        return []
    chosen = (first.open.event_ticker, first.closes_at)
    return [each for each in windows if (each.open.event_ticker, each.closes_at) == chosen]


def judge(session: str, window: Window, proxy: ProxyMinute | None) -> WindowFound:
    """How a window settled by the rule from a value of the venue's; what the spot stream would have made of it stands beside it."""
    value, source = _settlement(window)
    return WindowFound(
        session=session,
        ticker=window.ticker,
        strike=window.open.floor_strike,
        closes_at=window.closes_at,
        recorded_result=window.recorded_result,
        result=_result(window, value),
        settlement_value=value,
        settlement_source=source,
        next_strike=window.next_strike,
        proxy_value=None if proxy is None else proxy.value,
        proxy_seconds=None if proxy is None else proxy.seconds,
        proxy_result=_result(window, None if proxy is None else proxy.value),
        scalar_value=window.scalar_value,
    )


def _settlement(window: Window) -> tuple[Decimal | None, str | None]:
    if window.published_value is not None:
        return window.published_value, PUBLISHED
    if window.next_strike is not None:
        return window.next_strike, NEXT_STRIKE
    return None, None


def _result(window: Window, value: Decimal | None) -> Side | None:
    if value is None:
        return None
    return outcome(value, window.open.strike_type, window.open.floor_strike, window.open.cap_strike)
