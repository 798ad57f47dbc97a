"""What `recio doctor` says of the key when the venue does not answer: nothing that would have somebody change a good key."""

from __future__ import annotations

from typing import Any

import pytest

from recio.commands import examine_venue
from recio.errors import Transient


async def test_a_venue_that_asks_for_patience_says_nothing_of_the_key(monkeypatch: pytest.MonkeyPatch):
    async def patience(_: Any) -> None:
        raise Transient("GET /portfolio/balance: 429 too_many_requests")

    monkeypatch.setattr(examine_venue, "balances", patience)
    rest: Any = None
    found = await examine_venue._money(rest)
    assert "429" in found.says
    assert "says nothing of the key" in found.do
