"""Causes: several conditions of one failure are one thing to know, told once when it begins and once when it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from recio.rules.health.causes import Course, Incident, causes, follow
from recio.rules.health.conditions import Condition, Kind
from tests.builders import NOW


def holds(kind: Kind, about: str = "", detail: str = "detail") -> Condition:
    """A condition as the conditions name it: by its kind, or by the task it is about."""
    return Condition(kind=kind, name=f"{about} {kind}".strip(), detail=detail, clears="its end")


STALE = holds(Kind.RECONCILIATION_STALE)
PRICES = holds(Kind.PRICES_SILENT)
BOOKS = holds(Kind.BOOKS_SILENT)
UNKNOWN = holds(Kind.ORDER_UNKNOWN)
MARKET_DOWN = holds(Kind.TASK_DOWN, "market_sync", "socket: cannot connect")
ACCOUNT_DOWN = holds(Kind.TASK_DOWN, "account_sync", "GET /portfolio/balance: TimeoutError")
KEEPER_DOWN = holds(Kind.TASK_DOWN, "trade_manager", "database: ConnectionDoesNotExistError")
AWAY = holds(Kind.DATABASE_AWAY)
SLOW = holds(Kind.DATABASE_SLOW)
STARTING = (holds(Kind.NOT_RECONCILED), holds(Kind.NO_PRICE), holds(Kind.NO_MARKET))


@pytest.mark.parametrize(
    ("cause", "found"),
    [
        ("network away", (STALE, PRICES, BOOKS, MARKET_DOWN, ACCOUNT_DOWN)),
        ("network away", (UNKNOWN, PRICES, holds(Kind.NO_MARKET), MARKET_DOWN)),
        ("clock off", (STALE, PRICES, BOOKS, holds(Kind.CLOCK_OFF), holds(Kind.LISTS_OLD))),
        ("venue away", (STALE, UNKNOWN, BOOKS, holds(Kind.NO_MARKET), MARKET_DOWN, ACCOUNT_DOWN)),
        ("venue not read", (STALE, UNKNOWN, holds(Kind.LISTS_OLD))),
        ("venue away", (STALE, holds(Kind.LISTS_OLD), BOOKS, MARKET_DOWN)),
        ("starting", (*STARTING, holds(Kind.LISTS_OLD))),
        ("venue paused", (BOOKS, holds(Kind.VENUE_PAUSED), UNKNOWN)),
        ("database trouble", (STALE, AWAY, KEEPER_DOWN, holds(Kind.TASK_FROZEN, "account_sync"))),
        ("database trouble", (SLOW, holds(Kind.ORDER_UNANSWERED), holds(Kind.QUEUE_FULL, "queue outcomes"))),
        ("database trouble", (KEEPER_DOWN,)),
        ("disk nearly full", (STALE, holds(Kind.DISK_FULL), AWAY, KEEPER_DOWN)),
        (
            "event loop late",
            (STALE, PRICES, BOOKS, holds(Kind.LOOP_LATE), SLOW, holds(Kind.TASK_FROZEN, "entry")),
        ),
        ("starting", STARTING),
        ("executor frozen", (holds(Kind.TASK_FROZEN, "executor"), holds(Kind.ORDER_UNANSWERED))),
        ("market_sync frozen", (holds(Kind.TASK_FROZEN, "market_sync"), holds(Kind.NO_BOOK))),
    ],
)
def test_a_cascade_is_recognised_as_its_one_cause(cause: str, found: tuple[Condition, ...]):
    (named,) = causes(found)
    assert named.name == cause
    assert named.conditions == {each.name for each in found}
    assert len(named.consequences) == len(found) - 1, "one condition is the root, the others follow from it"


def test_failures_that_have_nothing_to_do_with_each_other_stay_apart():
    found = (PRICES, holds(Kind.CLOCK_OFF), holds(Kind.DISK_FULL))
    assert {each.name for each in causes(found)} == {"price sources silent", "clock off", "disk nearly full"}


def test_every_condition_stands_under_exactly_one_cause():
    everything = tuple(
        holds(kind, "task" if kind in (Kind.TASK_DOWN, Kind.TASK_FROZEN) else "") for kind in Kind
    )
    for left_out in everything:
        found = tuple(each for each in everything if each is not left_out)
        names = [name for cause in causes(found) for name in cause.conditions]
        assert sorted(names) == sorted(each.name for each in found)


def test_prices_alone_are_not_taken_for_the_network():
    assert [each.name for each in causes((PRICES,))] == ["price sources silent"]


def looks(*moments: tuple[float, tuple[Condition, ...]]) -> list[Course]:
    """One look after another, each at its second."""
    before: tuple[Incident, ...] = ()
    courses: list[Course] = []
    for at, found in moments:
        courses.append(follow(before, causes(found), NOW + timedelta(seconds=at), 1.0))
        before = courses[-1].open
    return courses


def test_a_failure_that_shows_itself_piece_by_piece_is_told_once():
    courses = looks(
        (0.0, (MARKET_DOWN,)),
        (0.5, (MARKET_DOWN, PRICES)),
        (2.0, (MARKET_DOWN, PRICES, ACCOUNT_DOWN)),
        (15.0, (BOOKS, PRICES, ACCOUNT_DOWN)),
        (60.0, (STALE, BOOKS, PRICES)),
        (61.0, (STALE,)),
        (62.0, ()),
    )
    told = [each.cause.name for course in courses for each in course.begun]
    ended = [(each.told, each.since) for course in courses for each in course.ended]
    assert told == ["network away"]
    assert ended == [("network away", NOW)]


def test_what_passes_before_it_shows_what_it_is_is_not_told():
    courses = looks((0.0, (holds(Kind.LOOP_LATE),)), (0.5, ()))
    assert [course.begun for course in courses] == [(), ()]
    assert [each.told for each in courses[1].ended] == [""]


def test_a_second_failure_during_the_first_is_told_by_itself():
    courses = looks((0.0, (PRICES,)), (3.0, (PRICES,)), (4.0, (PRICES, AWAY)), (6.0, (PRICES, AWAY)))
    assert [each.cause.name for course in courses for each in course.begun] == [
        "price sources silent",
        "database trouble",
    ]


def test_more_of_a_failure_that_was_told_is_seen_as_the_same_with_a_better_name():
    courses = looks(
        (0.0, (BOOKS,)), (2.0, (BOOKS,)), (5.0, (BOOKS, PRICES)), (6.0, (BOOKS, PRICES)), (7.0, ())
    )
    assert [each.cause.name for course in courses for each in course.begun] == ["venue away"]
    assert [each.cause.name for course in courses for each in course.clearer] == ["network away"]
    assert [each.told for course in courses for each in course.ended] == ["network away"]
