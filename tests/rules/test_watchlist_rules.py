"""The watchlist holds what comes near to being bought, and what is bought is always on it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.messages.controls import TradingControls
from recio.messages.decisions import OpenIntent, StrikeAssessment
from recio.messages.markets import BookView
from recio.rules.decision.entry import EntryInputs, decide
from recio.rules.decision.watchlist import MOST, watched
from recio.settings.trading import EntrySection
from recio.units import Money, Price, Quantity, Ticker
from tests.builders import NOW, account, board, book, market, open_trades, prices, section, view

WANTS = section(EntrySection, enabled=True, min_edge_dollars=Decimal("0.04"), min_probability=0.9)


def strike(
    probability: float | None, yes: int | None, no: int | None, ticker: str = "T-1"
) -> StrikeAssessment:
    edges = [None if each is None else Money(each * 10_000) for each in (yes, no)]
    return StrikeAssessment(
        ticker=Ticker(ticker), probability=probability, yes_edge=edges[0], no_edge=edges[1], note=""
    )


def listed(
    assessed: StrikeAssessment, settings: EntrySection = WANTS, levels: BookView | None = None
) -> bool:
    shown = view(market(ticker=assessed.ticker), levels or book(8_000, 8_500))
    return watched([shown], [assessed], settings) == (assessed.ticker,)


@pytest.mark.parametrize(
    ("assessed", "is_near"),
    [
        (strike(0.95, 4, -9), True),
        (strike(0.95, 1, -9), True),
        (strike(0.95, 0, -9), False),
        (strike(0.85, 4, -9), True),
        (strike(0.84, 4, -9), False),
        (strike(0.10, -9, 4), True),
        (strike(0.10, 4, -9), False),
        (strike(None, None, None), False),
        (strike(0.95, None, None), False),
    ],
)
def test_a_strike_is_near_by_its_better_side_within_both_margins(assessed: StrikeAssessment, is_near: bool):
    assert listed(assessed) is is_near


def test_an_ask_beyond_the_highest_price_or_without_the_depth_wanted_is_not_near():
    assert not listed(strike(0.95, 4, -9), levels=book(8_900, 9_100))
    thin = WANTS.model_copy(update={"min_depth_contracts": Quantity(10_100)})
    assert not listed(strike(0.95, 4, -9), thin)
    assert listed(strike(0.95, 4, -9), thin, book(8_000, 8_500, 10_100))


def test_of_many_the_five_best_are_listed_best_first():
    views = [view(market(ticker=Ticker(f"T-{each}")), book(8_000, 8_500)) for each in range(9)]
    strikes = [strike(0.95, 2 + (each * 5) % 9, -9, f"T-{each}") for each in range(9)]
    found = watched(views, strikes, WANTS)
    edges = {each.ticker: each.yes_edge or 0 for each in strikes}
    assert len(found) == MOST
    assert [edges[each] for each in found] == sorted(edges.values(), reverse=True)[:MOST]


@given(st.integers(500, 9_000), st.integers(100, 900), st.integers(1, 500), st.floats(0.00001, 0.0004))
def test_what_entry_wants_is_on_the_list(bid: int, spread: int, size: int, volatility: float):
    bid, ask = bid // 100 * 100, (bid // 100 + spread // 100) * 100
    levels = BookView(bids=((Price(bid), Quantity(size)),), asks=((Price(min(ask, 9_900)), Quantity(size)),))
    of = next(iter(prices().by_symbol.values()))
    seen = EntryInputs(
        board=board(view(levels=levels)),
        prices=prices(replace(of, volatility=volatility)),
        trades=open_trades(),
        account=account(),
        controls=TradingControls(),
    )
    decided = decide(seen, EntrySection(enabled=True), NOW)
    if isinstance(decided.outcome, OpenIntent):
        assert decided.outcome.ticker in decided.assessments.watchlist
