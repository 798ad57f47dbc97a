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
    final_minute_count: int | None = None
    """Of how many prints that is the mean; None where the venue does not say."""


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
class FinalMinute:
    """What the venue says of the prints of a closing minute: its first print is not among them, that of the close is."""

    closes_at: int
    """Unix seconds, as all of these."""
    until: int
    """The newest print among them."""
    count: int
    mean: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceView:
    """The newest price of one symbol with what is remembered of the past: what the model needs, and no more."""

    tick: PriceTick
    volatility: float | None
    """Standard deviation of the relative price change over one second; None while too little is known."""
    last_minute: tuple[tuple[int, Decimal], ...]
    """(Unix second, last price of that second) as the sources said, ascending: those of the last 90 complete seconds that
    were seen, or confirmed by a living connection."""
    error: float
    """How far the price may lie from the index now: one standard error, relative; 0 for a fresh print of the index."""
    basis_error: float
    """The same of `last_minute`."""
    heard_at: datetime
    """When any good source last said anything at all, a heartbeat included."""
    prints: tuple[tuple[int, Decimal], ...] = ()
    """(Unix second, value) of the index itself, as far as it was heard in the last 90 seconds, ascending."""
    final_minute: FinalMinute | None = None
    """The venue's own running mean, if it came with the newest print."""
    unmeasured: tuple[tuple[int, int], ...] = ()
    """(from, until) Unix seconds of the last half hour that the volatility knows nothing of, ascending."""
    momentum: Momentum | None = None
    """None while too little is known."""
    momentum_peaks: tuple[tuple[int, float], ...] = ()
    """(Unix minute, highest absolute momentum of it), ascending, for the last hour."""
    sources: tuple[SourceView, ...] = ()
    unreliable: str = ""
    """Why this price must not be traded on; empty when it may be."""
    doubt: str = ""
    """Why nothing may be opened by it, though a stop may be judged by it; empty when there is no such reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The price of every symbol that has one."""

    by_symbol: Mapping[str, PriceView] = field(default_factory=dict[str, PriceView])
    sources: Mapping[str, tuple[SourceView, ...]] = field(default_factory=dict[str, tuple[SourceView, ...]])
    """Every source of every configured symbol, also while there is no price."""
