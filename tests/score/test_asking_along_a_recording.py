"""Forecasts are asked once in a slot, with nothing later than their moment, and end as their market did."""

from __future__ import annotations

import csv
import json
import math
import random
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from recio.errors import BadRecording
from recio.messages.markets import BookView
from recio.rules.pricing.model import AVERAGE
from recio.score.forecasts import MARKET, SLOT_SECONDS, TERMINAL, Observation, Watch, middle, once, terminal
from recio.score.quotes import QuoteResults, from_quotes, read_markets, read_quotes
from recio.score.scores import score
from recio.score.sessions import from_sessions
from recio.score.text import as_text
from recio.settings.config import Config
from recio.units import Price, Quantity
from tests.builders import NOW, book, market, price

OPENS = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)
SIGMA = 0.00006
WINDOWS = 40


def watch() -> Watch:
    return Watch(models={"average": AVERAGE}, longest_price_age=5.0)


def test_a_market_is_asked_about_once_in_a_slot_and_never_after_its_close():
    seeing, offered = watch(), market(close_time=NOW + timedelta(seconds=60))
    for second in range(90):
        now = NOW + timedelta(seconds=second)
        seeing.look(offered, book(), replace(price(), heard_at=now), now)
    assert len(seeing.forecasts) <= 60 // SLOT_SECONDS + 1
    assert all(each.seconds_to_close > 0 for each in seeing.forecasts)


def test_nobody_is_asked_with_an_old_price_without_a_book_or_without_a_volatility():
    seeing, offered = watch(), market()
    seeing.look(offered, book(), price(age=6.0), NOW)
    seeing.look(offered, None, price(), NOW)
    seeing.look(offered, BookView(bids=(), asks=()), price(), NOW)
    seeing.look(offered, book(), price(volatility=None), NOW)
    seeing.look(market(floor_strike=None), book(), price(), NOW)
    assert seeing.forecasts == []
    seeing.look(offered, book(), price(), NOW)
    (one,) = seeing.forecasts
    assert one.probabilities.keys() == {MARKET, TERMINAL, "average"}


def test_markets_that_close_at_one_moment_are_one_close_whatever_their_coin_and_series():
    seeing = watch()
    for ticker, symbol in (("KXBTC15M-A-1", "BTC"), ("KXBTCD-B-1", "BTC"), ("KXETH15M-C-1", "ETH")):
        seeing.look(market(ticker=ticker, symbol=symbol), book(), price(), NOW)
    assert len(seeing.forecasts) == 3
    assert len({each.event for each in seeing.forecasts}) == 1
    assert {each.symbol for each in seeing.forecasts} == {"BTC", "ETH"}


def test_a_side_that_nobody_quotes_is_at_its_end_of_the_scale():
    one = Quantity(100)
    assert middle(BookView(bids=((Price(4000), one),), asks=((Price(5000), one),))) == 0.45
    assert middle(BookView(bids=(), asks=((Price(200), one),))) == 0.01
    assert middle(BookView(bids=((Price(9800), one),), asks=())) == 0.99


def test_the_naive_forecast_is_a_normal_of_the_last_price():
    found = terminal(market(floor_strike=Decimal("84100.00")), price(volatility=0.0001), 400.0)
    assert found is not None
    spreads, probability = found
    spread = 84_000 * 0.0001 * 20
    assert spreads == pytest.approx(100 / spread, rel=1e-3)
    assert probability == pytest.approx(0.5 * math.erfc(100 / spread / math.sqrt(2)), rel=1e-3)


def write(folder: Path, name: str, head: str, rows: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(head + "\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Windows on a random walk, and a market that says 50 cents all the time."""
    folder = tmp_path_factory.mktemp("quotes")
    dice, at = random.Random(11), 84_000.0
    prices, quotes, markets, minute = list[str](), list[str](), list[str](), list[float]()
    strike = at
    for second in range(WINDOWS * 900):
        at *= math.exp(dice.gauss(0, SIGMA))
        moment = (OPENS + timedelta(seconds=second)).isoformat()
        prices.append(f"{moment},BTC,{at:.2f}")
        if second % SLOT_SECONDS == 3:
            quotes.append(f"{moment},W-{second // 900},0.4900,0.5100")
        minute = [*minute[-59:], at]
        if second % 900 == 899:
            mean = sum(minute) / 60
            closes = (OPENS + timedelta(seconds=second + 1)).isoformat()
            result = "yes" if mean >= strike else "no"
            markets.append(f"W-{second // 900},BTC,{closes},{strike:.2f},{result}")
            strike = mean
    write(folder, "prices.csv", "time,symbol,price", prices)
    write(folder, "quotes.csv", "time,ticker,yes_bid,yes_ask", quotes)
    write(folder, "markets.csv", "ticker,symbol,close_time,floor_strike,result", markets)
    return folder


def test_on_a_random_walk_the_model_beats_a_market_that_knows_nothing_and_the_command_shows_it(
    walk: Path, tmp_path: Path
):
    command = [sys.executable, "-m", "recio", "score", str(walk), "--json", "--plots", str(tmp_path / "p")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["events"] == WINDOWS
    (ours,) = [
        each["comparison"]
        for each in found["compared"]
        if (each["group"], each["loss"], each["comparison"]["name"], each["comparison"]["against"])
        == ("all", "log loss", "average", "market")
    ]
    assert ours["other"] == pytest.approx(math.log(2))
    assert ours["interval"]["high"] < 0
    assert sorted(each.name for each in (tmp_path / "p").iterdir()) == [
        "calibration.svg",
        "log-loss-by-time.svg",
    ]


def test_what_comes_later_changes_no_forecast(walk: Path, tmp_path: Path):
    cut = OPENS + timedelta(seconds=3_000)
    markets = read_markets(walk)
    whole = from_quotes(
        read_quotes(walk), markets, {"average": AVERAGE}, warmup_seconds=60, longest_price_age=5
    )
    quotes = [(at, what) for at, what in read_quotes(walk) if at < cut]
    part = from_quotes(quotes, markets, {"average": AVERAGE}, warmup_seconds=60, longest_price_age=5)
    assert len(part.observations) > 150
    assert part.observations == whole.observations[: len(part.observations)]


@pytest.mark.parametrize(
    ("name", "broken", "told"),
    [
        ("prices.csv", "time,symbol\n1772000000,BTC", "lacks price"),
        ("prices.csv", "time,symbol,price\n1772000000,BTC,-1", "price '-1' is refused: not a positive price"),
        ("prices.csv", "time,symbol,price\n1772000009,BTC,1\n1772000000,BTC,1", "sort it"),
        ("quotes.csv", "time,ticker,yes_bid,yes_ask\n1772000000,W-0,0.4", "not as many fields"),
        ("quotes.csv", "time,ticker,yes_bid,yes_ask\n1772000000,W-0,40,41", "between 0 and 1 dollar"),
        ("markets.csv", "ticker,symbol,close_time,floor_strike,result\nW,BTC,2026-03-04,1,yes", "zone"),
        ("markets.csv", "ticker,symbol,close_time,floor_strike,result\nW,BTC,1772000000,1,maybe", "maybe"),
        (
            "markets.csv",
            "ticker,symbol,close_time,floor_strike,result\nW,BTC,1772000000,,yes",
            "floor_strike '' is refused: not a decimal number",
        ),
        (
            "markets.csv",
            "ticker,symbol,close_time,floor_strike,cap_strike,result\nW,BTC,1772000000,1,2,yes",
            "name its strike_type",
        ),
        (
            "markets.csv",
            "ticker,symbol,close_time,floor_strike,cap_strike,strike_type,result\nW,BTC,1772000000,2,1,between,yes",
            "cap_strike '1' is refused: not above floor_strike",
        ),
        (
            "markets.csv",
            "ticker,symbol,close_time,floor_strike,strike_type,result\nW,BTC,1772000000,2,custom,yes",
            "strike_type 'custom' is refused: none of greater_or_equal, greater, less, less_or_equal, between",
        ),
        (
            "prices.csv",
            "time,symbol,price\n1772000000,BTC,abc",
            "price 'abc' is refused: not a decimal number",
        ),
        ("prices.csv", "time,symbol,price\n1772000000000,BTC,1", "not Unix seconds"),
        ("prices.csv", "time,symbol,price,price\n1772000000,BTC,1,1", "names price twice"),
        ("quotes.csv", "time,ticker,yes_bid,yes_ask\n1772000000,W-0,NaN,0.41", "yes_bid 'NaN' is refused"),
        ("quotes.csv", "when,ticker,yes_bid,yes_ask", "lacks time"),
        ("quotes.csv", "", "is empty"),
    ],
)
def test_a_broken_file_is_refused_with_its_name_and_line(
    walk: Path, tmp_path: Path, name: str, broken: str, told: str
):
    for each in walk.iterdir():
        (tmp_path / each.name).write_bytes(each.read_bytes())
    (tmp_path / name).write_text(broken and broken + "\n", encoding="utf-8")
    with pytest.raises(BadRecording) as refused:
        from_quotes(
            read_quotes(tmp_path),
            read_markets(tmp_path),
            {"average": AVERAGE},
            warmup_seconds=60,
            longest_price_age=5,
        )
    assert told in str(refused.value)
    assert name in str(refused.value)


def results_of(folder: Path) -> QuoteResults:
    return from_quotes(
        read_quotes(folder),
        read_markets(folder),
        {"average": AVERAGE},
        warmup_seconds=60,
        longest_price_age=5,
    )


def described(walk: Path, folder: Path, head: str, rows: list[str]) -> Path:
    for name in ("prices.csv", "quotes.csv"):
        (folder / name).write_bytes((walk / name).read_bytes())
    write(folder, "markets.csv", head, rows)
    return folder


def test_markets_of_every_kind_are_asked_about_as_what_they_are(walk: Path, tmp_path: Path):
    """From floor to cap is what is at least the floor and not more than the cap, and less is all that is below it."""
    with (walk / "markets.csv").open(encoding="utf-8") as lines:
        (first, *_) = csv.DictReader(lines)
    floor, cap, closes = first["floor_strike"], float(first["floor_strike"]) + 60, first["close_time"]
    said: dict[str, Observation] = {}
    for kind, low, high in (
        ("greater_or_equal", floor, ""),
        ("less", "", floor),
        ("between", floor, f"{cap:.2f}"),
        ("greater", f"{cap:.2f}", ""),
    ):
        folder = tmp_path / kind
        folder.mkdir()
        head = "ticker,symbol,close_time,floor_strike,cap_strike,strike_type,result"
        row = f"W-0,BTC,{closes},{low},{high},{kind},yes"
        said[kind] = results_of(described(walk, folder, head, [row])).observations[30]
    p = {kind: each.probabilities["average"] for kind, each in said.items()}
    assert p["less"] == pytest.approx(1 - p["greater_or_equal"], abs=1e-9)
    assert p["between"] == pytest.approx(p["greater_or_equal"] - p["greater"], abs=1e-9)
    assert 0 < p["between"] < p["greater_or_equal"]


def test_markets_whose_end_nobody_told_are_counted_and_in_no_figure(walk: Path, tmp_path: Path):
    head = "ticker,symbol,close_time,floor_strike,result"
    with (walk / "markets.csv").open(encoding="utf-8") as lines:
        rows = [line.strip() for line in lines][1:]
    whole = results_of(walk)
    untold = [rows[0].rpartition(",")[0] + ",", *rows[1:]]
    (tmp_path / "untold").mkdir()
    (tmp_path / "unlisted").mkdir()
    one = results_of(described(walk, tmp_path / "untold", head, untold))
    other = results_of(described(walk, tmp_path / "unlisted", head, rows[1:]))
    assert one.observations == other.observations == whole.observations[-len(one.observations) :]
    assert one.without_outcome == len(whole.observations) - len(one.observations) > 0
    assert other.without_outcome >= one.without_outcome
    assert whole.without_outcome == 0
    assert f"{one.without_outcome:,} more are of markets" in as_text(score([], (), one.without_outcome))


def test_a_table_that_a_spreadsheet_saved_is_read(walk: Path, tmp_path: Path):
    for each in walk.iterdir():
        (tmp_path / each.name).write_bytes(b"\xef\xbb\xbf" + each.read_bytes())
    assert results_of(tmp_path) == results_of(walk)


def test_a_crossed_book_has_no_middle():
    one = Quantity(100)
    crossed = BookView(bids=((Price(9000), one),), asks=((Price(1000), one),))
    assert middle(crossed) is None
    seeing = watch()
    seeing.look(market(), crossed, price(), NOW)
    assert seeing.forecasts == []


def recorded(session: Path, result: str) -> None:
    """Ten minutes of one market and its coin."""
    session.mkdir(parents=True)
    closes = OPENS + timedelta(minutes=15)
    frames = [{"id": 1, "type": "subscribed", "msg": {"channel": "orderbook_delta", "sid": 2}}]
    frames.append(
        {
            "type": "orderbook_snapshot",
            "sid": 2,
            "seq": 1,
            "msg": {
                "market_ticker": "W-0",
                "yes_dollars_fp": [["0.4000", "5.00"]],
                "no_dollars_fp": [["0.4000", "5.00"]],
            },
        }
    )
    stamps = [round((OPENS + timedelta(seconds=at)).timestamp() * 1e9) for at in range(600)]
    lines = [json.dumps({"recv_ns": stamps[0], "m": frame}) for frame in frames]
    for at in range(1, 600):
        body = {"market_ticker": "W-0", "yes_bid_dollars": "0.4000", "yes_ask_dollars": "0.6000"}
        message = {"type": "ticker", "sid": 1, "msg": body | {"ts_ms": stamps[at] // 1_000_000}}
        lines.append(json.dumps({"recv_ns": stamps[at], "m": message}))
    (session / "kalshi_ws.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with (session / "coinbase_matches.csv").open("w", newline="", encoding="utf-8") as output:
        rows = csv.writer(output)
        rows.writerow(["recv_ns", "exchange_ts", "price"])
        for at in range(600):
            stamp = (OPENS + timedelta(seconds=at)).isoformat()
            rows.writerow([stamps[at], stamp, f"{84_000 + 20 * (at // 10 % 2)}.00"])
    described = {
        "ticker": "W-0",
        "floor_strike": 84_005.0,
        "close_time": closes.isoformat(),
        "result": result,
    }
    (session / "session.json").write_text(json.dumps({"markets": [described]}), encoding="utf-8")


def test_a_recorded_session_is_scored_by_what_its_replay_saw(tmp_path: Path):
    recorded(tmp_path / "one", "yes")
    found = from_sessions([tmp_path], Config(), AVERAGE, {"average": AVERAGE})

    # Volatility is known after five minutes of prices, and the recording ends after ten.
    assert 18 <= len(found.observations) <= 21
    assert all(each.yes and each.probabilities[MARKET] == 0.5 for each in found.observations)
    assert found.without_outcome == 0


def test_what_two_recordings_have_in_common_counts_once_as_the_one_has_it_that_tells_its_end(tmp_path: Path):
    recorded(tmp_path / "cut" / "a", "")
    recorded(tmp_path / "whole" / "b", "yes")
    every = {"average": AVERAGE}
    cut, whole, copied = (
        from_sessions([tmp_path / name for name in names], Config(), AVERAGE, every)
        for names in (("cut",), ("whole",), ("cut", "whole"))
    )
    assert cut.observations == ()
    assert cut.without_outcome == len(whole.observations) > 0
    assert (copied.observations, copied.without_outcome) == (whole.observations, 0)
    assert once([*whole.observations, *copied.observations]) == list(whole.observations)


def test_a_result_that_its_own_settlement_value_or_another_recording_denies_scores_nothing(tmp_path: Path):
    recorded(tmp_path / "alone" / "a", "yes")
    description = tmp_path / "alone" / "a" / "session.json"
    said = json.loads(description.read_text(encoding="utf-8"))
    said["markets"][0]["settlement_value"] = 84_000.0
    description.write_text(json.dumps(said), encoding="utf-8")
    recorded(tmp_path / "two" / "a", "yes")
    recorded(tmp_path / "two" / "b", "no")
    recorded(tmp_path / "outvoted" / "b", "yes")
    for names, why in (
        (("alone",), "makes it no: one is wrong, which is not known: nothing is scored by it"),
        (("two",), "one recording tells yes and another no; its outcome counts as unknown"),
        (("alone", "outvoted"), "makes it no: one is wrong"),
    ):
        found = from_sessions([tmp_path / name for name in names], Config(), AVERAGE, {"average": AVERAGE})
        assert found.observations == ()
        assert found.without_outcome > 0
        assert all(each.result is None for each in found.trades)
        assert any(why in each for each in found.warnings)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "name at least one PATH, or say --parity"),
        (("--parity", "--day", "yesterday"), "write 2026-11-01"),
    ],
)
def test_a_score_of_nothing_is_refused_with_what_to_write(tmp_path: Path, words: tuple[str, ...], told: str):
    command = [sys.executable, "-m", "recio", "score", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode != 0
    assert told in done.stderr
