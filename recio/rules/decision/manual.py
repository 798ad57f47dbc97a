"""A trade that a person asks for: held by halts, the venue and the limits, not by the model, the entry switch or a strategy's gates.

It never waits and never sends. The limits hold it as they hold any other, the price collar against the ask among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from recio.messages.decisions import OpenIntent
from recio.messages.markets import MarketView
from recio.messages.orders import GUARD, OWN, STOP_PRICE, TAKE_PROFIT, Guard
from recio.messages.prices import Prices
from recio.rules.decision.entry import EntryInputs, Waits, stops_of_everybody
from recio.rules.decision.entry_gates import book_gate, market_gate, own_gate
from recio.rules.decision.strategy import Strategy
from recio.rules.market.quotes import ask_of, bid_of, market_on, price_in_range, quantity_up_to
from recio.rules.pricing.fees import max_fee
from recio.rules.pricing.model import Reader
from recio.settings.strategies import MANUAL
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
    return closed or _intent(request, view, _opinion(view, seen, common, now), common, now)


def _opinion(view: MarketView, seen: EntryInputs, common: Strategy, now: datetime) -> float | str:
    """The model's probability that the market settles YES, or why it has none: it is noted and decides nothing."""
    known = (seen.prices or Prices()).by_symbol.get(view.market.symbol)
    if known is None or known.unreliable:
        return "no price to go by" if known is None else known.unreliable
    return Reader(common.model).probability(view.market, known, now)


def _intent(
    request: TradeRequest, view: MarketView, opinion: float | str, common: Strategy, now: datetime
) -> OpenIntent | Waits:
    closed = _offer(request, view) or _sold_at_once(request, view, opinion, common)
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
    request: TradeRequest, view: MarketView, opinion: float | str, common: Strategy
) -> Waits | None:
    """What would be sold on the same sight is not bought: it would only pay the spread and two fees."""
    guard, quote = request.guard, bid_of(view, request.side)
    bid = None if quote is None else quote[0]
    if guard is None:
        stop = common.exit.stop_probability
        if (
            not common.exit.enabled
            or stop is None
            or isinstance(opinion, str)
            or _own(request.side, opinion) >= stop
        ):
            return None
        return Waits(
            gate="stop",
            sentence=f"exit.stop_probability = {stop:g} would sell it at once: the model gives {request.side}"
            f" {_own(request.side, opinion):.1%}; ask with --no-stop, or with --stop-price for a stop of its own",
        )
    if guard.stop_price is not None and bid is not None and bid <= guard.stop_price:
        return Waits(
            gate="stop",
            sentence=f"--stop-price {price_text(guard.stop_price)} would sell it at once: the bid is {price_text(bid)}",
        )
    return None


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
