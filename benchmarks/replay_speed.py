"""How much faster than the market `recio replay` goes: over recordings of the venue where there are some, else over the daemon's own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.children import ROOT, python
from benchmarks.figures import Figure, Subject
from benchmarks.run import Run

SESSIONS = 2
"""Of fifteen minutes each."""
LONGEST = 240


def measure(run: Run, own: Path) -> Subject:
    """`own` is what the daemon recorded of the orders above; it is decided again whether or not there are others."""
    figures = [_own(own)]
    if "RECIO_DATA" in os.environ:
        figures.insert(0, _recorded(Path(os.environ["RECIO_DATA"]), 1 if run.quick else SESSIONS))
    notes = (
        ()
        if "RECIO_DATA" in os.environ
        else ("RECIO_DATA is not set: no recordings of the venue were replayed.",)
    )
    return Subject(title="Replay", figures=figures, notes=notes)


def _recorded(data: Path, most: int) -> Figure:
    sessions = sorted((data / "kalshi_btc15m_ws_dev").iterdir())[:most]
    took, said = _replayed([str(each) for each in sessions if each.is_dir()])
    covered = sum(
        (_at(each["ended_at"]) - _at(each["began_at"])).total_seconds() for each in said["sessions"]
    )
    return _figure(
        "market time replayed, recordings of the venue", covered / took, f"{said['messages']:,} messages"
    )


def _own(folder: Path) -> Figure:
    """The cycles of a recording hold all that was seen; their number over the rate of cycles is their market time."""
    took, said = _replayed([str(folder)])
    cycles = said["entry_cycles"] + said["exit_cycles"]
    return Figure(
        name="decision cycles of its own recording decided again",
        value=cycles / took,
        unit="/s",
        beside=f"{cycles:,} cycles, {said['different']} decided otherwise",
    )


def _figure(name: str, ratio: float, beside: str) -> Figure:
    return Figure(name=name, value=ratio, unit="x", beside=beside, target="1,000 x", met=ratio >= 1_000)


def _replayed(paths: list[str]) -> tuple[float, dict[str, Any]]:
    """Seconds of the whole command, the interpreter's start included, and what it said."""
    began = time.perf_counter()
    done = subprocess.run(
        python("-m", "recio", "replay", "--json", *paths),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=LONGEST,
    )
    return time.perf_counter() - began, json.loads(done.stdout)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
