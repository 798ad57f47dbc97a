"""What the stand-in answers to a REST request, apart from new orders: as much of the venue as the daemon asks for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from benchmarks.venue.account import Account
from benchmarks.venue.market import Ladder, stamp
from benchmarks.venue.wire import Answer, Request

PREFIX = "/trade-api/v2"
ORDERS = "/portfolio/events/orders"
PLENTY = {"refill_rate": 1_000_000, "bucket_capacity": 1_000_000}


def answer(request: Request, ladder: Ladder, account: Account) -> Answer:
    path = request.path.removeprefix(PREFIX)
    made = _FIXED.get(path)
    if made is None and path.startswith("/series/"):
        made = _series
    if made is None and path.startswith("/portfolio/order_groups/"):
        made = _group
    if made is None:
        return 404, b'{"error":{"code":"not_found","message":"not part of this stand-in"}}'
    return 200, json.dumps(made(request, ladder, account)).encode()


Made = Callable[[Request, Ladder, Account], dict[str, Any]]


def _series(_request: Request, _ladder: Ladder, _account: Account) -> dict[str, Any]:
    return {"series": {"fee_type": "quadratic", "fee_multiplier": 1}}


def _group(_request: Request, _ladder: Ladder, _account: Account) -> dict[str, Any]:
    """Every order group is the same one, and takes whatever is done to it."""
    return {"order_group_id": "group-1", "is_auto_cancel_enabled": True, "orders": []}


def _orders(request: Request, _ladder: Ladder, account: Account) -> dict[str, Any]:
    return {"orders": [] if request.query.get("status") == "resting" else list(account.orders), "cursor": ""}


def _now() -> str:
    return stamp(datetime.now(UTC))


_FIXED: dict[str, Made] = {
    "/exchange/status": lambda *_: {"exchange_active": True, "trading_active": True},
    "/exchange/schedule": lambda *_: {"schedule": {"standard_hours": [], "maintenance_windows": []}},
    "/exchange/user_data_timestamp": lambda *_: {"as_of_time": _now()},
    "/account/limits": lambda *_: {"usage_tier": "bench", "read": PLENTY, "write": PLENTY},
    "/account/endpoint_costs": lambda *_: {"default_cost": 1, "endpoint_costs": []},
    "/series/fee_changes": lambda *_: {"series_fee_change_arr": []},
    "/events/fee_changes": lambda *_: {"event_fee_changes": [], "cursor": ""},
    "/events": lambda _, ladder, __: {"events": [{"event_ticker": ladder.event}], "cursor": ""},
    "/markets/orderbooks": lambda _, ladder, __: {"orderbooks": [each.read() for each in ladder.books]},
    "/markets": lambda _, ladder, __: {"markets": ladder.listed(), "cursor": ""},
    "/portfolio/balance": lambda _, __, account: {"balance_dollars": f"{account.cash:.6f}"},
    "/portfolio/positions": lambda _, __, account: {"market_positions": account.held(), "cursor": ""},
    "/portfolio/orders": _orders,
    "/portfolio/fills": lambda _, __, account: {"fills": list(account.fills), "cursor": ""},
    "/portfolio/settlements": lambda *_: {"settlements": [], "cursor": ""},
    "/portfolio/order_groups": lambda *_: {"order_groups": []},
    "/historical/cutoff": lambda *_: {
        "trades_created_ts": "2020-01-01T00:00:00Z",
        "orders_updated_ts": "2020-01-01T00:00:00Z",
    },
}
