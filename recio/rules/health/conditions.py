"""The conditions that block entries, each with its limit, its detail and what clears it; exits never ask.

Each is computed anew from figures at every look, so that it clears by itself and no switch is ever touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from recio.messages.account import AccountView
from recio.messages.markets import Listings, MarketBoard, MarketStatus, VenuePhase, VenueRead
from recio.messages.orders import OpenTrades, OrderState, OrderView
from recio.messages.prices import Prices, SourceState
from recio.settings.config import Config
from recio.settings.system import HealthSection
from recio.texts import beside

RECONCILED_LIMIT_FACTOR = 4
NEARLY_FULL = 0.75
"""The share of a queue's room from which its reader counts as too slow."""
ANSWER_SLACK = 2.0
"""Host seconds beyond the time-out of a request in which a task waiting for it must have had a cycle."""
MEGABYTE = 1_000_000
UNCONNECTED = (SourceState.DOWN, SourceState.CONNECTING)


class Kind(StrEnum):
    """What is wrong, whatever it is wrong with."""

    NOT_RECONCILED = "not reconciled"
    RECONCILIATION_STALE = "reconciliation stale"
    ORDER_UNKNOWN = "order unknown"
    ORDER_UNANSWERED = "order unanswered"
    ORDER_UNRECORDED = "order unrecorded"
    POSITION_DIFFERS = "position differs"
    CASH_UNEXPLAINED = "cash not agreed"
    NO_PRICE = "no price"
    PRICES_SILENT = "price sources silent"
    NO_MARKET = "no market"
    LISTS_OLD = "venue not read"
    NO_BOOK = "no book"
    BOOKS_SILENT = "books silent"
    VENUE_PAUSED = "venue paused"
    MAINTENANCE = "maintenance"
    CLOCK_OFF = "clock off"
    LOOP_LATE = "event loop late"
    DATABASE_AWAY = "database away"
    DATABASE_READ_ONLY = "database read-only"
    DATABASE_SLOW = "database slow"
    DISK_FULL = "disk nearly full"
    QUEUE_FULL = "queue nearly full"
    TASK_FROZEN = "frozen"
    TASK_DOWN = "restarting"


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
    """Of the last read, or of the one that is still out."""
    database_fault: str
    """Why the last read failed; empty if it did not."""
    database_read_only: bool
    task_ages: Mapping[str, float]
    tasks_down: Mapping[str, str]
    """Tasks that ended with a fault and wait to be started anew, with the fault."""
    depths: Mapping[str, tuple[int, int]]
    """Depth and capacity of each queue."""
    free_bytes: int | None
    """Of the disk that holds the data directory; None while unknown."""
    listings: Listings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that blocks entries, and nothing else, while it holds."""

    kind: Kind
    name: str
    """The kind, with the task or queue that it is about."""
    detail: str
    clears: str


def task_limit(config: Config) -> float:
    """Host seconds a task may be without a cycle: a cycle may have to wait for one answer of the venue."""
    return max(config.health.max_task_age_seconds, config.kalshi.request_timeout_seconds + ANSWER_SLACK)


def conditions(seen: Figures, config: Config) -> tuple[Condition, ...]:
    """Everything that is wrong now, the most telling first."""
    return (
        *_of_account(seen, config),
        *_of_price(seen, config),
        *_of_listings(seen, config.health.max_list_age_seconds),
        *_of_market(seen, config),
        *_of_clock(seen, config),
        *_of_machine(seen, config.health),
        *_of_database(seen, config.health),
        *_of_tasks(seen, task_limit(config)),
    )


def _of_account(seen: Figures, config: Config) -> Iterator[Condition]:
    if seen.trades is None or seen.account is None:
        yield Condition(
            kind=Kind.NOT_RECONCILED,
            name=Kind.NOT_RECONCILED,
            detail="the account has not been compared with the venue yet",
            clears="the first complete comparison",
        )
        return
    limit = config.kalshi.reconcile_every_seconds * RECONCILED_LIMIT_FACTOR
    age = (seen.now - seen.account.reconciled_at).total_seconds() / seen.speed
    if age > limit:
        yield Condition(
            kind=Kind.RECONCILIATION_STALE,
            name=Kind.RECONCILIATION_STALE,
            detail=f"last compared {beside(limit, age)} s ago (limit {limit:g} s)",
            clears="a complete comparison",
        )
    yield from _of_books_kept(seen.account)
    yield from _of_orders(seen, seen.trades, config.health.max_unanswered_seconds)


def _of_books_kept(account: AccountView) -> Iterator[Condition]:
    """What the venue has and our rows have not, or the other way: a halt follows, and until then this stands."""
    for each in account.differences[:1]:
        yield Condition(
            kind=Kind.POSITION_DIFFERS,
            name=Kind.POSITION_DIFFERS,
            detail=f"on {each.ticker}",
            clears="a comparison without differences; the halt stays",
        )
    if not account.cash_agreed:
        yield Condition(
            kind=Kind.CASH_UNEXPLAINED,
            name=Kind.CASH_UNEXPLAINED,
            detail="since the start the venue's balance was never what fills, settlements and moved money make of it"
            + (f": {account.cash_waits}" if account.cash_waits else ""),
            clears="a comparison that explains it; where none does, a halt follows",
        )
    for order in account.unrecorded[:1]:
        yield Condition(
            kind=Kind.ORDER_UNRECORDED,
            name=Kind.ORDER_UNRECORDED,
            detail=f"{order.client_order_id} is at the venue, carries our tag and has no row",
            clears="recio resume, once the venue's page and the rows are compared",
        )


def _of_orders(seen: Figures, trades: OpenTrades, limit: float) -> Iterator[Condition]:
    unknown = [order for order in trades.orders if order.state is OrderState.UNKNOWN]
    if unknown:
        yield Condition(
            kind=Kind.ORDER_UNKNOWN,
            name=Kind.ORDER_UNKNOWN,
            detail=f"{unknown[0].client_order_id} has no proven end",
            clears="finding it at the venue or proving that it is not there",
        )
    pending = [order.created_at for order in trades.orders if order.state is OrderState.PENDING]
    waited = max(((seen.now - at).total_seconds() / seen.speed for at in pending), default=0.0)
    if waited > limit:
        yield Condition(
            kind=Kind.ORDER_UNANSWERED,
            name=Kind.ORDER_UNANSWERED,
            detail=f"an order has waited {beside(limit, waited)} s for what came of it (limit {limit:g} s)",
            clears="its answer, or its proven end",
        )


def overdue(seen: Figures, limit: float) -> tuple[OrderView, ...]:
    """Orders without a proven end, or without all their fills, for longer than `limit` host seconds: somebody has to look.

    A trade whose fills cannot be read has no stop.
    """
    unfinished = seen.trades.orders if seen.trades else ()
    return tuple(
        order for order in unfinished if (seen.now - order.created_at).total_seconds() / seen.speed > limit
    )


def _of_price(seen: Figures, config: Config) -> Iterator[Condition]:
    """Only what is wrong with every symbol: an unreliable price closes its own symbol's markets by itself."""
    if seen.prices is None or not seen.prices.by_symbol:
        yield Condition(
            kind=Kind.NO_PRICE,
            name=Kind.NO_PRICE,
            detail="no price has arrived yet",
            clears="the first price",
        )
        return
    states = [view.state for views in seen.prices.sources.values() for view in views]
    if states and all(state in UNCONNECTED for state in states):
        yield Condition(
            kind=Kind.PRICES_SILENT,
            name=Kind.PRICES_SILENT,
            detail="no source is connected",
            clears="any message of a source",
        )
        return
    heard = max(view.heard_at for view in seen.prices.by_symbol.values())
    silent = (seen.now - heard).total_seconds() / seen.speed
    if silent > config.prices.idle_timeout_seconds:
        yield Condition(
            kind=Kind.PRICES_SILENT,
            name=Kind.PRICES_SILENT,
            detail=f"nothing heard for {silent:.0f} s, not even a heartbeat",
            clears="any message of a source",
        )


def _of_listings(seen: Figures, limit: float) -> Iterator[Condition]:
    """What is known of markets, fees and pauses stays when it cannot be read; entries by it do not, beyond an age."""
    for read in seen.listings.reads if seen.listings else ():
        known = _old(seen, read, limit)
        if known:
            yield Condition(
                kind=Kind.LISTS_OLD,
                name=Kind.LISTS_OLD,
                detail=f"{read.name}: {known}" + (f": {read.fault}" if read.fault else ""),
                clears="a read that succeeds",
            )
            return


def _old(seen: Figures, read: VenueRead, limit: float) -> str:
    """How old what this read knows is, where that is too old; a read that never succeeded knows nothing."""
    if read.confirmed_at is None:
        return "" if read.may_be_missing else "not read yet"
    age, most = (seen.now - read.confirmed_at).total_seconds() / seen.speed, read.every + limit
    return f"last read {beside(most, age)} s ago (limit {most:g} s)" if age > most else ""


def _of_market(seen: Figures, config: Config) -> Iterator[Condition]:
    board = seen.board
    if board is None or not board.by_ticker:
        yield Condition(
            kind=Kind.NO_MARKET,
            name=Kind.NO_MARKET,
            detail="no open market is known",
            clears="discovery of one",
        )
        return
    yield from _of_books(seen, board, config.health.max_book_age_seconds)
    if board.venue.phase is not VenuePhase.TRADING:
        resumes = board.venue.resumes_at
        yield Condition(
            kind=Kind.VENUE_PAUSED,
            name=Kind.VENUE_PAUSED,
            detail=f"{board.venue.phase}"
            + ("" if resumes is None else f"; the venue expects to resume at {resumes:%H:%M:%S} UTC"),
            clears="the venue resuming",
        )
    elif board.venue.next_pause is not None:
        yield from _of_maintenance(seen.now, board.venue.next_pause, config)


def _of_clock(seen: Figures, config: Config) -> Iterator[Condition]:
    """Also without a market: by a clock that is ahead every market that is known has ended."""
    offset = None if seen.board is None else seen.board.clock_offset
    limit = config.health.max_clock_offset_seconds
    if offset is not None and abs(offset) > limit * seen.speed:
        yield Condition(
            kind=Kind.CLOCK_OFF,
            name=Kind.CLOCK_OFF,
            detail=f"this machine's clock is {'-' if offset > 0 else '+'}{beside(limit, abs(offset), 2)} s off the venue's (limit {limit:g} s)",
            clears="a clock that agrees with the venue's",
        )


def _of_books(seen: Figures, board: MarketBoard, limit: float) -> Iterator[Condition]:
    """Only what is wrong with every open market: one without its book closes itself."""
    views = [view for view in board.by_ticker.values() if view.market.status is MarketStatus.ACTIVE]
    is_any_whole = any(view.book is not None for view in views)
    if views and not is_any_whole:
        yield Condition(
            kind=Kind.NO_BOOK,
            name=Kind.NO_BOOK,
            detail=f"no open market has a whole book: {views[0].why_no_book or 'none has come yet'}",
            clears="one whole book",
        )
    heard_at = board.heard_at if is_any_whole else None
    age = 0.0 if heard_at is None else (seen.now - heard_at).total_seconds() / seen.speed
    if age > limit:
        yield Condition(
            kind=Kind.BOOKS_SILENT,
            name=Kind.BOOKS_SILENT,
            detail=f"nothing heard of any book for {beside(limit, age)} s (limit {limit:g} s)",
            clears="any message of the venue's socket",
        )


def _of_maintenance(now: datetime, pause: tuple[datetime, datetime], config: Config) -> Iterator[Condition]:
    begins, ends = pause
    left = (begins - now).total_seconds()
    if now < ends and left < config.market.pause_margin_seconds:
        yield Condition(
            kind=Kind.MAINTENANCE,
            name=Kind.MAINTENANCE,
            detail=f"the venue pauses from {begins:%H:%M} to {ends:%H:%M} UTC",
            clears="its end",
        )


def _of_machine(seen: Figures, limits: HealthSection) -> Iterator[Condition]:
    if seen.loop_lag > limits.max_loop_lag_seconds:
        yield Condition(
            kind=Kind.LOOP_LATE,
            name=Kind.LOOP_LATE,
            detail=f"a cycle came {beside(limits.max_loop_lag_seconds * 1000, seen.loop_lag * 1000)} ms late (limit {limits.max_loop_lag_seconds * 1000:.0f} ms)",
            clears="a cycle in time",
        )
    if seen.free_bytes is not None and seen.free_bytes < limits.min_free_disk_megabytes * MEGABYTE:
        yield Condition(
            kind=Kind.DISK_FULL,
            name=Kind.DISK_FULL,
            detail=f"{seen.free_bytes / MEGABYTE:,.0f} MB left under data_dir"
            f" (limit {limits.min_free_disk_megabytes:,} MB)",
            clears="more free space",
        )
    for name, (depth, capacity) in seen.depths.items():
        if depth >= capacity * NEARLY_FULL:
            yield Condition(
                kind=Kind.QUEUE_FULL,
                name=f"queue {name} nearly full",
                detail=f"{depth} of {capacity} places taken",
                clears="its reader catching up",
            )


def _of_database(seen: Figures, limits: HealthSection) -> Iterator[Condition]:
    if seen.database_fault:
        yield Condition(
            kind=Kind.DATABASE_AWAY,
            name=Kind.DATABASE_AWAY,
            detail=seen.database_fault,
            clears="a read that succeeds",
        )
    elif seen.database_seconds > limits.max_database_seconds:
        yield Condition(
            kind=Kind.DATABASE_SLOW,
            name=Kind.DATABASE_SLOW,
            detail=f"a read takes {beside(limits.max_database_seconds, seen.database_seconds, 1)} s (limit {limits.max_database_seconds:g} s)",
            clears="a fast read",
        )
    if seen.database_read_only:
        yield Condition(
            kind=Kind.DATABASE_READ_ONLY,
            name=Kind.DATABASE_READ_ONLY,
            detail="the database takes no writes",
            clears="a database that may be written to",
        )


def _of_tasks(seen: Figures, limit: float) -> Iterator[Condition]:
    for name, age in seen.task_ages.items():
        if age > limit and name not in seen.tasks_down:
            yield Condition(
                kind=Kind.TASK_FROZEN,
                name=f"{name} frozen",
                detail=f"no cycle for {beside(limit, age)} s (limit {limit:g} s)",
                clears="a cycle",
            )
    for name, fault in seen.tasks_down.items():
        yield Condition(
            kind=Kind.TASK_DOWN, name=f"{name} restarting", detail=fault, clears="its first cycle"
        )
