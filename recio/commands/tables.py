"""`recio tables`: says whether this recio can run on the tables of a database; it changes none, whichever way the answer is."""

from __future__ import annotations

import argparse

from recio.commands.event_loop import to_the_end
from recio.commands.installation import Installation, add_installation, find_installation, pool_of
from recio.db.connection import transaction
from recio.db.newer_tables import steps_to_run_on
from recio.db.schema import migrations, version_of
from recio.errors import BadConfig, ExitCode


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_installation(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> ExitCode:
    place = find_installation(options)
    return to_the_end(lambda: compare(place), lambda: "nothing was changed")


async def compare(place: Installation) -> ExitCode:
    """0 where a start would find the tables it needs. Raises BadConfig where it would refuse them, with what helps."""
    own = len(migrations())
    async with pool_of(place, "recio tables") as pool, transaction(pool) as connection:
        steps = await steps_to_run_on(connection)
        found = await version_of(connection, steps)
    if found is None:
        print(f"the database is empty: a start makes the tables of version {own}")
        return ExitCode.OK
    if found < own:
        raise BadConfig(
            f"the database has schema version {found}, this recio needs {own}: recio db migrate carries it over"
        )
    newer = ", ".join(each.name for each in steps[own:])
    print(
        f"schema version {found}, as this recio needs it"
        if not newer
        else f"schema version {found}; this recio knows {own} and runs on it, because what is newer only added: {newer}"
    )
    return ExitCode.OK
