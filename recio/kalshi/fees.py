"""Reads which fee a market charges: its event's override or its series' own, with the changes announced for both.

A kind of fee whose formula is not known here is named and never traded; no fee is computed and nothing rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

import msgspec

from recio.kalshi.responses import NOT_FOUND, Instant, VenueRefused
from recio.kalshi.rest import KalshiRest
from recio.units import EventTicker

T = TypeVar("T")
QUADRATIC = frozenset({"quadratic", "quadratic_with_maker_fees"})
LARGEST_MULTIPLIER = 100
PAGE = "200"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """The kind of a fee, in the venue's words, and the multiplier of its formula."""

    kind: str
    multiplier: Decimal

    @property
    def why_unknown(self) -> str:
        """Why this fee cannot be computed; empty if it can."""
        if self.kind not in QUADRATIC:
            return f"fee_type {self.kind[:40]!r} is not known"
        if not (self.multiplier.is_finite() and 0 <= self.multiplier <= LARGEST_MULTIPLIER):
            return f"fee_multiplier {str(self.multiplier)[:40]} is impossible"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What one event changes; None leaves the series' own."""

    kind: str | None
    multiplier: Decimal | None


NO_OVERRIDE = Override(kind=None, multiplier=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFees:
    """The fee of one series, and what is announced for it and for its events."""

    now: Fee
    changes: tuple[tuple[datetime, Fee], ...]
    """(from when, fee), ascending."""
    event_changes: Mapping[EventTicker, tuple[tuple[datetime, Override], ...]]
    """(from when, the event's override from then on), ascending."""

    def at(self, event: EventTicker, override: Override, at: datetime) -> Fee:
        """The fee that an event with this override now charges at a time: the override beats the series."""
        fee = _last(self.changes, at) or self.now
        override = _last(self.event_changes.get(event, ()), at) or override
        return Fee(
            kind=fee.kind if override.kind is None else override.kind,
            multiplier=fee.multiplier if override.multiplier is None else override.multiplier,
        )

    def highest(
        self,
        event: EventTicker,
        override: Override,
        begins: datetime,
        ends: datetime,
        waived_until: datetime | None = None,
    ) -> Fee:
        """The highest fee that may be charged between two times; one that is not known is higher than any."""
        times_of_change = self._change_times(event)
        times = [begins, *(at for at in times_of_change if begins < at <= ends)]
        if waived_until is not None:
            if waived_until >= ends:
                return Fee(kind=self.at(event, override, begins).kind, multiplier=Decimal(0))
            times = [max(at, waived_until) for at in times]
        fees = [self.at(event, override, at) for at in times]
        return next((fee for fee in fees if fee.why_unknown), None) or max(
            fees, key=lambda fee: fee.multiplier
        )

    def _change_times(self, event: EventTicker) -> Iterator[datetime]:
        yield from (at for at, _ in self.changes)
        yield from (at for at, _ in self.event_changes.get(event, ()))


def _last(changes: Iterable[tuple[datetime, T]], at: datetime) -> T | None:
    found = None
    for begins, value in changes:
        found = value if begins <= at else found
    return found


class _Series(msgspec.Struct):
    fee_type: str
    fee_multiplier: Decimal


class _OneSeries(msgspec.Struct):
    series: _Series


class _Change(msgspec.Struct):
    series_ticker: str
    fee_type: str
    fee_multiplier: Decimal
    scheduled_ts: Instant


class _Changes(msgspec.Struct):
    series_fee_change_arr: list[_Change]


class _EventChange(msgspec.Struct):
    event_ticker: str
    fee_type_override: str | None
    fee_multiplier_override: Decimal | None
    scheduled_ts: Instant


class _EventChanges(msgspec.Struct):
    event_fee_changes: list[_EventChange]
    cursor: str = ""


class _Event(msgspec.Struct):
    event_ticker: str
    fee_type_override: str | None = None
    fee_multiplier_override: Decimal | None = None


class _Events(msgspec.Struct):
    events: list[_Event]
    cursor: str = ""


async def read_fees(rest: KalshiRest, series: str) -> SeriesFees:
    """Everything that decides the fees of a series now and soon. Raises Transient, VenueRefused."""
    said = (await rest.read(f"/series/{series}", _OneSeries)).series
    return SeriesFees(
        now=Fee(kind=said.fee_type, multiplier=said.fee_multiplier),
        changes=await _changes(rest, series),
        event_changes=await _event_changes(rest, series),
    )


async def read_overrides(
    rest: KalshiRest, series: str, closing_after: datetime
) -> dict[EventTicker, Override]:
    """The override, perhaps none, of every event of a series that closes after a time."""
    params = {"series_ticker": series, "min_close_ts": str(int(closing_after.timestamp())), "limit": PAGE}
    return {
        EventTicker(event.event_ticker): Override(
            kind=event.fee_type_override, multiplier=event.fee_multiplier_override
        )
        for page in await rest.pages("/events", _Events, params)
        for event in page.events
    }


async def _changes(rest: KalshiRest, series: str) -> tuple[tuple[datetime, Fee], ...]:
    try:
        said = await rest.read("/series/fee_changes", _Changes, {"series_ticker": series})
    except VenueRefused as error:
        return _nothing_announced(error)
    found = [
        (each.scheduled_ts.astimezone(UTC), Fee(kind=each.fee_type, multiplier=each.fee_multiplier))
        for each in said.series_fee_change_arr
        if each.series_ticker == series
    ]
    return tuple(sorted(found, key=lambda change: change[0]))


async def _event_changes(
    rest: KalshiRest, series: str
) -> dict[EventTicker, tuple[tuple[datetime, Override], ...]]:
    try:
        pages = await rest.pages("/events/fee_changes", _EventChanges, {"limit": PAGE})
    except VenueRefused as error:
        return dict(_nothing_announced(error))
    found: dict[EventTicker, list[tuple[datetime, Override]]] = {}
    for each in (change for page in pages for change in page.event_fee_changes):
        if each.event_ticker.startswith(f"{series}-"):
            override = Override(kind=each.fee_type_override, multiplier=each.fee_multiplier_override)
            found.setdefault(EventTicker(each.event_ticker), []).append(
                (each.scheduled_ts.astimezone(UTC), override)
            )
    return {event: tuple(sorted(each, key=lambda change: change[0])) for event, each in found.items()}


def _nothing_announced(error: VenueRefused) -> tuple[()]:
    """A venue that does not announce changes has nothing but what is charged now; any other no is a no."""
    if error.status != NOT_FOUND:
        raise error
    return ()
