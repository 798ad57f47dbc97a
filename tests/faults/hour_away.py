"""`make outages`: venue, database, and both away from the shipped unit for an hour, each in a booted machine of its own.

It needs what tests/droplet needs, stops by itself, and changes nothing outside those machines.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from tests.droplet.machine import why_not
from tests.droplet.test_booted_unit import OWN_DSN, RECIO, Droplet, a_droplet
from tests.faults.proof_reports import PROOF, commit, write

AWAY = ("venue", "database", "venue and database")
ENTRIES_ON = "[entry]\nenabled = true\n"
BACK_WITHIN = 300.0
"""Host seconds from the end of the outage, and from the start, until it could trade."""


def outage(of: str, seconds: float) -> dict[str, Any]:
    """Raises AssertionError if the unit was started anew, or did not come back."""
    with a_droplet(None) as droplet:
        _configure(droplet)
        droplet.start()
        droplet.machine.run("systemctl", "stop", RECIO)
        _configure(droplet, dsn=OWN_DSN)
        droplet.server("start")
        droplet.start()
        _seconds_until_it_could_trade(droplet)
        before = _lines(droplet)
        _away(droplet, of)
        time.sleep(seconds)
        said, lines = droplet.machine.show(RECIO, "StatusText"), _lines(droplet) - before
        assert not said.startswith("trading"), f"{of}: {said}"
        _back(droplet, of)
        took = _seconds_until_it_could_trade(droplet)
        assert droplet.restarts() == 0, droplet.machine.journal(RECIO)[-4000:]
        return {
            "away": of,
            "seconds": round(seconds),
            "restarts": 0,
            "journal_lines": lines,
            "said": said,
            "back_after_seconds": took,
        }


def _configure(droplet: Droplet, dsn: str = "") -> None:
    droplet.configure(dsn=dsn)
    config = droplet.machine.root / "etc/recio/recio.toml"
    config.write_text(config.read_text(encoding="utf-8") + ENTRIES_ON, encoding="utf-8")


def _seconds_until_it_could_trade(droplet: Droplet) -> float:
    began = time.monotonic()
    while not droplet.machine.show(RECIO, "StatusText").startswith("trading"):
        assert time.monotonic() - began < BACK_WITHIN, droplet.machine.journal(RECIO)[-4000:]
        time.sleep(0.2)
    return round(time.monotonic() - began, 1)


def _away(droplet: Droplet, of: str) -> None:
    if "venue" in of:
        droplet.machine.run("systemctl", "kill", "--signal=STOP", "sim")
    if "database" in of:
        droplet.machine.run("kill", "-9", droplet.server_pid())


def _back(droplet: Droplet, of: str) -> None:
    if "database" in of:
        droplet.server("start")
    if "venue" in of:
        droplet.machine.run("systemctl", "kill", "--signal=CONT", "sim")


def _lines(droplet: Droplet) -> int:
    return droplet.machine.journal(RECIO).count("\n")


def main() -> int:
    asked = argparse.ArgumentParser()
    asked.add_argument("--seconds", type=float, default=3_600.0)
    asked.add_argument("--report", type=Path, default=PROOF / "outages.json")
    options = asked.parse_args()
    if missing := why_not():
        sys.stdout.write(f"{missing}\n")
        return 1
    with ProcessPoolExecutor(len(AWAY), mp_context=multiprocessing.get_context("spawn")) as machines:
        found = list(machines.map(partial(outage, seconds=options.seconds), AWAY))
    sys.stdout.write(f"{json.dumps(found, indent=1)}\n")
    write(options.report, {"commit": commit(), "outages": found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
