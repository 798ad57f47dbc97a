"""Tries a release beside the daemon that runs, for deploy/upgrade.py: its view of the config, the migrations, the decisions.

It reads what is in use, and writes a backup and a copy of its own that it takes away again; it switches nothing.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from droplet import Account, Change, Refused, Release, run, say


def try_beside(change: Change) -> None:
    """Config, backup, migrations on a copy, the way back, and yesterday's decisions. Raises Refused."""
    for account in change.accounts:
        if account.is_active:  # its key is to be had only while the unit runs
            account.recio(change.target, "check", "--config", account.config)
        back_up(change, account)
        rehearse(change, account)
        decide_again(change, account)
    if change.one_way and not change.options.one_way:
        raise Refused(
            f"the migrations of {change.target.name} cannot be taken back by installing {change.source.name} again"
            f" ({', '.join(change.one_way)}): only by the backup, which lacks what came after it. --one-way accepts that"
        )


def back_up(change: Change, account: Account) -> None:
    run("install", "-d", "-m", "0700", "-o", account.user, "-g", account.user, account.backups)
    began = time.monotonic()
    account.recio(change.source, "backup", "--config", account.config, "--to", account.backups)
    say(f"{account.unit}: backed up into {account.backups} ({time.monotonic() - began:.0f} s)")


def rehearse(change: Change, account: Account) -> None:
    """The backup as a database of its own: proven by the old release, carried over by the new one, offered to the old one again."""
    began, copy = time.monotonic(), account.scratch / "data"
    shutil.rmtree(account.scratch, ignore_errors=True)
    run("install", "-d", "-m", "0700", "-o", account.user, "-g", account.user, account.scratch)
    try:
        restore(change, account, copy)
        said = account.recio(change.target, "db", "migrate", "--data-dir", copy)
        change.steps[account.unit] = re.findall(r"^took step (.+)$", said, re.MULTILINE)
        account.recio(change.target, "audit", "--verify", "--data-dir", copy)
        if change.steps[account.unit] and not accepts(change.source, account, "--data-dir", copy):
            change.one_way.append(account.unit)
    finally:
        shutil.rmtree(account.scratch, ignore_errors=True)
    steps = "; ".join(change.steps[account.unit]) or "none"
    back = (
        "only by the backup" if account.unit in change.one_way else f"{change.source.name} runs on the tables"
    )
    say(
        f"{account.unit}: migrations, done on a copy: {steps}; the way back: {back} ({time.monotonic() - began:.0f} s)"
    )


def restore(change: Change, account: Account, copy: Path) -> None:
    """By the release in use; or by the new one, after a way back that left tables of the new one behind."""
    words = ("restore", "--from", account.backups, "--into", copy)
    try:
        account.recio(change.source, *words)
    except Refused as by_source:
        shutil.rmtree(copy, ignore_errors=True)
        try:
            account.recio(change.target, *words)
        except Refused:
            raise by_source from None


def accepts(release: Release, account: Account, *where: str | Path) -> bool:
    """Whether a start of this release would find tables that it runs on."""
    try:
        account.recio(release, "tables", *where)
    except Refused:
        return False
    return True


def decide_again(change: Change, account: Account) -> None:
    """What the daemon decided yesterday, decided by the new release. Raises Refused where something else comes out."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    folder = account.data_dir / "recording"
    kept = (
        sorted(folder.glob(f"{yesterday:%Y%m%d}T*.recording.gz"))
        or sorted(folder.glob("*.recording.gz"))[:-1][-24:]
    )
    if not kept:
        say(f"{account.unit}: nothing is recorded yet: no decision to make again")
        return
    began = time.monotonic()
    try:
        said = account.recio(change.target, "replay", "--json", *kept)
        found: dict[str, Any] = json.loads(said[said.index("{") :])
    except (Refused, ValueError) as error:
        accept_or_refuse(
            change, f"{account.unit}: {change.target.name} cannot make its decisions again: {error}"
        )
        return
    cycles = found["entry_cycles"] + found["exit_cycles"]
    say(
        f"{account.unit}: {cycles:,} decisions made again, {found['different']:,} come out otherwise"
        f" ({time.monotonic() - began:.0f} s)"
    )
    for each in found["differences"]:
        say(f"  {each['at']}: was {each['was']}; is {each['now']}")
    if found["different"]:
        accept_or_refuse(
            change, f"{account.unit}: {change.target.name} decides otherwise than what is running"
        )


def accept_or_refuse(change: Change, what: str) -> None:
    if not change.options.accept_differences:
        raise Refused(f"{what}. --accept-differences, if that is meant")
    say(f"{what}: accepted")
