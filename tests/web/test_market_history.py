"""What is kept of markets for their charts: a point every five seconds, unknown as unknown, bounded, and longest of what was traded."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from recio.messages.decisions import Assessments, StrikeAssessment
from recio.messages.markets import MarketView
from recio.messages.prices import Momentum
from recio.rules.market.settlement import forming
from recio.units import Ticker
from recio.web import market_history
from recio.web.market_history import EVERY, POINTS, UNKNOWN, MarketHistory, Seen
from tests.builders import NOW, TICKER, board, book, market, open_trades, price, prices, trade, view

CLOSES = market().close_time


def said(probability: float | None) -> Assessments:
    strike = StrikeAssessment(ticker=TICKER, probability=probability, yes_edge=None, no_edge=None, note="")
    return Assessments(strikes=(strike,), verdict="")


def seen(*views: MarketView, probability: float | None = 0.5731) -> Seen:
    return Seen(board=board(*views), prices=prices(), assessments=said(probability), trades=open_trades())


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_point_is_taken_every_five_seconds_however_often_the_page_is_made():
    history = MarketHistory()
    for half_seconds in range(40):
        history.look(seen(), after(half_seconds / 2))
    kept = history.markets[TICKER]
    assert list(kept.at) == [int(after(each).timestamp()) for each in (0, 5, 10, 15)]
    assert (kept.bid[0], kept.ask[0], kept.probability[0]) == (5000, 5200, 5731)
    assert history.since == NOW


def test_what_is_unknown_is_kept_as_unknown_and_never_as_zero():
    history = MarketHistory()
    history.look(seen(MarketView(market=market(), book=None), probability=None), NOW)
    kept = history.markets[TICKER]
    assert (kept.bid[0], kept.ask[0], kept.probability[0]) == (UNKNOWN, UNKNOWN, UNKNOWN)


def test_an_hour_is_kept_and_the_oldest_is_forgotten():
    history = MarketHistory()
    later = market(close_time=NOW + timedelta(days=1))
    for number in range(POINTS + 3):
        history.look(seen(view(later, book(bid=1000 + number))), NOW + number * EVERY)
    kept = history.markets[TICKER]
    assert len(kept.at) == len(kept.bid) == len(kept.ask) == len(kept.probability) == POINTS
    assert (kept.bid[0], kept.bid[-1]) == (1003, 1000 + POINTS + 2)


def test_a_long_board_is_noted_in_parts_so_that_nobody_waits_for_it():
    ladder = [view(market(ticker=Ticker(f"T-{number}"))) for number in range(250)]
    history = MarketHistory()
    sizes: list[int] = []
    for half_seconds in range(4):
        history.look(seen(*ladder), after(half_seconds / 2))
        sizes.append(len(history.markets))
    assert sizes == [100, 200, 250, 250]


def test_a_market_that_was_traded_keeps_its_points_for_hours_after_its_close_and_another_for_minutes():
    other = Ticker("KXBTC15M-26NOV230715-30")
    history, both = MarketHistory(), (view(), view(market(ticker=other)))
    for seconds in (0, 5):
        traded = replace(seen(*both), trades=open_trades(recent_trades=(trade(),)))
        history.look(traded, after(seconds))
    gone = Seen(trades=open_trades())
    history.look(gone, CLOSES + timedelta(minutes=14))
    assert set(history.markets) == {TICKER, other}
    history.look(gone, CLOSES + timedelta(minutes=16))
    assert set(history.markets) == {TICKER}
    history.look(gone, CLOSES + timedelta(hours=13))
    assert (history.markets, history.closing) == ({}, {})


def test_a_market_traded_on_paper_counts_as_traded():
    history = MarketHistory()
    for seconds in (0, 5):
        on_paper = replace(seen(), trades=None, paper={"tried": open_trades(trades=(trade(),))})
        history.look(on_paper, after(seconds))
    assert history.markets[TICKER].is_traded


def test_more_markets_than_are_kept_cost_those_that_nobody_traded(monkeypatch):
    monkeypatch.setitem(vars(market_history), "MARKETS", 2)
    history = MarketHistory()
    ladder = [view(), *(view(market(ticker=Ticker(f"T-{number}"))) for number in range(4))]
    held = replace(seen(*ladder), trades=open_trades(trades=(trade(),)))
    for seconds in (0, 5, 10):
        history.look(held, after(seconds))
    history.look(Seen(), after(15))
    assert len(history.markets) == 2
    assert TICKER in history.markets


def test_the_prints_of_the_closing_minute_outlive_the_price_that_brought_them():
    history, close = MarketHistory(), int(CLOSES.timestamp())
    history.look(seen(), NOW)
    for second in range(close - 60, close + 20, 5):
        heard = tuple((at, Decimal(at - close + 1_000)) for at in range(second - 90, second))
        now = datetime.fromtimestamp(second, NOW.tzinfo)
        history.look(Seen(prices=prices(replace(price(), prints=heard))), now)
    history.look(Seen(), CLOSES + timedelta(hours=1))
    prints = history.closing["BTC", close]
    assert sorted(prints) == list(range(close - 60, close))
    *_, (last, mean, values) = forming(prints, close)
    assert (last, mean, values) == (close - 1, Decimal("969.5"), 60)


def test_momentum_is_kept_by_coin_where_it_is_known():
    history = MarketHistory()
    moving = replace(price(), momentum=Momentum(bp=-7.5, whole=True))
    history.look(Seen(prices=prices(moving)), NOW)
    history.look(Seen(prices=prices()), after(5))
    assert history.momentum == {"BTC": {int(NOW.timestamp()): -7.5}}
    history.look(Seen(), NOW + timedelta(hours=13))
    assert history.momentum == {"BTC": {}}
