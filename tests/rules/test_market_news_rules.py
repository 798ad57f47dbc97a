"""What the venue's socket says of a market counts at once, and no list that lags behind it undoes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from recio.messages.markets import Market, MarketSays, MarketStatus, StrikeType
from recio.rules.market.market_board import blind, held_on, shown, wanted
from recio.rules.market.market_news import LISTS_LAG, Heard, as_listed, with_news
from recio.units import Ticker
from tests.builders import NOW, board, market, open_trades, order, trade, view

STOPPED = MarketSays(status=MarketStatus.INACTIVE)
OTHER = Ticker("KXBTC15M-26NOV230800-00")


def test_a_message_changes_what_it_speaks_of_and_nothing_else():
    later = NOW + timedelta(hours=1)
    assert with_news(market(), STOPPED, "BRTI") == market(status=MarketStatus.INACTIVE)
    assert with_news(market(untradable="x"), MarketSays(close_time=later), "BRTI") == market(
        untradable="x", close_time=later
    )
    assert with_news(market(), MarketSays(), "BRTI") == market()


def test_a_strike_or_a_close_that_moves_makes_the_terms_be_read_again():
    moved = with_news(market(), MarketSays(strikes=(Decimal(1), None)), "BRTI")
    assert moved.floor_strike == 1
    assert "rules text not known" in moved.untradable
    assert "rules text not known" in with_news(market(), MarketSays(close_time=NOW), "BRTI").untradable


def test_a_message_stands_against_a_list_that_lags_and_not_for_ever():
    heard = Heard(STOPPED, at=100.0)
    assert (
        as_listed(market(), {}, {market().ticker: heard}, 100.0 + LISTS_LAG, "BRTI").status
        is MarketStatus.INACTIVE
    )
    assert (
        as_listed(market(), {}, {market().ticker: heard}, 100.1 + LISTS_LAG, "BRTI").status
        is MarketStatus.ACTIVE
    )
    assert as_listed(market(), {}, {}, 100.0, "BRTI") == market()


def test_a_list_without_a_strike_takes_none_away_and_one_with_a_strike_or_of_another_window_counts():
    def listed(**changes: Any) -> Market:
        unset = market(strike_type=StrikeType.UNSET, floor_strike=None, rules_primary="without it")
        return as_listed(replace(unset, **changes), {market().ticker: market()}, {}, 100.0, "BRTI")

    assert listed() == market()
    assert listed(status=MarketStatus.INACTIVE) == market(status=MarketStatus.INACTIVE)
    assert listed(untradable="strange").strike_type is StrikeType.UNSET
    assert listed(open_time=NOW).strike_type is StrikeType.UNSET
    moved = listed(strike_type=StrikeType.GREATER, floor_strike=Decimal(7))
    assert (moved.strike_type, moved.floor_strike) == (StrikeType.GREATER, Decimal(7))


def test_of_several_messages_the_newest_word_on_each_point_counts():
    later = NOW + timedelta(hours=1)
    heard = Heard(STOPPED, 1.0).after(MarketSays(close_time=later), 2.0)
    heard = heard.after(MarketSays(status=MarketStatus.ACTIVE), 3.0)
    assert heard == Heard(MarketSays(status=MarketStatus.ACTIVE, close_time=later), 3.0)


def test_an_old_word_on_one_point_does_not_stand_again_because_of_a_new_one_on_another():
    later = NOW + timedelta(hours=1)
    heard = Heard(STOPPED, 100.0).after(MarketSays(close_time=later), 101.0 + LISTS_LAG)
    listed = as_listed(market(), {}, {market().ticker: heard}, 102.0 + LISTS_LAG, "BRTI")
    assert (listed.status, listed.close_time) == (MarketStatus.ACTIVE, later)
    assert (
        as_listed(market(), {}, {market().ticker: heard}, 100.0 + LISTS_LAG, "BRTI").status
        is MarketStatus.INACTIVE
    )
    # Of what is heard itself nothing is forgotten: a result and its payment are told in two messages.
    assert heard.says == MarketSays(status=MarketStatus.INACTIVE, close_time=later)


def test_what_is_held_stays_on_the_board_after_the_others_whatever_its_event_and_its_close():
    here, there = market(), market(ticker=OTHER, event_ticker="KXBTC15M-26NOV230800", close_time=NOW)
    known = {each.ticker: each for each in (there, here)}
    assert shown(known, frozenset(), NOW) == [here]
    assert shown(known, {OTHER}, NOW) == [here, there]
    assert wanted(known, frozenset(), NOW) == {here.ticker}
    assert wanted(known, {OTHER}, NOW) == {here.ticker, OTHER}


def test_a_market_is_held_while_a_trade_lives_or_an_order_has_no_end():
    assert held_on(None) == frozenset()
    assert held_on(open_trades(trades=(trade(),))) == {trade().ticker}
    assert held_on(open_trades(orders=(order(ticker=OTHER),))) == {OTHER}


def test_a_market_whose_close_has_passed_may_have_no_book_and_replaces_no_socket():
    without = board(view(market(), None))
    nothing = board(*(type(each)(market=each.market, book=None) for each in without.markets))
    assert blind(nothing, NOW) == [market().ticker]
    assert blind(nothing, market().close_time) == []
