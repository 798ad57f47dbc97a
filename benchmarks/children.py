"""The processes a measurement starts: each is stopped when its measurement ends, however it ends; it stops no other.

What they used is read from /proc: processor seconds to the nanosecond, resident memory in bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STOP_WITHIN = 15.0
PAGE = os.sysconf("SC_PAGE_SIZE")


class DidNotHappen(Exception):
    """Something that a process was to bring about did not come within its time."""


@contextmanager
def child(
    command: Sequence[str], log: Path, *, piped: bool = False, more: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A running process, its words in `log`; asked to stop at the end, and killed if it does not."""
    pipe = subprocess.PIPE if piped else None
    with log.open("w") as words:
        running = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=pipe or subprocess.DEVNULL,
            stdout=pipe or words,
            stderr=words,
            text=True,
            env={**os.environ, **(more or {})},
        )
    try:
        yield running
    finally:
        stop(running)


def stop(running: subprocess.Popen[str]) -> None:
    if running.poll() is None:
        if running.stdin is not None:
            running.stdin.close()
        running.terminate()
    try:
        running.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
    if running.stdout is not None:
        running.stdout.close()


def until(holds: Callable[[], object], within: float, what: str, every: float = 0.02) -> float:
    """Seconds until it holds. Raises DidNotHappen."""
    began = time.perf_counter()
    while not holds():
        if time.perf_counter() - began > within:
            raise DidNotHappen(what)
        time.sleep(every)
    return time.perf_counter() - began


def cpu_seconds(pid: int) -> float:
    """What all its threads have used so far."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((each / "schedstat").read_text().split()[0]) for each in tasks) / 1e9


def resident(pid: int) -> int:
    """Bytes in memory, shared ones included."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def fetched(url: str, within: float = 5.0) -> Any:
    """JSON of an address on this machine; None while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=within) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]
