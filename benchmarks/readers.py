"""So many open status pages of one daemon, as one process: says once a second how many get what they should; it shows nothing."""

from __future__ import annotations

import asyncio
import json
import sys

import aiohttp


async def main(url: str, readers: int) -> None:
    counts = [0] * readers
    refused = [False] * readers
    connector = aiohttp.TCPConnector(limit=0)
    endless = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=endless) as session,
        asyncio.TaskGroup() as group,
    ):
        for number in range(readers):
            group.create_task(_read(session, url, number, counts, refused))
        while True:
            await asyncio.sleep(1)
            told = {"served": readers - sum(refused), "pushed": sum(counts)}
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


async def _read(
    session: aiohttp.ClientSession, url: str, number: int, counts: list[int], refused: list[bool]
) -> None:
    async with session.get(url) as answer:
        refused[number] = answer.status != 200
        async for line in answer.content:
            counts[number] += line.startswith(b"data:")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
