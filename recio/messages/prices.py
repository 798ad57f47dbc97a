"""What the price sources and the settlement index say of each coin, and the one price made of it; no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTick:
    """One trade at a spot exchange."""

    symbol: str
    source: str
    price: Decimal
    at: datetime
    """The exchange's own time of the trade."""
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexValue:
    """One print of the settlement index, as the venue passes it on."""

    sid: int | None
    seq: int | None
    index_id: str
    value: Decimal
    at: datetime
    """The index's own time of the print."""
    received_at: datetime
    final_minute_mean: Decimal | None
    """The venue's mean of the prints of the closing minute so far; None outside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexHistory:
    """The newest prints of every index that is listened to, by index id, oldest first, at most 120 each."""

    prints: Mapping[str, tuple[IndexValue, ...]]
    is_refused: bool = False
    """The venue refuses its channel: prints are read over REST while that works."""
    why_none: str = ""
    """Why nothing is heard: empty while something is."""


class SourceState(StrEnum):
    GOOD = "good"
    CONNECTING = "connecting"
    DOWN = "down"
    """No connection."""
    SILENT = "silent"
    """Connected, and nothing comes, not even a heartbeat."""
    FROZEN = "frozen"
    """It talks, but its price stands still while the others move."""
    OUTLIER = "outlier"
    """Its price is far from what the others agree on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """One source of one symbol's price."""

    source: str
    state: SourceState
    price: Decimal | None
    at: datetime | None
    """The source's own time of its price."""
    heard_at: datetime | None
    """When it last said anything at all, a heartbeat included."""
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Momentum:
    """The weighted move of the last half hour."""

    bp: float
    """Basis points (hundredths of a percent), signed."""
    whole: bool
    """Whether every horizon was known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceView:
    """The newest price of one symbol with what is remembered of the past: what the model needs, and no more."""

    tick: PriceTick
    volatility: float | None
    """Standard deviation of the relative price change over one second; None while too little is known."""
    last_minute: tuple[tuple[int, Decimal], ...]
    """(Unix second, last price of that second), ascending, at most the last 60 complete seconds."""
    heard_at: datetime
    """When any good source last said anything at all, a heartbeat included."""
    momentum: Momentum | None = None
    """None while too little is known."""
    momentum_peaks: tuple[tuple[int, float], ...] = ()
    """(Unix minute, highest absolute momentum of it), ascending, for the last hour."""
    sources: tuple[SourceView, ...] = ()
    unreliable: str = ""
    """Why this price must not be traded on; empty when it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The price of every symbol that has one."""

    by_symbol: Mapping[str, PriceView] = field(default_factory=dict[str, PriceView])
    sources: Mapping[str, tuple[SourceView, ...]] = field(default_factory=dict[str, tuple[SourceView, ...]])
    """Every source of every configured symbol, also while there is no price."""
