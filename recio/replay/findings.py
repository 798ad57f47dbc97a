"""What a replay found, as plain figures: no behaviour beyond sums, and nothing that differs between two runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from recio.messages.decisions import OpenIntent
from recio.messages.orders import TradeView
from recio.units import Price, Side, Ticker, yes_value

PUBLISHED, NEXT_STRIKE = "published", "next_strike"
"""Where a settlement value is from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GapFound:
    """A place where the sequence of a subscription broke, and the market of the message that told."""

    ticker: Ticker | None
    sid: int
    expected: int
    got: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrityFigures:
    """What the frames were, and whether the books rebuilt from them can be trusted."""

    messages: int
    book_snapshots: int
    deltas: int
    deltas_without_book: int
    """Deltas for a market whose book waited for a snapshot."""
    resubscriptions: int
    negative_levels: int
    impossible_prices: int
    crossed_instants: int
    ticker_checks: int
    ticker_agreements: int
    ticker_unchecked: int
    gaps: tuple[GapFound, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFound:
    session: str
    ticker: Ticker
    strike: Decimal | None
    closes_at: datetime
    recorded_result: Side | None
    result: Side | None
    """By the settlement rule from `settlement_value`, never copied from the recorded result."""
    settlement_value: Decimal | None
    settlement_source: str | None
    next_strike: Decimal | None
    proxy_value: Decimal | None
    proxy_seconds: int | None
    proxy_result: Side | None
    scalar_value: Price | None = None
    """What one contract of YES paid where neither side won."""

    @property
    def contradicts_itself(self) -> bool:
        """Whether the venue's own result and its own settlement value cannot both be true."""
        both = self.recorded_result is not None and self.result is not None
        return both and self.settlement_source == PUBLISHED and self.recorded_result is not self.result

    @property
    def outcome(self) -> Side | None:
        """Who is paid and what is scored: as recorded, and where that is not known by the rule from a value of the venue's;
        never by the model's own input.

        None as well where the venue's words contradict each other: nobody knows which is true. The strike of the next window
        is another market's word, and no more than a warning beside a recorded result.
        """
        if self.contradicts_itself or self.scalar_value is not None:
            return None
        return self.result if self.recorded_result is None else self.recorded_result

    @property
    def yes_value(self) -> Price | None:
        """What one contract of YES paid; None where nobody knows."""
        return yes_value(self.outcome, self.scalar_value)


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFound:
    session: str
    trade: TradeView
    intent: OpenIntent
    result: Side | None
    """How its market settled; None where nobody knows, and where neither side won."""
    scalar_value: Price | None = None
    """What one contract of YES paid where neither side won."""
    notes: tuple[str, ...]
    """Why orders of it got less than they asked for, where that is known."""

    @property
    def yes_value(self) -> Price | None:
        """What one contract of YES of its market paid; None where nobody knows."""
        return yes_value(self.result, self.scalar_value)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFound:
    name: str
    began_at: datetime
    ended_at: datetime
    clock_offset_ms: int
    messages_behind_clock: int
    """Messages whose receive time lies before one that was read earlier."""
    longest_silence_ms: int
    spot_trades: int
    integrity: IntegrityFigures
    own: bool = False
    """Recorded by the daemon, cycle by cycle: there are no frames to be counted or checked."""
    decisions: int
    decision_reasons: Mapping[str, int]
    trades: tuple[TradeFound, ...]
    windows: tuple[WindowFound, ...]
    warnings: tuple[str, ...] = ()
    """What of its files does not fit together, and what that makes of the figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """Everything that replaying the recordings showed, session by session."""

    sessions: tuple[SessionFound, ...]
