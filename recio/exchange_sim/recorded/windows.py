"""The windows that a session's description names, with what is known of their ends; nothing is made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from recio.exchange_sim.market.series import CATALOGUE, Kind, SeriesSpec
from recio.exchange_sim.market.strikes import StrikeType
from recio.exchange_sim.recorded.files import BadSession


class _Row(msgspec.Struct):
    ticker: Annotated[str, msgspec.Meta(min_length=1)]
    close_time: Annotated[datetime, msgspec.Meta(tz=True)]
    open_time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """None: as long before its close as the series has it."""
    strike_type: StrikeType | None = None
    floor_strike: Decimal | None = None
    result: Literal["yes", "no", ""] | None = None
    settlement_value: Decimal | None = None


class _Description(msgspec.Struct):
    markets: Annotated[list[_Row], msgspec.Meta(min_length=1)]


_description = msgspec.json.Decoder(_Description)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One recorded market. Strike and value are integers of the index's own unit; None is not known."""

    ticker: str
    spec: SeriesSpec
    open_ms: int
    close_ms: int
    strike: int | None
    value: int | None
    result: str
    """'' where neither the recording nor its values tell."""

    @property
    def event_ticker(self) -> str:
        return self.ticker.rpartition("-")[0]


def read_windows(path: Path) -> tuple[Window, ...]:
    """The windows by close. Raises BadSession naming the field."""
    try:
        rows = _description.decode(path.read_bytes()).markets
    except OSError as error:
        raise BadSession(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadSession(f"{path} is not a description of a session: {error}") from error
    rows.sort(key=lambda row: row.close_time)
    if len({row.ticker for row in rows}) < len(rows):
        raise BadSession(f"{path} names a market twice: keep one entry of it in `markets`")
    specs = [_spec(path, row) for row in rows]
    if len({spec.ticker for spec in specs}) > 1:
        raise BadSession(f"{path} names several series: a session is of one")
    return tuple(_window(path, rows, place, spec) for place, spec in enumerate(specs))


def _spec(path: Path, row: _Row) -> SeriesSpec:
    spec = CATALOGUE.get(row.ticker.partition("-")[0])
    if spec is None or spec.kind is not Kind.WINDOW:
        known = ", ".join(each.ticker for each in CATALOGUE.values() if each.kind is Kind.WINDOW)
        raise BadSession(f"{path}: {row.ticker} is of no series that can be served; there are {known}")
    if row.strike_type not in (None, StrikeType.GREATER_OR_EQUAL):
        raise BadSession(
            f"{path}: strike_type {row.strike_type} of {row.ticker} cannot be served; a window's is"
            f" {StrikeType.GREATER_OR_EQUAL}"
        )
    if row.open_time is not None and row.open_time >= row.close_time:
        raise BadSession(f"{path}: open_time {row.open_time} of {row.ticker} is not before its close_time")
    return spec


def _window(path: Path, rows: Sequence[_Row], place: int, spec: SeriesSpec) -> Window:
    row = rows[place]
    close_ms = int(row.close_time.timestamp()) * 1000
    strike = _units(path, row, "floor_strike", row.floor_strike, spec)
    value = _units(path, row, "settlement_value", row.settlement_value, spec)
    if value is None:
        # A window's strike is what the one before it settled at.
        following = (each for each in rows if _opens_ms(each, spec) == close_ms)
        value = next(
            (_units(path, each, "floor_strike", each.floor_strike, spec) for each in following), None
        )
    return Window(
        ticker=row.ticker,
        spec=spec,
        open_ms=_opens_ms(row, spec),
        close_ms=close_ms,
        strike=strike,
        value=value,
        result=row.result or _result(strike, value),
    )


def _opens_ms(row: _Row, spec: SeriesSpec) -> int:
    if row.open_time is not None:
        return int(row.open_time.timestamp()) * 1000
    return (int(row.close_time.timestamp()) - spec.period_seconds) * 1000


def _result(strike: int | None, value: int | None) -> str:
    if strike is None or value is None:
        return ""
    return "yes" if value >= strike else "no"


def _units(path: Path, row: _Row, name: str, value: Decimal | None, spec: SeriesSpec) -> int | None:
    if value is None:
        return None
    scaled = value.scaleb(spec.asset.digits) if value.is_finite() and 0 < value < 10**9 else None
    if scaled is None or scaled != int(scaled):
        raise BadSession(f"{path}: {name} {value} of {row.ticker} is no price of the index")
    return int(scaled)
