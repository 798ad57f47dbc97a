"""What lies behind conditions that hold together: one cause with its consequences, told once; it clears nothing.

The conditions stop entries whatever is made of them here. This only decides what a person is told: a
network that is gone shows as silent prices, silent books, tasks that start over and an old comparison,
and is one thing to know and not five.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from recio.messages.markets import VenuePhase
from recio.rules.health.conditions import Condition, Kind

GATHER_SECONDS = 2.0
"""Host seconds in which the parts of one failure are waited for before it is told."""
BEYOND = frozenset({"market_sync", "discovery", "account_sync"})
"""Tasks that need the venue."""
NEED_ROWS = frozenset({"trade_manager", "account_sync", "price_feed", "failure_detector"})
"""Tasks that need the database."""
ACCOUNT = frozenset(
    {Kind.NOT_RECONCILED, Kind.RECONCILIATION_STALE, Kind.ORDER_UNKNOWN, Kind.ORDER_UNANSWERED}
)
"""What is not known of the account while nobody can be asked."""
BLIND = frozenset({Kind.NO_MARKET, Kind.LISTS_OLD, Kind.NO_BOOK, Kind.BOOKS_SILENT, Kind.VENUE_PAUSED})
"""What a venue that is not heard looks like."""
PRICELESS = frozenset({Kind.NO_PRICE, Kind.PRICES_SILENT})
WAITING = frozenset({Kind.TASK_FROZEN, Kind.TASK_DOWN})
STARTING = frozenset({Kind.NOT_RECONCILED, Kind.NO_PRICE, Kind.NO_MARKET, Kind.LISTS_OLD, Kind.NO_BOOK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What is wrong, and the names of the conditions that follow from it or show it."""

    name: str
    sentence: str
    consequences: tuple[str, ...] = ()
    conditions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A cause from its first condition to its last; whoever it is told to hears of it once."""

    cause: Cause
    since: datetime
    told: str = ""
    """The name of the cause that was told; empty: not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What has to be told after a look."""

    open: tuple[Incident, ...]
    begun: tuple[Incident, ...]
    clearer: tuple[Incident, ...]
    """Told under another name before, of which more is seen now."""
    ended: tuple[Incident, ...]


def causes(found: Sequence[Condition]) -> tuple[Cause, ...]:
    """Each condition under exactly one cause, the deepest cause first."""
    left = list(found)
    named: list[Cause] = []
    for root in (_loop, _disk, _database, _start, _network, _venue, _task):
        cause = root(left)
        if cause is not None:
            named.append(cause)
            left = [each for each in left if each.name not in cause.conditions]
    named.extend(_alone(each) for each in left)
    return tuple(named)


def follow(before: Iterable[Incident], now_named: Sequence[Cause], now: datetime, speed: float) -> Course:
    """Continue, begin and end incidents: a cause that shares a condition with one is the same incident.

    An incident is begun, and told, when it has lasted long enough to show what it is.
    """
    ended = list(before)
    still: list[Incident] = []
    begun: list[Incident] = []
    clearer: list[Incident] = []
    for cause in now_named:
        same = [each for each in ended if each.cause.conditions & cause.conditions]
        ended = [each for each in ended if each not in same]
        incident = Incident(
            cause=cause,
            since=min((each.since for each in same), default=now),
            told=next((each.told for each in same if each.told), ""),
        )
        if incident.told and _tells_more(incident, same):
            incident = replace(incident, told=cause.name)
            clearer.append(incident)
        elif not incident.told and now - incident.since >= timedelta(seconds=GATHER_SECONDS * speed):
            incident = replace(incident, told=cause.name)
            begun.append(incident)
        still.append(incident)
    return Course(open=tuple(still), begun=tuple(begun), clearer=tuple(clearer), ended=tuple(ended))


def _tells_more(incident: Incident, before: Sequence[Incident]) -> bool:
    known = max(len(each.cause.conditions) for each in before)
    return incident.cause.name != incident.told and len(incident.cause.conditions) > known


def _loop(found: Sequence[Condition]) -> Cause | None:
    """A loop that stood still makes everything old at once, and says nothing about anything else."""
    root = _first(found, {Kind.LOOP_LATE})
    return None if root is None else _because(root, root.name, found, _everything_that_ages(found))


def _disk(found: Sequence[Condition]) -> Cause | None:
    root = _first(found, {Kind.DISK_FULL})
    trouble = _of(found, {Kind.DATABASE_AWAY, Kind.DATABASE_SLOW, Kind.DATABASE_READ_ONLY})
    if root is None:
        return None
    return _because(root, root.name, found, trouble + (_of_database(found) if trouble else []))


def _database(found: Sequence[Condition]) -> Cause | None:
    """Also when the first to notice is a task that could not write."""
    root = _first(found, {Kind.DATABASE_AWAY, Kind.DATABASE_READ_ONLY, Kind.DATABASE_SLOW})
    blamed = [each for each in _of(found, {Kind.TASK_DOWN}) if each.detail.startswith("database: ")]
    root = root or next(iter(blamed), None)
    return None if root is None else _because(root, "database trouble", found, _of_database(found))


def _start(found: Sequence[Condition]) -> Cause | None:
    """Nothing was heard of anything yet."""
    root = _first(found, {Kind.NOT_RECONCILED})
    if root is None or _of(found, {Kind.TASK_DOWN, Kind.TASK_FROZEN}):
        return None
    return _because(root, "starting", found, _of(found, STARTING))


def _network(found: Sequence[Condition]) -> Cause | None:
    """Prices and venue come over different lines: both gone at once is the line they share."""
    prices, venue = _first(found, PRICELESS), _venue_root(found)
    if prices is None or venue is None:
        return None
    clock = _first(found, {Kind.CLOCK_OFF})
    shown = _of_venue(found) + _of(found, PRICELESS)
    if clock is not None:
        # By a clock that was stepped everything is old at once, and whoever tells its error is heard.
        return _because(clock, clock.name, found, shown)
    what = f"neither the venue nor any price source is heard: {venue.detail}"
    return _because(replace(venue, detail=what), "network away", found, shown)


def _venue(found: Sequence[Condition]) -> Cause | None:
    root = _venue_root(found)
    if root is None:
        return None
    is_named = root.kind is Kind.LISTS_OLD or (root.kind is Kind.VENUE_PAUSED and _says_so(root))
    name = root.name if is_named else "venue away"
    return _because(root, name, found, _of_venue(found))


def _task(found: Sequence[Condition]) -> Cause | None:
    """A task that stands still fills the queue it reads from, and leaves orders without answer."""
    root = _first(found, {Kind.TASK_FROZEN})
    if root is None:
        return None
    what = {Kind.QUEUE_FULL, Kind.ORDER_UNANSWERED, Kind.RECONCILIATION_STALE, Kind.PRICES_SILENT, *BLIND}
    return _because(root, root.name, found, _of(found, what))


def _venue_root(found: Sequence[Condition]) -> Condition | None:
    """A venue that says that it pauses tells more than a task that cannot reach it, and that more than silence."""
    down = [each for each in _of(found, {Kind.TASK_DOWN}) if _task_of(each) in BEYOND]
    silent = _first(found, {Kind.BOOKS_SILENT})
    paused = _first(found, {Kind.VENUE_PAUSED})
    if paused is not None and _says_so(paused):
        return paused
    return next(iter(down), silent or _first(found, {Kind.LISTS_OLD}) or paused)


def _says_so(paused: Condition) -> bool:
    return not paused.detail.startswith(VenuePhase.UNKNOWN)


def _of_venue(found: Sequence[Condition]) -> list[Condition]:
    tasks = [each for each in _of(found, WAITING) if _task_of(each) in BEYOND]
    return tasks + _of(found, BLIND | ACCOUNT | {Kind.QUEUE_FULL})


def _of_database(found: Sequence[Condition]) -> list[Condition]:
    tasks = [each for each in _of(found, WAITING) if _task_of(each) in NEED_ROWS]
    kinds = {Kind.DATABASE_AWAY, Kind.DATABASE_SLOW, Kind.DATABASE_READ_ONLY, Kind.QUEUE_FULL}
    return tasks + _of(found, ACCOUNT | BLIND | kinds)


def _everything_that_ages(found: Sequence[Condition]) -> list[Condition]:
    spared = {Kind.DISK_FULL, Kind.MAINTENANCE, Kind.CLOCK_OFF, Kind.DATABASE_READ_ONLY}
    return [each for each in found if each.kind not in spared]


def _task_of(condition: Condition) -> str:
    return condition.name.split(" ", 1)[0]


def _of(found: Sequence[Condition], kinds: Iterable[Kind]) -> list[Condition]:
    wanted = set(kinds)
    return [each for each in found if each.kind in wanted]


def _first(found: Sequence[Condition], kinds: Iterable[Kind]) -> Condition | None:
    return next(iter(_of(found, kinds)), None)


def _because(root: Condition, name: str, found: Sequence[Condition], shown: Sequence[Condition]) -> Cause:
    names = {each.name for each in shown} | {root.name}
    return Cause(
        name=name,
        sentence=root.detail,
        consequences=tuple(each.name for each in found if each.name in names and each.name != root.name),
        conditions=frozenset(names),
    )


def _alone(condition: Condition) -> Cause:
    return Cause(name=condition.name, sentence=condition.detail, conditions=frozenset({condition.name}))
