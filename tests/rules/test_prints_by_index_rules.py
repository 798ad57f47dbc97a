"""Prints that were read later take the seconds of which none was heard, and no other."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from recio.messages.prices import IndexValue
from recio.rules.price.prints_by_index import PRINTS_KEPT, PrintsByIndex, has_hole
from tests.builders import NOW


def made(second: float, value: int = 1) -> IndexValue:
    at = NOW + timedelta(seconds=second)
    return IndexValue(
        sid=None,
        seq=None,
        index_id="BRTI",
        value=Decimal(value),
        at=at,
        received_at=at,
        final_minute_mean=None,
    )


def test_what_was_heard_stays_and_what_was_missed_is_filled_in_its_order():
    prints = PrintsByIndex()
    for second in (1, 2, 5.25):
        prints.heard(made(second))
    found = {"BRTI": tuple(made(second, 7) for second in (0, 2, 3, 4, 5, 6))}
    history = prints.read(found)
    assert history is not None
    seconds = [(each.at - NOW).total_seconds() for each in history.prints["BRTI"]]
    assert seconds == [0, 1, 2, 3, 4, 5.25, 6]
    assert [int(each.value) for each in history.prints["BRTI"]] == [7, 1, 1, 7, 7, 1, 7]
    assert prints.read(found) is None, "nothing that is known already is news"


def test_no_more_are_kept_than_the_newest():
    prints = PrintsByIndex()
    history = prints.read({"BRTI": tuple(made(second) for second in range(PRINTS_KEPT + 30))})
    assert history is not None
    assert [each.at for each in history.prints["BRTI"]] == [
        NOW + timedelta(seconds=second) for second in range(30, PRINTS_KEPT + 30)
    ]


def test_a_refused_channel_is_said_until_it_brings_a_print():
    prints = PrintsByIndex(is_refused=True, why_none="the venue refused it")
    history = prints.read({"BRTI": (made(0),)})
    assert history is not None
    assert (history.is_refused, history.why_none, len(history.prints["BRTI"])) == (
        True,
        "the venue refused it",
        1,
    )
    history = prints.heard(made(1))
    assert (history.is_refused, history.why_none) == (False, "")


@pytest.mark.parametrize(
    ("missing", "expected"), [((), False), ((10,), False), ((10, 20, 30), False), ((10, 11, 12, 13), True)]
)
def test_a_minute_has_a_hole_when_more_than_a_few_prints_of_it_are_missing(
    missing: tuple[int, ...], expected: bool
):
    now: datetime = NOW + timedelta(seconds=100)
    whole = [made(second) for second in range(100 - 3 + 1) if second - 38 not in missing]
    assert has_hole(whole, now) is expected
    assert has_hole([], now)
    assert has_hole(whole, now + timedelta(seconds=10))
