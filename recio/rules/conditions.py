"""The conditions that block entries, each with its limit, its detail and what clears it; exits never ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from recio.config import Config
from recio.messages import AccountView, MarketBoard, OpenTrades, OrderState, Prices, VenuePhase

LOOP_LAG_LIMIT = 0.5
"""Host seconds by which the event loop may run late."""
DATABASE_LIMIT = 1.0
CLOCK_LIMIT = 1.0
"""Host seconds by which this machine's clock may differ from the venue's."""
RECONCILED_LIMIT_FACTOR = 4
TASK_LIMIT = 30.0
"""Host seconds a task may be without a turn of its loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the failure detector sees in one look. Ages of tasks, lag and database are host seconds."""

    now: datetime
    speed: float
    prices: Prices | None
    board: MarketBoard | None
    account: AccountView | None
    trades: OpenTrades | None
    loop_lag: float
    database_seconds: float
    task_ages: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    name: str
    detail: str
    clears: str


def conditions(seen: Figures, config: Config) -> tuple[Condition, ...]:
    """Everything that is wrong now, the most telling first."""
    return (
        *_of_account(seen, config),
        *_of_price(seen, config),
        *_of_market(seen, config),
        *_of_machine(seen),
    )


def _of_account(seen: Figures, config: Config) -> Iterator[Condition]:
    if seen.trades is None or seen.account is None:
        yield Condition(
            name="not reconciled",
            detail="the account has not been compared with the venue yet",
            clears="the first complete comparison",
        )
        return
    limit = config.kalshi.reconcile_every_seconds * RECONCILED_LIMIT_FACTOR
    age = (seen.now - seen.account.reconciled_at).total_seconds() / seen.speed
    if age > limit:
        yield Condition(
            name="reconciliation stale",
            detail=f"last compared {age:.0f} s ago (limit {limit:.0f} s)",
            clears="a complete comparison",
        )
    unknown = [order for order in seen.trades.orders if order.state is OrderState.UNKNOWN]
    if unknown:
        yield Condition(
            name="order unknown",
            detail=f"{unknown[0].client_order_id} has no proven end",
            clears="finding it at the venue or proving that it is not there",
        )


def _of_price(seen: Figures, config: Config) -> Iterator[Condition]:
    """Only what is wrong with every symbol: a price in doubt closes its own symbol's markets by itself."""
    if seen.prices is None or not seen.prices.by_symbol:
        yield Condition(name="no price", detail="no price has arrived yet", clears="the first price")
        return
    heard = max(view.heard_at for view in seen.prices.by_symbol.values())
    silent = (seen.now - heard).total_seconds() / seen.speed
    if silent > config.prices.silence_limit_seconds:
        yield Condition(
            name="price sources silent",
            detail=f"nothing heard for {silent:.0f} s, not even a heartbeat",
            clears="any message of a source",
        )


def _of_market(seen: Figures, config: Config) -> Iterator[Condition]:
    board = seen.board
    if board is None or not board.markets:
        yield Condition(name="no market", detail="no open market is known", clears="discovery of one")
        return
    if board.venue.phase is not VenuePhase.TRADING:
        resumes = board.venue.resumes_at
        yield Condition(
            name="venue paused",
            detail=f"{board.venue.phase}"
            + ("" if resumes is None else f"; the venue expects to resume at {resumes:%H:%M:%S} UTC"),
            clears="the venue resuming",
        )
    elif board.venue.next_pause is not None:
        yield from _of_maintenance(seen.now, board.venue.next_pause, config)
    if board.clock_offset is not None and abs(board.clock_offset) > CLOCK_LIMIT * seen.speed:
        yield Condition(
            name="clock off",
            detail=f"this machine's clock is {-board.clock_offset:+.2f} s off the venue's (limit {CLOCK_LIMIT:g} s)",
            clears="a clock that agrees with the venue's",
        )


def _of_maintenance(now: datetime, pause: tuple[datetime, datetime], config: Config) -> Iterator[Condition]:
    begins, ends = pause
    left = (begins - now).total_seconds()
    if now < ends and left < config.market.pause_margin_seconds:
        yield Condition(
            name="maintenance",
            detail=f"the venue pauses from {begins:%H:%M} to {ends:%H:%M} UTC",
            clears="its end",
        )


def _of_machine(seen: Figures) -> Iterator[Condition]:
    if seen.loop_lag > LOOP_LAG_LIMIT:
        yield Condition(
            name="event loop late",
            detail=f"a turn came {seen.loop_lag * 1000:.0f} ms late (limit {LOOP_LAG_LIMIT * 1000:.0f} ms)",
            clears="a turn in time",
        )
    if seen.database_seconds > DATABASE_LIMIT:
        yield Condition(
            name="database slow",
            detail=f"a read took {seen.database_seconds:.1f} s (limit {DATABASE_LIMIT:g} s)",
            clears="a fast read",
        )
    for name, age in seen.task_ages.items():
        if age > TASK_LIMIT:
            yield Condition(
                name=f"{name} stuck",
                detail=f"no turn for {age:.0f} s (limit {TASK_LIMIT:g} s)",
                clears="a turn",
            )
