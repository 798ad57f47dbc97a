"""Makes a cluster of PostgreSQL beside its place and renames it there; it starts no server, and never touches a cluster that is made."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import anyio.to_thread

from recio.db.placement import Place
from recio.db.server_programs import last_words, run_program
from recio.errors import Fatal

SUPERUSER = "recio"
DRAFT = "postgres.new."
SETTINGS = (
    "listen_addresses=",
    "max_connections=30",
    # A stream of changes that nobody receives would fill the disk, and stop all trading with it.
    "max_slot_wal_keep_size=2GB",
    "shared_buffers=128MB",
    "synchronous_commit=on",
    "fsync=on",
    "full_page_writes=on",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_min_messages=warning",
    "log_checkpoints=off",
    "unix_socket_permissions=0700",
    "idle_in_transaction_session_timeout=60s",
)


async def make_cluster(place: Place, data_dir: Path) -> None:
    """Make the cluster beside its place and rename it there: a kill in between leaves nothing half made."""
    draft = await anyio.to_thread.run_sync(_fresh_draft, place, data_dir.parent)
    done = await run_program(
        place,
        "initdb",
        *("-D", draft.name, "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C"),
        *("--data-checksums", "--no-instructions"),
    )
    if done.returncode != 0:
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(draft, ignore_errors=True))
        raise Fatal(f"the embedded database cannot be made in {draft.parent}: {last_words(done.stderr)}")
    await anyio.to_thread.run_sync(_write_settings, draft)
    await anyio.to_thread.run_sync(_rename_for_good, draft, data_dir)


def _write_settings(cluster: Path) -> None:
    """Behind what initdb wrote, because only from 16 on it takes settings itself."""
    with (cluster / "postgresql.conf").open("a", encoding="utf-8") as stream:
        for name, _, value in (setting.partition("=") for setting in SETTINGS):
            stream.write(f"{name} = '{value}'\n")
        stream.flush()
        os.fsync(stream.fileno())


def remove_drafts(home: Path) -> None:
    """At every start, because the initdb of a killed recio may outlive the removal of what it writes."""
    for abandoned in home.glob(f"{DRAFT}*"):
        shutil.rmtree(abandoned, ignore_errors=True)


def _fresh_draft(place: Place, home: Path) -> Path:
    """Never a name used before: the initdb of a killed recio may still be writing to its own."""
    draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=home))
    if place.account is not None:
        os.chown(draft, place.account.uid, place.account.gid, follow_symlinks=False)
    return draft


def _rename_for_good(source: Path, target: Path) -> None:
    source.rename(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
