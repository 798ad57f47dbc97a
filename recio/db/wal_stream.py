"""Follows a server's changes into a folder as they are committed, so that a backup reaches any instant; it never ends by itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import anyio
from anyio.abc import Process

from recio.db.client_programs import Client, run_client
from recio.db.server_programs import last_words
from recio.errors import ExitCode, Fatal

SLOT = "recio_backup"
"""The server keeps what this name has not received yet, also while nobody listens."""
STOP_LIMIT = 10.0


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
        command,
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
