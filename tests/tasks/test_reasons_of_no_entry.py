"""What entry tells of its waiting: each reason when it comes, and none again and again."""

from __future__ import annotations

import structlog
from structlog.testing import capture_logs

from recio.rules.decision.entry import Waits
from recio.tasks import entry
from recio.tasks.entry import Reported


async def test_reasons_that_take_turns_each_second_are_told_once_each(monkeypatch):
    now = [1_000.0]
    monkeypatch.setattr(entry.anyio, "current_time", lambda: now[0])
    monkeypatch.setattr(entry, "log", structlog.get_logger())
    reported = Reported()
    with capture_logs() as told:
        for second in range(30):
            now[0] = 1_000.0 + second
            gate, symbol = ("no book", "BTC") if second % 2 else ("edge", "ETH")
            reported.waits(Waits(gate=gate, sentence=f"{symbol}: {gate}"), {"ticker": symbol})
    assert [each["sentence"] for each in told] == ["ETH: edge", "BTC: no book"] * 2
