"""GET /metrics: what is so now, read off the wires, and what was counted, in Prometheus's text form; it writes nothing.

What is unknown has no sample: never zero. Ages are host seconds, those of backups by the database's clock. Nothing here reads rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric

from recio import __version__
from recio.clock import Clock
from recio.measurements import Measurements
from recio.messages.controls import HaltLevel, TradingControls
from recio.messages.orders import OrderState
from recio.messages.prices import Prices, SourceState
from recio.rules.account.risk import Exposure, used
from recio.supervisor import HealthByTask, State
from recio.units import money_decimal
from recio.web.snapshot import Facts, not_ready
from recio.wires import Wires

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
Labels = tuple[str, ...]


class _Seen:
    """Families of one moment beside the registry of what was counted."""

    def __init__(self, counted: CollectorRegistry, families: Iterable[Metric]) -> None:
        self.counted, self.families = counted, tuple(families)

    def collect(self) -> Iterator[Metric]:
        yield from self.counted.collect()
        yield from self.families


def exposition(
    wires: Wires, task_health: HealthByTask, facts: Facts, clock: Clock, measurements: Measurements
) -> bytes:
    """The whole answer."""
    now = clock.utc()

    def age(at: datetime) -> float:
        return (now - at).total_seconds() / clock.speed

    families = (
        *_of_readiness(wires, task_health, facts),
        *_of_ages(wires, age),
        *_of_tasks(task_health),
        *_of_wires(wires),
        *_of_backups(wires),
        *_of_money(wires, facts),
        *_of_the_venue(wires, facts, clock),
    )
    seen: Any = _Seen(measurements.registry, families)  # it asks for no more of a registry than this
    return generate_latest(seen)


def _gauge(name: str, says: str, samples: Mapping[Labels, float], *labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"recio_{name}", says, labels=labels)
    for values, sample in samples.items():
        family.add_metric(values, sample)
    return family


def _of_readiness(wires: Wires, task_health: HealthByTask, facts: Facts) -> Iterator[Metric]:
    controls, config = wires.controls.get() or TradingControls(), facts.config
    reasons = not_ready(wires, task_health, config)
    build = (__version__, config.mode.value, config.kalshi.environment.value)
    yield _gauge("build_info", "What runs.", {build: 1}, "version", "mode", "environment")
    yield _gauge("started_seconds", "When it started, in Unix seconds.", {(): facts.started_at.timestamp()})
    yield _gauge("ready", "1 while it can open trades.", {(): not reasons})
    levels = {(level.value,): float(sum(h.level is level for h in controls.halts)) for level in HaltLevel}
    yield _gauge("halts", "Halts in force.", levels, "level")
    blocks = {(block.condition,): 1.0 for block in controls.blocks}
    yield _gauge("blocked", "1 for each condition that stops entries.", blocks, "condition")


def _of_ages(wires: Wires, age: Callable[[datetime], float]) -> Iterator[Metric]:
    prices = wires.prices.get() or Prices()
    yield _gauge(
        "price_age_seconds",
        "Since any good source of this coin said anything.",
        {(symbol,): age(view.heard_at) for symbol, view in prices.by_symbol.items()},
        "symbol",
    )
    yield _gauge(
        "price_source_good",
        "1 while this source of this coin's price is good.",
        {
            (symbol, each.source): float(each.state is SourceState.GOOD)
            for symbol, sources in prices.sources.items()
            for each in sources
        },
        "symbol",
        "source",
    )
    board, listings, account = wires.board.get(), wires.listings.get(), wires.account.get()
    heard = None if board is None else board.heard_at
    yield _gauge("book_age_seconds", "Since anything was heard of any book.", _known(heard, age))
    yield _gauge(
        "venue_read_age_seconds",
        "Since this read of the venue succeeded.",
        {
            (each.name,): age(each.confirmed_at)
            for each in (listings.reads if listings else ())
            if each.confirmed_at
        },
        "read",
    )
    compared = None if account is None else account.reconciled_at
    yield _gauge("account_age_seconds", "Since the account was compared.", _known(compared, age))


def _of_backups(wires: Wires) -> Iterator[Metric]:
    alerts = wires.alerts.get()
    if alerts is None or (seen := alerts.backups) is None:
        return
    good = {"backup": seen.backup.good_at, "drill": seen.drill.good_at}
    good["stream"] = None if seen.copy is None else seen.copy.reaches_at
    yield _gauge(
        "backup_age_seconds",
        "Since the newest backup that is whole, the newest drill that proved everything, the newest change in a bucket.",
        {(kind,): (seen.asked_at - at).total_seconds() for kind, at in good.items() if at is not None},
        "kind",
    )


def _known(at: datetime | None, age: Callable[[datetime], float]) -> dict[Labels, float]:
    return {} if at is None else {(): age(at)}


def _of_tasks(task_health: HealthByTask) -> Iterator[Metric]:
    tasks = task_health.tasks
    ages = {(name,): task.age_seconds for name, task in tasks.items()}
    up = {(name,): float(task.state is State.RUNNING) for name, task in tasks.items()}
    yield _gauge("task_age_seconds", "Since a task's last cycle.", ages, "task")
    yield _gauge("task_up", "1 while a task runs.", up, "task")
    restarts = CounterMetricFamily(
        "recio_task_restarts", "How often a task was started anew.", labels=["task"]
    )
    for name, task in tasks.items():
        restarts.add_metric([name], task.restarts)
    yield restarts


def _of_wires(wires: Wires) -> Iterator[Metric]:
    depths = wires.depths()
    yield _gauge("queue_depth", "Waiting in a queue.", {(n,): d for n, (d, _) in depths.items()}, "queue")
    yield _gauge("queue_capacity", "Places of a queue.", {(n,): c for n, (_, c) in depths.items()}, "queue")


def _of_money(wires: Wires, facts: Facts) -> Iterator[Metric]:
    trades, account = wires.open_trades.get(), wires.account.get()
    if account is not None:
        yield _gauge("balance_dollars", "Cash at the venue.", {(): float(money_decimal(account.balance))})
    if trades is None:
        return
    net, fees = money_decimal(trades.realised_today), money_decimal(trades.fees_today)
    yield _gauge("pnl_today_dollars", "Realised since midnight UTC, after fees.", {(): float(net)})
    yield _gauge("fees_today_dollars", "Fees since midnight UTC.", {(): float(fees)})
    results = {("won",): trades.wins_today, ("lost",): trades.losses_today}
    yield _gauge("trades_today", "Trades that ended since midnight UTC.", results, "result")
    yield _gauge("open_trades", "Trades that are not over.", {(): len(trades.trades)})
    states = (OrderState.PENDING, OrderState.UNKNOWN, OrderState.RESTING)
    open_orders = {(each.value,): sum(o.state is each for o in trades.orders) for each in states}
    yield _gauge("open_orders", "Orders without a proven end.", open_orders, "state")
    limits = tuple(used(Exposure(trades=trades, account=account, ask=None), facts.config.risk))
    taken = {(name,): float(used_up) for name, used_up, _ in limits}
    yield _gauge("limit_used", "How much of a limit is taken, at its worst.", taken, "limit")
    yield _gauge("limit", "A limit in force.", {(name,): float(most) for name, _, most in limits}, "limit")


def _of_the_venue(wires: Wires, facts: Facts, clock: Clock) -> Iterator[Metric]:
    board, rates = wires.board.get(), facts.limits()
    offset = None if board is None else board.clock_offset
    known: dict[Labels, float] = {} if offset is None else {(): offset / clock.speed}
    yield _gauge("clock_offset_seconds", "The venue's clock minus this machine's.", known)
    left = {("read",): rates.read_left, ("write",): rates.write_left}
    yield _gauge("rate_limit_left", "Tokens left of the venue's rate limits.", left, "kind")
    refusals = CounterMetricFamily("recio_rate_limit_refusals", "Answers 429.")
    refusals.add_metric([], rates.refusals)
    yield refusals
