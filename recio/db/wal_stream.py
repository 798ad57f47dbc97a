"""Follows a server's changes into a folder as they are committed, so that a backup reaches any instant; it never ends by itself."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

import anyio
import asyncpg
from anyio.abc import Process

from recio.db.client_programs import Client, bound, run_client
from recio.db.connection import Connection, transaction
from recio.db.server_programs import last_words
from recio.errors import ExitCode, Fatal, Transient

SLOT = "recio_backup"
"""The server keeps what this name has not received yet, also while nobody listens, up to its max_slot_wal_keep_size."""
LOOK_EVERY = 30.0
"""Host seconds between two looks whether the server still keeps it: pg_receivewal asks for what is gone for ever."""
_STATUS = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = $1"
_DROP = "SELECT pg_drop_replication_slot($1)"
GONE = "lost"
STOP_LIMIT = 10.0


async def begun_anew(connection: Connection) -> bool:
    """Whether the server had given up keeping changes for the stream: then it keeps them from now on, and there is a gap."""
    if await connection.fetchval(_STATUS, SLOT) != GONE:
        return False
    await connection.fetchval(_DROP, SLOT)
    return True


async def end_when_lost(pool: asyncpg.Pool[asyncpg.Record], every: float = LOOK_EVERY) -> None:
    """Raises Fatal once the server no longer keeps what was not received. One that is away is waited for."""
    while True:
        await anyio.sleep(every)
        with suppress(Transient):
            async with transaction(pool) as connection:
                if await connection.fetchval(_STATUS, SLOT) == GONE:
                    raise Fatal(
                        "the server gave up keeping the changes that were not received (its max_slot_wal_keep_size):"
                        " the stream has a gap; start it again, and take a base backup then",
                        ExitCode.TEMPORARY,
                    )


async def follow(client: Client, folder: Path) -> None:
    """Until it is cancelled. A server that goes away is waited for. Raises Fatal where the server refuses."""
    await anyio.Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    await run_client(
        client, "pg_receivewal", "--create-slot", "--if-not-exists", "--slot", SLOT, "--no-password"
    )
    command = [
        str(client.programs / "pg_receivewal"), "--dbname", client.connection(), "--slot", SLOT, "--no-password",
        "--directory", str(folder), "--synchronous",
    ]  # fmt: skip
    process = await anyio.open_process(
        bound(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=client.environment(),
        start_new_session=True,
    )
    said = ""
    try:
        assert process.stderr is not None
        async for chunk in process.stderr:
            said = (said + chunk.decode(errors="replace"))[-2_000:]
        code = await process.wait()
    finally:
        with anyio.CancelScope(shield=True):
            await _ended(process)
    raise Fatal(f"pg_receivewal ended with {code}: {last_words(said)}", ExitCode.TEMPORARY)


async def _ended(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
        with anyio.move_on_after(STOP_LIMIT) as limit:
            await process.wait()
        if limit.cancelled_caught:
            process.kill()
    await process.aclose()
