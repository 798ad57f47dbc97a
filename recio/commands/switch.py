"""`recio switch`: records a person's word on entries, all or those of one strategy, and exits; it halts and trades nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import anyio

from recio.commands.database import said_of_rows
from recio.commands.event_loop import to_the_end
from recio.commands.installation import Installation, add_installation, find_installation, pool_of
from recio.commands.market_clock import market_clock
from recio.commands.options import add_strategy, add_who_and_why
from recio.daemon.database import daemon_runs
from recio.db import switches
from recio.db.connection import transaction
from recio.errors import BadConfig, ExitCode, Fatal
from recio.messages.controls import Switch


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_installation(parser)
    parser.add_argument("name", choices=("entry", "exit"), metavar="entry|exit")
    parser.add_argument("position", choices=("on", "off"), metavar="on|off")
    add_strategy(parser)
    add_who_and_why(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> ExitCode:
    switch, is_on = Switch(options.name), options.position == "on"
    if options.strategy and switch is not Switch.ENTRY:
        raise Fatal(
            "--strategy goes with entry: what a strategy holds is sold by the exits of all", ExitCode.USAGE
        )
    place = find_installation(options)
    if options.strategy:
        _insist_on_one_of(place.strategies(), options.strategy)
    return to_the_end(
        lambda: turn_switch(place, switch, is_on, options.why, options.by, options.strategy),
        lambda: f"look at the page or repeat the command: {switch} may or may not be {options.position}",
    )


def _insist_on_one_of(known: Sequence[str], strategy: str) -> None:
    """A name that was mistyped would switch nothing and look as if it had."""
    if strategy not in known:
        raise BadConfig(f"--strategy {strategy!r}: the config has {', '.join(known)}")


async def turn_switch(
    place: Installation, switch: Switch, is_on: bool, why: str, by: str, strategy: str = ""
) -> ExitCode:
    """Record a switch's new position; a running daemon follows within a second. `strategy`: whose entries; empty: of all."""
    position, changed, runs = "on" if is_on else "off", False, False
    named = f"{switch} of {strategy}" if strategy else switch.value
    async with pool_of(place, "recio switch") as pool:
        with anyio.CancelScope(shield=True), said_of_rows():
            async with transaction(pool) as connection:
                now = market_clock(place.data_dir).utc()
                changed = await switches.turn(connection, switch, is_on, now, by, why, strategy)
                runs = await daemon_runs(connection)
    print(f"{named} is switched {position}" if changed else f"{named} was {position} already")
    follows = (
        "the running daemon follows within a second" if runs else "no daemon runs: it holds when one starts"
    )
    print(f"recio: {follows}", file=sys.stderr)
    return ExitCode.OK
