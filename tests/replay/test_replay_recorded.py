"""The integrity of real recorded sessions; skipped, and said so, where they are absent."""

import os
from pathlib import Path

import pytest

from recio.replay.report import as_json
from recio.replay.run import replay
from recio.settings.config import Config

ROOT = Path(__file__).parents[2]
SESSIONS = ("20260511T121732Z", "20260513T125943Z", "20260513T133313Z")


def recorded(name: str) -> Path:
    data = Path(os.environ.get("RECIO_DATA", ROOT.parent / "shared" / "data"))
    path = data / "kalshi_btc15m_ws_dev" / name
    if not path.exists():
        pytest.skip(f"no recorded session at {path}: set RECIO_DATA to the folder of recordings")
    return path


@pytest.mark.recorded
def test_recorded_sessions_have_no_gaps_and_their_tickers_agree_with_the_rebuilt_books():
    found = as_json(replay([recorded(name) for name in SESSIONS], Config()))

    assert found["messages"] == 195_540
    assert (found["sequence_gaps"], found["negative_levels"], found["impossible_prices"]) == (0, 0, 0)
    assert found["deltas_without_book"] == 0
    assert found["ticker_checks"] + found["ticker_unchecked"] == 678 + 860 + 931
    assert found["ticker_unchecked"] <= 12
    assert found["ticker_agreements"] >= 0.999 * found["ticker_checks"]
    assert found["settlement_checks"]["agree"] == found["settlement_checks"]["checked"] == 7
    assert found["proxy_checks"]["agree"] == found["proxy_checks"]["checked"] == 2
