"""What `recio import` takes for old data: time, processor and memory, first, again and with what came since, beside a plain COPY of the same rows.

`python -m benchmarks.import_old` measures all 929 MB; `make bench` a tenth.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import anyio
import asyncpg

from benchmarks import old_rows
from benchmarks.children import ROOT, python
from benchmarks.database import databases
from benchmarks.figures import Figure, Subject, as_text, at_most
from benchmarks.old_rows import WHOLE, Size
from benchmarks.run import Run
from tests.old_data.old_system import ROWS_OF_AN_IMPORT

TENTH = Size(prices=WHOLE.prices // 10, fills=WHOLE.fills // 10, candles=WHOLE.candles // 10)
LIMIT = 900.0
SECONDS, DELTA_SECONDS, MEGABYTES = 60, 10, 300
CONFIG = 'mode = "live"\n[kalshi]\nenvironment = "demo"\nkey_id = "k"\nkey_path = "gone.pem"\n[database]\ndsn = "{dsn}"\n'


@dataclass(frozen=True, slots=True)
class Taken:
    seconds: float
    processor: float
    """Seconds of the import's own process, not of the server."""
    megabytes: float
    """The most that was resident at once."""


def measure(run: Run, size: Size = TENTH) -> Subject:
    folder = run.world("import")
    old = folder / "old"
    megabytes = old_rows.make(old, size) / 1e6
    dsn = run.databases.fresh("import")
    config = folder / "recio.toml"
    config.write_text(CONFIG.format(dsn=dsn), encoding="utf-8")
    first = _import(old, config)
    floor = anyio.run(_copied, dsn, folder)
    again = _import(old, config)
    user = old / "backend/data/users/user_0001"
    old_rows.account(user / "accounts/kalshi/prod", user / "trade_history", 70, first=size.fills * 4 // 7)
    delta = _import(old, config)
    whole = size == WHOLE
    return Subject(
        title=f"Importing {megabytes:,.0f} MB of old data: {2 * size.prices:,} prices, {size.fills:,} fills",
        figures=[
            Figure(
                name="first import",
                value=first.seconds,
                unit="s",
                beside=f"{first.seconds / floor:.1f} times a plain COPY of the rows it wrote, {floor:.1f} s;"
                f" {first.processor:.1f} s of one processor",
                ratio=first.seconds / floor,
                target=f"under {SECONDS} s for 929 MB",
                met=first.seconds < SECONDS if whole else None,
            ),
            Figure(
                name="again, with nothing new",
                value=again.seconds,
                unit="s",
                beside=f"{again.processor:.1f} s of one processor",
            ),
            Figure(
                name="again, with 70 fills more",
                value=delta.seconds,
                unit="s",
                beside=f"{delta.processor:.1f} s of one processor",
                target=f"under {DELTA_SECONDS} s",
                met=delta.seconds < DELTA_SECONDS,
            ),
            Figure(
                name="most memory",
                value=max(each.megabytes for each in (first, again, delta)),
                unit="MB",
                target=f"under {MEGABYTES} MB",
                **at_most(max(each.megabytes for each in (first, again, delta)), MEGABYTES),
            ),
        ],
        notes=["The account is a hundred times the old system's own, which had about 1,000 fills."],
    )


def _import(old: Path, config: Path) -> Taken:
    began = time.monotonic()
    command = python("-m", "recio", "import", str(old), "--mode", "prod", "--config", str(config))
    running = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0, running.returncode
    return Taken(time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


async def _copied(dsn: str, folder: Path) -> float:
    """Seconds in which the server takes the same rows from files, into empty tables with the same keys."""
    connection = await asyncpg.connect(dsn)
    try:
        for table in ROWS_OF_AN_IMPORT:
            await connection.copy_from_table(table, output=folder / table)
            await connection.execute(f"CREATE TABLE floor_{table} (LIKE {table} INCLUDING ALL)")
        began = time.monotonic()
        for table in ROWS_OF_AN_IMPORT:
            await connection.copy_to_table(f"floor_{table}", source=folder / table, timeout=LIMIT)
        return time.monotonic() - began
    finally:
        await connection.close()


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="recio-bench-"))
    try:
        with databases(folder) as servers:
            print(as_text(measure(Run(folder=folder, databases=servers), WHOLE)))
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
