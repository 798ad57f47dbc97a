"""Losses, intervals and groups give what can be computed by hand, and never look surer than the events allow."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree

import pytest

from benchmarks.two_normals import NAME, NARROW, WIDE, mixed
from recio.messages.decisions import OpenIntent
from recio.messages.orders import TradeState
from recio.replay.findings import TradeFound
from recio.report.intervals import FEWEST_CLOSES, Close, closes_needed, interval, mean_of
from recio.score import plots
from recio.score.claims import Verdict, claims, sentences
from recio.score.forecasts import MARKET, Observation
from recio.score.groups import by_distance, by_time, calibrated
from recio.score.losses import CLIP, LOSSES, brier, closes_of, compare, log_loss
from recio.score.scores import score
from recio.score.sessions import each_once
from recio.score.text import as_text
from recio.score.trades import Sold, Unsettled, closes_of_trades, edge
from recio.units import ONE_CONTRACT, EventTicker, Money, Price, Quantity, Side, Ticker
from tests.builders import NOW, trade
from tests.score.simulated_closes import WORLDS, World, coverage


def seen(
    event: int,
    yes: bool,
    left: float = 300.0,
    spreads: float = 0.7,
    symbol: str = "BTC",
    **probabilities: float,
) -> Observation:
    return Observation(
        market=f"{symbol}-{event}",
        symbol=symbol,
        event=f"{event}",
        seconds_to_close=left,
        spreads=spreads,
        probabilities=probabilities,
        yes=yes,
    )


def test_losses_are_those_of_the_textbook_and_nobody_counts_as_surer_than_a_price_can_be():
    assert brier(0.8, True) == pytest.approx(0.04)
    assert brier(0.8, False) == pytest.approx(0.64)
    assert log_loss(0.8, False) == pytest.approx(-math.log(0.2))
    assert log_loss(1.0, False) == log_loss(1 - CLIP, False) == pytest.approx(-math.log(CLIP))
    assert log_loss(0.0, False) == pytest.approx(-math.log(1 - CLIP))


def test_two_forecasters_are_compared_only_where_both_said_something():
    observations = [
        seen(1, True, market=0.5, average=0.9),
        seen(1, True, market=0.0),
        seen(2, False, market=0.5, average=0.3),
    ]
    found = compare(observations, "average", MARKET, brier)
    assert found is not None
    assert (found.observations, found.events) == (2, 2)
    assert found.loss == pytest.approx((0.01 + 0.09) / 2)
    assert found.other == pytest.approx(0.25)
    assert found.difference == pytest.approx(0.05 - 0.25)
    assert compare(observations, "empirical", MARKET, brier) is None


def test_the_older_model_is_the_mean_of_its_two_normals_and_stands_beside_the_one_in_use():
    before = seen(1, True, left=300.0, market=0.5, average=0.9)
    whole = replace(before, probabilities={**before.probabilities, NARROW: 0.8, WIDE: 0.6})
    half = replace(before, event="2", probabilities={**before.probabilities, NARROW: 0.8})
    mixture, silent = mixed([whole, half])
    assert mixture.probabilities[NAME] == pytest.approx(0.924 * 0.8 + 0.076 * 0.6)
    assert set(mixture.probabilities) == {MARKET, "average", NAME}
    assert set(silent.probabilities) == {MARKET, "average"}
    pairs = {
        (it.comparison.name, it.comparison.against)
        for it in score([mixture, silent], beside=(("average", NAME),)).compared
    }
    assert pairs == {("average", MARKET), (NAME, MARKET), ("average", NAME)}


def test_moments_of_one_close_make_no_interval_narrower():
    dice = random.Random(2)
    each = [Close(dice.gauss(0, 1), 1.0) for _ in range(40)]
    often = [Close(close.total * 30, 30.0) for close in each]
    once, again = interval(each), interval(often)
    assert once is not None
    assert again is not None
    assert again.high - again.low == pytest.approx(once.high - once.low, rel=1e-6)


def test_coins_and_series_that_close_at_one_moment_are_one_draw():
    one = [seen(at, at % 3 > 0, market=0.5, average=0.6) for at in range(20)]
    four = [
        seen(at, at % 3 > 0, market=0.5, average=0.6, symbol=coin)
        for at in range(20)
        for coin in ("BTC", "ETH", "SOL", "XRP")
    ]
    alone, together = (compare(each, "average", MARKET, log_loss) for each in (one, four))
    assert alone is not None
    assert together is not None
    assert together.events == alone.events == 20
    assert together.interval is not None
    assert alone.interval is not None
    assert together.interval.high == pytest.approx(alone.interval.high, rel=0.05)
    assert calibrated(four, MARKET)[0].events == 20


def test_an_interval_of_many_closes_is_that_of_the_central_limit():
    dice = random.Random(4)
    found = interval([Close(dice.gauss(0.3, 1), 1.0) for _ in range(400)])
    assert found is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 / math.sqrt(400), rel=0.12)
    assert found.low < 0.3 < found.high


def test_of_too_few_closes_or_too_unequal_ones_no_interval_is_given():
    dice = random.Random(3)
    draws = [dice.gauss(0, 1) for _ in range(FEWEST_CLOSES)]
    assert interval([Close(each, 1.0) for each in draws]) is not None
    assert interval([Close(each, 1.0) for each in draws[1:]]) is None
    assert closes_needed([Close(each, 1.0) for each in draws[1:]]) is None
    one_weighs_all = [Close(each, 1.0) for each in draws] + [Close(50.0, 100.0)]
    assert interval(one_weighs_all) is None


def test_what_has_not_happened_yet_does_not_look_sure():
    """Two forecasters differ over what happens once in a hundred closes, and in thirty it did not."""
    observations = [seen(at, True, market=0.985, average=0.995) for at in range(30)]
    found = compare(observations, "average", MARKET, log_loss)
    assert found is not None
    assert found.difference < 0
    assert found.interval is not None
    assert found.interval.high > 0


@pytest.mark.parametrize("certain", [1.0, 1.0 - 1e-12, 0.9999])
@pytest.mark.parametrize("many", [8, 20, 40])
def test_whoever_doubts_what_another_is_certain_of_is_not_worse_because_nothing_happened(
    certain: float, many: int
):
    """Of forty markets that end YES with 98 %, all do in nearly half of the cases."""
    observations = [seen(at, True, left=30.0, average=0.98, terminal=certain) for at in range(many)]
    scores = score(observations, beside=[("average", "terminal")])
    assert {each.verdict for each in claims({"here": scores})} == {Verdict.UNKNOWN}
    for each in scores.compared:
        assert each.comparison.interval is not None
        assert not each.comparison.interval.excludes_zero, each


def test_who_is_certain_and_wrong_once_in_a_while_is_found_out():
    observations = [seen(at, at % 10 > 0, left=30.0, average=0.9, terminal=1.0) for at in range(200)]
    found = compare(observations, "average", "terminal", log_loss)
    assert found is not None
    assert found.interval is not None
    assert found.interval.high < 0


def test_the_moments_of_a_market_share_what_was_not_known_at_the_later_one():
    """Said once or twice in the same breath, a difference weighs twice and is as uncertain as twice one."""
    (once,) = closes_of([seen(1, True, market=0.5, average=0.7)], "average", MARKET, LOSSES["Brier"])
    twice = [seen(1, True, left=left, market=0.5, average=0.7) for left in (300, 299)]
    (both,) = closes_of(twice, "average", MARKET, LOSSES["Brier"])
    assert both.deviation == pytest.approx(2 * once.deviation)


def test_closes_needed_are_those_of_the_figure_in_the_row_and_its_two_sided_test():
    wins = [Close(0.5, 1.0)] * 52 + [Close(-0.5, 1.0)] * 48
    needed = closes_needed(wins)
    assert needed == pytest.approx(((1.95996 + 0.84162) * 0.4996 / 0.02) ** 2, rel=0.03)
    # Closes of other weights: the mean is that of all moments, and so is what it takes.
    dice = random.Random(1)
    weights = [dice.choice((1.0, 5.0)) for _ in range(60)]
    unequal = [Close(weight * (0.2 + dice.gauss(0, 1)), weight) for weight in weights]
    mean = mean_of(unequal)
    assert mean is not None
    assert mean.value == pytest.approx(sum(each.total for each in unequal) / sum(weights))
    assert closes_needed(unequal) == pytest.approx(60 * (2.80159 * mean.error / mean.value) ** 2, rel=1e-3)


@pytest.mark.parametrize("world", WORLDS, ids=[each.name for each in WORLDS])
@pytest.mark.parametrize("many", [12, 36])
def test_an_interval_holds_the_true_mean_as_often_as_it_says(world: World, many: int):
    """More draws: `python -m tests.score.simulated_closes 2000`, whose table is on the page of evidence."""
    draws = 150
    found = coverage(world, many, draws)
    assert found.held >= (0.95 - 3 * math.sqrt(0.95 * 0.05 / draws)) * found.given


def test_all_claims_of_a_page_share_one_error():
    observations = [
        seen(at, at % 3 > 0, left=left, market=0.5, average=0.6, terminal=0.55)
        for at in range(40)
        for left in (30, 300)
    ]
    scores = score(observations)
    found = claims({"here": scores})
    many = sum(each.interval is not None for each in found)
    assert many == 4
    for each in found:
        alone = next(
            it.comparison
            for it in scores.compared
            if it.loss == "log loss" and it.comparison.difference == each.value and it.comparison.mean
        )
        assert alone.mean is not None
        assert each.interval == alone.mean.interval(1 - 0.05 / many)


def test_between_forecasters_that_are_equally_good_no_claim_is_made_more_often_than_one_page_in_twenty():
    wrong = 0
    for page in range(60):
        dice, observations = random.Random(page), list[Observation]()
        for event in range(36):
            probability = dice.uniform(0.05, 0.95)
            off = dice.choice((-0.04, 0.04))
            for left in (30.0, 300.0):
                yes, other = dice.random() < probability, probability + off
                observations.append(
                    seen(event, yes, left=left, market=other, average=probability - off, terminal=other)
                )
        wrong += any(
            each.verdict in (Verdict.BETTER, Verdict.WORSE) for each in claims({"here": score(observations)})
        )
    assert wrong <= 8


def test_each_observation_is_in_exactly_one_group_of_time_and_of_distance():
    observations = [
        seen(at, True, left=left, spreads=spreads, market=0.5)
        for at, (left, spreads) in enumerate([(0.5, 0), (60, 0.5), (179.9, 1), (420, 2), (3_600, 40)])
    ]
    for groups in (by_time(observations), by_distance(observations)):
        held = [each for _, group in groups for each in group]
        assert sorted(each.event for each in held) == sorted(each.event for each in observations)


def test_calibration_says_what_was_said_and_what_happened():
    observations = [seen(at, at < 3, market=0.72) for at in range(4)] + [seen(9, True, market=1.0)]
    low, high = calibrated(observations, MARKET)
    assert (low.tenth, low.observations, low.happened) == (7, 4, 0.75)
    assert low.said == pytest.approx(0.72)
    assert (high.tenth, high.observations) == (9, 1)


def test_who_knows_the_odds_beats_who_doubles_them_and_the_text_says_so():
    dice, observations = random.Random(7), list[Observation]()
    for event in range(300):
        probability = dice.uniform(0.05, 0.95)
        yes = dice.random() < probability
        wrong = min(0.99, max(0.01, 0.5 + 1.8 * (probability - 0.5)))
        observations += [seen(event, yes, market=wrong, average=probability, terminal=wrong)] * 3
    found = score(observations)
    (ours,) = [
        each.comparison
        for each in found.compared
        if (each.group, each.loss, each.comparison.name, each.comparison.against)
        == ("all", "log loss", "average", MARKET)
    ]
    assert ours.interval is not None
    assert ours.interval.high < 0
    assert ours.events == 300
    text = as_text(found)
    assert "900 observations of 300 closes" in text
    assert "No paper trade was filled" in text
    assert "**Is average better than market over the whole window?** Yes" in text
    (said,) = [
        each
        for each in claims({"here": found})
        if each.question.startswith("Is average better than market over")
    ]
    assert said.verdict is Verdict.BETTER


def test_nothing_scored_is_said_and_drawn_without_an_error():
    found = score([])
    assert as_text(found).startswith("Nothing could be scored")
    for drawing in (plots.calibration(found), plots.loss_by_time(found)):
        assert ElementTree.fromstring(drawing).tag.endswith("svg")


def test_drawings_hold_a_line_for_each_forecaster():
    observations = [
        seen(at, at % 2 == 0, left=30 + 100 * (at % 5), market=0.4, average=0.6) for at in range(40)
    ]
    found = score(observations)
    for drawing, more in ((plots.calibration(found), 1), (plots.loss_by_time(found), 0)):
        lines = [each for each in ElementTree.fromstring(drawing).iter() if each.tag.endswith("polyline")]
        assert len(lines) == 2 + more


def test_what_is_not_known_is_said_in_words_and_what_contradicts_itself_is_not_claimed():
    dice = random.Random(1)
    better, worse, few = (
        score(
            [
                seen(event, dice.random() < probability, market=0.5, average=said, terminal=0.5)
                for event in range(many)
                for probability, said in [dice.choice(((0.9, high), (0.1, 1 - high)))]
            ]
        )
        for many, high in ((200, 0.9), (200, 0.1), (5, 0.9))
    )
    told = {
        name: next(line for line in sentences(claims(parts)) if "average better than market over" in line)
        for name, parts in {
            "one": {"A": better},
            "both": {"A": better, "B": worse},
            "few": {"C": few},
            "some": {"A": better, "C": few},
        }.items()
    }
    assert "Yes, on all of these recordings." in told["one"]
    assert "contradict each other: nothing is claimed" in told["both"]
    assert "Not known." in told["few"]
    assert "5 closes, fewer than" in told["few"]
    assert "Yes, on some of these recordings and not known on others." in told["some"]


def traded(event: int, *, won: bool | None, sold: bool = False, paid: int = 600_000) -> TradeFound:
    """One contract of YES; `won` None where nobody told how its market ended."""
    is_over = sold or won is not None
    closes_at = NOW + timedelta(hours=event)
    held = trade(
        ticker=Ticker(f"M-{event}"),
        closes_at=closes_at,
        state=TradeState.CLOSED if is_over else TradeState.OPEN,
        closed_at=NOW if is_over else None,
        entry_quantity=Quantity(ONE_CONTRACT),
        entry_cost=Money(paid),
        exit_quantity=Quantity(ONE_CONTRACT if sold else 0),
        exit_proceeds=Money(200_000 if sold else 0),
        fees=Money(10_000),
        payout=Money(1_000_000 if won and not sold else 0),
    )
    wanted = OpenIntent(
        ticker=held.ticker,
        event_ticker=held.event_ticker,
        strategy="average",
        exchange_index=2,
        side=Side.YES,
        quantity=Quantity(ONE_CONTRACT),
        limit=Price(6_000),
        probability=0.7,
        fee_estimate=Money(10_000),
        why="test",
        closes_at=closes_at,
        decided_at=NOW,
        inputs={},
    )
    result = None if won is None else Side.YES if won else Side.NO
    return TradeFound(session="s", trade=held, intent=wanted, result=result, notes=())


def test_a_trade_of_two_recordings_counts_once_as_the_one_has_it_that_tells_its_end():
    open_ended, ended, other = traded(1, won=None), traded(1, won=True), traded(2, won=False)
    assert each_once([open_ended, ended, other]) == each_once([ended, other, open_ended]) == (ended, other)


def test_trades_count_by_whether_their_market_s_end_is_known_and_never_by_how_they_ended():
    """Of unknown ends only the sold ones have a result: counting those would count the losers alone."""
    trades = [traded(at, won=at % 5 < 3) for at in range(20)] + [traded(30, won=True, sold=True)]
    unknown = [traded(40, won=None), traded(41, won=None, sold=True)]
    alone, beside = edge(trades), edge([*trades, *unknown])
    assert alone is not None
    assert beside is not None
    assert replace(beside, unsettled=None) == alone
    assert beside.unsettled == Unsettled(trades=2, contracts=2.0, paid=1.22, brought=0.2)
    assert alone.sold == Sold(trades=1, contracts=1.0, brought=0.2, would_have_paid=1.0)
    assert (alone.trades, alone.events) == (21, 21)
    told = as_text(score([seen(1, True, market=0.5)], [*trades, *unknown]))
    assert "Not settled, and in no figure above: 2 trades" in told
    assert "held, they would have paid 1.00" in told


def test_bets_on_one_side_of_a_close_are_lost_together_and_those_on_both_are_not():
    one = traded(1, won=True).trade
    alone, ladder, both = (
        closes_of_trades(held)[0].deviation for held in ([one], [one] * 4, [one, replace(one, side=Side.NO)])
    )
    assert ladder == pytest.approx(4 * alone)
    assert both == pytest.approx(math.sqrt(2) * alone)


def test_markets_of_a_ladder_in_one_tenth_happen_together():
    rungs = [replace(seen(at, True, market=0.97), market=f"M{rung}") for at in range(20) for rung in range(9)]
    (wide,), (one,) = calibrated(rungs, MARKET), calibrated(rungs[::9], MARKET)
    assert wide.interval is not None
    assert one.interval is not None
    assert wide.interval.high - wide.interval.low == pytest.approx(one.interval.high - one.interval.low)


@pytest.mark.parametrize("size", [0.5, 0.9, 1.3])
def test_as_many_closes_as_are_needed_do_tell_in_four_cases_of_five(size: float):
    """Also where they are few, and the reach of the interval is that of a t."""
    many = closes_needed([Close(size + side, 1.0) for side in (-1.0, 1.0)] * 50)
    assert many is not None
    told = 0
    for seed in range(1_000):
        dice = random.Random(seed)
        mean = mean_of([Close(dice.gauss(size, 1.0), 1.0) for _ in range(many)])
        told += mean is not None and mean.interval().excludes_zero
    assert told >= 770


def test_bets_of_several_series_on_one_close_are_one_draw():
    one = [traded(at, won=at % 5 < 3) for at in range(20)]
    two = [
        *one,
        *(replace(each, trade=replace(each.trade, event_ticker=EventTicker("OTHER"))) for each in one),
    ]
    alone, together = edge(one), edge(two)
    assert alone is not None
    assert together is not None
    assert together.events == alone.events == 20
    assert together.interval is not None
    assert alone.interval is not None
    assert together.interval.high == pytest.approx(alone.interval.high, rel=0.02)
