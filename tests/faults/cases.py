"""The fault grid's cases: every numbered point of the order path under every fault that can meet it there.

A case says where the daemon dies, what goes wrong meanwhile, and what must be going on for the point to
be reached. The list is enumerated and never drawn: the same commit has the same cases, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from recio.test_hooks.crash_points import CrashPoint as P


class Doing(StrEnum):
    """What the daemon is asked to do while a case runs."""

    TURNING_OVER = "turning over"
    """Exits are wanted at once, so that entries and exits follow each other."""
    HOLDING = "holding"
    """No exits: trades end by settlement."""
    SETTLING = "settling"
    """No exits, the venue settles late, and a person says how a market ended."""
    STOPPING = "stopping"
    """Asked to stop (SIGTERM) once an order has been placed."""
    STARTING = "starting"
    """Started after a run that the trouble met and that died without knowing what became of its order."""
    RESTORING = "restoring"
    """Started on a copy of its rows that is older than some of its orders."""


class When(StrEnum):
    BEFORE = "before"
    """Armed before the daemon starts: the first request or frame of the kind meets it."""
    RUNNING = "running"
    """Armed once the daemon answers: it acts at the moment it is armed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A fault of the exchange, or of the database, as a case asks for it."""

    name: str
    ask: tuple[tuple[str, Any], ...] = ()
    when: When = When.BEFORE
    of_market: bool = False


NOTHING = Trouble(name="nothing else")
DATABASE_CUT = Trouble(name="database connections cut", when=When.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    number: int
    point: P
    trouble: Trouble
    doing: Doing
    first: tuple[Trouble, ...] = field(default=())
    """What has to go wrong before, for the point to be reached at all."""
    passings: tuple[int, ...] = (1, 3)
    """At which passing of the point the daemon dies; the next is tried when the trouble came after the first."""

    @property
    def title(self) -> str:
        return f"{self.point.value:03d} {self.point.name} x {self.trouble.name}"


def _request(kind: str, on: str, **more: Any) -> Trouble:
    ask = {"kind": kind, "on": on, **more}
    return Trouble(name=f"{kind} ({on})" if on == "reads" else kind, ask=tuple(ask.items()))


def _plain(kind: str, *, when: When = When.BEFORE, of_market: bool = False, **more: Any) -> Trouble:
    return Trouble(name=kind, ask=(("kind", kind), *more.items()), when=when, of_market=of_market)


_KINDS_OF_REQUEST = (
    "lose_request",
    "lose_reply",
    "duplicate_reply",
    "too_many_requests",
    "error_500",
    "error_502",
    "error_503",
    "error_504",
    "error_in_2xx",
    "truncated_json",
    "unknown_field",
    "reset",
)
ON_ORDERS = (
    *(_request(kind, "orders") for kind in _KINDS_OF_REQUEST),
    _request("delay_reply", "orders", seconds=0.3),
    Trouble(
        name="delay_reply (too late)",
        ask=(("kind", "delay_reply"), ("on", "orders"), ("seconds", 1.2)),
    ),
    _request("fill_first", "orders", seconds=0.3),
)
ON_READS = (
    *(_request(kind, "reads", count=2) for kind in _KINDS_OF_REQUEST),
    _request("delay_reply", "reads", seconds=0.3, count=3),
    _plain("lag_reads", seconds=4.0, lag_seconds=45.0),
)
ON_SOCKETS = (
    _plain("drop_sockets", when=When.RUNNING),
    _plain("silence", when=When.RUNNING, seconds=1.5),
    _plain("skip_seq", count=2),
    _plain("duplicate_frame", count=4),
    _plain("swap_frames", count=2),
    _plain("empty_snapshot", count=2),
    _plain("drop_fills", count=2),
    _plain("hold_fills", when=When.RUNNING, seconds=1.0),
    _plain("strange_frame", count=3),
    _plain("channel_error", when=When.RUNNING),
    _plain("buffer_overflow", when=When.RUNNING),
    _plain("refuse_subscribe", count=1),
)
OF_VENUE = (
    _plain("trading_pause", when=When.RUNNING, seconds=1.0),
    _plain("exchange_pause", when=When.RUNNING, seconds=1.0),
    _plain("shard_outage", when=When.RUNNING, seconds=1.0),
    _plain("deactivate", seconds=1.0, of_market=True),
    _plain("early_close", of_market=True),
    _plain("change_grid", of_market=True),
    _plain("delay_settlement", seconds=1.0, count=1),
    _plain("correct_settlement", count=1),
)
OF_FEEDS = (
    _plain("feed_silent", ticker="coinbase", when=When.RUNNING, seconds=2.0),
    _plain("feed_dead", ticker="coinbase", when=When.RUNNING, seconds=2.0),
    _plain("feed_frozen", ticker="coinbase", when=When.RUNNING, seconds=2.0),
    _plain("feed_off", ticker="coinbase", when=When.RUNNING, seconds=2.0, percent=1.0),
)
LOST = _request("lose_request", "orders")
UNANSWERED = _request("lose_reply", "orders")
SETTLES_LATE = _plain("delay_settlement", seconds=10.0, count=4)

_INTENT = tuple(P(n) for n in (1, 2, 10, 11, 15))
_EXIT = tuple(P(n) for n in (3, 4, 16, 20, 24))
_COMMAND = tuple(P(n) for n in (23, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 41, 42))
_UNRESOLVED = (P.REQUEST_UNRESOLVED,)
_OUTCOME = tuple(P(n) for n in range(50, 59))
_FACT = tuple(P(n) for n in (60, 61, 62, 63, 67, 68, 69))
_SETTLEMENT = tuple(P(n) for n in (64, 65, 70, 94, 95, 96))
_BY_HAND = tuple(P(n) for n in (71, 72, 73))
_ABSENCE = tuple(P(n) for n in (66, 92, 93))
_HINT = tuple(P(n) for n in (80, 81, 82, 83))
_READ = tuple(P(n) for n in (84, 85, 86, 87, 88, 89, 90, 97, 98, 99))
_FOUND = (P.ORDER_SENT,)
_START = tuple(P(n) for n in range(110, 121))
_STOP = tuple(P(n) for n in range(130, 139))
_RESTORE = tuple(P(n) for n in (74, 75, 100, 101))

_TURNING = (*_INTENT, *_EXIT, *_COMMAND, *_OUTCOME)
_EVERYWHERE = (NOTHING, DATABASE_CUT)


EARLY = (1, 4)
LATER = (4, 9)
"""Comparisons begin before there is an order or a socket that a trouble could meet."""
ONCE = (1,)

_SITUATIONS: tuple[
    tuple[tuple[P, ...], Doing, tuple[Trouble, ...], tuple[int, ...], tuple[Trouble, ...]], ...
] = (
    (_TURNING, Doing.TURNING_OVER, (), (1, 3), (*_EVERYWHERE, *ON_ORDERS, *ON_SOCKETS, *OF_VENUE)),
    (_INTENT[:2], Doing.TURNING_OVER, (), (2, 4), OF_FEEDS),
    (_UNRESOLVED, Doing.TURNING_OVER, (UNANSWERED,), (1, 2), (*_EVERYWHERE, *ON_ORDERS, *ON_SOCKETS)),
    (_FOUND, Doing.TURNING_OVER, (UNANSWERED,), (1, 2), (*_EVERYWHERE, *ON_ORDERS, *ON_SOCKETS, *ON_READS)),
    (_FACT, Doing.TURNING_OVER, (), EARLY, (*_EVERYWHERE, *ON_ORDERS, *ON_SOCKETS, *OF_VENUE)),
    (_FACT, Doing.TURNING_OVER, (), EARLY, ON_READS),
    (_SETTLEMENT, Doing.HOLDING, (), (1,), (*_EVERYWHERE, *ON_READS, *OF_VENUE)),
    (_ABSENCE, Doing.TURNING_OVER, (LOST,), (1,), (*_EVERYWHERE, *ON_ORDERS, *ON_READS)),
    (_HINT[:3], Doing.TURNING_OVER, (), (1, 4), (*_EVERYWHERE, *ON_ORDERS, *ON_SOCKETS)),
    (_READ, Doing.TURNING_OVER, (), EARLY, (*_EVERYWHERE, *ON_READS)),
    (_READ, Doing.TURNING_OVER, (), LATER, (*ON_ORDERS, *ON_SOCKETS, *OF_VENUE)),
    ((P.LISTENING_ANEW,), Doing.TURNING_OVER, (), (2,), ON_SOCKETS[:1]),
    (_START, Doing.STARTING, (), ONCE, (*_EVERYWHERE[:1], *ON_ORDERS)),
    (_STOP, Doing.STOPPING, (), ONCE, (*_EVERYWHERE, *ON_ORDERS)),
    (_BY_HAND, Doing.SETTLING, (SETTLES_LATE,), ONCE, (*_EVERYWHERE, *ON_READS)),
    (_RESTORE, Doing.RESTORING, (), ONCE, (NOTHING, *ON_READS)),
)


def every_case() -> tuple[Case, ...]:
    """Points by troubles, each point in the situation in which it is reached."""
    return tuple(replace(case, number=number) for number, case in enumerate(_crossed(), start=1))


def _crossed() -> Iterator[Case]:
    for points, doing, first, passings, troubles in _SITUATIONS:
        for point in points:
            for trouble in troubles:
                yield Case(
                    number=0, point=point, trouble=trouble, doing=doing, first=first, passings=passings
                )


def spread(cases: tuple[Case, ...], count: int) -> tuple[Case, ...]:
    """So many cases, evenly over the whole list, with every point's group in it."""
    if count >= len(cases):
        return cases
    return tuple(cases[index * len(cases) // count] for index in range(count))
