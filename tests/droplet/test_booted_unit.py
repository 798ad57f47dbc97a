"""The shipped unit in a real systemd, with the real live path against an exchange inside: what is killed, frozen or away.

One machine serves all of them, one after another. Where none can be booted they are skipped, and say why.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.droplet.machine import REPOSITORY, Machine, booted, other_roots, why_not

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(bool(why_not()), reason=f"no machine can be booted here: {why_not()}"),
]
RECIO = "recio.service"
KNOWS_BACK_OFF = 254
"""The release of systemd from which on it starts a crashing unit at growing intervals."""
CREDENTIALS = "/var/lib/sim/credentials.json"
EXCHANGE = """
[Service]
ExecStart=/opt/recio/current/bin/recio exchange --credentials /var/lib/sim --port 7000 --window-seconds 60
"""
CONFIG = """
mode = "live"
data_dir = "/var/lib/recio/data"
[database]
dsn = "{dsn}"
[kalshi]
environment = "demo"
key_id = "{key_id}"
key_path = "/run/credentials/recio.service/kalshi.pem"
rest_url = "{rest_url}"
ws_url = "{ws_url}"
request_timeout_seconds = 2.0
reconcile_every_seconds = 2.0
[prices]
coinbase_url = "{price_url}"
kraken_url = "{kraken_url}"
[alerts]
channels_path = "/run/credentials/recio.service/channels"
[log]
format = "json"
"""
CHANNEL_SECRET = "open-sesame-7413"
CHANNELS = f"phone info json://127.0.0.1:9/{CHANNEL_SECRET}\n"
"""Nobody listens there: each call fails, and says so."""
PROCESSES = "for each in /proc/[0-9]*; do cat $each/cmdline $each/environ; done 2>/dev/null"
OWN_DSN = "postgresql:///recio?host=/var/lib/recio/data/run&user=recio"
"""The embedded server as a stranger would reach it: one that recio neither starts nor stops."""
SERVER = """
import sys, anyio
from pathlib import Path
from recio.db.embedded import start_embedded, stop_embedded
async def main():
    server = await start_embedded(Path("/var/lib/recio/data"))
    if sys.argv[1] == "stop":
        await stop_embedded(server)
    else:
        await server.ensure_database("recio")
anyio.run(main)
"""


@dataclass(slots=True)
class Droplet:
    """A machine with an exchange and the shipped unit, set up as the unit's head tells."""

    machine: Machine

    def configure(self, *, dsn: str = "", drop_in: str = "") -> None:
        venue = json.loads((self.machine.root / CREDENTIALS.lstrip("/")).read_text(encoding="utf-8"))
        self.machine.write("/etc/recio/recio.toml", CONFIG.format(dsn=dsn, **venue))
        self.machine.write(f"/etc/systemd/system/{RECIO}.d/test.conf", f"[Service]\nRestartSec=1\n{drop_in}")
        self.machine.run("systemctl", "daemon-reload")

    def start(self) -> None:
        try:
            self.machine.run("systemctl", "restart", RECIO)
        except AssertionError as failed:
            raise AssertionError(f"{failed}\n{self.machine.journal(RECIO)[-4000:]}") from None

    def start_without_waiting(self) -> None:
        self.machine.run("systemctl", "restart", "--no-block", RECIO)

    def main_pid(self) -> str:
        return self.machine.show(RECIO, "MainPID")

    def server_pid(self) -> str:
        return self.machine.run("head", "-n1", "/var/lib/recio/data/postgres/postmaster.pid", check=False)

    def server(self, verb: str) -> None:
        """Start or stop PostgreSQL apart from the daemon."""
        self.machine.write("/srv/server.py", SERVER)
        self.machine.run(
            "runuser", "-u", "recio", "--", "/opt/recio/current/bin/python", "/srv/server.py", verb
        )

    def restarts(self) -> int:
        return int(self.machine.show(RECIO, "NRestarts"))

    def called(self, how: str) -> bool:
        """Whether somebody was called for such an end, once the call has had its time."""
        end = time.monotonic() + 20
        while f"{RECIO} {how}" not in self.machine.run("cat", "/run/calls", check=False):
            if time.monotonic() > end:
                raise AssertionError(self.machine.journal(f"recio-failed@{RECIO}"))
            time.sleep(0.1)
        return True


WITH_RECIO = [each for each in other_roots() if (each / "opt/recio/current").exists()]


@pytest.fixture(
    scope="module", params=[None, *WITH_RECIO], ids=lambda root: str(root or "this machine's root")
)
def droplet(request: pytest.FixtureRequest) -> Iterator[Droplet]:
    with a_droplet(request.param) as made:
        yield made


@contextmanager
def a_droplet(lower: Path | None) -> Generator[Droplet]:
    """Without another root this machine's own."""
    with booted(lower) as machine:
        machine.write("/etc/systemd/system/sim.service", EXCHANGE)
        machine.write("/etc/recio/on-failure", '#!/bin/sh\necho "$@" >> /run/calls\n', 0o755)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", "sim")
        end = time.monotonic() + 60
        while not (machine.root / CREDENTIALS.lstrip("/")).exists():
            assert time.monotonic() < end, machine.journal("sim")
            time.sleep(0.1)
        key = json.loads((machine.root / CREDENTIALS.lstrip("/")).read_text(encoding="utf-8"))["key_path"]
        machine.write(
            "/etc/recio/kalshi.pem", (machine.root / key.lstrip("/")).read_text(encoding="utf-8"), 0o600
        )
        machine.write("/etc/recio/channels", CHANNELS, 0o600)
        yield Droplet(machine)


def test_this_release_knows_every_word_of_the_units(droplet: Droplet):
    version = int(droplet.machine.run("systemctl", "--version").split()[1])
    if version >= KNOWS_BACK_OFF:
        text = (REPOSITORY / "systemd" / "back-off.conf").read_text(encoding="utf-8")
        droplet.machine.write(f"/etc/systemd/system/{RECIO}.d/back-off.conf", text)
    units = (RECIO, "recio@one.service", f"recio-failed@{RECIO}")
    assert droplet.machine.run("systemd-analyze", "verify", "--man=no", *units) == ""


def test_the_shipped_unit_starts_with_its_key_and_says_what_keeps_it_from_trading(droplet: Droplet):
    droplet.configure()
    droplet.start()
    assert droplet.machine.show(RECIO, "ActiveState") == "active"
    droplet.machine.until(RECIO, "StatusText", "entry is switched off")
    assert droplet.restarts() == 0


def test_a_daemon_killed_with_9_leaves_its_database_whole_is_started_anew_and_somebody_is_called(
    droplet: Droplet,
):
    before, server = droplet.main_pid(), droplet.server_pid()
    droplet.machine.run("kill", "-9", before)
    droplet.machine.until(RECIO, "NRestarts", "1")
    droplet.machine.until(RECIO, "StatusText", "entry is switched off")
    assert droplet.main_pid() != before
    assert droplet.server_pid() == server
    assert droplet.called("signal KILL")


def test_a_frozen_daemon_is_ended_by_the_watchdog_with_its_stacks_in_the_journal(droplet: Droplet):
    droplet.configure(drop_in="WatchdogSec=4\n")
    droplet.start()
    droplet.machine.until(RECIO, "StatusText", "entry is switched off")
    before, server = droplet.main_pid(), droplet.server_pid()
    droplet.machine.run("kill", "-STOP", before)
    droplet.machine.until(RECIO, "NRestarts", "1")
    told = droplet.machine.journal(RECIO)
    assert "Fatal Python error: Aborted" in told
    assert "most recent call first" in told
    assert "core-dump" not in told
    droplet.machine.until(RECIO, "StatusText", "entry is switched off")
    assert droplet.server_pid() == server
    assert droplet.called("watchdog ABRT")


def test_a_database_that_is_away_at_a_start_or_later_is_waited_for_without_a_restart(droplet: Droplet):
    droplet.machine.until(RECIO, "StatusText", "entry is switched off")
    droplet.machine.run("systemctl", "stop", RECIO)
    assert droplet.server_pid() == ""
    droplet.configure(dsn=OWN_DSN)
    droplet.start_without_waiting()
    droplet.machine.until(RECIO, "StatusText", "waits for the database: the database cannot be reached")
    droplet.server("start")
    droplet.machine.until(RECIO, "StatusText", "entry is switched off")
    assert droplet.restarts() == 0
    droplet.machine.run("kill", "-9", droplet.server_pid())
    droplet.machine.until(RECIO, "StatusText", "waits for the database: the database cannot be reached")
    droplet.server("start")
    droplet.machine.until(RECIO, "StatusText", "entry is switched off")
    assert droplet.restarts() == 0


def test_a_venue_that_is_away_is_waited_for(droplet: Droplet):
    droplet.machine.run("systemctl", "stop", RECIO)
    droplet.machine.run("systemctl", "kill", "--signal=STOP", "sim")
    droplet.start_without_waiting()
    droplet.machine.until(RECIO, "StatusText", "the account has not been compared with the venue")
    droplet.machine.run("systemctl", "kill", "--signal=CONT", "sim")
    droplet.machine.until(RECIO, "StatusText", "entry is switched off")
    assert droplet.restarts() == 0


def test_a_config_that_is_refused_is_not_started_again_and_somebody_is_called(droplet: Droplet):
    droplet.machine.write("/etc/recio/recio.toml", "nonsense = 1\n")
    droplet.machine.run("systemctl", "restart", RECIO, check=False)
    droplet.machine.until(RECIO, "ActiveState", "failed")
    assert "nonsense" in droplet.machine.show(RECIO, "StatusText")
    assert droplet.called("exit-code 78")


def test_after_all_that_nothing_secret_stands_where_it_was_not_put(droplet: Droplet):
    """In the journal, the database's files, what the page says, cores, and what processes show of themselves."""
    machine = droplet.machine
    droplet.configure(dsn=OWN_DSN)
    droplet.server("start")
    droplet.start()
    droplet.machine.until(RECIO, "StatusText", "entry is switched off")
    for path in ("status", "metrics", "api/v1/log"):
        machine.run(
            "curl", "-sS", "-o", f"/var/said-{path.replace('/', '-')}", f"http://127.0.0.1:8710/{path}"
        )
    machine.run("sh", "-c", f"({PROCESSES}) > /var/processes; journalctl -o export > /var/journal")
    key = (machine.root / "etc/recio/kalshi.pem").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in key if not line.startswith("-----") and len(line) > 40]
    machine.write("/srv/wanted", "\n".join([*wanted, CHANNEL_SECRET]) + "\n")
    search = ("grep", "-rlaF", "--devices=skip", "-f")
    in_memory = machine.run(*search, "/srv/wanted", "/run", check=False).split()
    on_disk = subprocess.run(
        [*search, machine.root / "srv/wanted", machine.written], capture_output=True, text=True, check=False
    ).stdout.split()
    found = {*in_memory, *(each.removeprefix(str(machine.written)) for each in on_disk)} - {"/srv/wanted"}
    places = (
        "/etc/recio/kalshi.pem",
        "/etc/recio/channels",
        "/run/credentials/recio.service",
        "/var/lib/sim",
    )
    assert {"/etc/recio/kalshi.pem", "/etc/recio/channels"} <= found
    assert [each for each in found if not each.startswith(places)] == []
    assert machine.run("sh", "-c", "grep -ac recio /var/processes /var/journal") != ""
