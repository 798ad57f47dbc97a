"""Puts a recorded session where a simulation would be: its clock, its playback, its spot feeds; it serves nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import msgspec
import structlog

from recio.exchange_sim.clock import VenueClock, iso
from recio.exchange_sim.credentials import CREDENTIALS_FILE, ClockOrigin, Credentials, write_private
from recio.exchange_sim.engine.units import read_money
from recio.exchange_sim.faults.faults import Faults
from recio.exchange_sim.recorded.inspection import Recording, open_recording
from recio.exchange_sim.recorded.playback import Playback
from recio.exchange_sim.recorded.waiting import Waiting
from recio.exchange_sim.simulation import Simulation
from recio.exchange_sim.spot.feeds import Feeds
from recio.exchange_sim.spot.recorded_trades import RecordedSpot

if TYPE_CHECKING:
    from recio.exchange_sim.server import ExchangeSettings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What an exchange runs instead of a simulation and its spot venues."""

    simulation: Simulation
    feeds: Feeds
    over: Callable[[], bool]


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


def start_waiting(recording: Recording, settings: ExchangeSettings) -> Waiting:
    """The clock of the session, running."""
    lead_seconds = settings.recording_lead_seconds
    wait = settings.recording_wait_for_client
    waiting = Waiting(
        begin_ms=recording.begin_ms,
        speed=settings.speed,
        lead_seconds=lead_seconds,
        over=not wait or lead_seconds <= 0,
    )
    waiting.start()
    return waiting


def play(
    recording: Recording,
    settings: ExchangeSettings,
    faults: Faults,
    clock: VenueClock,
    credentials: Credentials,
) -> Played:
    now_ms = clock.milliseconds()
    playback = Playback(
        recording,
        instance=credentials.instance,
        now_ms=now_ms,
        timetable=settings.timetable,
        balance=read_money(settings.balance_dollars),
        user_id=str(uuid4()),
    )
    playback.spot = RecordedSpot(recording, faults, now_ms=now_ms)
    # The exchange asks of a simulation only what a playback answers as well.
    return Played(simulation=cast(Simulation, playback), feeds=playback.spot.feeds, over=playback.over)


def announce_again(directory: Path, credentials: Credentials, clock: VenueClock) -> None:
    """Write the credentials file anew with another clock."""
    origin = ClockOrigin(speed=clock.speed, host_origin=clock.host_origin, venue_origin=clock.venue_origin)
    encoded = msgspec.json.encode(replace(credentials, clock=origin))
    write_private(directory / CREDENTIALS_FILE, msgspec.json.format(encoded, indent=2))
