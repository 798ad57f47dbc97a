"""The measuring venue from outside: starts its process and asks it for scenes; it takes no time stamps itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.children import DidNotHappen, child, python


@dataclass(frozen=True, slots=True)
class StandIn:
    running: subprocess.Popen[str]
    rest_url: str
    ws_url: str
    price_url: str
    ticker: str

    def ask(self, **what: Any) -> dict[str, Any]:
        """Wait for what it has to say to a command. Raises DidNotHappen when it has gone."""
        assert self.running.stdin is not None
        assert self.running.stdout is not None
        self.running.stdin.write(json.dumps(what) + "\n")
        self.running.stdin.flush()
        return _line(self.running)

    def rate(self, per_second: int) -> None:
        """Changes of books a second in the background."""
        self.ask(do="rate", per_second=per_second)

    def cycles(self, by: str, **how: Any) -> dict[str, Any]:
        """See Stage.cycles."""
        return self.ask(do="cycles", by=by, **how)

    def flood(self, messages: int) -> dict[str, Any]:
        return self.ask(do="flood", messages=messages)


@contextmanager
def stand_in(folder: Path, strikes: int = 1) -> Iterator[StandIn]:
    command = python("-m", "benchmarks.venue", "--strikes", str(strikes))
    with child(command, folder / "venue.log", piped=True) as running:
        where = _line(running)
        yield StandIn(running=running, **where)


def _line(running: subprocess.Popen[str]) -> dict[str, Any]:
    assert running.stdout is not None
    line = running.stdout.readline()
    if not line:
        raise DidNotHappen("the stand-in of the venue has ended: see its log")
    said = json.loads(line)
    if "error" in said:
        raise DidNotHappen(said["error"])
    return said
