"""Files that do not belong together are refused, and what makes figures doubtful stands beside them; nothing is silently different."""

from __future__ import annotations

import codecs
import gzip
import json
from datetime import timedelta
from pathlib import Path

import pytest

from recio.commands.score import scored
from recio.errors import BadRecording
from recio.replay.playback import session_of
from recio.replay.report import as_json, as_text
from recio.replay.run import replay
from recio.replay.session_files import find_sessions
from recio.rules.pricing.model import AVERAGE
from recio.score.text import as_text as scores_as_text
from recio.settings.config import Config
from recio.settings.prices import SymbolSection
from tests.builders import AGAIN_AND_AGAIN
from tests.replay.conftest import OPENS, TICKER, Recording

FOLLOWING = "KXBTC15M-26JAN050730-30"


def whole(recording: Recording, until: int = 3) -> Recording:
    """A book and a trade a second."""
    for second in range(1, until):
        recording.delta(second, "yes", "0.2000", "5.00")
        recording.trade(second, "100200.00")
    return recording


def told(recording: Recording) -> list[str]:
    return recording.replayed()["sessions"][0]["warnings"]


def refusal(*paths: Path, config: Config = AGAIN_AND_AGAIN) -> str:
    with pytest.raises(BadRecording) as raised:
        replay(list(paths), config)
    return str(raised.value)


@pytest.fixture
def session(opened: Recording) -> Recording:
    opened.market()
    return whole(opened)


def test_of_a_whole_session_nothing_is_told(session: Recording):
    assert told(session) == []


def test_frames_of_another_coin_than_the_description_are_refused_with_both(session: Recording):
    folder = session.write()
    frames = gzip.decompress((folder / "kalshi_ws.jsonl.gz").read_bytes())
    (folder / "kalshi_ws.jsonl.gz").write_bytes(gzip.compress(frames.replace(b"KXBTC15M", b"KXETH15M")))

    sentence = refusal(folder)

    assert f"{folder / 'session.json'}: `markets` names {TICKER}" in sentence
    assert TICKER.replace("BTC", "ETH") in sentence


def test_a_described_market_without_a_book_and_a_book_without_a_description_are_told(session: Recording):
    session.market(FOLLOWING, closes=1800)
    session.snapshot(3, {"0.1000": "5.00"}, {}, ticker="KXBTC15M-OTHER-1")

    lines = told(session)

    assert any(f"no book of {FOLLOWING}" in line for line in lines)
    assert any("does not name KXBTC15M-OTHER-1" in line for line in lines)


def test_a_market_without_a_strike_is_told(opened: Recording):
    opened.market(strike=None)

    assert any(f"no floor_strike of {TICKER}" in line for line in told(whole(opened)))


@pytest.mark.parametrize("days", [-1, 1])
def test_a_close_time_of_another_day_is_refused(session: Recording, days: int):
    session.markets[0]["close_time"] = (OPENS + timedelta(days=days)).isoformat()

    sentence = refusal(session.write())

    assert "session.json: close_time" in sentence
    assert "another day or zone" in sentence


def test_a_coin_that_the_config_has_not_is_refused_with_the_way_out(session: Recording):
    session.markets[0]["ticker"] = TICKER.replace("BTC", "ETH")

    sentence = refusal(session.write())

    assert "KXETH15M, of ETH" in sentence
    assert '[symbols.ETH] with series = ["KXETH15M"]' in sentence


def test_markets_of_two_coins_in_one_session_are_refused(session: Recording):
    session.market(TICKER.replace("BTC", "ETH"), strike="2200")

    assert "several coins (KXBTC15M, KXETH15M)" in refusal(session.write())


def test_a_session_is_traded_as_the_coin_that_its_markets_are_of(session: Recording):
    session.markets[0]["ticker"] = TICKER.replace("BTC", "ETH")
    symbols = {**AGAIN_AND_AGAIN.symbols, "ETH": SymbolSection(series=("KXETH15M",))}
    (files,) = find_sessions([session.write()])

    made = session_of(files, AGAIN_AND_AGAIN.model_copy(update={"symbols": symbols}), AVERAGE, None)

    assert (made.spot.symbol, made.windows[0].open.symbol) == ("ETH", "ETH")


@pytest.mark.parametrize("seconds", [-7200, -20, 20, 7200])
def test_trades_whose_time_does_not_fit_their_receipt_are_refused(session: Recording, seconds: int):
    path = session.write() / "coinbase_matches.csv"
    for number, line in enumerate(session.matches):
        stamp = line.split(",")[1]
        session.matches[number] = line.replace(
            stamp, (session.moment(number + 1) + timedelta(seconds=seconds)).isoformat()
        )

    sentence = refusal(session.write())

    assert f"{path}: exchange_ts and recv_ns do not fit" in sentence
    assert f"{session.moment(1) + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}" in sentence


def test_one_trade_that_came_late_is_told_and_one_of_the_subscription_may_be_old(session: Recording):
    session.matches.insert(
        0, f"{session.recv_ns(0)},{session.moment(-300).isoformat()},100200.00,9,last_match\n"
    )
    assert told(session) == []

    session.matches.append(f"{session.recv_ns(3)},{session.moment(-300).isoformat()},100200.00,9,match\n")
    assert any(line.startswith("1 spot trade") for line in told(session))


@pytest.mark.parametrize("price", ["2260.50", "10020000"])
def test_a_price_of_another_coin_or_in_cents_is_refused_with_its_line(session: Recording, price: str):
    session.trade(3, price)

    sentence = refusal(session.write())

    assert (
        f"coinbase_matches.csv line 4: price {price} is further than a quarter from all strikes" in sentence
    )


def test_trades_of_another_time_than_the_frames_are_refused(session: Recording):
    session.matches.clear()
    session.trade(600, "100200.00")

    assert "put the trades of the same time beside them" in refusal(session.write())


def test_a_stream_that_ends_long_before_the_other_is_told(session: Recording):
    session.trade(60, "100200.00")
    lines = told(session)
    assert any("file of frames may be cut short" in line for line in lines)
    assert any("no spot trade for 58 s" in line for line in lines)


def test_an_end_that_contradicts_its_value_or_the_next_strike_is_told(opened: Recording):
    opened.market(result="no", value="100300.00")
    opened.market(FOLLOWING, closes=1800, strike="100200.00")

    lines = told(whole(opened))

    assert any(
        "recorded as no, and 100300.0 (published) against its strike makes it yes" in each for each in lines
    )
    assert any("settlement_value 100300.0 is not the next strike, 100200.0" in each for each in lines)


def test_an_end_that_the_spot_trades_contradict_clearly_is_told(opened: Recording):
    opened.market(closes=62.0, result="no")
    for second in range(80):
        opened.delta(second, "yes", "0.2000", "1.00")
        opened.trade(second, "100200.00")

    assert any("paid as no, and the spot trades of its last minute" in line for line in told(opened))


def test_sessions_of_one_time_are_told_of_beside_sums_and_scores(session: Recording, tmp_path: Path):
    first = session.write()
    session.folder = tmp_path / "again"
    second = session.write()

    found = replay([first, second], AGAIN_AND_AGAIN)

    assert as_json(found)["overlaps"][0].startswith(
        f"one and again both recorded {TICKER} from 2026-01-05 12:00:00"
    )
    assert "WARNING: one and again both recorded" in as_text(found)
    assert "WARNING: one and again both recorded" in scores_as_text(
        scored([first, second], AGAIN_AND_AGAIN, None)
    )


def test_warnings_of_a_session_stand_in_its_table_and_above_its_scores(opened: Recording):
    opened.market(result="no", value="100300.00")
    folder = whole(opened).write()

    assert "  WARNING: " + TICKER in as_text(replay([folder], AGAIN_AND_AGAIN))
    assert f"WARNING: one: {TICKER}" in scores_as_text(scored([folder], AGAIN_AND_AGAIN, None))


def test_a_mark_of_the_encoding_at_the_beginning_of_a_file_changes_nothing(session: Recording):
    folder = session.write()
    before = as_json(replay([folder], AGAIN_AND_AGAIN))
    for path in folder.iterdir():
        raw = path.read_bytes()
        path.write_bytes(
            gzip.compress(codecs.BOM_UTF8 + gzip.decompress(raw))
            if path.suffix == ".gz"
            else codecs.BOM_UTF8 + raw
        )

    assert as_json(replay([folder], AGAIN_AND_AGAIN)) == before


def test_a_description_without_any_market_says_so(opened: Recording):
    (opened.write() / "session.json").write_text(json.dumps({"markets": []}))

    assert "no market in it" in as_text(replay([opened.folder], AGAIN_AND_AGAIN))


def test_prices_beside_quotes_in_cents_are_refused_with_their_line(tmp_path: Path):
    (tmp_path / "markets.csv").write_text(
        f"ticker,symbol,close_time,floor_strike,result\n{TICKER},BTC,2026-01-05T12:15:00Z,100000,yes\n"
    )
    (tmp_path / "quotes.csv").write_text("time,ticker,yes_bid,yes_ask\n")
    (tmp_path / "prices.csv").write_text("time,symbol,price\n2026-01-05T12:00:00Z,BTC,10020000\n")

    with pytest.raises(BadRecording, match=r"prices\.csv line 2: price 10020000 is further"):
        scored([tmp_path], AGAIN_AND_AGAIN, None)
