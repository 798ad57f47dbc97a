"""The forms of one line of a recording; what did not change since the line before is not written again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from recio.messages.account import AccountView
from recio.messages.controls import TradingControls
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.markets import MarketEnded, MarketView, VenueState
from recio.messages.orders import OpenTrades, TradeView
from recio.messages.prices import Prices
from recio.rules.decision.exit import ExitMemory, Holds
from recio.units import Ticker

FORM = 3
"""Raised whenever older readers could misread. Form 2 has the ends of markets, form 3 other names for nearly everything."""
READABLE = (3,)


class Began(msgspec.Struct, tag_field="kind", tag="began", frozen=True, kw_only=True):
    """The first line of every segment: nothing before it is needed to read on."""

    form: int
    recio: str
    at: datetime
    risk: dict[str, Any]
    """The limits in force."""
    strategies: list[dict[str, Any]]
    """The common one first: name, stage, budget_dollars, entry, exit, model, and `models`, the name of the model of each symbol."""


class BoardChange(msgspec.Struct, frozen=True, kw_only=True):
    """A board against the one before."""

    tickers: tuple[Ticker, ...]
    """All markets, in order."""
    views: tuple[MarketView, ...]
    """Those that changed in more than the time of their book, and without it."""
    book_at: datetime | None
    """Of every market with a book but those in `apart`."""
    apart: dict[Ticker, datetime | None]
    venue: VenueState
    clock_offset: float | None


class Inputs(msgspec.Struct, tag_field="kind", tag="inputs", frozen=True, kw_only=True, omit_defaults=True):
    """What the cycles from here on saw; a field that is absent is as it was."""

    board: BoardChange | UnsetType | None = UNSET
    prices: Prices | UnsetType | None = UNSET
    trades: OpenTrades | UnsetType | None = UNSET
    shadow: dict[str, OpenTrades | None] | UnsetType = UNSET
    """Of strategies that do not order, by name: those that changed."""
    account: AccountView | UnsetType | None = UNSET
    controls: TradingControls | UnsetType | None = UNSET


class Entered(msgspec.Struct, tag_field="kind", tag="entry", frozen=True, kw_only=True, omit_defaults=True):
    """A cycle of entry: an intent, or the gate that said no."""

    at: datetime
    strategy: str
    wants: OpenIntent | None = None
    gate: str = ""
    sentence: str = ""


class Exited(msgspec.Struct, tag_field="kind", tag="exit", frozen=True, kw_only=True, omit_defaults=True):
    """A cycle of exit over one trade."""

    at: datetime
    trade: TradeView
    before: ExitMemory
    after: ExitMemory
    wants: CloseIntent | None = None
    holds: Holds | None = None


class Lost(msgspec.Struct, tag_field="kind", tag="lost", frozen=True, kw_only=True):
    """So many cycles before here could not be kept."""

    cycles: int


class Ended(msgspec.Struct, tag_field="kind", tag="ended", frozen=True, kw_only=True):
    """What the venue said of a market's end; cycles need not wait for it."""

    market: MarketEnded


Line = Began | Inputs | Entered | Exited | Lost | Ended
