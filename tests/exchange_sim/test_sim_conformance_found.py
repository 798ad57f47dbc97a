"""What clients written elsewhere ran into when they spent a day at the exchange."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from recio.exchange_sim.credentials import CREDENTIALS_FILE, KEY_FILE, Credentials, write_private


@asynccontextmanager
async def command(directory: Path, *options: str) -> AsyncIterator[Credentials]:
    """`recio exchange` in a process of its own, once it says that it serves."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "recio", "exchange", "--credentials", str(directory)),
        *("--idle-exit", "30", *options),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async for line in process.stdout:
            if line.startswith(b"serving "):
                break
        told = json.loads((directory / CREDENTIALS_FILE).read_text())
        yield msgspec.convert(told, Credentials)
    finally:
        process.terminate()
        await process.communicate()


@pytest.mark.parametrize(("options", "status"), [(("--lenient-shards",), 200), ((), 404)])
async def test_a_client_that_cannot_name_a_shard_cancels_where_the_command_was_told_to_be_lenient(
    options: tuple[str, ...],
    status: int,
    tmp_path: Path,
    key_pem: bytes,
    start_exchange: Callable[..., Awaitable[Any]],
) -> None:
    own = await start_exchange(quiet_traders=True)
    directory = tmp_path / "command"
    directory.mkdir()
    write_private(directory / KEY_FILE, key_pem)
    async with command(directory, *options) as credentials:
        client = type(own)(credentials, own.session)
        ticker = await client.open_ticker()
        made = await client.order(ticker, "bid", "0.0010", "1.00")
        if made[1]["remaining_count"] == "0.00":
            # A market that is all but decided sells even there; nobody can want both ends at once.
            made = await client.order(ticker, "ask", "0.9990", "1.00")
        answer = await client.request("DELETE", f"/portfolio/events/orders/{made[1]['order_id']}")
    assert (made[0], answer[0]) == (201, status), (made, answer)
