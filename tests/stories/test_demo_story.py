"""The demo as a newcomer runs it: it trades, settles, stops clean, and can be killed and run again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import unused_port
from tests.stories.world import until

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="recio-demo-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o711)
        yield Path(made)


def start_demo(folder: Path, log: str, *options: str) -> subprocess.Popen[bytes]:
    with (folder / log).open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "recio", "demo", "--port", str(unused_port()), *options],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def finished(demo: subprocess.Popen[bytes], folder: Path, log: str) -> str:
    code = demo.wait(timeout=150)
    text = (folder / log).read_text(encoding="utf-8")
    assert code == 0, text
    assert "Traceback" not in text
    return text


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc").exists() else True


def exchange_pid(folder: Path) -> int:
    return json.loads((folder / ".recio" / "exchange" / "credentials.json").read_text())["pid"]


def left_nothing(folder: Path) -> bool:
    return (
        not alive(exchange_pid(folder)) and not (folder / ".recio" / "postgres" / "postmaster.pid").exists()
    )


@pytest.mark.long
async def test_a_demo_trades_settles_ends_by_itself_and_can_be_run_again_at_once(folder: Path):
    # The first window may have begun before a slow machine has started everything; it trades in the second at the latest.
    first = finished(start_demo(folder, "first.log", "--windows", "2", "--speed", "30"), folder, "first.log")
    assert re.search(r"trade open +trade=\d+ ", first), first
    # Sold before the close by its own stop, or paid by the settlement: as the market went.
    assert re.search(r"trade ended +trade=\d+ .* by=(settlement|exit) ", first), first
    assert left_nothing(folder)
    second = finished(
        start_demo(folder, "second.log", "--windows", "1", "--speed", "60"), folder, "second.log"
    )
    for text, windows in ((first, "2 windows settled"), (second, "1 window settled")):
        assert re.search(r"window settled +ticker=\S+ result=(yes|no) strike=[\d.]+ value=[\d.]+", text)
        assert windows in text
    assert left_nothing(folder)


@pytest.mark.long
async def test_a_killed_demo_is_taken_up_where_it_was(folder: Path):
    demo = start_demo(folder, "killed.log", "--speed", "15")
    await until(lambda: "trade open" in (folder / "killed.log").read_text())
    demo.kill()
    demo.wait()
    exchange = exchange_pid(folder)
    assert alive(exchange)
    text = finished(start_demo(folder, "again.log", "--windows", "1"), folder, "again.log")
    assert "going on where that one was" in text
    left = re.search(r"found open +trades=\[(\d+)\] unproven=\[\]", text)
    assert left, text
    assert re.search(rf"trade ended +trade={left[1]} ", text), text
    assert not alive(exchange)


@pytest.mark.long
async def test_a_demo_whose_exchange_is_gone_says_so_and_the_next_one_begins_anew(folder: Path):
    demo = start_demo(folder, "orphaned.log")
    await until(lambda: "s to the close" in (folder / "orphaned.log").read_text())
    os.kill(exchange_pid(folder), signal.SIGKILL)
    assert demo.wait(timeout=60) == 1
    text = (folder / "orphaned.log").read_text()
    assert "the demo's exchange has ended" in text
    assert "Traceback" not in text
    again = start_demo(folder, "anew.log")
    await until(lambda: "s to the close" in (folder / "anew.log").read_text())
    again.send_signal(signal.SIGTERM)
    assert "going on where" not in finished(again, folder, "anew.log")


async def test_ctrl_c_ends_it_with_a_summary_and_exit_0(folder: Path):
    demo = start_demo(folder, "stopped.log")
    await until(lambda: "s to the close" in (folder / "stopped.log").read_text())
    demo.send_signal(signal.SIGINT)
    text = finished(demo, folder, "stopped.log")
    assert "recio demo: 0 windows settled" in text
    assert not alive(exchange_pid(folder))
