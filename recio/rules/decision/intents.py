"""An intent to buy what was found worth it: its size, its limit and the figures it was made from; it chooses no market."""

from __future__ import annotations

from datetime import datetime

import msgspec

from recio.messages.decisions import OpenIntent
from recio.messages.markets import MarketView
from recio.messages.prices import Momentum, PriceView
from recio.rules.decision.entry_gates import Waits
from recio.rules.decision.sizing import contracts
from recio.rules.market.market_board import strike_text
from recio.rules.market.quotes import ask_of, quantity_up_to
from recio.rules.pricing.assessment import max_price
from recio.rules.pricing.fees import max_fee, taker_fee
from recio.rules.pricing.model import Reader
from recio.settings.trading import EntrySection
from recio.units import ONE_CONTRACT, Money, Price, Side, money_text, price_text, quantity_text


class Candidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One side of one market that is worth its ask."""

    view: MarketView
    price: PriceView
    side: Side
    edge: Money
    probability: float
    seconds_to_close: float


def intent_of(
    candidate: Candidate, settings: EntrySection, now: datetime, reader: Reader, strategy: str
) -> OpenIntent | Waits:
    """As large as the settings and what stands at the price allow, or the gate that refuses it."""
    quote = ask_of(candidate.view, candidate.side)
    if quote is None:
        return Waits(gate="empty book", sentence="nobody offers the side wanted")
    ask, there = quote
    market = candidate.view.market
    highest = Price(min(settings.max_price_dollars, ask + settings.max_slippage_dollars))
    limit = max_price(
        candidate.view, candidate.side, candidate.probability, settings.min_edge_dollars, highest
    )
    if limit is None:
        return Waits(gate="price grid", sentence=f"{price_text(ask)} is not on this market's price grid")
    depth = quantity_up_to(candidate.view, candidate.side, limit)
    if settings.min_depth_contracts is not None and depth < settings.min_depth_contracts:
        return Waits(
            gate="depth",
            sentence=f"{quantity_text(depth)} contracts stand up to {price_text(limit)}"
            f" (at least {quantity_text(settings.min_depth_contracts)} wanted)",
        )
    fee = taker_fee(limit, ONE_CONTRACT, market.fee_multiplier)
    size = contracts(settings, limit, fee, lambda: _lower(candidate, reader, now), depth)
    if isinstance(size, str):
        return Waits(gate="size", sentence=size)
    return OpenIntent(
        strategy=strategy,
        ticker=market.ticker,
        event_ticker=market.event_ticker,
        exchange_index=market.exchange_index,
        side=candidate.side,
        quantity=size,
        limit=limit,
        probability=candidate.probability,
        fee_estimate=max_fee(ask, limit, size, market.fee_multiplier),
        closes_at=market.close_time,
        decided_at=now,
        why=f"model gives {candidate.side} {candidate.probability:.1%}, ask {price_text(ask)}, edge {cents(candidate.edge)}"
        f" after fee, pays up to {price_text(limit)}, {candidate.seconds_to_close:.0f} s to the close",
        inputs={
            **reader.figures(market, candidate.price, now),
            "price": str(candidate.price.tick.price),
            "price_source": candidate.price.tick.source,
            "price_at": candidate.price.tick.at.isoformat(),
            "momentum": _momentum(candidate.price.momentum),
            "probability": f"{candidate.probability:.6f}",
            "ask": price_text(ask),
            "limit": price_text(limit),
            "ask_quantity": quantity_text(there),
            "edge": money_text(candidate.edge),
            "seconds_to_close": f"{candidate.seconds_to_close:.3f}",
            "strike": strike_text(market),
        },
    )


def _lower(candidate: Candidate, reader: Reader, now: datetime) -> float | str:
    """The lower bound of the probability of the side wanted."""
    bounds = reader.bounds(candidate.view.market, candidate.price, now)
    if isinstance(bounds, str):
        return bounds
    return bounds[0] if candidate.side is Side.YES else 1.0 - bounds[1]


def _momentum(known: Momentum | None) -> str:
    return "unknown" if known is None else f"{known.bp:.3f}"


def cents(amount: Money) -> str:
    """For sentences."""
    return f"{amount / 10_000:.2f}¢"
