"""A scripted day as named steps, run in order and each proved or failed out loud; it knows no client and no exchange."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

STEP_SECONDS = 100.0
"""Longer than one window and its settlement; a step that waits for more is stuck."""

Act = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    name: str
    act: Act


class CannotSay(Exception):
    """The client offers no way to do this step; only steps listed by name with a reason may say so."""


def step(into: list[Step], name: str) -> Callable[[Act], Act]:
    """Append the decorated coroutine function to a list of steps under its name."""

    def register(act: Act) -> Act:
        into.append(Step(name=name, act=act))
        return act

    return register


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def run_day(steps: Sequence[Step], world: object, skips: dict[str, str]) -> int:
    """Run every step whatever happens to the others; the number that failed."""
    failed = 0
    for one in steps:
        verdict = await _verdict(one, world, skips)
        failed += verdict.startswith("FAILED")
        say(verdict)
    return failed


async def _verdict(one: Step, world: object, skips: dict[str, str]) -> str:
    try:
        async with asyncio.timeout(STEP_SECONDS):
            await one.act(world)
    except CannotSay:
        if one.name in skips:
            return f"skipped {one.name}: {skips[one.name]}"
        return f"FAILED {one.name}: skipped without being listed"
    except Exception as error:  # noqa: BLE001 - whatever a foreign client raises is this step's failure
        return f"FAILED {one.name}: {_where(error)}{type(error).__name__}: {_said(error)}"
    if one.name in skips:
        return f"FAILED {one.name}: listed as skipped, yet it passed"
    return f"ok {one.name}"


def _said(error: Exception) -> str:
    """On one line; of an HTTP refusal its status and body, without the headers."""
    body = getattr(error, "body", None)
    whole = f"{getattr(error, 'status', '')} {body}" if isinstance(body, str) else str(error)
    return " ".join(whole.split())


def _where(error: Exception) -> str:
    """The script's own line that failed: the clients' inner frames say little."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "/tests/conformance/" in frame.filename
    ]
    inner = [frame for frame in frames if not frame.filename.endswith(("day.py", "_session.py"))]
    return f"line {inner[-1].lineno}: {inner[-1].line}: " if inner else ""


async def until(
    found: Callable[[], Awaitable[Any]], what: str, *, seconds: float = 20.0, every: float = 0.1
) -> Any:
    """Ask again until the answer is not None; the answer."""
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        answer = await found()
        if answer is not None:
            return answer
        await asyncio.sleep(every)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")
