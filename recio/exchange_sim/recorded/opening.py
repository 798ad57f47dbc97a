"""Opens a recorded session: reads it whole, says what it lacks and starts its clock; it serves nobody."""

from __future__ import annotations

from pathlib import Path

import structlog

from recio.exchange_sim.clock import iso
from recio.exchange_sim.recorded.inspection import Recording, open_recording
from recio.exchange_sim.recorded.waiting import Waiting

log = structlog.get_logger(__name__)


def open_session(folder: Path) -> Recording:
    """Read the session whole and say what it lacks. Raises BadSession."""
    recording = open_recording(folder)
    log.info(
        "recording opened",
        session=recording.files.name,
        begins=iso(recording.begin_ms),
        ends=iso(recording.end_ms),
        frames=recording.frames,
        spot_trades=recording.spot_trades,
        clock_offset_ms=round(recording.offset_ns / 1_000_000),
    )
    if not recording.spot_trades:
        log.warning("recording has no spot trades", effect="the price feed sends heartbeats only")
    for window in recording.windows:
        if not window.result:
            log.warning("result of window not recorded", ticker=window.ticker, effect="it stays closed")
        if window.strike is None:
            log.warning("strike of window not recorded", ticker=window.ticker, effect="it gets none")
    return recording


def start_waiting(recording: Recording, *, speed: float, lead_seconds: float, for_client: bool) -> Waiting:
    """The clock of the session, running; it waits for a client only with a lead to wait in."""
    waiting = Waiting(
        begin_ms=recording.begin_ms,
        speed=speed,
        lead_seconds=lead_seconds,
        over=not for_client or lead_seconds <= 0,
    )
    waiting.start()
    return waiting
