"""The scripted day of pykalshi: run as `pykalshi_day.py CREDENTIALS_DIR SERIES`."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import pykalshi_discovery
import pykalshi_orders
import pykalshi_settlement
import pykalshi_socket
from day import run_day
from pykalshi_session import open_session

DAY = [
    *pykalshi_discovery.STEPS,
    *pykalshi_orders.STEPS,
    *pykalshi_socket.STEPS,
    *pykalshi_settlement.STEPS,
    *pykalshi_socket.CLOSING,
]
SKIPS: dict[str, str] = {}
"""Step name to the reason why this client cannot do it."""


async def main() -> int:
    logging.getLogger("pykalshi").addHandler(
        logging.NullHandler()
    )  # it reports each refusal it raises as well
    session = open_session(Path(sys.argv[1]), sys.argv[2])
    async with session.client:
        return await run_day(DAY, session, SKIPS)


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(main()) else 0)
