"""What a droplet with recio consists of, for deploy/upgrade.py: releases, the link to the current one, accounts with their units.

Nothing but Python's own library: it drives a release that does not come up from outside of it. It decides nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PLACE = Path("/opt/recio")
CURRENT, PREVIOUS = PLACE / "current", PLACE / "previous"
SENTINEL, HISTORY = PLACE / "needs-a-person", PLACE / "upgrades.log"
UNDER_WAY = PLACE / "under-way.json"
WANTED = Path("/etc/systemd/system/multi-user.target.wants")
ETC, STATES, BACKUPS = Path("/etc/recio"), Path("/var/lib"), Path("/var/backups")
SURROUNDINGS = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/",
}
LONGEST = 4 * 3600.0
"""Seconds that one command may take; a backup or a migration may be long."""
KEPT_OPEN: list[int] = []
"""The lock: what outlives an upgrade that is killed holds it on, so that the next one does not begin beside it."""


class Refused(Exception):
    """Nothing goes on from here; the words say what is so and what helps."""


def say(text: str) -> None:
    """Whoever watched may have gone: that must not end what goes on."""
    with suppress(OSError, ValueError):
        print(f"upgrade: {text}", flush=True)


@dataclass(frozen=True, slots=True)
class Release:
    name: str

    @property
    def place(self) -> Path:
        return PLACE / "releases" / self.name

    @property
    def is_whole(self) -> bool:
        return (self.place / "complete").exists()


def linked(link: Path) -> Release | None:
    with suppress(OSError):
        return Release(Path(os.readlink(link)).name)
    return None


def point(link: Path, release: Release) -> None:
    """In one step: nobody ever finds no link."""
    new = link.with_name(f"{link.name}.new")
    with suppress(FileNotFoundError):
        new.unlink()
    new.symlink_to(f"releases/{release.name}")
    new.rename(link)
    sync_folder(link.parent)


def sync_folder(place: Path) -> None:
    """What was renamed or removed there stays so through a loss of power."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(place: Path, text: str) -> None:
    """All of it or what was there before, whenever the power goes; readable by everybody."""
    draft = place.with_name(f"{place.name}.new")
    with draft.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.chmod(0o644)
    draft.rename(place)
    sync_folder(place.parent)


def remove_old(keep: frozenset[str], newest: int) -> list[str]:
    """Releases but these and the newest few."""
    found = sorted((PLACE / "releases").iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
    old = [each for each in found[newest:] if each.name not in keep]
    for each in old:
        shutil.rmtree(each, ignore_errors=True)
    return [each.name for each in old]


@dataclass(frozen=True, slots=True)
class Account:
    """One account of the venue: its unit, its user on this machine, its config."""

    instance: str

    @property
    def user(self) -> str:
        return f"recio-{self.instance}" if self.instance else "recio"

    @property
    def unit(self) -> str:
        return f"recio@{self.instance}.service" if self.instance else "recio.service"

    @property
    def config(self) -> Path:
        return ETC / f"{self.instance or 'recio'}.toml"

    @property
    def backups(self) -> Path:
        return BACKUPS / self.user

    @property
    def scratch(self) -> Path:
        return STATES / f"{self.user}-rehearsal"

    @property
    def owner(self) -> Path:
        """Where the DSN of the tables' owner stands, if it is another than the daemon's role."""
        return ETC / f"{self.instance or 'recio'}-owner.dsn"

    @property
    def has_owner(self) -> bool:
        """Not where the database lies in the data directory, as after a restore: that is the daemon's own, whatever was before."""
        return self.owner.exists() and bool(self.settings().get("database", {}).get("dsn"))

    def settings(self) -> Mapping[str, Any]:
        try:
            return tomllib.loads(self.config.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise Refused(f"{self.config} cannot be read: {error}") from error

    @property
    def data_dir(self) -> Path:
        return (self.config.parent / str(self.settings().get("data_dir", ".recio"))).absolute()

    @property
    def port(self) -> int:
        return int(self.settings().get("status", {}).get("port", 8710))

    def recio(self, release: Release, *arguments: str | Path, check: bool = True, user: str = "") -> str:
        """What a command of a release prints, run as the account, after everything else in the machine's favour."""
        program = release.place / "bin" / "recio"
        command = ("runuser", "-u", user or self.user, "--", "nice", "-n", "19", program, *arguments)
        return run(*command, check=check)

    def status(self) -> dict[str, Any] | None:
        """GET /status, or None where no daemon answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status", timeout=5) as answer:
                said = json.loads(answer.read())
        except (OSError, ValueError, urllib.error.URLError):
            return None
        return dict(said) if isinstance(said, dict) and "reasons" in said else None  # pyright: ignore[reportUnknownArgumentType]

    def show(self, name: str) -> str:
        return run("systemctl", "show", "--value", "-p", name, self.unit, check=False).strip()

    @property
    def is_active(self) -> bool:
        return self.show("ActiveState") == "active"

    @property
    def is_up(self) -> bool:
        return self.show("ActiveState") in ("active", "activating", "reloading")


@dataclass(slots=True)
class Change:
    """One way from a release to another, with what was learned on it."""

    source: Release
    target: Release
    accounts: Sequence[Account]
    options: argparse.Namespace
    steps: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Of each account the migrations that the target brings."""
    one_way: list[str] = field(default_factory=list[str])
    """Accounts whose tables the source would not run on afterwards."""
    was_up: list[Account] = field(default_factory=list[Account])
    """Those whose daemon ran: only they are started again."""
    ready_before: dict[str, set[str] | None] = field(default_factory=dict[str, "set[str] | None"])
    """Of each account what kept it from trading before; None where no daemon ran."""
    entry_was_on: list[Account] = field(default_factory=list[Account])
    migrated: bool = False
    previous: Release | None = None
    """Where a rollback led before this change."""
    phase: str = ""
    is_rollback: bool = False


def accounts() -> list[Account]:
    """Whose units are enabled here."""

    def found() -> Iterator[Account]:
        for each in sorted(WANTED.glob("recio*.service")):
            if each.name == "recio.service":
                yield Account("")
            elif each.name.startswith("recio@"):
                yield Account(each.name.removeprefix("recio@").removesuffix(".service"))

    return list(found())


def run(*command: str | Path, check: bool = True) -> str:
    """Both of its outputs. Raises Refused with its last words."""
    words = [str(each) for each in command]
    try:
        done = subprocess.run(
            words,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LONGEST,
            cwd="/",
            env=SURROUNDINGS,
            start_new_session=True,  # Ctrl-C in a terminal is for us, not for what we are in the middle of
            pass_fds=KEPT_OPEN,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(f"{' '.join(words)}: {error}") from error
    if check and done.returncode != 0:
        last = " / ".join(done.stdout.strip().splitlines()[-4:]) or "it said nothing"
        raise Refused(f"{' '.join(words)} ended with {done.returncode}: {last}")
    return done.stdout


def note(text: str) -> None:
    """One line of what was done here, for ever."""
    with HISTORY.open("a", encoding="utf-8") as history:
        history.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}\n")


def demand_a_person(text: str) -> None:
    """Until somebody takes the file away with `recio upgrade --seen`, nothing is upgraded here."""
    write_whole(SENTINEL, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n{text}\n")


def call_somebody(why: str) -> None:
    """As an end of a unit does: the most urgent line of the journal, and the operator's own program."""
    program = CURRENT / "deploy" / "tell-failure"
    said = SURROUNDINGS | {
        "SERVICE_RESULT": why,
        "EXIT_STATUS": "1",
        "INVOCATION_ID": f"{datetime.now(UTC):%s}",
    }
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run([program, "note", "recio-upgrade.service"], env=said, timeout=60, check=False)
