"""What a replay says about the books of a recording, faults included."""

import pytest


def test_a_whole_recording_has_no_faults_and_its_counts_add_up(recording):
    recording.subscribed(0, "ticker", 1)
    recording.subscribed(0)
    recording.snapshot(0, {"0.4000": "10.00"}, {"0.5000": "10.00"})
    recording.delta(1, "yes", "0.4100", "5.00")
    recording.ticker(1.1, "0.4100", "0.5000")

    found = recording.replayed()

    assert found["messages"] == 5
    assert (found["book_snapshots"], found["deltas"]) == (1, 1)
    assert (found["sequence_gaps"], found["negative_levels"], found["gaps"]) == (0, 0, [])
    assert (found["ticker_checks"], found["ticker_agreements"], found["ticker_unchecked"]) == (1, 1, 0)


def test_a_gap_is_counted_once_with_its_place_and_the_book_waits_for_the_next_snapshot(opened):
    opened.delta(1, "yes", "0.2000", "5.00")
    opened.delta(2, "yes", "0.2000", "5.00", skip=2)
    opened.delta(3, "yes", "0.2000", "5.00")
    opened.ticker(3.5, "0.2000", "0.9500")
    opened.snapshot(4, {"0.3000": "1.00"}, {"0.5000": "1.00"})
    opened.delta(5, "yes", "0.3100", "1.00")
    opened.ticker(5.1, "0.3100", "0.5000")

    found = opened.replayed()

    assert found["sequence_gaps"] == 1
    (gap,) = found["gaps"]
    assert (gap["sid"], gap["expected"], gap["got"]) == (2, 3, 5)
    assert gap["ticker"].startswith("KXBTC15M")
    assert gap["at"] == "2026-01-05T12:00:02.080Z"
    assert found["deltas_without_book"] == 1
    assert (found["ticker_checks"], found["ticker_agreements"], found["ticker_unchecked"]) == (1, 1, 1)


def test_a_repeated_sequence_number_is_a_gap_too(opened):
    opened.delta(1, "yes", "0.2000", "5.00")
    opened.delta(2, "yes", "0.2000", "5.00", skip=-1)

    assert opened.replayed()["sequence_gaps"] == 1


def test_a_snapshot_after_a_gap_counts_the_gap_and_makes_the_book_usable(opened):
    opened.snapshot(1, {"0.3000": "1.00"}, {"0.5000": "1.00"}, skip=4)
    opened.delta(2, "yes", "0.3100", "1.00")
    opened.ticker(2, "0.3100", "0.5000")

    found = opened.replayed()

    assert found["sequence_gaps"] == 1
    assert found["ticker_agreements"] == 1
    assert found["deltas_without_book"] == 0


def test_a_gap_and_an_impossible_level_in_one_snapshot_both_count(opened):
    opened.snapshot(1, {"0.3000": "-1.00"}, {}, skip=4)

    found = opened.replayed()

    assert (found["sequence_gaps"], found["negative_levels"]) == (1, 1)


def test_a_negative_level_is_counted_and_the_book_waits_for_the_next_snapshot(opened):
    opened.delta(1, "yes", "0.1000", "-50.01")
    opened.delta(2, "yes", "0.1000", "60.00")
    opened.ticker(2, "0.1000", "0.9500")
    opened.snapshot(3, {"0.3000": "1.00"}, {"0.5000": "1.00"})
    opened.ticker(3, "0.3000", "0.5000")

    found = opened.replayed()

    assert found["negative_levels"] == 1
    assert found["deltas_without_book"] == 1
    assert (found["ticker_checks"], found["ticker_unchecked"]) == (1, 1)


def test_a_price_outside_the_book_is_counted_apart_from_negative_levels(opened):
    opened.delta(1, "yes", "1.0000", "5.00")

    found = opened.replayed()

    assert (found["impossible_prices"], found["negative_levels"]) == (1, 0)


def test_deltas_without_a_snapshot_make_no_book_and_no_decision_on_one(recording, spot_trades):
    recording.market()
    recording.subscribed(0)
    for second in range(1, 200):
        recording.delta(second, "no", "0.4000", "5.00")
    spot_trades(recording, 200)

    found = recording.replayed()

    assert found["deltas_without_book"] == found["deltas"] == 199
    assert found["sequence_gaps"] == 0
    assert found["decision_reasons"]["book"] > 0
    assert found["trades"] == []


def test_a_resubscription_begins_a_new_sequence_and_forgets_the_book_until_its_snapshot(opened):
    for second in range(1, 6):
        opened.delta(second, "yes", "0.2000", "5.00")
    opened.subscribed(6)
    opened.ticker(6.1, "0.2000", "0.9500")
    opened.snapshot(7, {"0.3000": "1.00"}, {"0.5000": "1.00"})
    opened.ticker(7, "0.3000", "0.5000")

    found = opened.replayed()

    assert found["sequence_gaps"] == 0
    assert found["resubscriptions"] == 1
    assert (found["ticker_agreements"], found["ticker_unchecked"]) == (1, 1)


def test_other_sequenced_messages_of_the_subscription_take_their_place_in_the_sequence(opened):
    opened.seq += 1
    opened.frame(1, {"type": "ok", "sid": 2, "seq": opened.seq, "msg": {}})
    opened.delta(2, "yes", "0.2000", "5.00")
    opened.seq += 2
    opened.frame(3, {"type": "something_new", "sid": 2, "seq": opened.seq, "msg": {}})

    found = opened.replayed()

    assert [(gap["expected"], gap["got"]) for gap in found["gaps"]] == [(4, 5)]


def test_markets_that_nobody_described_are_checked_like_any_other(opened):
    opened.market()
    opened.snapshot(1, {"0.3000": "1.00"}, {"0.5000": "1.00"}, ticker="KXETH15M-A-B")
    opened.ticker(1, "0.3000", "0.5000", ticker="KXETH15M-A-B")
    opened.ticker(1, "0.3000", "0.6000", ticker="KXETH15M-A-B")

    found = opened.replayed()

    assert (found["ticker_checks"], found["ticker_agreements"]) == (2, 1)


@pytest.mark.parametrize(
    ("made_at", "agrees"),
    [(9.849, 0), (9.850, 1), (10.0, 1), (12.0, 1), (12.150, 1), (12.151, 0)],
)
def test_a_ticker_agrees_within_150_ms_of_the_time_its_top_stood_and_not_beyond(opened, made_at, agrees):
    """The top 0.20 stands from 10 to 12 seconds."""
    opened.delta(10.0, "yes", "0.2000", "5.00")
    opened.ticker(11.0, "0.2000", "0.9500", made_at=made_at)
    opened.delta(12.0, "yes", "0.2000", "-5.00")
    opened.delta(13.0, "yes", "0.0900", "5.00")

    found = opened.replayed()

    assert (found["ticker_checks"], found["ticker_agreements"]) == (1, agrees)


def test_a_ticker_that_comes_long_after_its_moment_is_compared_with_that_moment(opened):
    opened.delta(10.0, "yes", "0.2000", "5.00")
    opened.delta(12.0, "yes", "0.2000", "-5.00")
    opened.delta(33.0, "yes", "0.1100", "5.00")
    opened.ticker(33.5, "0.2000", "0.9500", made_at=11.0)
    opened.ticker(33.6, "0.2000", "0.9500", made_at=14.0)

    found = opened.replayed()

    assert (found["ticker_checks"], found["ticker_agreements"]) == (2, 1)


def test_a_ticker_of_a_time_before_the_book_was_known_is_not_checked(opened):
    opened.ticker(0.5, "0.4000", "0.5000", made_at=-5.0)
    for second in range(1, 6):
        opened.delta(second, "yes", "0.0900", "5.00")

    found = opened.replayed()

    assert (found["ticker_checks"], found["ticker_unchecked"]) == (0, 1)


def test_a_stream_that_is_seconds_late_as_a_whole_is_still_compared_by_the_time_it_was_made(recording):
    recording.subscribed(20.0)
    recording.snapshot(20.0, {"0.1000": "50.00"}, {"0.0500": "50.00"})
    recording.delta(20.1, "yes", "0.2000", "5.00", made_at=10.0)
    recording.ticker(20.2, "0.2000", "0.9500", made_at=10.0)
    recording.delta(20.3, "yes", "0.2000", "-5.00", made_at=10.4)
    recording.ticker(20.4, "0.2000", "0.9500", made_at=12.0)
    for step in range(60):
        recording.delta(21 + step, "yes", "0.0900", "1.00")

    found = recording.replayed()

    assert (found["ticker_checks"], found["ticker_agreements"]) == (2, 1)


def test_a_ticker_that_might_still_have_agreed_when_the_book_was_lost_is_not_checked(opened):
    opened.delta(1, "yes", "0.0900", "1.00")
    opened.ticker(2, "0.3000", "0.9500")
    opened.ticker(2, "0.1000", "0.9500")
    opened.delta(2.1, "yes", "0.0900", "1.00", skip=1)

    found = opened.replayed()

    assert (found["ticker_checks"], found["ticker_agreements"], found["ticker_unchecked"]) == (1, 1, 1)


def test_a_top_from_before_a_gap_proves_nothing_about_the_book_after_it(opened):
    opened.delta(1, "yes", "0.0900", "1.00")
    opened.snapshot(2, {"0.3000": "1.00"}, {"0.5000": "1.00"}, skip=1)
    opened.ticker(2.05, "0.1000", "0.9500")

    found = opened.replayed()

    assert (found["ticker_checks"], found["ticker_agreements"]) == (1, 0)


def test_an_empty_side_is_none_in_the_ticker_and_in_the_book(opened):
    opened.snapshot(1, {}, {"0.5000": "1.00"})
    opened.ticker(1, "0.0000", "0.5000")
    opened.snapshot(5, {"0.4000": "1.00"}, {})
    opened.ticker(5, "0.4000", "1.0000")

    assert opened.replayed()["ticker_agreements"] == 2


def test_a_crossed_book_counts_once_however_long_it_lasts(opened):
    opened.delta(1, "yes", "0.9500", "1.00")
    opened.delta(2, "yes", "0.9600", "1.00")
    opened.delta(3, "no", "0.0500", "-50.00")
    opened.delta(4, "no", "0.0500", "50.00")

    assert opened.replayed()["crossed_instants"] == 2


def test_the_recorders_clock_is_told_apart_from_the_venues(opened):
    """What was made is heard a delivery later at the soonest, and what took longer later still."""
    opened.clock_offset = -0.48
    for second in range(1, 9):
        opened.delta(second, "yes", "0.2000", "5.00")
    opened.delta(9, "yes", "0.2000", "5.00", made_at=8.7)

    (session,) = opened.replayed()["sessions"]

    assert session["clock_offset_ms"] == -560
    assert session["ended_at"] == "2026-01-05T12:00:09.080Z"


def test_silence_of_the_socket_is_measured(opened):
    opened.delta(1, "yes", "0.2000", "5.00")
    opened.delta(29, "yes", "0.2000", "5.00")

    assert opened.replayed()["sessions"][0]["longest_silence_ms"] == 28_000
