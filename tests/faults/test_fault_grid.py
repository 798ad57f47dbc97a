"""The fault grid's selection for every run: cases spread over all points and troubles, each on real processes."""

from __future__ import annotations

import pytest

from recio.exchange_sim.faults.kinds import FaultKind
from recio.test_hooks.crash_points import CrashPoint
from tests.faults.cases import every_case, spread
from tests.faults.run_grid import run_cases

SELECTION = 8
LONGEST_SECONDS = 240
"""Host seconds after which no case is begun; what was not tried is then missing from the results."""


def test_the_grid_has_every_crash_point_and_at_least_1500_cases():
    cases = every_case()
    assert {case.point for case in cases} == set(CrashPoint)
    assert len({case.title for case in cases}) == len(cases) >= 1500


def test_every_fault_of_the_grid_is_one_that_the_exchange_knows():
    kinds = {
        dict(each.ask)["kind"] for case in every_case() for each in (*case.first, case.trouble) if each.ask
    }
    assert kinds <= set(FaultKind)


@pytest.mark.timeout(600)
async def test_killed_at_any_point_under_any_fault_nothing_is_lost_doubled_or_forgotten():
    cases = spread(every_case(), SELECTION)
    results = await run_cases(cases, workers=2, seconds=LONGEST_SECONDS, loud=False)
    broken = {each.title: each.failures for each in results if each.failures}
    assert not broken
    happened = [each for each in results if each.happened]
    assert len(happened) >= SELECTION * 2 // 3, {each.title: each.rejections for each in results}
