"""`recio forgo`: ends the wait for what a restored backup had forgotten, where the venue can never tell it; it halts and trades nothing."""

from __future__ import annotations

import argparse
import sys

import anyio

from recio.commands.database import said_of_rows
from recio.commands.event_loop import to_the_end
from recio.commands.installation import Installation, add_installation, find_installation, pool_of
from recio.commands.market_clock import market_clock
from recio.commands.options import some_words
from recio.daemon.database import daemon_runs
from recio.db import bringing_in
from recio.db.connection import transaction
from recio.errors import ExitCode

NOTHING_WAITS = (
    "nothing waits: there was no restore, no daemon has started since, or all that it forgot is brought in"
)


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_installation(parser)
    parser.add_argument(
        "--by", required=True, type=some_words, metavar="NAME", help="who says so, for the record"
    )
    parser.add_argument(
        "--why",
        required=True,
        type=some_words,
        metavar="TEXT",
        help="what was seen at the venue, for the record",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> ExitCode:
    place = find_installation(options)
    return to_the_end(
        lambda: forgo(place, options.by, options.why),
        lambda: "look at `recio status` or repeat the command: the wait may or may not have ended",
    )


async def forgo(place: Installation, by: str, why: str) -> ExitCode:
    """What is not brought in by now never is; a running daemon compares the account before it buys, and halts at what is left."""
    ended, runs = False, False
    async with pool_of(place, "recio forgo") as pool:
        with anyio.CancelScope(shield=True), said_of_rows():
            async with transaction(pool) as connection:
                ended = await bringing_in.forgo(connection, market_clock(place.data_dir).utc(), by, why)
                runs = await daemon_runs(connection)
    if not ended:
        print(NOTHING_WAITS)
        return ExitCode.OK
    print(
        "the wait is ended: what is not brought in by now has no stop of recio's; look at the venue and sell it there"
    )
    follows = (
        "the running daemon compares the account next" if runs else "no daemon runs: one that starts does"
    )
    print(f"recio: {follows}, and a halt names what is left", file=sys.stderr)
    return ExitCode.OK
