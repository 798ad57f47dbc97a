"""Finds a moment at which nothing is at stake, for deploy/upgrade.py: entries off, no order open, nothing held that still trades.

It switches entries and looks; it starts, stops and sells nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import under_way
from droplet import Account, Change, Refused, Release, say

BY = "upgrade"
LOOK_EVERY = 1.0
QUIET_LOOKS = 3
"""So many one after another: what was decided before entries were off has become an order by then."""
IN_THE_AIR = ("pending", "unknown", "resting")


def wait_until_quiet(change: Change) -> None:
    """No entries from now on, until nothing is held whose market is open. Raises Refused when that takes too long."""
    end = time.monotonic() + change.options.wait * 60
    told, quiet = "", 0
    for account in change.accounts:
        said = account.status()
        change.was_up += [account] if account.is_up else []
        change.ready_before[account.unit] = None if said is None else causes(said["reasons"])
        change.entry_was_on += [account] if said is not None and not entries_are_off(said) else []
        if account not in change.was_up:
            say(f"{account.unit} does not run and is not started")
    under_way.write(change, under_way.WAITING)
    for account in change.entry_was_on:
        account.recio(change.source, "switch", "entry", "off", "--config", account.config, "--by", BY)
    while quiet < QUIET_LOOKS:
        busy = [f"{each.unit}: {words}" for each in change.accounts for words in at_stake(each)]
        quiet = 0 if busy else quiet + 1
        if busy and change.options.now:
            say(f"switching although {'; '.join(busy)}")
            return
        if busy and time.monotonic() > end:
            raise Refused(
                f"after {change.options.wait:g} minutes {'; '.join(busy)}: nothing was switched; try at another hour,"
                " or --now, which leaves those without a stop for the seconds of a restart"
            )
        if busy and (words := f"waits, because {'; '.join(busy)}") != told:
            told = words
            say(words)
        time.sleep(LOOK_EVERY)


def at_stake(account: Account) -> list[str]:
    """What a restart would leave unguarded: open orders, and trades whose market still trades."""
    said = account.status()
    if said is None:
        return [] if not account.is_up else ["the daemon does not answer"]
    if said["positions"] is None:
        return ["the daemon does not know yet what it holds"]
    if not entries_are_off(said):
        return ["entries are not off yet"]
    orders = [
        f"order {each['client_order_id']} is {each['state']}"
        for each in said["orders"]
        if each["state"] in IN_THE_AIR
    ]
    trades = [f"{each['ticker']} is held" for each in said["trades"] if each.get("seconds_to_close", 0) > 0]
    return orders + trades


def entries_are_off(said: dict[str, Any]) -> bool:
    """By the switch that holds for every strategy, whatever its config says."""
    return off_for_all(said) is not None


def off_for_all(said: dict[str, Any]) -> dict[str, Any] | None:
    """The row of that switch while it is off; the switch of one strategy beside it leaves the others buying."""
    every = (each for each in said["switched_off"] if each["switch"] == "entry")
    return next((each for each in every if not each.get("strategy")), None)


def causes(reasons: Sequence[str]) -> set[str]:
    """Each reason without its figures: the same cause a moment later is the same."""
    return {each.split(":")[0] for each in reasons}


def entries_as_before(change: Change, release: Release) -> None:
    """On again what an upgrade switched off; what a person has switched off since stays off, and so does what nobody can tell."""
    for account in change.entry_was_on:
        said = _page_in_time(account, change.options.ready_within)
        if said is None:
            say(
                f"entries of {account.unit} stay off, because its page does not answer and a person may have switched them"
                " off since: once you know that nobody has, recio switch entry on"
            )
            continue
        off = off_for_all(said)
        if off is not None and off["by"] != BY:
            say(f"entries of {account.unit} stay off: {off['by']} switched them off")
            continue
        try:
            account.recio(release, "switch", "entry", "on", "--config", account.config, "--by", BY)
        except Refused as error:
            say(f"entries of {account.unit} are still switched off: recio switch entry on ({error})")
    change.entry_was_on.clear()


def _page_in_time(account: Account, seconds: float) -> dict[str, Any] | None:
    """Its page, waited for while its daemon only comes up; None where none answers."""
    end = time.monotonic() + seconds
    while (said := account.status()) is None and account.is_up and time.monotonic() < end:
        time.sleep(LOOK_EVERY)
    return said
