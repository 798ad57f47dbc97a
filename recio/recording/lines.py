"""The forms of one line of a recording; what did not change since the line before is not written again."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from recio.messages.account import AccountView
from recio.messages.controls import TradingControls
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.markets import Market, MarketEnded, VenueState
from recio.messages.orders import OpenTrades, OrderView, TakenLevel, TradeView
from recio.messages.prices import FinalMinute, Momentum
from recio.rules.decision.exit import ExitMemory
from recio.rules.decision.momentum_pause import PauseMemory
from recio.units import ClientOrderId, Price, Quantity, TradeId

FORM = 6
"""Raised whenever older readers could misread. Form 6 tells the newest orders, on which entry's pauses after refusals depend."""
READABLE = (6,)


class Began(msgspec.Struct, tag_field="kind", tag="began", frozen=True, kw_only=True):
    """The first line of every segment: nothing before it is needed to read on."""

    form: int
    recio: str
    at: datetime
    """The times of all later lines count from here."""
    risk: dict[str, Any]
    """The limits in force."""
    strategies: list[dict[str, Any]]
    """The common one first: name, stage, budget_dollars, entry, exit, model, and `models`, the name of the model of each symbol."""


class Listed(msgspec.Struct, tag_field="kind", tag="market", frozen=True, kw_only=True):
    """A market as the venue describes it; later lines call it by its number."""

    number: int
    market: Market


class Levels(msgspec.Struct, array_like=True, frozen=True):
    """What changed in the best levels of one book, in YES terms; a quantity of 0: not among the best any more."""

    number: int
    bids: tuple[tuple[Price, Quantity], ...] = ()
    asks: tuple[tuple[Price, Quantity], ...] = ()


class PriceNews(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What changed in one coin's price. Times are microseconds since the segment began."""

    price: Decimal | None = None
    source: str = ""
    at: int | None = None
    received_at: int | None = None
    heard_at: int | None = None
    error: float | UnsetType = UNSET
    basis_error: float | UnsetType = UNSET
    volatility: float | UnsetType | None = UNSET
    unmeasured: tuple[tuple[int, int], ...] | UnsetType = UNSET
    final_minute: FinalMinute | UnsetType | None = UNSET
    momentum: Momentum | UnsetType | None = UNSET
    momentum_peaks: tuple[tuple[int, float], ...] | UnsetType = UNSET
    unreliable: str | UnsetType = UNSET
    doubt: str | UnsetType = UNSET
    forgotten: int = 0
    """So many of the oldest seconds of the last minute are no longer in it."""
    seconds: tuple[tuple[int, Decimal], ...] = ()
    """Those that came after the ones that are left."""
    prints_forgotten: int = 0
    prints: tuple[tuple[int, Decimal], ...] = ()
    """The same of the index's own prints."""


class News(msgspec.Struct, tag_field="kind", tag="news", frozen=True, kw_only=True, omit_defaults=True):
    """What is seen from here on; a field that is absent is as it was."""

    no_board: bool = False
    tickers: tuple[int, ...] | UnsetType = UNSET
    """All markets on the board, in order."""
    books: tuple[Levels, ...] = ()
    no_books: tuple[tuple[int, str], ...] = ()
    """Markets without a book, and why."""
    venue: VenueState | UnsetType = UNSET
    heard_at: int | UnsetType | None = UNSET
    """Microseconds since the segment began."""
    clock_offset: float | UnsetType | None = UNSET
    no_prices: bool = False
    prices: dict[str, PriceNews] | UnsetType = UNSET
    gone: tuple[str, ...] = ()
    """Coins without a price."""
    trades: OpenTrades | UnsetType | None = UNSET
    """Without trades that have ended, which no decision looks at, and without the newest orders, which `recent` tells."""
    recent: dict[ClientOrderId, OrderView | None] = {}
    """Of the newest orders, whatever became of them, those that are another than before; None: not among the newest any more."""
    paper: dict[str, OpenTrades | None] | UnsetType = UNSET
    """Of strategies that do not order, by name: those that changed."""
    account: AccountView | UnsetType | None = UNSET
    controls: TradingControls | UnsetType | None = UNSET
    pauses: dict[str, dict[str, PauseMemory]] | UnsetType = UNSET
    """All pauses for momentum that are remembered, by strategy and symbol."""
    held: TradeView | UnsetType = UNSET
    """The trade that the next line is about, if it is another or has changed."""
    taken: tuple[TakenLevel, ...] | UnsetType = UNSET
    """What trades on paper took from the book that the next decision of exit looks at."""


class Refusal(msgspec.Struct, array_like=True, frozen=True):
    """That nothing was wanted: `check` is the CRC-32 of the words, which are there in full where the whole board was looked at."""

    gate: str
    check: int
    words: str = ""


class Entered(msgspec.Struct, tag_field="kind", tag="entry", frozen=True, kw_only=True, omit_defaults=True):
    """A decision of entry: by strategy an intent, or the gate that said no."""

    at: int
    """Microseconds since the segment began."""
    markets: tuple[int, ...] | None = None
    """Those looked at, in this order; None: the whole board."""
    wants: dict[str, OpenIntent] = {}
    refused: dict[str, Refusal] = {}


class Exited(msgspec.Struct, tag_field="kind", tag="exit", frozen=True, kw_only=True, omit_defaults=True):
    """A decision of exit over one trade."""

    at: int
    trade: TradeId
    before: ExitMemory | UnsetType = UNSET
    """If it is not what was left of the decision before."""
    after: ExitMemory | UnsetType = UNSET
    """If it is not the same as before."""
    wants: CloseIntent | None = None
    holds: Refusal | None = None


class Lost(msgspec.Struct, tag_field="kind", tag="lost", frozen=True, kw_only=True):
    """So many decisions before here could not be kept."""

    cycles: int


class Ended(msgspec.Struct, tag_field="kind", tag="ended", frozen=True, kw_only=True):
    """What the venue said of a market's end; decisions need not wait for it."""

    market: MarketEnded


Line = Began | Listed | News | Entered | Exited | Lost | Ended
