"""The report says what scripts rely on, in exact text, and tells a person how little it proves."""

import json

from recio.replay.report import as_json, as_text
from recio.replay.run import replay
from tests.builders import AGAIN_AND_AGAIN


def traded(opened, spot_trades):
    opened.market(result="yes", value="100200.50")
    spot_trades(opened, 300)
    opened.delta(100.5, "no", "0.4000", "4.00")
    for second in range(101, 130):
        opened.delta(second + 0.3, "yes", "0.0100", "1.00", skip=3 if second == 120 else 0)
    return replay([opened.write()], AGAIN_AND_AGAIN)


def test_the_names_that_scripts_rely_on_are_there_and_the_whole_is_json(opened, spot_trades):
    found = as_json(traded(opened, spot_trades))

    relied_on = {
        "messages",
        "sequence_gaps",
        "negative_levels",
        "ticker_checks",
        "ticker_agreements",
        "decisions",
        "trades",
        "windows",
    }
    assert relied_on <= found.keys()
    assert {"ticker", "recorded_result", "result", "settlement_value"} <= found["windows"][0].keys()
    assert isinstance(found["decisions"], int)
    assert sum(found["decision_reasons"].values()) == found["decisions"]
    assert json.loads(json.dumps(found)) == found


def test_amounts_are_text_and_never_floats(opened, spot_trades):
    (trade,) = as_json(traded(opened, spot_trades))["trades"]

    for name in ("entry_price", "entry_cost", "exit_proceeds", "fees", "payout", "pnl", "quantity", "limit"):
        assert isinstance(trade[name], str), name


def test_the_text_shows_gaps_windows_and_trades_and_claims_no_profit(opened, spot_trades):
    text = as_text(traded(opened, spot_trades))

    assert "gap at 12:02:00: subscription 2 expected 22, got 25" in text
    assert "KXBTC15M-26JAN050715-15  100000.0  100200.5    published  yes   yes" in text
    assert "P&L $+1.5328 after fees" in text
    assert "n = 1: it proves nothing about profit" in text


def test_sessions_add_up_to_the_summary(opened, spot_trades):
    report = traded(opened, spot_trades)
    one = as_json(report)
    both = as_json(type(report)(sessions=report.sessions * 2))

    for name in ("messages", "deltas", "decisions", "sequence_gaps", "spot_trades"):
        assert both[name] == 2 * one[name] > 0, name
    assert both["totals"]["pnl"] == "3.065600"


def test_a_recording_without_windows_says_that_nothing_was_decided(opened):
    assert "no windows are described" in as_text(replay([opened.write()], AGAIN_AND_AGAIN))
