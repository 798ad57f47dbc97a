#!/usr/bin/env python3
"""Brings another release into use: tried beside the daemon first, switched while nothing is at stake, and back by itself if it fails.

  sudo deploy/upgrade.py          from a new copy of recio: to that copy
  sudo recio upgrade DIR          the same, with the copy in DIR
  sudo recio rollback             to the release before
  sudo recio upgrade --go-on      finishes one that was cut off, by kill -9 or a loss of power; rollback undoes it
  sudo recio upgrade --seen       takes away the mark that a failed upgrade leaves, once you know why it failed

Until the switch nothing of the running daemon is touched. It never restores a backup over rows and never switches a release that
refuses the config or the tables.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import droplet  # noqa: E402 - beside this file, wherever that is
import under_way  # noqa: E402
from beside import accepts, try_beside  # noqa: E402
from droplet import Account, Change, Refused, Release, run, say  # noqa: E402
from quiet import causes, entries_as_before, wait_until_quiet  # noqa: E402

OK, FAILED, BACK, REFUSED = 0, 1, 75, 78
LOOK_EVERY = 0.5
NEWEST_KEPT = 4
ENDS_AT_MOST = 2
"""How often a daemon may end by itself before that is how it is."""
STARTING = "starting"
SWITCHED_OFF = "entry was switched off by upgrade"


# --- the switch -------------------------------------------------------------------------------------------------------------


def switch(change: Change) -> int:
    """Stop, migrate, point, start; and the same way back where the target does not come up."""
    names, began = f"from {change.source.name} to {change.target.name}", time.monotonic()
    try:
        droplet.point(droplet.PREVIOUS, change.source)
        stop(change)
        for account in change.accounts:
            migrate(change, account)
        put(change.target)
        start(change)
        say(f"switched {names} in {time.monotonic() - began:.1f} s; waits until it is ready")
        wait_until_ready(change)
    except (Refused, OSError) as error:
        return go_back(change, str(error))
    entries_as_before(change, change.target)
    come_to_the_end()
    droplet.note(f"{names}: done")
    for name in droplet.remove_old(frozenset({change.source.name, change.target.name}), NEWEST_KEPT):
        say(f"removed release {name}")
    say(f"done: {change.target.name} is in use; recio rollback leads back")
    return OK


def come_to_a_quiet_moment(change: Change) -> None:
    """Raises Refused where there is none, or no room on the disk to say what is about to be done."""
    try:
        wait_until_quiet(change)
        under_way.begin(change)
    except OSError as error:
        raise Refused(f"{error}: nothing was switched") from error


def come_to_the_end() -> None:
    """The record goes last: a mark without one could be neither finished nor undone."""
    droplet.SENTINEL.unlink(missing_ok=True)
    under_way.end()


def stop(change: Change, *, check: bool = True) -> None:
    for account in change.accounts:
        run("systemctl", "stop", account.unit, check=check)


def start(change: Change) -> None:
    for account in change.was_up:
        run("systemctl", "reset-failed", account.unit, check=False)
        run("systemctl", "start", "--no-block", account.unit)


def migrate(change: Change, account: Account) -> None:
    if not change.steps.get(account.unit):
        return
    change.migrated = True
    if account.has_owner:
        where = ("--owner", account.owner, "--data-dir", account.data_dir)
        account.recio(change.target, "db", "migrate", *where, user=f"{account.user}-owner")
    else:
        account.recio(change.target, "db", "migrate", "--config", account.config)


def put(release: Release) -> None:
    """The link, and the units and the command of that release."""
    droplet.point(droplet.CURRENT, release)
    run(release.place / "deploy" / "install.sh", "--units-only")
    run("systemctl", "daemon-reload")


def wait_until_ready(change: Change) -> None:
    """Each daemon up, steadily, and kept from trading by nothing new. Raises Refused with what is missing."""
    end = time.monotonic() + change.options.ready_within
    for account in change.was_up:
        steady_since, missing = None, "it has not been looked at"
        while steady_since is None or time.monotonic() - steady_since < change.options.steady:
            missing = what_is_missing(change, account)
            steady_since = None if missing else steady_since or time.monotonic()
            if missing and time.monotonic() > end:
                raise Refused(
                    f"{account.unit} is not ready after {change.options.ready_within:g} s: {missing}"
                )
            if account.show("ActiveState") == "failed" or int(account.show("NRestarts") or 0) >= ENDS_AT_MOST:
                raise Refused(f"{account.unit} ended by itself: journalctl -u {account.unit}")
            time.sleep(LOOK_EVERY)


def what_is_missing(change: Change, account: Account) -> str:
    state = account.show("ActiveState")
    if state != "active":
        return f"it is {state}: {account.show('StatusText') or 'it says nothing'}"
    said = account.status()
    if said is None:
        return f"it says {account.show('StatusText')!r}, and its page does not answer"
    before = change.ready_before.get(account.unit)
    fresh = sorted(causes(said["reasons"]) - (before or set()) - {SWITCHED_OFF})
    if before is not None and fresh:
        return f"what did not keep it from trading before does now: {', '.join(fresh)}"
    return "it is only starting" if any(each.startswith(STARTING) for each in causes(said["reasons"])) else ""


def go_back(change: Change, why: str) -> int:
    """The source again, if it runs on the tables as they are now; and somebody is called either way."""
    say(f"{change.target.name} failed: {why}")
    held = held_back(change)
    names = f"from {change.source.name} to {change.target.name}"
    if held:
        droplet.demand_a_person(
            f"The upgrade {names} failed: {why}\nIt cannot go back: {change.source.name} does not run on the migrated tables of"
            f" {', '.join(held)}.\n{change.target.name} stays and is started again and again. Mend it and upgrade to what you"
            f" mended, or restore the backup from before (docs/operate/upgrade.md).\nThen: recio upgrade --seen"
        )
        put(change.target)
        start(change)
        under_way.end()
        droplet.note(f"{names}: failed, and no way back: {why}")
        droplet.call_somebody("no-way-back")
        return FAILED
    code, end = lead_back(change)
    droplet.demand_a_person(
        f"The upgrade {names} failed: {why}\n{end}.\nFind out why, then: recio upgrade --seen"
    )
    under_way.end()
    droplet.note(f"{names}: failed ({why}); {end}")
    droplet.call_somebody("rolled-back")
    say(f"{end}; {droplet.SENTINEL} says so until recio upgrade --seen")
    return code


def lead_back(change: Change) -> tuple[int, str]:
    """The source in use and started, whatever each step meets. Returns the exit code and what is so then."""
    say(f"going back to {change.source.name}")
    code, end = BACK, f"{change.source.name} is in use again"
    for step in (
        lambda: stop(change, check=False),
        lambda: put(change.source),
        lambda: start(change),
        lambda: wait_until_ready(change),
    ):
        try:  # whatever one of them meets, the next is done: a daemon that is up is better than none
            step()
        except (Refused, OSError) as error:
            code, end = FAILED, f"{change.source.name} is in use again and is not well either: {error}"
    if change.previous is not None:
        droplet.point(droplet.PREVIOUS, change.previous)
    entries_as_before(change, change.source)
    return code, end


def held_back(change: Change) -> list[str]:
    """Whose tables the source does not run on as they are now."""
    return [each.unit for each in change.accounts if change.migrated and not accepts_now(change.source, each)]


# --- one that was cut off ---------------------------------------------------------------------------------------------------


def take_up(change: Change, options: argparse.Namespace) -> int | None:
    """Finishes or undoes what a loss of power cut off. None where nothing was switched yet: then what is asked may follow."""
    names = f"the upgrade from {change.source.name} to {change.target.name}"
    if change.phase == under_way.WAITING:
        say(f"{names} was cut off before its switch: entries are as before")
        entries_as_before(change, change.source)
        under_way.end()
        # Undone by that as well: the release before this one is not what whoever types a rollback now means.
        undone = options.rollback and not change.is_rollback
        return OK if options.go_on or undone else None
    if options.go_on or (options.rollback and change.is_rollback):
        say(f"goes on with {names}")
        under_way.begin(change)
        return switch(change)
    if not options.rollback:
        raise Refused(f"{names} was cut off in the middle. {under_way.ways_on(change)}")
    if held := held_back(change):
        raise Refused(
            f"{change.source.name} does not run on the tables of {', '.join(held)} any more: there is only the way on, --go-on"
        )
    code, end = lead_back(change)
    if code == FAILED:
        raise Refused(end)
    come_to_the_end()
    droplet.note(f"{names} was cut off, and undone")
    say(end)
    return OK


def accepts_now(release: Release, account: Account) -> bool:
    return accepts(release, account, "--config", account.config)


# --- the command ------------------------------------------------------------------------------------------------------------


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="recio upgrade", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--release", metavar="NAME", help="one that is in /opt/recio/releases already")
    what.add_argument(
        "--rollback", action="store_true", help="to the release before; recio rollback is the same"
    )
    what.add_argument("--go-on", action="store_true", help="finish one that was cut off")
    what.add_argument("--seen", action="store_true", help="a person has looked at what failed")
    parser.add_argument(
        "--wheelhouse", metavar="DIR", help="take all Python packages from this folder and ask no index"
    )
    parser.add_argument("--wait", type=float, default=90, metavar="MINUTES", help="for a quiet moment (90)")
    parser.add_argument("--now", action="store_true", help="do not wait for that moment")
    parser.add_argument(
        "--ready-within", type=float, default=180, metavar="SECONDS", help="else it goes back (180)"
    )
    parser.add_argument(
        "--steady", type=float, default=10, metavar="SECONDS", help="so long it must stay ready (10)"
    )
    parser.add_argument(
        "--accept-differences", action="store_true", help="although yesterday's decisions come out otherwise"
    )
    parser.add_argument(
        "--one-way", action="store_true", help="although the migrations cannot be undone by going back"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="try everything beside the daemon, and switch nothing"
    )
    return parser.parse_args(arguments)


def chosen(options: argparse.Namespace) -> Release:
    """The release that is asked for, whole. Builds it beside the others if it comes from a copy. Raises Refused."""
    if options.rollback:
        found = droplet.linked(droplet.PREVIOUS)
        if found is None:
            raise Refused(f"there is no release before this one ({droplet.PREVIOUS})")
    elif options.release:
        found = Release(options.release)
    else:
        install = Path(__file__).resolve().with_name("install.sh")
        wheels = ("--wheelhouse", options.wheelhouse) if options.wheelhouse else ()
        said = run(install, "--release-only", *wheels)
        found = Release(said.strip().splitlines()[-1].removeprefix("release "))
    if not re.fullmatch(r"[\w.+-]+", found.name) or not found.is_whole:
        raise Refused(
            f"{found.place} is no whole release: {', '.join(sorted(os.listdir(found.place.parent)))} are there"
        )
    return found


def upgrade(options: argparse.Namespace) -> int:
    source, accounts = droplet.linked(droplet.CURRENT), droplet.accounts()
    if source is None or not accounts:
        raise Refused("recio is not installed here, or no unit of it is enabled: deploy/install.sh")
    cut_off = under_way.found(options)
    if cut_off is not None and (code := take_up(cut_off, options)) is not None:
        return code
    if options.go_on:
        raise Refused("no upgrade was cut off here")
    if droplet.SENTINEL.exists() and not options.rollback:
        raise Refused(
            f"{droplet.SENTINEL} demands a person first:\n{droplet.SENTINEL.read_text(encoding='utf-8').strip()}"
        )
    target = chosen(options)
    if target == source:
        say(f"{target.name} is in use already")
        return OK
    change = Change(
        source=source, target=target, accounts=accounts, options=options, is_rollback=options.rollback
    )
    say(f"from {source.name} to {target.name}: {', '.join(each.unit for each in accounts)}")
    if options.rollback:
        refused = [each.unit for each in accounts if not accepts_now(target, each)]
        if refused:
            raise Refused(
                f"{target.name} does not run on the tables of {', '.join(refused)}: a migration since took something away. The"
                " way back is the backup from before it (docs/operate/upgrade.md)"
            )
    else:
        try_beside(change)
    if options.dry_run:
        say("everything was tried and nothing was switched")
        return OK
    try:
        come_to_a_quiet_moment(change)
    except BaseException:
        entries_as_before(change, source)
        under_way.end()
        raise
    return switch(change)


def seen() -> int:
    if droplet.UNDER_WAY.exists():
        raise Refused(
            "an upgrade was cut off: --go-on finishes it, --rollback undoes it; there is nothing to be seen yet"
        )
    if not droplet.SENTINEL.exists():
        say("there is nothing to be seen: the last upgrade did not fail")
        return OK
    text = droplet.SENTINEL.read_text(encoding="utf-8").strip()
    droplet.SENTINEL.unlink()
    droplet.note(f"seen by {os.environ.get('SUDO_USER', 'root')}")
    say(f"seen, and taken away:\n{text}")
    return OK


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> int:
    options = parsed(arguments)
    for each in (signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(each, interrupt)
    if os.geteuid() != 0:
        say("you are not root: put sudo in front")
        return REFUSED
    droplet.PLACE.mkdir(parents=True, exist_ok=True)
    with (droplet.PLACE / "upgrade.lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another upgrade is under way here, or what one that was killed had begun is not done yet")
            return REFUSED
        droplet.KEPT_OPEN[:] = [lock.fileno()]
        try:
            return seen() if options.seen else upgrade(options)
        except Refused as error:
            say(str(error))
            return REFUSED
        except OSError as error:
            say(f"{error}: recio doctor tells what is not done")
            return FAILED
        except KeyboardInterrupt:
            say("interrupted: nothing was switched")
            return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
