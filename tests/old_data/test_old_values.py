"""What one old value means: a moment, a number, a price; whatever way it was written, and whatever floats left behind."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from recio.old_data import values

AT = datetime(2025, 6, 28, 14, 28, 21, 15_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        1751120901015,
        "1751120901015",
        1751120901.015,
        "1751120901015000",
        "1751120901015000000",
        "2025-06-28T14:28:21.015Z",
        "2025-06-28 14:28:21.015+00",
        "2025-06-28 14:28:21.015 UTC",
        "2025-06-28T10:28:21.015",
        b"2025-06-28T14:28:21.015Z",
    ],
)
def test_a_moment_is_the_same_in_every_writing(written: object):
    found = values.moment(written)
    assert found is not None
    assert (found.at, found.doubtful) == (AT, False)


@pytest.mark.parametrize("written", ["9999-12-31T23:59:59", "0001-01-01", "1751-12-09", 12, "infinity"])
def test_what_is_no_moment_of_this_account_is_none(written: object):
    assert values.moment(written) is None


@pytest.mark.parametrize(
    ("written", "is_number"),
    [
        ("12,50", "12.50"),
        ("0,965", "0.965"),
        ("1.234,56", "1234.56"),
        ("-12,50", "-12.50"),
        ("$117,500", "117500"),
        ("1,234,567.89", "1234567.89"),
        (b"0.96", "0.96"),
        (1.0000000000000002, "1"),
        (27.000000000000004, "27"),
        (0.1 + 0.2, "0.3"),
        ("0.30000000000000004", "0.3"),
        (0.000123, "0.000123"),
    ],
)
def test_a_number_is_what_was_meant(written: object, is_number: str):
    assert values.number(written) == Decimal(is_number)


@pytest.mark.parametrize("written", ["1,2,3", "12,5,0", "1,23.4"])
def test_commas_without_a_meaning_make_no_number(written: str):
    assert values.number(written) is None


@pytest.mark.parametrize("written", [0.9999999, 0.00001, -0.5, 10_000])
def test_a_contract_costs_more_than_nothing_and_less_than_a_dollar(written: float):
    assert values.price(written) is None


def test_a_text_can_be_stored():
    assert values.words("a\0b\udce4") == "a?b?"


@pytest.mark.parametrize(
    ("day", "entered", "closed", "at"),
    [
        ("2025-11-02", "01:30:00", "01:10:00", "2025-11-02T06:10:00+00:00"),  # autumn: the hour's second time
        ("2025-11-02", "01:10:00", "01:30:00", "2025-11-02T05:30:00+00:00"),
        ("2025-11-02", "23:50:00", "01:10:00", "2025-11-03T06:10:00+00:00"),
        ("2025-03-09", "02:30:00", "03:00:05", "2025-03-09T07:00:05+00:00"),  # spring: there was no 02:30
        ("2025-08-20", "23:50:00", "00:00:05", "2025-08-21T04:00:05+00:00"),
    ],
)
def test_a_closing_time_of_day_is_the_first_after_the_entry(day: str, entered: str, closed: str, at: str):
    found = values.closing_moment(closed, day, values.local_moment(day, entered))
    assert found is not None
    assert found.at.isoformat() == at


@pytest.mark.parametrize("time", ["24:00:00", "25:61", "soon"])
def test_a_time_of_day_that_cannot_be_read_is_the_days_first_moment_and_in_doubt(time: str):
    found = values.local_moment("2025-08-01", time)
    assert found is not None
    assert (found.at.isoformat(), found.doubtful) == ("2025-08-01T04:00:00+00:00", True)
