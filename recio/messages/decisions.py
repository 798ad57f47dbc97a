"""What entry and exit make of the markets, and the orders they intend; no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from recio.units import EventTicker, Money, Price, Quantity, Side, Ticker, TradeId


class StrikeAssessment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the model makes of one market now; None is unknown and never a default."""

    ticker: Ticker
    probability: float | None
    """Probability that the market settles YES."""
    yes_edge: Money | None
    """Expected gain of one contract of YES at the ask after the taker fee, in Money per contract."""
    no_edge: Money | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowScore:
    """What the ended trades of a strategy that does not order come to."""

    trades: int
    won: int
    pnl: Money
    """After fees."""
    probability: float | None
    """What its model gave the sides it took, on average of those whose market has ended."""
    brier: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectionCount:
    """How often one gate was the first to be closed for one event."""

    event: EventTicker
    """Empty for cycles in which no event was open."""
    gate: str
    cycles: int
    first_at: datetime
    last_at: datetime
    sentence: str
    """Its last words, with their figures."""
    seconds: float = 0.0
    """Of market time: each look stands for what went by since the one before."""
    by: str = ""
    """The strategy whose cycles these are, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessments:
    """The model's view of the whole board, and entry's last word on it."""

    strikes: tuple[StrikeAssessment, ...]
    verdict: str
    watchlist: tuple[Ticker, ...] = ()
    """Strikes that come near to being bought, best edge first."""
    rejections: tuple[RejectionCount, ...] = ()
    """Of the open events, since this run began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIntent:
    """Entry wants to buy one side of one market."""

    strategy: str
    ticker: Ticker
    event_ticker: EventTicker
    exchange_index: int | None
    side: Side
    quantity: Quantity
    limit: Price
    """The most to pay for one contract of `side`, in that side's own terms."""
    probability: float
    """What the model gives this side; one contract is worth that many dollars to it."""
    fee_estimate: Money
    closes_at: datetime
    decided_at: datetime
    why: str
    inputs: Mapping[str, str]
    """The figures the decision was made from, as text, for the audit log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseIntent:
    """Exit wants to sell what a trade holds."""

    trade_id: TradeId
    exchange_index: int | None
    quantity: Quantity
    floor: Price
    """The least to accept for one contract, in the trade's own side's terms."""
    decided_at: datetime
    why: str
