"""The record of a change of releases that has begun, for deploy/upgrade.py: what a loss of power or kill -9 must not take with it.

It is on the disk before the first thing that it tells of is done, and goes when the last one is. It switches nothing.
"""

from __future__ import annotations

import argparse
import json
import signal
from contextlib import suppress
from typing import Any

import droplet
from droplet import Account, Change, Refused, Release, say

WAITING, SWITCHING = "waiting", "switching"
"""Entries may be off and nothing else is touched; or daemons, tables and the link may be anywhere between the two releases."""


def write(change: Change, phase: str) -> None:
    change.phase = phase
    known = {
        "phase": phase,
        "is_rollback": change.is_rollback,
        "source": change.source.name,
        "target": change.target.name,
        "previous": change.previous.name if change.previous else None,
        "accounts": [each.instance for each in change.accounts],
        "steps": change.steps,
        "was_up": [each.instance for each in change.was_up],
        "entry_was_on": [each.instance for each in change.entry_was_on],
        "ready_before": {
            unit: None if found is None else sorted(found) for unit, found in change.ready_before.items()
        },
    }
    droplet.write_whole(droplet.UNDER_WAY, json.dumps(known))


def begin(change: Change) -> None:
    """On the disk before anything is stopped, and no more to be interrupted. Raises OSError where that is full."""
    for each in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(each, too_late)
    if change.phase != SWITCHING:
        change.previous = droplet.linked(droplet.PREVIOUS)
        write(change, SWITCHING)
    names = f"from {change.source.name} to {change.target.name}"
    droplet.demand_a_person(f"An upgrade {names} began and did not come to its end.\n{ways_on(change)}")


def ways_on(change: Change) -> str:
    """By the program of the release that is on its way, wherever the link leads."""
    program = change.target.place / "deploy" / "upgrade.py"
    return f"To finish it: sudo {program} --go-on. To undo it: sudo {program} --rollback"


def too_late(*_: object) -> None:
    say("too late to interrupt: it comes to its end by itself")


def end() -> None:
    with suppress(FileNotFoundError):
        droplet.UNDER_WAY.unlink()
    droplet.sync_folder(droplet.UNDER_WAY.parent)


def found(options: argparse.Namespace) -> Change | None:
    """The change that was cut off, as far as it had come; None where none was. Raises Refused where its record is damaged."""
    try:
        known: dict[str, Any] = json.loads(droplet.UNDER_WAY.read_text(encoding="utf-8"))
        change = Change(
            source=Release(known["source"]),
            target=Release(known["target"]),
            accounts=[Account(each) for each in known["accounts"]],
            options=options,
            steps=known["steps"],
            was_up=[Account(each) for each in known["was_up"]],
            entry_was_on=[Account(each) for each in known["entry_was_on"]],
            ready_before={
                unit: None if said is None else set(said) for unit, said in known["ready_before"].items()
            },
            previous=Release(known["previous"]) if known["previous"] else None,
            phase=known["phase"],
            is_rollback=known["is_rollback"],
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(
            f"{droplet.UNDER_WAY} cannot be read ({error}): look which release runs (ls -l {droplet.CURRENT}), start its"
            " units, then take that file away"
        ) from error
    change.migrated = any(change.steps.values())
    return change
