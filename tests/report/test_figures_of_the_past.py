"""Reports say what the rows say: exact sums, each trade once in each group, and no interval where too little is known."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recio.report.equity import MOST, Equity
from recio.report.figures import Figures, Outcome, outcome_of
from recio.report.groups import groups
from recio.report.intervals import student
from recio.report.past_trades import Kind, PastTrade
from recio.report.report import Report, report_of
from recio.report.text import report_object, report_rows, report_text, trade_line
from recio.units import Money, Quantity, Side, Ticker
from tests.builders import NOW

SERIES = {"KXBTC15M": "BTC"}
WON = PastTrade(
    kind=Kind.REAL,
    number="1",
    strategy="average",
    ticker=Ticker("KXBTC15M-26NOV282215-15"),
    side=Side.YES,
    quantity=Quantity(1_000),
    entry_cost=Money(3_700_000),
    exit_proceeds=Money(0),
    payout=Money(10_000_000),
    fees=Money(160_000),
    opened_at=NOW,
    closes_at=NOW + timedelta(minutes=5),
    closed_at=NOW + timedelta(minutes=6),
    ended_by="settlement",
    exit_reason="",
    probability=Decimal("0.52"),
    why="edge",
)


async def made(trades: list[PastTrade]) -> Report:
    async def each() -> AsyncIterator[PastTrade]:
        for trade in trades:
            yield trade

    return await report_of(Kind.REAL, each(), SERIES)


@given(st.lists(st.tuples(st.integers(-9_000_000, 9_000_000), st.integers(-5_000, 200_000)), max_size=30))
@settings(max_examples=60)
async def test_every_group_adds_up_to_the_same_cent(outcomes: list[tuple[int, int]]):
    trades = [
        replace(
            WON,
            payout=Money(3_700_000 + 9_000_000 + gross),
            exit_proceeds=Money(-9_000_000),
            fees=Money(fees),
            strategy=f"s{i % 3}",
            closed_at=NOW + timedelta(hours=i),
        )
        for i, (gross, fees) in enumerate(outcomes)
    ]
    report = await made(trades)
    assert report.total.net == sum(gross - fees for gross, fees in outcomes)
    assert report.total.wins == sum(gross > fees for gross, fees in outcomes)
    for name, found in report.by.items():
        assert sum(each.trades for each in found.values()) == len(trades), name
        assert sum(each.net for each in found.values()) == report.total.net, name
        assert sum(each.fees for each in found.values()) == report.total.fees, name


async def test_a_trade_that_is_held_and_one_whose_result_nobody_knows_are_counted_apart():
    held = replace(WON, ended_by="", closed_at=None, payout=Money(0))
    report = await made([WON, held, replace(WON, payout=None)])
    assert (report.total.trades, report.held, report.total.unknown) == (1, 1, 1)
    assert report.total.net == 6_140_000


def test_a_trade_is_found_under_what_a_trader_calls_it():
    told = {name: key(WON) for name, key in groups(SERIES).items()}
    assert told["coin"] == "BTC"
    assert told["price"] == "0.30 to 0.40"
    assert told["probability"] == "0.50 to 0.60"
    assert told["time_left"] == "3 to 7 min"
    assert told["exit_reason"] == "held to the end"
    sold = replace(WON, ended_by="exit")  # on paper, where the reason is not kept
    assert groups(SERIES)["exit_reason"](sold) == "unknown"
    assert told["day"] == f"{WON.closed_at:%Y-%m-%d}"


def test_the_deepest_fall_is_from_the_highest_point_before_it():
    figures = Figures()
    for net in (3, -1, -4, 2, 9, -2):
        figures.add(outcome_of(replace(WON, payout=Money(3_700_000 + net), fees=Money(0))))
    assert figures.drawdown == 5


def test_trades_of_one_close_are_no_evidence_for_each_other():
    figures = Figures()
    for i in range(200):
        figures.add(outcome_of(replace(WON, payout=Money(3_700_000 + i % 7), number=str(i))))
    assert figures.closes == 1
    assert figures.interval() is None


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says():
    """Twelve closes of one to four trades with one luck each: a thousand histories."""
    held = 0
    for seed in range(1_000):
        dice, figures = Random(seed), Figures()
        for close in range(12):
            luck = dice.gauss(100_000, 500_000)
            for _ in range(1 + close % 4):
                figures.add(Outcome(str(close), round(luck), round(luck), Side.YES))
        interval = figures.interval()
        assert interval is not None
        held += interval.low <= 0.1 <= interval.high
    assert 920 <= held <= 980


def test_an_interval_of_trades_that_have_not_lost_yet_is_no_narrower_than_chance_at_their_prices():
    figures = Figures()
    paid, won = Money(9_600_000), Money(10_000_000)
    for number in range(30):
        trade = replace(WON, entry_cost=paid, payout=won, closes_at=NOW + timedelta(hours=number))
        figures.add(outcome_of(trade))
    interval = figures.interval()
    assert interval is not None
    assert interval.low < 0 < interval.high


@pytest.mark.parametrize(("price", "ladder"), [(9_700, 4), (9_000, 4), (9_700, 1)])
def test_bets_of_one_close_that_are_lost_together_leave_the_interval_as_wide_as_their_common_luck(
    price: int, ladder: int
):
    """Strikes of one ladder far from the price: 36 closes, of which hardly one has lost; 300 histories."""
    held = 0
    for seed in range(300):
        dice, figures = Random(seed), Figures()
        for close in range(36):
            won = dice.random() < price / 10_000
            for rung in range(ladder):
                trade = replace(
                    WON,
                    number=f"{close} {rung}",
                    entry_cost=Money(price * 1_000),
                    payout=Money(10_000_000 if won else 0),
                    fees=Money(0),
                    closes_at=NOW + timedelta(hours=close),
                )
                figures.add(outcome_of(trade))
        interval = figures.interval()
        assert interval is not None
        held += interval.low <= 0 <= interval.high
    assert held >= 280


def test_closes_so_unequal_that_one_of_them_is_nearly_everything_get_no_interval():
    figures = Figures()
    for close in range(12):
        for number in range(200 if close == 3 else 1):
            when = NOW + timedelta(hours=close)
            figures.add(outcome_of(replace(WON, number=f"{close} {number}", closes_at=when)))
    assert figures.closes == 12
    assert figures.interval() is None


def test_students_t_is_as_printed_in_tables():
    printed = {
        (7, 0.975): 2.3646,
        (9, 0.975): 2.2622,
        (30, 0.975): 2.0423,
        (7, 0.995): 3.4995,
        (9, 0.9995): 4.7809,
    }
    for (freedom, level), quantile in printed.items():
        assert abs(student(level, freedom) - quantile) < 0.003


async def test_json_and_csv_say_the_same_in_decimal_strings():
    report = await made([WON, replace(WON, payout=Money(0))])
    told = report_object(report)
    assert told["trades"] == 2
    assert (told["gross_pnl"], told["fees"], told["net_pnl"]) == ("2.600000", "0.320000", "2.280000")
    assert told["by_strategy"] == {"average": {k: told[k] for k in told["by_strategy"]["average"]}}  # type: ignore[index]
    assert next(iter(report_rows(report)))["net_pnl"] == told["net_pnl"]
    assert fmean([1.14]) == float(str(told["mean_net_pnl"]))


async def test_a_forecast_is_judged_by_how_its_market_ended_whatever_the_trade_came_to():
    lost = replace(WON, result=Side.NO, payout=Money(0), closes_at=NOW + timedelta(hours=1))
    sold_first = replace(WON, result=Side.YES, ended_by="exit", exit_proceeds=Money(1), payout=Money(0))
    untold = replace(WON, result=None)
    report = await made([sold_first, lost, untold])
    assert [each.happened for each in report.said] == [True, False]
    assert report.unjudged == 1
    told = report_object(report)
    assert told["calibration"] == [
        {"trades": 2, "closes": 2, "said": "0.520000", "happened": "0.500000", "difference_interval_95": None}
    ]


@given(st.lists(st.integers(-9_000_000, 9_000_000), min_size=1, max_size=60))
@settings(max_examples=60)
def test_the_points_of_the_equity_are_bounded_end_at_the_net_and_lose_no_drawdown(nets: list[int]):
    many = nets * 40
    equity, figures = Equity(), Figures()
    for number, net in enumerate(many):
        equity.add(NOW + timedelta(minutes=number), Money(net))
        figures.add(Outcome(str(number), net, net, Side.YES))
    assert len(equity.points) <= MOST
    assert equity.points[-1].net == sum(many)
    assert max(each.drawdown for each in equity.points) == figures.drawdown
    assert [each.at for each in equity.points] == sorted(each.at for each in equity.points)


def test_a_trade_that_nobody_knows_the_end_of_is_in_no_point_and_counted():
    equity = Equity()
    equity.add(None, Money(7))
    assert (equity.points, equity.undated) == ([], 1)


async def test_a_person_reads_dollars_with_their_sign_and_one_trade_as_one():
    lost = replace(WON, payout=Money(0), ended_by="exit", exit_reason="stop")
    one, two = await made([lost]), await made([lost, WON])
    assert report_text(one, ()).splitlines()[0] == "1 real trade that ended, 0 won, 1 lost"
    assert report_text(two, ()).splitlines()[0].startswith("2 real trades that ended")
    told = report_text(one, ("exit_reason",))
    assert "gross -$3.70, fees $0.16, net -$3.86; deepest fall $3.86" in told
    assert "-$3.860 too few closes" in told
    assert "10.00 at $0.3700" in trade_line(lost)
    odd = replace(lost, fees=Money(165_000))
    assert "fees $0.17" in report_text(await made([odd]), ())
    assert "-$3.86" in trade_line(lost)
    assert "+$6.14" in trade_line(WON)
