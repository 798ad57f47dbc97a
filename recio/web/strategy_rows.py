"""Every strategy with its stage, what it may and does have open, and what a shadow has come to; it decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recio.messages.controls import TradingControls
from recio.messages.decisions import ShadowScore
from recio.messages.orders import OpenTrades
from recio.rules.account.exposure import cost_of
from recio.rules.decision.strategy import Strategy, named_by_config
from recio.settings.strategies import Stage
from recio.web.market_rows import dollars_text
from recio.wires import Wires


def strategy_rows(wires: Wires, strategies: Sequence[Strategy]) -> list[dict[str, Any]]:
    """Those that the config names, or the one that it has; where the rows are not read yet nothing is said."""
    named = named_by_config(strategies)
    scores, shadows = wires.shadow_scores.get() or {}, wires.paper_trades.get() or {}
    controls = wires.controls.get()
    return [
        _row(
            each,
            shadows.get(each.name) if each.stage is Stage.SHADOW else wires.open_trades.get(),
            scores.get(each.name),
            controls,
        )
        for each in named
    ]


def _row(
    strategy: Strategy,
    trades: OpenTrades | None,
    score: ShadowScore | None,
    controls: TradingControls | None,
) -> dict[str, Any]:
    off = next(
        (each for each in (controls.switched_off if controls else ()) if each.strategy == strategy.name), None
    )
    own = [] if trades is None else [each for each in trades.trades if each.strategy == strategy.name]
    return {
        "name": strategy.name,
        "stage": strategy.stage.value,
        "budget": None if strategy.budget is None else dollars_text(strategy.budget),
        "parted": controls is not None and strategy.name in controls.parted,
        "switched_on": None if controls is None else off is None,
        "switched_off_by": None if off is None else off.by,
        "open_trades": None if trades is None else len(own),
        "open_cost": None if trades is None else dollars_text(cost_of(strategy.name, trades)),
        "settled": None if score is None else score.trades,
        "won": None if score is None else score.won,
        "pnl": None if score is None else dollars_text(score.pnl),
        "brier": None if score is None or score.brier is None else round(score.brier, 4),
    }
