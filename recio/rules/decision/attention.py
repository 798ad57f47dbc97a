"""Which markets a decision has to look at after what changed, so that work is in proportion to it; it decides nothing itself.

A book concerns its own market, a price those of its coin. Whatever concerns all of them, and the moments at which time
alone may open a gate, ask for the whole board.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace as changed

from recio.messages.controls import TradingControls
from recio.messages.markets import MarketBoard, MarketView, VenuePhase
from recio.messages.orders import TradeView
from recio.messages.prices import Prices, PriceView
from recio.rules.decision.cycles import EntryLook
from recio.rules.decision.exit import LOOK_AROUND_SECONDS
from recio.rules.market import market_board
from recio.rules.market.quotes import market_on
from recio.units import Ticker, TradeId

CONFIRMED_OFTEN = timedelta(seconds=0.5)
"""A price that was confirmed again within this time, and is the same, asks for nothing: it was not old in between."""

LONGEST_UNSEEN = timedelta(seconds=LOOK_AROUND_SECONDS)
"""Market time for which a held trade is not looked at, at most."""


@dataclass(slots=True)
class Attention:
    """What was there at the last look."""

    next_at: datetime | None = None
    """When time alone asks for a look at the whole board; None: at once."""
    last: EntryLook | None = None
    by_symbol: dict[str, dict[Ticker, None]] = field(default_factory=dict[str, dict[Ticker, None]])

    def look(self, noticed: EntryLook, board: MarketBoard | None) -> EntryLook:
        """The same look, at those markets alone that it has to look at, in the order in which they changed."""
        before, self.last = self.last, noticed
        if board is None or noticed.board is None:
            return noticed
        if noticed.board.tickers is not None:
            self.by_symbol = _by_symbol(board)
        if self._is_for_all(before, noticed):
            # With every view of it: who keeps looks begins anew from such a one, whatever was lost before.
            return changed(noticed, board=market_board.everything(board))
        concerned = {view.market.ticker: None for view in noticed.board.views}
        before_prices = None if before is None else before.prices
        for symbol in _moved(before_prices, noticed.prices):
            concerned |= self.by_symbol.get(symbol, {})
        return changed(noticed, tickers=tuple(concerned))

    def _is_for_all(self, before: EntryLook | None, noticed: EntryLook) -> bool:
        if before is None or self.next_at is None or noticed.at >= self.next_at:
            return True
        if noticed.at < before.at:
            return True  # the clock was set back: the moments that were awaited may be far away
        is_laid_out_anew = noticed.board is not None and noticed.board.tickers is not None
        return is_laid_out_anew or _concerns_all(before, noticed)


class _Concern(msgspec.Struct, frozen=True, gc=False):
    """What a decision about one trade looked at."""

    trade: TradeView
    view: MarketView | None
    phase: VenuePhase | None
    price: PriceView | None
    controls: TradingControls | None
    next_at: datetime


@dataclass(slots=True)
class ExitAttention:
    """What was there when each trade was decided on last."""

    seen: dict[TradeId, _Concern] = field(default_factory=dict[TradeId, _Concern])

    def wants(
        self,
        trade: TradeView,
        board: MarketBoard | None,
        prices: Prices | None,
        controls: TradingControls | None,
        now: datetime,
    ) -> bool:
        """Whether anything that a decision about this trade looks at is another than at the last one."""
        last = self.seen.get(trade.trade_id)
        if last is None or last.trade is not trade or _is_time(last.next_at, now):
            return True
        view, price = market_on(board, trade.ticker), _price_of(trade, board, prices)
        if last.view is not view or last.phase is not _phase(board):
            return True
        if not _say_the_same(last.controls, controls):
            return True
        return last.price is not price and (price is None or _says_more(last.price, price))

    def looked(
        self,
        trade: TradeView,
        board: MarketBoard | None,
        prices: Prices | None,
        controls: TradingControls | None,
        next_at: datetime,
    ) -> None:
        """It was decided on; `next_at` is when time alone asks for the next look."""
        self.seen[trade.trade_id] = _Concern(
            trade=trade,
            view=market_on(board, trade.ticker),
            phase=_phase(board),
            price=_price_of(trade, board, prices),
            controls=controls,
            next_at=next_at,
        )

    def next_at(self, held: Iterable[TradeView], longest: datetime) -> datetime:
        """When the first of these is to be looked at even if nothing changes; at most `longest`."""
        known = (self.seen.get(each.trade_id) for each in held)
        return min((each.next_at for each in known if each is not None), default=longest)

    def keep_only(self, held: Iterable[TradeView]) -> None:
        """What is known of a trade goes with it."""
        live = {each.trade_id for each in held}
        for gone in self.seen.keys() - live:
            del self.seen[gone]


def _is_time(next_at: datetime, now: datetime) -> bool:
    """Whether the moment has come; one that lies further ahead than any can is of a clock that was set back since."""
    return not timedelta(0) < next_at - now <= LONGEST_UNSEEN


def _phase(board: MarketBoard | None) -> VenuePhase | None:
    return None if board is None else board.venue.phase


def _price_of(trade: TradeView, board: MarketBoard | None, prices: Prices | None) -> PriceView | None:
    view = market_on(board, trade.ticker)
    return None if view is None or prices is None else prices.by_symbol.get(view.market.symbol)


def _by_symbol(board: MarketBoard) -> dict[str, dict[Ticker, None]]:
    found: dict[str, dict[Ticker, None]] = {}
    for ticker, view in board.by_ticker.items():
        found.setdefault(view.market.symbol, {})[ticker] = None
    return found


def _concerns_all(before: EntryLook, now: EntryLook) -> bool:
    if before.trades is not now.trades or before.account is not now.account:
        return True
    return before.paper is not now.paper or not _say_the_same(before.controls, now.controls)


def _say_the_same(before: TradingControls | None, now: TradingControls | None) -> bool:
    """Controls are confirmed again and again: how long they are vouched for closes a gate and opens none."""
    if before is now or before is None or now is None:
        return before is now
    return replace(before, vouched_until=now.vouched_until) == now


def _moved(before: Prices | None, now: Prices | None) -> list[str]:
    """Coins whose price says something new."""
    if before is now or now is None:
        return []
    known = (before or Prices()).by_symbol
    return [symbol for symbol, view in now.by_symbol.items() if _says_more(known.get(symbol), view)]


def _says_more(before: PriceView | None, now: PriceView) -> bool:
    if before is now or before is None:
        return before is not now
    return (
        before.tick.price != now.tick.price
        or before.tick.source != now.tick.source
        or now.tick.at - before.tick.at > CONFIRMED_OFTEN
        or before.volatility != now.volatility
        or before.unreliable != now.unreliable
        or before.doubt != now.doubt
        or before.error != now.error
        or before.momentum != now.momentum
        or before.last_minute != now.last_minute
        or before.prints != now.prints
        or before.momentum_peaks != now.momentum_peaks
    )
