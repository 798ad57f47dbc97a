"""Some windows of a soak: several members over a bad network, money exact and nothing left over."""

from __future__ import annotations

import pytest

from tests.exchange_sim.soak import soak


@pytest.mark.timeout(120)
@pytest.mark.parametrize("quiet", [pytest.param(False, marks=pytest.mark.long), True])
async def test_money_is_exact_and_nothing_is_left_over_after_requests_that_were_late_or_lost(
    quiet: bool,
) -> None:
    """Six windows of a minute; `make soak` lives a day."""
    report = await soak(hours=0.1, speed=60.0, members=3, window_seconds=60, quiet=quiet, least_orders=60)
    assert report.unknown > 0
    assert report.late > 0
    assert report.fills > 0
    assert not quiet or report.between_members > 0
