"""PostgreSQL's own programs, run as the server's account; a path never becomes a part of a shell's command here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import anyio.to_thread

from recio.db.placement import Place
from recio.errors import ExitCode, Fatal

TOOL_LIMIT = 120.0


async def run_program(place: Place, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs as the server's account, in the cluster's home, without a shell of ours.

    pg_ctl puts what it is given into a command of a shell, between double quotes: a path with $ or " would be read as
    something else, so paths count from the home. In a session of its own, because Ctrl-C in a terminal would end it
    half-way. In a thread, because uvloop's own subprocesses cannot change their user.
    """
    account = place.account

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(place.binaries / "bin" / name), *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TOOL_LIMIT,
            cwd=place.data_dir.parent,
            start_new_session=True,
            umask=0o077,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )

    try:
        return await anyio.to_thread.run_sync(run)
    except subprocess.TimeoutExpired as error:
        raise Fatal(f"{name} did not end within {TOOL_LIMIT:.0f} s", ExitCode.TEMPORARY) from error


def tail(path: Path) -> str:
    try:
        return last_words(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return "no log"


def last_words(text: str) -> str:
    return " / ".join(line.strip() for line in text.strip().splitlines()[-3:]) or "it said nothing"
