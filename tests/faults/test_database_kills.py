"""A few of the database's deaths for every run: killed whole with -9 under trading, nothing is lost."""

from __future__ import annotations

import pytest

from tests.faults.kill_database import KILLS_PER_PROOF, kill_often

LONGEST_SECONDS = 120


@pytest.mark.timeout(400)
@pytest.mark.long
async def test_with_its_database_killed_again_and_again_nothing_is_lost_doubled_or_forgotten():
    tally = await kill_often(KILLS_PER_PROOF, workers=1, seed=7, seconds=LONGEST_SECONDS, loud=False)
    assert tally.failures == []
    assert (tally.kills, tally.proofs) == (KILLS_PER_PROOF, 1)
