"""Tapes of the recorded 15-minute sessions in RECIO_DATA, and of the public trades of other days; nothing of them is kept."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.realism.tapes import Change, Spot, Take, Tape

SESSIONS = "kalshi_btc15m_ws_dev"
TRADES = "kalshi_btc15m_trades_20260427/trades_dev.csv.gz"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Market(msgspec.Struct):
    ticker: str
    close_time: str
    floor_strike: float
    result: str


class _Description(msgspec.Struct):
    markets: list[_Market]


class _Body(msgspec.Struct):
    market_ticker: str = ""
    price_dollars: str = ""
    delta_fp: str = ""
    side: str = ""
    ts: str | int = ""
    yes_dollars_fp: list[tuple[str, str]] = []
    no_dollars_fp: list[tuple[str, str]] = []


class _Frame(msgspec.Struct):
    type: str
    msg: _Body = msgspec.field(default_factory=_Body)


class _Line(msgspec.Struct):
    m: _Frame


def tapes(data: Path) -> Iterator[Tape]:
    """Every recorded market, session by session; one that two sessions saw comes twice, each with its part."""
    for folder in sorted(path for path in (data / SESSIONS).iterdir() if path.is_dir()):
        yield from _session(folder)


def public_takes(data: Path) -> Iterator[Tape]:
    """Windows of another half a day, of which all public trades are known and nothing else."""
    windows: dict[str, list[Take]] = {}
    with gzip.open(data / TRADES, "rt", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            windows.setdefault(row["ticker"], []).append(
                Take(
                    _ms(row["created_time"]),
                    _price(row["yes_price_dollars"]),
                    _size(row["count_fp"]),
                    row["taker_side"] == "yes",
                )
            )
    for ticker, takes in windows.items():
        in_order = sorted(takes, key=lambda take: take.at_ms)
        yield Tape(ticker=ticker, close_ms=0, strike=0.0, yes=None, takes=in_order)


def _session(folder: Path) -> list[Tape]:
    described = msgspec.json.decode((folder / "session.json").read_bytes(), type=_Description)
    found = {
        market.ticker: Tape(
            ticker=market.ticker,
            close_ms=round(_ms(market.close_time)),
            strike=market.floor_strike,
            yes={"yes": True, "no": False}.get(market.result),
        )
        for market in described.markets
    }
    _read_frames(folder / "kalshi_ws.jsonl.gz", found)
    spot = _spot(folder / "coinbase_matches.csv.gz")
    for tape in found.values():
        tape.spot = spot
    return [tape for tape in found.values() if tape.changes]


def _read_frames(path: Path, found: dict[str, Tape]) -> None:
    """A snapshot in the middle tells what is known; the empty one at the end is not of the market's life."""
    decode = msgspec.json.Decoder(_Line).decode
    snapshots: dict[str, list[Change]] = {}
    with gzip.open(path, "rb") as lines:
        for line in lines:
            frame = decode(line).m
            tape = found.get(frame.msg.market_ticker)
            if tape is None:
                continue
            if frame.type == "orderbook_snapshot" and not tape.changes:
                snapshots[tape.ticker] = _snapshot(frame.msg)
            elif frame.type == "orderbook_delta" and tape.ticker in snapshots:
                change = _change(frame.msg)
                if not tape.changes:
                    first = snapshots[tape.ticker]
                    tape.changes = [each._replace(at_ms=change.at_ms) for each in first]
                    tape.whole_from = len(first)
                tape.changes.append(change)


def _snapshot(body: _Body) -> list[Change]:
    bids = [Change(0.0, True, _price(price), _size(size)) for price, size in body.yes_dollars_fp]
    asks = [Change(0.0, False, 10_000 - _price(price), _size(size)) for price, size in body.no_dollars_fp]
    return bids + asks


def _change(body: _Body) -> Change:
    bid, price = body.side == "yes", _price(body.price_dollars)
    return Change(_ms(str(body.ts)), bid, price if bid else 10_000 - price, _size(body.delta_fp))


def _spot(path: Path) -> list[Spot]:
    if not path.exists():
        return []
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        return [Spot(_ms(row["exchange_ts"]), float(row["price"])) for row in csv.DictReader(rows)]


def _price(text: str) -> int:
    return round(float(text) * 10_000)


def _size(text: str) -> int:
    return round(float(text) * 100)


def _ms(text: str) -> float:
    return (datetime.fromisoformat(text.replace("Z", "+00:00")) - _EPOCH).total_seconds() * 1000
