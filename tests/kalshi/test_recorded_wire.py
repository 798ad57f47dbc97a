"""What the venue really sent over its socket: every recorded frame is read, and no value of it is lost or changed."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from recio.kalshi.frame_kinds import LifecycleSeen
from recio.kalshi.frames import FrameError, Passed, parse_frame
from tests.kalshi.frame_judge import differences
from tests.kalshi.recordings import DATA, lines, recorded

pytestmark = pytest.mark.recorded
CLASSES = {
    "subscribed": "Subscribed",
    "orderbook_snapshot": "BookSnapshotSeen",
    "orderbook_delta": "BookDeltaSeen",
    "ticker": "TickerSeen",
    "market_lifecycle_v2": "LifecycleSeen",
}
QUICK = ("20260513T154206Z",)
"""Every session is read with RECIO_SLOW=1; one is enough to notice a change."""
FOLDER = DATA / "kalshi_btc15m_ws_dev"
ALL = tuple(sorted(path.name for path in FOLDER.iterdir() if path.is_dir())) if FOLDER.exists() else QUICK


@pytest.mark.timeout(600)
@pytest.mark.parametrize("session", ALL if os.environ.get("RECIO_SLOW") else QUICK)
def test_no_value_of_a_recorded_session_is_lost_or_changed(session: str):
    said, read = Counter[str](), Counter[str]()
    for line in lines(recorded("kalshi_btc15m_ws_dev", session, "kalshi_ws.jsonl.gz")):
        raw = json.dumps(json.loads(line)["m"])
        frame = parse_frame(raw)
        assert differences(frame, raw) == []
        said[CLASSES[json.loads(raw)["type"]]] += 1
        read[type(frame).__name__] += 1
    assert read == said
    assert said["BookDeltaSeen"] > 30_000


def test_no_value_of_the_hourly_series_is_lost_or_changed():
    path = recorded("kalshi_wire_samples", "ws_frames_KXBTC_20260418.jsonl")
    raws = [json.loads(line)["raw"] for line in lines(path)]
    assert [differences(parse_frame(raw), raw) for raw in raws] == [[]] * len(raws)
    found = Counter(type(parse_frame(raw)).__name__ for raw in raws)
    assert found == {"Subscribed": 2, "BookSnapshotSeen": 8, "BookDeltaSeen": 61, "VenueError": 3}


def test_no_value_of_the_demo_venue_is_lost_or_changed():
    folder = recorded("kalshi_demo_wire")
    raws = [line for path in sorted(folder.glob("ws__*.jsonl")) for line in lines(path)]
    frames = [parse_frame(raw) for raw in raws]
    assert [differences(frame, raw) for frame, raw in zip(frames, raws, strict=True)] == [[]] * len(raws)
    assert Counter(type(frame).__name__ for frame in frames) == {
        "Subscribed": 4,
        "BookSnapshotSeen": 2,
        "BookDeltaSeen": 6,
    }
    assert not any(isinstance(frame, Passed) for frame in frames)


def test_every_recorded_lifecycle_message_names_its_market():
    path = recorded("kalshi_btcd_20250803", "market_lifecycle_ws_20250801.json.gz")
    bodies = [each["data"] for each in json.loads(gzip.decompress(path.read_bytes()))["events"]]
    for number, body in enumerate(bodies, start=1):
        frame = parse_frame(json.dumps({"type": "market_lifecycle_v2", "sid": 1, "seq": number, "msg": body}))
        assert isinstance(frame, LifecycleSeen)
        assert (frame.ticker, frame.kind, frame.seq) == (body["market_ticker"], body["event_type"], number)
    assert len(bodies) == 1_000


def test_the_ticker_bodies_of_2025_are_refused_by_the_field_they_lack():
    """Their prices are whole cents; none of them may pass for a price of today."""
    path = recorded("kalshi_btcd_20250803", "ticker_ws_20250803.json.gz")
    bodies = list(bodies_in(json.loads(gzip.decompress(path.read_bytes()))))
    assert len(bodies) == 1_000
    for body in bodies:
        with pytest.raises(FrameError, match="yes_bid_dollars"):
            parse_frame(json.dumps({"type": "ticker", "sid": 1, "msg": body}))


def bodies_in(found: Any) -> Iterator[dict[str, Any]]:
    """Every ticker body, however deep the recorder put it."""
    if isinstance(found, dict):
        if "market_ticker" in found:
            yield found
            return
        found = list(found.values())
    if isinstance(found, list):
        for each in found:
            yield from bodies_in(each)
