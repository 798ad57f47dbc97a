"""Reads how the markets that we held were settled, exactly; what a row cannot say is asked of its market, and never guessed.

A row tells what it paid in whole cents. A market that neither side won may pay a part of a cent, and its own figure
has four decimals: that figure is taken where it agrees with the row.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec

from recio import units
from recio.errors import Transient
from recio.kalshi.account_bodies import list_params
from recio.kalshi.responses import Instant, VenueRefused
from recio.kalshi.rest import KalshiRest
from recio.messages.account import SettlementSeen
from recio.units import Price, Quantity, Side, Ticker

SETTLEMENTS = "settlements"
"""The list by which rows that were set aside are asked for."""
CENTS = 100
BEHIND = timedelta(minutes=10)
"""Market time after a settlement for which a market that contradicts its row may only be read too late; and for which a market
that cannot be read is tried before a person is asked."""


class _Settlement(msgspec.Struct):
    ticker: str
    market_result: str
    settled_time: Instant
    revenue: int | None = None
    value: int | None = None
    yes_count_fp: str | None = None
    no_count_fp: str | None = None


class _Settlements(msgspec.Struct):
    settlements: list[msgspec.Raw]
    cursor: str | None = None


class _Market(msgspec.Struct):
    result: str | None = None
    settlement_value_dollars: str | None = None


class _OneMarket(msgspec.Struct):
    market: _Market


_Row = tuple[str, datetime, int | None, int | None]


class _NotYet(Exception):
    """A market may only be late with its own figure."""


@dataclass(slots=True)
class ExactValues:
    """What the markets of the last read said that one YES pays: each is asked once for each word of its row."""

    by_row: dict[_Row, Price] = field(default_factory=dict[_Row, Price])
    failing: dict[_Row, datetime] = field(default_factory=dict[_Row, datetime])
    """Rows whose market could not be read and since when; the one that was tried last is the last."""
    waiting: str = ""
    """What the last read still waits for; empty: it is whole."""

    def keep(self, rows: Container[_Row]) -> None:
        """Forget what is listed no more."""
        self.by_row = {row: value for row, value in self.by_row.items() if row in rows}
        self.failing = {row: since for row, since in self.failing.items() if row in rows}


async def read_settlements(
    rest: KalshiRest, since: datetime | None, exact: ExactValues | None = None
) -> tuple[SettlementSeen, ...]:
    """Every settlement since a time; one whose value cannot be made out is set aside, and its market waits for a person.

    One that waits for its market holds up no other: it is left out, and `exact` says what is waited for.
    """
    exact = ExactValues() if exact is None else exact
    exact.waiting = ""
    pages = await rest.pages("/portfolio/settlements", _Settlements, list_params(since))
    rows = (raw for page in pages for raw in page.settlements)
    turned = rest.set_aside.readable(SETTLEMENTS, rows, _Settlement, _by_its_word)
    await _learn_values(rest, [each for each in turned if isinstance(each, _Settlement)], exact)
    seen = list(_with_values(turned, exact.by_row))
    unclear = _contradictory(seen)
    for ticker in sorted(unclear):
        rest.set_aside.refuse(SETTLEMENTS, ticker, "two settlements of one moment have different values")
    return tuple(each for each in seen if each.ticker not in unclear)


def _by_its_word(row: _Settlement) -> SettlementSeen | _Settlement:
    """A winner is paid a dollar; of any other word the row is only half of what there is to know."""
    if row.market_result not in tuple(Side):
        return row
    return _seen(row, Side(row.market_result), None)


def _seen(row: _Settlement, result: Side | None, value: Price | None) -> SettlementSeen:
    return SettlementSeen(
        ticker=Ticker(row.ticker),
        result=result,
        settled_at=row.settled_time.astimezone(UTC),
        revenue_cents=row.revenue or 0,
        value=value,
    )


def _row(row: _Settlement) -> _Row:
    return row.ticker, row.settled_time, row.value, row.revenue


def _with_values(
    turned: Iterable[SettlementSeen | _Settlement], by_row: Mapping[_Row, Price]
) -> Iterator[SettlementSeen]:
    for each in turned:
        if isinstance(each, SettlementSeen):
            yield each
        elif _row(each) in by_row:
            yield _seen(each, None, by_row[_row(each)])


async def _learn_values(rest: KalshiRest, rows: Sequence[_Settlement], exact: ExactValues) -> None:
    """Ask each market that is not known yet, those that failed last; after one more failure no other in this round.

    So one that fails for ever costs a single request in each round, and nobody else his settlement.
    """
    exact.keep({_row(each) for each in rows})
    turns = {row: turn for turn, row in enumerate(exact.failing)}
    broken = ""
    for each in sorted(rows, key=lambda each: turns.get(_row(each), -1)):
        row = _row(each)
        if row in exact.by_row:
            continue
        if not broken:
            try:
                market = await _market(rest, each.ticker)
            except Transient as error:
                broken = str(error)
                exact.failing[row] = exact.failing.pop(row, rest.clock.utc())
            else:
                exact.failing.pop(row, None)
                _take_value(rest, each, market, exact)
                continue
        _wait(rest, each, broken, exact)


def _take_value(rest: KalshiRest, row: _Settlement, market: _Market | None, exact: ExactValues) -> None:
    try:
        exact.by_row[_row(row)] = _yes_value(row, market, rest.clock.utc())
    except units.UnitError as error:
        rest.set_aside.refuse(SETTLEMENTS, Ticker(row.ticker), str(error))
    except _NotYet as error:
        exact.waiting = str(error)


def _wait(rest: KalshiRest, row: _Settlement, why: str, exact: ExactValues) -> None:
    """Its market cannot be read, or was not asked because another could not: in the end that is for a person."""
    since = exact.failing.get(_row(row))
    if since is not None and rest.clock.utc() - since >= BEHIND:
        rest.set_aside.refuse(
            SETTLEMENTS, Ticker(row.ticker), "its market, which has its value, cannot be read"
        )
    else:
        exact.waiting = why


def _yes_value(row: _Settlement, market: _Market | None, now: datetime) -> Price:
    """What one YES pays of a market that neither side won, whatever word the venue has for that.

    Raises UnitError, and _NotYet while the market's own figure may only be late.
    """
    said = None if market is None or not market.result else market.settlement_value_dollars
    value = None if said is None else units.price(said)
    if value is not None and _agrees(value, row):
        return value
    may_be_late = now - row.settled_time.astimezone(UTC) < BEHIND
    if may_be_late and market is not None and (value is not None or not market.result):
        raise _NotYet(
            f"market {row.ticker}: its own settlement value does not yet agree with that of our row"
        )
    return _value_of(row)


async def _market(rest: KalshiRest, ticker: str) -> _Market | None:
    """None where the venue has no such market any more. Raises Transient."""
    try:
        return (await rest.fresh_read(f"/markets/{quote(ticker, safe='')}", _OneMarket)).market
    except VenueRefused:
        return None


def _agrees(value: Price, row: _Settlement) -> bool:
    """Whether a row that tells whole cents, cut off or rounded, may tell of this value: its own, or else what it paid.

    Raises UnitError for counts that cannot be read.
    """
    if not 0 <= value <= units.ONE_DOLLAR:
        return False
    if row.value is not None:
        return abs(value - row.value * CENTS) < CENTS
    yes, no = _counts(row)
    if row.revenue is None or (yes > 0) is (no > 0):
        return True
    paid = yes * value if yes else no * units.complement(value)
    return abs(paid - row.revenue * units.ONE_DOLLAR) < units.ONE_DOLLAR


def _counts(row: _Settlement) -> tuple[Quantity, Quantity]:
    return units.quantity(row.yes_count_fp or "0"), units.quantity(row.no_count_fp or "0")


def _value_of(row: _Settlement) -> Price:
    """The same from the row alone, where it can be all. Raises UnitError."""
    yes, no = _counts(row)
    is_one_sided = (yes > 0) is not (no > 0)
    if row.value is not None and 0 <= row.value <= CENTS:
        # A hundredth of a contract that is worth a dollar pays a cent.
        whole = yes * row.value if yes else no * (CENTS - row.value)
        if row.revenue is not None and is_one_sided and abs(whole - row.revenue * CENTS) >= CENTS:
            raise units.UnitError(
                f"revenue {row.revenue} is not what value {row.value} pays: a contract may pay a part of a cent"
            )
        return Price(row.value * CENTS)
    if row.revenue is not None and is_one_sided:
        own, rest = divmod(row.revenue * units.ONE_DOLLAR, yes or no)
        if not rest and 0 <= own <= units.ONE_DOLLAR:
            return Price(own) if yes else units.complement(Price(own))
    raise units.UnitError(f"market_result {row.market_result[:40]!r} does not say what a contract pays")


def _contradictory(seen: Iterable[SettlementSeen]) -> set[Ticker]:
    """Markets whose newest word is two: each would correct the other at every read, and nobody knows which one is true."""
    newest: dict[Ticker, tuple[datetime, set[Price]]] = {}
    for each in seen:
        at, values = newest.get(each.ticker, (each.settled_at, set[Price]()))
        if each.settled_at > at:
            at, values = each.settled_at, set[Price]()
        if each.settled_at == at:
            values = {*values, each.yes_value}
        newest[each.ticker] = at, values
    return {ticker for ticker, (_, values) in newest.items() if len(values) > 1}
