"""Replays recordings of either kind and hands back the whole report, or raises before anything of it is seen."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from recio.recording.decode import is_own_recording
from recio.replay.findings import ReplayReport, SessionFound
from recio.replay.own_recording import OwnRecording, own_recordings, trade_own
from recio.replay.playback import replay_session
from recio.replay.session import Look
from recio.replay.session_files import SessionFiles, find_sessions
from recio.rules.pricing.model import AVERAGE, Model
from recio.settings.config import Config

T = TypeVar("T")
Recording = SessionFiles | OwnRecording


def replay(paths: Sequence[Path], config: Config, model: Model = AVERAGE) -> ReplayReport:
    """Trade every recording under `paths` on paper, each from a fresh start with entries switched on.

    Raises BadRecording naming the file, the line and what is wrong with it.
    """
    return ReplayReport(
        sessions=tuple(each_by_itself(partial(play, config=config, model=model), find_recordings(paths)))
    )


def each_by_itself(work: Callable[[Recording], T], recordings: Sequence[Recording]) -> Iterator[T]:
    """What comes of every recording, in their order; several are worked on at once, each in a process of its own.

    `work` must be a function that another process can be given. Its exceptions are raised here, in that order too.
    """
    most = min(len(recordings), os.cpu_count() or 1)
    if most < 2:
        yield from map(work, recordings)
        return
    with ProcessPoolExecutor(max_workers=most, initializer=_end_quietly) as pool:
        try:
            yield from pool.map(work, recordings)
        except KeyboardInterrupt:
            for each in multiprocessing.active_children():
                each.terminate()
            raise


def _end_quietly() -> None:
    """Ctrl-C in a terminal reaches every process: who asked is told once, by the first of them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def find_recordings(paths: Sequence[Path]) -> list[Recording]:
    """Sessions of the venue's frames and recordings of the daemon's own. Raises BadRecording."""
    own = [path for path in paths if is_own_recording(path)]
    others = [path for path in paths if path not in own]
    return [*own_recordings(own), *(find_sessions(others) if others or not own else ())]


def play(
    recording: Recording, config: Config, model: Model = AVERAGE, look: Look | None = None
) -> SessionFound:
    """Raises BadRecording."""
    match recording:
        case SessionFiles():
            return replay_session(recording, config, model, look)
        case OwnRecording():
            return trade_own(recording, config, model, look)
