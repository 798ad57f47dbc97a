"""Builds small recordings in the format of the real ones: one window of a quarter of an hour, second by second."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recio.replay.report import as_json
from recio.replay.run import replay
from recio.settings.config import Config
from tests.builders import AGAIN_AND_AGAIN

OPENS = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
TICKER = "KXBTC15M-26JAN050715-15"
STRIKE = "100000.00"
BOOK_SID = 2


@dataclass
class Recording:
    """`at` is seconds after the window opened, in the venue's time; the recorder's clock may be off."""

    folder: Path
    clock_offset: float = 0.25
    frames: list[bytes] = field(default_factory=list)
    matches: list[str] = field(default_factory=list)
    markets: list[dict[str, Any]] = field(default_factory=list)
    seq: int = 0

    def moment(self, at: float) -> datetime:
        return OPENS + timedelta(seconds=at)

    def ms(self, at: float) -> int:
        return round(self.moment(at).timestamp() * 1000)

    def recv_ns(self, at: float) -> int:
        return self.ms(at + self.clock_offset) * 1_000_000

    def frame(self, at: float, message: dict[str, Any]) -> None:
        self.frames.append(json.dumps({"recv_ns": self.recv_ns(at), "m": message}).encode() + b"\n")

    def subscribed(self, at: float, channel: str = "orderbook_delta", sid: int = BOOK_SID) -> None:
        if sid == BOOK_SID:
            self.seq = 0
        self.frame(at, {"id": 1, "type": "subscribed", "msg": {"channel": channel, "sid": sid}})

    def _sequenced(self, at: float, kind: str, msg: dict[str, Any], skip: int) -> None:
        self.seq += 1 + skip
        self.frame(at, {"type": kind, "sid": BOOK_SID, "seq": self.seq, "msg": msg})

    def snapshot(
        self, at: float, yes: dict[str, str], no: dict[str, str], *, ticker: str = TICKER, skip: int = 0
    ) -> None:
        msg = {
            "market_ticker": ticker,
            "yes_dollars_fp": list(map(list, yes.items())),
            "no_dollars_fp": list(map(list, no.items())),
        }
        self._sequenced(at, "orderbook_snapshot", msg, skip)

    def delta(
        self,
        at: float,
        side: str,
        price: str,
        change: str,
        *,
        ticker: str = TICKER,
        skip: int = 0,
        made_at: float | None = None,
    ) -> None:
        msg = {
            "market_ticker": ticker,
            "price_dollars": price,
            "delta_fp": change,
            "side": side,
            "ts_ms": self.ms(at if made_at is None else made_at),
        }
        self._sequenced(at, "orderbook_delta", msg, skip)

    def ticker(
        self, at: float, bid: str, ask: str, *, made_at: float | None = None, ticker: str = TICKER
    ) -> None:
        msg = {
            "market_ticker": ticker,
            "yes_bid_dollars": bid,
            "yes_ask_dollars": ask,
            "ts_ms": self.ms(at if made_at is None else made_at),
        }
        self.frame(at, {"type": "ticker", "sid": 1, "msg": msg})

    def trade(self, at: float, price: str) -> None:
        stamp = self.moment(at).isoformat()
        self.matches.append(f"{self.recv_ns(at)},{stamp},{price},{len(self.matches) + 1},match\n")

    def market(
        self,
        ticker: str = TICKER,
        *,
        closes: float = 900.0,
        strike: str | None = STRIKE,
        result: str | None = None,
        value: str | None = None,
    ) -> None:
        self.markets.append(
            {
                "ticker": ticker,
                "floor_strike": None if strike is None else float(strike),
                "close_time": self.moment(closes).isoformat().replace("+00:00", "Z"),
                "result": result,
                "settlement_value": None if value is None else float(value),
            }
        )

    def write(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "kalshi_ws.jsonl.gz").write_bytes(gzip.compress(b"".join(self.frames)))
        if self.matches:
            rows = "recv_ns,exchange_ts,price,trade_id,type\n" + "".join(self.matches)
            (self.folder / "coinbase_matches.csv").write_text(rows)
        if self.markets:
            (self.folder / "session.json").write_text(json.dumps({"tag": "t", "markets": self.markets}))
        return self.folder

    def replayed(self, config: Config | None = None) -> dict[str, Any]:
        return as_json(replay([self.write()], config or AGAIN_AND_AGAIN))


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path / "one")


@pytest.fixture
def opened(recording: Recording) -> Recording:
    """A recording whose book is there and whose ask is too dear to buy: YES 0.10 bid, 0.95 asked."""
    recording.subscribed(0.0)
    recording.snapshot(0.0, {"0.1000": "50.00"}, {"0.0500": "50.00"})
    return recording


def spot(recording: Recording, until: int, *, level: int = 100_200, since: int = 0) -> None:
    """A trade a second that swings by 20 every ten: the model gives YES about nine in ten at the start."""
    for second in range(since, until):
        recording.trade(second, f"{level + 20 * (second // 10 % 2)}.00")


@pytest.fixture
def spot_trades():
    return spot
