"""`recio switch`: records a person's word on entries and exits; it halts nothing and trades nothing."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

import anyio

from recio.commands.database import rows_of
from recio.commands.options import add_config, add_who_and_why, config_of
from recio.daemon.database import dsn_of
from recio.db import switches
from recio.messages.controls import Switch
from recio.settings.config import Config


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("name", choices=("entry", "exit"))
    parser.add_argument("position", choices=("on", "off"))
    add_who_and_why(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    config, is_on = config_of(options.config), options.position == "on"
    print(anyio.run(turn_switch, config, Switch(options.name), is_on, options.why, options.by))


async def turn_switch(config: Config, switch: Switch, is_on: bool, why: str, by: str) -> str:
    """Record a switch's new position; a running daemon follows within a second."""
    position = "on" if is_on else "off"
    async with (
        dsn_of(config) as dsn,
        rows_of(dsn, "recio switch") as connection,
    ):
        changed = await switches.turn(connection, switch, is_on, datetime.now(UTC), by, why)
    return f"{switch} is switched {position}" if changed else f"{switch} was {position} already"
