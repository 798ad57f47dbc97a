"""What a replay decides and what becomes of it: latency, fills, fees, settlement, and no look-ahead."""

import gzip
import json
import random
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from recio.errors import BadRecording
from recio.replay.report import as_json
from recio.replay.run import replay
from recio.replay.windows import read_windows
from recio.settings.config import Config
from recio.settings.trading import ExitSection
from recio.units import money
from tests.builders import AGAIN_AND_AGAIN, QUICK, section

TICKER = "KXBTC15M-26JAN050715-15"
NO_STOP = AGAIN_AND_AGAIN.model_copy(update={"exit": ExitSection(enabled=False)})


@pytest.fixture
def tempting(opened, spot_trades):
    """From second 100.5 on four contracts of YES are offered at 0.60, where the model sees far more."""
    opened.market(result="yes", value="100200.00")
    spot_trades(opened, 300)
    opened.delta(99.9, "yes", "0.0900", "1.00")
    opened.delta(100.5, "no", "0.4000", "4.00")
    return opened


def keep_alive(recording, until, since=101):
    for second in range(since, until):
        recording.delta(second + 0.3, "yes", "0.0100", "1.00")


def test_an_offer_below_the_models_value_is_bought_for_what_stands_there_with_the_exact_fee(tempting):
    keep_alive(tempting, 150)

    found = tempting.replayed(NO_STOP)

    (trade,) = found["trades"]
    assert (trade["ticker"], trade["side"], trade["quantity"]) == (TICKER, "yes", "4.00")
    assert (trade["entry_price"], trade["entry_cost"]) == ("0.600000", "2.400000")
    assert trade["fees"] == "0.067200"
    assert trade["opened_at"] == "2026-01-05T12:01:40.580Z"
    assert trade["seconds_to_close"] == 799.42
    assert float(trade["probability"]) > 0.62
    assert "ask 0.6000" in trade["why"]


def test_a_trade_held_to_the_close_is_settled_by_the_recorded_result(tempting):
    found = tempting.replayed(NO_STOP)

    (trade,) = found["trades"]
    assert (trade["ended_by"], trade["result"], trade["payout"]) == ("settlement", "yes", "4.000000")
    assert trade["pnl"] == "1.532800"
    assert trade["closed_at"] == "2026-01-05T12:15:12.000Z"
    assert found["totals"] == {
        "count": 1,
        "void": 0,
        "unsettled": 0,
        "wins": 1,
        "losses": 0,
        "fees": "0.067200",
        "pnl": "1.532800",
    }


def test_a_recorded_result_that_its_settlement_value_denies_pays_nobody(tempting):
    tempting.markets[0]["result"] = "no"

    found = tempting.replayed(NO_STOP)

    (window,) = found["windows"]
    assert (window["recorded_result"], window["result"]) == ("no", "yes")
    assert found["settlement_checks"] == {"checked": 1, "agree": 0}
    trade = found["trades"][0]
    assert (trade["result"], trade["pnl"], trade["ended_by"]) == (None, None, "unsettled")


def test_where_neither_side_won_a_trade_is_paid_the_value_of_its_contracts(tempting):
    tempting.markets[0].update(result="scalar", settlement_value_dollars=0.5)

    found = tempting.replayed(NO_STOP)

    trade = found["trades"][0]
    paid = Decimal(trade["quantity"]) / 2
    assert (trade["result"], trade["ended_by"], Decimal(trade["payout"])) == (None, "settlement", paid)
    assert found["windows_without_result"] == 0


def test_a_scalar_end_without_its_value_is_refused(tempting):
    tempting.markets[0].update(result="scalar")

    with pytest.raises(BadRecording, match="settlement_value_dollars None is not between 0 and 1"):
        tempting.replayed(NO_STOP)


def test_without_a_recorded_result_the_rule_decides_from_the_value(tempting):
    tempting.markets[0]["result"] = None

    assert tempting.replayed(NO_STOP)["trades"][0]["pnl"] == "1.532800"


def test_a_trade_whose_outcome_nobody_knows_stays_unsettled_and_out_of_the_sum(tempting):
    tempting.markets[0].update(result=None, settlement_value=None)

    found = tempting.replayed(NO_STOP)

    (trade,) = found["trades"]
    assert (trade["ended_by"], trade["pnl"], trade["result"]) == ("unsettled", None, None)
    assert (found["totals"]["unsettled"], found["totals"]["pnl"]) == (1, "0.000000")
    assert found["windows"][0]["settlement_source"] is None


def test_the_next_windows_strike_serves_where_no_value_was_published(tempting):
    tempting.markets[0].update(result=None, settlement_value=None)
    tempting.market("KXBTC15M-26JAN050730-30", closes=1_800, strike="99999.99")

    found = tempting.replayed(NO_STOP)

    first = found["windows"][0]
    assert (first["settlement_source"], first["settlement_value"], first["result"]) == (
        "next_strike",
        "99999.99",
        "no",
    )
    assert found["trades"][0]["pnl"] == "-2.467200"


def test_the_mean_of_the_spot_stream_never_stands_in_for_the_venues_word(tempting, spot_trades):
    tempting.markets[0].update(result=None, settlement_value=None)
    spot_trades(tempting, 920, since=300)
    keep_alive(tempting, 920, since=300)

    found = tempting.replayed(NO_STOP)

    (window,) = found["windows"]
    assert (window["settlement_source"], window["result"]) == (None, None)
    assert (window["proxy_value"], window["proxy_result"]) == ("100210.00", "yes")
    assert (found["trades"][0]["result"], found["totals"]["unsettled"]) == (None, 1)
    assert found["windows_without_result"] == 1


def test_the_mean_of_the_spot_stream_is_shown_beside_a_published_value(tempting, spot_trades):
    spot_trades(tempting, 920, since=300)

    found = tempting.replayed(NO_STOP)

    (window,) = found["windows"]
    assert (window["settlement_source"], window["settlement_value"]) == ("published", "100200.0")
    assert window["proxy_value"] == "100210.00"
    assert found["proxy_checks"] == {"checked": 1, "agree": 1}


def test_an_order_gets_only_what_is_left_when_it_arrives(tempting):
    tempting.delta(100.55, "no", "0.4000", "-1.00")
    keep_alive(tempting, 150)

    (trade,) = tempting.replayed(NO_STOP)["trades"]

    assert (trade["wanted"], trade["quantity"]) == ("4.00", "3.00")
    assert trade["notes"] == ["entry: less was there when the order arrived"]


@pytest.mark.parametrize(("changed_after", "got"), [(0.17, "3.00"), (0.19, "4.00")])
def test_an_order_is_at_the_venue_a_delivery_and_our_own_delay_after_what_it_answers(
    tempting, changed_after: float, got: str
):
    """80 ms until the offer is heard of, 100 until the order is there: what the venue changed before, it does not get."""
    tempting.delta(100.5 + changed_after, "no", "0.4000", "-1.00")
    keep_alive(tempting, 150)

    assert tempting.replayed(NO_STOP)["trades"][0]["quantity"] == got


def test_an_order_that_finds_nothing_is_a_void_trade_that_costs_nothing(tempting):
    tempting.delta(100.55, "no", "0.4000", "-4.00")
    keep_alive(tempting, 150)

    found = tempting.replayed(NO_STOP)

    (trade,) = found["trades"]
    assert (trade["state"], trade["ended_by"], trade["pnl"]) == ("void", "no fill", "0.000000")
    assert trade["entry_price"] is None
    assert (found["totals"]["count"], found["totals"]["void"]) == (0, 1)


def test_an_order_that_arrives_after_a_gap_gets_nothing(tempting):
    tempting.delta(100.55, "yes", "0.0900", "1.00", skip=3)
    keep_alive(tempting, 150)

    found = tempting.replayed(NO_STOP)

    assert found["trades"][0]["ended_by"] == "no fill"
    assert "not usable" in found["trades"][0]["notes"][0]
    assert found["sequence_gaps"] == 1


def test_an_order_under_way_when_the_recording_ends_gets_nothing(opened, spot_trades):
    opened.market(result="yes")
    spot_trades(opened, 100)
    opened.delta(100.5, "no", "0.4000", "4.00")

    (trade,) = opened.replayed(NO_STOP)["trades"]

    assert trade["ended_by"] == "no fill"
    assert "recording ended" in trade["notes"][0]


def crash(recording, at):
    """The price falls far below the strike: the stop sells."""
    recording.matches[:] = [
        each for each in recording.matches if int(each.split(",")[0]) < recording.recv_ns(at)
    ]
    for second in range(at, at + 20):
        recording.trade(second, "99000.00")
        recording.delta(second + 0.4, "yes", "0.0100", "1.00")


def test_a_stop_sells_what_is_held_at_the_bids_and_pays_the_fee_of_both_ways(tempting):
    keep_alive(tempting, 160)
    crash(tempting, 160)

    (trade,) = [each for each in tempting.replayed()["trades"] if each["side"] == "yes"]

    assert (trade["ended_by"], trade["exit_quantity"], trade["exit_price"]) == ("exit", "4.00", "0.100000")
    assert trade["fees"] == "0.092400"
    assert trade["pnl"] == "-2.092400"
    assert trade["closed_at"] == "2026-01-05T12:02:40.260Z"


def test_a_stop_that_sells_a_part_leaves_the_rest_to_be_sold_or_settled(tempting):
    keep_alive(tempting, 159)
    tempting.delta(159.5, "yes", "0.1000", "-49.00")
    tempting.delta(159.6, "yes", "0.0900", "-1.00")
    tempting.delta(159.7, "yes", "0.0100", "-58.00")
    tempting.matches[:] = [
        each for each in tempting.matches if int(each.split(",")[0]) < tempting.recv_ns(160)
    ]
    for second in range(160, 200):
        tempting.trade(second, "99000.00")
    tempting.delta(199.5, "no", "0.0500", "1.00")

    (trade,) = [each for each in tempting.replayed()["trades"] if each["side"] == "yes"]

    assert (trade["quantity"], trade["exit_quantity"]) == ("4.00", "1.00")
    assert (trade["ended_by"], trade["payout"]) == ("settlement", "3.000000")


def test_the_risk_limits_of_the_config_hold(tempting):
    keep_alive(tempting, 150)
    limits = NO_STOP.risk.model_copy(update={"max_open_cost_dollars": money("1")})

    found = tempting.replayed(NO_STOP.model_copy(update={"risk": limits}))

    assert found["trades"] == []
    assert found["decision_reasons"]["risk max_open_cost_dollars"] > 0


def test_the_switch_of_entry_is_on_in_a_replay_whatever_the_config_says(tempting):
    assert NO_STOP.entry.enabled is False
    assert "switch" not in tempting.replayed(NO_STOP)["decision_reasons"]


def test_each_change_of_a_book_is_decided_on_at_once_and_what_comes_together_only_once(opened, spot_trades):
    opened.market()
    spot_trades(opened, 100)
    for step in range(1_000):
        opened.delta(80 + step / 100, "yes", "0.0900", "1.00")
        opened.delta(80 + step / 100, "yes", "0.0800", "1.00")

    assert 1_000 < opened.replayed()["decisions"] < 1_200


def test_what_concerns_no_market_on_the_board_is_looked_at_once_a_second(opened):
    for step in range(1_000):
        opened.delta(1 + step / 100, "yes", "0.0900", "1.00")

    assert 10 <= opened.replayed()["decisions"] <= 12


def test_before_its_window_opens_a_market_is_not_traded_and_has_no_strike(opened, spot_trades):
    opened.market(closes=1_100, result="yes")
    spot_trades(opened, 190)
    opened.delta(100.5, "no", "0.4000", "4.00")
    keep_alive(opened, 190)

    found = opened.replayed(NO_STOP)

    assert found["trades"] == []
    assert found["decision_reasons"]["market status"] > 0
    assert not {"edge", "order", "price bounds"} & found["decision_reasons"].keys()


def test_a_strike_is_unknown_until_the_window_before_has_closed(opened):
    opened.market("A-1", closes=600, strike="99000.00")
    opened.market("A-2", closes=1_200, strike="100000.00")
    _, second = read_windows(opened.write() / "session.json", "BTC")

    before, after = (second.market_at(opened.moment(at)) for at in (600.5, 600.6))

    assert (before.status.value, before.floor_strike) == ("active", None)
    assert after.floor_strike == 100_000


def test_a_market_without_a_strike_is_not_traded(tempting):
    tempting.markets[0]["floor_strike"] = None
    keep_alive(tempting, 150)

    found = tempting.replayed(NO_STOP)

    assert found["trades"] == []
    assert found["decision_reasons"]["probability"] > 0


def test_a_book_that_comes_late_is_as_old_as_the_venue_says_and_not_traded_on(opened, spot_trades):
    opened.market(result="yes")
    spot_trades(opened, 120)
    keep_alive(opened, 50, since=1)
    opened.delta(100.5, "no", "0.4000", "4.00", made_at=50.5)
    opened.delta(101.5, "yes", "0.0100", "1.00", made_at=51.5)

    found = opened.replayed(NO_STOP)

    assert found["trades"] == []
    assert found["decision_reasons"]["book age"] > 0


def bought(recording):
    """What is bought by one that sells again at once and is always ready to buy."""
    restless = Config(
        prices=QUICK,
        entry=NO_STOP.entry.model_copy(update={"cooldown_seconds": 1, "only_what_exit_keeps": False}),
        exit=section(ExitSection, stop_probability=1.0, min_value_fraction="off"),
        risk=NO_STOP.risk.model_copy(update={"max_entries_per_event": 9}),
    )
    trades = recording.replayed(restless)["trades"]
    return [(each["quantity"], each["ended_by"]) for each in trades]


def test_a_standing_offer_is_bought_only_once(tempting):
    keep_alive(tempting, 120)

    assert bought(tempting) == [("4.00", "exit")]


def test_size_added_to_an_offer_can_be_bought_too(tempting):
    keep_alive(tempting, 110)
    tempting.delta(110, "no", "0.4000", "2.50")
    keep_alive(tempting, 120, since=110)

    assert bought(tempting) == [("4.00", "exit"), ("2.50", "exit")]


def test_an_offer_that_was_withdrawn_and_made_again_can_be_bought_again(tempting):
    keep_alive(tempting, 110)
    tempting.delta(110, "no", "0.4000", "-4.00")
    tempting.delta(111, "no", "0.4000", "3.00")
    keep_alive(tempting, 120, since=111)

    assert bought(tempting) == [("4.00", "exit"), ("3.00", "exit")]


def test_an_offer_that_a_snapshot_no_longer_showed_can_be_bought_again(tempting):
    keep_alive(tempting, 110)
    tempting.snapshot(110, {"0.1000": "50.00"}, {"0.0500": "50.00"})
    tempting.snapshot(111, {"0.1000": "50.00"}, {"0.0500": "50.00", "0.4000": "3.00"})
    keep_alive(tempting, 120, since=111)

    assert bought(tempting) == [("4.00", "exit"), ("3.00", "exit")]


def test_an_order_without_a_fill_is_no_entry_of_its_event(tempting):
    tempting.delta(100.55, "no", "0.4000", "-4.00")
    keep_alive(tempting, 170)
    tempting.delta(170.5, "no", "0.4000", "4.00")
    keep_alive(tempting, 180, since=171)
    once = NO_STOP.risk.model_copy(update={"max_entries_per_event": 1})

    trades = tempting.replayed(NO_STOP.model_copy(update={"risk": once}))["trades"]

    assert [each["state"] for each in trades] == ["void", "closed"]


def wild(recording, seed=7, seconds=880):
    """A market that moves enough for several entries, exits and voids."""
    dice = random.Random(seed)
    recording.market(result="yes", value="100010.00")
    recording.subscribed(0)
    recording.snapshot(0, {"0.4500": "20.00"}, {"0.4500": "20.00"})
    price = 100_000.0
    shown = {("yes", 45): 2_000, ("no", 45): 2_000}
    for second in range(1, seconds):
        price += dice.gauss(0, 14)
        recording.trade(second, f"{price:.2f}")
        for part in range(6):
            level = (dice.choice(("yes", "no")), dice.randint(30, 49))
            change = dice.randint(-400, 500)
            change = max(change, -shown.get(level, 0))
            if change:
                shown[level] = shown.get(level, 0) + change
                recording.delta(
                    second + 0.1 + part * 0.13, level[0], f"0.{level[1]:02}00", f"{change / 100:.2f}"
                )


def decided_before(found, moment):
    return [
        {
            name: each[name]
            for name in ("trade_id", "ticker", "side", "wanted", "limit", "opened_at", "probability", "why")
        }
        for each in found["trades"]
        if datetime.fromisoformat(each["opened_at"]) < moment
    ]


def test_two_replays_of_one_recording_are_the_same_to_the_last_character(recording):
    wild(recording)

    first, second = recording.replayed(), recording.replayed()

    assert len(first["trades"]) >= 2
    assert json.dumps(first) == json.dumps(second)


@pytest.mark.parametrize("cut", [200, 400, 600, 800])
def test_what_comes_after_a_moment_changes_nothing_that_was_decided_before_it(recording, tmp_path, cut):
    wild(recording)
    whole = recording.replayed()
    moment = recording.moment(cut)

    shorter = as_json(replay([truncated(recording, tmp_path / "cut", cut)], AGAIN_AND_AGAIN))

    assert decided_before(shorter, moment) == decided_before(whole, moment)
    assert len(decided_before(whole, recording.moment(900))) >= 2


def truncated(recording, folder: Path, cut: float) -> Path:
    end = recording.recv_ns(cut)
    recording.folder = folder
    recording.frames = [line for line in recording.frames if json.loads(line)["recv_ns"] <= end]
    recording.matches = [row for row in recording.matches if int(row.split(",")[0]) <= end]
    return recording.write()


def test_each_session_starts_afresh(recording, tmp_path):
    wild(recording)
    recording.write()
    twin = tmp_path / "two"
    twin.mkdir()
    for name in ("coinbase_matches.csv", "session.json"):
        (twin / name).write_text((recording.folder / name).read_text())
    (twin / "kalshi_ws.jsonl.gz").write_bytes(gzip.compress(b"".join(recording.frames)))

    found = as_json(replay([tmp_path], AGAIN_AND_AGAIN))

    one, two = ([t for t in found["trades"] if t["session"] == name] for name in ("one", "two"))
    assert [{**each, "session": ""} for each in one] == [{**each, "session": ""} for each in two]


def test_several_sessions_are_told_in_their_order_and_a_broken_one_is_refused(recording, tmp_path):
    wild(recording, seconds=60)
    for name in ("b", "a", "c"):
        recording.folder = tmp_path / "many" / name
        recording.write()

    found = as_json(replay([tmp_path / "many"], AGAIN_AND_AGAIN))
    assert [each["session"] for each in found["sessions"]] == ["a", "b", "c"]

    (tmp_path / "many" / "b" / "kalshi_ws.jsonl.gz").write_bytes(gzip.compress(b"no line\n"))
    with pytest.raises(BadRecording, match=r"b/kalshi_ws\.jsonl\.gz line 1"):
        replay([tmp_path / "many"], AGAIN_AND_AGAIN)


def test_a_floor_between_two_prices_of_the_grid_steps_down_and_sells(tempting):
    """0.1 minus 0.0005 lies on no grid: the stop must not die of that."""
    keep_alive(tempting, 160)
    crash(tempting, 160)
    stops = Config(prices=QUICK, exit=section(ExitSection, max_slippage_dollars=Decimal("0.0005")))

    (trade,) = [each for each in tempting.replayed(stops)["trades"] if each["side"] == "yes"]

    assert trade["exit_quantity"] == trade["quantity"]
    assert trade["notes"] == []
    assert trade["ended_by"] == "exit"


def test_an_order_that_arrives_after_the_close_gets_nothing(opened, spot_trades):
    opened.market(result="yes")
    spot_trades(opened, 910)
    opened.delta(899.85, "no", "0.4000", "4.00")
    opened.delta(901, "no", "0.4000", "4.00")
    late = NO_STOP.entry.model_copy(update={"min_seconds_to_close": 0})

    (trade,) = opened.replayed(NO_STOP.model_copy(update={"entry": late}))["trades"]

    assert trade["ended_by"] == "no fill"
    assert trade["notes"] == ["entry: the market had closed when the order arrived"]
