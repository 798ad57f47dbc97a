"""What the host does to the unit: the kernel ends it for its memory, and the clock is stepped, forth and back; it is seen and told."""

from __future__ import annotations

import mmap
import os
import re
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.droplet.machine import Machine, why_not
from tests.droplet.test_booted_unit import RECIO, Droplet, droplet

__all__ = ["droplet"]

MEMORY = Path("/sys/fs/cgroup/memory")
"""Where a control group may hold a process to so much memory, with a hierarchy of its own for it."""
PATIENCE = 90.0
STEP_FILE = "/var/lib/recio-step"
STEPPED = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static const volatile int64_t *step;

__attribute__((constructor)) static void look(void) {
    int file = open("STEP_FILE", O_RDONLY);
    void *seen = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    if (seen != MAP_FAILED) step = seen;
}

int clock_gettime(clockid_t which, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int found = real(which, at);
    if (!found && step && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) at->tv_sec += *step;
    return found;
}

time_t time(time_t *out) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (out) *out = at.tv_sec;
    return at.tv_sec;
}
""".replace("STEP_FILE", STEP_FILE)
"""The host's clock is everybody's, so it is stepped for the unit alone: by so many seconds as stand in a file."""

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(400),
    pytest.mark.skipif(bool(why_not()), reason=f"no machine can be booted here: {why_not()}"),
]


def host_pid(machine: Machine, inside: str) -> int:
    """What a process of the machine is called out here."""
    space = os.readlink(f"/proc/{machine.leader}/ns/pid")
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            numbers = re.search(r"^NSpid:\s*(.+)$", status.read_text(encoding="utf-8"), re.MULTILINE)
            if (
                numbers
                and numbers[1].split()[-1] == inside
                and os.readlink(status.parent / "ns/pid") == space
            ):
                return int(status.parent.name)
    raise AssertionError(f"{inside} is not found from outside")


@contextmanager
def no_more_memory(pid: int) -> Iterator[Path]:
    """A process that keeps what it has, and gets not one page more."""
    group = MEMORY / f"recio-{os.getpid()}-memory"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text("0", encoding="ascii")
        (group / "cgroup.procs").write_text(str(pid), encoding="ascii")
        yield group
    finally:
        for each in (group / "cgroup.procs").read_text(encoding="ascii").split():
            (MEMORY / "cgroup.procs").write_text(each, encoding="ascii")
        group.rmdir()


@pytest.mark.skipif(
    not (MEMORY / "memory.limit_in_bytes").exists(), reason="no hierarchy of control groups for memory here"
)
def test_a_daemon_that_the_kernel_ends_for_its_memory_is_started_anew_and_somebody_is_called(
    droplet: Droplet,
):
    machine = droplet.machine
    droplet.configure()
    droplet.start()
    machine.until(RECIO, "StatusText", "entry is switched off")
    before, server, restarts = droplet.main_pid(), droplet.server_pid(), droplet.restarts()
    with no_more_memory(host_pid(machine, before)) as group:
        end = time.monotonic() + PATIENCE
        while "oom_kill 0" in (group / "memory.oom_control").read_text(encoding="ascii"):
            assert time.monotonic() < end, "it lives on what it has"
            machine.run("curl", "-sS", "-o", "/dev/null", "http://127.0.0.1:8710/status", check=False)
    machine.until(RECIO, "NRestarts", str(restarts + 1))
    machine.until(RECIO, "StatusText", "entry is switched off")
    assert droplet.main_pid() != before
    assert droplet.server_pid() == server, "its database was not what asked for too much"
    assert droplet.called("signal KILL")


@contextmanager
def clock_of(droplet: Droplet, tmp_path: Path) -> Iterator[mmap.mmap]:
    """The unit with a clock that can be stepped."""
    machine, library, source = droplet.machine, tmp_path / "step.so", tmp_path / "step.c"
    source.write_text(STEPPED, encoding="utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    (machine.root / "usr/local/lib").mkdir(parents=True, exist_ok=True)
    shutil.copy(library, machine.root / "usr/local/lib/step.so")
    place = machine.root / STEP_FILE.lstrip("/")
    place.write_bytes(bytes(8))
    droplet.configure(drop_in="Environment=LD_PRELOAD=/usr/local/lib/step.so\n")
    droplet.start()
    with place.open("r+b") as file, mmap.mmap(file.fileno(), 8) as step:
        yield step
    droplet.configure()


@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler is installed")
@pytest.mark.parametrize("seconds", [3_600, -3_600], ids=["an hour on", "an hour back"])
def test_a_clock_that_is_stepped_stops_entries_until_it_is_right_and_ends_nothing(
    droplet: Droplet, tmp_path: Path, seconds: int
):
    machine = droplet.machine
    with clock_of(droplet, tmp_path) as step:
        machine.until(RECIO, "StatusText", "entry is switched off")
        before, restarts = droplet.main_pid(), droplet.restarts()
        step[:] = struct.pack("<q", seconds)
        machine.until(RECIO, "StatusText", "clock", PATIENCE)
        step[:] = bytes(8)
        end = time.monotonic() + PATIENCE
        while "clock" in machine.show(RECIO, "StatusText"):
            assert time.monotonic() < end, machine.journal(RECIO)[-4000:]
            time.sleep(0.2)
        assert (droplet.main_pid(), droplet.restarts()) == (before, restarts)
