"""A trade that a person asks for: held by halts, the venue and the limits, not by the model, the entry switch or a strategy's gates.

It never waits and never sends. The limits hold it as they hold any other, the price collar against the ask among them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from recio.messages.controls import Switch
from recio.messages.decisions import OpenIntent
from recio.messages.markets import MarketView
from recio.messages.orders import GUARD, OWN, STOP_PRICE, TAKE_PROFIT, Guard
from recio.messages.prices import Prices, PriceView
from recio.rules.decision.entry import EntryInputs, Waits, stops_of_everybody
from recio.rules.decision.entry_gates import book_gate, market_gate, own_gate
from recio.rules.decision.exit import guarded
from recio.rules.decision.exit_reasons import ExitContext, sells_at_once
from recio.rules.decision.strategy import Strategy
from recio.rules.market.quotes import ask_of, bid_of, market_on, price_in_range, quantity_up_to
from recio.rules.pricing.fees import max_fee
from recio.rules.pricing.model import Reader
from recio.settings.strategies import MANUAL
from recio.settings.trading import ExitSection
from recio.units import ONE_DOLLAR, Price, Quantity, Side, Ticker, complement, price_text


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRequest:
    """What a person wants to buy."""

    request_id: int
    ticker: Ticker
    side: Side
    quantity: Quantity
    limit: Price
    """The most to pay for one contract, in the side's own terms."""
    by: str
    why: str
    is_late: bool
    """Nobody dealt with it in time."""
    guard: Guard | None = None
    """What alone may sell it; None: the common exit."""


ANY_TIME: Mapping[str, object] = {
    "min_seconds_to_close": 0.0,
    "max_seconds_to_close": 1e9,
    "max_spread_dollars": None,
    "max_entries_per_market": None,
    "cooldown_seconds": 0.0,
}
"""The gates that are a strategy's and no person's."""


def decide(request: TradeRequest, seen: EntryInputs, common: Strategy, now: datetime) -> OpenIntent | Waits:
    """The intent, or what stands in its way: halts, the venue, its market and its book, never the model or the entry switch."""
    if request.is_late:
        return Waits(gate="too late", sentence="nobody dealt with the request in time: ask again")
    trades = stops_of_everybody(seen, now)
    if isinstance(trades, Waits):
        return trades
    view = market_on(seen.board, request.ticker)
    if seen.board is None or view is None:
        return Waits(
            gate="no market",
            sentence=f"{request.ticker} is not on the board: recio trades what its config names",
        )
    settings = common.entry.model_copy(update=ANY_TIME)
    remaining = (view.market.close_time - now).total_seconds()
    closed = (
        market_gate(view, settings, remaining)
        or book_gate(view, seen.board.heard_at, settings, now)
        or own_gate(view, trades, settings, now)
    )
    return closed or _intent(request, view, seen, common, now)


def _opinion(view: MarketView, seen: EntryInputs, common: Strategy, now: datetime) -> float | str:
    """The model's probability that the market settles YES, or why it has none: it is noted and decides nothing."""
    known = (seen.prices or Prices()).by_symbol.get(view.market.symbol)
    if known is None or known.unreliable:
        return "no price to go by" if known is None else known.unreliable
    return Reader(common.model).probability(view.market, known, now)


def _intent(
    request: TradeRequest, view: MarketView, seen: EntryInputs, common: Strategy, now: datetime
) -> OpenIntent | Waits:
    opinion = _opinion(view, seen, common, now)
    closed = _offer(request, view) or _sold_at_once(request, view, seen, opinion, common, now)
    if closed is not None:
        return closed
    ask = _best(request, view)
    return OpenIntent(
        strategy=MANUAL,
        ticker=request.ticker,
        event_ticker=view.market.event_ticker,
        exchange_index=view.market.exchange_index,
        side=request.side,
        quantity=request.quantity,
        limit=request.limit,
        # What it is worth to whoever asks: the price collar holds it against the ask alone.
        probability=request.limit / ONE_DOLLAR,
        fee_estimate=max_fee(ask, request.limit, request.quantity, view.market.fee_multiplier),
        closes_at=view.market.close_time,
        decided_at=now,
        why=f"asked for by {request.by}" + (f": {request.why}" if request.why else ""),
        inputs={
            "probability": f"{request.limit / ONE_DOLLAR:.6f}",
            "model": opinion if isinstance(opinion, str) else f"{_own(request.side, opinion):.6f}",
            "ask": price_text(ask),
            "limit": price_text(request.limit),
            "seconds_to_close": f"{(view.market.close_time - now).total_seconds():.3f}",
            "request": str(request.request_id),
            **_guard_figures(request.guard),
        },
    )


def _guard_figures(guard: Guard | None) -> dict[str, str]:
    if guard is None:
        return {}
    prices = {STOP_PRICE: guard.stop_price, TAKE_PROFIT: guard.take_profit}
    return {GUARD: OWN} | {name: price_text(each) for name, each in prices.items() if each is not None}


def _own(side: Side, probability: float) -> float:
    return probability if side is Side.YES else 1.0 - probability


def _sold_at_once(
    request: TradeRequest,
    view: MarketView,
    seen: EntryInputs,
    opinion: float | str,
    common: Strategy,
    now: datetime,
) -> Waits | None:
    """What would be sold on the same sight is not bought: it would only pay the spread and two fees."""
    if seen.controls is not None and seen.controls.off(Switch.EXIT) is not None:
        return None
    settings = guarded(common.exit, request.guard)
    quote, known = bid_of(view, request.side), _by_which_exit_judges(view, seen, settings, now)
    context = ExitContext(
        remaining=(view.market.close_time - now).total_seconds(),
        held_for=math.inf,
        bid=None if quote is None else quote[0],
        probability=_own(request.side, opinion) if known and not isinstance(opinion, str) else "not known",
        momentum=None if known is None else known.momentum,
    )
    if context.remaining < settings.min_seconds_to_close:
        return None
    why = sells_at_once(request.side, context, settings, now)
    if not why:
        return None
    if request.guard is None:
        return Waits(
            gate="stop",
            sentence=f"the common exit would sell it at once ({why}): ask with --no-stop, or with --stop-price for a stop of its own",
        )
    return Waits(gate="stop", sentence=f"its own guard would sell it at once: {why}")


def _by_which_exit_judges(
    view: MarketView, seen: EntryInputs, settings: ExitSection, now: datetime
) -> PriceView | None:
    """The price, unless it is too old for an exit to go by."""
    known = (seen.prices or Prices()).by_symbol.get(view.market.symbol)
    if known is None or known.unreliable:
        return None
    return known if (now - known.tick.at).total_seconds() <= settings.max_price_age_seconds else None


def _best(request: TradeRequest, view: MarketView) -> Price:
    quote = ask_of(view, request.side)
    return request.limit if quote is None else quote[0]


def _offer(request: TradeRequest, view: MarketView) -> Waits | None:
    """Whether something stands at the price that may be paid."""
    in_book = request.limit if request.side is Side.YES else complement(request.limit)
    if not price_in_range(in_book, view):
        return Waits(
            gate="price grid", sentence=f"{price_text(request.limit)} is not on this market's price grid"
        )
    quote = ask_of(view, request.side)
    if quote is not None and quantity_up_to(view, request.side, request.limit):
        return None
    best = "nobody offers it" if quote is None else f"the ask is {price_text(quote[0])}"
    return Waits(gate="depth", sentence=f"nothing stands at {price_text(request.limit)} or below: {best}")
