"""PostgreSQL's client programs, run as ourselves against a DSN; no password ever stands in a command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import anyio.to_thread

from recio.db.server_programs import last_words
from recio.errors import ExitCode, Fatal

LIMIT = 4 * 3600.0
"""Host seconds that one program may take."""
END_LIMIT = 10.0
"""Host seconds that one may take to end once it is asked to."""
_KEPT = ("host", "port", "user", "sslmode", "sslrootcert", "sslcert", "sslkey")
"""Of the query of a DSN: what libpq understands by the same name as the driver."""
_BOUND = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    dsn: str
    programs: Path
    """The folder of pg_dump and the others."""

    @property
    def database(self) -> str:
        return unquote(urlsplit(self.dsn).path[1:])

    def connection(self) -> str:
        """As libpq reads it, without the password."""
        parts = urlsplit(self.dsn)
        said = {name: value for name, value in parse_qsl(parts.query) if name in _KEPT}
        if parts.hostname:
            said |= {"host": parts.hostname}
        if parts.port:
            said |= {"port": str(parts.port)}
        if parts.username:
            said |= {"user": unquote(parts.username)}
        said |= {"dbname": self.database}
        return " ".join(f"{name}='{_escaped(value)}'" for name, value in said.items())

    def environment(self) -> dict[str, str]:
        password = unquote(urlsplit(self.dsn).password or "")
        given = {"PGPASSWORD": password} if password else {}
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "PGPASSFILE": "/dev/null"} | given


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def bound(command: Sequence[str]) -> list[str]:
    """The command as a program that ends when we do, also by a kill: nobody would stop it then, and what it writes could be read."""
    return [sys.executable, "-ISc", _BOUND, str(os.getpid()), *command]


async def run_client(client: Client, name: str, *arguments: str, connects: bool = True) -> str:
    """What it printed. Whoever gives it up ends the program too. Raises Fatal with the program's last words."""
    where = ("--dbname", client.connection()) if connects else ()
    command = [str(client.programs / name), *where, *arguments]
    process = subprocess.Popen(  # noqa: ASYNC220 - uvloop's own subprocesses take no umask
        bound(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        umask=0o077,
        env=client.environment(),
    )
    try:
        said, complained = await anyio.to_thread.run_sync(
            partial(process.communicate, timeout=LIMIT), abandon_on_cancel=True
        )
    except subprocess.TimeoutExpired as error:
        raise Fatal(f"{name} did not end within {LIMIT / 3600:.0f} hours", ExitCode.TEMPORARY) from error
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(_ended, process)
    if process.returncode != 0:
        raise Fatal(f"{name} failed: {last_words(complained)}", ExitCode.TEMPORARY)
    return said


def _ended(process: subprocess.Popen[str]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(END_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
