"""Every recorded kind of WebSocket message against the exchange's own: the same keys, JSON types and text formats."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

DATA = Path(os.environ.get("RECIO_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
DEV_LINES = 20_000

FORMATS = (
    ("uuid", re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")),
    ("instant", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,5}[1-9])?Z")),
    ("price", re.compile(r"[01]\.\d{4}")),
    ("count", re.compile(r"-?\d+\.\d\d")),
    ("ticker", re.compile(r"KX[A-Z0-9]+(-[A-Z0-9.]+)+")),
    ("word", re.compile(r"[a-z][a-z0-9_]*")),
)

LATER = "ts_ms came to orderbook_delta after April 2026 (kalshi_api.md 3.5 has it as optional; recorded in May and June)"

Shape = dict[str, set[str]]


def production_fixtures() -> Iterator[Any]:
    for line in (DATA / "kalshi_wire_samples" / "ws_frames_KXBTC_20260418.jsonl").read_text().splitlines():
        yield json.loads(json.loads(line)["raw"])


def demo() -> Iterator[Any]:
    for path in sorted((DATA / "kalshi_demo_wire").glob("ws__*.jsonl")):
        yield from (json.loads(line) for line in path.read_text().splitlines() if line.strip())


def windows() -> Iterator[Any]:
    path = min((DATA / "kalshi_btc15m_ws_dev").glob("2026*")) / "kalshi_ws.jsonl.gz"
    with gzip.open(path, "rt") as stream:
        for line, _ in zip(stream, range(DEV_LINES), strict=False):
            yield json.loads(line)["m"]


def named(text: str) -> str:
    return next((name for name, pattern in FORMATS if pattern.fullmatch(text)), "prose")


def describe(value: Any, path: str, shape: Shape) -> None:
    """Every path in a message with the formats that its values have."""
    if isinstance(value, dict):
        shape.setdefault(path, set()).add("object")
        for key, one in value.items():
            describe(one, f"{path}.{key}", shape)
    elif isinstance(value, list):
        shape.setdefault(path, set()).add("array")
        pairs = path.endswith("_fp")
        for place, one in enumerate(value):
            describe(one, f"{path}[]" if pairs else f"{path}[{place}]", shape)
    elif isinstance(value, str):
        shape.setdefault(path, set()).add(named(value))
    else:
        shape.setdefault(path, set()).add(type(value).__name__)


def shapes(messages: Iterable[Any]) -> dict[str, Shape]:
    found: dict[str, Shape] = {}
    for message in messages:
        describe(message, "", found.setdefault(message["type"], {}))
    return found


async def conversation(client: Any) -> list[Any]:
    """What the exchange says to a client that asks for all that the recorded clients asked for."""
    ticker = await client.open_ticker()
    socket = await client.socket()
    commands: list[dict[str, Any]] = [
        {
            "channels": ["ticker", "orderbook_delta"],
            "market_tickers": [ticker],
            "send_initial_snapshot": True,
        },
        {"channels": ["nothing"]},
    ]
    for number, params in enumerate(commands, start=1):
        await socket.send_json({"id": number, "cmd": "subscribe", "params": params})
    heard: list[Any] = []
    while sum(message["type"] == "ticker" for message in heard) < 30 or len(heard) < 1_500:
        heard.append(await asyncio.wait_for(socket.receive_json(), 10))
    return heard


CLOCKS = dict.fromkeys(
    (("orderbook_snapshot", ".msg.clock"), ("orderbook_delta", ".msg.clock")), "on books since 2026-10-22"
)


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("source", "folder", "kinds", "allowed"),
    [
        pytest.param(
            production_fixtures,
            "kalshi_wire_samples",
            {"subscribed", "orderbook_snapshot", "orderbook_delta", "error"},
            {("orderbook_delta", ".msg.ts_ms"): LATER},
            id="production, April 2026",
        ),
        pytest.param(
            demo,
            "kalshi_demo_wire",
            {"subscribed", "orderbook_snapshot", "orderbook_delta"},
            {},
            id="demo, June 2026",
        ),
        pytest.param(
            windows,
            "kalshi_btc15m_ws_dev",
            {"subscribed", "orderbook_snapshot", "orderbook_delta", "ticker"},
            {},
            id="production, May 2026",
        ),
    ],
)
async def test_the_exchanges_messages_have_the_recorded_shape(
    start_exchange,
    source: Callable[[], Iterator[Any]],
    folder: str,
    kinds: set[str],
    allowed: dict[tuple[str, str], str],
) -> None:
    if not (DATA / folder).exists():
        pytest.skip(f"no recorded messages at {DATA / folder}")
    recorded = shapes(source())
    assert set(recorded) == kinds
    client = await start_exchange(speed=10.0)
    own = shapes(await conversation(client))
    different = {
        (kind, path): (recorded[kind].get(path), own[kind].get(path))
        for kind in kinds
        for path in recorded[kind].keys() | own[kind].keys()
        if recorded[kind].get(path) != own[kind].get(path) and (kind, path) not in allowed | CLOCKS
    }
    assert not different
    assert all(own[kind].get(path) != recorded[kind].get(path) for kind, path in allowed)


async def test_the_recorded_error_is_word_for_word_the_exchanges(start_exchange) -> None:
    if not (DATA / "kalshi_wire_samples").exists():
        pytest.skip(f"no recorded messages at {DATA / 'kalshi_wire_samples'}")
    recorded = {json.dumps(one["msg"]) for one in production_fixtures() if one["type"] == "error"}
    client = await start_exchange(quiet_traders=True)
    socket = await client.socket()
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": {"channels": ["nothing"]}})
    assert recorded == {json.dumps((await socket.receive_json())["msg"])}
