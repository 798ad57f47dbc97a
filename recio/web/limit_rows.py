"""How much of each limit is taken, and what of the account is external, as the status shows them; it decides nothing."""

from __future__ import annotations

from typing import Any

from recio.messages.account import AccountView
from recio.messages.controls import TradingControls
from recio.rules.account.limits import lowered, wanted
from recio.rules.account.risk import Exposure, used
from recio.settings.risk import RiskSection
from recio.units import quantity_text
from recio.web.market_rows import dollars_text
from recio.wires import Wires


def limit_rows(wires: Wires, started: RiskSection, controls: TradingControls) -> list[dict[str, Any]]:
    """Every limit in force, first those that fill up, counted at their worst; empty before the rows were read.

    What holds one order by itself has null for how much of it is taken. `started`: the limits of the start.
    """
    trades = wires.open_trades.get()
    if trades is None:
        return []
    exposure = Exposure(trades=trades, account=wires.account.get(), ask=None)
    limits, cut = lowered(started, controls.lowered), {each.name for each in controls.lowered}
    filling = [
        {
            "name": name,
            "used": f"{taken.normalize():f}",
            "limit": f"{most.normalize():f}",
            "full": taken >= most,
            "lowered": name in cut,
        }
        for name, taken, most in used(exposure, limits)
    ]
    told = {each["name"] for each in filling}
    return filling + [
        {
            "name": name,
            "used": None,
            "limit": f"{most.normalize():f}",
            "full": False,
            "lowered": name in cut,
        }
        for name, most in wanted(limits).items()
        if name not in told
    ]


def external(account: AccountView | None) -> dict[str, Any] | None:
    """Positions and resting orders that recio did not make; it counts them and never touches them."""
    if account is None:
        return None
    return {
        "positions": [
            {"ticker": ticker, "quantity": quantity_text(account.positions[ticker])}
            for ticker in account.external
        ],
        "orders": account.external_orders,
        "cost": {ticker: dollars_text(cost) for ticker, cost in account.external_cost.items()},
    }
