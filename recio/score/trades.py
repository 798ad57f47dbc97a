"""What filled paper trades brought after fees; a trade counts by whether its market's end is known, never by how it ended itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from recio.messages.orders import TradeView
from recio.replay.findings import TradeFound
from recio.report.intervals import Close, Interval, Mean, closes_needed, mean_of, together
from recio.units import ONE_CONTRACT, payout_of

MICRO = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """What was sold before the close, beside what it would have paid; without the fees of selling."""

    trades: int
    contracts: float
    brought: float
    would_have_paid: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled:
    """Trades of markets whose end nobody told, sold or held. In no other figure: of them only the sold ones would count."""

    trades: int
    contracts: float
    paid: float
    """With fees."""
    brought: float
    """By what was sold of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What filled trades of markets with a known end brought after fees, sold or held."""

    trades: int
    events: int
    """Closes, over all series and coins."""
    contracts: float
    dollars: float
    per_contract: float | None
    """None without any."""
    mean: Mean | None
    interval: Interval | None
    events_needed: int | None
    sold: Sold | None
    """None where nothing was."""
    unsettled: Unsettled | None
    """None where all ends are known."""


def edge(trades: Sequence[TradeFound]) -> Edge | None:
    """None where nothing was filled."""
    filled = [each for each in trades if each.trade.entry_quantity > 0]
    if not filled:
        return None
    ended = [each for each in filled if each.yes_value is not None]
    closes = closes_of_trades([each.trade for each in ended])
    dollars, contracts = (math.fsum(each.total for each in closes), math.fsum(each.weight for each in closes))
    mean = mean_of(closes)
    return Edge(
        trades=len(ended),
        events=len(closes),
        contracts=contracts,
        dollars=dollars,
        per_contract=dollars / contracts if contracts else None,
        mean=mean,
        interval=None if mean is None else mean.interval(),
        events_needed=closes_needed(closes),
        sold=_sold(ended),
        unsettled=_unsettled([each.trade for each in filled if each.yes_value is None]),
    )


def closes_of_trades(trades: Sequence[TradeView]) -> list[Close]:
    """Dollars after fees by contracts, of each close; chance is that of the prices paid."""
    closes: dict[str, list[TradeView]] = {}
    for trade in trades:
        closes.setdefault(trade.closes_at.isoformat(), []).append(trade)
    return [
        Close(
            total=math.fsum(each.pnl / MICRO for each in held),
            weight=math.fsum(each.entry_quantity / ONE_CONTRACT for each in held),
            deviation=together((each.side, _deviation(each)) for each in held),
        )
        for held in closes.values()
    ]


def _deviation(trade: TradeView) -> float:
    contracts = trade.entry_quantity / ONE_CONTRACT
    price = min(1.0, trade.entry_cost / MICRO / contracts)
    return contracts * math.sqrt(price * (1 - price))


def _sold(ended: Sequence[TradeFound]) -> Sold | None:
    sold = [each for each in ended if each.trade.exit_quantity > 0]
    if not sold:
        return None
    return Sold(
        trades=len(sold),
        contracts=math.fsum(each.trade.exit_quantity / ONE_CONTRACT for each in sold),
        brought=math.fsum(each.trade.exit_proceeds / MICRO for each in sold),
        would_have_paid=math.fsum(
            payout_of(each.trade.side, each.trade.exit_quantity, each.yes_value) / MICRO
            for each in sold
            if each.yes_value is not None
        ),
    )


def _unsettled(trades: Sequence[TradeView]) -> Unsettled | None:
    if not trades:
        return None
    return Unsettled(
        trades=len(trades),
        contracts=math.fsum(each.entry_quantity / ONE_CONTRACT for each in trades),
        paid=math.fsum((each.entry_cost + each.fees) / MICRO for each in trades),
        brought=math.fsum(each.exit_proceeds / MICRO for each in trades),
    )
