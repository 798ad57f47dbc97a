"""Twenty thousand drawn cases of four laws of trading; `make properties` draws a million."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from recio.messages.controls import TradingControls
from recio.messages.decisions import OpenIntent
from recio.rules.decision.entry import EntryInputs, Waits, decide
from recio.settings.trading import EntrySection, ExitSection
from tests.builders import NOW, account, board, book, market, open_trades, price, prices, section, view
from tests.rules.laws import LAWS, hold

CASES = 20_000
TELLING = 0.1
"""Of the cases of each law so many must say something: a law over cases that never come to the point holds of nothing."""


@pytest.mark.parametrize("law", LAWS)
def test_the_law_holds_in_every_case_that_is_drawn(law: Callable[[random.Random], bool]):
    cases = CASES // len(LAWS)
    assert hold(law, cases) >= cases * TELLING


@pytest.mark.parametrize("law", LAWS)
def test_a_law_that_is_broken_says_which_seed_tells_it_again(law: Callable[[random.Random], bool]):
    def broken(draw: random.Random) -> bool:
        assert draw.random() < 0.9
        return law(draw)

    with pytest.raises(AssertionError) as found:
        hold(broken, 1000)
    (note,) = found.value.__notes__
    seed = int(note.rsplit("(", 1)[1].rstrip(")"))
    assert random.Random(seed).random() >= 0.9


def entered(exits: ExitSection, age: float) -> OpenIntent | Waits:
    """By an entry that buys on prices of up to 15 s."""
    soon = view(market(close_time=NOW + timedelta(minutes=5)), book(1000, 5000))
    spot = price("84100.00", age=age)
    seen = EntryInputs(
        board=board(soon),
        prices=prices(spot),
        trades=open_trades(),
        account=account(),
        controls=TradingControls(),
    )
    buys = section(EntrySection, enabled=True, max_price_age_seconds=15)
    return decide(seen, buys, NOW, exits=exits).outcome


@pytest.mark.parametrize("age", [9.9, 10.0])
def test_a_price_that_the_own_exit_still_judges_by_is_bought_on(age: float):
    assert isinstance(entered(ExitSection(), age), OpenIntent)


def test_nothing_is_bought_on_a_price_by_which_the_own_exit_could_judge_no_stop():
    """It would be held without a stop, or sold at once because nobody knows what it is worth."""
    said = entered(ExitSection(), 10.1)
    assert isinstance(said, Waits)
    assert (said.gate, "exit.max_price_age_seconds = 10" in said.sentence) == ("own exit", True)


@pytest.mark.parametrize("switched_off", [{"enabled": False}, {"stop_probability": "off"}])
def test_an_exit_without_a_stop_to_judge_asks_for_no_fresh_price(switched_off: dict[str, object]):
    assert isinstance(entered(section(ExitSection, **switched_off), 14.0), OpenIntent)
