"""Rules texts: what we price is understood, everything else is named and refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from recio.exchange_sim.market.descriptions import rules_primary
from recio.exchange_sim.market.markets import new_event
from recio.exchange_sim.market.series import CATALOGUE, Kind, SeriesSpec
from recio.messages.markets import StrikeType
from recio.rules.market.contract_terms import why_untradable
from tests.kalshi.recordings import recorded

NOON = datetime(2026, 10, 8, 16, 0, tzinfo=UTC)
"""Noon in New York, daylight saving time."""
LADDER = (
    "If the simple average of the sixty seconds of CF Benchmarks' Bitcoin Real-Time Index (BRTI) before"
    " 12 PM EDT is above 81999.99 at 12 PM EDT on Oct 8, 2026, then the market resolves to Yes."
)
RANGE = LADDER.replace("above 81999.99", "between 81500-81999.99")
TAIL = LADDER.replace("above 81999.99", "below 74200")
WINDOW = (
    "If the simple average of the sixty seconds of CF Benchmarks' BRTI before 12:00 PM EDT on Oct 8, 2026 is at"
    " least the simple average of the sixty seconds of CF Benchmarks' BRTI before 11:45 AM EDT on October 8, 2026,"
    " then the market resolves to Yes."
)


def judged(
    text: str,
    kind: StrikeType = StrikeType.GREATER,
    *,
    index: str = "BRTI",
    floor: str | None = "81999.99",
    cap: str | None = None,
    close: datetime = NOON,
) -> str:
    return why_untradable(
        text,
        index_id=index,
        strike_type=kind,
        floor=None if floor is None else Decimal(floor),
        cap=None if cap is None else Decimal(cap),
        open_time=close - timedelta(minutes=15),
        close_time=close,
    )


def test_the_known_wordings_are_understood():
    assert judged(LADDER) == ""
    assert judged(RANGE, StrikeType.BETWEEN, floor="81500", cap="81999.99") == ""
    assert judged(TAIL, StrikeType.LESS, floor=None, cap="74200") == ""
    assert judged(WINDOW, StrikeType.GREATER_OR_EQUAL, floor="81234.56") == ""
    assert judged(WINDOW, StrikeType.GREATER_OR_EQUAL, floor=None) == ""


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ("ETHUSD_RTI", "Ethereum Real-Time Index (ERTI)"),
        ("ETHUSD_RTI", "ETHUSDRTI"),
        ("XRPUSD_RTI", "Ripple-Dollar Real Time Index (XRPUSD_RTI)"),
        ("SOLUSD_RTI", "SOLUSD_RTI"),
    ],
)
def test_other_coins_go_by_their_own_index(index: str, words: str):
    text = LADDER.replace("Bitcoin Real-Time Index (BRTI)", words)
    assert judged(text, index=index) == ""
    assert "not BRTI" in judged(text)


def test_dollar_signs_and_commas_do_not_hide_the_number():
    assert judged(LADDER.replace("81999.99", "$81,999.99")) == ""
    assert "81,999.98" in judged(LADDER.replace("81999.99", "$81,999.98"))


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        ("not known", LADDER.replace("sixty seconds", "thirty seconds")),
        ("not known", LADDER.replace("simple average", "trimmed average")),
        ("not known", LADDER.replace("resolves to Yes", "resolves to No")),
        ("not known", LADDER + " Unless it rains."),
        ("not known", "If Bitcoin touches 82000 before 12 PM EDT, then the market resolves to Yes."),
        ("not known", ""),
        ("BRRNY", LADDER.replace("(BRTI)", "(BRRNY)")),
        ("at least", LADDER.replace("above", "at least")),
        ("81999.98", LADDER.replace("81999.99", "81999.98")),
        ("1 PM EDT", LADDER.replace("12 PM", "1 PM")),
        ("12 AM EDT", LADDER.replace("at 12 PM", "at 12 AM")),
        ("Oct 9, 2026", LADDER.replace("Oct 8", "Oct 9")),
        ("Octo 8", LADDER.replace("Oct 8", "Octo 8")),
        ("Octopus 8", LADDER.replace("Oct 8", "Octopus 8")),
        ("not known", LADDER.replace("Oct 8", "O 8")),
        ("Oct 8, 2025", LADDER.replace("2026", "2025")),
        ("12 PM EST", LADDER.replace("12 PM EDT", "12 PM EST")),
        ("12:00:30 PM EDT", LADDER.replace("12 PM EDT is", "12:00:30 PM EDT is")),
        ("not known", LADDER.replace("81999.99", "8,1999.99")),
        ("not known", LADDER.replace("above", "not above")),
        ("not known", LADDER.replace("is above", "touches")),
        ("not known", LADDER.replace("sixty seconds", "sixty seconds (excluding outliers)")),
        ("not known", LADDER.replace("resolves to Yes", "pays the difference")),
    ],
)
def test_anything_else_is_refused_by_what_it_says(said: str, changed: str):
    assert said in judged(changed)


@pytest.mark.parametrize("kind", [each for each in StrikeType if each is not StrikeType.GREATER])
def test_the_comparison_must_be_the_markets_own(kind: StrikeType):
    assert "above" in judged(LADDER, kind, floor="81999.99", cap="81999.99")
    assert "at least" in judged(WINDOW, StrikeType.GREATER)


def test_both_ends_of_a_range_must_be_the_markets_own():
    assert "81500" in judged(RANGE, StrikeType.BETWEEN, floor="81400", cap="81999.99")
    assert "81999.99" in judged(RANGE, StrikeType.BETWEEN, floor="81500", cap="82000")
    assert judged(RANGE.replace("-8", " and 8"), StrikeType.BETWEEN, floor="81500", cap="81999.99") == ""


def test_a_window_with_a_named_target_must_name_the_strike():
    named = (
        "If the simple average of the sixty seconds of CF Benchmarks' Bitcoin Real-Time Index (BRTI) before"
        " 12:00 PM EDT on Oct 8, 2026 is at least 84000.12, then the market resolves to Yes."
    )
    assert judged(named, StrikeType.GREATER_OR_EQUAL, floor="84000.12") == ""
    assert "84000.12" in judged(named, StrikeType.GREATER_OR_EQUAL, floor="84000.13")


def test_winter_time_is_told_from_summer_time():
    winter = datetime(2026, 12, 8, 17, 0, tzinfo=UTC)
    text = LADDER.replace("EDT", "EST").replace("Oct", "Dec")
    assert judged(text, close=winter) == ""
    assert "EDT" in judged(LADDER.replace("Oct", "Dec"), close=winter)
    assert judged(text.replace("EST", "ET"), close=winter) == ""


@pytest.mark.parametrize("text", ["x" * 100_000, LADDER.replace("81999.99", "9" * 100_000), "If " * 50_000])
def test_a_refusal_quotes_little_of_a_long_text(text: str):
    assert 0 < len(judged(text)) < 200


@pytest.mark.parametrize("spec", CATALOGUE.values(), ids=lambda spec: spec.ticker)
def test_every_text_of_the_exchange_that_runs_here_is_understood(spec: SeriesSpec):
    begin = int(NOON.timestamp() * 1000)
    level = round(spec.asset.level * spec.asset.scale)
    for market in new_event(spec, begin, begin, level):
        targets = (None, level) if spec.kind is Kind.WINDOW else (market.strike,)
        for market.strike in targets:
            said = why_untradable(
                rules_primary(market),
                index_id=spec.asset.index_id,
                strike_type=StrikeType(market.strike_type.value),
                floor=None if market.strike is None else Decimal(market.strike).scaleb(-spec.asset.digits),
                cap=None if market.cap is None else Decimal(market.cap).scaleb(-spec.asset.digits),
                open_time=datetime.fromtimestamp(market.open_ms / 1000, UTC),
                close_time=datetime.fromtimestamp(market.close_ms / 1000, UTC),
            )
            assert said == "", rules_primary(market)


def test_a_window_must_begin_where_the_market_opens():
    assert "11:30" in judged(WINDOW.replace("11:45", "11:30"), StrikeType.GREATER_OR_EQUAL)


def test_a_missing_strike_is_not_understood_where_the_text_names_one():
    assert "None" in judged(LADDER, floor=None)


def recorded_markets() -> Iterator[dict[str, Any]]:
    for path in sorted(recorded("kalshi_btcd_20250803").glob("rest_event_*.json.gz")):
        body = json.loads(gzip.decompress(path.read_bytes()), parse_float=Decimal)
        yield from _markets(body)


def _markets(body: Any) -> Iterator[dict[str, Any]]:
    if isinstance(body, dict):
        if "rules_primary" in body:
            yield body
        for value in body.values():
            yield from _markets(value)
    elif isinstance(body, list):
        for value in body:
            yield from _markets(value)


@pytest.mark.recorded
def test_every_recorded_ladder_is_understood():
    understood = 0
    for market in recorded_markets():
        close = datetime.fromisoformat(market["close_time"])
        said = why_untradable(
            market["rules_primary"],
            index_id="BRTI",
            strike_type=StrikeType(market["strike_type"]),
            floor=Decimal(str(market["floor_strike"])) if market.get("floor_strike") else None,
            cap=Decimal(str(market["cap_strike"])) if market.get("cap_strike") else None,
            open_time=close - timedelta(hours=1),
            close_time=close,
        )
        assert said == "", market["ticker"]
        understood += 1
    assert understood > 800
