"""A trade that a person asks for, through the gates of every entry but those of the model's opinion; it never waits and never sends.

The limits hold it as they hold any other, the price collar against the model's worth among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from recio.messages.decisions import OpenIntent
from recio.messages.markets import MarketView
from recio.messages.prices import Prices, PriceView
from recio.rules.decision.entry import EntryInputs, Waits, first_closed_gate
from recio.rules.decision.entry_gates import gates_of_a_market
from recio.rules.decision.keeping_gates import own_exit
from recio.rules.decision.strategy import Strategy
from recio.rules.market.quotes import ask_of, market_on, price_in_range, quantity_up_to
from recio.rules.pricing.fees import max_fee
from recio.rules.pricing.model import Reader
from recio.settings.strategies import MANUAL
from recio.units import Price, Quantity, Side, Ticker, complement, price_text


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


def decide(request: TradeRequest, seen: EntryInputs, common: Strategy, now: datetime) -> OpenIntent | Waits:
    """The intent, or the first gate that is closed."""
    if request.is_late:
        return Waits(gate="too late", sentence="nobody dealt with the request in time: ask again")
    settings = common.entry.model_copy(update={"enabled": True})
    trades = first_closed_gate(seen, settings, now)
    if isinstance(trades, Waits):
        return trades
    view = market_on(seen.board, request.ticker)
    if seen.board is None or view is None:
        return Waits(
            gate="no market",
            sentence=f"{request.ticker} is not on the board: recio trades what its config names",
        )
    known = (seen.prices or Prices()).by_symbol.get(view.market.symbol)
    price = gates_of_a_market(view, known, trades, seen.board.heard_at, settings, now, seen.pauses)
    if isinstance(price, Waits):
        return price
    return _intent(request, view, price, common, now)


def _intent(
    request: TradeRequest, view: MarketView, price: PriceView, common: Strategy, now: datetime
) -> OpenIntent | Waits:
    reader = Reader(common.model)
    probability = reader.probability(view.market, price, now)
    if isinstance(probability, str):
        return Waits(gate="probability", sentence=f"the model cannot say what it is worth: {probability}")
    ask = _offer(request, view)
    if isinstance(ask, Waits):
        return ask
    own = probability if request.side is Side.YES else 1.0 - probability
    if common.entry.only_what_exit_keeps and (
        why := own_exit(view, request.side, own, price, common.exit, now)
    ):
        return Waits(gate="own exit", sentence=why)
    return OpenIntent(
        strategy=MANUAL,
        ticker=request.ticker,
        event_ticker=view.market.event_ticker,
        exchange_index=view.market.exchange_index,
        side=request.side,
        quantity=request.quantity,
        limit=request.limit,
        probability=own,
        fee_estimate=max_fee(ask, request.limit, request.quantity, view.market.fee_multiplier),
        closes_at=view.market.close_time,
        decided_at=now,
        why=f"asked for by {request.by}" + (f": {request.why}" if request.why else ""),
        inputs={
            **reader.figures(view.market, price, now),
            "price": str(price.tick.price),
            "price_source": price.tick.source,
            "price_at": price.tick.at.isoformat(),
            "probability": f"{own:.6f}",
            "ask": price_text(ask),
            "limit": price_text(request.limit),
            "seconds_to_close": f"{(view.market.close_time - now).total_seconds():.3f}",
            "request": str(request.request_id),
        },
    )


def _offer(request: TradeRequest, view: MarketView) -> Price | Waits:
    """The best ask, if something stands at the price that may be paid."""
    in_book = request.limit if request.side is Side.YES else complement(request.limit)
    if not price_in_range(in_book, view):
        return Waits(
            gate="price grid", sentence=f"{price_text(request.limit)} is not on this market's price grid"
        )
    quote = ask_of(view, request.side)
    if quote is not None and quantity_up_to(view, request.side, request.limit):
        return quote[0]
    best = "nobody offers it" if quote is None else f"the ask is {price_text(quote[0])}"
    return Waits(gate="depth", sentence=f"nothing stands at {price_text(request.limit)} or below: {best}")
