"""Counts and times what happens, for Prometheus; nothing is decided by it, and it can neither wait nor fail a task.

What is so at a moment (ages, depths, money) is not kept here: it is read off the wires when somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from recio.messages.orders import OrderAccepted, OrderOutcome, OrderRejected, OrderUnknown

ORDER_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
LAG_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
DATABASE_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0)


@dataclass(slots=True)
class Measurements:
    """Of one run of the daemon; counters begin at zero with it."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    _orders: Counter = field(init=False)
    _fills: Counter = field(init=False)
    _to_order: Histogram = field(init=False)
    _loop_lag: Histogram = field(init=False)
    _database: Histogram = field(init=False)
    _free_disk: Gauge = field(init=False)
    _bad_requests: Counter = field(init=False)
    _refused: int = 0

    def __post_init__(self) -> None:
        registry = self.registry
        ProcessCollector(registry=registry)
        self._orders = Counter("recio_orders", "Orders by what came of them.", ["outcome"], registry=registry)
        for outcome in ("accepted", "rejected", "unknown"):
            self._orders.labels(outcome)  # a series that begins with its first event has no increase
        self._fills = Counter("recio_fills", "New fills of our orders.", registry=registry)
        self._to_order = Histogram(
            "recio_decision_to_order_seconds",
            "From a decision to its committed order on its way to be sent, in host seconds.",
            registry=registry,
            buckets=ORDER_SECONDS,
        )
        self._loop_lag = Histogram(
            "recio_loop_lag_seconds",
            "How late the event loop ran, looked at twice a second.",
            registry=registry,
            buckets=LAG_SECONDS,
        )
        self._database = Histogram(
            "recio_database_seconds",
            "How long a read of the halts in a transaction took, or has taken so far, looked at twice a second.",
            registry=registry,
            buckets=DATABASE_SECONDS,
        )
        self._free_disk = Gauge(
            "recio_disk_free_bytes", "Free on the fullest disk of the data directory.", registry=registry
        )
        self._bad_requests = Counter(
            "recio_http_bad_requests", "Requests that were none, or were not answered.", registry=registry
        )

    def order_came_to(self, outcome: OrderOutcome) -> None:
        match outcome:
            case OrderAccepted():
                name = "accepted"
            case OrderRejected():
                name = "rejected"
            case OrderUnknown():
                name = "unknown"
        self._orders.labels(name).inc()

    def filled(self) -> None:
        self._fills.inc()

    def ordered_after(self, seconds: float) -> None:
        """Host seconds from the decision."""
        self._to_order.observe(seconds)

    def looked(self, *, loop_lag: float, database: float, free_bytes: int | None) -> None:
        """What the failure detector measured at one look, in host seconds."""
        self._loop_lag.observe(loop_lag)
        self._database.observe(database)
        if free_bytes is not None:
            self._free_disk.set(free_bytes)

    def bad_request(self) -> None:
        self._refused += 1
        self._bad_requests.inc()

    @property
    def bad_requests(self) -> int:
        """Since the start."""
        return self._refused
