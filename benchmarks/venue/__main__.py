"""The stand-in as a process: says where it listens, obeys one JSON line after another, and ends with its standard input."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import sys
from typing import Any

from benchmarks.venue.scenes import Stage
from benchmarks.venue.wire import Connection


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--strikes", type=int, default=1)
    stage = Stage(strikes=parser.parse_args().strikes)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(stage.answer, stage.accept), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    going = [asyncio.create_task(stage.background()), asyncio.create_task(stage.quotes())]
    # A pause of this process's own collector would be booked on whoever is measured.
    gc.freeze()
    gc.disable()
    say(
        rest_url=f"http://127.0.0.1:{port}/trade-api/v2",
        ws_url=f"ws://127.0.0.1:{port}/trade-api/ws/v2",
        price_url=f"ws://127.0.0.1:{port}/prices",
        ticker=stage.ladder.traded.ticker,
    )
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        await obey(stage, json.loads(line))
    for each in going:
        each.cancel()
    server.close()


async def obey(stage: Stage, asked: dict[str, Any]) -> None:
    match asked:
        case {"do": "rate", "per_second": int(rate)}:
            stage.rate = rate
            say(rate=rate)
        case {"do": "cycles", **how}:
            say(**await stage.cycles(**how))
        case {"do": "flood", "messages": int(messages)}:
            say(**await stage.flood(messages))
        case _:
            say(error=f"not understood: {asked}")


def say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(main())
