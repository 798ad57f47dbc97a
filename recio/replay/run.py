"""Replays recordings and hands back the whole report, or raises before anything of it is seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recio.config import Config
from recio.replay.findings import ReplayReport
from recio.replay.recording import find_sessions
from recio.replay.session import replay_session
from recio.rules.model import AVERAGE, Model


def replay(paths: Sequence[Path], config: Config, model: Model = AVERAGE) -> ReplayReport:
    """Replay every session under `paths`, each from a fresh start with entries switched on.

    Raises BadRecording naming the file, the line and what is wrong with it.
    """
    return ReplayReport(
        sessions=tuple(replay_session(files, config, model) for files in find_sessions(paths))
    )
