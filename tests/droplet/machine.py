"""A machine with a real systemd that boots in seconds: this machine's root, or another release's, under a throw-away layer.

It needs root, systemd-nspawn and overlayfs; `why_not` says what is missing. RECIO_ROOTS names folders of other
releases, each with recio installed in /opt/recio/current, separated by colons.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
CLEAN = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BOOTED = ("running", "degraded")
BOOT_LIMIT, PATIENCE = 60.0, 60.0
VISIBLE = {
    "/srv/recio/recio": REPOSITORY / "recio",
    "/srv/recio/schema.sql": REPOSITORY / "schema.sql",
    "/srv/recio/recio.toml": REPOSITORY / "recio.toml",
    "/srv/recio/libraries": Path(sysconfig.get_paths()["purelib"]),
    "/srv/python": Path(sys.base_prefix),
}
"""What of this checkout and its Python is seen inside, in places that a hardened unit may read, and from where."""
CGROUPS = [Path("/sys/fs/cgroup") / each for each in ("unified", "systemd", "")]
"""Where a process may be put into a group of its own, on whichever of these there is."""
PYTHON = "/srv/python/bin/python3"
SURROUNDINGS = (
    "LD_LIBRARY_PATH=/srv/python/lib",
    "PYTHONHOME=/srv/python",
    "PYTHONPATH=/srv/recio:/srv/recio/libraries",
    "PYTHONDONTWRITEBYTECODE=1",
)


def other_roots() -> list[Path]:
    return [Path(each) for each in os.environ.get("RECIO_ROOTS", "").split(":") if each]


def why_not() -> str:
    """Why no machine can be booted here; empty if one can be."""
    if os.geteuid() != 0:
        return "only root boots a machine"
    if shutil.which("systemd-nspawn") is None:
        return "systemd-nspawn is not installed (package systemd-container)"
    with tempfile.TemporaryDirectory() as folder:
        made = _run("mount", "-t", "tmpfs", "tmpfs", folder, check=False)
        if made.returncode != 0:
            return f"no file system can be mounted: {made.stderr.strip()}"
        _run("umount", folder)
    return ""


@dataclass(slots=True)
class Machine:
    root: Path
    """Its file system, as seen from outside."""
    console: Path
    start: Callable[[], subprocess.Popen[bytes]] = field(init=False)
    shell: subprocess.Popen[bytes] = field(init=False)
    """What it runs in."""
    leader: int = 0
    """Its first process, as numbered outside."""

    @property
    def written(self) -> Path:
        """What was written there since it was made, as seen from outside; what lies in its memory is not in it."""
        return self.root.parent / "layer" / "upper"

    def boot(self) -> None:
        self.shell = self.start()
        _wait_for_boot(self)

    def cut_power(self) -> None:
        """Every process inside ends at this instant; what was written so far is what a boot finds."""
        os.kill(self.leader, signal.SIGKILL)
        self.shell.wait(timeout=20)
        self.leader = 0

    def run(self, *command: str, check: bool = True, within: float = 60.0) -> str:
        """What a command inside prints."""
        inside = (
            "nsenter",
            "-t",
            str(self.leader),
            "-m",
            "-u",
            "-i",
            "-n",
            "-p",
            "--",
            "env",
            "-i",
            CLEAN,
            *command,
        )
        done = _run(*inside, check=False, within=within)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        place.chmod(mode)

    def show(self, unit: str, name: str) -> str:
        return self.run("systemctl", "show", "--value", "-p", name, unit)

    def journal(self, unit: str) -> str:
        return self.run("journalctl", "-u", unit, "-o", "cat", "--no-pager", check=False)

    def until(self, unit: str, name: str, wanted: str, patience: float = PATIENCE) -> str:
        """Wait until a property of a unit contains these words."""
        end = time.monotonic() + patience
        while wanted not in (found := self.show(unit, name)):
            if time.monotonic() > end:
                raise AssertionError(
                    f"{name} of {unit} is {found!r}, not {wanted!r}:\n{self.journal(unit)[-6000:]}"
                )
            time.sleep(0.1)
        return found


@contextmanager
def booted(lower: Path | None) -> Iterator[Machine]:
    """A machine on `lower`, or on this machine's own root; whatever it writes is gone with it."""
    work = Path(tempfile.mkdtemp(prefix="recio-machine-"))
    layer, root = work / "layer", work / "root"
    for each in (layer, root):
        each.mkdir()
    _run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(layer))
    try:
        for each in ("upper", "work"):
            (layer / each).mkdir()
        layers = f"lowerdir={lower or '/'},upperdir={layer / 'upper'},workdir={layer / 'work'}"
        _run("mount", "-t", "overlay", "overlay", "-o", layers, str(root))
        try:
            machine = Machine(root=root, console=work / "console.log")
            _install(machine, is_own_root=lower is None)
            yield from _running(machine, is_own_root=lower is None)
        finally:
            _run("umount", "-l", str(root))
    finally:
        _run("umount", "-l", str(layer))
        shutil.rmtree(work, ignore_errors=True)


def _install(machine: Machine, *, is_own_root: bool) -> None:
    """The shipped units, an account, and a program in /opt/recio/current."""
    for unit in sorted((REPOSITORY / "systemd").glob("*.service")):
        shutil.copy(unit, machine.root / "etc" / "systemd" / "system" / unit.name)
    machine.write("/etc/recio/channels", "# nobody\n", 0o600)
    _run("chroot", str(machine.root), "useradd", "--system", "--no-create-home", "recio", check=False)
    if is_own_root:
        command = f"exec env {' '.join(SURROUNDINGS)} {PYTHON}"
        machine.write("/opt/recio/current/bin/python", f'#!/bin/sh\n{command} "$@"\n', 0o755)
        machine.write("/opt/recio/current/bin/recio", f'#!/bin/sh\n{command} -m recio "$@"\n', 0o755)
        shutil.copytree(REPOSITORY / "deploy", machine.root / "opt/recio/current/deploy", dirs_exist_ok=True)


def _running(machine: Machine, *, is_own_root: bool) -> Iterator[Machine]:
    seen = [f"--bind-ro={source}:{place}" for place, source in VISIBLE.items()] if is_own_root else []
    command = ["systemd-nspawn", "-D", str(machine.root), "--boot", "--register=no", "--keep-unit"]
    command += ["--private-network", f"--machine=recio-{os.getpid()}", *seen]
    with machine.console.open("wb") as output, _own_group() as enter:
        machine.start = lambda: subprocess.Popen(
            ["sh", "-c", f'{enter}exec "$@"', "sh", *command],
            env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            machine.boot()
            yield machine
        finally:
            if machine.leader:
                machine.run("systemctl", "poweroff", check=False)
            try:
                machine.shell.wait(timeout=20)
            except subprocess.TimeoutExpired:
                machine.shell.kill()
                machine.shell.wait()


@contextmanager
def _own_group() -> Iterator[str]:
    """Shell words that enter a control group of this machine's own: two systemds in one would end each other's units."""
    groups = [each / f"recio-{os.getpid()}" for each in CGROUPS if (each / "cgroup.procs").exists()]
    for group in groups:
        group.mkdir(exist_ok=True)
    try:
        yield "".join(f"echo $$ > {group}/cgroup.procs && " for group in groups)
    finally:
        for group in groups:
            for each in sorted(group.rglob("*/"), key=lambda path: -len(path.parts)):
                with suppress(OSError):
                    each.rmdir()
            with suppress(OSError):
                group.rmdir()


def _wait_for_boot(machine: Machine) -> None:
    end = time.monotonic() + BOOT_LIMIT
    while time.monotonic() < end and machine.shell.poll() is None:
        found = _run("pgrep", "-P", str(machine.shell.pid), check=False).stdout.split()
        if found:
            machine.leader = int(found[0])
            if machine.run("systemctl", "is-system-running", check=False) in BOOTED:
                return
        time.sleep(0.1)
    told = machine.console.read_text(encoding="utf-8", errors="replace")
    raise AssertionError(f"it does not boot:\n{told[-3000:]}")


def _run(*command: str, check: bool = True, within: float = 120.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=check, capture_output=True, text=True, timeout=within)
