"""What happens in the life of markets and indices, one fact each; the wire turns them into messages."""

from __future__ import annotations

from dataclasses import dataclass

from recio.exchange_sim.market.markets import Market


@dataclass(frozen=True, slots=True)
class MarketCreated:
    market: Market
    with_event: bool = True
    """Whether its event is new as well."""


@dataclass(frozen=True, slots=True)
class StrikeSet:
    market: Market


@dataclass(frozen=True, slots=True)
class MarketDetermined:
    market: Market


@dataclass(frozen=True, slots=True)
class MarketSettled:
    market: Market


@dataclass(frozen=True, slots=True)
class MarketDeactivated:
    market: Market


@dataclass(frozen=True, slots=True)
class MarketActivated:
    """An inactive market trades again."""

    market: Market


@dataclass(frozen=True, slots=True)
class CloseDateChanged:
    """`close_ms` of the market is a new one."""

    market: Market


@dataclass(frozen=True, slots=True)
class GridChanged:
    """The market's price structure is a new one."""

    market: Market


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFeeChanged:
    """What an event now overrides of its series' fees; None for nothing."""

    event_ticker: str
    fee_type: str | None
    fee_multiplier: float | None


@dataclass(frozen=True, slots=True)
class IndexTicked:
    """An index between its prints, five times a second. `value` is an integer of $0.00000001, `exact` what it is of."""

    index_id: str
    value: int
    now_ms: int
    exact: float


@dataclass(frozen=True, slots=True)
class IndexPrinted:
    """`cents` are integers of the index's own smallest unit: cents of Bitcoin's and Ether's, finer ones of others."""

    second: int
    cents: int
    index_id: str = "BRTI"
