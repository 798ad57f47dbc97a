"""Writes small sessions in the format of the recorded ones and plays them by hand, without a wire."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from recio.exchange_sim.engine.order_entry import create
from recio.exchange_sim.engine.orders import Order
from recio.exchange_sim.engine.requests import NewOrder, SelfTradePrevention, TimeInForce
from recio.exchange_sim.engine.units import read_money
from recio.exchange_sim.market.series import Timetable
from recio.exchange_sim.recorded.inspection import open_recording
from recio.exchange_sim.recorded.playback import Playback

CLOSES = datetime(2026, 5, 11, 12, 30, tzinfo=UTC)
FIRST = "KXBTC15M-26MAY110830-30"
SECOND = "KXBTC15M-26MAY110845-45"
CLOCK_OFF_MS = 250


class RecordedSession:
    """Writes a session. `at` is seconds before (negative) or after the first window's close."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self.rows = ["recv_ns,exchange_ts,price,trade_id,type"]
        self.seq = 0
        self.markets: list[dict[str, Any]] = [
            self.window(FIRST, 0, 81_087.33, "yes", 81_281.83),
            self.window(SECOND, 900, 81_281.83, "no", 81_152.74),
        ]

    @staticmethod
    def window(ticker: str, closes: int, strike: Any, result: Any, value: Any) -> dict[str, Any]:
        close_time = (CLOSES + timedelta(seconds=closes)).isoformat().replace("+00:00", "Z")
        return {
            "ticker": ticker,
            "close_time": close_time,
            "floor_strike": strike,
            "result": result,
            "settlement_value": value,
        }

    @staticmethod
    def ms(at: float) -> int:
        return round((CLOSES + timedelta(seconds=at)).timestamp() * 1000)

    def line(self, at: float, message: dict[str, Any]) -> None:
        received = (self.ms(at) + CLOCK_OFF_MS) * 1_000_000
        self.lines.append(json.dumps({"recv_ns": received, "m": message}, separators=(",", ":")))

    def subscribed(self, at: float) -> None:
        self.seq = 0
        self.line(at, {"type": "subscribed", "id": 1, "msg": {"channel": "orderbook_delta", "sid": 2}})

    def numbered(self, at: float, kind: str, msg: dict[str, Any]) -> None:
        self.seq += 1
        self.line(at, {"type": kind, "sid": 2, "seq": self.seq, "msg": msg})

    def snapshot(self, at: float, yes: Any = (), no: Any = (), *, ticker: str = FIRST) -> None:
        msg: dict[str, Any] = {"market_ticker": ticker, "market_id": f"id-{ticker}"}
        sides = {"yes_dollars_fp": [*yes], "no_dollars_fp": [*no]}
        self.numbered(at, "orderbook_snapshot", msg | {name: side for name, side in sides.items() if side})

    def delta(self, at: float, side: str, price: str, change: str, *, ticker: str = FIRST) -> None:
        msg = {
            "market_ticker": ticker,
            "market_id": f"id-{ticker}",
            "price_dollars": price,
            "delta_fp": change,
            "side": side,
            "ts": (CLOSES + timedelta(seconds=at)).isoformat(),
            "ts_ms": self.ms(at),
        }
        self.numbered(at, "orderbook_delta", msg)

    def ticker(self, at: float, price: str, size: str, volume: str) -> None:
        msg = {
            "market_ticker": FIRST,
            "market_id": f"id-{FIRST}",
            "price_dollars": price,
            "last_trade_size_fp": size,
            "volume_fp": volume,
            "open_interest_fp": "77.00",
            "ts_ms": self.ms(at),
        }
        self.line(at, {"type": "ticker", "sid": 1, "msg": msg})

    def spot(self, at: float, price: str) -> None:
        stamp = (CLOSES + timedelta(seconds=at)).isoformat(timespec="microseconds")
        received = (self.ms(at) + CLOCK_OFF_MS) * 1_000_000
        self.rows.append(f"{received},{stamp},{price},{len(self.rows)},match")

    def write(self) -> Path:
        self.folder.mkdir(exist_ok=True)
        text = "".join(line + "\n" for line in self.lines)
        (self.folder / "kalshi_ws.jsonl.gz").write_bytes(gzip.compress(text.encode()))
        if len(self.rows) > 1:
            (self.folder / "coinbase_matches.csv").write_text("\n".join(self.rows) + "\n")
        (self.folder / "session.json").write_text(json.dumps({"markets": self.markets}))
        return self.folder

    def bodies(self, *kinds: str, ticker: str = FIRST) -> list[Any]:
        messages = [json.loads(line)["m"] for line in self.lines]
        return [
            message["msg"]
            for message in messages
            if message["type"] in kinds and message["msg"].get("market_ticker") == ticker
        ]

    def played(self, *, from_at: float = -60.0) -> Played:
        return Played(
            self,
            Playback(
                open_recording(self.write()),
                instance="test",
                now_ms=self.ms(from_at),
                timetable=Timetable(),
                balance=read_money("1000.00"),
                user_id="user",
            ),
        )


class Played:
    """A playback driven by hand."""

    def __init__(self, recorded: RecordedSession, playback: Playback) -> None:
        self.recorded, self.playback, self.venue = recorded, playback, playback.venue
        self._numbers = 0

    def to(self, at: float) -> list[Any]:
        assert self.playback.advance(self.recorded.ms(at), most_steps=100_000)
        return self.venue.collect()

    def order(
        self, side: str, price: int, quantity: int, tif: TimeInForce = TimeInForce.GOOD_TILL_CANCELED
    ) -> Any:
        self._numbers += 1
        return create(
            self.venue,
            NewOrder(
                ticker=FIRST,
                bid=side == "bid",
                price=price,
                quantity=quantity,
                time_in_force=tif,
                self_trade_prevention=SelfTradePrevention.TAKER_AT_CROSS,
                client_order_id=f"id-{self._numbers}",
            ),
        )

    def take(self, side: str, price: int, quantity: int) -> int:
        """What an immediate order fills."""
        order = self.order(side, price, quantity, TimeInForce.IMMEDIATE_OR_CANCEL)
        assert isinstance(order, Order), order
        return order.filled


def opening_book(folder: Path) -> RecordedSession:
    """Ten seconds before the close: YES 0.40 bid for 20, 0.45 asked for 10 and 0.46 for 30."""
    recorded = RecordedSession(folder)
    recorded.subscribed(-10)
    recorded.snapshot(
        -10, yes=[("0.3900", "5.00"), ("0.4000", "20.00")], no=[("0.5400", "30.00"), ("0.5500", "10.00")]
    )
    return recorded
