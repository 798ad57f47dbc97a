"""What GET /status shows, built from the wires and the health of every task; it reads and never writes anything.

Decimals are strings, times RFC 3339, and null is unknown: never zero, never one half.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from recio import __version__
from recio.clock import Clock
from recio.kalshi.rate_limit import LimitsView
from recio.messages.alerts import AlertsView
from recio.messages.controls import Halt, HaltVerification, Switch, SwitchedOff, TradingControls
from recio.messages.prices import Prices
from recio.rules.decision.strategy import Strategy
from recio.rules.health.conditions import task_limit
from recio.settings.config import Config
from recio.settings.strategies import DEFAULT, Stage
from recio.supervisor import HealthByTask
from recio.times import time_text
from recio.web.alert_rows import alert_rows
from recio.web.backup_rows import backup_rows
from recio.web.known_strikes import KnownStrikes
from recio.web.limit_rows import external, limit_rows
from recio.web.market_rows import board_rows, price_rows, venue_row
from recio.web.own_rows import own_rows
from recio.web.strategy_rows import strategy_rows
from recio.wires import Wires


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What does not change while the daemon lives."""

    config: Config
    account: str
    started_at: datetime
    limits: Callable[[], LimitsView]
    """What is left of the venue's rate limits; not a fact, but read nowhere else."""
    strategies: tuple[Strategy, ...] = ()
    strikes: KnownStrikes = field(default_factory=KnownStrikes)
    """Not a fact either: what it has shown so far."""


def snapshot(
    wires: Wires, task_health: HealthByTask, facts: Facts, clock: Clock, *, whole_board: bool = False
) -> dict[str, Any]:
    """The whole status, ready for JSON; of a long ladder only the strikes near the price unless asked."""
    now = clock.utc()
    controls = wires.controls.get() or TradingControls()
    reasons = not_ready(wires, task_health, facts.config)
    return {
        "mode": facts.config.mode.value,
        "environment": facts.config.kalshi.environment.value,
        "account": facts.account,
        "version": __version__,
        "now": time_text(now),
        "started_at": time_text(facts.started_at),
        "clock_speed": clock.speed,
        "ready": not reasons,
        "reasons": reasons,
        **_controls(controls, wires.halt_verifications.get() or (), now, clock.speed),
        "switches": _switches(controls, facts.config),
        "tasks": {
            name: {
                "state": task.state.value,
                "restarts": task.restarts,
                "age_seconds": round(task.age_seconds, 2),
                "sentence": task.sentence,
                "last_error": task.last_error,
            }
            for name, task in task_health.tasks.items()
        },
        "queues": {
            name: {"depth": queue.depth, "capacity": queue.capacity} for name, queue in wires.queues().items()
        },
        "prices": price_rows(wires.prices.get() or Prices(), now),
        "venue": venue_row(wires, facts.limits(), now),
        "board": board_rows(wires, now, whole=whole_board),
        "board_total": len(board.markets) if (board := wires.board.get()) else 0,
        "verdict": None if (said := wires.assessments.get()) is None else said.verdict,
        "rejections": [
            {
                "event": each.event,
                "gate": each.gate,
                "cycles": each.cycles,
                "seconds": round(each.seconds, 3),
                "sentence": each.sentence,
                "by": each.by,
            }
            for each in (said.rejections if said else ())
        ],
        "strategies": strategy_rows(wires, facts.strategies),
        "limits": limit_rows(wires, facts.config.risk, controls),
        "external": external(wires.account.get()),
        "alerts": alert_rows(view := wires.alerts.get() or AlertsView()),
        "backups": backup_rows(view.backups, facts.config),
        **own_rows(wires, facts.strategies, now, facts.strikes),
    }


def _switches(controls: TradingControls, config: Config) -> dict[str, Any]:
    """On only where both the config and a person's switch say so."""
    allowed = {Switch.ENTRY: config.entry.enabled, Switch.EXIT: config.exit.enabled}
    return {
        switch.value: allowed[switch] and controls.off(switch) is None
        for switch in (Switch.ENTRY, Switch.EXIT)
    }


def _halt(halt: Halt, checks: tuple[HaltVerification, ...]) -> dict[str, Any]:
    check = next((each for each in checks if each.halt_id == halt.halt_id), None)
    return {
        "level": halt.level.value,
        "cause": halt.cause,
        "since": time_text(halt.since),
        "by": halt.by,
        "resolution": halt.resolution,
        "cancelled": None if check is None else check.cancelled,
        "verified_after": None if check is None else _rounded(check.verified_after),
        "flat_after": None if check is None else _rounded(check.flat_after),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _controls(
    controls: TradingControls, checks: tuple[HaltVerification, ...], now: datetime, speed: float
) -> dict[str, Any]:
    """What stops entries, and nothing else; how long is host time."""
    return {
        "halts": [_halt(halt, checks) for halt in controls.halts],
        "switched_off": [
            {
                "switch": each.switch.value,
                "strategy": each.strategy or None,
                "since": time_text(each.since),
                "by": each.by,
                "why": each.why,
            }
            for each in controls.switched_off
        ],
        "blocks": [
            {
                "condition": block.condition,
                "since": time_text(block.since),
                "detail": block.detail,
                "clears": block.clears,
                "stops": "entries",
                "seconds": round((now - block.since).total_seconds() / speed, 1),
            }
            for block in controls.blocks
        ],
        "causes": [
            {
                "cause": each.cause,
                "since": time_text(each.since),
                "sentence": each.sentence,
                "consequences": list(each.consequences),
                "stops": "entries",
                "seconds": round((now - each.since).total_seconds() / speed, 1),
            }
            for each in controls.causes
        ],
    }


def not_ready(wires: Wires, task_health: HealthByTask, config: Config) -> list[str]:
    """Why the daemon cannot trade now, as sentences; empty when it can."""
    controls = wires.controls.get()
    if controls is None:
        return ["starting: the failure detector has not reported yet"]
    reasons = [f"halted: {halt.reason}" for halt in controls.halts]
    reasons += [f"{each.cause}: {each.sentence}" for each in controls.causes]
    reasons += [f"{block.condition}: {block.detail}" for block in controls.blocks]
    told = {block.condition for block in controls.blocks}
    reasons += [
        f"{each.name} frozen: no cycle for {each.age_seconds:.0f} s"
        for each in task_health.frozen(task_limit(config))
        if f"{each.name} frozen" not in told and each.name in task_health.needed()
    ]
    reasons += [
        f"{name} is {task.state.value.replace('_', ' ')}"
        for name, task in task_health.needed().items()
        if task.state.value != "running"
    ]
    reasons += [_who_switched(each) for each in _switched_off(controls, config)]
    if not config.entry.enabled:
        reasons.append("entry is switched off (entry.enabled = false)")
    return reasons


def _switched_off(controls: TradingControls, config: Config) -> list[SwitchedOff]:
    """The switch of everything, or those of the strategies that may buy if not one of them is left on."""
    if (everything := controls.off(Switch.ENTRY)) is not None:
        return [everything]
    named = [name for name, each in config.strategies.items() if each.stage is Stage.LIVE]
    live = named if config.strategies else [DEFAULT]
    found = [each for name in live if (each := controls.off(Switch.ENTRY, name)) is not None]
    return found if len(found) == len(live) else []


def _who_switched(off: SwitchedOff) -> str:
    whose = f" for strategy {off.strategy}" if off.strategy else ""
    return f"entry was switched off by {off.by}{whose}" + (f": {off.why}" if off.why else "")
