"""Losses, intervals and groups give what can be computed by hand, and never look surer than the events allow."""

from __future__ import annotations

import math
import random
from datetime import timedelta
from types import SimpleNamespace
from typing import cast
from xml.etree import ElementTree

import pytest

from recio.replay.findings import TradeFound
from recio.score import plots
from recio.score.forecasts import MARKET, Observation
from recio.score.groups import by_distance, by_time, calibration
from recio.score.losses import (
    CLIP,
    FEWEST_EVENTS,
    block_interval,
    brier,
    compare,
    events_needed,
    log_loss,
)
from recio.score.scores import edge, score
from recio.score.text import as_text
from recio.units import EventTicker, Money
from tests.builders import NOW, trade


def seen(
    event: int, yes: bool, left: float = 300.0, spreads: float = 0.7, **probabilities: float
) -> Observation:
    return Observation(
        market=f"M{event}",
        event=f"BTC {event}",
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


def test_moments_of_one_event_make_no_interval_narrower():
    dice = random.Random(2)
    each = [(dice.gauss(0, 1), 1.0) for _ in range(40)]
    often = [(total * 30, 30.0) for total, _ in each]
    once, again = block_interval(each), block_interval(often)
    assert once is not None
    assert again is not None
    assert again.high - again.low == pytest.approx(once.high - once.low, rel=1e-6)


def test_an_interval_of_independent_events_is_that_of_the_central_limit():
    dice = random.Random(4)
    found = block_interval([(dice.gauss(0.3, 1), 1.0) for _ in range(400)])
    assert found is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 / math.sqrt(400), rel=0.12)
    assert found.low < 0.3 < found.high


def test_of_too_few_events_no_interval_is_given():
    assert block_interval([(0.1, 1.0)] * (FEWEST_EVENTS - 1)) is None
    assert events_needed([0.1, 0.2]) is None


def test_telling_two_cents_at_fifty_takes_about_as_many_events_as_the_formula_says():
    wins = [0.5] * 52 + [-0.5] * 48
    needed = events_needed(wins)
    assert needed is not None
    assert needed == pytest.approx(3_900, rel=0.03)


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
    low, high = calibration(observations, MARKET)
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
    assert "900 observations of 300 events" in text
    assert "No paper trade was filled" in text


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


def test_bets_on_one_close_are_one_event_however_many_series_they_are_in():
    dice = random.Random(3)

    def found(hour: int, series: str, won: bool) -> TradeFound:
        held = trade(
            event_ticker=EventTicker(f"{series}-{hour}"),
            closes_at=NOW + timedelta(hours=hour),
            payout=Money(10_000_000 if won else 0),
        )
        return cast("TradeFound", SimpleNamespace(trade=held))

    hours = [(hour, dice.random() < 0.5) for hour in range(12)]
    one = edge([found(hour, "KXBTC15M", won) for hour, won in hours])
    both = edge([found(hour, series, won) for hour, won in hours for series in ("KXBTC15M", "KXBTCD")])
    assert one is not None
    assert both is not None
    assert (one.events, both.events) == (12, 12)
    assert (both.interval, both.events_needed) == (one.interval, one.events_needed)
