"""One coin's price: the index while it is fresh, the sources at the index's level when it is gone, two memories."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from recio.messages.prices import FinalMinute, IndexHistory, IndexValue, PriceView, SourceState
from recio.rules.price.coin_price import INDEX, Coin, CoinMemory
from recio.rules.price.consensus import Panel, hears
from recio.rules.price.price_sources import Heard, Limits, confirmed, lost
from recio.rules.price.volatility import PriceMemory
from recio.rules.pricing.market_probability import measured_seconds
from tests.builders import NOW

LIMITS = Limits(
    silence_seconds=15,
    frozen_seconds=20,
    fresh_seconds=5,
    divergence_bp=Decimal(20),
    usual_basis=0.00014,
    largest_error=0.00025,
)


def coin() -> Coin:
    return Coin(
        symbol="BTC",
        index_id="BRTI",
        use_index=True,
        limits=LIMITS,
        traded=CoinMemory(PriceMemory(warmup_seconds=30)),
        index=CoinMemory(PriceMemory(warmup_seconds=30)),
        panel=Panel(sources={name: Heard(source=name) for name in ("coinbase", "kraken")}),
    )


def at(second: float) -> datetime:
    return NOW + timedelta(seconds=second)


def hear(known: Coin, second: int, price: Decimal) -> None:
    for source in known.panel.sources:
        known.panel = hears(known.panel, source, price, at(second), at(second), LIMITS)


def prints(second: int, value: Decimal) -> IndexHistory:
    made = IndexValue(
        sid=1,
        seq=second,
        index_id="BRTI",
        value=value,
        at=at(second),
        received_at=at(second),
        final_minute_mean=None,
    )
    return IndexHistory(prints={"BRTI": (made,)})


def lived(known: Coin, seconds: range, above_bp: int = 0) -> PriceView:
    """Both sources stand so far above an index that goes up a dollar a second."""
    view: PriceView | None = None
    for second in seconds:
        index = Decimal(84_000 + second)
        hear(known, second, (index * (1 + Decimal(above_bp) / 10_000)).quantize(Decimal("0.01")))
        known.hear_index(prints(second, index), at(second))
        view, _ = known.judge(at(second))
    assert view is not None
    return view


def test_the_index_is_the_price_while_it_is_fresh():
    view = lived(coin(), range(3), above_bp=5)
    assert (view.tick.source, view.tick.price, view.tick.at) == (INDEX, Decimal(84_002), at(2))
    assert view.unreliable == ""


def test_prints_that_were_missed_and_read_later_complete_the_last_minute_and_change_nothing_else():
    """The settlement is the mean of the minute's prints: a restart within it can know them all again."""
    whole, known = coin(), coin()
    lived(whole, range(100))
    lived(known, range(60))
    lived(known, range(80, 100))
    before, _ = known.judge(at(99))
    missed = tuple(
        each
        for second in range(100)
        for each in prints(second, Decimal(84_000 + second) if 60 <= second < 80 else Decimal(1)).prints[
            "BRTI"
        ]
    )
    known.hear_index(IndexHistory(prints={"BRTI": missed}), at(99))
    view, _ = known.judge(at(99))
    expected, _ = whole.judge(at(99))
    assert before is not None and view is not None and expected is not None  # noqa: PT018
    assert len(before.prints) < len(expected.prints)
    assert view.prints == expected.prints
    assert (view.tick, view.volatility) == (before.tick, before.volatility)


def test_the_price_does_not_jump_when_the_index_falls_silent_although_the_sources_lie_above_it():
    known = coin()
    lived(known, range(900), above_bp=5)
    hear(known, 910, Decimal("84899") * (1 + Decimal(5) / 10_000))
    view, sources = known.judge(at(910))
    assert view is not None
    assert (view.tick.source, view.unreliable) == ("coinbase and kraken", "")
    assert abs(view.tick.price - 84_899) < 8  # of the 42 dollars that they lie above
    index = sources[-1]
    assert (index.state, index.note) == (SourceState.SILENT, "its newest print is 11 s old")


def test_index_and_sources_are_remembered_apart():
    known = coin()
    lived(known, range(100), above_bp=2)
    hear(known, 130, Decimal("84115.90"))
    view, _ = known.judge(at(130))
    assert view is not None
    assert view.tick.source != INDEX
    assert {second for second, _ in known.printed.minute} == {
        int(at(second).timestamp()) for second in range(10, 100)
    }
    assert view.last_minute == known.traded.minute != view.prints == tuple(known.printed.minute)


def test_volatility_is_that_of_the_sources_until_the_index_is_known_long_enough():
    known = coin()
    for second in range(60):
        hear(known, second, Decimal(84_000 + second % 7))
        known.judge(at(second))
    view = lived(known, range(60, 70))
    assert view.volatility == known.traded.volatility is not None
    view = lived(known, range(70, 120))
    assert view.volatility == known.index.volatility is not None


def test_no_source_and_no_index_is_no_price():
    view, sources = coin().judge(NOW)
    assert view is None
    assert {each.state for each in sources} == {SourceState.CONNECTING}


# What the price does not know.


def test_a_source_that_stands_still_widens_the_stated_error_at_once_and_opens_nothing_from_the_limit_on():
    known, errors, doubts = coin(), list[float](), list[str]()
    known.use_index = False
    for second in range(60, 0, -1):
        hear(known, -second, Decimal(84_000 + second % 7))
        known.judge(at(-second))
    for second in range(12):  # the one falls by a basis point a second, the other lives and repeats itself
        fallen = Decimal(84_000) * (1 - Decimal(second) / 10_000)
        known.panel = hears(known.panel, "coinbase", fallen, at(second), at(second), LIMITS)
        known.panel = known.panel.having(confirmed(known.panel.sources["kraken"], at(second), at(second)))
        view, _ = known.judge(at(second))
        assert view is not None
        assert abs(float(view.tick.price / fallen) - 1) <= view.error
        errors.append(view.error)
        doubts.append(view.doubt)
    assert errors[1:] == sorted(errors[1:])
    assert (doubts[1], "too far apart" in doubts[8]) == ("", True)


def lived_with_two_that_freeze(
    step_bp: str, seconds: int, *, mends_after: int | None = None
) -> list[PriceView]:
    """Of three sources one goes on by so much a second, and two repeat themselves together, until they are mended."""
    known, said = coin(), list[PriceView]()
    known.use_index = False
    for source in ("coinbase", "kraken", "gemini"):
        known.panel = known.panel.having(Heard(source=source))
    for second in range(-60, 0):
        hear(known, second, Decimal(84_000 + second % 7))
        known.judge(at(second))
    level = Decimal(84_000 + -1 % 7)
    for second in range(seconds):
        fallen = level * (1 - Decimal(step_bp) * (second + 1) / 10_000)
        known.panel = hears(known.panel, "gemini", fallen, at(second), at(second), LIMITS)
        for source in ("coinbase", "kraken"):
            if mends_after is not None and second >= mends_after:
                known.panel = hears(known.panel, source, fallen, at(second), at(second), LIMITS)
            else:
                known.panel = known.panel.having(
                    confirmed(known.panel.sources[source], at(second), at(second))
                )
        view, _ = known.judge(at(second))
        assert view is not None
        said.append(view)
    return said


@pytest.mark.parametrize("step_bp", ["0.25", "0.5", "1", "2"])
def test_sources_that_freeze_together_outvote_nobody_into_a_price_that_may_be_traded_on(step_bp: str):
    """A majority that stands still is no better known than by how far the source beside it has gone meanwhile."""
    said = lived_with_two_that_freeze(step_bp, 40)
    for second, view in enumerate(said):
        away = (second + 1) * float(step_bp)
        assert view.doubt or away <= 3 + 4 * float(step_bp), f"{away} bp off after {second} s, and no doubt"
        if not view.doubt:
            continue
        assert view.error * 1e4 >= min(away, 10) - 0.2
    assert "too far apart" in said[-1].doubt


def test_a_majority_that_moves_again_is_known_as_well_as_before():
    said = lived_with_two_that_freeze("1", 20, mends_after=12)
    assert said[11].doubt
    assert (said[12].doubt, said[19].doubt) == ("", "")


def beside_two_that_live(third: list[Decimal]) -> list[PriceView]:
    """Of three sources two live about one level, and the third says this, second by second."""
    known, said = coin(), list[PriceView]()
    known.use_index = False
    for source in ("coinbase", "kraken", "gemini"):
        known.panel = known.panel.having(Heard(source=source))
    for second, price in enumerate(third):
        for source in ("coinbase", "kraken"):
            lives = Decimal(84_000 + 3 * (second // 2 % 3))
            known.panel = hears(known.panel, source, lives, at(second), at(second), LIMITS)
        known.panel = hears(known.panel, "gemini", price, at(second), at(second), LIMITS)
        view, _ = known.judge(at(second))
        assert view is not None
        said.append(view)
    return said


def test_one_feed_that_goes_mad_in_a_jump_casts_doubt_for_ten_seconds_and_is_then_left_alone():
    """A market that really jumped would have taken the others along by then."""
    said = beside_two_that_live([Decimal(84_000)] * 60 + [Decimal(83_000)] * 60)
    assert [bool(each.doubt) for each in said] == [False] * 60 + [True] * 11 + [False] * 49
    assert not any(each.unreliable for each in said)


def test_one_feed_that_walks_away_opens_nothing_and_blinds_no_stop():
    """Two that copy each other look like two that are right; nobody can tell whom of them to believe."""
    said = beside_two_that_live([Decimal(84_000) * (1 - Decimal(each) / 10_000) for each in range(120)])
    assert not said[1].doubt
    assert all(each.doubt for each in said[5:])
    assert not any(each.unreliable for each in said)
    assert max(each.error for each in said) < 0.0011


def test_two_sources_far_apart_are_never_known_better_than_what_they_differ_by():
    known = coin()
    known.use_index = False
    for source, price in (("coinbase", "84000"), ("kraken", "84084")):
        known.panel = hears(known.panel, source, Decimal(price), at(0), at(0), LIMITS)
    view, _ = known.judge(at(0))
    assert view is not None
    assert view.error > 0.0005
    assert view.doubt


def test_one_source_alone_is_known_less_well_than_two():
    errors = list[float]()
    for sources in (("coinbase", "kraken"), ("coinbase",)):
        known = coin()
        known.use_index = False
        for source in sources:
            known.panel = hears(known.panel, source, Decimal(84_000), at(0), at(0), LIMITS)
        view, _ = known.judge(at(0))
        assert view is not None
        errors.append(view.error)
    assert errors[0] < errors[1]


def test_an_index_that_repeats_itself_is_doubted_at_once_and_left_once_the_sources_have_moved():
    known, said = coin(), list[PriceView]()
    lived(known, range(120))
    for second in range(120, 160):
        hear(known, second, Decimal(84_119) * (1 - Decimal(second - 119) * 2 / 10_000))
        known.hear_index(prints(second, Decimal(84_119)), at(second))
        view, _ = known.judge(at(second))
        assert view is not None
        said.append(view)
    assert [said[each].doubt == "" for each in (0, 4, 39)] == [True, False, False]
    assert said[5].tick.source == INDEX
    assert said[5].error > 0.001
    assert said[-1].tick.source != INDEX


@pytest.mark.parametrize("twitch", ["0.01", "0.05"])
def test_an_index_that_stands_and_twitches_is_doubted_as_one_that_repeats_itself(twitch: str):
    """Some of what it is made of stands still: its last digits move, and it teaches nothing all the same."""
    known, said = coin(), list[PriceView]()
    lived(known, range(400))
    before = [each.basis.ratio for each in known.panel.sources.values()]
    for second in range(400, 460):
        hear(known, second, Decimal(84_399) * (1 - Decimal(second - 399) / 5 / 10_000))
        twitched = Decimal(84_399) + (Decimal(twitch) if second % 2 else 0)
        known.hear_index(prints(second, twitched), at(second))
        view, _ = known.judge(at(second))
        assert view is not None
        said.append(view)
    assert all(each.doubt for each in said[15:])
    assert said[-1].tick.source != INDEX
    assert [each.basis.ratio for each in known.panel.sources.values()] == before


def test_a_basis_is_not_learnt_from_an_index_that_repeats_itself():
    known = coin()
    lived(known, range(400))
    before = [each.basis for each in known.panel.sources.values()]
    for second in range(400, 415):
        hear(known, second, Decimal(84_399) * (1 + Decimal(second - 399) / 20_000))
        known.hear_index(prints(second, Decimal(84_399)), at(second))
        known.judge(at(second))
    assert [each.basis for each in known.panel.sources.values()] == before


def test_seconds_of_an_outage_and_of_a_doubt_are_not_told():
    known = coin()
    known.use_index = False
    for second in range(30):
        hear(known, second, Decimal(84_000 + second % 5))
        known.judge(at(second))
    for source in known.panel.sources:
        known.panel = known.panel.having(lost(known.panel.sources[source], "closed"))
    known.judge(at(30))
    for second in range(31, 36):  # back, and 25 bp apart
        for source, price in (("coinbase", 84_000 + second % 5), ("kraken", 84_210 + second % 5)):
            known.panel = hears(known.panel, source, Decimal(price), at(second), at(second), LIMITS)
        known.judge(at(second))
    for second in range(36, 40):
        hear(known, second, Decimal(84_000 + second % 5))
        view, _ = known.judge(at(second))
    assert view is not None
    assert {second - int(NOW.timestamp()) for second, _ in view.last_minute} == {*range(29), *range(36, 39)}


def test_while_a_doubt_goes_on_nothing_counts_as_measured_and_no_move_of_before_as_one_of_now():
    """Two sources that live and stay apart: what was known before they parted is not what the market does now."""
    known, dice, level = coin(), random.Random(1), 84_000.0
    known.use_index = False
    view: PriceView | None = None
    for second in range(2_400):
        level *= math.exp(dice.gauss(0, 0.00006))
        for source, away in (("coinbase", 0.0), ("kraken", 0.0008 if second >= 600 else 0.0)):
            price = Decimal(f"{level * (1 + away):.2f}")
            known.panel = hears(known.panel, source, price, at(second), at(second), LIMITS)
        view, _ = known.judge(at(second))
        if second == 599:
            assert view is not None
            assert view.momentum is not None
            assert measured_seconds(view, at(second)) == pytest.approx(600, abs=2)
    assert view is not None
    assert view.doubt
    assert view.volatility is not None  # a stop goes on being judged, with an error that says so
    assert view.momentum is None
    assert measured_seconds(view, at(2_399)) == pytest.approx(0, abs=2)


def test_the_venues_mean_goes_with_the_prints():
    known = coin()
    until = -(-int(NOW.timestamp()) // 900) * 900 - 20
    (made,) = prints(0, Decimal(84_000)).prints["BRTI"]
    when = datetime.fromtimestamp(until, UTC)
    made = replace(made, at=when, received_at=when, final_minute_mean=Decimal(84_001), final_minute_count=40)
    known.hear_index(IndexHistory(prints={"BRTI": (made,)}), when)
    view, _ = known.judge(when)
    assert view is not None
    assert view.final_minute == FinalMinute(closes_at=until + 20, until=until, count=40, mean=Decimal(84_001))


def test_a_recalled_second_is_one_that_was_seen_and_what_lies_between_is_not():
    memory = CoinMemory(PriceMemory())
    memory.recall([(10, Decimal(1)), (11, Decimal(1)), (14, Decimal(2))])
    assert [second for second, _ in memory.minute] == [10, 11, 14]


def test_of_two_prints_within_one_second_the_later_is_that_seconds():
    known = coin()
    lived(known, range(40))
    for part, value in ((0.2, 84_100), (0.7, 84_200)):
        made = replace(
            prints(40, Decimal(value)).prints["BRTI"][0], at=at(40 + part), received_at=at(40 + part)
        )
        known.hear_index(IndexHistory(prints={"BRTI": (made,)}), at(40 + part))
    hear(known, 41, Decimal(84_200))
    view, _ = known.judge(at(41))
    assert view is not None
    second = int(at(40).timestamp())
    assert [value for each, value in view.prints if each == second] == [Decimal(84_200)]


def test_the_peaks_of_momentum_belong_to_the_minutes_of_their_seconds():
    kept = CoinMemory(PriceMemory(warmup_seconds=30))
    first = int(NOW.timestamp())
    kept.recall((first + second, Decimal(84_000 + second)) for second in range(60 * 6))
    assert [minute for minute, _ in kept.peaks] == [first // 60 + 4, first // 60 + 5]
