"""What the loop of a command does for whatever runs in it."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys

import anyio
import pytest
from structlog.testing import capture_logs

from recio.commands.event_loop import insist, until_signal
from recio.errors import ExitCode


def test_what_was_imported_is_not_walked_by_each_collection():
    found: list[int] = []

    async def work(_: anyio.Event) -> None:
        found.append(gc.get_freeze_count())

    before = {each: signal.getsignal(each) for each in signal.valid_signals()}
    try:
        until_signal(work)
    finally:
        gc.unfreeze()
        for each, handler in before.items():
            if signal.getsignal(each) is not handler:
                signal.signal(each, handler)
    assert found[0] > 10_000


async def test_what_does_not_end_when_it_is_asked_to_is_given_up_and_says_where_it_stands():
    """A daemon was seen to say that it stops, and to live on for a quarter of an hour."""
    stop, never = anyio.Event(), anyio.Event()
    with capture_logs() as said, anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(insist, stop, group.cancel_scope, 0.0)
            group.start_soon(never.wait, name="hangs")
            stop.set()
    (line,) = said
    assert any(each.startswith("hangs at ") and "locks.py" in each for each in line["tasks"])


IMPATIENT = """
import os, signal, threading, time
from recio.commands.event_loop import to_the_end
from recio.errors import ExitCode

def press():
    while True:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.00002)

async def work():
    threading.Thread(target=press, daemon=True).start()
    return ExitCode.OK

code = to_the_end(work, lambda: "all of it")
signal.signal(signal.SIGINT, signal.SIG_IGN)
os._exit(int(code))
"""


def test_ctrl_c_while_the_loop_is_being_closed_breaks_nothing():
    """Raised within the loop's own end it left a loop that cannot be closed, in one of three such ends."""
    for _ in range(12):
        done = subprocess.run(
            [sys.executable, "-c", IMPATIENT], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode in (ExitCode.OK, ExitCode.INTERRUPTED), done.stderr
        assert "Error" not in done.stderr


TWICE = """
import os, signal, sys
import anyio
from recio.commands.event_loop import to_the_end

async def work():
    os.kill(os.getpid(), signal.SIGINT)
    try:
        await anyio.sleep(60)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.2)
            os.kill(os.getpid(), signal.SIGINT)
            await anyio.sleep(0.2)
            print("closed")

sys.exit(to_the_end(work, lambda: "it stands"))
"""


def test_a_second_signal_cuts_off_nothing_that_a_command_closes_and_changes_no_word():
    done = subprocess.run(
        [sys.executable, "-c", TWICE], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "closed\n", "recio: interrupted: it stands\n")


ENDED = """
import os, signal, sys
import anyio
from recio.commands.event_loop import until_signal

async def work(stop):
    os.kill(os.getpid(), int(sys.argv[1]))
    await stop.wait()
    print("closed")

sys.exit(until_signal(work))
"""
KEPT = {"SIGKILL", "SIGSTOP"}
"""Nobody can hear them."""
FAULTS = {"SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP"}
"""The process itself is broken."""
NO_END = {"SIGCHLD", "SIGCONT", "SIGPIPE", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH", "SIGXFSZ"}
"""They end nothing: stop, go on, or are ignored, two of them by Python."""
HALTS = {"SIGUSR1", "SIGUSR2"}
"""The daemon hears them for itself."""
ENDS = {each.name for each in signal.Signals if each.name[:5] != "SIGRT"} - KEPT - FAULTS - NO_END - HALTS


@pytest.mark.parametrize("name", sorted(ENDS))
def test_every_signal_that_would_end_it_ends_it_in_order(name: str):
    """A limit of CPU seconds, a power supply or a wrong number left PostgreSQL running and orders unrecorded."""
    done = subprocess.run(
        [sys.executable, "-c", ENDED, str(int(signal.Signals[name]))],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "closed\n"), done.stderr
