"""Reads the settlement index over REST where its channel is refused, and prints of it that were missed; it averages nothing.

The live data of an event is for everybody and has about a print a second. The history is for who is entitled to it, and may
lag; it is asked where there is no live data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NoReturn, TypeVar

import anyio
import msgspec

from recio import units
from recio.clock import Clock
from recio.kalshi.amounts import from_unix_ms, index_level
from recio.kalshi.answers import NoAnswer, Round, answer_of
from recio.kalshi.responses import NOT_DECODABLE
from recio.kalshi.rest import KalshiRest
from recio.messages.markets import Listings, Traded
from recio.messages.prices import IndexHistory, IndexValue
from recio.rules.market import market_board
from recio.rules.price.prints_by_index import PRINTS_KEPT, Prints, has_hole
from recio.units import EventTicker

T = TypeVar("T")
EVERY = 1.0
"""Host seconds between two reads where the channel is refused."""
AGAIN = 15.0
"""Host seconds between two tries to fill a hole: a print that was never made leaves one for good."""
NOT_A_PRINT = (*NOT_DECODABLE, units.UnitError)


class _Point(msgspec.Struct):
    t: int
    v: msgspec.Raw


class _Row(msgspec.Struct):
    time: int
    value: msgspec.Raw


class _Details(msgspec.Struct):
    timeseries: list[msgspec.Raw]


class _LiveData(msgspec.Struct):
    details: _Details


class _Live(msgspec.Struct):
    live_data: _LiveData


class _Payload(msgspec.Struct):
    payload: list[msgspec.Raw]


class _History(msgspec.Struct):
    data: _Payload


async def live_prints(
    rest: KalshiRest, event: EventTicker, index_id: str, now: datetime
) -> tuple[IndexValue, ...]:
    """The newest prints of the index that an event settles on, oldest first; a strange one is left out."""
    said = await rest.read(f"/live_data/events/{event}", _Live, {"range": "15min"})
    points = ((each.t, each.v) for each in _decoded(said.live_data.details.timeseries, _Point))
    return _prints(points, index_id, now)


async def past_prints(rest: KalshiRest, index_id: str, now: datetime) -> tuple[IndexValue, ...]:
    """The newest prints of the present hour, as far as its history has them; a strange one is left out."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    params = {"id": index_id, "timespan": "HOUR", "timestamp": hour.strftime("%Y-%m-%dT%H:%M:%SZ")}
    said = await rest.read("/cfbenchmarks/history/values", _History, params)
    return _prints(((each.time, each.value) for each in _decoded(said.data.payload, _Row)), index_id, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReads:
    """Reads prints while they are needed: all the time where the channel is refused, otherwise only what was missed."""

    rest: KalshiRest
    clock: Clock
    traded: tuple[Traded, ...]
    heard: Callable[[], IndexHistory | None]
    listings: Callable[[], Listings | None]
    tell: Callable[[Prints], None]

    async def keep(self) -> NoReturn:
        tried_at, reads = -math.inf, Round("index")
        while True:
            await anyio.sleep(EVERY)
            history, now = self.heard(), anyio.current_time()
            missed = () if history is None else self._missed(history)
            if history is None or not missed or (not history.is_refused and now - tried_at < AGAIN):
                continue
            tried_at = now
            found = {
                index_id: prints
                for index_id, event in missed
                if (prints := await reads.ask(self._read(index_id, event)))
            }
            reads.end()
            if found:
                self.tell(found)

    def _missed(self, history: IndexHistory) -> tuple[tuple[str, EventTicker], ...]:
        """(index id, an event that settles on it) of which prints are needed."""
        now = self.clock.utc()
        return tuple(
            (index_id, event)
            for index_id, event in self._events(now).items()
            if history.is_refused or has_hole(history.prints.get(index_id, ()), now)
        )

    def _events(self, now: datetime) -> dict[str, EventTicker]:
        """Of each index the event that closes next."""
        listings, index_of = self.listings(), {each.series: each.index_id for each in self.traded}
        markets = () if listings is None else market_board.current(listings.markets.values(), now)
        return {
            index_of[each.series_ticker]: each.event_ticker
            for each in reversed(markets)
            if each.series_ticker in index_of
        }

    async def _read(self, index_id: str, event: EventTicker) -> tuple[IndexValue, ...]:
        now = self.clock.utc()
        try:
            return await answer_of(live_prints(self.rest, event, index_id, now))
        except NoAnswer:
            return await answer_of(past_prints(self.rest, index_id, now))


def _decoded(rows: Iterable[msgspec.Raw], kind: type[T]) -> Iterator[T]:
    for raw in rows:
        try:
            yield msgspec.json.decode(raw, type=kind)
        except NOT_A_PRINT:
            continue


def _prints(
    points: Iterable[tuple[int, msgspec.Raw]], index_id: str, now: datetime
) -> tuple[IndexValue, ...]:
    made: list[IndexValue] = []
    for at_ms, value in points:
        try:
            at, level = from_unix_ms(at_ms, "t"), index_level(value, "v")
        except NOT_A_PRINT:
            continue
        if at <= now:
            made.append(_print(index_id, level, at, now))
    return tuple(sorted(made, key=lambda each: each.at))[-PRINTS_KEPT:]


def _print(index_id: str, value: Decimal, at: datetime, now: datetime) -> IndexValue:
    return IndexValue(
        sid=None,
        seq=None,
        index_id=index_id,
        value=value,
        at=at,
        received_at=now,
        final_minute_mean=None,
    )
