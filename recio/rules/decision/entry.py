"""Whether to open a trade now, and if not, the first reason why not; it never waits and never sends.

One rule: buy the side whose model probability exceeds its ask plus the taker fee by the wanted edge,
at no more than the price that still leaves that edge, for no more than stands there. Of several markets the one with the
most edge is tried first and, while one is refused, the next: only if all are is anything said to be refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace as changed

from recio.messages.account import AccountView
from recio.messages.controls import Switch, TradingControls
from recio.messages.decisions import Assessments, OpenIntent, StrikeAssessment
from recio.messages.markets import MarketBoard, MarketView
from recio.messages.orders import OpenTrades
from recio.messages.prices import Prices, PriceView
from recio.rules.decision.entry_gates import PROGRESS, Waits, gates_of_a_market
from recio.rules.decision.intents import Candidate, cents, intent_of
from recio.rules.decision.keeping_gates import keeping_gate
from recio.rules.decision.momentum_pause import NO_PAUSES, Pauses
from recio.rules.decision.watchlist import watched
from recio.rules.market.quotes import ask_of
from recio.rules.pricing.assessment import assess
from recio.rules.pricing.model import AVERAGE, Model, Reader
from recio.settings.strategies import DEFAULT
from recio.settings.trading import EntrySection, ExitSection
from recio.units import (
    EventTicker,
    Side,
    Ticker,
    price_text,
)

LOOK_AROUND_SECONDS = 1.0
"""Market seconds after which the whole board is looked at even if nothing changed: time alone moves a probability."""


OF_LIMITS = "risk "
"""How the gates begin that are limits."""
LIMITS_LAST = len(PROGRESS)


NO_MARKET = Waits(gate="no market", sentence="no open market is known")


class EntryInputs(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Everything entry may look at in one cycle. The board is changed in place by its writer: it is looked at and not kept."""

    board: MarketBoard | None
    prices: Prices | None
    trades: OpenTrades | None
    account: AccountView | None
    controls: TradingControls | None
    pauses: Pauses = NO_PAUSES
    """That this strategy remembers."""
    strategy: str = ""
    """Its name, by which a person may switch it off."""
    parted: bool = False
    """What this strategy came to on paper and in truth is apart beyond chance."""


class EntryDecision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    outcome: OpenIntent | Waits
    assessments: Assessments
    refusals: tuple[tuple[EventTicker, Waits], ...] = ()
    """For each open event the gate that its best strike did not pass."""


Allowed = Callable[[OpenIntent], OpenIntent | Waits]
"""What is left of an intent under limits that this rule does not know."""


def without_limits(intent: OpenIntent) -> OpenIntent:
    return intent


def decide(
    seen: EntryInputs,
    settings: EntrySection,
    now: datetime,
    model: Model = AVERAGE,
    strategy: str = DEFAULT,
    exits: ExitSection | None = None,
    allowed: Allowed = without_limits,
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
        _candidate(view, strike, prices.get(view.market.symbol), heard_at, passed, settings, now, seen.pauses)
        for view, strike in zip(markets, strikes, strict=True)
    ]
    outcome, answers = _tried(
        answers, lambda each: _made(each, seen, settings, exits, now, reader, strategy), allowed
    )
    return _decided(outcome, strikes, answers, markets, watching)


def decide_on(
    seen: EntryInputs,
    tickers: Iterable[Ticker],
    settings: EntrySection,
    now: datetime,
    model: Model = AVERAGE,
    strategy: str = DEFAULT,
    exits: ExitSection | None = None,
    allowed: Allowed = without_limits,
) -> OpenIntent | Waits:
    """The same over those markets alone that have changed: what `decide` says if the board held no others."""
    passed = first_closed_gate(seen, settings, now)
    if isinstance(passed, Waits) or seen.board is None:
        return passed if isinstance(passed, Waits) else NO_MARKET
    reader, board, prices = Reader(model), seen.board, (seen.prices or Prices()).by_symbol
    answers: list[Candidate | Waits] = []
    for ticker in tickers:
        view = board.by_ticker.get(ticker)
        if view is not None:
            price = prices.get(view.market.symbol)
            usable = gates_of_a_market(view, price, passed, board.heard_at, settings, now, seen.pauses)
            answers.append(
                usable if isinstance(usable, Waits) else _valued(view, usable, settings, now, reader)
            )
    return _tried(answers, lambda each: _made(each, seen, settings, exits, now, reader, strategy), allowed)[0]


def _valued(
    view: MarketView, usable: PriceView, settings: EntrySection, now: datetime, reader: Reader
) -> Candidate | Waits:
    """A market is priced only if every gate before the price is open."""
    return _priced(view, usable, assess(view, usable, now, reader.probability), settings, now)


def _tried(
    answers: Sequence[Candidate | Waits], make: Callable[[Candidate], OpenIntent | Waits], allowed: Allowed
) -> tuple[OpenIntent | Waits, list[Candidate | Waits]]:
    """The first intent that passes, the most edge first; and the answers with what those say that were refused on the way.

    If none passes, the reason of the first that was tried or, where nothing was wanted, of the market that came furthest.
    """
    said, first = list(answers), None
    wanted = [(nth, each) for nth, each in enumerate(answers) if isinstance(each, Candidate)]
    for nth, candidate in sorted(wanted, key=lambda each: -each[1].edge):
        outcome = make(candidate)
        if isinstance(outcome, OpenIntent):
            outcome = allowed(outcome)
        if isinstance(outcome, OpenIntent):
            return outcome, said
        said[nth] = outcome
        first = first or outcome
    refusals = [each for each in said if isinstance(each, Waits)]
    return first or max(refusals, key=_progress, default=NO_MARKET), said


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
    passed = PROGRESS.get(waits.gate)
    if passed is None:
        return LIMITS_LAST if waits.gate.startswith(OF_LIMITS) else 0
    return passed


def _decided(
    outcome: OpenIntent | Waits,
    strikes: Sequence[StrikeAssessment],
    answers: Sequence[Candidate | Waits],
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
    outcome: OpenIntent | Waits, answers: Sequence[Candidate | Waits], markets: Sequence[MarketView]
) -> tuple[tuple[EventTicker, Waits], ...]:
    """Each event's own reason; one of which something is wanted has none."""
    furthest: dict[EventTicker, Waits] = {}
    wanted = {outcome.event_ticker} if isinstance(outcome, OpenIntent) else set[EventTicker]()
    for view, said in zip(markets, answers, strict=True):
        event = view.market.event_ticker
        if not isinstance(said, Waits):
            wanted.add(event)
        elif event not in furthest or _progress(said) > _progress(furthest[event]):
            furthest[event] = said
    return tuple((event, waits) for event, waits in furthest.items() if event not in wanted)


def first_closed_gate(seen: EntryInputs, settings: EntrySection, now: datetime) -> Waits | OpenTrades:
    """The gates that concern no market in particular; what passes them has rows to go by."""
    if not settings.enabled:
        return Waits(gate="switch", sentence="entry is switched off (entry.enabled = false)")
    off = None if seen.controls is None else seen.controls.off(Switch.ENTRY, seen.strategy)
    if off is not None:
        whose = f" for strategy {off.strategy}" if off.strategy else ""
        return Waits(gate="switch", sentence=f"entry was switched off by {off.by}{whose}")
    if seen.parted and settings.stop_when_parted:
        return Waits(
            gate="parity",
            sentence="live and paper part beyond chance (recio score --parity), and entry.stop_when_parted = true",
        )
    return stops_of_everybody(seen, now)


def stops_of_everybody(seen: EntryInputs, now: datetime) -> Waits | OpenTrades:
    """What holds every entry, also one that a person asks for: halts, and whatever recio cannot see for the moment."""
    if seen.controls is None:
        return Waits(gate="starting", sentence="the failure detector has not reported yet")
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


def _candidate(
    view: MarketView,
    strike: StrikeAssessment,
    price: PriceView | None,
    heard_at: datetime | None,
    trades: OpenTrades,
    settings: EntrySection,
    now: datetime,
    pauses: Pauses,
) -> Candidate | Waits:
    usable = gates_of_a_market(view, price, trades, heard_at, settings, now, pauses)
    return usable if isinstance(usable, Waits) else _priced(view, usable, strike, settings, now)


def _priced(
    view: MarketView, usable: PriceView, strike: StrikeAssessment, settings: EntrySection, now: datetime
) -> Candidate | Waits:
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
) -> Candidate | Waits:
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
            sentence=f"best edge {cents(edge)} on {side} is below {cents(settings.min_edge_dollars)}"
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
    return Candidate(
        view=view,
        price=price,
        side=side,
        edge=edge,
        probability=probability if side is Side.YES else 1.0 - probability,
        seconds_to_close=remaining,
    )


def _made(
    candidate: Candidate,
    seen: EntryInputs,
    settings: EntrySection,
    exits: ExitSection | None,
    now: datetime,
    reader: Reader,
    strategy: str,
) -> OpenIntent | Waits:
    """Of what is worth its ask: whether it would be kept is asked of what is about to be bought alone."""
    kept = _worth_keeping(candidate, seen, settings, exits, now)
    return kept if isinstance(kept, Waits) else intent_of(kept, settings, now, reader, strategy)


def _worth_keeping(
    answer: Candidate,
    seen: EntryInputs,
    settings: EntrySection,
    exits: ExitSection | None,
    now: datetime,
) -> Candidate | Waits:
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
