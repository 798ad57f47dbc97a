"""A real session served at sixty times its speed: all of it arrives, and the books are the recorded ones."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any

import pytest

from recio.exchange_sim.market.series import Timetable
from recio.exchange_sim.recorded.frames import BookDelta, BookSnapshot
from recio.exchange_sim.recorded.inspection import open_recording
from recio.exchange_sim.recorded.playback import Playback
from recio.exchange_sim.wire.rest.market_json import orderbook_json
from recio.replay.session_files import clock_offset_ns

pytestmark = pytest.mark.recorded

NAME = "kalshi_btc15m_ws_dev"
SESSION = "20260513T173715Z"
BOOKS = ("orderbook_snapshot", "orderbook_delta")
Levels = dict[tuple[str, str, str], int]


@pytest.fixture
def folder() -> Path:
    root = Path(os.environ.get("RECIO_DATA", Path(__file__).parents[3] / "shared" / "data"))
    found = root / NAME / SESSION
    if not found.is_dir():
        pytest.skip(f"no recorded session at {found}: set RECIO_DATA")
    return found


def hundredths(text: str) -> int:
    whole, _, part = text.partition(".")
    size = int(whole.lstrip("-")) * 100 + int(part)
    return -size if text.startswith("-") else size


def apply(levels: Levels, kind: str, body: Any) -> None:
    ticker = body["market_ticker"]
    if kind == "orderbook_delta":
        place = (ticker, body["side"], body["price_dollars"])
        levels[place] = levels.get(place, 0) + hundredths(body["delta_fp"])
        if not levels[place]:
            del levels[place]
        return
    for place in [place for place in levels if place[0] == ticker]:
        del levels[place]
    for side in ("yes", "no"):
        for price, size in body.get(f"{side}_dollars_fp", []):
            levels[ticker, side, price] = hundredths(size)


def recorded(folder: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    with gzip.open(folder / "kalshi_ws.jsonl.gz") as stream:
        for raw in stream:
            message = json.loads(raw)["m"]
            if message["type"] in BOOKS:
                found["book"].append((message["type"], message["msg"]))
            elif message["type"] == "ticker":
                found["ticker"].append(message["msg"])
    return found


async def served(client: Any, tickers: list[str], books: int) -> dict[str, list[Any]]:
    """Everything on two channels until so many book messages after the first ones have come."""
    socket = await client.socket(max_msg_size=0)
    params = {"channels": ["orderbook_delta", "ticker"], "market_tickers": tickers}
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": params})
    found: dict[str, list[Any]] = defaultdict(list)
    expected = 1
    while len(found["book"]) < books + len(tickers):
        message = json.loads((await asyncio.wait_for(socket.receive(), 30)).data)
        if message["type"] in BOOKS:
            assert message["seq"] == expected
            expected += 1
            found["book"].append((message["type"], message["msg"]))
        elif message["type"] == "ticker":
            found["ticker"].append(message["msg"])
    return found


async def test_a_session_arrives_whole_and_builds_the_recorded_books(start_exchange, folder: Path) -> None:
    known = recorded(folder)
    tickers = [row["ticker"] for row in json.loads((folder / "session.json").read_text())["markets"]]
    client = await start_exchange(recording=folder, speed=60.0, recording_lead_seconds=2.0, align=False)
    found = await served(client, tickers, len(known["book"]))
    first = found["book"][: len(tickers)]
    assert {kind for kind, _ in first} == {"orderbook_snapshot"}
    arrived = found["book"][len(tickers) :]
    assert [body for _, body in arrived] == [body for _, body in known["book"]]
    assert found["ticker"] == known["ticker"][: len(found["ticker"])]
    assert len(known["ticker"]) - len(found["ticker"]) <= 3
    looked_at = set(Random(5).sample(range(len(arrived)), 100)) | {len(arrived) - 1}
    theirs: Levels = {}
    ours: Levels = {}
    for number, (frame, line) in enumerate(zip(arrived, known["book"], strict=True)):
        apply(theirs, *frame)
        apply(ours, *line)
        if number in looked_at:
            assert theirs == ours
    assert ours


async def test_the_book_that_rest_and_snapshots_show_is_the_recorded_one(folder: Path) -> None:
    """At a hundred instants the replayed book, level by level, is the one put together from the lines."""
    recording = open_recording(folder)
    playback = Playback(
        recording,
        instance="test",
        now_ms=recording.begin_ms - 1_000,
        timetable=Timetable(),
        balance=0,
        user_id="user",
    )
    moments = [at for at, seen in recording.messages() if isinstance(seen, BookDelta | BookSnapshot)]
    lines = recorded(folder)["book"]
    ours: Levels = {}
    done = 0
    for place in sorted(Random(7).sample(range(len(moments)), 100)):
        at = moments[place]
        assert playback.advance(at, most_steps=10**9)
        while done < len(moments) and moments[done] <= at:
            apply(ours, *lines[done])
            done += 1
        shown: Levels = {}
        for ticker, market in playback.listings.markets.items():
            apply(shown, "orderbook_snapshot", {"market_ticker": ticker, **_wire(orderbook_json(market, 0))})
        assert shown == ours
        playback.venue.collect()


def test_an_offline_replay_hears_each_message_after_the_exchange_serves_it_and_within_a_second(
    folder: Path,
) -> None:
    late = open_recording(folder).offset_ns - clock_offset_ns(folder / "kalshi_ws.jsonl.gz")
    assert 0 <= late < 1_000_000_000


def _wire(book: Any) -> dict[str, Any]:
    return {f"{name}_fp": levels for name, levels in book.items()}
