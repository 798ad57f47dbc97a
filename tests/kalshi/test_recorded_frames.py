"""Recorded sessions through the subscriptions of a socket: every message is in order and every book stays whole."""

from __future__ import annotations

import json
import os
from collections import Counter

import pytest

from recio.kalshi.frames import Subscribed, parse_frame
from recio.kalshi.subscriptions import BOOKS, BookChanged, Subscriptions
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen
from recio.units import Ticker
from tests.kalshi.recordings import DATA, lines, recorded

pytestmark = pytest.mark.recorded
FOLDER = DATA / "kalshi_btc15m_ws_dev"
QUICK = ("20260513T164021Z",)
"""Every session is replayed with RECIO_SLOW=1; one is enough to notice a change."""
ALL = tuple(sorted(path.name for path in FOLDER.iterdir() if path.is_dir())) if FOLDER.exists() else QUICK


def begin(tickers: set[Ticker], sid: int) -> Subscriptions:
    """The recorder subscribed anew for each window, and wrote only the first confirmation down."""
    subscriptions = Subscriptions(indexes=())
    subscriptions.want_books(tickers)
    subscriptions.feed(Subscribed(channel=BOOKS, sid=sid))
    return subscriptions


@pytest.mark.timeout(300)
@pytest.mark.parametrize("session", ALL if os.environ.get("RECIO_SLOW") else QUICK)
def test_a_recorded_session_is_replayed_without_a_gap(session: str):
    subscriptions = begin(set(), 2)
    found = Counter[str]()
    for line in lines(recorded("kalshi_btc15m_ws_dev", session, "kalshi_ws.jsonl.gz")):
        frame = parse_frame(json.dumps(json.loads(line)["m"]))
        if isinstance(frame, BookSnapshotSeen) and frame.seq == 1:
            subscriptions = begin({frame.ticker}, frame.sid)
            found["windows"] += 1
        outcome, _ = subscriptions.feed(frame)
        if isinstance(frame, BookDeltaSeen | BookSnapshotSeen):
            found[type(outcome).__name__] += 1
            found["book messages"] += 1
            assert outcome == BookChanged(frame.ticker), frame
    assert found["windows"] > 1
    assert found["BookChanged"] == found["book messages"] > 30_000


def test_the_recorded_ladder_of_the_hourly_series_is_whole():
    subscriptions = begin(set(), 1)
    path = recorded("kalshi_wire_samples", "ws_frames_KXBTC_20260418.jsonl")
    frames = [parse_frame(json.loads(line)["raw"]) for line in lines(path)]
    books = [frame for frame in frames if isinstance(frame, BookDeltaSeen | BookSnapshotSeen)]
    subscriptions = begin({frame.ticker for frame in books}, 1)
    assert [subscriptions.feed(frame)[0] for frame in books] == [BookChanged(frame.ticker) for frame in books]
    assert len(subscriptions.books.usable) == 8
