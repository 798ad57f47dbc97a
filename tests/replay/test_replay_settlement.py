"""The mean of the spot stream stands in for a settlement value only where the stream covers the minute."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from recio.errors import BadRecording
from recio.messages.markets import StrikeType
from recio.replay.spot import ProxyMinute, closing_minute
from recio.replay.windows import Window, judge, read_windows
from recio.rules.market.settlement import outcome, places_of, settlement_value
from recio.units import Side

CLOSE = 10_000


def every_second(first: int, last: int, without: range = range(0)) -> list[tuple[int, Decimal]]:
    return [(second, Decimal(100)) for second in range(first, last + 1) if second not in without]


def test_the_mean_is_over_the_sixty_seconds_before_the_close_and_no_other():
    traded = [(CLOSE - 61, Decimal(7))]
    traded += [(CLOSE - 60 + n, Decimal(n)) for n in range(60)]
    traded += [(CLOSE, Decimal(9_000))]

    assert closing_minute(traded, CLOSE, CLOSE + 12) == ProxyMinute(value=Decimal("29.50"), seconds=60)


def test_a_second_without_a_trade_repeats_the_one_before():
    traded = [(CLOSE - 65, Decimal(10)), (CLOSE - 55, Decimal(20)), *every_second(CLOSE - 54, CLOSE + 1)]

    found = closing_minute(traded, CLOSE, CLOSE + 12)

    assert found is not None
    # Five seconds at 10, one at 20, fifty-four at 100.
    assert found.value == Decimal("91.17")
    assert found.seconds == 60


@pytest.mark.parametrize(("seconds", "known"), [(60, True), (55, True), (54, False)])
def test_at_least_55_seconds_of_the_minute_must_be_covered_from_the_start(seconds, known):
    found = closing_minute(every_second(CLOSE - seconds, CLOSE + 5), CLOSE, CLOSE + 12)

    assert (found is not None and found.seconds == seconds) is known


@pytest.mark.parametrize(("seconds", "known"), [(55, True), (54, False)])
def test_at_least_55_seconds_must_be_covered_where_the_recording_ends_before_the_close(seconds, known):
    last = CLOSE - 61 + seconds
    found = closing_minute(every_second(CLOSE - 90, last), CLOSE, last)

    assert (found is not None and found.seconds == seconds) is known


@pytest.mark.parametrize(("length", "known"), [(10, True), (11, False)])
@pytest.mark.parametrize("start", [CLOSE - 66, CLOSE - 40, CLOSE - 5])
def test_a_hole_of_more_than_ten_seconds_that_touches_the_minute_makes_it_unknown(start, length, known):
    traded = every_second(CLOSE - 100, CLOSE + 20, without=range(start + 1, start + length))

    assert (closing_minute(traded, CLOSE, CLOSE + 20) is not None) is known


def test_holes_outside_the_minute_do_not_matter():
    traded = every_second(CLOSE - 300, CLOSE + 100, without=range(CLOSE - 250, CLOSE - 60))
    traded = [each for each in traded if each[0] < CLOSE or each[0] > CLOSE + 50]

    assert closing_minute(traded, CLOSE, CLOSE + 100) is not None


def test_a_stream_that_fell_silent_before_the_close_counts_as_a_hole():
    assert closing_minute(every_second(CLOSE - 90, CLOSE - 3), CLOSE, CLOSE + 12) is None


def test_no_trades_give_no_value():
    assert closing_minute([], CLOSE, CLOSE) is None


@pytest.mark.parametrize(
    ("strike", "value"), [("1.3599", "1.3580"), ("84000.01", "1.36"), ("0.0699999", "1.3580000")]
)
def test_a_cheap_coin_is_rounded_to_its_own_places(strike, value):
    places = places_of(Decimal(strike))

    assert settlement_value([Decimal("1.3580")] * 60, places) == Decimal(value)


def test_xrp_just_below_its_strike_has_not_reached_it():
    strike = Decimal("1.3599")
    value = settlement_value([Decimal("1.3580")] * 60, places_of(strike))

    assert outcome(value, StrikeType.GREATER_OR_EQUAL, strike, None) is Side.NO


def described(folder: Path, *markets: dict[str, Any]) -> tuple[Window, ...]:
    path = folder / "session.json"
    path.write_text(json.dumps({"markets": markets}), encoding="utf-8")
    return read_windows(path, "BTC")


@pytest.mark.parametrize(
    ("terms", "side"),
    [
        ({"floor_strike": 80_000}, Side.YES),
        ({"floor_strike": 80_000, "cap_strike": 80_099.99, "strike_type": "between"}, Side.NO),
        ({"floor_strike": 80_000, "cap_strike": 80_199.99, "strike_type": "between"}, Side.YES),
        ({"floor_strike": 80_150, "strike_type": "greater"}, Side.NO),
        ({"cap_strike": 80_200, "strike_type": "less"}, Side.YES),
    ],
)
def test_a_recorded_market_settles_by_its_own_kind_of_strike(
    tmp_path: Path, terms: dict[str, Any], side: Side
):
    row = {"ticker": "KXBTC-A-1", "close_time": "2026-05-13T14:00:00Z", "settlement_value": 80_150}
    (window,) = described(tmp_path, row | terms)
    assert judge("s", window, None).outcome is side
    assert (window.listed.floor_strike, window.listed.cap_strike) == (None, None)


def test_the_strike_of_another_series_settles_nothing(tmp_path: Path):
    first = {"ticker": "KXBTC15M-A-00", "close_time": "2026-05-13T14:00:00Z", "floor_strike": 80_000}
    following = {"close_time": "2026-05-13T14:15:00Z", "floor_strike": 80_100}
    own, _ = described(tmp_path, first, following | {"ticker": "KXBTC15M-B-15"})
    other, _ = described(tmp_path, first, following | {"ticker": "KXETH15M-B-15"})
    assert judge("s", own, None).outcome is Side.YES
    assert judge("s", other, None).outcome is None


def test_of_a_ladder_no_strike_is_the_value_of_the_hour_before_even_if_one_market_of_it_was_recorded(
    tmp_path: Path,
):
    ladder = [
        {"ticker": f"KXBTCD-{hour}-T80000", "close_time": f"2026-05-13T{hour}:00:00Z", "floor_strike": 80_000}
        for hour in (14, 15)
    ]
    first, _ = described(tmp_path, *ladder)
    found = judge("s", first, None)
    assert (found.next_strike, found.result, found.outcome) == (None, None, None)


def test_a_recorded_result_that_its_published_value_denies_is_no_outcome(tmp_path: Path):
    row = {"ticker": "KXBTC15M-A-00", "close_time": "2026-05-13T14:00:00Z", "floor_strike": 80_000}
    (window,) = described(tmp_path, row | {"result": "no", "settlement_value": 80_100})
    assert judge("s", window, None).outcome is None
    (window,) = described(tmp_path, row | {"result": "yes", "settlement_value": 80_100})
    assert judge("s", window, None).outcome is Side.YES


def test_the_next_strike_is_another_markets_word_and_outweighs_no_recorded_result(tmp_path: Path):
    first = {"ticker": "KXBTC15M-A-00", "close_time": "2026-05-13T14:00:00Z", "floor_strike": 80_000}
    following = {"ticker": "KXBTC15M-B-15", "close_time": "2026-05-13T14:15:00Z", "floor_strike": 80_100}
    own, _ = described(tmp_path, first | {"result": "no"}, following)
    found = judge("s", own, None)
    assert (found.result, found.outcome) == (Side.YES, Side.NO)


def test_one_close_is_one_moment_in_whatever_zone_it_is_described(tmp_path: Path):
    row = {"ticker": "KXBTC15M-A-00", "floor_strike": 80_000}
    (here,) = described(tmp_path, row | {"close_time": "2026-05-13T10:00:00-04:00"})
    (there,) = described(tmp_path, row | {"close_time": "2026-05-13T14:00:00Z"})
    assert here.closes_at.isoformat() == there.closes_at.isoformat()


@pytest.mark.parametrize(
    ("terms", "opens"),
    [
        ({"ticker": "KXBTC15M-A-00"}, "13:45"),
        ({"ticker": "KXBTCD-A-T80000"}, "13:00"),
        ({"ticker": "KXBTCD-A-T80000", "open_time": "2026-05-13T12:30:00Z"}, "12:30"),
    ],
)
def test_a_recorded_market_opens_when_its_description_or_its_series_says(
    tmp_path: Path, terms: dict[str, Any], opens: str
):
    (window,) = described(tmp_path, {"close_time": "2026-05-13T14:00:00Z"} | terms)
    assert f"{window.open.open_time:%H:%M}" == opens


def test_a_market_that_opens_after_its_close_is_refused(tmp_path: Path):
    row = {
        "ticker": "KXBTC15M-A-00",
        "close_time": "2026-05-13T14:00:00Z",
        "open_time": "2026-05-13T14:00:00Z",
    }
    with pytest.raises(BadRecording, match=r"open_time 2026-05-13 14:00:00.* of KXBTC15M-A-00 is not before"):
        described(tmp_path, row)
