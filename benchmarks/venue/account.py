"""The one account of the stand-in: its orders, fills, position and cash, which agree to the millionth; it decides nothing.

Its lists show the newest rows only: a measurement makes more orders in a minute than a trader in a day, and what a
daemon reads again and again must not grow with that.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

from benchmarks.venue.market import stamp

SHOWN = 4
ZERO = Decimal(0)
CASH = Decimal(100_000)
"""Dollars at the start."""


@dataclass(slots=True)
class Account:
    cash: Decimal = CASH
    positions: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    orders: deque[dict[str, Any]] = field(default_factory=lambda: deque[dict[str, Any]](maxlen=SHOWN))
    fills: deque[dict[str, Any]] = field(default_factory=lambda: deque[dict[str, Any]](maxlen=SHOWN))
    taken: int = 0

    def take(self, asked: dict[str, Any], filled_at: Decimal | None) -> dict[str, Any]:
        """An immediate-or-cancel order that is filled whole at a price, or not at all."""
        self.taken += 1
        count = Decimal(asked["count"]) if filled_at is not None else ZERO
        order = {
            "order_id": f"venue-{self.taken}",
            "client_order_id": asked["client_order_id"],
            "ticker": asked["ticker"],
            "status": "canceled" if filled_at is None else "executed",
            "fill_count_fp": f"{count:.2f}",
            "remaining_count_fp": "0.00",
        }
        self.orders.append(order)
        if filled_at is not None:
            self._fill(asked, order["order_id"], count, filled_at)
        return order

    def _fill(self, asked: dict[str, Any], order_id: str, count: Decimal, at: Decimal) -> None:
        bought = asked["side"] == "bid"
        fee = (Decimal("0.07") * count * at * (1 - at)).quantize(Decimal("0.0001"), ROUND_CEILING)
        held = self.positions.get(asked["ticker"], ZERO) + (count if bought else -count)
        self.positions[asked["ticker"]] = held
        self.cash += -count * at - fee if bought else count * at - fee
        self.fills.append(
            {
                "trade_id": f"fill-{self.taken}",
                "order_id": order_id,
                "ticker": asked["ticker"],
                "market_ticker": asked["ticker"],
                "client_order_id": asked["client_order_id"],
                "book_side": asked["side"],
                "yes_price_dollars": f"{at:.4f}",
                "count_fp": f"{count:.2f}",
                "fee_cost": f"{fee:.6f}",
                "is_taker": True,
                "created_time": stamp(datetime.now(UTC)),
                "ts_ms": int(datetime.now(UTC).timestamp() * 1000),
                "post_position_fp": f"{held:.2f}",
            }
        )

    def held(self) -> list[dict[str, str]]:
        return [
            {"ticker": ticker, "position_fp": f"{count:.2f}", "market_exposure_dollars": f"{count:.6f}"}
            for ticker, count in self.positions.items()
            if count
        ]
