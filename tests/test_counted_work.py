"""What one market event costs from its bytes to the decision, counted in calls, so that no machine's mood can hide a change.

A call is one of Python or of C, as the interpreter's own profile hook tells them. The figures are upper bounds: whoever
makes a path cheaper lowers its number, and nobody raises one without a reason.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from decimal import Decimal
from types import FrameType

from benchmarks.in_process.books import frames
from recio.kalshi.frames import parse_frame
from recio.messages.controls import TradingControls
from recio.messages.markets import MarketBoard
from recio.rules.decision import cycles
from recio.rules.decision.entry import EntryInputs, Waits, decide_on
from recio.rules.decision.strategy import Strategy
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen, SequencedBooks
from recio.rules.pricing.model import AVERAGE
from recio.settings.risk import RiskSection
from recio.settings.strategies import DEFAULT, Stage
from recio.settings.trading import EntrySection, ExitSection, ModelSection
from recio.units import Ticker
from tests.builders import NOW, account, board, book, market, open_trades, prices, trade, view

PARSE_AND_BOOK_CALLS = 13
"""Of one change of a book, from its bytes to the book."""
ENTRY_CALLS = 135
"""Of one entry decision over one market in which nothing is worth it."""
ENTRY_CALLS_PER_STRIKE = 64
"""Of each further strike of a ladder."""
CHANGED_BOOK_CALLS = 104
"""Of deciding on one changed book, however many strikes the ladder has."""
EXIT_CALLS = 98
"""Of one exit decision about one trade that is kept."""

CHANGES = 2_000
LADDER = 200
STRATEGY = Strategy(
    name=DEFAULT,
    stage=Stage.LIVE,
    entry=EntrySection(enabled=True),
    exit=ExitSection(),
    model=AVERAGE,
    model_settings=ModelSection(),
)


def calls(work: Callable[[], object]) -> int:
    """How many calls a piece of work makes the second time, when every cache is warm and nobody's garbage falls due."""
    work()
    counted = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    before = sys.getprofile()
    gc.collect()
    gc.disable()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
        gc.enable()
    return counted


def test_a_change_of_a_book_makes_no_more_calls_than_counted():
    made = frames(CHANGES)

    def rebuild() -> None:
        books = SequencedBooks()
        for raw in made:
            seen = parse_frame(raw)
            if isinstance(seen, BookDeltaSeen):
                books.delta(seen)
            elif isinstance(seen, BookSnapshotSeen):
                books.snapshot(seen)

    assert calls(rebuild) / CHANGES <= PARSE_AND_BOOK_CALLS


def ladder(strikes: int) -> MarketBoard:
    of = [
        market(
            ticker=Ticker(f"KXBTCD-26NOV2312-T{84_000 + 10 * each}"), floor_strike=Decimal(84_000 + 10 * each)
        )
        for each in range(strikes)
    ]
    return board(*(view(each, book(10, 9_990)) for each in of))


def seen(on: MarketBoard) -> EntryInputs:
    return EntryInputs(
        board=on, prices=prices(), trades=open_trades(), account=account(), controls=TradingControls()
    )


def entry_calls(strikes: int) -> int:
    inputs = seen(ladder(strikes))
    _, outcome = cycles.of_entry(inputs, STRATEGY, RiskSection(), NOW)
    assert isinstance(outcome, Waits)
    assert outcome.gate == "edge"
    return calls(lambda: cycles.of_entry(inputs, STRATEGY, RiskSection(), NOW))


def test_an_entry_decision_makes_no_more_calls_than_counted():
    limits = RiskSection()
    inputs = seen(ladder(1))
    assert calls(lambda: cycles.of_entry(inputs, STRATEGY, limits, NOW)) <= ENTRY_CALLS


def test_a_further_strike_makes_no_more_calls_than_counted():
    assert (entry_calls(LADDER) - entry_calls(1)) / (LADDER - 1) <= ENTRY_CALLS_PER_STRIKE


def test_a_changed_book_in_a_ladder_makes_no_more_calls_than_counted_whatever_its_length():
    found: list[int] = []
    for strikes in (1, LADDER):
        inputs = seen(ladder(strikes))
        on = inputs.board
        assert on is not None
        first = [next(iter(on.by_ticker))]
        found.append(calls(lambda i=inputs, t=first: decide_on(i, t, STRATEGY.entry, NOW)))
    assert found[0] == found[1] <= CHANGED_BOOK_CALLS


def test_an_exit_decision_makes_no_more_calls_than_counted():
    held, on = trade(), board(view(levels=book(4_900, 5_100)))
    kept = cycles.of_exit(held, on, prices(), TradingControls(), cycles.exit_rule.NOTHING, STRATEGY, NOW)
    assert isinstance(kept.decided.outcome, cycles.exit_rule.Holds)

    def decide() -> None:
        cycles.of_exit(held, on, prices(), TradingControls(), cycles.exit_rule.NOTHING, STRATEGY, NOW)

    assert calls(decide) <= EXIT_CALLS
