"""Whether to open a trade now, and if not, the first reason why not; it never waits and never sends.

One rule: buy the side whose model probability exceeds its ask plus the taker fee by the wanted edge,
at no more than the price that still leaves that edge, for no more than stands there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace as changed

from recio.messages.account import AccountView
from recio.messages.controls import Switch, TradingControls
from recio.messages.decisions import Assessments, OpenIntent, StrikeAssessment
from recio.messages.markets import MarketBoard, MarketView
from recio.messages.orders import OpenTrades
from recio.messages.prices import Momentum, Prices, PriceView
from recio.rules.decision.entry_gates import PROGRESS, Waits, gates_of_a_market
from recio.rules.decision.keeping_gates import keeping_gate
from recio.rules.decision.sizing import contracts
from recio.rules.decision.watchlist import watched
from recio.rules.market.quotes import ask_of, quantity_up_to
from recio.rules.pricing.assessment import assess, max_price
from recio.rules.pricing.fees import max_fee, taker_fee
from recio.rules.pricing.model import AVERAGE, Model, Reader
from recio.settings.strategies import DEFAULT
from recio.settings.trading import EntrySection, ExitSection
from recio.units import (
    ONE_CONTRACT,
    EventTicker,
    Money,
    Price,
    Side,
    Ticker,
    money_text,
    price_text,
    quantity_text,
)

LOOK_AROUND_SECONDS = 1.0
"""Market seconds after which the whole board is looked at even if nothing changed: time alone moves a probability."""


NO_MARKET = Waits(gate="no market", sentence="no open market is known")


class EntryInputs(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Everything entry may look at in one cycle. The board is changed in place by its writer: it is looked at and not kept."""

    board: MarketBoard | None
    prices: Prices | None
    trades: OpenTrades | None
    account: AccountView | None
    controls: TradingControls | None


class EntryDecision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    outcome: OpenIntent | Waits
    assessments: Assessments
    refusals: tuple[tuple[EventTicker, Waits], ...] = ()
    """For each open event the gate that its best strike did not pass."""


def decide(
    seen: EntryInputs,
    settings: EntrySection,
    now: datetime,
    model: Model = AVERAGE,
    strategy: str = DEFAULT,
    exits: ExitSection | None = None,
) -> EntryDecision:
    """One cycle of one strategy's entry over the whole board, with what is shown of it; `exits` are what would sell it again."""
    reader = Reader(model)
    markets = () if seen.board is None else seen.board.markets
    heard_at = None if seen.board is None else seen.board.heard_at
    prices = (seen.prices or Prices()).by_symbol
    strikes = tuple(assess(view, prices.get(view.market.symbol), now, reader.probability) for view in markets)
    watching = watched(markets, strikes, settings)
    passed = first_closed_gate(seen, settings, now)
    if isinstance(passed, Waits):
        return _decided(passed, strikes, [passed] * len(strikes), markets, watching)
    answers = [
        _candidate(view, strike, prices.get(view.market.symbol), heard_at, passed, settings, now)
        for view, strike in zip(markets, strikes, strict=True)
    ]
    outcome = _outcome(answers, seen, settings, now, reader, strategy, exits)
    return _decided(outcome, strikes, answers, markets, watching)


def decide_on(
    seen: EntryInputs,
    tickers: Iterable[Ticker],
    settings: EntrySection,
    now: datetime,
    model: Model = AVERAGE,
    strategy: str = DEFAULT,
    exits: ExitSection | None = None,
) -> OpenIntent | Waits:
    """The same over those markets alone that have changed: what `decide` says if the board held no others."""
    passed = first_closed_gate(seen, settings, now)
    if isinstance(passed, Waits) or seen.board is None:
        return passed if isinstance(passed, Waits) else NO_MARKET
    reader, board, prices = Reader(model), seen.board, (seen.prices or Prices()).by_symbol
    answers: list[_Candidate | Waits] = []
    for ticker in tickers:
        view = board.by_ticker.get(ticker)
        if view is not None:
            price = prices.get(view.market.symbol)
            answers.append(_answer(view, price, board.heard_at, passed, settings, now, reader))
    return _outcome(answers, seen, settings, now, reader, strategy, exits)


def _answer(
    view: MarketView,
    price: PriceView | None,
    heard_at: datetime | None,
    trades: OpenTrades,
    settings: EntrySection,
    now: datetime,
    reader: Reader,
) -> _Candidate | Waits:
    """One market's; it is priced only if every gate before the price is open."""
    usable = gates_of_a_market(view, price, trades, heard_at, settings, now)
    if isinstance(usable, Waits):
        return usable
    return _priced(view, usable, assess(view, usable, now, reader.probability), settings, now)


def _outcome(
    answers: list[_Candidate | Waits],
    seen: EntryInputs,
    settings: EntrySection,
    now: datetime,
    reader: Reader,
    strategy: str,
    exits: ExitSection | None,
) -> OpenIntent | Waits:
    """The best candidate that would be kept; one that would not gets its reason among the answers."""
    candidates: list[_Candidate] = []
    for place, answer in enumerate(answers):
        if not isinstance(answer, Waits):
            kept = answers[place] = _worth_keeping(answer, seen, settings, exits, now)
            if not isinstance(kept, Waits):
                candidates.append(kept)
    if candidates:
        best = max(candidates, key=lambda candidate: candidate.edge)
        return _intent(best, settings, now, reader, strategy)
    refusals = [each for each in answers if isinstance(each, Waits)]
    return max(refusals, key=_progress, default=NO_MARKET)


def next_moment(seen: EntryInputs, settings: EntrySection, now: datetime) -> datetime:
    """When time alone may open a gate: the nearest market comes into its time, a cooldown or a minute of calm ends."""
    moments = [now + timedelta(seconds=LOOK_AROUND_SECONDS)]
    board, trades = seen.board, seen.trades
    early = timedelta(seconds=settings.max_seconds_to_close)
    if board is not None:
        moments += [view.market.close_time - early for view in board.by_ticker.values()]
    if trades is not None:
        cooldown = timedelta(seconds=settings.cooldown_seconds)
        moments += [last + cooldown for last in trades.last_entry_at.values()]
    if settings.spike_trigger_bp is not None:
        moments.append(now.replace(second=0, microsecond=0) + timedelta(minutes=1))
    return min(each for each in moments if each > now)


def _progress(waits: Waits) -> int:
    """How many gates were passed: of a whole ladder, the strike that came furthest tells the most."""
    return PROGRESS.get(waits.gate, 0)


def _decided(
    outcome: OpenIntent | Waits,
    strikes: Sequence[StrikeAssessment],
    answers: Sequence[_Candidate | Waits],
    markets: Sequence[MarketView],
    watching: tuple[Ticker, ...],
) -> EntryDecision:
    """The outcome, with each market's own reason noted beside its assessment."""
    noted = tuple(
        changed(strike, note=answer.sentence if isinstance(answer, Waits) else "wanted")
        for strike, answer in zip(strikes, answers, strict=True)
    )
    verdict = outcome.sentence if isinstance(outcome, Waits) else outcome.why
    return EntryDecision(
        outcome=outcome,
        assessments=Assessments(strikes=noted, verdict=verdict, watchlist=watching),
        refusals=_by_event(outcome, answers, markets),
    )


def _by_event(
    outcome: OpenIntent | Waits, answers: Sequence[_Candidate | Waits], markets: Sequence[MarketView]
) -> tuple[tuple[EventTicker, Waits], ...]:
    """Each event's own reason; one that something is wanted of has none, unless its intent came to nothing."""
    furthest: dict[EventTicker, Waits] = {}
    for view, answer in zip(markets, answers, strict=True):
        event, said = view.market.event_ticker, answer
        if not isinstance(said, Waits):
            if not isinstance(outcome, Waits):
                continue
            said = outcome
        if event not in furthest or _progress(said) > _progress(furthest[event]):
            furthest[event] = said
    wanted = outcome.event_ticker if isinstance(outcome, OpenIntent) else None
    return tuple((event, waits) for event, waits in furthest.items() if event != wanted)


def first_closed_gate(seen: EntryInputs, settings: EntrySection, now: datetime) -> Waits | OpenTrades:
    """The gates that concern no market in particular; what passes them has rows to go by."""
    if not settings.enabled:
        return Waits(gate="switch", sentence="entry is switched off (entry.enabled = false)")
    if seen.controls is None:
        return Waits(gate="starting", sentence="the failure detector has not reported yet")
    off = seen.controls.off(Switch.ENTRY)
    if off is not None:
        return Waits(gate="switch", sentence=f"entry was switched off by {off.by}")
    for halt in seen.controls.halts:
        return Waits(gate="halt", sentence=f"halted: {halt.cause}")
    until = seen.controls.vouched_until
    if until is not None and now > until:
        return Waits(gate="block", sentence="failure_detector frozen: nobody has looked for failures lately")
    for block in seen.controls.blocks:
        return Waits(gate="block", sentence=f"{block.condition}: {block.detail}")
    if seen.account is None or seen.trades is None:
        return Waits(gate="starting", sentence="the account has not been compared with the venue yet")
    return seen.trades


class _Candidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    view: MarketView
    price: PriceView
    side: Side
    edge: Money
    probability: float
    seconds_to_close: float


def _candidate(
    view: MarketView,
    strike: StrikeAssessment,
    price: PriceView | None,
    heard_at: datetime | None,
    trades: OpenTrades,
    settings: EntrySection,
    now: datetime,
) -> _Candidate | Waits:
    usable = gates_of_a_market(view, price, trades, heard_at, settings, now)
    return usable if isinstance(usable, Waits) else _priced(view, usable, strike, settings, now)


def _priced(
    view: MarketView, usable: PriceView, strike: StrikeAssessment, settings: EntrySection, now: datetime
) -> _Candidate | Waits:
    remaining = (view.market.close_time - now).total_seconds()
    if strike.probability is None:
        return Waits(gate="probability", sentence=strike.note)
    return _price_gate(view, usable, strike, strike.probability, settings, remaining)


def _price_gate(
    view: MarketView,
    price: PriceView,
    strike: StrikeAssessment,
    probability: float,
    settings: EntrySection,
    remaining: float,
) -> _Candidate | Waits:
    edges = [
        (edge, side)
        for side, edge in ((Side.YES, strike.yes_edge), (Side.NO, strike.no_edge))
        if edge is not None
    ]
    if not edges:
        return Waits(gate="empty book", sentence="nobody offers either side")
    edge, side = max(edges)
    if edge < settings.min_edge_dollars:
        return Waits(
            gate="edge",
            sentence=f"best edge {_cents(edge)} on {side} is below {_cents(settings.min_edge_dollars)}"
            f" (model {probability:.1%} yes)",
        )
    own = probability if side is Side.YES else 1.0 - probability
    if settings.min_probability is not None and own < settings.min_probability:
        return Waits(
            gate="min probability",
            sentence=f"model gives {side} {own:.1%} (at least {settings.min_probability:.0%} wanted)",
        )
    quote = ask_of(view, side)
    if quote is None or not settings.min_price_dollars <= quote[0] <= settings.max_price_dollars:
        return Waits(
            gate="price bounds",
            sentence=f"{side} ask is outside {price_text(settings.min_price_dollars)} to {price_text(settings.max_price_dollars)}",
        )
    return _Candidate(
        view=view,
        price=price,
        side=side,
        edge=edge,
        probability=probability if side is Side.YES else 1.0 - probability,
        seconds_to_close=remaining,
    )


def _worth_keeping(
    answer: _Candidate,
    seen: EntryInputs,
    settings: EntrySection,
    exits: ExitSection | None,
    now: datetime,
) -> _Candidate | Waits:
    closed = keeping_gate(
        answer.view,
        answer.side,
        answer.probability,
        answer.price,
        now=now,
        account=seen.account,
        controls=seen.controls,
        exits=exits if settings.only_what_exit_keeps else None,
    )
    return closed or answer


def _intent(
    candidate: _Candidate, settings: EntrySection, now: datetime, reader: Reader, strategy: str
) -> OpenIntent | Waits:
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
        why=f"model gives {candidate.side} {candidate.probability:.1%}, ask {price_text(ask)}, edge {_cents(candidate.edge)}"
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
            "strike": str(market.floor_strike if market.floor_strike is not None else market.cap_strike),
        },
    )


def _lower(candidate: _Candidate, reader: Reader, now: datetime) -> float | str:
    """The lower bound of the probability of the side wanted."""
    bounds = reader.bounds(candidate.view.market, candidate.price, now)
    if isinstance(bounds, str):
        return bounds
    return bounds[0] if candidate.side is Side.YES else 1.0 - bounds[1]


def _momentum(known: Momentum | None) -> str:
    return "unknown" if known is None else f"{known.bp:.3f}"


def _cents(amount: Money) -> str:
    return f"{amount / 10_000:.2f}¢"
