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

from recio.kalshi.responses import NOT_DECODABLE, NOT_FOUND, Instant, VenueRefused
from recio.kalshi.rest import KalshiRest
from recio.units import EventTicker

T = TypeVar("T")
QUADRATIC = frozenset({"quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees"})
"""Kinds whose takers pay by one and the same formula; what a maker pays is none of our affair, we never rest."""
LARGEST_MULTIPLIER = 100
MOST_SHOWN = 100
"""Characters of an unknown kind of fee that are shown."""
PAGE = "200"
ALWAYS = datetime.min.replace(tzinfo=UTC)
"""From when a change counts whose time is not certain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """The kind of a fee, in the venue's words, and the multiplier of its formula."""

    kind: str
    multiplier: Decimal

    @property
    def why_unknown(self) -> str:
        """Why this fee cannot be computed; empty if it can."""
        if self.kind not in QUADRATIC:
            return f"fee_type {self.kind[:MOST_SHOWN]!r} is not known"
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
    event_fee_changes: list[msgspec.Raw]
    """Of every event of the venue: one that is strange costs its own event alone."""
    cursor: str | None = None


class _Event(msgspec.Struct):
    event_ticker: str
    fee_type_override: str | None = None
    fee_multiplier_override: Decimal | None = None


class _Events(msgspec.Struct):
    events: list[msgspec.Raw]
    cursor: str | None = None


class _Named(msgspec.Struct):
    event_ticker: str


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
    """The override, perhaps none, of every event of a series that closes after a time. One that is not understood is a
    fee of no known kind; an event without a name is left out, and its fee is not known either."""
    params = {"series_ticker": series, "min_close_ts": str(int(closing_after.timestamp())), "limit": PAGE}
    pages = await rest.pages("/events", _Events, params)
    rows = ((_named(raw), raw) for page in pages for raw in page.events)
    return {event: _override_of(raw) for event, raw in rows if event is not None}


def _named(raw: msgspec.Raw) -> EventTicker | None:
    try:
        return EventTicker(msgspec.json.decode(raw, type=_Named).event_ticker)
    except NOT_DECODABLE:
        return None


def _override_of(raw: msgspec.Raw) -> Override:
    try:
        said = msgspec.json.decode(raw, type=_Event)
    except NOT_DECODABLE as error:
        return _not_understood(error)
    return Override(kind=said.fee_type_override, multiplier=said.fee_multiplier_override)


def _not_understood(error: Exception) -> Override:
    return Override(kind=f"not understood: {error}", multiplier=None)


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
    for raw in (change for page in pages for change in page.event_fee_changes):
        event = _named(raw)
        if event is not None and event.startswith(f"{series}-"):
            found.setdefault(event, []).append(_event_change(raw))
    return {event: _in_order(changes) for event, changes in found.items()}


def _event_change(raw: msgspec.Raw) -> tuple[datetime, Override]:
    try:
        said = msgspec.json.decode(raw, type=_EventChange)
    except NOT_DECODABLE as error:
        return ALWAYS, _not_understood(error)
    override = Override(kind=said.fee_type_override, multiplier=said.fee_multiplier_override)
    return said.scheduled_ts.astimezone(UTC), override


def _in_order(changes: list[tuple[datetime, Override]]) -> tuple[tuple[datetime, Override], ...]:
    """Ascending; where one of them is not understood nothing else is certain."""
    strange = [each for each in changes if each[0] == ALWAYS]
    return tuple(strange or sorted(changes, key=lambda change: change[0]))


def _nothing_announced(error: VenueRefused) -> tuple[()]:
    """A venue that does not announce changes has nothing but what is charged now; any other no is a no."""
    if error.status != NOT_FOUND:
        raise error
    return ()
