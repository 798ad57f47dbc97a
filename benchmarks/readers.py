"""So many open status pages of one daemon, as one process: says once a second how many get what they should; it shows nothing."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aiohttp

OPENED_A_SECOND = 60
"""The page lets in a hundred requests a second, of everybody."""


async def main(url: str, readers: int) -> None:
    counts = [0] * readers
    is_open = [False] * readers
    connector = aiohttp.TCPConnector(limit=0)
    endless = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=endless) as session,
        asyncio.TaskGroup() as group,
    ):
        for number in range(readers):
            group.create_task(_read(session, url, number, counts, is_open))
        while True:
            await asyncio.sleep(1)
            told = {"served": sum(is_open), "pushed": sum(counts)}
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


async def _read(
    session: aiohttp.ClientSession, url: str, number: int, counts: list[int], is_open: list[bool]
) -> None:
    await asyncio.sleep(number / OPENED_A_SECOND)
    async with session.get(url) as answer:
        is_open[number] = answer.status == 200
        async for line in answer.content:
            counts[number] += line.startswith(b"data:")


def served(log: Path) -> int:
    """How many of them are open, by the newest whole line of what this process said."""
    lines = [line for line in log.read_text().splitlines() if line.endswith("}")]
    return json.loads(lines[-1])["served"] if lines else 0


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
