"""The scripted day of the official client, kalshi-python-async: run as `official_day.py CREDENTIALS_DIR SERIES`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import official_account
import official_discovery
import official_orders
import official_settlement
from day import run_day
from official_session import open_session

DAY = [
    *official_discovery.STEPS,
    *official_orders.STEPS,
    *official_account.STEPS,
    *official_settlement.STEPS,
]
SKIPS: dict[str, str] = {}
"""Step name to the reason why this client cannot do it."""


async def main() -> int:
    session = open_session(Path(sys.argv[1]), sys.argv[2])
    async with session.client:
        return await run_day(DAY, session, SKIPS)


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(main()) else 0)
