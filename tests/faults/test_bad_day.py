"""The first market minutes of the bad day, for every run of the stories; `make bad-day` lives it whole."""

from __future__ import annotations

import pytest

from tests.faults.bad_day import Plan, bad_day


@pytest.mark.timeout(600)
@pytest.mark.long
async def test_half_an_hour_of_failing_reads_late_orders_and_a_person_loses_no_stop_and_no_cent():
    found = await bad_day(Plan(hours=0.5, speed=30.0, seed=7, logs=None))
    assert (found["failed"], found["lost_stops"], found["halts"]) == ([], [], {})
    assert found["faults"]
    assert found["deeds"]
    assert found["orders"]
