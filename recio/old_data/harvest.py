"""What was read of all sources, each thing once; where two tell of the same thing the better witness stands."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime

from recio.old_data.compare import Disagreement
from recio.old_data.layouts import Kind
from recio.old_data.rebuild import Records
from recio.old_data.records import Fill, LedgerRow, Order, Settlement

STAGES = ("error", "pending", "open", "closing", "expired", "closed")
"""Of a ledger row, in the order of its life: a later import sees a later one."""


@dataclass(slots=True, kw_only=True)
class SourceLine:
    """What is told of one table of one source."""

    path: str
    table: str
    kind: Kind
    layout: str
    stamp: str
    rows: int | None = None
    bad: int = 0
    """Rows that do not say what they must."""
    used: bool = False
    newest: str | None = None
    user: str = ""
    """Number of the old system's user that it is of; empty: it does not say."""


@dataclass(slots=True)
class Harvest:
    fills: dict[str, Fill] = field(default_factory=dict[str, Fill])
    orders: dict[str, Order] = field(default_factory=dict[str, Order])
    settlements: dict[tuple[str, datetime], Settlement] = field(
        default_factory=dict[tuple[str, datetime], Settlement]
    )
    ledger: dict[str, LedgerRow] = field(default_factory=dict[str, LedgerRow])
    settings: dict[str, str] = field(default_factory=dict[str, str])
    elsewhere: set[str] = field(default_factory=set[str])
    """Tickers that the other account mode traded."""
    sources: list[SourceLine] = field(default_factory=list[SourceLine])
    refused: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    bad: list[Disagreement] = field(default_factory=list[Disagreement])

    def add_fill(self, fill: Fill) -> None:
        known = self.fills.get(fill.fill_id)
        if known is None or fill.trust > known.trust:
            self.fills[fill.fill_id] = fill
        elif fill.trust == known.trust and _terms(fill) != _terms(known):
            self.bad.append(
                Disagreement(
                    ticker=fill.ticker,
                    old_row=fill.fill_id,
                    field="fill",
                    theirs=_terms(fill),
                    ours=_terms(known),
                )
            )

    def add_order(self, order: Order) -> None:
        known = self.orders.get(order.order_id)
        if known is None or (order.trust, order.filled) > (known.trust, known.filled):
            self.orders[order.order_id] = order

    def add_settlement(self, settlement: Settlement) -> None:
        key = (settlement.ticker, settlement.settled_at)
        known = self.settlements.get(key)
        if known is None or settlement.trust > known.trust:
            self.settlements[key] = settlement

    def add_ledger_row(self, row: LedgerRow) -> None:
        known = self.ledger.get(row.key)
        if known is None or (row.whole, _stage(row)) > (known.whole, _stage(known)):
            self.ledger[row.key] = row

    def is_empty(self) -> bool:
        return not (self.fills or self.orders or self.settlements or self.ledger or self.settings)

    def by_ticker(self) -> list[Records]:
        """Without ledger rows of tickers that only the other account mode traded: the old ledger mixed both."""
        found = defaultdict[str, list[object]](list)
        own = {
            each.ticker for each in (*self.fills.values(), *self.orders.values(), *self.settlements.values())
        }
        for each in (*self.fills.values(), *self.orders.values(), *self.settlements.values()):
            found[each.ticker].append(each)
        for row in self.ledger.values():
            if row.ticker in own or row.ticker not in self.elsewhere:
                found[row.ticker].append(row)
        return [_sorted_out(ticker, found[ticker]) for ticker in sorted(found)]


def merge_into(whole: Harvest, part: Harvest) -> None:
    for fill in part.fills.values():
        whole.add_fill(fill)
    for order in part.orders.values():
        whole.add_order(order)
    for settlement in part.settlements.values():
        whole.add_settlement(settlement)
    for row in part.ledger.values():
        whole.add_ledger_row(row)
    whole.settings |= part.settings
    whole.elsewhere |= part.elsewhere
    whole.bad += part.bad


def without_other_mode(of: Harvest) -> None:
    """Drops ledger rows that belong to the other account mode."""
    own = {each.ticker for each in (*of.fills.values(), *of.orders.values(), *of.settlements.values())}
    of.ledger = {
        key: row for key, row in of.ledger.items() if row.ticker in own or row.ticker not in of.elsewhere
    }


def _sorted_out(ticker: str, told: list[object]) -> Records:
    found = Records(ticker)
    for each in told:
        match each:
            case Fill():
                found.fills.append(each)
            case Order():
                found.orders.append(each)
            case Settlement():
                found.settlements.append(each)
            case LedgerRow():
                found.ledger.append(each)
            case _:
                raise TypeError(each)
    found.ledger.sort(key=lambda each: each.key)
    found.orders.sort(key=lambda each: each.order_id)
    return found


def _terms(fill: Fill) -> str:
    return f"{fill.action} {fill.quantity} {fill.side} at {fill.price} of {fill.ticker}"


def _stage(row: LedgerRow) -> int:
    return STAGES.index(row.status) if row.status in STAGES else -1


def changed(row: LedgerRow, known: LedgerRow | None) -> bool:
    return known is None or replace(row, old_row=known.old_row) != known
