"""`make conformance`: each foreign client spends its scripted day at an exchange of its own; it judges nothing itself.

Fails when a step failed, was skipped without being listed, or never reported.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass

from listing import CLIENTS, HERE, step_names

ROOT = HERE.parents[1]
SERIES = "KXBTC15M"
WINDOW_SECONDS = "60"
DAY_SECONDS = 240.0
"""Longer than the longest wait for a window to trade in, its end and its settlement together."""

EXCHANGE_OPTIONS: dict[str, tuple[str, ...]] = {
    "official": (),
    "pykalshi": ("--lenient-shards",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    client: str
    ok: int
    failed: list[str]
    """What each failed step said."""
    skipped: list[str]
    silent: list[str]
    """Steps that never reported."""
    seconds: float

    @property
    def passed(self) -> bool:
        return self.ok > 0 and not self.failed and not self.silent


async def main(recio: str) -> int:
    began = time.monotonic()
    reports = await asyncio.gather(*(spend_day(client, recio) for client in CLIENTS))
    say("")
    for report in reports:
        summarize(report)
    totals = Counter[str]()
    for report in reports:
        totals += Counter(
            ok=report.ok, failed=len(report.failed) + len(report.silent), skipped=len(report.skipped)
        )
    say(f"took {time.monotonic() - began:.0f} s")
    say(f"{totals['ok']} passed, {totals['failed']} failed, {totals['skipped']} skipped")
    return 0 if all(report.passed for report in reports) else 1


async def spend_day(client: str, recio: str) -> Report:
    """An exchange, the client's script against it, and what the script said about each step."""
    began = time.monotonic()
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix=f"conformance-{client}-") as credentials:
        exchange = await asyncio.create_subprocess_exec(
            recio,
            "exchange",
            *("--credentials", credentials, "--series", SERIES, "--window-seconds", WINDOW_SECONDS),
            *("--balance", "100000", "--idle-exit", "60", *EXCHANGE_OPTIONS[client]),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            if await serving(exchange):
                drain = asyncio.create_task(exchange.stdout.read())  # type: ignore[union-attr]
                lines = await run_script(client, credentials)
                drain.cancel()
        finally:
            await stop(exchange)
    return judge(client, lines, time.monotonic() - began)


async def serving(exchange: asyncio.subprocess.Process) -> bool:
    """Wait for the exchange's own word that it serves; its output when it ends instead."""
    assert exchange.stdout is not None
    said: list[str] = []
    async for line in exchange.stdout:
        said.append(line.decode().rstrip())
        if said[-1].startswith("serving "):
            return True
    say("the exchange did not start:\n" + "\n".join(said))
    return False


async def run_script(client: str, credentials: str) -> list[str]:
    """The script's lines, shown as they come."""
    script = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-X", "utf8", str(HERE / f"{client}_day.py"), credentials, SERIES),
        stdout=asyncio.subprocess.PIPE,
    )
    lines: list[str] = []
    try:
        async with asyncio.timeout(DAY_SECONDS):
            await read_lines(client, script, lines)
    except TimeoutError:
        say(f"{client}: stopped after {DAY_SECONDS:.0f} s")
    finally:
        await stop(script)
    return lines


async def read_lines(client: str, script: asyncio.subprocess.Process, lines: list[str]) -> None:
    assert script.stdout is not None
    async for line in script.stdout:
        lines.append(line.decode(errors="replace").rstrip())
        say(f"{client}: {lines[-1]}")


async def stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
    await process.wait()


def judge(client: str, lines: list[str], seconds: float) -> Report:
    names = step_names(client)
    ok = {name for name in names if f"ok {name}" in lines}
    failed = {name for name in names if any(line.startswith(f"FAILED {name}: ") for line in lines)}
    skipped = {name: line for name in names for line in lines if line.startswith(f"skipped {name}: ")}
    return Report(
        client=client,
        ok=len(ok),
        failed=[line for line in lines if line.startswith("FAILED ")],
        skipped=list(skipped.values()),
        silent=[name for name in names if name not in ok | failed | set(skipped)],
        seconds=seconds,
    )


def summarize(report: Report) -> None:
    say(
        f"{report.client}: {report.ok} ok, {len(report.failed)} failed, {len(report.skipped)} skipped "
        f"in {report.seconds:.0f} s"
    )
    for line in (*report.skipped, *report.failed):
        say(f"  {line}")
    for name in report.silent:
        say(f"  never reported: {name}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else str(ROOT / ".venv/bin/recio"))))
