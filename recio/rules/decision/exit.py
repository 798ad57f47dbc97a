"""Whether to sell what a trade holds before it settles, and at what floor; a halt or a block never stops it.

The reasons are those of exit_reasons; everything else is left to the settlement, which the venue decides. A flatten sells
whatever the model thinks, and asks no switch. Nothing is sold for less than its reason justifies. What it remembers from
cycle to cycle goes in and comes out as a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace as changed

from recio.messages.controls import Halt, Switch, TradingControls
from recio.messages.decisions import CloseIntent
from recio.messages.markets import MarketBoard, MarketStatus, MarketView, PriceRange, VenuePhase
from recio.messages.orders import Guard, TradeState, TradeView
from recio.messages.prices import Prices, PriceView
from recio.rules.decision.exit_reasons import ExitContext, Keep, Reason, Sell, judge
from recio.rules.market.quotes import WHOLE_CENTS, bid_of, market_on, sellable_floor, sellable_least
from recio.rules.pricing.model import AVERAGE, Model, Reader
from recio.settings.trading import ExitSection
from recio.units import Price, Side, TradeId, price_text

NO_CONTROLS = TradingControls()
MAY_TRADE = (MarketStatus.ACTIVE, MarketStatus.UNKNOWN)
"""Where it is not known whether a market goes on, the venue is asked by the sale itself."""
NO_STOPS: Mapping[str, object] = {
    "enabled": True,
    "stop_probability": None,
    "hard_stop_probability": None,
    "momentum_stop_bp": None,
    "time_stop_seconds_to_close": None,
    "min_hold_seconds": 0.0,
}
PAUSED = (VenuePhase.TRADING_PAUSED, VenuePhase.EXCHANGE_PAUSED)


class ExitMemory(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What exit knows of one trade from the cycles before; a restart goes on with it."""

    falling_since: datetime | None = None
    """Since when the probability has been below the stop without a break."""
    blind_since: datetime | None = None
    """Since when nobody can say what it is worth."""
    reason: str = ""
    """What asks for the sale that is being tried; empty while nothing does."""
    met_before: int = 0
    """Exit orders that had met a book when that reason began: only those since then lower the floor."""
    last_attempt: datetime | None = None
    unsold_since: datetime | None = None
    """Since when a sale is wanted that nobody can make."""
    alarmed: bool = False
    """Whether somebody has been called for that."""


NOTHING = ExitMemory()


class Holds(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Keep the position, and why."""

    trade_id: TradeId
    sentence: str
    alarm: bool = False
    """It should have been sold for too long and cannot be: somebody has to know, now and once."""


class ExitDecision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    outcome: CloseIntent | Holds
    remembered: ExitMemory


LOOK_AROUND_SECONDS = 0.25
"""Market seconds after which a held trade is looked at even if nothing changed: time alone moves a probability."""
LOOK_AROUND = timedelta(seconds=LOOK_AROUND_SECONDS)


def next_moment(trade: TradeView, remembered: ExitMemory, settings: ExitSection, now: datetime) -> datetime:
    """When time alone may change what is decided of a trade; at most LOOK_AROUND_SECONDS from now."""
    last, soonest = settings.time_stop_seconds_to_close, now + LOOK_AROUND
    for since, after in (
        (trade.opened_at, settings.min_hold_seconds),
        (trade.closes_at, -(last or 0.0)),
        (remembered.falling_since, settings.stop_confirm_seconds),
        (remembered.blind_since, settings.blind_stop_after_seconds),
        (remembered.last_attempt, _pause(settings)),
        (remembered.unsold_since, settings.alarm_after_seconds),
    ):
        if since is not None and now < (at := since + timedelta(seconds=after)) < soonest:
            soonest = at
    return soonest


def decide(
    trade: TradeView,
    board: MarketBoard | None,
    prices: Prices | None,
    before: ExitMemory,
    settings: ExitSection,
    now: datetime,
    controls: TradingControls = NO_CONTROLS,
    model: Model = AVERAGE,
) -> ExitDecision:
    """One cycle of exit for one open trade."""

    before = _not_ahead(before, now)

    def holds(sentence: str) -> ExitDecision:
        return ExitDecision(outcome=Holds(trade_id=trade.trade_id, sentence=sentence), remembered=before)

    if trade.state is not TradeState.OPEN or trade.held <= 0:
        return holds(f"{trade.state}")
    reader, (soonest, remaining) = Reader(model), _left(trade, board, now)
    if controls.flatten is not None:
        seen = _context(trade, board, prices, soonest, settings, now, reader)
        return _flatten(trade, board, _flattened(trade, controls.flatten, seen), before, settings, now)
    if (asked := controls.close_of(trade.trade_id)) is not None:
        why = f"close asked for by {asked.by}" + (f": {asked.why}" if asked.why else "")
        sell = Sell(reason=Reason.FLATTEN, why=why)
        return _flatten(trade, board, sell, before, _with_floor(settings, asked.floor), now)
    settings = guarded(settings, trade.guard)
    if remaining < settings.min_seconds_to_close:
        return holds("left to settlement")
    closed = _switch(settings, controls)
    if closed:
        return holds(closed)
    seen = _context(trade, board, prices, soonest, settings, now, reader)
    match judge(trade.side, seen, before.falling_since, settings, now, before.blind_since):
        case Keep(is_unguarded=True) as keep:
            kept = changed(before, falling_since=keep.falling_since, blind_since=keep.blind_since, reason="")
            return _unsold(trade, keep.sentence, kept, settings, now)
        case Keep() as keep:
            # A reason that has ended leaves nothing behind.
            kept = ExitMemory(
                falling_since=keep.falling_since,
                blind_since=keep.blind_since,
                met_before=before.met_before,
                last_attempt=before.last_attempt,
            )
            outcome = Holds(trade_id=trade.trade_id, sentence=keep.sentence)
            return ExitDecision(outcome=outcome, remembered=kept)
        case Sell() as sell:
            return _carry_out(trade, board, sell, before, settings, now)


def _left(trade: TradeView, board: MarketBoard | None, now: datetime) -> tuple[float, float]:
    """Seconds to the close by our clock and the venue's, the fewer first: in time by either, and given up by neither alone."""
    ours = (trade.closes_at - now).total_seconds()
    theirs = ours - (0.0 if board is None else board.clock_offset or 0.0)
    return min(ours, theirs), max(ours, theirs)


def _flattened(trade: TradeView, halt: Halt, seen: ExitContext) -> Sell:
    """It justifies any price, and says what the model would have kept."""
    worth = (
        "" if isinstance(seen.probability, str) else f", the model gives {trade.side} {seen.probability:.1%}"
    )
    return Sell(reason=Reason.FLATTEN, why=f"flatten: {halt.cause}{worth}")


def _with_floor(settings: ExitSection, floor: Price | None) -> ExitSection:
    """Sold as a person asks: never below this floor, whatever the settings say."""
    return settings.model_copy(update={"min_floor_dollars": floor})


def guarded(settings: ExitSection, guard: Guard | None) -> ExitSection:
    """The settings of a trade that a person guards: its own stops and no other; how it is sold stays as it is set."""
    if guard is None:
        return settings
    own = {"stop_price_dollars": guard.stop_price, "take_profit_dollars": guard.take_profit}
    return settings.model_copy(update={**NO_STOPS, **own})


def _not_ahead(before: ExitMemory, now: datetime) -> ExitMemory:
    """What is remembered, with nothing in the future: a clock that was set back must not hold up a sale until it has caught up."""
    falling_since, blind_since = before.falling_since, before.blind_since
    last_attempt, unsold_since = before.last_attempt, before.unsold_since
    if (
        (falling_since is None or falling_since <= now)
        and (blind_since is None or blind_since <= now)
        and (last_attempt is None or last_attempt <= now)
        and (unsold_since is None or unsold_since <= now)
    ):
        return before
    return changed(
        before,
        falling_since=_at_most(falling_since, now),
        blind_since=_at_most(blind_since, now),
        last_attempt=_at_most(last_attempt, now),
        unsold_since=_at_most(unsold_since, now),
    )


def _at_most(at: datetime | None, now: datetime) -> datetime | None:
    return None if at is None else min(at, now)


def _switch(settings: ExitSection, controls: TradingControls) -> str:
    off = controls.off(Switch.EXIT)
    if off is not None:
        return f"exit was switched off by {off.by}"
    return "" if settings.enabled else "exit is switched off (exit.enabled = false)"


def _flatten(
    trade: TradeView,
    board: MarketBoard | None,
    sell: Sell,
    before: ExitMemory,
    settings: ExitSection,
    now: datetime,
) -> ExitDecision:
    """As any sale where a bid can be seen; where none can, at the least price: what is unseen may still be there."""
    view = market_on(board, trade.ticker)
    is_blind = board is None or view is None or view.book is None or _is_old(board, settings, now)
    if not is_blind or _left(trade, board, now)[1] <= 0 or _hindered(board, view, unknown_market=""):
        return _carry_out(trade, board, sell, before, settings, now)
    unseen = changed(sell, why=f"{sell.why}; no bid can be seen: at the least price")
    return _sell(trade, view, None, unseen, before, settings, now)


def _carry_out(
    trade: TradeView,
    board: MarketBoard | None,
    sell: Sell,
    before: ExitMemory,
    settings: ExitSection,
    now: datetime,
) -> ExitDecision:
    """Sell, again and again until nothing is held or the market has closed; what hinders it is said."""
    if _left(trade, board, now)[1] <= 0:
        closed = Holds(trade_id=trade.trade_id, sentence="the market has closed, left to settlement")
        return ExitDecision(outcome=closed, remembered=before)
    view = market_on(board, trade.ticker)
    hindered = _hindered(board, view)
    quote = None if view is None or hindered else bid_of(view, trade.side)
    if view is None or quote is None:
        why = f"to be sold ({sell.why}): {hindered or 'nobody bids for what is held'}"
        return _unsold(trade, why, before, settings, now)
    bid = changed(sell, why=f"{sell.why}; bid {price_text(quote[0])}")
    return _sell(trade, view, quote[0], bid, before, settings, now)


def _sell(
    trade: TradeView,
    view: MarketView | None,
    bid: Price | None,
    sell: Sell,
    before: ExitMemory,
    settings: ExitSection,
    now: datetime,
) -> ExitDecision:
    """The next attempt, once the last one is long enough ago. Without a view, what the trade's own row says."""
    if before.reason != sell.reason:
        before = changed(before, reason=sell.reason.value, met_before=trade.exits_met)
    if before.last_attempt is not None and (now - before.last_attempt).total_seconds() < _pause(settings):
        return _unsold(trade, "waits before the next attempt to sell", before, settings, now)
    ranges = WHOLE_CENTS if view is None else view.market.price_ranges
    floor = _floor(trade, ranges, bid, trade.exits_met - before.met_before, sell.least, settings)
    if bid is not None and bid < floor:
        why = f"to be sold ({sell.why}): that is below {price_text(floor)}, the least that is taken for it"
        return _unsold(trade, why, before, settings, now)
    intent = CloseIntent(
        trade_id=trade.trade_id,
        exchange_index=trade.exchange_index if view is None else view.market.exchange_index,
        quantity=trade.held,
        floor=floor,
        decided_at=now,
        why=sell.why,
    )
    return ExitDecision(outcome=intent, remembered=_tried(before, now))


def _tried(before: ExitMemory, now: datetime) -> ExitMemory:
    """Somebody is called once the first of several attempts is too long ago, whatever became of them."""
    since, last = before.unsold_since, before.last_attempt
    if since is not None and (not before.alarmed or (last is not None and since <= last)):
        return changed(before, last_attempt=now)
    return changed(before, last_attempt=now, unsold_since=now, alarmed=False)


def not_tried(remembered: ExitMemory, before: ExitMemory) -> ExitMemory:
    """What is remembered of a sale that became no order: the next one waits for nothing, and somebody is called all the same."""
    return changed(remembered, last_attempt=before.last_attempt)


def _pause(settings: ExitSection) -> float:
    """Seconds between two attempts: at the least what it takes to hear what became of the one before."""
    return max(settings.retry_seconds, LOOK_AROUND_SECONDS)


def _unsold(
    trade: TradeView, sentence: str, before: ExitMemory, settings: ExitSection, now: datetime
) -> ExitDecision:
    since = before.unsold_since or now
    overdue = (now - since).total_seconds() >= settings.alarm_after_seconds
    held = Holds(trade_id=trade.trade_id, sentence=sentence, alarm=overdue and not before.alarmed)
    return ExitDecision(outcome=held, remembered=changed(before, unsold_since=since, alarmed=overdue))


def _floor(
    trade: TradeView,
    ranges: Sequence[PriceRange],
    bid: Price | None,
    attempts: int,
    least: Price,
    settings: ExitSection,
) -> Price:
    """The bid less the slippage, and less again with each attempt that met a book and left something unsold.

    Never below what the reason justifies or the settings want, on the grid too.
    """
    lowest = Price(max(1, least, settings.min_floor_dollars or 0))
    given_way = (
        0 if bid is None else bid - settings.max_slippage_dollars - attempts * settings.floor_step_dollars
    )
    floor = sellable_floor(ranges, trade.side, Price(max(lowest, given_way)))
    return floor if floor >= lowest else sellable_least(ranges, trade.side, lowest)


def _hindered(
    board: MarketBoard | None, view: MarketView | None, *, unknown_market: str = "waits for the market"
) -> str:
    """Why nothing can be sold on this market now; empty if it can."""
    if board is not None and board.venue.phase in PAUSED:
        return f"waits: {board.venue.phase}"
    if board is None or view is None:
        return unknown_market
    if view.market.status not in MAY_TRADE:
        return f"market is {view.market.status}"
    return ""


def _context(
    trade: TradeView,
    board: MarketBoard | None,
    prices: Prices | None,
    remaining: float,
    settings: ExitSection,
    now: datetime,
    reader: Reader,
) -> ExitContext:
    view = market_on(board, trade.ticker)
    price = None if view is None or prices is None else prices.by_symbol.get(view.market.symbol)
    quote = (
        None if board is None or view is None or _is_old(board, settings, now) else bid_of(view, trade.side)
    )
    trusted = price is not None and not _price_fault(price, settings, now)
    probability = _own_probability(trade, board, view, price, settings, now, reader)
    is_unknown = isinstance(probability, str)
    return ExitContext(
        remaining=remaining,
        held_for=(now - trade.opened_at).total_seconds(),
        bid=None if quote is None else quote[0],
        probability=probability,
        momentum=price.momentum if price is not None and trusted else None,
        paid=Price(trade.entry_cost // trade.entry_quantity) if is_unknown and trade.entry_quantity else None,
        is_blind=is_unknown and not _hindered(board, view, unknown_market=""),
    )


def _is_old(board: MarketBoard, settings: ExitSection, now: datetime) -> bool:
    """A bid of a book that has fallen silent says nothing of what could be had now."""
    heard_at = board.heard_at
    return heard_at is None or (now - heard_at).total_seconds() > settings.max_book_age_seconds


def _price_fault(price: PriceView, settings: ExitSection, now: datetime) -> str:
    if price.unreliable:
        return f"no stop can be judged: {price.unreliable}"
    age = (now - price.tick.at).total_seconds()
    if age > settings.max_price_age_seconds:
        return f"price is {age:.1f} s old: no stop can be judged"
    return ""


def _own_probability(
    trade: TradeView,
    board: MarketBoard | None,
    view: MarketView | None,
    price: PriceView | None,
    settings: ExitSection,
    now: datetime,
    reader: Reader,
) -> float | str:
    if board is None or view is None or price is None:
        return "waits for market and price"
    if board.venue.phase in PAUSED:
        return f"waits: {board.venue.phase}"
    if view.market.status not in MAY_TRADE:
        return f"market is {view.market.status}"
    if fault := _price_fault(price, settings, now):
        return fault
    probability = reader.probability(view.market, price, now)
    if isinstance(probability, str):
        return probability
    return probability if trade.side is Side.YES else 1.0 - probability
