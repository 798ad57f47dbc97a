"""The clock that an installation's market lives by: this machine's, or that of a demo, which runs apart from it; it asks nobody."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from recio.clock import Clock
from recio.daemon.venue import clock_of, read_credentials
from recio.db.connection import Connection
from recio.db.identity import bound_to
from recio.errors import BadConfig
from recio.settings.venue import Mode

DEMO_EXCHANGE = "exchange"
"""Folder of data_dir in which `recio demo` keeps its exchange."""
OWN_CLOCK = "recio: a demo: orders, fills and trades have the time of its market, what people did has that of your own clock"


def market_clock(data_dir: Path) -> Clock:
    """What a halt or a switch is dated by, so that the page can say how long it has stood."""
    try:
        return clock_of(read_credentials(data_dir / DEMO_EXCHANGE))
    except BadConfig:
        return Clock()


async def tell_clocks(connection: Connection) -> None:
    """In front of rows of both clocks: which is whose. Rows that belong to nobody are told of elsewhere."""
    with suppress(BadConfig):
        if (await bound_to(connection)).mode == Mode.DEMO:
            print(OWN_CLOCK, file=sys.stderr)
