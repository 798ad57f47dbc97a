"""What calls for somebody, once and in which words: rules on plain values."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from recio.messages.account import PositionDifference
from recio.messages.alerts import Alarm, Severity
from recio.messages.backups import BackupsSeen, StreamCopySeen, StreamSeen, Tried
from recio.messages.controls import Halt, RootCause, TradingControls
from recio.messages.decisions import Assessments, RejectionCount
from recio.messages.orders import OrderState, TradeState
from recio.messages.prices import Prices, SourceState, SourceView
from recio.rules.account.reconcile import difference_cause
from recio.rules.alerts import disk, lanes
from recio.rules.alerts.alarms import Remembered, Seen, alarms, database_away, remember
from recio.rules.alerts.follow import ENDS_AFTER, Step, follow
from recio.rules.alerts.news import of_trades, states, summary, summary_due
from recio.rules.alerts.sending import is_quiet, reason_to_wait, wait_after
from recio.rules.decision.strategy import Strategy
from recio.settings.alerts import AlertsSection
from recio.settings.config import Config, parse
from recio.settings.trading import ExitSection
from recio.units import EventTicker, Money, Quantity
from tests.builders import NOW, TICKER, account, board, open_trades, order, price, trade
from tests.builders import prices as some_prices

CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO
SETTINGS = AlertsSection()
SICK = Alarm(cause="sick", severity=WARNING, sentence="it is sick", resolution="look", after=30.0)


def seen(**changes: Any) -> Seen:
    usual = Seen(
        now=NOW,
        speed=1.0,
        config=Config(),
        strategies=(Strategy(),),
        controls=TradingControls(),
        trades=open_trades(),
        account=account(),
        board=board(),
        prices=some_prices(),
        assessments=None,
    )
    return replace(usual, **changes)


def found(at: Seen, remembered: Remembered | None = None) -> dict[str, Alarm]:
    return {each.cause: each for each in alarms(at, remembered or Remembered())}


def looks(*each: tuple[float, list[Alarm]], settings: AlertsSection = SETTINGS) -> list[Step]:
    """Steps of looks at so many seconds."""
    ids, step, steps = itertools.count(), Step(), list[Step]()
    for at, seen_then in each:
        step = follow(
            step.open, seen_then, NOW + timedelta(seconds=at), 1.0, settings, lambda: f"{next(ids)}"
        )
        steps.append(step)
    return steps


def texts(steps: list[Step]) -> list[str]:
    return [told.text for step in steps for told in step.told]


def test_nothing_calls_while_all_is_well():
    assert found(seen()) == {}
    assert found(seen(trades=open_trades(trades=(trade(),)))) == {}


def kept(**changes: Any) -> BackupsSeen:
    """A backup of an hour ago, a drill of yesterday, nothing failed."""
    usual = BackupsSeen(
        asked_at=NOW,
        since=NOW - timedelta(days=100),
        backup=Tried(good_at=NOW - timedelta(hours=1)),
        drill=Tried(good_at=NOW - timedelta(days=1)),
        rto_seconds=Decimal("4.0"),
        rpo_seconds=Decimal(0),
        stream=StreamSeen(is_received=True, is_lost=False, waiting_bytes=0),
    )
    return replace(usual, **changes)


def copied(minutes: int, waiting: int = 0, why: str = "") -> StreamCopySeen:
    at = NOW - timedelta(minutes=minutes)
    return StreamCopySeen(place="s3://b/f/", noted_at=at, reaches_at=at, waiting=waiting, why=why)


LIVE = parse(
    {"mode": "live", "kalshi": {"environment": "demo", "key_id": "k", "key_path": "k.pem"}}, "a test"
)


@pytest.mark.parametrize(
    ("changes", "cause", "words"),
    [
        ({"backup": Tried(good_at=NOW, failed_at=NOW, why="no room")}, "backup failed", "no room"),
        ({"backup": Tried(good_at=NOW - timedelta(hours=27))}, "backup too old", "27 hours ago"),
        ({"backup": Tried()}, "backup too old", "there is no backup"),
        ({"drill": Tried(good_at=NOW, failed_at=NOW, why="row 7")}, "drill failed", "row 7"),
        ({"drill": Tried(good_at=NOW - timedelta(days=9))}, "drill too old", "9 days ago"),
        ({"drill": Tried()}, "drill too old", "ever restored and proven"),
        (
            {"stream": StreamSeen(is_received=False, is_lost=True, waiting_bytes=0)},
            "stream of changes",
            "has a gap",
        ),
        (
            {"stream": StreamSeen(is_received=False, is_lost=False, waiting_bytes=1_500_000_000)},
            "stream of changes",
            "1,500 MB wait",
        ),
        (
            {"copy": copied(minutes=11, waiting=3, why="no room is left")},
            "stream in the bucket",
            "reaches 2026-11-23 11:49:00 UTC: no room is left; 3 full files",
        ),
        ({"copy": copied(minutes=11)}, "stream in the bucket", "nobody sends it"),
    ],
)
def test_backups_that_failed_are_too_old_or_were_never_restored_call(
    changes: dict[str, Any], cause: str, words: str
):
    assert found(seen(config=LIVE, backups=kept(copy=copied(minutes=9, why="away")))) == {}
    told = found(seen(config=LIVE, backups=kept(**changes)))
    assert words in told[cause].sentence
    assert told.keys() == {cause}


def test_a_demo_without_backups_and_an_account_that_something_else_backs_up_call_nobody():
    none = kept(backup=Tried(), drill=Tried(), stream=None)
    assert found(seen(backups=none)) == {}
    elsewhere = LIVE.model_copy(
        update={"alerts": LIVE.alerts.model_copy(update={"max_backup_hours": None, "max_drill_days": None})}
    )
    assert found(seen(config=elsewhere, backups=none)) == {}
    assert found(seen(config=LIVE, backups=None)) == {}
    new = replace(none, since=NOW - timedelta(hours=2))
    assert found(seen(config=LIVE, backups=new)) == {}


def test_what_does_not_last_calls_nobody():
    assert texts(looks((0, [SICK]), (29, [SICK]), (30, []), (60, []))) == []


def test_a_cause_is_told_once_and_its_end_once():
    steps = looks((0, [SICK]), (31, [SICK]), (32, [SICK]), (33, [SICK]), (34, []), (34 + ENDS_AFTER, []))
    assert texts(steps) == ["it is sick. look", "over after 33 s: it is sick"]
    ended = steps[-1].changed[0]
    assert (ended.told, ended.ended_at) == (1, NOW + timedelta(seconds=33))


def test_a_fault_without_words_leaves_no_colon_in_front_of_what_to_do():
    silent = replace(SICK, sentence="GET /markets: TimeoutError: ")
    steps = looks((0, [silent]), (31, [silent]), (34, []), (34 + ENDS_AFTER, []))
    assert texts(steps) == ["GET /markets: TimeoutError. look", "over after 31 s: GET /markets: TimeoutError"]


def test_what_comes_and_goes_is_one_alert():
    back_and_forth = [(float(at), [SICK] if at % 10 < 5 else []) for at in range(100)]
    assert texts(looks(*back_and_forth)) == ["it is sick. look"]


def test_what_lasts_is_told_again_ever_more_seldom_and_only_so_often():
    settings = AlertsSection(repeat_minutes=10, max_repeats=2)
    hours = [(minute * 60.0, [replace(SICK, after=0.0)]) for minute in range(600)]
    told = [
        (index, told.text)
        for index, step in enumerate(looks(*hours, settings=settings))
        for told in step.told
    ]
    assert [minute for minute, _ in told] == [0, 10, 30]
    assert told[1][1] == "still, for 10 min: it is sick. look"
    assert told[2][1].endswith("it is not told again until it ends")


def test_what_becomes_graver_is_told_at_once():
    grave = replace(SICK, severity=CRITICAL)
    assert texts(looks((0, [SICK]), (31, [SICK]), (32, [grave]), (33, [grave]), (34, [SICK]))) == [
        "it is sick. look",
        "now critical: it is sick. look",
    ]


def test_what_the_venue_said_becomes_one_plain_line_and_a_clock_set_back_makes_no_row_that_cannot_be():
    odd = replace(SICK, sentence="it\0is\nsick" + "x" * 5_000, after=0.0)
    steps = looks((0, [odd]), (1, [odd]))
    alert = steps[0].changed[0]
    assert alert.sentence.startswith("it is sickx")
    assert len(alert.sentence) == 1_000
    late = replace(SICK, after=-100.0)
    back = looks((0, [SICK]), (-60, [late]))[-1].changed[0]
    assert back.told_at is not None
    assert back.told_at >= back.began_at


def test_a_halt_of_the_daemon_is_critical_and_one_of_a_person_is_not():
    def halt(by: str) -> TradingControls:
        return TradingControls(
            halts=(Halt(cause="eight losses", since=NOW, by=by, resolution="recio resume"),)
        )

    by_itself = found(seen(controls=halt("failure_detector")))["halt: eight losses"]
    assert by_itself.severity is CRITICAL
    assert "recio resume" in by_itself.resolution
    by_ann = found(seen(controls=halt("Ann")))["halt: eight losses"]
    assert (by_ann.severity, by_ann.sentence) == (WARNING, "halt by Ann: eight losses")


def test_a_halt_that_somebody_typed_is_told_once_with_or_without_a_reason():
    def sentence(cause: str) -> str:
        typed = Halt(cause=cause, since=NOW, by="Ann", resolution="recio resume")
        return found(seen(controls=TradingControls(halts=(typed,))))[f"halt: {cause}"].sentence

    assert sentence("halted by command: I want to look") == "halt by Ann: I want to look"
    assert sentence("halted by command") == "halt by Ann"


def test_a_halt_over_a_difference_is_called_drift():
    difference = PositionDifference(ticker=TICKER, venue=Quantity(500), ours=Quantity(0))
    halt = Halt(cause=difference_cause(difference), since=NOW, by="failure_detector", resolution="compare")
    at = seen(controls=TradingControls(halts=(halt,)), account=replace(account(), differences=(difference,)))
    assert list(found(at)) == [f"drift: {halt.cause}"]


def test_unknown_orders_call_together_once_they_are_overdue():
    old = order(state=OrderState.UNKNOWN, created_at=NOW - timedelta(seconds=61))
    fresh = order(state=OrderState.UNKNOWN, created_at=NOW - timedelta(seconds=59))
    assert found(seen(trades=open_trades(orders=(fresh,)))) == {}
    alarm = found(seen(trades=open_trades(orders=(old, old))))["unknown order"]
    assert alarm.severity is CRITICAL
    assert "has no proven end, and 1 more" in alarm.sentence


def test_blind_stops_say_how_many_worth_what_and_why_and_take_their_reason_with_them():
    away = RootCause(cause="network away", sentence="nothing is heard", consequences=(), since=NOW)
    at = seen(
        trades=open_trades(trades=(trade(),)),
        board=board(heard_at=NOW - timedelta(minutes=1)),
        controls=TradingControls(causes=(away,)),
    )
    alarm = found(at)["blind stops"]
    assert alarm.severity is CRITICAL
    assert alarm.sentence == (
        "1 position (worth $5.00, cost $5.20) without a stop: network away: nothing is heard"
    )
    assert alarm.after == SETTINGS.blind_after_seconds
    assert math.isinf(found(at)["network away"].after)


def test_a_cause_calls_gravely_only_while_something_is_held():
    away = RootCause(cause="venue away", sentence="silence", consequences=(), since=NOW)
    controls = TradingControls(causes=(away,))
    assert found(seen(controls=controls))["venue away"].severity is WARNING
    held = seen(controls=controls, trades=open_trades(trades=(trade(),)))
    assert found(held)["venue away"].severity is CRITICAL


def test_the_daily_loss_calls_at_its_share_of_the_limit():
    def lost(dollars: int) -> Seen:
        return seen(trades=replace(open_trades(), realised_today=Money(-dollars * 1_000_000)))

    assert found(lost(39)) == {}
    assert [each.severity for each in found(lost(40)).values()] == [CRITICAL]


def test_a_key_that_is_refused_and_a_version_that_is_too_old_call():
    refused = found(seen(faults={"market_sync": "socket: host refuses the API key abc: 401"}))
    assert refused["key refused"].severity is CRITICAL
    late = order(state=OrderState.REJECTED, note="deprecated_v1_order_endpoint: use v2")
    assert found(seen(trades=open_trades(recent_orders=(late,))))["too old"].severity is CRITICAL


def lived(causes: tuple[RootCause, ...], every: float) -> dict[str, Alarm]:
    """After three restarts of one task at this distance in seconds."""
    remembered, at = Remembered(), seen()
    for count in range(1, 4):
        at = seen(
            now=NOW + timedelta(seconds=every * count),
            restarts={"discovery": count},
            controls=TradingControls(causes=causes),
        )
        remembered = remember(remembered, at)
    return found(at, remembered)


def test_a_task_that_keeps_restarting_calls():
    assert "3 times" in lived((), every=1)["discovery keeps restarting"].sentence
    assert "discovery keeps restarting" not in lived((), every=400)


def test_an_outage_counts_as_one_restart_and_as_none_once_it_is_called_for_itself():
    def away(since: float) -> tuple[RootCause, ...]:
        began = NOW + timedelta(seconds=since)
        return (RootCause(cause="venue away", sentence="x", consequences=(), since=began),)

    assert "discovery keeps restarting" not in lived(away(0), every=5)
    assert "discovery keeps restarting" not in lived(away(-60), every=60)
    assert "discovery keeps restarting" in lived(away(400), every=120), "three outages of a moment"


def test_a_coin_without_a_good_source_calls_while_others_have_one():
    def source(state: SourceState) -> tuple[SourceView, ...]:
        return (SourceView(source="kraken", state=state, price=None, at=NOW, heard_at=NOW, note=""),)

    views = Prices(
        by_symbol={"BTC": price(), "ETH": price()},
        sources={"BTC": source(SourceState.GOOD), "ETH": source(SourceState.DOWN)},
    )
    assert list(found(seen(prices=views))) == ["no price of ETH"]


@pytest.mark.parametrize(("index", "calls"), [(SourceState.GOOD, True), (SourceState.DOWN, False)])
def test_the_only_coin_calls_when_the_index_alone_carries_it_and_leaves_silence_to_the_failure_detector(
    index: SourceState, calls: bool
):
    def source(name: str, state: SourceState) -> SourceView:
        return SourceView(source=name, state=state, price=None, at=NOW, heard_at=NOW, note="")

    views = (source("kraken", SourceState.SILENT), source("index", index))
    alarms = found(seen(prices=Prices(by_symbol={"BTC": price()}, sources={"BTC": views})))
    assert [each.sentence for each in alarms.values()] == (
        ["no price source of BTC is good: its price is the settlement index alone"] if calls else []
    )


def rejected(event: str, gate: str, cycles: int = 100) -> RejectionCount:
    return RejectionCount(
        event=EventTicker(event),
        gate=gate,
        cycles=cycles,
        first_at=NOW,
        last_at=NOW,
        sentence="why",
        by="calm",
    )


def windows(*each: tuple[str, ...], entered: int | None = None) -> lanes.Lanes:
    """One window after another, each with the gates that stopped it."""
    known = lanes.Lanes()
    for number, gates in enumerate([*each, ()]):
        counted = [rejected(f"KXBTC15M-{number}", gate) for gate in gates]
        entries = {EventTicker(f"KXBTC15M-{number}"): 1} if number == entered else {}
        known = lanes.remember(known, counted, {"calm"}, entries)
    return known


def test_a_lane_that_one_gate_stopped_through_its_windows_calls_with_the_gate():
    (alarm,) = lanes.alarms(windows(("price error",), ("price error", "too late"), ("price error",)), 3)
    assert 'for 3 windows: the gate "price error"' in alarm.sentence


@pytest.mark.parametrize(
    "stopped",
    [
        windows(("price error",), ("price error",)),
        windows(("price error",), ("book",), ("price error",)),
        windows(("edge",), ("edge",), ("edge",)),
        windows(("price error", "edge"), ("price error", "edge"), ("price error", "edge")),
        windows(("too late",), ("too late",), ("too late",)),
        windows(("price error",), ("price error",), ("price error",), entered=1),
    ],
)
def test_a_lane_that_could_have_traded_calls_nobody(stopped: lanes.Lanes):
    assert list(lanes.alarms(stopped, 3)) == []


def test_only_live_strategies_have_lanes():
    known = lanes.remember(lanes.Lanes(), [rejected("KXBTC15M-1", "book")], {"other"}, {})
    assert known == lanes.Lanes()
    at = seen(assessments=Assessments(strikes=(), verdict="", rejections=(rejected("KXBTC15M-1", "book"),)))
    assert remember(Remembered(), at).lanes == lanes.Lanes()


def test_a_disk_that_fills_calls_by_its_own_pace():
    samples: disk.Samples = ()
    for hour in range(8):
        samples = disk.remember(samples, NOW + timedelta(hours=hour), 10_000_000_000 - hour * 250_000_000)
    assert disk.days_left(samples) == pytest.approx(8.25 / 6.0)
    (alarm,) = disk.alarms(samples, 3)
    assert "full in 1.4 days" in alarm.sentence
    assert list(disk.alarms(samples, 1)) == []
    assert list(disk.alarms(samples[:6], 3)) == [], "five hours are no trend"


def test_a_database_that_is_away_is_graver_the_less_is_known():
    assert database_away("refused", (), SETTINGS).severity is WARNING
    assert database_away("refused", None, SETTINGS).severity is CRITICAL
    held = database_away("refused", (trade(),), SETTINGS)
    assert "1 position (cost $5.20) without a stop" in held.sentence


def test_quiet_hours_hold_what_is_not_critical_across_midnight_of_their_zone():
    settings = AlertsSection.model_validate({"quiet_hours": "22:00-07:00", "time_zone": "America/New_York"})
    night, day = datetime(2026, 11, 24, 5, tzinfo=UTC), datetime(2026, 11, 24, 15, tzinfo=UTC)
    assert (is_quiet(night, settings), is_quiet(day, settings)) == (True, False)
    assert reason_to_wait(WARNING, night, (), 0.0, settings) == "quiet hours"
    assert reason_to_wait(CRITICAL, night, (), 0.0, settings) == ""
    assert reason_to_wait(WARNING, day, (), 0.0, settings) == ""


def test_a_day_is_summed_up_once_after_its_end():
    settings = AlertsSection.model_validate({"summary_at": "00:05"})
    at = datetime(2026, 11, 24, 0, 4, tzinfo=UTC)
    assert summary_due(at, date(2026, 11, 22), settings) is None
    assert summary_due(at + timedelta(minutes=1), date(2026, 11, 22), settings) == date(2026, 11, 23)
    assert summary_due(at + timedelta(minutes=2), date(2026, 11, 23), settings) is None
    assert summary_due(at, None, AlertsSection()) is None
    text = summary(
        date(2026, 11, 23), (Money(12_300_000), Money(1_200_000), 5, 2), open_trades(), account(), ()
    )
    assert text.startswith("2026-11-23: +$12.30 after $1.20 fees, 5 won, 2 lost; now 0 open (cost $0.00)")


def test_each_trade_is_told_when_it_begins_and_when_it_ends():
    begun = open_trades(trades=(trade(),))
    ended = trade(state=TradeState.CLOSED, ended_by="exit", exit_proceeds=Money(6_000_000), closed_at=NOW)
    over = replace(open_trades(), recent_trades=(ended,))
    assert list(of_trades({}, begun)) == [f"bought 10.00 YES of {TICKER} for $5.20 (trade 1, average)"]
    assert list(of_trades(states(begun), begun)) == []
    assert list(of_trades(states(begun), over)) == [f"trade 1 on {TICKER} ended by exit: +$0.63 after fees"]
    assert list(of_trades(states(over), over)) == []


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(0, 5), (1, 5), (2, 10), (3, 20), (8, 640), (9, 900), (1_000, 900)]
)
def test_each_failed_attempt_waits_twice_as_long_up_to_a_quarter_of_an_hour(attempts: int, seconds: float):
    assert wait_after(attempts) == seconds


@pytest.mark.parametrize("hours", ["12:00-13:00", "22:00-13:00"])
def test_quiet_hours_begin_with_their_first_minute_and_are_over_with_their_last(hours: str):
    settings = AlertsSection.model_validate({"quiet_hours": hours, "time_zone": "UTC"})
    end = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
    begin = end.replace(hour=int(hours[:2]))
    assert is_quiet(begin, settings)
    assert is_quiet(end - timedelta(seconds=1), settings)
    assert not is_quiet(end, settings)
    assert not is_quiet(begin - timedelta(seconds=1), settings)


def test_a_position_whose_own_strategy_sells_nothing_is_called_out_as_without_a_stop():
    off = Strategy(exit=ExitSection(enabled=False))
    held = open_trades(trades=(trade(),))
    assert "blind stops" not in found(seen(trades=held))
    alarm = found(seen(trades=held, strategies=(off,)))["blind stops"]
    assert "exits are switched off in the config" in alarm.sentence
    assert "blind stops" not in found(seen(trades=held, strategies=()))
