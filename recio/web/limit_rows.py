"""How much of each limit is taken, and what of the account is external, as the status shows them; it decides nothing."""

from __future__ import annotations

from typing import Any

from recio.messages.account import AccountView
from recio.rules.account.risk import Exposure, used
from recio.settings.risk import RiskSection
from recio.units import quantity_text
from recio.web.market_rows import dollars_text
from recio.wires import Wires


def limit_rows(wires: Wires, limits: RiskSection) -> list[dict[str, Any]]:
    """Every limit in force that fills up, counted at its worst; empty before the rows were read."""
    trades = wires.open_trades.get()
    if trades is None:
        return []
    exposure = Exposure(trades=trades, account=wires.account.get(), ask=None)
    return [
        {
            "name": name,
            "used": f"{taken.normalize():f}",
            "limit": f"{most.normalize():f}",
            "full": taken >= most,
        }
        for name, taken, most in used(exposure, limits)
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
